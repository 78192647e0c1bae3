import { optionDefaults, optionKinds, type OptionKey, type OptionKind } from '../server/options.ts'
import { interfaces } from './interface.ts'

/** One option of the command: the table of these drives parsing, `--help` and spec/options.md. */
export interface CommandOption {
  /** The flag without its dashes. */
  readonly flag: string
  /** The option of `serve` that it sets; null for one that only the command has. */
  readonly key: OptionKey | null
  readonly kind: OptionKind
  /** What `--help` calls the value. */
  readonly value: string
  /** One line of help. */
  readonly help: string
  readonly group: string
  /** The default as `--help` shows it; empty for none. */
  readonly shownDefault: string
}

function option(group: string, key: OptionKey, value: string, help: string): CommandOption {
  const fallback: unknown = optionDefaults[key]
  const shown = Array.isArray(fallback) ? fallback.join(', ') : fallback === false || fallback === undefined ? '' : fallback === true ? 'on' : String(fallback)
  return { flag: kebab(key), key, kind: optionKinds[key], value, help, group, shownDefault: shown }
}

/** A flag that only the command has. */
function commandOnly(group: string, flag: string, help: string): CommandOption {
  return { flag, key: null, kind: { type: 'boolean' }, value: '', help, group, shownDefault: '' }
}

/** A number that only the command has. */
function commandNumber(group: string, flag: string, min: number, shownDefault: string, help: string): CommandOption {
  return { flag, key: null, kind: { type: 'integer', min, max: 2 ** 31 }, value: 'N', help, group, shownDefault }
}

/** A choice that only the command has; the first is the default. */
function commandChoice(group: string, flag: string, value: string, choices: readonly string[], help: string): CommandOption {
  return { flag, key: null, kind: { type: 'choice', choices }, value, help, group, shownDefault: choices[0] ?? '' }
}

function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

export const optionTable: readonly CommandOption[] = [
  option('Address', 'host', 'ADDRESS', 'listen on this address'),
  option('Address', 'port', 'PORT', 'listen on this port; 0 for one that the system picks'),
  option('Address', 'uds', 'PATH', 'listen on a unix socket instead'),
  option('Address', 'fd', 'N', 'listen on an inherited socket instead'),
  option('Address', 'bind', 'PLACE', 'listen here: http://HOST:PORT, https://…, unix:/PATH, uwsgi://HOST:PORT or fd://N'),
  option('Address', 'backlog', 'N', 'connections that may wait to be accepted'),

  commandChoice('Application', 'interface', 'MODEL', interfaces, `the model of the application: ${interfaces.join(', ')}`),
  option('Application', 'factory', '', 'the export makes the application: call it first'),
  commandOnly('Application', 'reload', 'restart when a source file changes'),
  option('Application', 'lifespan', 'MODE', 'whether the application has a lifespan: auto, on or off'),
  option('Application', 'timeoutLifespanStartup', 'SECONDS', 'time that the application has to start'),
  option('Application', 'timeoutLifespanShutdown', 'SECONDS', 'time that the application has to shut down'),
  option('Application', 'rootPath', 'PATH', 'where the application is mounted, as in /api'),

  option('TLS', 'tlsCert', 'FILE', 'the certificate and those that lead to its root, PEM; turns TLS on'),
  option('TLS', 'tlsKey', 'FILE', 'its key, PEM; by default in the same file'),
  option('TLS', 'tlsPassphrase', 'TEXT', 'what the key is encrypted with'),
  option('TLS', 'tlsCa', 'FILE', "the authorities of clients' certificates, PEM"),
  option('TLS', 'tlsMinVersion', 'VERSION', 'the lowest version: TLSv1.2 or TLSv1.3'),
  option('TLS', 'tlsCiphers', 'LIST', 'the cipher suites, as OpenSSL lists them'),
  option('TLS', 'tlsClientAuth', 'MODE', 'certificates of clients: none, optional or required'),
  option('TLS', 'tlsHandshakeTimeout', 'SECONDS', 'from the start of a connection to the end of its handshake'),

  option('Proxies', 'proxyHeaders', '', 'believe Forwarded and X-Forwarded-* from trusted proxies'),
  option('Proxies', 'forwardedAllowIps', 'ADDRESS', 'a proxy to trust: address, CIDR block, or * for all'),

  option('Responses', 'header', 'FIELD', "a header field for every response: 'Name: value'"),
  option('Responses', 'serverHeader', 'TEXT', 'the value of the server header'),
  option('Responses', 'dateHeader', '', 'send the date header'),

  option('Log', 'accessLog', '', 'log each request'),
  option('Log', 'logLevel', 'LEVEL', 'the lowest level to log: debug, info, warn or error'),

  option('Time limits', 'timeoutHead', 'SECONDS', "from the first byte of a request to the end of its head; then 408"),
  option('Time limits', 'timeoutBody', 'SECONDS', "without a byte of a request's body; then 408"),
  option('Time limits', 'timeoutSend', 'SECONDS', 'in which the client takes nothing of the response; then it is gone'),
  option('Time limits', 'timeoutKeepAlive', 'SECONDS', 'that a connection may wait for its next request'),
  option('Time limits', 'timeoutHalfClose', 'SECONDS', 'without a write after the client closed its side; then it is gone'),
  option('Time limits', 'timeoutGracefulShutdown', 'SECONDS', 'that running requests have when the server stops'),

  option('Size limits', 'limitHead', 'BYTES', "of a request's head; more is answered 431"),
  option('Size limits', 'limitHeaders', 'N', 'header fields of a request; more is answered 431'),
  option('Size limits', 'limitRequestLine', 'BYTES', 'of a request line; more is answered 414'),
  option('Size limits', 'limitTrailers', 'BYTES', "of a request's trailers; more is answered 431"),
  option('Size limits', 'limitRequests', 'N', 'requests after which a connection closes'),

  option('HTTP/2', 'http2', '', 'speak HTTP/2 too'),
  option('HTTP/2', 'h2MaxStreams', 'N', 'streams that a client may have open'),
  option('HTTP/2', 'h2MaxHeaderList', 'BYTES', "of a request's header list"),
  option('HTTP/2', 'h2MaxResets', 'N', 'streams that a client may reset in a second, beyond a first 1000'),
  option('HTTP/2', 'h2IdleTimeout', 'SECONDS', 'that a connection may be without an open stream'),

  option('WebSocket', 'wsMaxSize', 'BYTES', 'of a message; a longer one closes with 1009'),
  option('WebSocket', 'wsMaxQueue', 'N', 'messages that may wait for the application before the client is held back'),
  option('WebSocket', 'wsPingInterval', 'SECONDS', 'between two pings'),
  option('WebSocket', 'wsPingTimeout', 'SECONDS', 'that a client may be silent after a ping; then 1011'),
  option('WebSocket', 'wsPerMessageDeflate', '', 'compress messages where the client can'),
  option('WebSocket', 'wsOrigins', 'ORIGIN', 'an origin that may open a WebSocket; others get 403'),

  commandNumber('Threads', 'threads', 1, 'one per processor', 'threads for functions that block'),
  commandNumber('Threads', 'thread-queue', 0, '10000', 'calls that may wait while all threads are busy'),

  commandOnly('Help', 'help', 'show this help'),
  commandOnly('Help', 'version', 'show the version'),
]
