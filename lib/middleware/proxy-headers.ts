import type { Application } from '../contract/application.ts'
import { headerList, type HeaderList, type HeaderPair } from '../contract/headers.ts'
import type { Address, HttpScope, WebSocketScope } from '../contract/scope.ts'
import { agreed, standardWord, unofficialWord, type ProxyWord } from './proxy-word.ts'
import { TrustedAddresses } from './trusted-addresses.ts'

/** What `proxyHeaders` may be told. */
export interface ProxyHeadersOptions {
  /**
   * Who is believed: a list, or a string with commas, of IPv4 and IPv6 addresses, CIDR blocks, `unix` (a peer on a
   * unix socket), `_names` that a proxy made up (RFC 7239 6.3), and `*` for everybody. Host names are not resolved.
   * A malformed entry is an `InvalidOption`. With `*` the leftmost hop is the client, and that one any client can
   * write: only for a server that nothing but the proxy can reach, behind a proxy that drops what clients send.
   * Default: `127.0.0.1`.
   */
  readonly forwardedAllowIps?: string | readonly string[] | undefined
}

/**
 * Puts right what a proxy hides: the application sees the client, the scheme and the host of the original request.
 * Only a trusted peer is believed (`forwardedAllowIps`); from any other the headers change nothing. Lifespan scopes
 * pass through.
 *
 * - **`scope.client`**: X-Forwarded-For, its lines as one list, is walked from the right past the trusted addresses;
 *   the first that is not trusted is the client, the leftmost if all are. An item that is no address ends the walk,
 *   and the client is `null`, never a proxy. The table at `listedNode` says what becomes of each form.
 * - **`scope.scheme`**: the last X-Forwarded-Proto, `http` or `https`; a WebSocket gets `ws` or `wss`, and these two
 *   are taken there as well. Any other value is ignored.
 * - **`host`** in `scope.headers`: the last X-Forwarded-Host, put first, if it is a host with or without a port, else
 *   it is ignored. If it has no port, X-Forwarded-Port is appended, as Rack, Spring and Werkzeug do, since nginx's
 *   `$host` has lost it; but not 80 or 443, which are right only where they need not be said. Without
 *   X-Forwarded-Host the `host` stays, since a proxy that leaves it alone leaves its port in it.
 * - **`scope.server`**: the last X-Forwarded-Port, 1 to 65535, replaces its port; a unix socket has none and stays.
 *
 * `Forwarded` (RFC 7239) says the same in one header and is walked the same way. The scheme and the host come from
 * the element at which the walk stops: it was written by the outermost trusted proxy, the only one that saw them from
 * the client. Those to its right tell of the links between proxies, those to its left are anybody's word. An element
 * without `for` ends the walk; if none has one, the client stays. A malformed line counts as one such element: nothing
 * of it is believed, and the client is `null`, or a client could have itself taken for the proxy by sending one.
 *
 * A proxy that sets one family of headers mostly passes on what a client writes into the other. So if both are there,
 * what both tell must agree: if the clients differ it is `null`, if the schemes or the hosts differ they stay. What
 * only one tells counts, so a proxy should set or remove each header that it knows.
 *
 * What was read stays in `scope.headers`. X-Forwarded-Prefix is not read.
 */
export function proxyHeaders(app: Application, options: ProxyHeadersOptions = {}): Application {
  const forwarded = forwardedScope(options.forwardedAllowIps ?? '127.0.0.1')
  return (scope, receive, send) =>
    app(scope.type === 'http' || scope.type === 'websocket' ? forwarded(scope) : scope, receive, send)
}

/**
 * The heart of `proxyHeaders`, for servers: returns a function that gives back the very scope if its peer is not
 * trusted or nothing changes, else a changed copy. `allow` is `forwardedAllowIps`.
 */
export function forwardedScope(allow: string | readonly string[]): <S extends HttpScope | WebSocketScope>(scope: S) => S {
  const trusted = new TrustedAddresses(allow, 'forwardedAllowIps')
  return (scope) => {
    if (!trusted.hasPeer(scope.client)) return scope
    const word = wordOf(scope, trusted)
    return word === null ? scope : changed(scope, word)
  }
}

/** What the proxies say; null if they say nothing. */
function wordOf(scope: HttpScope | WebSocketScope, trusted: TrustedAddresses): ProxyWord | null {
  const lines: string[] = []
  const lists = { for: '', proto: '', host: '', port: '' }
  let unofficial = false
  for (const [name, value] of scope.headers) {
    switch (name) {
      case 'forwarded': lines.push(value); continue
      case 'x-forwarded-for': lists.for += ',' + value; break
      case 'x-forwarded-proto': lists.proto += ',' + value; break
      case 'x-forwarded-host': lists.host += ',' + value; break
      case 'x-forwarded-port': lists.port += ',' + value; break
      default: continue
    }
    unofficial = true
  }
  const first = unofficial ? unofficialWord(lists, scope.type, trusted) : null
  const second = lines.length === 0 ? null : standardWord(lines, scope.type, trusted)
  return first === null || second === null ? first ?? second : agreed(first, second)
}

function changed<S extends HttpScope | WebSocketScope>(scope: S, word: ProxyWord): S {
  const client = word.client === undefined || sameAddress(word.client, scope.client) ? scope.client : word.client
  const scheme = word.scheme ?? scope.scheme
  const headers = word.host === undefined || word.host === scope.headers.get('host') ? scope.headers : headerList(withHost(scope.headers, word.host))
  const server = word.port === undefined ? scope.server : withPort(scope.server, word.port)
  if (client === scope.client && scheme === scope.scheme && headers === scope.headers && server === scope.server) return scope
  return { ...scope, client, scheme, headers, server }
}

function* withHost(headers: HeaderList, host: string): Generator<HeaderPair, void, void> {
  yield ['host', host]
  for (const pair of headers) if (pair[0] !== 'host') yield pair
}

function withPort(server: Address | null, port: number): Address | null {
  return server === null || server[1] === null || server[1] === port ? server : [server[0], port]
}

function sameAddress(one: Address | null, other: Address | null): boolean {
  return one?.[0] === other?.[0] && one?.[1] === other?.[1]
}
