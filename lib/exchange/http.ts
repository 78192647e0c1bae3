import { AsyncResource } from 'node:async_hooks'
import type { Application, Receive, Send } from '../contract/application.ts'
import { exchangeKey, type DisconnectSource } from '../contract/disconnect.ts'
import {
  ClientDisconnected, ContentLengthMismatch, FileError, IncompleteResponse, InvalidEvent, UnexpectedEvent,
} from '../contract/errors.ts'
import type {
  HttpReceiveEvent, HttpResponseBodyEvent, HttpResponsePathSendEvent, HttpResponsePushEvent, HttpResponseStartEvent, HttpResponseTrailersEvent,
  HttpResponseZeroCopySendEvent, SendEvent, UpgradeEvent,
} from '../contract/events.ts'
import type { HeaderList } from '../contract/headers.ts'
import { checkOffered } from './extensions.ts'
import { FilePart } from './file-part.ts'
import { checkHeaders, checkLinks, checkTrailers, withDefaults, type CheckedHeaders } from './headers.ts'
import { httpExpected, httpOrder, type HttpEventType, type HttpState, type OrderRule } from './http-order.ts'
import { startTime, type ExchangeOutcome } from './observer.ts'
import { checkPush } from './push.ts'
import type { HttpScopeObject } from './scope.ts'
import { asyncResourceOptions, type ExchangeSettings } from './settings.ts'
import { deferred, handled, isClientDisconnected, rejected, SENT, type Deferred } from './settle.ts'
import type { HttpTransport, ResponseHead } from './transport.ts'
import { checkUpgrade } from './upgrade.ts'

/** Bytes of request body that may wait for `receive` before the client is held back. */
const BODY_HIGH_WATER = 65536
/** The same as a number of parts: each costs some hundred bytes, however small it is. */
const BODY_PARTS_HIGH_WATER = 1024

const EMPTY = new Uint8Array(0)
const BROKEN_OFF = 'the response was broken off'

/** What the exchange must know of a request beside its scope. */
export interface HttpRequestTraits {
  /** Whether a body may follow; false means that it is complete, and empty. */
  readonly body: boolean
  /** Whether the client waits for `100 Continue`. */
  readonly expectContinue: boolean
  /** Whether the client takes trailers, and the protocol version has them. */
  readonly trailers: boolean
}

/** The order of events of one HTTP request, the same on every protocol. */
export class HttpExchange implements DisconnectSource, ExchangeOutcome {
  readonly scope: HttpScopeObject
  readonly receive: Receive
  readonly send: Send
  readonly hasBody: boolean
  error: unknown = undefined
  status = 0
  bytesSent = 0

  readonly #transport: HttpTransport
  readonly #settings: ExchangeSettings
  readonly #startedAt: number
  #endedAt = 0
  #state: HttpState = 'waiting'
  #disconnected = false

  // The request's side.
  readonly #acceptsTrailers: boolean
  #expectContinue: boolean
  #bodyEnded: boolean
  #bodyDelivered = false
  #requestTrailers: HeaderList | null = null
  #queue: Uint8Array[] | null = null
  #queued = 0
  #paused = false
  #receivers: ((event: HttpReceiveEvent) => void)[] | null = null
  #controller: AbortController | null = null

  // The response's side.
  #start: CheckedHeaders | null = null
  #announcesTrailers = false
  #trailers: string[] | null = null
  #contentLength: number | null = null
  #bodyless: boolean
  #drain: Deferred | null = null
  /** Settled once the file that is being sent is over: what is sent meanwhile waits for it. */
  #file: Promise<void> | null = null
  #lastRefusal: unknown = undefined

  constructor(transport: HttpTransport, settings: ExchangeSettings, scope: HttpScopeObject, traits: HttpRequestTraits) {
    this.scope = scope
    this.#transport = transport
    this.#settings = settings
    this.hasBody = traits.body
    this.#bodyEnded = !traits.body
    this.#expectContinue = traits.expectContinue
    this.#acceptsTrailers = traits.trailers
    this.#bodyless = scope.method === 'HEAD'
    this.#startedAt = startTime(settings.observer)
    // Bound, not arrow functions: the latter cost more where a compiler keeps their names.
    this.receive = this.#receive.bind(this)
    this.send = this.#send.bind(this)
    scope[exchangeKey] = this
  }

  get closeCode(): null {
    return null
  }

  get duration(): number {
    return this.#startedAt === 0 ? 0 : ((this.#endedAt || performance.now()) - this.#startedAt) / 1000
  }

  get disconnected(): boolean {
    return this.#disconnected
  }

  /** Whether the response streams `text/event-stream`: endless by nature, so a stopping server ends it at once. */
  get streamsEvents(): boolean {
    return this.#state === 'streaming' && this.#start?.eventStream === true
  }

  /** Whether the response is complete, or can no longer be completed. */
  get complete(): boolean {
    return this.#state === 'complete'
  }

  get disconnectSignal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#disconnected) this.#controller.abort(new ClientDisconnected())
    }
    return this.#controller.signal
  }

  // ---- called by the protocol ----

  /**
   * Calls the application, in an asynchronous scope of its own: what it enters into an AsyncLocalStorage does not reach
   * the next request of the same connection. What it throws ends up in the response and in the observer, never in the caller.
   */
  run(app: Application): void {
    new AsyncResource('TSGI_HTTP', asyncResourceOptions).runInAsyncScope(this.#drive, this, app)
  }

  /** The same in the caller's scope, where that is this request's alone. */
  runHere(app: Application): void {
    void this.#drive(app)
  }

  /** A part of the request's body has come. */
  body(chunk: Uint8Array): void {
    if (chunk.length === 0 || this.#state === 'complete') return
    this.#expectContinue = false
    const receiver = this.#receivers?.shift()
    if (receiver !== undefined) return receiver(this.#received({ type: 'http.request', body: chunk, moreBody: true, trailers: null }))
    if (this.#queue === null) this.#queue = [chunk]
    else this.#queue.push(chunk)
    this.#queued += chunk.length
    if ((this.#queued >= BODY_HIGH_WATER || this.#queue.length >= BODY_PARTS_HIGH_WATER) && !this.#paused) {
      this.#paused = true
      this.#transport.pause()
    }
  }

  /** The request's body is complete, `last` being its last part. */
  ended(last: Uint8Array = EMPTY, trailers: HeaderList | null = null): void {
    if (this.#state === 'complete') return
    this.#bodyEnded = true
    this.#expectContinue = false
    this.#requestTrailers = trailers
    if (last.length > 0) {
      if (this.#queue === null) this.#queue = [last]
      else this.#queue.push(last)
      this.#queued += last.length
    }
    const receiver = this.#receivers?.shift()
    if (receiver !== undefined) receiver(this.#received(this.#takeBody()))
  }

  /** The client has room again. */
  drained(): void {
    const drain = this.#drain
    this.#drain = null
    drain?.resolve()
  }

  /** The client has left, or the server gives up on it. */
  gone(): void {
    if (this.#state === 'complete') return
    this.#disconnected = true
    this.#completed()
    this.#drain?.reject(new ClientDisconnected())
    this.#drain = null
    this.#controller?.abort(new ClientDisconnected())
  }

  /** The server stops: an event stream ends now, properly; anything else goes on to its end. */
  stop(): void {
    if (!this.streamsEvents) return
    const transport = this.#transport
    this.gone()
    transport.end(EMPTY, null)
  }

  // ---- called by the application ----

  #receive(): Promise<HttpReceiveEvent> {
    if (this.#state === 'complete') return Promise.resolve(this.#received({ type: 'http.disconnect' }))
    if (this.#receivers === null || this.#receivers.length === 0) {
      if (this.#queue !== null || (this.#bodyEnded && !this.#bodyDelivered)) return Promise.resolve(this.#received(this.#takeBody()))
      if (this.#expectContinue) {
        this.#expectContinue = false
        // RFC 9110 15.2: a final head is not followed by an interim one; the client decides by it whether to go on.
        if (this.#state === 'streaming' || this.#state === 'trailers') this.#transport.resume()
        else this.#transport.inform(100, [])
      }
    }
    return new Promise((resolve) => {
      if (this.#receivers === null) this.#receivers = [resolve]
      else this.#receivers.push(resolve)
    })
  }

  #send(event: SendEvent): Promise<void> {
    if (this.#disconnected) return rejected(new ClientDisconnected())
    if (this.#file !== null && this.#state !== 'complete') return handled(this.#file.then(() => this.send(event)))
    try {
      return this.take(event)
    } catch (error) {
      this.#lastRefusal = error
      return rejected(error)
    }
  }

  // ---- the request ----

  #takeBody(): HttpReceiveEvent {
    const queue = this.#queue
    let body: Uint8Array = EMPTY
    if (queue !== null) {
      body = queue.length === 1 ? queue[0] ?? EMPTY : Buffer.concat(queue, this.#queued)
      this.#queue = null
      this.#queued = 0
      if (this.#paused) {
        this.#paused = false
        this.#transport.resume()
      }
    }
    const moreBody = !this.#bodyEnded
    this.#bodyDelivered = !moreBody
    return { type: 'http.request', body, moreBody, trailers: moreBody ? null : this.#requestTrailers }
  }

  #received(event: HttpReceiveEvent): HttpReceiveEvent {
    this.#settings.observer?.received?.(this, event)
    return event
  }

  // ---- the response ----

  /** Carries out an event that the application sent; throws where `send` rejects. */
  take(event: SendEvent): Promise<void> {
    const type = event?.type as HttpEventType
    const rule: OrderRule | undefined = httpOrder[this.#state][type]
    if (rule !== 'take') {
      if (rule === 'ignore' || this.#state === 'complete') return SENT
      if (rule === undefined || !Object.hasOwn(httpOrder.waiting, type)) throw new InvalidEvent('send', 'type', 'the type of an event that may be sent on HTTP', type)
      throw new UnexpectedEvent(type, httpExpected[this.#state])
    }
    let sent = SENT
    switch (event.type) {
      case 'http.response.start':
        this.#takeStart(event)
        break
      case 'http.response.body':
        sent = this.#takeBodyEvent(event)
        break
      case 'http.response.zerocopysend':
      case 'http.response.pathsend':
        sent = this.#takeFile(event)
        break
      case 'http.response.push':
        this.#takePush(event)
        break
      case 'http.response.trailers':
        this.#takeTrailers(event)
        break
      case 'http.response.early_hint':
        this.#transport.inform(103, checkLinks(event.type, event.links))
        break
      case 'http.response.debug':
        if (!this.#settings.debug) throw new InvalidEvent('send', 'type', 'an extension that is in scope.extensions', event.type)
        if (typeof event.info !== 'object' || event.info === null) throw new InvalidEvent(event.type, 'info', 'an object', event.info)
        break
      case 'tsgi.upgrade':
        this.#takeUpgrade(event)
        break
    }
    this.#settings.observer?.sent?.(this, event)
    return sent
  }

  #takeStart(event: HttpResponseStartEvent): void {
    const { status } = event
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new InvalidEvent(event.type, 'status', 'a whole number from 200 to 599', status)
    }
    const announcesTrailers = optionalBoolean(event.type, 'trailers', event.trailers)
    const start = checkHeaders(event.type, event.headers)
    this.status = status
    this.#announcesTrailers = announcesTrailers
    this.#start = start
    // RFC 9110 6.4.1, 15.3.6: these have no content, whatever the application says.
    if (status === 204 || status === 304 || status === 205) this.#bodyless = true
    this.#state = 'held'
  }

  #takeBodyEvent(event: HttpResponseBodyEvent): Promise<void> {
    const body = event.body ?? EMPTY
    const text = typeof body === 'string'
    if (!text && !(body instanceof Uint8Array)) throw new InvalidEvent(event.type, 'body', 'a Uint8Array or a string', body)
    const last = !optionalBoolean(event.type, 'moreBody', event.moreBody)
    const size = text ? Buffer.byteLength(body) : body.byteLength

    this.#admit(size, last)
    return this.#put(body, size, last)
  }

  /** Lets a part of the body in, which may be put in pieces; the first one frames the head. */
  #admit(size: number, last: boolean): void {
    if (this.#state !== 'held') return this.#checkLength(size, last)
    const head = this.#frame(size, last)
    this.#checkLength(size, last)
    this.#transport.head(head)
    this.#state = 'streaming'
  }

  /** Hands over bytes that have been let in; `last` ends the body. */
  #put(body: Uint8Array | string, size: number, last: boolean): Promise<void> {
    const transport = this.#transport
    const chunk = this.#bodyless ? EMPTY : body
    if (!this.#bodyless) this.bytesSent += size
    if (!last) return transport.write(chunk) ? SENT : this.#awaitDrain()
    if (this.#announcesTrailers) {
      this.#state = 'trailers'
      return transport.write(chunk) ? SENT : this.#awaitDrain()
    }
    this.#completed()
    return transport.end(chunk, null) ? SENT : this.#awaitDrain()
  }

  #takeFile(event: HttpResponsePathSendEvent | HttpResponseZeroCopySendEvent): Promise<void> {
    checkOffered(event.type, this.scope.extensions)
    const whole = event.type === 'http.response.pathsend'
    const last = whole || !optionalBoolean(event.type, 'moreBody', event.moreBody)
    const sent = this.#sendFile(whole ? FilePart.ofPath(event) : FilePart.ofDescriptor(event), last)
    const over = (): void => {
      this.#file = null
    }
    this.#file = sent.then(over, (error: unknown) => {
      over()
      this.#lastRefusal = error
    })
    return sent
  }

  async #sendFile(opening: Promise<FilePart>, last: boolean): Promise<void> {
    const part = await opening
    try {
      if (this.#bodyless) {
        this.#checkOpen()
        this.#admit(part.size ?? 0, last)
        return await this.#put(EMPTY, 0, last)
      }
      for (let first = true, ended = false; !ended; first = false) {
        // The first of it is read before the head is on the wire.
        const bytes = await part.next()
        this.#checkOpen()
        ended = part.size === null ? bytes.length === 0 : part.done
        if (part.size === null) this.#admit(bytes.length, last && ended)
        else if (first) this.#admit(part.size, last)
        await this.#put(bytes, bytes.length, last && ended)
      }
    } catch (error) {
      if (this.#state === 'streaming' && error instanceof FileError) this.#fail(error)
      throw error
    } finally {
      await part.close()
    }
  }

  /** Throws once there is nobody to send to. */
  #checkOpen(): void {
    if (this.#state === 'complete') throw new ClientDisconnected(this.#disconnected ? undefined : BROKEN_OFF)
  }

  #takePush(event: HttpResponsePushEvent): void {
    const { path, headers } = checkPush(event)
    // Where a client of HTTP/2 wants none, nothing is pushed and nothing is wrong.
    if (this.#transport.push === undefined) checkOffered(event.type, this.scope.extensions)
    this.#transport.push?.(path, headers)
  }

  #takeTrailers(event: HttpResponseTrailersEvent): void {
    const more = optionalBoolean(event.type, 'moreTrailers', event.moreTrailers)
    const trailers = checkTrailers(event.type, event.headers)
    this.#trailers = this.#trailers === null ? trailers : [...this.#trailers, ...trailers]
    if (more) return
    this.#completed()
    this.#transport.end(EMPTY, this.#acceptsTrailers && !this.#bodyless ? this.#trailers : null)
  }

  #takeUpgrade(event: UpgradeEvent): void {
    checkUpgrade(event, this.scope.extensions)
    this.status = 101
    this.#completed()
    this.#transport.takeOver?.(event.take)
  }

  /** Decides the framing once the first body event is known. */
  #frame(size: number, last: boolean): ResponseHead {
    const { status } = this
    const start = this.#start as CheckedHeaders // the state is 'held'
    const trailers = this.#announcesTrailers && this.#acceptsTrailers && !this.#bodyless
    this.#contentLength = start.contentLength
    let contentLength = start.contentLength
    // RFC 9110 8.6: no content-length in a 204; 15.3.6: a 205 says 0.
    if (status === 204) contentLength = null
    else if (status === 205) contentLength = 0
    // A single body event tells the length; an empty one to HEAD says nothing about what GET would give.
    else if (contentLength === null && last && !trailers && status !== 304 && (size > 0 || !this.#bodyless)) contentLength = size
    const { defaultHeaders } = this.#settings
    const headers = defaultHeaders.length === 0 ? start.flat : withDefaults(start.flat, defaultHeaders)
    return {
      status,
      headers,
      // Trailers need a body that is delimited by chunks (RFC 9112 7.1.2).
      contentLength: trailers ? null : contentLength,
      bodyless: this.#bodyless,
      trailers,
      close: start.close,
      dated: start.dated,
    }
  }

  #checkLength(size: number, last: boolean): void {
    const announced = this.#contentLength
    if (announced === null || this.#bodyless) return
    const total = this.bytesSent + size
    if (total > announced) throw new ContentLengthMismatch(announced, `at least ${total}`)
    if (last && total < announced) {
      const error = new ContentLengthMismatch(announced, `only ${total}`)
      if (this.#state === 'streaming') this.#fail(error)
      throw error
    }
  }

  #awaitDrain(): Promise<void> {
    this.#drain ??= deferred()
    return this.#drain.promise
  }

  /** The response needs nothing more of the application, or has lost its client. */
  #completed(): void {
    this.#state = 'complete'
    this.#queue = null
    this.#endedAt = this.#startedAt === 0 ? 0 : performance.now()
    if (this.#paused) {
      // Nobody will take what is left of the request: let it come and go.
      this.#paused = false
      this.#transport.resume()
    }
    const receivers = this.#receivers
    if (receivers === null) return
    this.#receivers = null
    for (const receiver of receivers) receiver(this.#received({ type: 'http.disconnect' }))
  }

  // ---- the application's end ----

  async #drive(app: Application): Promise<void> {
    try {
      this.#settings.observer?.started?.(this)
      await app(this.scope, this.receive, this.send)
      while (this.#file !== null) await this.#file
      if (this.#state !== 'complete') {
        const cause = this.#lastRefusal
        this.#fail(new IncompleteResponse(httpExpected[this.#state], cause === undefined ? undefined : { cause }))
      }
    } catch (error) {
      if (!(this.#disconnected && isClientDisconnected(error))) this.#fail(error)
    }
    this.#settings.observer?.finished?.(this)
  }

  /** Turns a failure into a 500 while no head is on the wire, else into a response that cannot pass for whole. */
  #fail(error: unknown): void {
    this.error ??= error ?? new Error(`the application threw ${String(error)}`)
    const state = this.#state
    if (state === 'complete') return
    const transport = this.#transport
    if (state === 'streaming' || state === 'trailers') {
      this.#completed()
      this.#drain?.reject(new ClientDisconnected(BROKEN_OFF))
      this.#drain = null
      transport.abort(error)
      return
    }
    const text = 'Internal Server Error'
    const bodyless = this.scope.method === 'HEAD'
    this.status = 500
    this.bytesSent = bodyless ? 0 : text.length
    this.#completed()
    transport.head({
      status: 500,
      headers: withDefaults(['content-type', 'text/plain; charset=utf-8'], this.#settings.defaultHeaders),
      contentLength: text.length,
      bodyless,
      trailers: false,
      close: true,
      dated: false,
    })
    transport.end(bodyless ? EMPTY : text, null)
  }
}

function optionalBoolean(eventType: string, key: string, value: unknown): boolean {
  if (value === undefined || value === null || value === false) return false
  if (value === true) return true
  throw new InvalidEvent(eventType, key, 'a boolean', value)
}
