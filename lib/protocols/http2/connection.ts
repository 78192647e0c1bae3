import { writeSync } from 'node:fs'
import { STATUS_CODES } from 'node:http'
import { constants, performServerHandshake, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Address, Extensions, TlsExtension } from '../../contract/scope.ts'
import { fileExtensions } from '../../exchange/extensions.ts'
import { HttpExchange } from '../../exchange/http.ts'
import { httpScope, webSocketScope } from '../../exchange/scope.ts'
import { WebSocketExchange } from '../../exchange/websocket.ts'
import { bad, Refusal } from '../refusal.ts'
import { Roster, type Placed } from '../roster.ts'
import { Timed } from '../timer-wheel.ts'
import { readHandshake } from '../websocket/handshake.ts'
import { WebSocketSession } from '../websocket/session.ts'
import { readRequest, type Http2RequestHead } from './request.ts'
import { SessionStreams } from './session-streams.ts'
import type { Http2Settings } from './settings.ts'
import { closeOnceSent, Http2Stream } from './stream.ts'
import { Http2WebSocketLine } from './websocket-line.ts'

/** Streams that a client may reset at once before `maxResets` counts. */
const RESET_BURST = 1000
/** Pairs of a header list over the fields that are allowed: pseudo-fields, and cookies, which come in crumbs. */
const MORE_PAIRS = 1000
/** Bytes that a stream hands to nghttp2 at once, at most. */
const PART = 65536
/** Seconds that a client has to answer the ping between the two GOAWAYs. */
const GOAWAY_WAIT = 1
/** Seconds between two looks at a session with open streams, at most: at its life, and at what clients take. */
const LOOK = 3
/** Seconds that a frame needs at most to leave a session that is alive. */
const LEAVE = 0.2
/** Seconds that a client has to end its side once the server has; the same while the server stops. */
const LINGER = 5
const LINGER_STOPPING = 0.5

/** GOAWAY, NO_ERROR, with the highest stream that there can be (RFC 9113 6.8). */
const firstGoaway = Buffer.from('0000080700000000007fffffff00000000', 'hex')

const offered: Extensions = Object.freeze({
  'http.response.early_hint': Object.freeze({}),
  'http.response.trailers': Object.freeze({}),
  'tsgi.request.trailers': Object.freeze({}),
  ...fileExtensions,
})

const push = Object.freeze({ 'http.response.push': Object.freeze({}) })

const offeredToWebSockets: Extensions = Object.freeze({ 'websocket.http.response': Object.freeze({}) })

/** One HTTP/2 connection: an exchange for each of its streams. */
export class Http2Connection extends Timed implements Placed {
  place = 0
  readonly socket: Socket
  readonly client: Address | null
  readonly server: Address | null
  /** Whether no more requests are to come. */
  stopping = false
  readonly #settings: Http2Settings
  readonly #session: ServerHttp2Session
  readonly #sessionStreams: SessionStreams
  readonly #extensions: Extensions
  readonly #extensionsWithPush: Extensions
  /** Whether the client takes pushes; null where it has to be looked up. */
  #takesPushes: boolean | null = null
  readonly #webSocketExtensions: Extensions
  readonly #streams: Roster<Http2Stream> = new Roster()
  #closed = false
  /** Ends the wait for the answer to the ping. */
  #lastCall: NodeJS.Timeout | undefined

  // The looks, and what the last one found.
  readonly #lookEvery: number
  #probing = false
  #bytesRead = 0
  #bytesTaken = 0
  #stalled = 0
  /** Seconds that a connection without streams has after its next look. */
  #restAfterLook = 0

  /** Takes over a socket that nobody listens to any more; bytes that were read from it have been unshifted. */
  constructor(socket: Socket, settings: Http2Settings, client: Address | null, server: Address | null, tls: TlsExtension | null) {
    super()
    this.socket = socket
    this.client = client
    this.server = server
    this.#settings = settings
    const { send } = settings.timeouts
    this.#lookEvery = send > 0 ? Math.min(LOOK, send / 4) : LOOK
    this.#extensions = tls === null ? offered : Object.freeze({ ...offered, tls })
    this.#extensionsWithPush = Object.freeze({ ...this.#extensions, ...push })
    this.#webSocketExtensions = tls === null ? offeredToWebSockets : Object.freeze({ ...offeredToWebSockets, tls })
    // A stream that was read past its queue still waits for a part, and would never ask its handle for more.
    socket.push('')
    const session = performServerHandshake(socket, sessionOptions(settings))
    this.#session = session
    this.#sessionStreams = new SessionStreams(session)
    session.on('stream', (stream: ServerHttp2Stream, _headers: IncomingHttpHeaders, flags: number, raw: string[]) => this.#begin(stream, flags, raw, this.#offered()))
    session.on('remoteSettings', () => (this.#takesPushes = null))
    // `close` follows.
    session.on('error', () => {})
    session.on('close', () => this.#ended())
    // Nobody half-closes a connection of HTTP/2 and waits.
    socket.on('end', () => session.destroy())
    this.#rest()
  }

  /** Takes no more requests and ends the connection once those under way are answered (RFC 9113 6.8). */
  stop(): void {
    if (this.stopping || this.#closed) return
    this.stopping = true
    for (const stream of this.#streams.all) stream.stop()
    // Ended by itself, and waiting for the client's FIN.
    if (this.#over) return this.#close()
    // Requests that were sent before the first GOAWAY arrived are served. After one of its own nghttp2 takes no request
    // (nghttp2_submit_shutdown_notice is not for Node), so it is written past it; not over TLS, which takes one write at a time.
    if (this.#settings.scheme === 'http') writePast(this.socket, firstGoaway)
    this.#lastCall = setTimeout(() => this.#close(), GOAWAY_WAIT * 1000)
    if (!this.#session.ping(() => this.#close())) this.#close()
  }

  /** Tells the client which stream was the last one, and waits for those under way. */
  #close(): void {
    clearTimeout(this.#lastCall)
    if (!this.#over) this.#session.close()
    // The session waits for the client's FIN, without a limit of its own.
    if (this.#streams.size === 0 && !this.#closed) this.#rest()
  }

  /** Ends the connection now, whatever is under way. */
  destroy(): void {
    for (const stream of this.#streams.all) stream.destroy()
    this.#session.destroy()
    this.socket.destroy()
  }

  override expired(): void {
    if (this.#streams.size > 0) return this.#look()
    const { wheel } = this.#settings
    const waiting = bytesWaiting(this.socket)
    const rest = waiting > 0 ? this.#restTime : this.#restAfterLook
    if (this.#stalls(waiting)) {
      this.destroy()
    } else if (rest > 0) {
      this.#restAfterLook = waiting > 0 ? rest : 0
      wheel.set(this, waiting > 0 ? this.#lookEvery : rest)
    } else if (this.#over) {
      this.destroy()
    } else {
      this.#close()
    }
  }

  /** Sets the time that a connection without streams has: it begins once the last responses have left, which a look tells. */
  #rest(): void {
    const time = this.#restTime
    const look = Math.min(time, this.#lookEvery)
    this.#restAfterLook = time - look
    this.#settings.wheel.set(this, look)
  }

  get #restTime(): number {
    if (this.#over) return this.stopping ? LINGER_STOPPING : LINGER
    return this.#settings.idleTimeout || Infinity
  }

  /** Whether the session takes no more streams. */
  get #over(): boolean {
    return this.#session.closed || this.#session.destroyed
  }

  /** Whether the client has taken nothing of what was written for `timeoutSend`. */
  #stalls(waiting: number): boolean {
    const { send } = this.#settings.timeouts
    const taken = this.socket.bytesWritten - waiting
    this.#stalled = waiting > 0 && taken === this.#bytesTaken ? this.#stalled + this.#lookEvery : 0
    this.#bytesTaken = taken
    return send > 0 && this.#stalled >= send
  }

  /**
   * After an error of the connection nghttp2 says GOAWAY and reads no more, and Node tells nobody: a frame that cannot
   * leave though the socket is free shows it. A client that takes nothing of what was written shows here too.
   */
  #look(): void {
    const { socket } = this
    const lookEvery = this.#lookEvery
    const waiting = bytesWaiting(socket)
    const session = this.#session
    if (session.destroyed) return
    if (this.#probing) {
      // The same look, a moment later.
      this.#probing = false
      if (waiting === 0 && (session.state.outboundQueueSize ?? 0) > 0) return this.destroy()
    } else if (socket.bytesRead === this.#bytesRead && waiting === 0) {
      this.#probing = session.ping(ignore)
    }
    if (!this.#probing) {
      for (const stream of this.#streams.all) stream.look(lookEvery)
      if (this.#stalls(waiting)) return this.destroy()
    }
    this.#bytesRead = socket.bytesRead
    this.#settings.wheel.set(this, this.#probing ? LEAVE : lookEvery)
  }

  /** A stream is gone. */
  streamClosed(stream: Http2Stream): void {
    this.#streams.delete(stream)
    if (this.#streams.size > 0 || this.#closed) return
    if (this.stopping || this.#session.closed) this.#close()
    else this.#rest()
  }

  /** Answers a request that is not served. */
  refuse(stream: ServerHttp2Stream, refusal: Refusal): void {
    this.#settings.owner.refused(this, refusal)
    if (stream.destroyed || stream.closed) return
    const { status, reason } = refusal
    const body = `${status} ${STATUS_CODES[status] ?? ''}: ${reason}\n`
    stream.respond({ ':status': status, 'content-type': 'text/plain; charset=utf-8', 'content-length': body.length })
    stream.end(body)
    closeOnceSent(stream)
  }

  /** Begins a request that was promised to the client. `raw` has names and values in turn. */
  pushed(stream: ServerHttp2Stream, raw: readonly string[]): void {
    this.#begin(stream, constants.NGHTTP2_FLAG_END_STREAM, raw, this.#extensions)
  }

  /** What is offered to a request of the client. */
  #offered(): Extensions {
    this.#takesPushes ??= this.#session.remoteSettings.enablePush !== false
    return this.#takesPushes ? this.#extensionsWithPush : this.#extensions
  }

  #begin(stream: ServerHttp2Stream, flags: number, raw: readonly string[], extensions: Extensions): void {
    const settings = this.#settings
    const head = readRequest(raw, settings)
    if (head instanceof Refusal) return this.#refuseUnserved(stream, head)
    if (head.webSocket) return this.#beginWebSocket(stream, flags, head)
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
      extensions,
    }, settings.rootPath, settings.state)
    const seen = settings.forwarded === null ? scope : settings.forwarded(scope)
    const transport = new Http2Stream(stream, this, settings)
    const exchange = new HttpExchange(transport, settings.exchange, seen, { body, expectContinue: head.expectContinue && body, trailers: head.trailers })
    this.#opened(transport)
    transport.begin(exchange, body)
    // Node calls for each stream in a tick of its own, and so in a scope of its own.
    exchange.runHere(settings.app)
  }

  /** Opens a WebSocket over a stream (RFC 8441). */
  #beginWebSocket(stream: ServerHttp2Stream, flags: number, head: Http2RequestHead): void {
    const settings = this.#settings
    const handshake = (flags & constants.NGHTTP2_FLAG_END_STREAM) === 0 ? readHandshake(head.headers, settings.webSocket) : bad('a WebSocket that its client has ended already (RFC 8441 5)')
    // 426 asks for an upgrade, which HTTP/2 does not have.
    if (handshake instanceof Refusal) return this.#refuseUnserved(stream, handshake.status === 426 ? bad(handshake.reason) : handshake)
    const scope = webSocketScope({
      httpVersion: '2',
      scheme: settings.scheme === 'https' ? 'wss' : 'ws',
      rawPath: head.rawPath,
      queryString: head.queryString,
      headers: head.headers,
      client: this.client,
      server: this.server,
      subprotocols: handshake.subprotocols,
      extensions: this.#webSocketExtensions,
    }, settings.rootPath, settings.state)
    const transport = new Http2Stream(stream, this, settings)
    const session = new WebSocketSession(new Http2WebSocketLine(stream, transport), settings.webSocket, handshake)
    const exchange = new WebSocketExchange(session, settings.exchange, settings.forwarded === null ? scope : settings.forwarded(scope))
    this.#opened(transport)
    transport.beginWebSocket(exchange)
    session.begin(exchange)
    exchange.run(settings.app)
  }

  #opened(stream: Http2Stream): void {
    this.#streams.add(stream)
    this.#sessionStreams.begun()
    if (this.#streams.size > 1) return
    this.#probing = false
    this.#settings.wheel.set(this, this.#lookEvery)
  }

  /** Answers a request that has no exchange. */
  #refuseUnserved(stream: ServerHttp2Stream, refusal: Refusal): void {
    stream.on('error', ignore)
    stream.on('close', () => {
      if (!this.#closed && this.#streams.size === 0) this.#rest()
    })
    this.refuse(stream, refusal)
  }

  #ended(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#lastCall)
    this.#settings.wheel.remove(this)
    // A stream that its client reset after its end has no `close` of its own.
    for (const stream of this.#streams.all) stream.closed()
    this.#settings.owner.closed(this)
  }
}

/** Megabytes that Node lets a session have: enough for a part of a body in each stream, however many are stalled. */
function sessionMemory(maxStreams: number): number {
  return Math.ceil((maxStreams || 1000) * PART / 1e6) + 10
}

function sessionOptions(settings: Http2Settings): Parameters<typeof performServerHandshake>[1] {
  const { fields, maxHeaderList, maxResets, maxStreams } = settings
  const options = {
    settings: { enableConnectProtocol: true, maxConcurrentStreams: maxStreams || 2 ** 32 - 1, maxHeaderListSize: maxHeaderList || 2 ** 32 - 1 },
    maxHeaderListPairs: fields === Infinity ? 2 ** 31 - 1 : fields + MORE_PAIRS,
    maxSessionMemory: sessionMemory(maxStreams),
    // Node has these two; its types do not yet.
    streamResetBurst: RESET_BURST,
    streamResetRate: maxResets || RESET_BURST,
  }
  return options
}

/** Bytes that were written and not handed to the system yet; of TLS, those of the connection beneath. */
function bytesWaiting(socket: Socket): number {
  const { _handle, _parent } = socket as { readonly _handle?: { readonly writeQueueSize?: number } | null; readonly _parent?: Socket | null }
  return (_handle?.writeQueueSize ?? 0) + (_parent === null || _parent === undefined ? 0 : bytesWaiting(_parent))
}

/**
 * Writes a frame past the session, if it can leave at once: the end of a write that waits would reach the session, which
 * ends the process when it has none of its own under way.
 */
function writePast(socket: Socket, frame: Uint8Array): void {
  const { _handle } = socket as { readonly _handle?: { readonly fd?: number } | null }
  const fd = _handle?.fd ?? -1
  if (fd < 0 || bytesWaiting(socket) > 0) return
  try {
    if (writeSync(fd, frame) < frame.length) socket.destroy()
  } catch {
    // No room, or the client is gone.
  }
}

function ignore(): void {}
