import { InvalidOption } from '../../contract/errors.ts'
import type { HttpRequest } from '../request.ts'

/** Origins that may send requests which change something. */
export class TrustedOrigins {
  readonly #exact = new Set<string>()
  readonly #endings: { readonly scheme: string; readonly ending: string }[] = []

  /** Throws `InvalidOption`. */
  constructor(origins: readonly string[]) {
    if (!Array.isArray(origins)) throw new InvalidOption('trustedOrigins', 'a list of origins', origins)
    for (const origin of origins as readonly string[]) {
      const [, scheme = '', rest = ''] = /^(https?:\/\/)\*\.(.+)$/.exec(origin) ?? []
      const known = scheme === '' ? origin : scheme + rest
      if (typeof origin !== 'string' || originOf(known) !== known || known.includes('*')) throw new InvalidOption('trustedOrigins', 'origins, such as https://example.com or https://*.example.com', origin)
      if (scheme === '') this.#exact.add(origin)
      else this.#endings.push({ scheme, ending: `.${rest}` })
    }
  }

  has(origin: string): boolean {
    return this.#exact.has(origin) || this.#endings.some(({ scheme, ending }) => origin.startsWith(scheme) && origin.endsWith(ending))
  }
}

/**
 * Why a request does not come from a page of its own site; null if nothing speaks against it. Browsers set these fields
 * themselves, and scripts cannot: `sec-fetch-site` (Fetch Metadata 2.4) tells it all, `origin` (RFC 6454 7) the page, and
 * `referer` over HTTPS the page too, where a network between could otherwise have made the request.
 */
export function foreignOrigin(request: HttpRequest, trusted: TrustedOrigins): string | null {
  const { headers, scheme } = request
  const origin = headers.get('origin')
  if (origin !== undefined && trusted.has(origin)) return null
  const site = headers.get('sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return null
  if (site === 'cross-site') return 'it comes from another site'
  const own = originOf(`${scheme}://${request.host}`)
  if (origin !== undefined) return origin === own ? null : 'it comes from another origin'
  if (scheme !== 'https') return null
  const referer = originOf(headers.get('referer') ?? '')
  if (referer === null) return 'it says neither its origin nor its referer'
  return referer === own || trusted.has(referer) ? null : 'it comes from another page'
}

/** The origin of a URL of HTTP or HTTPS, as browsers write it; null for any other. */
function originOf(url: string): string | null {
  try {
    const { origin, protocol } = new URL(url)
    return protocol === 'https:' || protocol === 'http:' ? origin : null
  } catch {
    return null
  }
}
