import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { LazyHeaderList, type HeaderList, type HeaderPair } from '../../lib/contract/headers.ts'
import type { Address, Extensions } from '../../lib/contract/scope.ts'
import type { HttpRequestHead } from '../../lib/exchange/scope.ts'

/** A request of node:http, or of the compatibility API of node:http2, as what scopes are made of. */
export interface NodeHead {
  readonly head: HttpRequestHead
  /** Where a framework has mounted the application; empty if nowhere. */
  readonly rootPath: string
}

/** What routers leave on a request that they pass on beneath a prefix. */
interface Mounted {
  readonly originalUrl?: unknown
}

/** Reads a request. */
export function nodeHead(request: IncomingMessage, extensions: Extensions): NodeHead {
  const { socket } = request
  const [beneath, queryString] = splitTarget(request.url ?? '/')
  const { originalUrl } = request as Mounted
  const [whole] = splitTarget(typeof originalUrl === 'string' ? originalUrl : request.url ?? '/')
  // A router gives `/` for the prefix alone.
  const rest = beneath === '/' && !whole.endsWith('/') ? '' : beneath
  const mounted = whole.endsWith(rest) && beneath !== '*'
  return {
    rootPath: mounted ? whole.slice(0, whole.length - rest.length) : '',
    head: {
      httpVersion: request.httpVersionMajor >= 2 ? '2' : request.httpVersion === '1.0' ? '1.0' : '1.1',
      method: request.method ?? 'GET',
      scheme: (socket as TLSSocket).encrypted === true ? 'https' : 'http',
      rawPath: mounted ? rest : beneath,
      queryString,
      headers: new RawFields(request.rawHeaders),
      client: addressOf(socket.remoteAddress, socket.remotePort),
      server: addressOf(socket.localAddress, socket.localPort),
      extensions,
    },
  }
}

/** Fields, names and values in turn, as a list; null for none. */
export function fieldList(raw: readonly string[]): HeaderList | null {
  return raw.length === 0 ? null : new RawFields(raw)
}

function addressOf(host: string | undefined, port: number | undefined): Address | null {
  return host === undefined || port === undefined ? null : [host, port]
}

/** Path and query; an absolute target (RFC 9112 3.2.2) without its origin. */
function splitTarget(target: string): readonly [path: string, query: string] {
  const origin = target.startsWith('/') ? null : /^[A-Za-z][A-Za-z0-9+\-.]*:\/\/[^/?]*/.exec(target)
  const local = origin === null ? target : target.slice(origin[0].length)
  const query = local.indexOf('?')
  const path = query < 0 ? local : local.slice(0, query)
  return [path === '' ? '/' : path, query < 0 ? '' : local.slice(query + 1)]
}

/** The fields of a request; of HTTP/2 the authority as `host`, and no other pseudo-field. */
class RawFields extends LazyHeaderList {
  readonly #raw: readonly string[]

  constructor(raw: readonly string[]) {
    super()
    this.#raw = raw
  }

  protected override read(): readonly HeaderPair[] {
    const raw = this.#raw
    const pairs: HeaderPair[] = []
    let authority: string | null = null
    for (let i = 0; i < raw.length; i += 2) {
      const name = (raw[i] ?? '').toLowerCase()
      const value = raw[i + 1] ?? ''
      if (name === ':authority') authority = value
      else if (name.charCodeAt(0) !== 0x3a) pairs.push([name, value])
    }
    if (authority === null) return pairs
    return [['host', authority], ...pairs.filter(([name]) => name !== 'host')]
  }
}
