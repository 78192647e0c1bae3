import { isUtf8 } from 'node:buffer'
import { InvalidResponse } from '../contract/errors.ts'

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** RFC 6265 4.1.1, `cookie-value`. */
const VALUE = /^(?:[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*|"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")$/
/** RFC 6265 4.1.1, `path-value` and `domain-value`. */
const ATTRIBUTE = /^[\x20-\x3a\x3c-\x7e]+$/

/** Where and how long a cookie counts (RFC 6265 5.2). */
export interface CookieOptions {
  /** Seconds until it is forgotten; 0 or less forgets it at once. Default: when the browser ends. */
  readonly maxAge?: number | undefined
  /** When it is forgotten; `maxAge` counts more. */
  readonly expires?: Date | undefined
  /** Default: `/`. */
  readonly path?: string | undefined
  /** With its subdomains. Default: the host that answers, without them. */
  readonly domain?: string | undefined
  /** Over HTTPS only. Default: false; true where the name begins with `__Secure-` or `__Host-`, or `sameSite` is `none`. */
  readonly secure?: boolean | undefined
  /** Not for scripts. Default: false. */
  readonly httpOnly?: boolean | undefined
  readonly sameSite?: 'strict' | 'lax' | 'none' | undefined
}

/** Reads `cookie` fields. What is malformed is passed over; of a repeated name the first counts, which has the longest path. */
export function parseCookies(fields: Iterable<string>): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>()
  for (const field of fields) {
    for (const pair of field.split(';')) {
      const equals = pair.indexOf('=')
      if (equals < 1) continue
      const name = pair.slice(0, equals).trim()
      if (cookies.has(name) || !TOKEN.test(name)) continue
      const value = cookieValue(pair.slice(equals + 1).trim())
      if (value !== null) cookies.set(name, value)
    }
  }
  return cookies
}

/** The text of a value; null for one that is no text. */
function cookieValue(raw: string): string | null {
  const value = raw.length > 1 && raw.startsWith('"') && raw.endsWith('"') ? raw.slice(1, -1) : raw
  if (/[\x00-\x1f\x7f]/.test(value)) return null
  if (!/[\x80-\uffff]/.test(value)) return value
  // Browsers send what scripts set as UTF-8.
  const bytes = Buffer.from(value, 'latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : null
}

/** Makes the value of a `set-cookie` field. Throws `InvalidResponse`. */
export function serializeCookie(name: string, value: string, options: CookieOptions = {}): string {
  const { maxAge, expires, path = '/', domain, httpOnly = false, sameSite } = options
  if (typeof name !== 'string' || !TOKEN.test(name)) throw new InvalidResponse('the name of a cookie', 'a token (RFC 6265 4.1.1)', name)
  if (typeof value !== 'string' || !VALUE.test(value)) {
    throw new InvalidResponse(`the value of cookie ${name}`, 'ASCII without spaces, commas, semicolons, quotes and backslashes (see encodeURIComponent)', value)
  }
  const host = name.startsWith('__Host-')
  const mustBeSecure = host || name.startsWith('__Secure-') || sameSite === 'none'
  const secure = options.secure ?? mustBeSecure
  if (mustBeSecure && !secure) throw new InvalidResponse(`secure of cookie ${name}`, 'true, or browsers refuse it', secure)
  if (host && (domain !== undefined || path !== '/')) throw new InvalidResponse(`cookie ${name}`, 'without domain and with path /, or browsers refuse it', domain ?? path)

  let field = `${name}=${value}`
  if (expires !== undefined) {
    if (!(expires instanceof Date) || Number.isNaN(expires.getTime())) throw new InvalidResponse(`expires of cookie ${name}`, 'a valid date', expires)
    field += `; Expires=${expires.toUTCString()}`
  }
  if (maxAge !== undefined) {
    if (!Number.isSafeInteger(maxAge)) throw new InvalidResponse(`maxAge of cookie ${name}`, 'a whole number of seconds', maxAge)
    field += `; Max-Age=${maxAge}`
  }
  if (domain !== undefined) field += `; Domain=${attribute(name, 'domain', domain)}`
  if (!path.startsWith('/')) throw new InvalidResponse(`path of cookie ${name}`, 'a path that begins with /', path)
  field += `; Path=${attribute(name, 'path', path)}`
  if (secure) field += '; Secure'
  if (httpOnly) field += '; HttpOnly'
  if (sameSite !== undefined) {
    const word = { strict: 'Strict', lax: 'Lax', none: 'None' }[sameSite]
    if (word === undefined) throw new InvalidResponse(`sameSite of cookie ${name}`, 'strict, lax or none', sameSite)
    field += `; SameSite=${word}`
  }
  return field
}

function attribute(name: string, what: string, value: string): string {
  if (typeof value !== 'string' || !ATTRIBUTE.test(value)) throw new InvalidResponse(`${what} of cookie ${name}`, 'ASCII without semicolons', value)
  return value
}

/** What tells cookies apart: name, domain and path (RFC 6265 5.3). */
export function cookieKey(field: string): string {
  const [pair = '', ...attributes] = field.split(';')
  let domain = ''
  let path = '/'
  for (const each of attributes) {
    const [key = '', value = ''] = each.trim().split('=', 2)
    if (key.toLowerCase() === 'domain') domain = value.toLowerCase().replace(/^\./, '')
    else if (key.toLowerCase() === 'path') path = value
  }
  return `${pair.slice(0, Math.max(0, pair.indexOf('='))).trim()};${domain};${path}`
}
