import { InvalidOption } from '../../contract/errors.ts'
import type { CookieOptions } from '../cookies.ts'
import type { HttpRequest } from '../request.ts'
import type { HttpResponse } from '../response.ts'

/** Where a cookie that a layer sets counts. */
export interface OwnCookieOptions {
  /** Its name. Where it is secure it is sent as `__Host-NAME`, or `__Secure-NAME` with a `domain` or a `path` (RFC 6265bis 4.1.3). */
  readonly cookie?: string | undefined
  /** Whether it is for HTTPS only; `auto`: where the request came by HTTPS. Default: `auto`. */
  readonly secure?: boolean | 'auto' | undefined
  /** With which requests of other sites it is sent: `strict` none, `lax` links, `none` all (and `secure: true`). Default: `lax`. */
  readonly sameSite?: 'strict' | 'lax' | 'none' | undefined
  /** The host that it is for, with its subdomains. Default: the host that answers, without them. */
  readonly domain?: string | undefined
  /** Default: `/`. */
  readonly path?: string | undefined
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** A cookie that a layer sets: scripts never see it. */
export class OwnCookie {
  readonly #name: string
  readonly #secure: boolean | 'auto'
  readonly #where: CookieOptions
  readonly #prefix: string

  /** Throws `InvalidOption`. */
  constructor(options: OwnCookieOptions, name: string) {
    const { cookie = name, secure = 'auto', sameSite = 'lax', domain, path = '/' } = options
    if (typeof cookie !== 'string' || !TOKEN.test(cookie)) throw new InvalidOption('cookie', 'a token (RFC 6265 4.1.1)', cookie)
    if (secure !== 'auto' && typeof secure !== 'boolean') throw new InvalidOption('secure', "true, false or 'auto'", secure)
    if (!['strict', 'lax', 'none'].includes(sameSite)) throw new InvalidOption('sameSite', 'strict, lax or none', sameSite)
    if (sameSite === 'none' && secure !== true) throw new InvalidOption('secure with sameSite none', 'true, or browsers refuse the cookie', secure)
    if (cookie.startsWith('__')) throw new InvalidOption('cookie', 'a name without a prefix, which is added where the cookie is secure', cookie)
    this.#name = cookie
    this.#secure = secure
    this.#where = { sameSite, domain, path, httpOnly: true }
    this.#prefix = domain === undefined && path === '/' ? '__Host-' : '__Secure-'
  }

  /** What the client sent; the name without the prefix is not looked at where it is secure, since plain HTTP can set that. */
  read(request: HttpRequest): string | undefined {
    return request.cookies.get(this.#nameFor(request))
  }

  /** Has the browser keep it, for a number of seconds, or until it ends. Gives how long the field is. */
  write(request: HttpRequest, response: HttpResponse, value: string, maxAge: number | undefined): number {
    response.setCookie(this.#nameFor(request), value, { ...this.#attributes(request), maxAge })
    return response.headers.getAll('set-cookie').at(-1)?.length ?? 0
  }

  /** Has the browser forget it. */
  forget(request: HttpRequest, response: HttpResponse): void {
    response.deleteCookie(this.#nameFor(request), this.#attributes(request))
  }

  #nameFor(request: HttpRequest): string {
    return this.#isSecure(request) ? this.#prefix + this.#name : this.#name
  }

  #attributes(request: HttpRequest): CookieOptions {
    return { ...this.#where, secure: this.#isSecure(request) }
  }

  #isSecure({ scheme }: HttpRequest): boolean {
    return this.#secure === 'auto' ? scheme === 'https' : this.#secure
  }
}
