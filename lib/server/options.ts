import { InvalidOption } from '../contract/errors.ts'
import type { ExchangeObserver } from '../exchange/observer.ts'
import type { TlsContexts } from './certificates.ts'
import { checkCombinations } from './check-options.ts'
import type { LogLevel } from './log.ts'

/** The options of `serve` and `Server`. Durations are in seconds, sizes in bytes; 0 turns a limit off. */
export interface ServerOptions {
  /** The address to listen on. Default: `127.0.0.1`. */
  readonly host?: string
  /** The port to listen on; 0 for one that the system picks. Default: 8000. */
  readonly port?: number
  /** The path of a unix socket to listen on, in place of host and port. */
  readonly uds?: string
  /** An inherited socket to listen on, by its number: TCP or unix, in place of host and port. */
  readonly fd?: number
  /**
   * All places to listen at, in place of host, port, uds and fd: `http://HOST:PORT`, `https://HOST:PORT`, `unix:/PATH`,
   * `fd://N`, and `uwsgi://HOST:PORT`, `uwsgi:/PATH` for front servers that speak uwsgi. Default: none.
   */
  readonly bind?: readonly string[]
  /** Connections that may wait to be accepted. Default: 2048. */
  readonly backlog?: number
  /** Where the application is mounted, as in `/api`, percent-encoded; prepended to `path` and `rawPath`. Default: empty. */
  readonly rootPath?: string
  /** Whether the application has a lifespan: `on`, `off`, or `auto` to serve one that throws without. Default: `auto`. */
  readonly lifespan?: 'auto' | 'on' | 'off'
  /** The file of the server's certificate and those that lead to its root, PEM. Host and port are then served over TLS. */
  readonly tlsCert?: string
  /** The file of the key of `tlsCert`, PEM. Default: the same file. */
  readonly tlsKey?: string
  /** What `tlsKey` is encrypted with. */
  readonly tlsPassphrase?: string
  /** The file of the authorities that clients' certificates must come from, PEM. */
  readonly tlsCa?: string
  /** The lowest version of TLS: `TLSv1.2` or `TLSv1.3`. Default: `TLSv1.2`. */
  readonly tlsMinVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** The cipher suites, as OpenSSL lists them. Default: those of Node. */
  readonly tlsCiphers?: string
  /** Whether clients must have a certificate that `tlsCa` vouches for: `none`, `optional`, `required`. Default: `none`. */
  readonly tlsClientAuth?: 'none' | 'optional' | 'required'
  /** Time from the start of a connection to the end of its TLS handshake. Default: 10. */
  readonly tlsHandshakeTimeout?: number
  /** Certificates for other names than that of `tlsCert`. Default: none. Not an option of the command. */
  readonly tlsContexts?: TlsContexts
  /** Whether to speak HTTP/2 too. Default: true. */
  readonly http2?: boolean
  /** Streams that an HTTP/2 client may have open. Default: 128. */
  readonly h2MaxStreams?: number
  /** Bytes of the header list of an HTTP/2 request. Default: 65536. */
  readonly h2MaxHeaderList?: number
  /** Streams that an HTTP/2 client may reset in a second, beyond a first 1000. Default: 33. */
  readonly h2MaxResets?: number
  /** Time that an HTTP/2 connection may be without an open stream. Default: 65. */
  readonly h2IdleTimeout?: number
  /** Time that the application has to start. Default: 60. */
  readonly timeoutLifespanStartup?: number
  /** Time that the application has to shut down. Default: 60. */
  readonly timeoutLifespanShutdown?: number
  /** Time from the first byte of a request to the end of its head; then 408. Default: 10. */
  readonly timeoutHead?: number
  /** Time without a byte of a request's body while it is being read; then 408. Default: 30. */
  readonly timeoutBody?: number
  /** Time in which a client takes nothing of what was written; then it counts as gone. Default: 60. */
  readonly timeoutSend?: number
  /** Time that a connection may wait for its next request. Default: 65, above common load balancers. */
  readonly timeoutKeepAlive?: number
  /** Time without a write after the client has closed its side; then it counts as gone. Default: 5. */
  readonly timeoutHalfClose?: number
  /** Time that running requests have when the server stops. Default: 30. */
  readonly timeoutGracefulShutdown?: number
  /** Bytes of a request's head; more is answered 431. Default: 16384. */
  readonly limitHead?: number
  /** Header fields of a request; more is answered 431. Default: 100. */
  readonly limitHeaders?: number
  /** Bytes of a request line; more is answered 414. Default: 8192. */
  readonly limitRequestLine?: number
  /** Bytes of a request's trailers; more is answered 431. Default: 16384. */
  readonly limitTrailers?: number
  /** Requests after which a connection closes. Default: 0. */
  readonly limitRequests?: number
  /** Bytes of a WebSocket message; a longer one closes with 1009. Default: 16777216. */
  readonly wsMaxSize?: number
  /** Messages of a WebSocket that may wait for `receive` before the client is held back; so may 1 MiB of them. Default: 32. */
  readonly wsMaxQueue?: number
  /** Seconds between two pings to each WebSocket. Default: 20. */
  readonly wsPingInterval?: number
  /** Seconds that a WebSocket may be silent after a ping; then it closes with 1011. Default: 20. */
  readonly wsPingTimeout?: number
  /** Whether to compress messages (permessage-deflate) where the client can. Default: false. */
  readonly wsPerMessageDeflate?: boolean
  /** The origins that may open a WebSocket, such as `https://example.com`; others get 403. Default: any. */
  readonly wsOrigins?: readonly string[]
  /** Header fields for every response that has none of that name, each as `Name: value`. Default: none. */
  readonly header?: readonly string[]
  /** The value of the `server` header. Default: none is sent. */
  readonly serverHeader?: string
  /** Whether to send `date`. Default: true. */
  readonly dateHeader?: boolean
  /** Whether to log each request, at level `info`. Default: true. */
  readonly accessLog?: boolean
  /** The lowest level to log: `debug`, `info`, `warn` or `error`. Default: `info`. */
  readonly logLevel?: LogLevel
  /** Whether the module's export makes the application: it is called once, without arguments. Default: false. */
  readonly factory?: boolean
  /** Whether to believe `Forwarded` and `X-Forwarded-*` from trusted proxies. Default: false. */
  readonly proxyHeaders?: boolean
  /** The proxies to trust: addresses, CIDR blocks, `*` for all. Default: `127.0.0.1`. */
  readonly forwardedAllowIps?: readonly string[]
  /** Hears of every exchange. Default: none. Not an option of the command. */
  readonly observer?: ExchangeObserver
}

/** The options that the command has too: all that are plain data. */
export type OptionKey = Exclude<keyof ServerOptions, 'observer' | 'tlsContexts'>

/** What values an option takes. */
export type OptionKind =
  | { readonly type: 'string' }
  | { readonly type: 'boolean' }
  | { readonly type: 'list' }
  | { readonly type: 'seconds' }
  | { readonly type: 'integer'; readonly min: number; readonly max: number }
  | { readonly type: 'choice'; readonly choices: readonly string[] }

const bytes: OptionKind = { type: 'integer', min: 0, max: 2 ** 31 }
const count: OptionKind = { type: 'integer', min: 0, max: 2 ** 31 }
const seconds: OptionKind = { type: 'seconds' }

/** The kind of each option. */
export const optionKinds: Readonly<Record<OptionKey, OptionKind>> = {
  host: { type: 'string' },
  port: { type: 'integer', min: 0, max: 65535 },
  uds: { type: 'string' },
  fd: { type: 'integer', min: 0, max: 2 ** 31 - 1 },
  bind: { type: 'list' },
  backlog: { type: 'integer', min: 1, max: 2 ** 31 - 1 },
  rootPath: { type: 'string' },
  lifespan: { type: 'choice', choices: ['auto', 'on', 'off'] },
  tlsCert: { type: 'string' },
  tlsKey: { type: 'string' },
  tlsPassphrase: { type: 'string' },
  tlsCa: { type: 'string' },
  tlsMinVersion: { type: 'choice', choices: ['TLSv1.2', 'TLSv1.3'] },
  tlsCiphers: { type: 'string' },
  tlsClientAuth: { type: 'choice', choices: ['none', 'optional', 'required'] },
  tlsHandshakeTimeout: seconds,
  http2: { type: 'boolean' },
  h2MaxStreams: count,
  h2MaxHeaderList: bytes,
  h2MaxResets: count,
  h2IdleTimeout: seconds,
  timeoutLifespanStartup: seconds,
  timeoutLifespanShutdown: seconds,
  timeoutHead: seconds,
  timeoutBody: seconds,
  timeoutSend: seconds,
  timeoutKeepAlive: seconds,
  timeoutHalfClose: seconds,
  timeoutGracefulShutdown: seconds,
  limitHead: bytes,
  limitHeaders: count,
  limitRequestLine: bytes,
  limitTrailers: bytes,
  limitRequests: count,
  wsMaxSize: bytes,
  wsMaxQueue: count,
  wsPingInterval: seconds,
  wsPingTimeout: seconds,
  wsPerMessageDeflate: { type: 'boolean' },
  wsOrigins: { type: 'list' },
  header: { type: 'list' },
  serverHeader: { type: 'string' },
  dateHeader: { type: 'boolean' },
  accessLog: { type: 'boolean' },
  logLevel: { type: 'choice', choices: ['debug', 'info', 'warn', 'error'] },
  factory: { type: 'boolean' },
  proxyHeaders: { type: 'boolean' },
  forwardedAllowIps: { type: 'list' },
}

/** The options that have no default. */
type Bare = 'uds' | 'fd' | 'serverHeader' | 'observer' | 'tlsCert' | 'tlsKey' | 'tlsPassphrase' | 'tlsCa' | 'tlsCiphers' | 'tlsContexts'

/** The options with a default have a value. */
export type CompleteOptions = Required<Omit<ServerOptions, Bare>> & Pick<ServerOptions, Bare>

export const optionDefaults: CompleteOptions = {
  host: '127.0.0.1',
  port: 8000,
  bind: [],
  backlog: 2048,
  rootPath: '',
  lifespan: 'auto',
  tlsMinVersion: 'TLSv1.2',
  tlsClientAuth: 'none',
  tlsHandshakeTimeout: 10,
  http2: true,
  h2MaxStreams: 128,
  h2MaxHeaderList: 65536,
  h2MaxResets: 33,
  h2IdleTimeout: 65,
  timeoutLifespanStartup: 60,
  timeoutLifespanShutdown: 60,
  timeoutHead: 10,
  timeoutBody: 30,
  timeoutSend: 60,
  timeoutKeepAlive: 65,
  timeoutHalfClose: 5,
  timeoutGracefulShutdown: 30,
  limitHead: 16384,
  limitHeaders: 100,
  limitRequestLine: 8192,
  limitTrailers: 16384,
  limitRequests: 0,
  wsMaxSize: 16 * 1024 * 1024,
  wsMaxQueue: 32,
  wsPingInterval: 20,
  wsPingTimeout: 20,
  wsPerMessageDeflate: false,
  wsOrigins: [],
  header: [],
  dateHeader: true,
  accessLog: true,
  logLevel: 'info',
  factory: false,
  proxyHeaders: false,
  forwardedAllowIps: ['127.0.0.1'],
}

/** Fills in the defaults; throws `InvalidOption` for a value of the wrong kind and for an option that does not exist. */
export function completeOptions(options: ServerOptions): CompleteOptions {
  const complete: Record<string, unknown> = { ...optionDefaults }
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (key !== 'observer' && key !== 'tlsContexts') {
      if (!isOptionKey(key)) throw new InvalidOption(key, 'an option of serve()', value)
      checkKind(key, optionKinds[key], value)
    }
    complete[key] = value
  }
  const checked = complete as unknown as CompleteOptions
  checkCombinations(options, checked)
  return checked
}

function isOptionKey(key: string): key is OptionKey {
  return Object.hasOwn(optionKinds, key)
}

function checkKind(key: string, kind: OptionKind, value: unknown): void {
  switch (kind.type) {
    case 'string':
      if (typeof value !== 'string') throw new InvalidOption(key, 'a string', value)
      break
    case 'boolean':
      if (typeof value !== 'boolean') throw new InvalidOption(key, 'true or false', value)
      break
    case 'list':
      if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw new InvalidOption(key, 'a list of strings', value)
      break
    case 'seconds':
      if (typeof value !== 'number' || !(value >= 0 && value <= 2_000_000)) throw new InvalidOption(key, 'a number of seconds, 0 or more', value)
      break
    case 'integer':
      if (!Number.isInteger(value) || Number(value) < kind.min || Number(value) > kind.max) {
        throw new InvalidOption(key, `a whole number from ${kind.min} to ${kind.max}`, value)
      }
      break
    case 'choice':
      if (!kind.choices.includes(value as string)) throw new InvalidOption(key, `one of ${kind.choices.join(', ')}`, value)
      break
  }
}
