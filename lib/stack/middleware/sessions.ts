import { InvalidOption, InvalidResponse } from '../../contract/errors.ts'
import { pass, type Need } from '../effects.ts'
import { neutral, type Layer } from '../layer.ts'
import type { HttpResponse } from '../response.ts'
import { keepPrivate } from './cache-control.ts'
import { OwnCookie, type OwnCookieOptions } from './own-cookie.ts'
import { emptySession, isEmpty, newSessionId, putSession, sessionState, type SessionState } from './session.ts'
import { Signer, type Keys } from './signing.ts'
import { addVary } from './vary.ts'

export { Session, session } from './session.ts'

/** Names a session that a cookie holds. */
export interface SessionName {
  readonly id: string
  /** When it began, in seconds since 1970. */
  readonly created: number
}

/** What `sessions` is told. */
export interface SessionsOptions extends OwnCookieOptions {
  /** Secrets of at least 32 bytes, the same in all processes and threads: the first signs, all verify. */
  readonly keys: Keys
  /** After how many seconds without use a session ends. Default: 1,209,600 (14 days). */
  readonly maxAge?: number | undefined
  /** After how many seconds it ends in any case, counted from `renew()`, or from its first value; 0 is never. Default: 2,592,000 (30 days). */
  readonly lifetime?: number | undefined
  /** Whether use prolongs a session: its cookie is set again when a tenth of `maxAge` has gone by. Default: true. */
  readonly sliding?: boolean | undefined
  /** Whether the browser keeps the cookie when it ends. Default: true. */
  readonly persistent?: boolean | undefined
  /** Whether a session is over before its time, because its user has logged out; asked for each valid cookie. A generator may wait, by `yield* either(…)`. Default: none is. */
  readonly revoked?: ((session: SessionName) => boolean | Generator<Need, boolean, unknown>) | undefined
  /** The time in milliseconds. Default: `Date.now`. */
  readonly now?: (() => number) | undefined
}

/** What browsers take of a cookie: name, value and attributes (RFC 6265 6.1). */
const LARGEST = 4096

/**
 * Keeps a session in a signed cookie, as JSON: the client can read it, but not change it. `session(request)` gives it, in
 * layers and views of each kind beneath this one. The cookie is set when something has changed, or is to be prolonged, and
 * not by a response of 500 or more. A cookie that is not valid, for whatever reason, is an empty session. More than 4096
 * bytes are an `InvalidResponse`. Throws `InvalidOption`.
 */
export function sessions(options: SessionsOptions): Layer {
  const { maxAge = 1_209_600, lifetime = 2_592_000, sliding = true, persistent = true, revoked, now } = options
  if (!Number.isSafeInteger(maxAge) || maxAge < 1) throw new InvalidOption('maxAge', 'a whole number of seconds, 1 or more', maxAge)
  if (!Number.isSafeInteger(lifetime) || lifetime < 0) throw new InvalidOption('lifetime', 'a whole number of seconds, 0 or more', lifetime)
  if (revoked !== undefined && typeof revoked !== 'function') throw new InvalidOption('revoked', 'a function', revoked)
  const signer = new Signer({ keys: options.keys, purpose: 'tsgi.session', now })
  const cookie = new OwnCookie(options, 'session')

  return neutral(function* sessions(request) {
    const sent = cookie.read(request)
    const signed = sent === undefined ? null : signer.unsign(sent, { maxAge })
    let loaded = signed === null ? null : parse(signed.value)
    if (loaded !== null && lifetime > 0 && signer.time > loaded.created + lifetime) loaded = null
    if (loaded !== null && revoked !== undefined && (yield* asked(revoked, loaded))) loaded = null
    const before = loaded === null ? '' : serialize(loaded)
    putSession(request, loaded ?? emptySession())

    const response = yield* pass(request)
    const state = sessionState(request)
    if (state === null || !state.accessed) return response
    addVary(response.headers, 'Cookie')
    if (response.status >= 500) return response
    if (isEmpty(state)) {
      if (sent === undefined) return response
      cookie.forget(request, response)
      keepPrivate(response.headers)
      return response
    }
    const due = sliding && signed !== null && signer.time - signed.time >= maxAge / 10
    if (serialize(state) === before && !due) return response
    const created = state.created || signer.time
    const end = lifetime === 0 ? Infinity : created + lifetime - signer.time
    const value = signer.sign(serialize({ ...state, created, id: state.id || newSessionId() }))
    write(response, cookie.write(request, response, value, persistent ? Math.min(maxAge, Math.max(end, 0)) : undefined))
    return response
  })
}

function write(response: HttpResponse, size: number): void {
  if (size > LARGEST) throw new InvalidResponse('the session', `one whose cookie has at most ${LARGEST} bytes, or browsers drop it: keep the data elsewhere, by session(request).id`, size)
  keepPrivate(response.headers)
}

function* asked(revoked: NonNullable<SessionsOptions['revoked']>, { id, created }: SessionState): Generator<Need, boolean, unknown> {
  const answer = revoked({ id, created })
  const found: unknown = typeof answer === 'boolean' || typeof (Object(answer) as Partial<Generator>)[Symbol.iterator] !== 'function' ? answer : yield* answer
  if (typeof found === 'boolean') return found
  // A promise would count as yes. It is not waited for; that it fails must not end the process.
  void Promise.resolve(found).catch(() => {})
  throw new InvalidOption('what revoked gives', 'true or false, or a generator of that', found)
}

function serialize({ id, created, values, csrf }: SessionState): string {
  return JSON.stringify({ i: id, c: created, ...(csrf === '' ? {} : { t: csrf }), v: Object.fromEntries(values) })
}

/** Undoes `serialize`; null for what is no session, though it was signed. */
function parse(text: string): SessionState | null {
  let found: { readonly i?: unknown; readonly c?: unknown; readonly t?: unknown; readonly v?: unknown }
  try {
    found = Object(JSON.parse(text)) as typeof found
  } catch {
    return null
  }
  const { i, c, t = '', v } = found
  if (typeof i !== 'string' || typeof c !== 'number' || typeof t !== 'string' || typeof v !== 'object' || v === null) return null
  return { id: i, created: c, values: new Map(Object.entries(v)), csrf: t, accessed: false }
}
