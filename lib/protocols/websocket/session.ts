import { isUtf8 } from 'node:buffer'
import { ABNORMAL } from '../../exchange/close-code.ts'
import type { AcceptHead, HttpTransport, TakeConnection, WebSocketTransport } from '../../exchange/transport.ts'
import type { WebSocketExchange } from '../../exchange/websocket.ts'
import { Timed } from '../timer-wheel.ts'
import { DEFLATE_FROM } from './deflate.ts'
import { FrameError, FrameParser, type FrameHandler } from './frame-parser.ts'
import { closeFrame, COMPRESSED, messageHead, pingFrame, pongFrame } from './frames.ts'
import type { Handshake } from './handshake.ts'
import type { WebSocketLine } from './line.ts'
import { flushSoon, frameOf, type Sender } from './outbox.ts'
import type { WebSocketSettings } from './settings.ts'

/** Seconds that the client has to answer a close frame. */
const CLOSE_TIMEOUT = 10
/** Bytes that may wait to be parsed before the line is paused. */
const REST_HIGH_WATER = 65536

/** `closing`: the close frame is sent, the client's is awaited. `ended`: nothing more is read or written. */
type State = 'connecting' | 'open' | 'closing' | 'ended'

/**
 * One WebSocket (RFC 6455) over any line: reads frames, keeps the close handshake and the pings, writes frames. It is
 * the transport of its exchange.
 */
export class WebSocketSession extends Timed implements WebSocketTransport, FrameHandler, Sender {
  readonly #line: WebSocketLine
  readonly #settings: WebSocketSettings
  readonly #handshake: Handshake
  #exchange!: WebSocketExchange // `begin` is called at once
  #state: State = 'connecting'

  // Reading.
  #parser!: FrameParser // made by `accept`, before the first read
  /** Bytes that wait to be parsed, in memory of their own. */
  #rest: Buffer | null = null
  #paused = false
  #inflating = false
  #linePaused = false
  #readEnded = false

  // Writing: Latin-1 text that leaves when the turn is over.
  #batch = ''
  #pong: string | null = null
  #deflating = false
  readonly #afterDeflating: (() => void)[] = []

  // Pings, in milliseconds of `performance.now()`.
  #heard = false
  #nextPingAt = 0
  #pongDueAt = Infinity

  constructor(line: WebSocketLine, settings: WebSocketSettings, handshake: Handshake) {
    super()
    this.#line = line
    this.#settings = settings
    this.#handshake = handshake
  }

  /** Binds the session to its exchange, which is about to run. */
  begin(exchange: WebSocketExchange): void {
    this.#exchange = exchange
  }

  // ---- called by the line ----

  /** The line has read bytes, which are `borrowed` if they are good for this call only. They may be changed. */
  read(bytes: Buffer, start: number, end: number, borrowed: boolean): void {
    if (this.#state === 'ended') return
    this.#heard = true
    if (this.#rest !== null) {
      this.#rest = Buffer.concat([this.#rest, bytes.subarray(start, end)])
      if (this.#rest.length >= REST_HIGH_WATER) this.#pauseLine()
      return
    }
    this.#parse(bytes, start, end, borrowed)
  }

  /** The client will send nothing more. */
  readEnd(): void {
    this.#readEnded = true
    this.#parseRest()
  }

  /** The line has room again. */
  drained(): void {
    this.#heard = true
    const pong = this.#pong
    this.#pong = null
    if (pong !== null && this.#state === 'open') this.#put(pong)
    if (!this.#deflating) this.#exchange.drained()
  }

  /** The line is gone. */
  ended(): void {
    this.readEnd()
    this.#over()
    this.#exchange.gone()
  }

  /** The server stops. */
  stop(): void {
    this.#exchange.stop()
  }

  override expired(): void {
    if (this.#state === 'open') return this.#keepAlive()
    this.#exchange.gone()
    this.#line.destroy()
  }

  // ---- the transport of the exchange ----

  accept({ subprotocol, headers, dated }: AcceptHead): void {
    const { deflate } = this.#handshake
    const { maxSize, pingInterval } = this.#settings
    this.#state = 'open'
    this.#parser = new FrameParser(this, maxSize, deflate !== null)
    const fields = [...headers]
    if (subprotocol !== null) fields.push('sec-websocket-protocol', subprotocol)
    if (deflate !== null) fields.push('sec-websocket-extensions', deflate.accepted)
    this.#line.accept(this, fields, dated)
    if (pingInterval === 0) return
    this.#nextPingAt = performance.now() + pingInterval * 1000
    this.#settings.wheel.set(this, pingInterval)
  }

  refuse(): HttpTransport {
    this.#state = 'ended'
    return this.#line.refuse()
  }

  takeOver(take: TakeConnection): void {
    this.#over()
    this.#line.takeOver?.(take)
  }

  send(message: Uint8Array | string, event: object): boolean {
    if (this.#handshake.deflate !== null) return this.#sendCompressed(message, event)
    return this.#sendPlain(message, event)
  }

  close(code: number, reason: string): void {
    if (this.#state !== 'open') return
    if (this.#deflating) {
      this.#afterDeflating.push(() => this.close(code, reason))
      return
    }
    this.#state = 'closing'
    this.#put(closeFrame(code, reason))
    this.#settings.wheel.set(this, CLOSE_TIMEOUT)
  }

  pause(): void {
    this.#paused = true
    if (this.#parser.held) return
    this.#parser.held = true
    this.#pauseLine()
  }

  resume(): void {
    this.#paused = false
    this.#parseRest()
  }

  // ---- reading ----

  #parse(bytes: Buffer, start: number, end: number, borrowed: boolean): void {
    const parser = this.#parser
    const reached = parser.parse(bytes, start, end)
    if (parser.error !== null) return this.#fail(parser.error)
    if (reached === end || this.#state === 'ended') return
    this.#rest = borrowed ? Buffer.from(bytes.subarray(reached, end)) : bytes.subarray(reached, end)
  }

  /** Goes on with what waits to be parsed, as far as that may be. */
  #parseRest(): void {
    if (this.#state === 'connecting' || this.#state === 'ended') return
    // When nothing more can come, what came is no burden.
    this.#parser.held = this.#inflating || (this.#paused && !this.#readEnded)
    while (this.#rest !== null && !this.#parser.held) {
      const rest = this.#rest
      this.#rest = null
      this.#parse(rest, 0, rest.length, false)
      if (this.#readEnded && !this.#inflating) this.#parser.held = false
    }
    if (this.#parser.held) return
    if (this.#linePaused) {
      this.#linePaused = false
      this.#line.resume()
    }
    if (this.#readEnded) this.#dead()
  }

  #pauseLine(): void {
    if (this.#linePaused) return
    this.#linePaused = true
    this.#line.pause()
  }

  message(data: Buffer, text: boolean, compressed: boolean, own: boolean): void {
    const { deflate } = this.#handshake
    if (!compressed || deflate === null) return this.#deliver(data, text, own)
    this.#inflating = true
    this.#parser.held = true
    // zlib works on in another thread.
    deflate.inflate(own ? data : Buffer.from(data), (message) => {
      this.#inflating = false
      if (this.#state === 'ended') return
      if (Buffer.isBuffer(message)) this.#deliver(message, text, message.length > message.buffer.byteLength / 2)
      else this.#fail(message)
      this.#parseRest()
    })
  }

  #deliver(data: Buffer, text: boolean, own: boolean): void {
    if (!text) return this.#exchange.message(own ? data : Uint8Array.prototype.slice.call(data))
    if (isUtf8(data)) this.#exchange.message(data.toString())
    else this.#fail(new FrameError(1007, 'a text message that is not UTF-8 (RFC 6455 8.1)'))
  }

  ping(data: Buffer): void {
    if (this.#state !== 'open') return
    const pong = pongFrame(data)
    // RFC 6455 5.5.3: of pings that could not be answered yet, the last one may stand for all.
    if (this.#line.full) this.#pong = pong
    else this.#put(pong)
  }

  closeFrame(code: number, reason: string): void {
    this.#exchange.closed(code, reason)
    if (this.#state === 'open') this.#put(closeFrame(code, reason))
    this.#finish()
  }

  /** Fails the WebSocket (RFC 6455 7.1.7). */
  #fail({ code, reason }: { readonly code: number; readonly reason: string }): void {
    if (this.#state === 'ended') return
    this.#settings.failed(this.#exchange.scope, code, reason)
    this.#exchange.closed(code, reason)
    if (this.#state === 'open') this.#put(closeFrame(code, reason))
    this.#finish()
  }

  /** The client has ended its side without a close frame. */
  #dead(): void {
    if (this.#state === 'ended') return
    this.#exchange.closed(ABNORMAL, '')
    this.#finish()
  }

  /** Both close frames are out, or there is nobody to wait for: the line ends. */
  #finish(): void {
    this.flush()
    this.#over()
    this.#line.end()
  }

  #over(): void {
    this.#state = 'ended'
    this.#rest = null
    this.#batch = ''
    if (this.#parser !== undefined) this.#parser.held = true
    this.#settings.wheel.remove(this)
    this.#handshake.deflate?.close()
    this.#afterDeflating.length = 0
  }

  // ---- writing ----

  #put(frame: string): void {
    if (this.#batch === '') flushSoon(this)
    this.#batch += frame
    if (this.#batch.length >= this.#line.highWaterMark) this.flush()
  }

  /** Writes what has been put together. */
  flush(): void {
    const batch = this.#batch
    if (batch === '') return
    this.#batch = ''
    this.#line.write(batch, null)
  }

  #sendPlain(message: Uint8Array | string, event: object): boolean {
    const line = this.#line
    if (message.length < line.highWaterMark) {
      this.#put(frameOf(message, event))
      return !line.full
    }
    const bytes = typeof message === 'string' ? Buffer.from(message) : message
    return this.#sendLarge(messageHead(message, bytes.length), bytes, typeof message === 'string')
  }

  /** Returns false where the bytes, unless they are `owned`, are still needed. */
  #sendLarge(head: string, bytes: Uint8Array, owned: boolean): boolean {
    const batch = this.#batch
    this.#batch = ''
    this.#line.write(batch + head, bytes)
    return owned ? !this.#line.full : this.#line.empty
  }

  #sendCompressed(message: Uint8Array | string, event: object): boolean {
    const { deflate } = this.#handshake
    if (this.#deflating) {
      this.#afterDeflating.push(() => this.#sendCompressed(message, event))
      return false
    }
    if (deflate === null || message.length < DEFLATE_FROM) return this.#sendPlain(message, event)
    this.#deflating = true
    deflate.deflate(typeof message === 'string' ? message : Buffer.from(message.buffer, message.byteOffset, message.byteLength), (compressed) => {
      this.#deflating = false
      if (this.#state !== 'open') return
      this.#sendLarge(messageHead(message, compressed.length, COMPRESSED), compressed, true)
      while (!this.#deflating) {
        const next = this.#afterDeflating.shift()
        if (next === undefined) break
        next()
      }
      if (!this.#deflating && !this.#line.full) this.#exchange.drained()
    })
    return false
  }

  // ---- pings ----

  #keepAlive(): void {
    const { pingInterval, pingTimeout, wheel } = this.#settings
    const now = performance.now()
    // Where the application holds the client back, its pongs wait unread as well; where the client takes what it gets
    // slowly, the ping is behind that, and `timeoutSend` sees to a client that takes nothing.
    if (this.#heard || this.#linePaused || !this.#line.empty) this.#pongDueAt = Infinity
    if (now >= this.#pongDueAt) return this.#fail({ code: 1011, reason: 'keepalive ping timeout' })
    if (now >= this.#nextPingAt) {
      this.#nextPingAt = now + pingInterval * 1000
      this.#heard = false
      if (this.#line.empty) {
        this.#put(pingFrame)
        if (this.#pongDueAt === Infinity && pingTimeout > 0) this.#pongDueAt = now + pingTimeout * 1000
      }
    }
    wheel.set(this, (Math.min(this.#nextPingAt, this.#pongDueAt) - now) / 1000)
  }
}
