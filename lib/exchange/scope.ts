import { exchangeKey, type DisconnectSource } from '../contract/disconnect.ts'
import type { HeaderList } from '../contract/headers.ts'
import type { Address, AsgiVersions, Extensions, HttpScope, State } from '../contract/scope.ts'

const httpVersions: AsgiVersions = Object.freeze({ version: '3.0', specVersion: '2.5' })

/** An HTTP scope as the exchange holds it: with the key by which `disconnectSignal` finds the exchange. */
export interface HttpScopeObject extends HttpScope {
  [exchangeKey]: DisconnectSource | null
}

/** What the protocol read of a request. */
export interface HttpRequestHead {
  readonly httpVersion: '1.0' | '1.1' | '2'
  readonly method: string
  readonly scheme: string
  /** The path as it stood in the request, without the query; ASCII. `*` for `OPTIONS *`. */
  readonly rawPath: string
  readonly queryString: string
  readonly headers: HeaderList
  readonly client: Address | null
  readonly server: Address | null
  readonly extensions: Extensions
}

/** Makes the scope of a request: every key an own data property, so that `{ ...scope }` is a whole scope. */
export function httpScope(request: HttpRequestHead, rootPath: string, state: State): HttpScopeObject {
  const { rawPath } = request
  const mounted = rootPath === '' || rawPath === '*' ? rawPath : rootPath + rawPath
  return {
    type: 'http',
    asgi: httpVersions,
    httpVersion: request.httpVersion,
    method: request.method,
    scheme: request.scheme,
    path: decodePath(mounted),
    rawPath: mounted,
    queryString: request.queryString,
    rootPath,
    headers: request.headers,
    client: request.client,
    server: request.server,
    state: { ...state },
    extensions: request.extensions,
    [exchangeKey]: null,
  }
}

/** Percent-decodes a path as UTF-8. A `%` that starts no escape stays; bytes that are not UTF-8 become U+FFFD. */
export function decodePath(rawPath: string): string {
  if (!rawPath.includes('%')) return rawPath
  try {
    return decodeURIComponent(rawPath)
  } catch {
    const bytes = rawPath.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    return Buffer.from(bytes, 'latin1').toString('utf8')
  }
}
