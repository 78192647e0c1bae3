import { STATUS_CODES } from 'node:http'
import { constants, performServerHandshake, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Address, Extensions, TlsExtension } from '../../contract/scope.ts'
import { HttpExchange } from '../../exchange/http.ts'
import { httpScope } from '../../exchange/scope.ts'
import { Refusal } from '../refusal.ts'
import { Timed } from '../timer-wheel.ts'
import { readRequest } from './request.ts'
import type { Http2Settings } from './settings.ts'
import { Http2Stream } from './stream.ts'

/** Streams that a client may reset at once before `maxResets` counts. */
const RESET_BURST = 1000
/** Pairs of a header list over the fields that are allowed: pseudo-fields, and cookies, which come in crumbs. */
const MORE_PAIRS = 1000
/** The highest stream there can be: a first GOAWAY with it loses no request that is on its way (RFC 9113 6.8). */
const LAST_STREAM = 2 ** 31 - 1
/** Seconds that a client has to answer the ping between the two GOAWAYs. */
const GOAWAY_WAIT = 1

const offered: Extensions = Object.freeze({
  'http.response.early_hint': Object.freeze({}),
  'http.response.trailers': Object.freeze({}),
  'tsgi.request.trailers': Object.freeze({}),
})

/** One HTTP/2 connection: an exchange for each of its streams. */
export class Http2Connection extends Timed {
  readonly socket: Socket
  readonly client: Address | null
  readonly server: Address | null
  /** Whether no more requests are to come. */
  stopping = false
  readonly #settings: Http2Settings
  readonly #session: ServerHttp2Session
  readonly #extensions: Extensions
  readonly #streams = new Set<Http2Stream>()
  #closed = false

  /** Takes over a socket that nobody listens to any more; bytes that were read from it have been unshifted. */
  constructor(socket: Socket, settings: Http2Settings, client: Address | null, server: Address | null, tls: TlsExtension | null) {
    super()
    this.socket = socket
    this.client = client
    this.server = server
    this.#settings = settings
    this.#extensions = tls === null ? offered : Object.freeze({ ...offered, tls })
    const session = performServerHandshake(socket, sessionOptions(settings))
    this.#session = session
    session.on('stream', (stream: ServerHttp2Stream, _headers: IncomingHttpHeaders, flags: number, raw: string[]) => this.#begin(stream, flags, raw))
    // `close` follows.
    session.on('error', () => {})
    session.on('close', () => this.#ended())
    // Nobody half-closes a connection of HTTP/2 and waits.
    socket.on('end', () => session.destroy())
    settings.wheel.set(this, settings.idleTimeout)
  }

  /** Takes no more requests and ends the connection once those under way are answered (RFC 9113 6.8). */
  stop(): void {
    if (this.stopping || this.#closed) return
    this.stopping = true
    for (const stream of this.#streams) stream.stop()
    const session = this.#session
    // Two of them: requests that were sent before the first one arrived are served.
    session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM)
    const last = (): void => {
      clearTimeout(timer)
      if (!session.destroyed && !session.closed) session.close()
    }
    const timer = setTimeout(last, GOAWAY_WAIT * 1000)
    if (!session.ping(last)) last()
  }

  /** Ends the connection now, whatever is under way. */
  destroy(): void {
    for (const stream of this.#streams) stream.destroy()
    this.#session.destroy()
    this.socket.destroy()
  }

  override expired(): void {
    this.#session.close()
  }

  /** A stream is gone. */
  streamClosed(stream: Http2Stream): void {
    this.#streams.delete(stream)
    if (this.#streams.size === 0 && !this.#closed) this.#settings.wheel.set(this, this.#settings.idleTimeout)
  }

  /** Answers a request that is not served. */
  refuse(stream: ServerHttp2Stream, refusal: Refusal): void {
    this.#settings.owner.refused(this, refusal)
    if (stream.destroyed || stream.closed) return
    const { status, reason } = refusal
    const body = `${status} ${STATUS_CODES[status] ?? ''}: ${reason}\n`
    stream.respond({ ':status': status, 'content-type': 'text/plain; charset=utf-8', 'content-length': body.length })
    stream.end(body)
    stream.close(constants.NGHTTP2_NO_ERROR)
  }

  #begin(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    const settings = this.#settings
    this.dueTurn = 0
    const head = readRequest(raw, settings)
    if (head instanceof Refusal) {
      stream.on('error', () => {})
      stream.on('close', () => {
        if (this.#streams.size === 0 && !this.#closed) settings.wheel.set(this, settings.idleTimeout)
      })
      return this.refuse(stream, head)
    }
    const body = (flags & constants.NGHTTP2_FLAG_END_STREAM) === 0
    const scope = httpScope({
      httpVersion: '2',
      method: head.method,
      scheme: settings.scheme,
      rawPath: head.rawPath,
      queryString: head.queryString,
      headers: head.headers,
      client: this.client,
      server: this.server,
      extensions: this.#extensions,
    }, settings.rootPath, settings.state)
    const seen = settings.forwarded === null ? scope : settings.forwarded(scope)
    const transport = new Http2Stream(stream, this, settings)
    const exchange = new HttpExchange(transport, settings.exchange, seen, { body, expectContinue: head.expectContinue && body, trailers: head.trailers })
    this.#streams.add(transport)
    transport.begin(exchange, body)
    exchange.run(settings.app)
  }

  #ended(): void {
    if (this.#closed) return
    this.#closed = true
    this.#settings.wheel.remove(this)
    this.#settings.owner.closed(this)
  }
}

function sessionOptions(settings: Http2Settings): Parameters<typeof performServerHandshake>[1] {
  const { fields, maxHeaderList, maxResets, maxStreams } = settings
  const options = {
    settings: { maxConcurrentStreams: maxStreams || 2 ** 32 - 1, maxHeaderListSize: maxHeaderList || 2 ** 32 - 1 },
    maxHeaderListPairs: fields === Infinity ? 2 ** 31 - 1 : fields + MORE_PAIRS,
    // Node has these two; its types do not yet.
    streamResetBurst: RESET_BURST,
    streamResetRate: maxResets || RESET_BURST,
  }
  return options
}
