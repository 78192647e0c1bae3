import { LazyHeaderList, type HeaderPair } from '../../contract/headers.ts'
import { isAuthority } from '../host.ts'
import { bad, Refusal } from '../refusal.ts'

/** The head of a request that may be served. */
export interface Http2RequestHead {
  readonly method: string
  /** The path without the query, as sent; `*` for `OPTIONS *`. */
  readonly rawPath: string
  readonly queryString: string
  readonly headers: FieldPairs
  readonly expectContinue: boolean
  /** Whether the client takes trailers (`te: trailers`, RFC 9110 10.1.4). */
  readonly trailers: boolean
  /** Whether it opens a WebSocket (RFC 8441 4). */
  readonly webSocket: boolean
}

/** The limits of a request's head; Infinity for none. */
export interface Http2HeadLimits {
  readonly fields: number
  readonly target: number
}

// Visible ASCII without `#`: what HTTP/1.1 takes, nothing else is taken here.
const TARGET = /^[!"$-~]+$/
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Z]+$/

/**
 * Checks what node:http2 read of a request, names and values in turn: nghttp2 has seen to the rules of RFC 9113 8, this
 * sees to those that it leaves to the server.
 */
export function readRequest(raw: readonly string[], limits: Http2HeadLimits): Http2RequestHead | Refusal {
  let method = ''
  let target: string | null = null
  let authority: string | null = null
  let host: string | null = null
  let protocol: string | null = null
  let expect: string | null = null
  let trailers = false
  let fields = 0
  let cookies = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    const value = raw[i + 1] as string
    switch (name) {
      case ':method':
        method = value
        continue
      case ':path':
        target = value
        continue
      case ':authority':
        authority = value
        continue
      case ':protocol':
        protocol = value
        continue
      case ':scheme':
        continue
      case 'host':
        if (host !== null) return bad('a second host (RFC 9110 7.2)')
        host = value
        break
      case 'cookie':
        cookies++
        break
      case 'te':
        trailers = true // nghttp2 lets no other value pass
        break
      case 'expect':
        expect = expect === null ? value : `${expect}, ${value}`
        break
    }
    fields++
  }
  if (cookies > 1) fields -= cookies - 1
  const webSocket = method === 'CONNECT' && protocol === 'websocket'
  if (!webSocket && (method === 'CONNECT' || protocol !== null)) return new Refusal(501, 'CONNECT is served for WebSockets only (RFC 8441)')
  if (!METHOD.test(method)) return /[a-z]/.test(method) ? new Refusal(501, 'methods are case-sensitive, and those served here are upper case (RFC 9110 9.1)') : bad('the method is not a token (RFC 9110 9.1)')
  if (target === null || !TARGET.test(target)) return bad('a character that :path cannot have (RFC 9113 8.3.1)')
  if (target.length > limits.target) return new Refusal(414, `a target of more than ${limits.target} bytes`)
  if (target === '*' ? method !== 'OPTIONS' : target.charCodeAt(0) !== 0x2f) return bad(':path is neither a path nor, for OPTIONS, * (RFC 9113 8.3.1)')
  const origin = authority ?? host
  if (origin === null || !isAuthority(origin)) return bad('neither :authority nor host is a host and port (RFC 9113 8.3.1)')
  if (host !== null && authority !== null && host !== authority && host.toLowerCase() !== authority.toLowerCase()) return bad('host is not what :authority is (RFC 9113 8.3.1)')
  if (fields > limits.fields) return new Refusal(431, `more than ${limits.fields} header fields`)
  if (expect !== null && expect.toLowerCase() !== '100-continue') return new Refusal(417, 'the only expectation that can be met is 100-continue (RFC 9110 10.1.1)')
  const query = target.indexOf('?')
  return {
    method,
    rawPath: query < 0 ? target : target.slice(0, query),
    queryString: query < 0 ? '' : target.slice(query + 1),
    headers: new FieldPairs(raw, origin),
    expectContinue: expect !== null,
    trailers,
    webSocket,
  }
}

/** The fields of a request, made into pairs on first use: the authority first as `host`, cookies in one field. */
export class FieldPairs extends LazyHeaderList {
  readonly #raw: readonly string[]
  readonly #host: string | null

  /** `raw` has names and values in turn; `host` replaces the field of that name. */
  constructor(raw: readonly string[], host: string | null) {
    super()
    this.#raw = raw
    this.#host = host
  }

  protected override read(): readonly HeaderPair[] {
    const raw = this.#raw
    const host = this.#host
    const pairs: HeaderPair[] = []
    if (host !== null) pairs.push(['host', host])
    let cookieAt = -1
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i] as string
      const value = raw[i + 1] as string
      if (name.charCodeAt(0) === 0x3a || (host !== null && name === 'host')) continue
      if (name !== 'cookie') {
        pairs.push([name, value])
      } else if (cookieAt < 0) {
        cookieAt = pairs.push([name, value]) - 1
      } else {
        // RFC 9113 8.2.3.
        pairs[cookieAt] = [name, `${pairs[cookieAt]?.[1]}; ${value}`]
      }
    }
    return pairs
  }
}
