import type { HeaderList } from './headers.ts'

/** The state that the lifespan filled in; `application()` narrows it to what its lifespan yields. */
export type State = Record<string, unknown>

/** The versions of ASGI that a scope follows. */
export interface AsgiVersions {
  /** The version of the core: always `3.0`. */
  readonly version: '3.0'
  /** The version of the part of the specification that this scope belongs to. */
  readonly specVersion: string
}

/** An address: host and port, or the path of a unix socket and `null`. */
export type Address = readonly [host: string, port: number | null]

/**
 * What the server can do beyond the core, by name; a name is present only where the extension works.
 * `spec/extensions.md` describes each.
 */
export interface Extensions {
  readonly 'http.response.early_hint'?: Readonly<Record<string, never>>
  readonly 'http.response.trailers'?: Readonly<Record<string, never>>
  readonly 'http.response.debug'?: Readonly<Record<string, never>>
  readonly 'http.response.push'?: Readonly<Record<string, never>>
  readonly 'http.response.zerocopysend'?: Readonly<Record<string, never>>
  readonly 'http.response.pathsend'?: Readonly<Record<string, never>>
  readonly 'websocket.http.response'?: Readonly<Record<string, never>>
  readonly 'tsgi.request.trailers'?: Readonly<Record<string, never>>
  readonly 'tsgi.upgrade'?: Readonly<Record<string, never>>
  readonly tls?: TlsExtension
  readonly [name: string]: unknown
}

/** The `tls` extension (ASGI TLS 0.2): present on TLS connections only. */
export interface TlsExtension {
  /** The server's certificate, PEM. */
  readonly serverCert: string | null
  /** The client's certificates, PEM, leaf first; empty when the client gave none. */
  readonly clientCertChain: readonly string[]
  /** The subject of the client's certificate as RFC 4514 writes it. */
  readonly clientCertName: string | null
  /** Why the client's certificate was not accepted, if the connection was allowed all the same. */
  readonly clientCertError: string | null
  /** The protocol version as TLS numbers it, `0x0304` for TLS 1.3. */
  readonly tlsVersion: number | null
  /** The cipher suite as IANA numbers it, such as `0x1301`. */
  readonly cipherSuite: number | null
}

/** What HTTP and WebSocket scopes share. */
interface ConnectionScope<S> {
  readonly asgi: AsgiVersions
  /** The decoded path, `rootPath` included; bytes that are not UTF-8 became U+FFFD. */
  readonly path: string
  /** The path as it stood in the request, `rootPath` prepended, without the query; ASCII. */
  readonly rawPath: string
  /** What followed the `?`, still encoded; empty when there was none. */
  readonly queryString: string
  /** Where the application is mounted: `/api`, or empty. */
  readonly rootPath: string
  /** The header fields in their order, names in lower case. */
  readonly headers: HeaderList
  /** The client's address; `null` where there is none, as on a unix socket. */
  readonly client: Address | null
  /** The address that the client connected to. */
  readonly server: Address | null
  /** A shallow copy of the lifespan's state. */
  readonly state: S
  readonly extensions: Extensions
}

/** One HTTP request (ASGI HTTP 2.5). */
export interface HttpScope<S = State> extends ConnectionScope<S> {
  readonly type: 'http'
  readonly httpVersion: '1.0' | '1.1' | '2'
  /** The method, always in upper case. */
  readonly method: string
  readonly scheme: string
}

/** One WebSocket (ASGI WebSocket 2.5). */
export interface WebSocketScope<S = State> extends ConnectionScope<S> {
  readonly type: 'websocket'
  readonly httpVersion: '1.1' | '2'
  readonly scheme: string
  /** The subprotocols that the client offers, in its order of preference. */
  readonly subprotocols: readonly string[]
}

/** The life of the server (ASGI lifespan 2.0). */
export interface LifespanScope {
  readonly type: 'lifespan'
  readonly asgi: AsgiVersions
  /** Empty at start; what the application puts in is copied into each scope. */
  readonly state: State
}

export type Scope = HttpScope | WebSocketScope | LifespanScope
