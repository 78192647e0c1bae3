/** The request, parsed where a view asks for it. */
import type { Environ } from 'tsgi/adapters/wsgi'
import { boundaryOf, Multipart } from './multipart.ts'
import { HttpError } from './response.ts'
import { Session } from './sessions.ts'

/** The fields of a form or a query; of those with one name, the first. */
export type Fields = ReadonlyMap<string, string>

/** The most bytes of a form without files, and the most fields. */
const FORM_LIMIT = 64 * 1024
const FIELD_LIMIT = 50

export class Request {
  readonly method: string
  /** Beneath where this is mounted, as text. */
  readonly path: string
  readonly environ: Environ
  readonly #root: string
  #session: Session | undefined

  constructor(environ: Environ) {
    this.environ = environ
    this.method = environ.REQUEST_METHOD
    this.path = Buffer.from(environ.PATH_INFO, 'latin1').toString()
    this.#root = encodePath(environ.SCRIPT_NAME)
  }

  /** The address of a path beneath where this is mounted. */
  url(path: string): string {
    return this.#root + path
  }

  get query(): Fields {
    return parseFields(Buffer.from(this.environ.QUERY_STRING, 'latin1'))
  }

  get session(): Session {
    this.#session ??= new Session(this.#cookie('guestbook'), `Path=${this.#root}/; HttpOnly; SameSite=Lax${this.environ['wsgi.url_scheme'] === 'https' ? '; Secure' : ''}`)
    return this.#session
  }

  /** The fields of a form that was sent as the body. Throws an `HttpError`: 400 for what is no such form, 413. */
  form(): Fields {
    if (mediaType(this.environ.CONTENT_TYPE) !== 'application/x-www-form-urlencoded') throw new HttpError(400, 'This form has another encoding than it should.')
    this.#refuseOver(FORM_LIMIT, 'This form is too long.')
    const body = this.environ['wsgi.input'].read(FORM_LIMIT + 1)
    if (body.length > FORM_LIMIT) throw new HttpError(413, 'This form is too long.')
    return parseFields(body)
  }

  /** A form with files, part by part as it arrives, of at most `limit` bytes. Throws as `form` does. */
  parts(limit: number, tooLarge: string): Multipart {
    const boundary = boundaryOf(this.environ.CONTENT_TYPE)
    if (boundary === null) throw new HttpError(400, 'This form has another encoding than it should.')
    this.#refuseOver(limit, tooLarge)
    return new Multipart(this.environ['wsgi.input'], boundary, limit, tooLarge)
  }

  /** What announces its size is refused before it is read. */
  #refuseOver(limit: number, message: string): void {
    if (Number(this.environ.CONTENT_LENGTH ?? 0) > limit) throw new HttpError(413, message)
  }

  #cookie(name: string): string | null {
    const { HTTP_COOKIE: header } = this.environ
    if (typeof header !== 'string') return null
    const pair = header.split(';').map((each) => each.trim()).find((each) => each.startsWith(`${name}=`))
    return pair?.slice(name.length + 1) ?? null
  }
}

function mediaType(value = ''): string {
  return value.replace(/;.*/s, '').trim().toLowerCase()
}

/** `SCRIPT_NAME` has one character for each byte, so each that cannot stand in an address is one `%XX`. */
function encodePath(path: string): string {
  return path.replace(/[^\w.~!$&()*+,=:@/-]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

function parseFields(bytes: Uint8Array): Fields {
  const fields = new Map<string, string>()
  try {
    const pairs = new TextDecoder('utf-8', { fatal: true }).decode(bytes).split('&').filter((pair) => pair !== '')
    if (pairs.length > FIELD_LIMIT) throw new HttpError(400, 'This form has too many fields.')
    for (const pair of pairs) {
      const at = pair.includes('=') ? pair.indexOf('=') : pair.length
      const [name, value] = [pair.slice(0, at), pair.slice(at + 1)].map((text) => decodeURIComponent(text.replaceAll('+', ' '))) as [string, string]
      if (!fields.has(name)) fields.set(name, value)
    }
  } catch (error) {
    if (error instanceof HttpError) throw error
    throw new HttpError(400, 'This form or address is not well encoded.')
  }
  return fields
}
