import { InvalidOption } from '../../contract/errors.ts'
import { pass } from '../effects.ts'
import { neutral, type Layer } from '../layer.ts'
import type { NeutralHttpRequest } from '../request.ts'
import { ResponseHeaders } from '../response-headers.ts'

/** The value of a header field; false for none; or a function that gives either, called once the response is there. */
export type SecurityHeader = string | false | ((request: NeutralHttpRequest) => string | false)

/** What `securityHeaders` may be told: each is the value of the field of its name. */
export interface SecurityHeadersOptions {
  /**
   * Sent over https only (RFC 6797 7.2). Browsers remember it: begin with a short `max-age`, and without
   * `includeSubDomains` where a subdomain has no https. Default: `max-age=31536000; includeSubDomains` (OWASP).
   */
  readonly strictTransportSecurity?: SecurityHeader | undefined
  /** Default: `nosniff` (OWASP). */
  readonly xContentTypeOptions?: SecurityHeader | undefined
  /**
   * Default: `base-uri 'self'; frame-ancestors 'self'; object-src 'none'`, the part of what OWASP and helmet say that
   * leaves ordinary pages as they are: nothing in it forbids a script, a style, an image or a form. A policy that stops
   * injected scripts has to know the page, so give one of your own.
   */
  readonly contentSecurityPolicy?: SecurityHeader | undefined
  /** A policy that is only reported on; for trying one out. Default: false. */
  readonly contentSecurityPolicyReportOnly?: SecurityHeader | undefined
  /**
   * Default: `strict-origin-when-cross-origin` (OWASP). `no-referrer`, which helmet sends, has browsers say
   * `origin: null` for the forms of your own pages (Fetch 3.2), which checks against CSRF refuse.
   */
  readonly referrerPolicy?: SecurityHeader | undefined
  /** For browsers that do not know `frame-ancestors`. Default: `SAMEORIGIN` (helmet), as that says. */
  readonly xFrameOptions?: SecurityHeader | undefined
  /** `same-origin-allow-popups` lets a page talk to the pop-ups that log in elsewhere. Default: `same-origin` (OWASP). */
  readonly crossOriginOpenerPolicy?: SecurityHeader | undefined
  /** Who may embed what is answered without CORS; `cross-origin` for images that others show. Default: `same-origin` (helmet). */
  readonly crossOriginResourcePolicy?: SecurityHeader | undefined
  /** Default: false, since a page that is isolated cannot embed what does not consent. */
  readonly crossOriginEmbedderPolicy?: SecurityHeader | undefined
  /** Such as `camera=(), geolocation=(), microphone=()`. Default: false. */
  readonly permissionsPolicy?: SecurityHeader | undefined
}

const fields: readonly (readonly [option: keyof SecurityHeadersOptions, name: string, value: string | false])[] = [
  ['strictTransportSecurity', 'strict-transport-security', 'max-age=31536000; includeSubDomains'],
  ['xContentTypeOptions', 'x-content-type-options', 'nosniff'],
  ['contentSecurityPolicy', 'content-security-policy', "base-uri 'self'; frame-ancestors 'self'; object-src 'none'"],
  ['contentSecurityPolicyReportOnly', 'content-security-policy-report-only', false],
  ['referrerPolicy', 'referrer-policy', 'strict-origin-when-cross-origin'],
  ['xFrameOptions', 'x-frame-options', 'SAMEORIGIN'],
  ['crossOriginOpenerPolicy', 'cross-origin-opener-policy', 'same-origin'],
  ['crossOriginResourcePolicy', 'cross-origin-resource-policy', 'same-origin'],
  ['crossOriginEmbedderPolicy', 'cross-origin-embedder-policy', false],
  ['permissionsPolicy', 'permissions-policy', false],
]

/**
 * Sets the header fields by which browsers protect a site, as the OWASP Secure Headers Project and the OWASP HTTP Headers
 * Cheat Sheet list them; where the two leave a choice, as helmet does. A field that the response has stays. Throws
 * `InvalidOption`.
 */
export function securityHeaders(options: SecurityHeadersOptions = {}): Layer {
  const set = fields.map(([option, name, value]) => [name, checked(option, options[option] ?? value)] as const).filter(([, value]) => value !== false)
  return neutral(function* securityHeaders(request) {
    const response = yield* pass(request)
    const { headers } = response
    for (const [name, given] of set) {
      if (headers.has(name) || (name === 'strict-transport-security' && request.scheme !== 'https')) continue
      const value = typeof given === 'function' ? given(request) : given
      if (value !== false) headers.set(name, value)
    }
    return response
  })
}

function checked(option: string, value: SecurityHeader): SecurityHeader {
  if (value === false || typeof value === 'function') return value
  try {
    new ResponseHeaders([[option, value]])
  } catch {
    throw new InvalidOption(option, 'the value of a header field, a function that gives it, or false', value)
  }
  return value
}
