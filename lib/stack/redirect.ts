import { SuspiciousOperation } from '../contract/errors.ts'

/** The value of `location`: what is not ASCII is percent-encoded. Throws `SuspiciousOperation`. */
export function redirectLocation(location: string): string {
  // Browsers drop tabs and line ends, and so would find a scheme that is not seen here.
  if (typeof location !== 'string' || /[\0-\x1f\x7f]/.test(location)) throw new SuspiciousOperation('a redirect goes to a location with control characters')
  const trimmed = location.trim()
  const [, scheme] = /^([A-Za-z][A-Za-z0-9+.\-]*):/.exec(trimmed) ?? []
  if (scheme !== undefined && !/^(?:https?|ftp)$/i.test(scheme)) throw new SuspiciousOperation(`a redirect goes to a location of scheme ${scheme.slice(0, 80)}:, expected http, https or ftp`)
  try {
    return trimmed.replace(/[^\x21-\x7e]+/g, encodeURIComponent)
  } catch (error) {
    throw new SuspiciousOperation('a redirect goes to a location that is no text', { cause: error })
  }
}
