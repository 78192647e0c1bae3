import { AsyncResource } from 'node:async_hooks'
import type { Socket } from 'node:net'
import type { Address, Extensions, TlsExtension } from '../../contract/scope.ts'
import { fileExtensions } from '../../exchange/extensions.ts'
import { HttpExchange } from '../../exchange/http.ts'
import { httpScope, webSocketScope } from '../../exchange/scope.ts'
import type { HttpTransport, ResponseHead, TakeConnection } from '../../exchange/transport.ts'
import { WebSocketExchange } from '../../exchange/websocket.ts'
import { Refusal } from '../refusal.ts'
import type { Placed } from '../roster.ts'
import { Timed } from '../timer-wheel.ts'
import { WebSocketSession } from '../websocket/session.ts'
import { ChunkedParser } from './chunked-parser.ts'
import { RequestParser, type RequestHead } from './request-parser.ts'
import { SendWatch } from './send-watch.ts'
import { headText, interimText, lastChunkText, refusalText, type Framing } from './serializer.ts'
import type { Http1Settings } from './settings.ts'
import { ownReads, shareReads, unshareReads } from './shared-reads.ts'
import { TakenOver, type Tunnel } from './tunnel.ts'
import { Http1WebSocketLine, readUpgrade } from './websocket-upgrade.ts'

/** Pipelined bytes that may wait for their turn before reading pauses. */
const PIPELINE_HIGH_WATER = 65536
/** Seconds that a closing connection is read on, in all and without a byte, so that the last response arrives. */
const LINGER = 30
const LINGER_IDLE = 5
/** The same while the server stops. */
const LINGER_STOPPING = 0.5

/** The extensions of each kind of scope. */
interface Offers {
  readonly http10: Extensions
  readonly http11: Extensions
  /** For a request that asks for an upgrade. */
  readonly upgrade: Extensions
  readonly webSocket: Extensions
}

/** What every connection offers, and `more`. */
function offersWith(more: Extensions): Offers {
  const http11 = {
    'http.response.early_hint': Object.freeze({}),
    'http.response.trailers': Object.freeze({}),
    'tsgi.request.trailers': Object.freeze({}),
    ...fileExtensions,
    ...more,
  }
  return {
    http10: Object.freeze({ ...fileExtensions, ...more }),
    http11: Object.freeze(http11),
    upgrade: Object.freeze({ ...http11, 'tsgi.upgrade': Object.freeze({}) }),
    webSocket: Object.freeze({ 'websocket.http.response': Object.freeze({}), 'tsgi.upgrade': Object.freeze({}), ...more }),
  }
}

const plainOffers = offersWith({})

// RFC 9113 3.4.
const http2Preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** What reads the socket now, and what its deadline means. */
type Phase = 'idle' | 'head' | 'body' | 'answering' | 'tunnel' | 'lingering' | 'closed'

const connectionKey: unique symbol = Symbol('tsgi.connection')

interface ConnectedSocket extends Socket {
  [connectionKey]?: Http1Connection
}

/**
 * One HTTP/1.1 connection: reads requests from its socket, one exchange at a time, and writes their responses in
 * order. It is the transport of the exchange that is under way.
 */
export class Http1Connection extends Timed implements HttpTransport, Placed {
  place = 0
  readonly socket: Socket
  readonly client: Address | null
  readonly server: Address | null
  readonly #settings: Http1Settings
  /** Whether the connection is one of TLS. */
  readonly #secure: boolean
  readonly #offers: Offers
  /** Whether the first bytes may yet be the preface of HTTP/2. */
  #sniffing: boolean
  /** Reads the head that is coming in; null between requests, since an idle connection needs none. */
  #parser: RequestParser | null = null
  #phase: Phase = 'idle'
  #stopping = false
  #requests = 0

  // What has been read but not used up: the bytes of `input` from `inputAt` to `inputEnd`.
  #input: Buffer | null = null
  #inputAt = 0
  #inputEnd = 0
  /** Whether `input` is good for this turn only. */
  #borrowed = false
  #parsing = false
  #readEnded = false

  // The request under way.
  #exchange: HttpExchange | WebSocketExchange | null = null
  #request: RequestHead | null = null
  #bodyLeft = 0
  #chunked: ChunkedParser | null = null
  #bodyPaused = false
  #readPaused = false

  // Its response.
  #head: ResponseHead | null = null
  #headWritten = false
  #framing: Framing = 'length'
  #lastResponse = false
  /** The exchange before, while the last bytes that it sent are still needed. */
  #flushing: HttpExchange | WebSocketExchange | null = null
  #corked = false
  #sendWatch: SendWatch | null = null
  #lingerUntil = 0
  /** What has taken the connection over. */
  #tunnel: Tunnel | null = null

  /** `tls` goes into the scopes' extensions; null for a connection without. */
  constructor(socket: Socket, settings: Http1Settings, client: Address | null, server: Address | null, tls: TlsExtension | null = null) {
    super()
    this.socket = socket
    this.client = client
    this.server = server
    this.#settings = settings
    this.#secure = tls !== null
    this.#offers = tls === null ? plainOffers : offersWith({ tls })
    this.#sniffing = settings.owner.http2 !== null
    const connected = socket as ConnectedSocket
    connected[connectionKey] = this
    if (!shareReads(socket, onRead)) socket.on('data', onData)
    socket.on('end', onEnd)
    socket.on('drain', onDrain)
    socket.on('error', onError)
    socket.on('close', onClose)
    settings.wheel.set(this, settings.timeouts.keepAlive)
  }

  /** Ends the connection as soon as the request under way, if any, has been answered. */
  stop(): void {
    this.#stopping = true
    if (this.#tunnel !== null) {
      this.#tunnel.stop()
    } else if (this.#exchange !== null) {
      this.#lastResponse = true
      this.#exchange.stop()
    } else if (this.#phase === 'lingering') {
      this.#lingerOn()
    } else {
      // What the client sent before it could know is in the kernel's buffer: one more turn to read it.
      setImmediate(() => {
        setImmediate(() => {
          if (this.#exchange === null) this.#close()
        })
      })
    }
  }

  /** Ends the connection now, whatever is under way. */
  destroy(): void {
    this.#tunnel?.ended()
    this.#exchange?.gone()
    this.#breakOff()
  }

  // ---- reading ----

  /** The socket has read `length` bytes, which are `borrowed` if they are good for this call only. */
  read(bytes: Buffer, length: number, borrowed: boolean): void {
    if (this.#phase === 'lingering') {
      this.#lingerOn()
      return
    }
    if (this.#tunnel !== null) return this.#tunnel.read(bytes, 0, length, borrowed)
    if (this.#input === null) {
      this.#input = bytes
      this.#inputAt = 0
      this.#inputEnd = length
      this.#borrowed = borrowed
    } else {
      const before = this.#input.subarray(this.#inputAt, this.#inputEnd)
      this.#input = Buffer.concat([before, length === bytes.length ? bytes : bytes.subarray(0, length)])
      this.#inputAt = 0
      this.#inputEnd = this.#input.length
    }
    this.#parse()
    if (this.#input === null) return
    if (this.#borrowed) {
      this.#input = copyOf(this.#input, this.#inputAt, this.#inputEnd)
      this.#inputEnd -= this.#inputAt
      this.#inputAt = 0
      this.#borrowed = false
    }
    if (this.#inputEnd - this.#inputAt >= PIPELINE_HIGH_WATER) this.#updateReading()
  }

  /** The client will send nothing more. */
  readEnd(): void {
    this.#readEnded = true
    if (this.#phase === 'lingering') {
      // What is still to be sent goes on to its end, which then ends the socket.
      if (this.#lingerUntil !== 0) this.socket.destroy()
    } else if (this.#tunnel !== null) {
      this.#tunnel.readEnd()
    } else if (this.#exchange === null) {
      // Whole requests may wait for the client to take what was written; anything else is cut short.
      if (this.#input === null || !this.socket.writableNeedDrain) this.#close()
    } else if (this.#bodyPending() || this.#exchange instanceof WebSocketExchange) {
      this.#cut(this.#exchange)
    } else {
      // The response may go on; a client that does not take it any more shows in time (`timeoutHalfClose`).
      this.#settings.wheel.set(this, this.#settings.timeouts.halfClose)
    }
  }

  /** The socket has room again. */
  drained(): void {
    this.#sendWatch?.stop()
    this.#flushed()
    this.#tunnel?.drained()
    this.#exchange?.drained()
    if (this.#phase === 'idle') this.#settings.wheel.set(this, this.#settings.timeouts.keepAlive)
    if (this.#input !== null && this.#exchange === null) this.#parseAfresh()
    if (this.#readPaused) this.#updateReading()
  }

  /** The socket is gone, after an error or not. */
  ended(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#settings.wheel.remove(this)
    if (this.#sendWatch !== null) this.#settings.wheel.remove(this.#sendWatch)
    this.#input = null
    this.#flushed()
    this.#tunnel?.ended()
    this.#exchange?.gone()
    this.#exchange = null
    this.#settings.owner.closed(this)
  }

  #flushed(): void {
    this.#flushing?.drained()
    this.#flushing = null
  }

  override expired(): void {
    switch (this.#phase) {
      case 'idle':
        return this.#close()
      case 'head':
        return this.#refuse(new Refusal(408, `no complete head within ${this.#settings.timeouts.head} seconds`))
      case 'body':
        return this.#refuse(new Refusal(408, `no part of the body for ${this.#settings.timeouts.body} seconds`))
      case 'answering':
        // A client that has something to take is not silent: `timeoutSend` is for that.
        if (this.socket.writableLength === 0) return this.destroy()
        this.#settings.wheel.set(this, this.#settings.timeouts.halfClose)
        return
      case 'lingering':
        this.socket.destroy()
        return
    }
  }

  /** Reads on outside of any request's asynchronous context. */
  #parseAfresh(): void {
    readingContext.runInAsyncScope(this.#parse, this)
  }

  #parse(): void {
    if (this.#parsing) return
    this.#parsing = true
    while (this.#input !== null && (this.#exchange === null ? this.#parseHead(this.#input) : this.#parseBody(this.#input)));
    this.#parsing = false
    if (this.#readEnded && this.#exchange !== null && this.#bodyPending()) this.#cut(this.#exchange)
  }

  /** The client has ended its side within a body or a handshake: nobody waits for an answer. */
  #cut(exchange: HttpExchange | WebSocketExchange): void {
    exchange.gone()
    this.abort()
  }

  /** Returns whether there may be more to parse. */
  #parseHead(input: Buffer): boolean {
    if (this.#phase === 'lingering' || this.#phase === 'closed') return false
    if (this.socket.writableNeedDrain) {
      // Not idle: requests wait until the client has taken what was written.
      this.dueTurn = 0
      return false
    }
    if (this.#sniffing && this.#sniff(input)) return false
    const { parsers } = this.#settings
    const parser = this.#parser ??= parsers.pop() ?? new RequestParser(this.#settings.head, this.#settings.scheme)
    const head = parser.parse(input, this.#inputAt, this.#inputEnd)
    if (head === null) {
      if (this.#readEnded) this.#close()
      if (this.#phase === 'idle' && parser.begun) {
        this.#phase = 'head'
        this.#settings.wheel.set(this, this.#settings.timeouts.head)
      }
      return false
    }
    if (head instanceof Refusal) {
      this.#refuse(head)
      return false
    }
    this.#take(parser.length)
    parser.next()
    this.#parser = null
    parsers.push(parser)
    this.#begin(head)
    return true
  }

  /** Whether the bytes so far are those of the preface of HTTP/2; if it is whole, the connection is handed over. */
  #sniff(input: Buffer): boolean {
    const start = this.#inputAt
    const length = Math.min(this.#inputEnd - start, http2Preface.length)
    if (http2Preface.compare(input, start, start + length, 0, length) !== 0) {
      this.#sniffing = false
      return false
    }
    if (length < http2Preface.length) {
      if (this.#readEnded) this.#close()
      if (this.#phase === 'idle') {
        this.#phase = 'head'
        this.#settings.wheel.set(this, this.#settings.timeouts.head)
      }
      return true
    }
    this.#input = null
    this.#letGo()
    unshareReads(this.socket)
    this.#settings.owner.http2?.(this, Buffer.from(input.subarray(start, this.#inputEnd)))
    return true
  }

  /** Lets go of the socket. */
  #letGo(): void {
    const { socket } = this
    this.#phase = 'closed'
    this.#settings.wheel.remove(this)
    if (this.#sendWatch !== null) this.#settings.wheel.remove(this.#sendWatch)
    socket.pause()
    socket.off('data', onData).off('end', onEnd).off('drain', onDrain).off('error', onError).off('close', onClose)
  }

  #begin(head: RequestHead): void {
    if (head.webSocket) return this.#beginWebSocket(head)
    const settings = this.#settings
    const body = head.chunked || head.contentLength > 0
    // RFC 9110 10.1.1: no 100 to a client that has begun with its body.
    const expectContinue = head.expectContinue && this.#input === null
    this.#request = head
    this.#bodyLeft = head.contentLength
    this.#chunked = head.chunked ? new ChunkedParser(settings.chunked) : null
    this.#head = null
    this.#headWritten = false
    this.#requests++
    this.#lastResponse = this.#stopping || !head.keepAlive || this.#requests >= settings.requests
    this.dueTurn = 0
    this.#phase = body ? 'body' : 'answering'
    if (body && !expectContinue) settings.wheel.set(this, settings.timeouts.body)
    const scope = httpScope({
      httpVersion: head.httpVersion,
      method: head.method,
      scheme: settings.scheme,
      rawPath: head.rawPath,
      queryString: head.queryString,
      headers: head.headers,
      client: this.client,
      server: this.server,
      extensions: head.httpVersion === '1.0' ? this.#offers.http10 : head.upgrade && !body ? this.#offers.upgrade : this.#offers.http11,
    }, settings.rootPath, settings.state)
    const seen = settings.forwarded === null ? scope : settings.forwarded(scope)
    const exchange = new HttpExchange(this, settings.exchange, seen, { body, expectContinue, trailers: head.trailers })
    this.#exchange = exchange
    if (this.#readEnded) settings.wheel.set(this, settings.timeouts.halfClose)
    exchange.run(settings.app)
  }

  #beginWebSocket(head: RequestHead): void {
    const settings = this.#settings
    const upgrade = readUpgrade(head, settings.webSocket)
    if (upgrade instanceof Refusal) return this.#refuse(upgrade)
    this.#request = head
    this.#head = null
    this.#headWritten = false
    // What the client sends after its handshake is no HTTP, even if the handshake is refused.
    this.#lastResponse = true
    this.dueTurn = 0
    this.#phase = 'answering'
    const session = new WebSocketSession(new Http1WebSocketLine(this, upgrade.key, settings.date), settings.webSocket, upgrade.handshake)
    const scope = webSocketScope({
      httpVersion: '1.1',
      scheme: settings.scheme === 'http' ? 'ws' : 'wss',
      rawPath: head.rawPath,
      queryString: head.queryString,
      headers: head.headers,
      client: this.client,
      server: this.server,
      subprotocols: upgrade.handshake.subprotocols,
      extensions: this.#offers.webSocket,
    }, settings.rootPath, settings.state)
    const exchange = new WebSocketExchange(session, settings.exchange, settings.forwarded === null ? scope : settings.forwarded(scope))
    session.begin(exchange)
    this.#exchange = exchange
    if (this.#stopping) exchange.stop()
    if (this.#readEnded) return this.#cut(exchange)
    exchange.run(settings.app)
  }

  #bodyPending(): boolean {
    return this.#chunked !== null || this.#bodyLeft > 0
  }

  /** Returns whether there may be more to parse. */
  #parseBody(input: Buffer): boolean {
    const exchange = this.#exchange
    if (!(exchange instanceof HttpExchange) || !this.#bodyPending()) return false
    if (this.#chunked !== null) return this.#parseChunks(input, this.#chunked, exchange)
    const start = this.#inputAt
    const length = Math.min(this.#bodyLeft, this.#inputEnd - start)
    this.#bodyLeft -= length
    this.#take(length)
    const part = this.#part(input, start, start + length)
    if (this.#bodyLeft > 0) {
      exchange.body(part)
      this.#awaitBody()
      return false
    }
    this.#bodyRead()
    exchange.ended(part)
    return true
  }

  #parseChunks(input: Buffer, chunked: ChunkedParser, exchange: HttpExchange): boolean {
    const runs: number[] = []
    const start = this.#inputAt
    const end = chunked.parse(input, start, this.#inputEnd, (from, to) => runs.push(from, to))
    this.#take(end - start)
    if (chunked.refusal !== null) {
      this.#refuse(chunked.refusal)
      return false
    }
    const [from = 0, to = 0] = runs
    const data = runs.length <= 2 ? this.#part(input, from, to) : joinedRuns(input, runs)
    if (chunked.done) {
      this.#chunked = null
      this.#bodyRead()
      exchange.ended(data, chunked.trailers)
      return true
    }
    exchange.body(data)
    this.#awaitBody()
    return false
  }

  /** A part of the input that the application may keep. */
  #part(input: Buffer, start: number, end: number): Buffer {
    if (this.#borrowed) return copyOf(input, start, end)
    return start === 0 && end === input.length ? input : input.subarray(start, end)
  }

  /** Uses up `length` bytes of the input. */
  #take(length: number): void {
    this.#inputAt += length
    if (this.#inputAt === this.#inputEnd) this.#input = null
  }

  #awaitBody(): void {
    if (!this.#bodyPaused) this.#settings.wheel.set(this, this.#settings.timeouts.body)
  }

  #bodyRead(): void {
    this.#phase = 'answering'
    this.dueTurn = 0
  }

  /** Answers a request that cannot be served, and closes: nothing after it is parsed. */
  #refuse(refusal: Refusal): void {
    this.#settings.owner.refused(this, refusal)
    this.#input = null
    const headWritten = this.#headWritten
    const exchange = this.#exchange
    if (exchange !== null) {
      this.#exchange = null
      exchange.gone()
      if (headWritten) return this.abort()
    }
    this.#put(refusalText(refusal.status, refusal.reason, this.#settings.date))
    this.#close()
  }

  #updateReading(): void {
    // Requests that wait for the response before them, or for the client to take it.
    const blocked = this.#exchange === null ? this.socket.writableNeedDrain : !this.#bodyPending()
    const waiting = blocked && this.#input !== null && this.#inputEnd - this.#inputAt >= PIPELINE_HIGH_WATER
    const paused = this.#bodyPaused || waiting
    if (paused === this.#readPaused) return
    this.#readPaused = paused
    if (paused) this.socket.pause()
    else this.socket.resume()
  }

  // ---- the transport of the exchange ----

  inform(status: 100 | 103, headers: readonly string[]): void {
    if (this.#request?.httpVersion === '1.0') return
    this.#put(interimText(status, headers))
    if (status === 100) this.#awaitBody()
  }

  head(head: ResponseHead): void {
    this.#head = head
  }

  write(chunk: Uint8Array | string): boolean {
    const room = this.#writePart(chunk)
    const exchange = this.#exchange
    if (!this.#stopping || !(exchange instanceof HttpExchange) || !exchange.streamsEvents) return room
    // An event stream that begins while the server stops.
    exchange.stop()
    return true
  }

  #writePart(chunk: Uint8Array | string): boolean {
    const text = this.#headWritten ? '' : this.#takeHead()
    if (chunk.length === 0 || this.#head?.bodyless === true) return text === '' ? !this.socket.writableNeedDrain : this.#put(text)
    if (this.#framing !== 'chunked') return this.#putWith(text, chunk, '')
    const size = typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength
    return this.#putWith(`${text}${size.toString(16)}\r\n`, chunk, '\r\n')
  }

  end(chunk: Uint8Array | string, trailers: readonly string[] | null): boolean {
    // What is left of the request's body would be taken for the next request.
    if (this.#bodyPending()) this.#lastResponse = true
    if (this.#input !== null) this.#cork()
    const text = this.#headWritten ? '' : this.#takeHead()
    if (this.#framing !== 'chunked' || this.#head?.bodyless === true) {
      if (chunk.length > 0) this.#putWith(text, chunk, '')
      else if (text !== '') this.#put(text)
    } else if (chunk.length === 0) {
      this.#put(text + lastChunkText(trailers))
    } else {
      const size = typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength
      this.#putWith(`${text}${size.toString(16)}\r\n`, chunk, '\r\n' + lastChunkText(trailers))
    }
    const flushed = typeof chunk === 'string' || this.#isCopied(chunk) || this.socket.writableLength === 0
    if (!flushed) this.#flushing = this.#exchange
    this.#next()
    return flushed
  }

  abort(): void {
    this.#exchange = null
    if (this.#headWritten && this.#framing === 'close') this.#breakOff()
    else this.#close()
  }

  pause(): void {
    this.#bodyPaused = true
    if (this.#phase === 'body') this.dueTurn = 0
    this.#updateReading()
  }

  resume(): void {
    this.#bodyPaused = false
    if (this.#phase === 'body') this.#awaitBody()
    this.#updateReading()
  }

  // ---- what a tunnel needs ----

  takeOver(take: TakeConnection): void {
    const { socket } = this
    const head = this.#input === null ? Buffer.alloc(0) : copyOf(this.#input, this.#inputAt, this.#inputEnd)
    this.#input = null
    this.#exchange = null
    this.#request = null
    this.#letGo()
    this.#phase = 'tunnel'
    this.#tunnel = new TakenOver(socket)
    // What goes wrong on the socket must not end the process, whether the application listens or not.
    socket.on('error', onError).on('close', onClose)
    ownReads(socket)
    // As node:http does: a listener for `data` makes it flow.
    Object.assign(socket, { readableFlowing: null })
    try {
      take(socket, head)
    } catch (error) {
      socket.destroy()
      throw error
    }
    // Whoever takes it may not read: the client's end is to be seen all the same.
    if (!socket.destroyed) socket.read(0)
    // The end of the client's side has been read already, and will not be told again.
    if (this.#readEnded) socket.destroy()
  }

  /** Answers an upgrade: from now on the bytes of this connection are the tunnel's. */
  upgrade(head: string, tunnel: Tunnel): void {
    const input = this.#input
    this.#input = null
    this.#request = null
    this.#exchange = null
    this.#phase = 'tunnel'
    this.#tunnel = tunnel
    this.#put(head)
    if (input !== null) tunnel.read(input, this.#inputAt, this.#inputEnd, this.#borrowed)
    if (this.#readPaused) this.#updateReading()
  }

  /** Writes Latin-1 text, and bytes if there are some. */
  put(text: string, bytes: Uint8Array | null): void {
    if (bytes === null) this.#put(text)
    else this.#putWith(text, bytes, '')
  }

  /** Ends the connection so that what the tunnel wrote arrives. */
  endTunnel(): void {
    this.#tunnel = null
    this.#close()
  }

  // ---- writing ----

  /** The text of the head, and how the body that follows will end. */
  #takeHead(): string {
    const head = this.#head as ResponseHead // the exchange gives it before the first write
    this.#headWritten = true
    const old = this.#request?.httpVersion === '1.0'
    this.#framing = head.bodyless || head.contentLength !== null ? 'length' : old ? 'close' : 'chunked'
    if (head.close || this.#framing === 'close') this.#lastResponse = true
    const connection = this.#lastResponse ? 'close' : old ? 'keep-alive' : null
    return headText(head, this.#framing, connection, this.#settings.date)
  }

  /** Writes Latin-1 text. Returns false when the socket is full. */
  #put(text: string): boolean {
    return this.#written(this.socket.write(text, 'latin1'))
  }

  /** Writes a part of a body between two Latin-1 texts. */
  #putWith(before: string, chunk: Uint8Array | string, after: string): boolean {
    const { socket } = this
    if (typeof chunk === 'string') {
      // As many bytes as characters: ASCII, which is the same in Latin-1.
      if (Buffer.byteLength(chunk) === chunk.length) return this.#written(socket.write(before + chunk + after, 'latin1'))
      chunk = Buffer.from(chunk)
    }
    if (this.#isCopied(chunk)) {
      const size = chunk.byteLength
      const whole = Buffer.allocUnsafe(before.length + size + after.length)
      whole.write(before, 0, 'latin1')
      whole.set(chunk, before.length)
      if (after !== '') whole.write(after, before.length + size, 'latin1')
      return this.#written(socket.write(whole))
    }
    if (before === '' && after === '') return this.#written(socket.write(chunk))
    socket.cork()
    socket.write(before, 'latin1')
    let room = socket.write(chunk)
    if (after !== '') room = socket.write(after, 'latin1')
    socket.uncork()
    return this.#written(room)
  }

  /** A part that does not fill the socket is copied: `send` resolves at once, and then its bytes may be changed. */
  #isCopied(chunk: Uint8Array): boolean {
    return chunk.byteLength < this.socket.writableHighWaterMark
  }

  #written(room: boolean): boolean {
    const { timeouts, wheel } = this.#settings
    if (this.#readEnded && this.#phase === 'answering') wheel.set(this, timeouts.halfClose)
    if (!room) this.#watchSending()
    return room
  }

  #watchSending(): void {
    const { timeouts, wheel } = this.#settings
    if (timeouts.send === 0) return
    this.#sendWatch ??= new SendWatch(this.socket, wheel, timeouts.send, () => this.destroy())
    this.#sendWatch.start()
  }

  /** Ends the connection so that nobody takes what was written for whole. */
  #breakOff(): void {
    const { socket } = this
    // A body that ends with the connection must not end properly. `resetAndDestroy` throws on all but TCP; TLS shows a
    // missing close_notify.
    if (this.#headWritten && this.#framing === 'close' && this.#lingerUntil === 0 && socket.remoteAddress !== undefined && !this.#secure) socket.resetAndDestroy()
    else socket.destroy()
  }

  /** Holds written responses back until this turn's are all there, to write them at once. */
  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.socket.cork()
    process.nextTick(uncork, this)
  }

  /** The turn is over. */
  uncork(): void {
    this.#corked = false
    this.socket.uncork()
  }

  /** The response is complete: on to the next request, or to the end of the connection. */
  #next(): void {
    this.#exchange = null
    this.#request = null
    this.#head = null
    if (this.#lastResponse || this.#stopping || (this.#readEnded && this.#input === null)) return this.#close()
    this.#phase = 'idle'
    this.#bodyPaused = false
    this.#settings.wheel.set(this, this.#settings.timeouts.keepAlive)
    if (this.#input !== null) this.#parseAfresh()
    if (this.#readPaused) this.#updateReading()
  }

  /**
   * Ends the connection so that what was written arrives: closing a socket with unread bytes would reset it
   * (RFC 9112 9.6), so they are read and dropped, within bounds.
   */
  #close(): void {
    if (this.#phase === 'lingering' || this.#phase === 'closed') return
    this.#phase = 'lingering'
    this.dueTurn = 0
    this.#input = null
    this.#bodyPaused = false
    const { socket } = this
    if (socket.writableLength > 0) this.#watchSending()
    socket.end(() => {
      this.#sendWatch?.stop()
      this.#flushed()
      this.#lingerUntil = performance.now() + LINGER * 1000
      this.#lingerOn()
    })
    if (this.#readPaused) this.#updateReading()
  }

  #lingerOn(): void {
    if (this.#phase === 'closed' || this.#lingerUntil === 0) return
    if (performance.now() > this.#lingerUntil) this.socket.destroy()
    else this.#settings.wheel.set(this, this.#stopping ? LINGER_STOPPING : LINGER_IDLE)
  }
}

/** The bytes of several runs, each a start and an end, in memory of its own. */
function joinedRuns(bytes: Buffer, runs: readonly number[]): Buffer {
  let length = 0
  for (let i = 0; i < runs.length; i += 2) length += (runs[i + 1] ?? 0) - (runs[i] ?? 0)
  const joined = Buffer.allocUnsafeSlow(length)
  let at = 0
  for (let i = 0; i < runs.length; i += 2) at += bytes.copy(joined, at, runs[i], runs[i + 1])
  return joined
}

/** A copy of bytes in memory of its own, not in a pool that others share. */
function copyOf(bytes: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - start)
  bytes.copy(copy, 0, start, end)
  return copy
}

function onRead(this: ConnectedSocket, length: number, bytes: Buffer): void {
  this[connectionKey]?.read(bytes, length, true)
}

function onData(this: ConnectedSocket, chunk: Buffer): void {
  this[connectionKey]?.read(chunk, chunk.length, false)
}

function onEnd(this: ConnectedSocket): void {
  this[connectionKey]?.readEnd()
}

function onDrain(this: ConnectedSocket): void {
  this[connectionKey]?.drained()
}

/** `close` follows. */
function onError(): void {}

function onClose(this: ConnectedSocket): void {
  this[connectionKey]?.ended()
}

function uncork(connection: Http1Connection): void {
  connection.uncork()
}

/** The context in which pipelined requests start, so that they do not inherit that of the request before. */
const readingContext = new AsyncResource('TSGI_HTTP1')
