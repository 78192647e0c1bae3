import type { Socket } from 'node:net'
import type { Address } from '../../contract/scope.ts'
import { fileExtensions } from '../../exchange/extensions.ts'
import { HttpExchange } from '../../exchange/http.ts'
import { httpScope } from '../../exchange/scope.ts'
import type { HttpTransport, ResponseHead } from '../../exchange/transport.ts'
import { readRequest, type GatewayRequest } from '../gateway-request.ts'
import { SendWatch } from '../http1/send-watch.ts'
import { headText, refusalText } from '../http1/serializer.ts'
import { bad, Refusal } from '../refusal.ts'
import type { Placed } from '../roster.ts'
import { Timed } from '../timer-wheel.ts'
import { PacketReader } from './packet.ts'
import type { UwsgiSettings } from './settings.ts'

/** Seconds that a closing connection is read on, in all and without a byte, so that the last response arrives. */
const LINGER = 30
const LINGER_IDLE = 5
/** The same while the server stops. */
const LINGER_STOPPING = 0.5

/** What reads the socket now, and what its deadline means. */
type Phase = 'head' | 'body' | 'answering' | 'lingering' | 'closed'

/**
 * One connection of a front server: a packet with a request, its body, then a response that the end of the connection
 * ends. It is the transport of its exchange.
 */
export class UwsgiConnection extends Timed implements HttpTransport, Placed {
  place = 0
  readonly socket: Socket
  /** The client as the front server tells of it; before that, who has connected. */
  client: Address | null
  readonly #server: Address | null
  readonly #settings: UwsgiSettings
  #packet: PacketReader | null
  #phase: Phase = 'head'
  #exchange: HttpExchange | null = null
  #bodyLeft = 0
  #bodyPaused = false
  #readEnded = false
  #stopping = false
  #head: ResponseHead | null = null
  #headWritten = false
  /** The exchange whose response is complete, while its last bytes are still needed. */
  #flushing: HttpExchange | null = null
  #sendWatch: SendWatch | null = null
  #lingerUntil = 0

  constructor(socket: Socket, settings: UwsgiSettings, client: Address | null, server: Address | null) {
    super()
    this.socket = socket
    this.client = client
    this.#server = server
    this.#settings = settings
    this.#packet = new PacketReader(settings.packet)
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
    socket.on('end', () => this.#readEnd())
    socket.on('drain', () => this.#drained())
    socket.on('error', () => {})
    socket.on('close', () => this.#ended())
    settings.wheel.set(this, settings.timeouts.head)
  }

  /** Ends the connection as soon as its request, if any, has been answered. */
  stop(): void {
    this.#stopping = true
    if (this.#exchange !== null) return this.#exchange.stop()
    if (this.#phase === 'lingering') return this.#lingerOn()
    // What the front server sent before it could know is in the kernel's buffer: one more turn to read it.
    setImmediate(() => {
      setImmediate(() => {
        if (this.#exchange === null && this.#packet?.begun !== true) this.#close()
      })
    })
  }

  /** Ends the connection now, whatever is under way. */
  destroy(): void {
    this.#exchange?.gone()
    this.#breakOff()
  }

  override expired(): void {
    const { timeouts } = this.#settings
    switch (this.#phase) {
      case 'head':
        if (this.#packet?.begun === true) return this.#drop(`no complete packet within ${timeouts.head} seconds`)
        return this.#close()
      case 'body':
        return this.#refuse(new Refusal(408, `no part of the body for ${timeouts.body} seconds`))
      case 'answering':
        // A peer that has something to take is not silent: `timeoutSend` is for that.
        if (this.socket.writableLength === 0) return this.destroy()
        this.#settings.wheel.set(this, timeouts.halfClose)
        return
      case 'lingering':
        this.socket.destroy()
        return
    }
  }

  // ---- reading ----

  #read(bytes: Buffer): void {
    switch (this.#phase) {
      case 'head':
        return this.#readPacket(bytes)
      case 'body':
        return this.#readBody(bytes)
      case 'lingering':
        return this.#lingerOn()
    }
  }

  #readPacket(bytes: Buffer): void {
    const reader = this.#packet
    const packet = reader?.read(bytes) ?? null
    if (packet === null || reader === null) return
    if (typeof packet === 'string') return this.#drop(packet)
    const request = packet instanceof Refusal ? packet : readRequest(packet, this.#server, this.#settings.limits)
    if (request instanceof Refusal) return this.#refuse(request)
    const { rest } = reader
    this.#packet = null
    this.#begin(request, rest)
  }

  #begin({ head, rootPath, contentLength }: GatewayRequest, rest: Buffer): void {
    const settings = this.#settings
    const body = contentLength > 0
    this.client = head.client ?? this.client
    this.#bodyLeft = contentLength
    this.#phase = body ? 'body' : 'answering'
    this.dueTurn = 0
    const scope = httpScope({ ...head, extensions: fileExtensions }, rootPath ?? settings.rootPath, settings.state)
    const seen = settings.forwarded === null ? scope : settings.forwarded(scope)
    const exchange = new HttpExchange(this, settings.exchange, seen, { body, expectContinue: false, trailers: false })
    this.#exchange = exchange
    if (body) this.#awaitBody()
    exchange.run(settings.app)
    if (rest.length > 0 && (this.#phase as Phase) === 'body') this.#readBody(rest)
  }

  #readBody(bytes: Buffer): void {
    const exchange = this.#exchange
    if (exchange === null) return
    // What comes behind the body is nobody's.
    const part = bytes.length > this.#bodyLeft ? bytes.subarray(0, this.#bodyLeft) : bytes
    this.#bodyLeft -= part.length
    if (this.#bodyLeft > 0) {
      exchange.body(part)
      this.#awaitBody()
      return
    }
    this.#phase = 'answering'
    this.dueTurn = 0
    exchange.ended(part)
  }

  #awaitBody(): void {
    if (!this.#bodyPaused && this.#phase === 'body') this.#settings.wheel.set(this, this.#settings.timeouts.body)
  }

  #readEnd(): void {
    this.#readEnded = true
    switch (this.#phase) {
      case 'head':
        return this.#packet?.begun === true ? this.#drop('the connection ended within the packet') : this.#close()
      case 'body':
        this.#exchange?.gone()
        return this.abort()
      case 'answering':
        // The response may go on; a peer that is gone shows in time (`timeoutHalfClose`).
        this.#settings.wheel.set(this, this.#settings.timeouts.halfClose)
        return
      case 'lingering':
        // What is still to be sent goes on to its end, which then ends the socket.
        if (this.#lingerUntil !== 0) this.socket.destroy()
    }
  }

  #drained(): void {
    this.#sendWatch?.stop()
    this.#flushed()
    this.#exchange?.drained()
  }

  #flushed(): void {
    this.#flushing?.drained()
    this.#flushing = null
  }

  #ended(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#packet = null
    this.#settings.wheel.remove(this)
    if (this.#sendWatch !== null) this.#settings.wheel.remove(this.#sendWatch)
    this.#flushed()
    this.#exchange?.gone()
    this.#exchange = null
    this.#settings.owner.closed(this)
  }

  /** Closes without an answer: whoever speaks like that would not understand one. */
  #drop(reason: string): void {
    this.#settings.owner.refused(this, bad(`not a uwsgi request: ${reason}`))
    this.#close()
  }

  /** Answers a request that cannot be served, and closes. */
  #refuse(refusal: Refusal): void {
    this.#settings.owner.refused(this, refusal)
    const exchange = this.#exchange
    this.#exchange = null
    exchange?.gone()
    if (this.#headWritten) return this.abort()
    this.socket.write(refusalText(refusal.status, refusal.reason, this.#settings.date), 'latin1')
    this.#close()
  }

  // ---- the transport of the exchange ----

  /** The front server has dealt with `expect` itself; it takes no interim responses. */
  inform(): void {}

  head(head: ResponseHead): void {
    this.#head = head
  }

  write(chunk: Uint8Array | string): boolean {
    const room = this.#put(this.#takeHead(), chunk)
    const exchange = this.#exchange
    if (!this.#stopping || exchange?.streamsEvents !== true) return room
    // An event stream that begins while the server stops.
    exchange.stop()
    return true
  }

  end(chunk: Uint8Array | string): boolean {
    this.#put(this.#takeHead(), chunk)
    const flushed = typeof chunk === 'string' || this.#isCopied(chunk) || this.socket.writableLength === 0
    if (!flushed) this.#flushing = this.#exchange
    this.#exchange = null
    this.#close()
    return flushed
  }

  abort(): void {
    this.#exchange = null
    if (this.#headWritten) this.#breakOff()
    else this.#close()
  }

  pause(): void {
    this.#bodyPaused = true
    if (this.#phase === 'body') this.dueTurn = 0
    this.socket.pause()
  }

  resume(): void {
    this.#bodyPaused = false
    this.#awaitBody()
    this.socket.resume()
  }

  // ---- writing ----

  /** The text of the head, if it has not been written. */
  #takeHead(): string {
    if (this.#headWritten) return ''
    this.#headWritten = true
    return headText(this.#head as ResponseHead, 'close', 'close', this.#settings.date) // the exchange gives it before the first write
  }

  /** Writes Latin-1 text and a part of the body. Returns false when the socket is full. */
  #put(text: string, chunk: Uint8Array | string): boolean {
    const { socket } = this
    const { timeouts, wheel } = this.#settings
    let room = !socket.writableNeedDrain
    if (chunk.length === 0 || this.#head?.bodyless === true) {
      if (text !== '') room = socket.write(text, 'latin1')
    } else {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      if (typeof chunk === 'string' || !this.#isCopied(bytes)) {
        socket.cork()
        if (text !== '') socket.write(text, 'latin1')
        room = socket.write(bytes)
        socket.uncork()
      } else {
        room = socket.write(Buffer.concat([Buffer.from(text, 'latin1'), bytes]))
      }
    }
    if (this.#readEnded && this.#phase === 'answering') wheel.set(this, timeouts.halfClose)
    if (!room) this.#watchSending()
    return room
  }

  /** A part that does not fill the socket is copied: `send` resolves at once, and then its bytes may be changed. */
  #isCopied(chunk: Uint8Array): boolean {
    return chunk.byteLength < this.socket.writableHighWaterMark
  }

  #watchSending(): void {
    const { timeouts, wheel } = this.#settings
    if (timeouts.send === 0) return
    this.#sendWatch ??= new SendWatch(this.socket, wheel, timeouts.send, () => this.destroy())
    this.#sendWatch.start()
  }

  /** Ends the connection so that nobody takes what was written for whole, as far as the socket can say so. */
  #breakOff(): void {
    const { socket } = this
    // A body that ends with the connection must not end properly. `resetAndDestroy` throws on all but TCP.
    if (this.#headWritten && this.#lingerUntil === 0 && socket.remoteAddress !== undefined) socket.resetAndDestroy()
    else socket.destroy()
  }

  /** Ends the connection so that what was written arrives: closing a socket with unread bytes would reset it. */
  #close(): void {
    if (this.#phase === 'lingering' || this.#phase === 'closed') return
    this.#phase = 'lingering'
    this.#packet = null
    this.dueTurn = 0
    const { socket } = this
    if (this.#bodyPaused) this.resume()
    if (socket.writableLength > 0) this.#watchSending()
    socket.end(() => {
      this.#sendWatch?.stop()
      this.#flushed()
      this.#lingerUntil = performance.now() + LINGER * 1000
      if (this.#readEnded) socket.destroy()
      else this.#lingerOn()
    })
  }

  #lingerOn(): void {
    if (this.#phase === 'closed' || this.#lingerUntil === 0) return
    if (performance.now() > this.#lingerUntil) this.socket.destroy()
    else this.#settings.wheel.set(this, this.#stopping ? LINGER_STOPPING : LINGER_IDLE)
  }
}
