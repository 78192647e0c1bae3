import type { HttpScope } from '../../lib/contract/scope.ts'
import { pathBeneath } from '../path-beneath.ts'

/** The origin that was asked for last; most requests of a server name the same. */
let known = { scheme: '', host: '', origin: '' }

// What `URL` leaves as it is: no dot segments, no character that it would encode.
const PLAIN_PATH = /^(?:\/(?!\.|%2e)[\w!$%&'()*+,.:;=@~-]*)+$/i
const PLAIN_QUERY = /^[\w!$%&()*+,./:;=?@~-]*$/

/**
 * The address of a request as `Request` has it: absolute and normalised, without the part at which the application is
 * mounted, so that its routes fit wherever that is. A path with dot segments loses them, as in every `URL`; `\` and `#`
 * are encoded, as they would change where the path ends.
 */
export function requestUrl(scope: HttpScope): string {
  const { queryString } = scope
  const rawPath = pathBeneath(scope)
  const url = originOf(scope) + (rawPath === '*' ? '/*' : rawPath) + (queryString === '' ? '' : `?${queryString}`)
  if (PLAIN_PATH.test(rawPath) && PLAIN_QUERY.test(queryString)) return url
  const path = rawPath.startsWith('/') ? rawPath : `/${rawPath}`
  const search = queryString === '' ? '' : `?${queryString.replaceAll('#', '%23')}`
  return new URL(originOf(scope) + path.replaceAll('\\', '%5C').replaceAll('#', '%23').replaceAll('?', '%3F') + search).href
}

function originOf(scope: HttpScope): string {
  const scheme = scope.scheme === 'https' ? 'https' : 'http'
  const host = scope.headers.get('host') ?? ''
  if (host !== known.host || scheme !== known.scheme || known.origin === '') {
    const origin = originFrom(scheme, host)
    // The address of the server differs between connections: it is not remembered.
    if (origin === null) return originFrom(scheme, addressOf(scope)) ?? `${scheme}://localhost`
    known = { scheme, host, origin }
  }
  return known.origin
}

/** null where there is no valid host. */
function originFrom(scheme: string, host: string): string | null {
  if (!/^[^\s/\\?#@]+$/.test(host)) return null
  try {
    return new URL(`${scheme}://${host}`).origin
  } catch {
    return null
  }
}

function addressOf({ server }: HttpScope): string {
  if (server === null || server[1] === null) return 'localhost'
  return `${server[0].includes(':') ? `[${server[0]}]` : server[0]}:${server[1]}`
}
