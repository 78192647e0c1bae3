import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream, type ServerStreamResponseOptions } from 'node:http2'
import { addAbortSignal, Duplex } from 'node:stream'
import type { HeaderList } from '../../contract/headers.ts'
import { forbiddenInTrailers } from '../../exchange/headers.ts'
import { HttpExchange } from '../../exchange/http.ts'
import type { HttpTransport, ResponseHead } from '../../exchange/transport.ts'
import type { WebSocketExchange } from '../../exchange/websocket.ts'
import { currentDate } from '../date.ts'
import { Refusal } from '../refusal.ts'
import type { Placed } from '../roster.ts'
import { Timed } from '../timer-wheel.ts'
import type { WebSocketSession } from '../websocket/session.ts'
import type { Http2Connection } from './connection.ts'
import { FieldPairs } from './request.ts'
import { joinedFields, responseFields } from './response-fields.ts'
import type { Http2Settings } from './settings.ts'

/** Seconds that a client has to end its side of a WebSocket once the server has. */
const LINGER = 5
/** A stream that is destroyed with an error is reset with INTERNAL_ERROR. */
const broken = new Error('the response was broken off')
/** What a stream has met that is destroyed while its only write is on its way. */
const unseen = new Error('the response is on its way')
/** A response of less is written in one. */
const FRAME = 16384
/** Parts of a body from this size on are written in slices: each that is taken shows that the client goes on. */
const SLICE = 65536

const streamKey: unique symbol = Symbol('tsgi.stream')

interface KeyedStream extends ServerHttp2Stream {
  [streamKey]: Http2Stream | null
  readonly _writableState: { errored: Error | null }
}

/** The types do not have `sendDate`. */
type RespondOptions = ServerStreamResponseOptions & { readonly sendDate: false }

// The date is ours: for Node to read such options costs it more than all that it does with the fields.
const dateless: RespondOptions = { sendDate: false }
const ending: RespondOptions = { ...dateless, endStream: true }
const trailing: RespondOptions = { ...dateless, waitForTrailers: true }

/** One request and its response: the transport of its exchange over a stream of node:http2. */
export class Http2Stream extends Timed implements HttpTransport, Placed {
  place = 0
  readonly #stream: ServerHttp2Stream
  readonly #connection: Http2Connection
  readonly #settings: Http2Settings
  /** Null once nothing is to be told to it: while node:http2 winds the stream up, only that little is held. */
  #exchange: HttpExchange | WebSocketExchange | null = null
  /** What has taken the stream over. */
  #session: WebSocketSession | null = null
  #head: ResponseHead | null = null
  /** Whether the head may have trailers, and whether no body follows it; told by the head. */
  #withTrailers = false
  #bodyless = false
  #responded = false
  /** Whether the stream's `drain` is listened to: few responses need it. */
  #listening = false
  /** Bytes (or characters) that were written, how many the client had taken at the last look, and seconds since it took any. */
  #given = 0
  #taken = 0
  #stalled = 0
  #ended = false
  #flushing = false
  #inOne = false

  // The request's body.
  #bodyPending = false
  #paused = false
  #trailers: HeaderList | null = null

  constructor(stream: ServerHttp2Stream, connection: Http2Connection, settings: Http2Settings) {
    super()
    this.#stream = stream
    this.#connection = connection
    this.#settings = settings
    ;(stream as KeyedStream)[streamKey] = this
    if (stream.destroyed) destroyed(stream as KeyedStream, false)
    else stream.destroy = destroyOnceWritten
  }

  /** Whether the response was given whole. */
  get ended(): boolean {
    return this.#ended
  }

  /** Whether the response went in one write. */
  get inOne(): boolean {
    return this.#inOne
  }

  /** Binds the stream to its exchange, which is about to run. */
  begin(exchange: HttpExchange, body: boolean): void {
    this.#exchange = exchange
    this.#bodyPending = body
    const stream = this.#stream
    if (!body) {
      // Else node:http2 has the end of nothing read first, at the price of some turns of the loop.
      stream.readable = false
      return
    }
    stream.on('aborted', onAborted)
    stream.on('data', onData)
    stream.on('trailers', onTrailers)
    stream.on('end', onEnd)
    this.#settings.wheel.set(this, this.#settings.timeouts.body)
  }

  /** The same for a WebSocket, whose client never ends what it sends. */
  beginWebSocket(exchange: WebSocketExchange): void {
    this.#exchange = exchange
    this.#bodyPending = true
    this.#stream.on('aborted', onAborted)
  }

  /** The WebSocket is accepted: the stream is its session's from now on. Fields are names and values in turn. */
  upgrade(session: WebSocketSession, flat: readonly string[], dated: boolean): void {
    if (this.#closed()) return
    const stream = this.#stream
    const fields = responseFields(flat)
    fields[':status'] = 200
    this.#session = session
    this.#responded = true
    this.#bodyPending = false
    stream.respond(fields, dated || !this.#settings.date ? dateless : undefined)
    stream.on('data', (chunk: Buffer) => session.read(chunk, 0, chunk.length, false))
    stream.on('end', () => session.readEnd())
    stream.on('drain', () => session.drained())
  }

  /** Writes for the session: Latin-1 text, then bytes. */
  put(text: string, bytes: Uint8Array | null): void {
    const stream = this.#stream
    if (this.#closed() || stream.writableEnded) return
    this.#given += text.length + (bytes?.length ?? 0)
    if (text !== '' && bytes !== null) stream.cork()
    if (text !== '') stream.write(Buffer.from(text, 'latin1')) // bytes, as in `#put`
    if (bytes === null) return
    stream.write(bytes)
    if (text !== '') stream.uncork()
  }

  /** Ends the session's side: END_STREAM. What the client still sends is dropped. */
  endTunnel(): void {
    this.#ended = true
    if (this.#closed()) return
    this.#stream.end()
    this.#stream.resume()
    this.#settings.wheel.set(this, LINGER)
  }

  /** The server stops. */
  stop(): void {
    this.#exchange?.stop()
  }

  /** The client has left, or the server gives up on it. */
  destroy(): void {
    this.#exchange?.gone()
    this.#cancel()
  }

  // ---- called by the stream ----

  data(chunk: Buffer): void {
    if (this.#exchange instanceof HttpExchange) this.#exchange.body(chunk)
    if (!this.#paused) this.#settings.wheel.set(this, this.#settings.timeouts.body)
  }

  trailers(raw: readonly string[]): void {
    const all = new FieldPairs(raw, null)
    const size = raw.reduce((sum, text) => sum + text.length + 2, 0)
    if (all.length > this.#settings.fields || size > this.#settings.trailers) {
      return this.#refuse(new Refusal(431, `trailers of more than ${this.#settings.trailers} bytes or ${this.#settings.fields} fields`))
    }
    this.#trailers = all.without(forbiddenInTrailers)
  }

  bodyEnd(): void {
    this.#bodyPending = false
    this.dueTurn = 0
    if (this.#exchange instanceof HttpExchange) this.#exchange.ended(undefined, this.#trailers)
  }

  drained(): void {
    this.#flushing = false
    this.#exchange?.drained()
  }

  closed(): void {
    ;(this.#stream as KeyedStream)[streamKey] = null
    this.#settings.wheel.remove(this)
    this.#session?.ended()
    this.#exchange?.gone()
    if (this.#flushing) this.#exchange?.drained()
    this.#connection.streamClosed(this)
  }

  /** The client reset the stream. With NO_ERROR node:http2 would wait for what is written to be taken, and read. */
  aborted(): void {
    this.#exchange?.gone()
    const stream = this.#stream
    process.nextTick(() => stream.destroy())
  }

  /** The connection looks after `seconds`: a client that takes nothing for `timeoutSend` loses the stream. */
  look(seconds: number): void {
    const waiting = this.#stream.writableLength
    const taken = this.#given - waiting
    this.#stalled = waiting > 0 && taken === this.#taken ? this.#stalled + seconds : 0
    this.#taken = taken
    const { send } = this.#settings.timeouts
    if (send > 0 && this.#stalled >= send) this.destroy()
  }

  override expired(): void {
    if (this.#session !== null) this.#cancel()
    else if (this.#bodyPending) this.#refuse(new Refusal(408, `no part of the body for ${this.#settings.timeouts.body} seconds`))
  }

  /** Resets the stream with CANCEL, which node:http2 does for an AbortError of Node's own; see `abort`. */
  #cancel(): void {
    addAbortSignal(AbortSignal.abort(), this.#stream)
  }

  /** Gives the request up: says why while nothing is said yet. */
  #refuse(refusal: Refusal): void {
    this.#exchange?.gone()
    if (this.#responded) this.#cancel()
    else this.#connection.refuse(this.#stream, refusal)
  }

  // ---- the transport of the exchange ----

  inform(status: 100 | 103, headers: readonly string[]): void {
    if (!this.#closed()) this.#stream.additionalHeaders({ ...responseFields(headers), ':status': status })
  }

  head(head: ResponseHead): void {
    this.#head = head
    this.#withTrailers = head.trailers
    this.#bodyless = head.bodyless
  }

  write(chunk: Uint8Array | string): boolean {
    if (this.#closed()) return true
    this.#respond(false)
    const room = chunk.length === 0 ? !this.#stream.writableNeedDrain : this.#put(chunk)
    if (!room) this.#awaitDrain()
    if (!this.#connection.stopping || !(this.#exchange instanceof HttpExchange) || !this.#exchange.streamsEvents) return room
    // An event stream that begins while the server stops.
    this.#exchange.stop()
    return true
  }

  end(chunk: Uint8Array | string, trailers: readonly string[] | null): boolean {
    const flushed = this.#finish(chunk, trailers)
    if (flushed) this.#exchange = null
    return flushed
  }

  #finish(chunk: Uint8Array | string, trailers: readonly string[] | null): boolean {
    this.#ended = true
    if (this.#closed()) return true
    const stream = this.#stream
    const withTrailers = this.#withTrailers
    if (withTrailers) stream.once('wantTrailers', () => sendTrailers(stream, trailers ?? []))
    if (chunk.length === 0 || this.#bodyless) {
      if (!this.#responded && !withTrailers) this.#respond(true)
      else {
        this.#respond(false)
        stream.end()
      }
      this.#dropBody()
      return true
    }
    this.#respond(false)
    const copied = typeof chunk === 'string' || chunk.byteLength < stream.writableHighWaterMark
    if (chunk.length < SLICE) {
      this.#inOne = this.#given === 0 && chunk.length < FRAME
      this.#given += chunk.length
      stream.end(copied && (typeof chunk !== 'string' || this.#given > chunk.length) ? Buffer.from(chunk) : chunk)
    } else {
      this.#put(chunk)
      stream.end()
    }
    this.#dropBody()
    if (copied) return true
    this.#flushing = true
    stream.once('finish', () => this.drained())
    return false
  }

  abort(): void {
    this.#ended = true
    // `close` with a code would end the body before it resets the stream, and the client take it for whole.
    this.#stream.destroy(broken)
  }

  push(path: string, headers: readonly string[]): void {
    const stream = this.#stream
    const exchange = this.#exchange
    // Nor can one promise lead to another (RFC 9113 8.4).
    if (exchange === null || this.#closed() || !stream.pushAllowed || (stream.id ?? 0) % 2 === 0) return
    const head = [':method', 'GET', ':scheme', this.#settings.scheme, ':authority', exchange.scope.headers.get('host') ?? '', ':path', path]
    const fields = responseFields([...head, ...headers])
    const begin = (error: Error | null, pushed: ServerHttp2Stream): void => {
      // The client has as many streams as it wants, or is leaving.
      if (error === null) this.#connection.pushed(pushed, [...head, ...headers])
    }
    try {
      stream.pushStream(fields, begin)
    } catch (error) {
      stream.pushStream(joinedAfter(error, fields), begin)
    }
  }

  pause(): void {
    this.#paused = true
    this.dueTurn = 0
    this.#stream.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#bodyPending && !this.#ended) this.#settings.wheel.set(this, this.#settings.timeouts.body)
    this.#stream.resume()
  }

  // ---- writing ----

  #closed(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }

  #respond(last: boolean): void {
    if (this.#responded) return
    this.#responded = true
    const head = this.#head as ResponseHead // the exchange gives it before the first write
    this.#head = null
    const fields = responseFields(head.headers)
    fields[':status'] = head.status
    if (head.contentLength !== null) fields['content-length'] = head.contentLength
    const dated = head.dated || this.#settings.date
    if (dated && !head.dated) fields.date = currentDate()
    const options = last ? ending : head.trailers ? trailing : dated ? undefined : dateless
    try {
      this.#stream.respond(fields, options)
    } catch (error) {
      this.#stream.respond(joinedAfter(error, fields), options)
    }
  }

  #put(chunk: Uint8Array | string): boolean {
    const stream = this.#stream
    if (chunk.length < SLICE) {
      this.#given += chunk.length
      // A part that does not fill the stream is copied: `send` resolves at once, and then its bytes may be changed. A string
      // is made bytes here: of several that wait, node:http2 may send memory that was freed (seen on Node 20 to 26).
      return stream.write(typeof chunk === 'string' || chunk.byteLength < stream.writableHighWaterMark ? Buffer.from(chunk) : chunk)
    }
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    this.#given += bytes.length
    for (let at = 0; at < bytes.length; at += SLICE) stream.write(bytes.subarray(at, at + SLICE))
    return !stream.writableNeedDrain
  }

  /** The stream is full: `drained` follows. */
  #awaitDrain(): void {
    if (this.#listening) return
    this.#listening = true
    this.#stream.on('drain', onDrain)
  }

  /** Nobody wants the rest of the request's body: the client is told to stop (RFC 9113 8.1). */
  #dropBody(): void {
    if (this.#bodyPending) closeOnceSent(this.#stream)
  }
}

/** Resets a stream with NO_ERROR after its response: Node 22 and 26 forget a head that is not sent yet. */
export function closeOnceSent(stream: ServerHttp2Stream): void {
  setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR))
}

function sendTrailers(stream: ServerHttp2Stream, flat: readonly string[]): void {
  if (stream.destroyed) return
  const fields = responseFields(flat)
  try {
    stream.sendTrailers(fields)
  } catch (error) {
    stream.sendTrailers(joinedAfter(error, fields))
  }
}

/** The fields joined, if a repeated one is what was wrong with them; else throws the error again. */
function joinedAfter(error: unknown, fields: OutgoingHttpHeaders): OutgoingHttpHeaders {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_HTTP2_HEADER_SINGLE_VALUE') throw error
  return joinedFields(fields)
}

const destroy = Duplex.prototype.destroy

/**
 * `destroy` of a stream. node:http2 calls it as soon as END_STREAM is on its way, and a write that is not over then costs
 * it an error that nobody sees, more than the rest of the request, unless the stream has one. A response that may have
 * gone in more than one write is waited for: node:http2 asks again once the last is over.
 */
function destroyOnceWritten(this: KeyedStream, error?: Error | null): KeyedStream {
  if (this.destroyed) return this
  const transport = this[streamKey]
  const clean = (error ?? null) === null && this.closed && this.rstCode === constants.NGHTTP2_NO_ERROR && this.session?.destroyed === false
  if (clean && transport?.ended === true && !this.writableFinished) {
    if (!transport.inOne) return this
    this._writableState.errored = unseen
  }
  destroy.call(this, error ?? undefined)
  destroyed(this, clean)
  return this
}

/** Has the transport told. Listeners would cost each request more: there is one only where an error may follow. */
function destroyed(stream: KeyedStream, clean: boolean): void {
  if (!clean) stream.on('error', ignore)
  process.nextTick(tellClosed, stream)
}

function tellClosed(stream: KeyedStream): void {
  stream[streamKey]?.closed()
}

function ignore(): void {}

function onAborted(this: KeyedStream): void {
  this[streamKey]?.aborted()
}

function onDrain(this: KeyedStream): void {
  this[streamKey]?.drained()
}

function onData(this: KeyedStream, chunk: Buffer): void {
  this[streamKey]?.data(chunk)
}

function onTrailers(this: KeyedStream, _headers: unknown, _flags: number, raw: readonly string[]): void {
  this[streamKey]?.trailers(raw)
}

function onEnd(this: KeyedStream): void {
  this[streamKey]?.bodyEnd()
}
