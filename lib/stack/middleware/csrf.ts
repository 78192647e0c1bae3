import { randomBytes, timingSafeEqual } from 'node:crypto'
import { InvalidOption, InvalidStack, PermissionDenied } from '../../contract/errors.ts'
import { pass } from '../effects.ts'
import { neutral, type Layer } from '../layer.ts'
import type { HttpRequest } from '../request.ts'
import { HttpResponse } from '../response.ts'
import { match, route } from '../route.ts'
import { keepPrivate } from './cache-control.ts'
import { OwnCookie, type OwnCookieOptions } from './own-cookie.ts'
import { foreignOrigin, TrustedOrigins } from './request-origin.ts'
import { sessionState } from './session.ts'
import { Signer, type Keys, type Signed } from './signing.ts'
import { addVary } from './vary.ts'

/** What `csrf` may be told. The options of cookies are for stacks without `sessions`. */
export interface CsrfOptions extends OwnCookieOptions {
  /** Secrets of at least 32 bytes for a cookie of its own: the first signs, all verify. Needed where no `sessions` layer is above. */
  readonly keys?: Keys | undefined
  /** What the cookie is bound to: the name of a session that something else keeps, so that a cookie of another session is refused. Default: nothing. */
  readonly bound?: ((request: HttpRequest) => string) | undefined
  /** Other origins whose pages may send requests: `https://app.example.com`, or `https://*.example.com` for all beneath. They need a token too. Default: none. */
  readonly trustedOrigins?: readonly string[] | undefined
  /** Routes that are not protected, such as `/hooks/*rest`: those that know their clients by something other than a cookie. Default: none. */
  readonly exempt?: readonly string[] | undefined
  /** The field of a form that has the token. Default: `csrfToken`. */
  readonly field?: string | undefined
  /** The header field that has it, in place of a form. Default: `x-csrf-token`. */
  readonly header?: string | undefined
  /** For how many seconds the cookie counts; use prolongs it. Default: 31,536,000 (a year). */
  readonly maxAge?: number | undefined
  /** The time in milliseconds. Default: `Date.now`. */
  readonly now?: (() => number) | undefined
}

/** What lies in `request.state`. */
interface CsrfState {
  readonly field: string
  /** Of the cookie; empty until it is needed, and where the session has it. */
  secret: string
  used: boolean
}

const KEY = 'tsgi.csrf'
const SIZE = 32
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/**
 * Refuses requests that a page of another site has a browser send (CSRF) with `PermissionDenied`: those of methods that
 * are not safe (RFC 9110 9.2.1), and come from elsewhere, or have no token that `csrfToken(request)` or
 * `csrfInput(request)` gave. What tokens are made of is in the session, or in a signed cookie where there is none. Each
 * time it is another text, so that compression tells nothing of it (BREACH). Throws `InvalidOption`.
 */
export function csrf(options: CsrfOptions = {}): Layer {
  const { keys, bound = () => '', trustedOrigins = [], exempt = [], field = 'csrfToken', header = 'x-csrf-token', maxAge = 31_536_000, now } = options
  if (typeof field !== 'string' || !/^[\w.:-]+$/.test(field)) throw new InvalidOption('field', 'a name of letters, digits, _, ., : and -', field)
  if (typeof header !== 'string' || !/^[\w-]+$/.test(header)) throw new InvalidOption('header', 'the name of a header field', header)
  if (!Number.isSafeInteger(maxAge) || maxAge < 1) throw new InvalidOption('maxAge', 'a whole number of seconds, 1 or more', maxAge)
  if (typeof bound !== 'function') throw new InvalidOption('bound', 'a function', bound)
  if (!Array.isArray(exempt)) throw new InvalidOption('exempt', 'a list of patterns of routes', exempt)
  const trusted = new TrustedOrigins(trustedOrigins)
  const free = exempt.map((pattern) => route(pattern, () => new HttpResponse()))
  const signer = keys === undefined ? null : new Signer({ keys, purpose: 'tsgi.csrf', now })
  const cookie = new OwnCookie(options, 'csrf')

  return neutral(function* csrf(request) {
    const inSession = sessionState(request) !== null
    if (!inSession && signer === null) throw new InvalidStack('csrf needs the option keys, or a layer sessions(…) above it')
    const sent = inSession ? undefined : cookie.read(request)
    const signed = sent === undefined ? null : signer?.unsign(sent, { maxAge, bound: bound(request) }) ?? null
    request.state[KEY] = { field, secret: signed?.value ?? '', used: false } satisfies CsrfState

    if (!SAFE.has(request.method) && !free.some((each) => match(each, request.pathInfo) !== null)) {
      const reason = foreignOrigin(request, trusted)
      if (reason !== null) throw new PermissionDenied(`CSRF: ${reason}`)
      const secret = secretOf(request)
      if (secret === '') throw new PermissionDenied('CSRF: there is no cookie that a token could belong to')
      // A header spares the body, which may be a long stream.
      const token = request.headers.get(header) ?? (yield* request.form()).get(field)
      if (token === undefined) throw new PermissionDenied('CSRF: there is no token')
      if (!isOf(token, secret)) throw new PermissionDenied('CSRF: the token is wrong')
    }

    const response = yield* pass(request)
    const state = request.state[KEY] as CsrfState | undefined
    if (inSession || signer === null || state === undefined || !state.used) return response
    addVary(response.headers, 'Cookie')
    if (isFresh(signed, state, signer.time, maxAge)) return response
    cookie.write(request, response, signer.sign(state.secret, bound(request)), maxAge)
    keepPrivate(response.headers)
    return response
  })
}

/** Whether the browser has the cookie, and for long enough. */
function isFresh(signed: Signed | null, { secret }: CsrfState, time: number, maxAge: number): boolean {
  return signed !== null && signed.value === secret && time - signed.time < maxAge / 10
}

/** A token for the requests of a page, for the header field; another text each time. Throws `InvalidStack` where no `csrf` layer is above. */
export function csrfToken(request: HttpRequest): string {
  const secret = Buffer.from(secretOf(request) || newSecret(request), 'base64url')
  const mask = randomBytes(SIZE)
  return Buffer.concat([mask, xor(mask, secret)]).toString('base64url')
}

/** The same as a hidden input for a form, in HTML. */
export function csrfInput(request: HttpRequest): string {
  return `<input type="hidden" name="${stateOf(request).field}" value="${csrfToken(request)}">`
}

/** Has tokens that were given before count no more: for a log-in without `sessions`, whose `renew()` does it too. */
export function renewCsrf(request: HttpRequest): void {
  newSecret(request)
}

/** Whether a token was made of a secret. */
function isOf(token: string, secret: string): boolean {
  const bytes = Buffer.from(token, 'base64url')
  const known = Buffer.from(secret, 'base64url')
  return bytes.length === 2 * SIZE && known.length === SIZE && timingSafeEqual(xor(bytes.subarray(0, SIZE), bytes.subarray(SIZE)), known)
}

function xor(one: Uint8Array, other: Uint8Array): Buffer {
  return Buffer.from(one.map((byte, index) => byte ^ (other[index] ?? 0)))
}

function stateOf(request: HttpRequest): CsrfState {
  const state = request.state[KEY] as CsrfState | undefined
  if (state === undefined) throw new InvalidStack('csrfToken(request) needs a layer csrf(…) above it')
  return state
}

function secretOf(request: HttpRequest): string {
  const state = stateOf(request)
  state.used = true
  const session = sessionState(request)
  if (session === null) return state.secret
  session.accessed = true
  return session.csrf
}

function newSecret(request: HttpRequest): string {
  const state = stateOf(request)
  state.used = true
  const secret = randomBytes(SIZE).toString('base64url')
  const session = sessionState(request)
  if (session === null) return state.secret = secret
  session.accessed = true
  return session.csrf = secret
}
