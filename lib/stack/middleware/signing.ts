import { createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto'
import { InvalidOption } from '../../contract/errors.ts'

/** A secret of at least 32 bytes, or a list of them: the first signs, all verify. A string counts as UTF-8. */
export type Keys = string | Uint8Array | readonly (string | Uint8Array)[]

/** What a `Signer` is made with. */
export interface SignerOptions {
  /** At least 32 random bytes each, the same in all processes and threads: `openssl rand -base64 32` makes one. */
  readonly keys: Keys
  /** What is signed, such as `mail.unsubscribe`: what was signed for another purpose does not verify. */
  readonly purpose: string
  /** The time in milliseconds. Default: `Date.now`. */
  readonly now?: (() => number) | undefined
}

/** What was signed, and when. */
export interface Signed {
  readonly value: string
  /** In seconds since 1970. */
  readonly time: number
}

/** What `unsign` may be told. */
export interface UnsignOptions {
  /** For how many seconds a signature counts. Default: for ever. */
  readonly maxAge?: number | undefined
  /** What the value was bound to when it was signed. Default: nothing. */
  readonly bound?: string | undefined
}

const FORM = /^([A-Za-z0-9_-]*)\.([0-9a-z]{1,9})\.([A-Za-z0-9_-]{43})$/
const LEAST = 32
/** By how many seconds the clocks of servers may differ. */
const SKEW = 300

/**
 * Signs text so that it may go through other hands: they can read it, but not change it. The signature is HMAC-SHA256 (RFC
 * 2104) over the text and the time, with a key for the purpose alone (HKDF, RFC 5869). What comes out is safe in cookies
 * and URLs. Throws `InvalidOption`.
 */
export class Signer {
  readonly #keys: readonly KeyObject[]
  readonly #now: () => number

  constructor({ keys, purpose, now = Date.now }: SignerOptions) {
    if (typeof purpose !== 'string' || purpose === '') throw new InvalidOption('purpose', 'a string that is not empty', purpose)
    if (typeof now !== 'function') throw new InvalidOption('now', 'a function that gives milliseconds', now)
    this.#keys = keysOf(keys).map((key) => createSecretKey(Buffer.from(hkdfSync('sha256', key, '', `tsgi.signing.1:${purpose}`, 32))))
    this.#now = now
  }

  /** The time in seconds. */
  get time(): number {
    return Math.floor(this.#now() / 1000)
  }

  /** Signs a text, with the first key. `bound` is signed with it but is not part of it: who verifies has to know it. */
  sign(value: string, bound = ''): string {
    const text = `${Buffer.from(value).toString('base64url')}.${this.time.toString(36)}`
    return `${text}.${mac(this.#keys[0] as KeyObject, text, bound)}`
  }

  /** What was signed; null for what was not, or is too old, or from the future by more than five minutes. */
  unsign(signed: string, { maxAge, bound = '' }: UnsignOptions = {}): Signed | null {
    const [, payload, stamp, given] = FORM.exec(signed) ?? []
    if (payload === undefined || stamp === undefined || given === undefined) return null
    const found = Buffer.from(given)
    // The text of a signature is compared, not its bytes: those have more than one text.
    if (!this.#keys.some((key) => timingSafeEqual(Buffer.from(mac(key, `${payload}.${stamp}`, bound)), found))) return null
    const time = parseInt(stamp, 36)
    const age = this.time - time
    if (age < -SKEW || (maxAge !== undefined && age > maxAge)) return null
    return { value: Buffer.from(payload, 'base64url').toString(), time }
  }
}

function mac(key: KeyObject, text: string, bound: string): string {
  return createHmac('sha256', key).update(`${text}\0${bound}`).digest('base64url')
}

function keysOf(given: Keys): readonly (string | Uint8Array)[] {
  const single = typeof given === 'string' || given instanceof Uint8Array
  const keys: readonly unknown[] = single ? [given] : given
  if (!Array.isArray(keys) || keys.length === 0) throw new InvalidOption('keys', 'a key of at least 32 bytes, or a list of them', given)
  return keys.map((key, index) => {
    const name = single ? 'keys' : `keys[${index}]`
    if (typeof key !== 'string' && !(key instanceof Uint8Array)) throw new InvalidOption(name, 'a string or a Uint8Array of at least 32 bytes', typeof key)
    // The error may be logged: it does not show the key.
    if (Buffer.byteLength(key) < LEAST) throw new InvalidOption(name, `at least ${LEAST} bytes long`, Buffer.byteLength(key))
    return key
  })
}
