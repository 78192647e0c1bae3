import { exchangeKey, type DisconnectSource } from '../contract/disconnect.ts'
import type { HeaderList } from '../contract/headers.ts'
import type { Address, AsgiVersions, Extensions, HttpScope, State, WebSocketScope } from '../contract/scope.ts'

// HTTP and WebSocket have one number.
const versions: AsgiVersions = Object.freeze({ version: '3.0', specVersion: '2.5' })

/** An HTTP scope as the exchange holds it: with the key by which `disconnectSignal` finds the exchange. */
export interface HttpScopeObject extends HttpScope {
  [exchangeKey]: DisconnectSource | null
}

/** The same for a WebSocket. */
export interface WebSocketScopeObject extends WebSocketScope {
  [exchangeKey]: DisconnectSource | null
}

/** What the protocol read of a request. */
export interface HttpRequestHead extends RequestHead {
  readonly httpVersion: '1.0' | '1.1' | '2'
  readonly method: string
}

/** What the protocol read of a WebSocket's handshake. */
export interface WebSocketRequestHead extends RequestHead {
  readonly httpVersion: '1.1' | '2'
  /** What the client offers, in its order. */
  readonly subprotocols: readonly string[]
}

interface RequestHead {
  /** `http` or `https`; `ws` or `wss`. */
  readonly scheme: string
  /** The path as it stood in the request, without the query; ASCII. `*` for `OPTIONS *`. */
  readonly rawPath: string
  readonly queryString: string
  readonly headers: HeaderList
  readonly client: Address | null
  readonly server: Address | null
  readonly extensions: Extensions
}

/**
 * Makes the scope of a request: every key an own data property, so that `{ ...scope }` is a whole scope. `rootPath` is
 * encoded, as `rawPath` is.
 */
export function httpScope(request: HttpRequestHead, rootPath: string, state: State): HttpScopeObject {
  const mounted = mountedPath(request.rawPath, rootPath)
  return {
    type: 'http',
    asgi: versions,
    httpVersion: request.httpVersion,
    method: request.method,
    scheme: request.scheme,
    path: decodePath(mounted),
    rawPath: mounted,
    queryString: request.queryString,
    rootPath: decodePath(rootPath),
    headers: request.headers,
    client: request.client,
    server: request.server,
    state: { ...state },
    extensions: request.extensions,
    [exchangeKey]: null,
  }
}

/** Makes the scope of a WebSocket, in the same way. */
export function webSocketScope(request: WebSocketRequestHead, rootPath: string, state: State): WebSocketScopeObject {
  const mounted = mountedPath(request.rawPath, rootPath)
  return {
    type: 'websocket',
    asgi: versions,
    httpVersion: request.httpVersion,
    scheme: request.scheme,
    path: decodePath(mounted),
    rawPath: mounted,
    queryString: request.queryString,
    rootPath: decodePath(rootPath),
    headers: request.headers,
    client: request.client,
    server: request.server,
    subprotocols: request.subprotocols,
    state: { ...state },
    extensions: request.extensions,
    [exchangeKey]: null,
  }
}

function mountedPath(rawPath: string, rootPath: string): string {
  return rootPath === '' || rawPath === '*' ? rawPath : rootPath + rawPath
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
