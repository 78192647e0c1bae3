import { AsyncResource } from 'node:async_hooks'
import type { Application, Receive, Send } from '../contract/application.ts'
import { exchangeKey, type DisconnectSource } from '../contract/disconnect.ts'
import { ClientDisconnected, IncompleteResponse, InvalidEvent, UnexpectedEvent } from '../contract/errors.ts'
import type {
  SendEvent, WebSocketAcceptEvent, WebSocketCloseEvent, WebSocketDisconnectEvent, WebSocketReceiveEvent, WebSocketSendMessageEvent,
  UpgradeEvent,
} from '../contract/events.ts'
import { ABNORMAL, CLOSE_REASON_LIMIT, isCloseCode, NO_CODE } from './close-code.ts'
import { checkHeaders, withDefaults } from './headers.ts'
import type { OrderRule } from './http-order.ts'
import { startTime, type ExchangeOutcome } from './observer.ts'
import type { WebSocketScopeObject } from './scope.ts'
import { asyncResourceOptions, type ExchangeSettings } from './settings.ts'
import { deferred, isClientDisconnected, rejected, SENT, type Deferred } from './settle.ts'
import type { WebSocketTransport } from './transport.ts'
import { checkUpgrade } from './upgrade.ts'
import { webSocketExpected, webSocketOrder, type WebSocketEventType, type WebSocketState } from './websocket-order.ts'
import { WebSocketRefusal } from './websocket-refusal.ts'

/** Bytes (or characters) of messages that may wait for `receive` before the client is held back. */
const QUEUE_HIGH_WATER = 1024 * 1024

/** Fields that the handshake itself writes (RFC 6455 4.2.2). */
const handshakeFields = /^(?:sec-websocket-(?:accept|extensions|protocol|version)|upgrade)$/

/** The order of events of one WebSocket, the same on every protocol. It is an asynchronous resource, whose scope the application runs in. */
export class WebSocketExchange extends AsyncResource implements DisconnectSource, ExchangeOutcome {
  readonly scope: WebSocketScopeObject
  readonly receive: Receive
  readonly send: Send
  error: unknown = undefined
  closeCode: number | null = null

  readonly #transport: WebSocketTransport
  readonly #settings: ExchangeSettings
  readonly #startedAt: number
  #endedAt = 0
  #state: WebSocketState = 'connecting'
  #finished = false
  #stopping = false

  // From the client.
  #connectGiven = false
  /** What `receive` gives once the messages before it are taken; null while there is nothing of the kind. */
  #disconnect: WebSocketDisconnectEvent | null = null
  /** Whether the client left, or the server gave up, before the application closed. */
  #left = false
  readonly #queue: WebSocketReceiveEvent[] = []
  #queued = 0
  #paused = false
  readonly #receivers: ((event: WebSocketReceiveEvent) => void)[] = []
  #controller: AbortController | null = null

  // To the client.
  #accepted = false
  #bytesSent = 0
  #drain: Deferred | null = null
  #refusal: WebSocketRefusal | null = null
  #lastRefusal: unknown = undefined

  constructor(transport: WebSocketTransport, settings: ExchangeSettings, scope: WebSocketScopeObject) {
    super('TSGI_WEBSOCKET', asyncResourceOptions)
    this.scope = scope
    this.#transport = transport
    this.#settings = settings
    this.#startedAt = startTime(settings.observer)
    this.receive = this.#receive.bind(this)
    this.send = this.#send.bind(this)
    scope[exchangeKey] = this
  }

  get status(): number {
    return this.#accepted ? 101 : this.#refusal?.status ?? 0
  }

  get bytesSent(): number {
    return this.#refusal?.bytesSent ?? this.#bytesSent
  }

  get duration(): number {
    return this.#startedAt === 0 ? 0 : ((this.#endedAt || performance.now()) - this.#startedAt) / 1000
  }

  get disconnected(): boolean {
    return this.#left
  }

  get disconnectSignal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#left) this.#controller.abort(new ClientDisconnected())
    }
    return this.#controller.signal
  }

  // ---- called by the protocol ----

  /** Calls the application. What it throws ends up in the WebSocket's end and in the observer, never in the caller. */
  run(app: Application): void {
    this.runInAsyncScope(this.#drive, this, app)
  }

  /** A message has come, a string if it is text. */
  message(data: Uint8Array | string): void {
    // RFC 6455 5.5.1, 7.1.6: what follows the application's close need not be delivered.
    if (this.#state !== 'open' || this.#disconnect !== null || this.#finished) return
    const event: WebSocketReceiveEvent = typeof data === 'string'
      ? { type: 'websocket.receive', text: data, bytes: null }
      : { type: 'websocket.receive', text: null, bytes: data }
    const receiver = this.#receivers.shift()
    if (receiver !== undefined) return receiver(this.#received(event))
    this.#queue.push(event)
    this.#queued += data.length
    if (!this.#paused && (this.#queue.length >= this.#settings.messageQueue || this.#queued >= QUEUE_HIGH_WATER)) {
      this.#paused = true
      this.#transport.pause()
    }
  }

  /** The WebSocket is closed: the client's code and reason, or those of the failure that ended it. */
  closed(code: number, reason: string): void {
    if (this.#disconnect !== null) return
    this.closeCode ??= code
    if (this.#state !== 'closed' && !this.#finished) {
      this.#left = true
      this.#refusal?.gone()
      this.#drain?.reject(new ClientDisconnected())
      this.#drain = null
    }
    this.#end({ type: 'websocket.disconnect', code, reason })
    if (this.#left) this.#controller?.abort(new ClientDisconnected())
  }

  /** The client has room again. */
  drained(): void {
    this.#refusal?.drained()
    const drain = this.#drain
    this.#drain = null
    drain?.resolve()
  }

  /** The line went dead. */
  gone(): void {
    this.closed(ABNORMAL, '')
  }

  /** The server stops: an open WebSocket is closed at once, one that is being opened as soon as it is accepted. */
  stop(): void {
    this.#stopping = true
    if (this.#state !== 'open' || this.#disconnect !== null) return
    this.closed(1012, '')
    this.#transport.close(1012, '')
    this.#heedNoMore()
  }

  // ---- called by the application ----

  #receive(): Promise<WebSocketReceiveEvent> {
    if (!this.#connectGiven) {
      this.#connectGiven = true
      return Promise.resolve(this.#received({ type: 'websocket.connect' }))
    }
    const event = this.#queue.shift()
    if (event !== undefined) {
      this.#taken(event)
      return Promise.resolve(this.#received(event))
    }
    if (this.#disconnect !== null) return Promise.resolve(this.#received(this.#disconnect))
    return new Promise((resolve) => this.#receivers.push(resolve))
  }

  #send(event: SendEvent): Promise<void> {
    if (this.#left) return rejected(new ClientDisconnected())
    try {
      return this.#take(event)
    } catch (error) {
      this.#lastRefusal = error
      return rejected(error)
    }
  }

  // ---- from the client ----

  /** An event has left the queue: the client may go on once half of it is free. */
  #taken(event: WebSocketReceiveEvent): void {
    if (event.type === 'websocket.receive') this.#queued -= (event.text ?? event.bytes ?? '').length
    if (!this.#paused || this.#queue.length > this.#settings.messageQueue / 2 || this.#queued > QUEUE_HIGH_WATER / 2) return
    this.#paused = false
    this.#transport.resume()
  }

  #received(event: WebSocketReceiveEvent): WebSocketReceiveEvent {
    this.#settings.observer?.received?.(this, event)
    return event
  }

  /** Nothing more comes: `disconnect` is the last event. */
  #end(disconnect: WebSocketDisconnectEvent): void {
    this.#disconnect = disconnect
    this.#endedAt = this.#startedAt === 0 ? 0 : performance.now()
    for (const receiver of this.#receivers.splice(0)) receiver(this.#received(disconnect))
  }

  /** What still comes is not for the application: let it come and go. */
  #heedNoMore(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#transport.resume()
  }

  // ---- to the client ----

  #take(event: SendEvent): Promise<void> {
    const type = event?.type as WebSocketEventType
    const rule: OrderRule | undefined = webSocketOrder[this.#state][type]
    if (rule !== 'take') {
      if (rule === 'ignore') return SENT
      if (rule === undefined || !Object.hasOwn(webSocketOrder.connecting, type)) {
        throw new InvalidEvent('send', 'type', 'the type of an event that may be sent on a WebSocket', type)
      }
      throw new UnexpectedEvent(type, webSocketExpected[this.#state])
    }
    let sent = SENT
    switch (event.type) {
      case 'websocket.send':
        sent = this.#takeMessage(event)
        break
      case 'websocket.accept':
        this.#takeAccept(event)
        break
      case 'websocket.close':
        this.#takeClose(event)
        break
      case 'websocket.http.response.start':
        this.#refuse().start(event)
        this.#state = 'held'
        break
      case 'websocket.http.response.body':
        sent = this.#refuse().body(event)
        this.#state = 'refusing'
        this.#refused()
        break
      case 'tsgi.upgrade':
        this.#takeUpgrade(event)
        break
    }
    this.#settings.observer?.sent?.(this, event)
    return sent
  }

  #takeMessage(event: WebSocketSendMessageEvent): Promise<void> {
    const { text = null, bytes = null } = event
    let message: string | Uint8Array
    if (bytes === null) {
      if (typeof text !== 'string') throw new InvalidEvent(event.type, 'text', text === null ? 'given where bytes is not' : 'a string', text)
      message = text
    } else {
      if (!(bytes instanceof Uint8Array)) throw new InvalidEvent(event.type, 'bytes', 'a Uint8Array', bytes)
      if (text !== null) throw new InvalidEvent(event.type, 'bytes', 'absent where text is given', bytes)
      message = bytes
    }
    this.#bytesSent += typeof message === 'string' ? Buffer.byteLength(message) : message.byteLength
    if (this.#transport.send(message, event)) return SENT
    this.#drain ??= deferred()
    return this.#drain.promise
  }

  #takeAccept(event: WebSocketAcceptEvent): void {
    const { scope } = this
    const { subprotocol = null } = event
    if (subprotocol !== null && !scope.subprotocols.includes(subprotocol)) {
      throw new InvalidEvent(event.type, 'subprotocol', `one of those that the client offers (${scope.subprotocols.join(', ') || 'none'})`, subprotocol)
    }
    const { flat, dated } = checkHeaders(event.type, event.headers)
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] ?? ''
      if (handshakeFields.test(name)) throw new InvalidEvent(event.type, `headers[${i / 2}] name`, 'no field of the handshake itself', name)
    }
    this.#state = 'open'
    this.#accepted = true
    this.#transport.accept({ subprotocol, headers: withDefaults(flat, this.#settings.defaultHeaders), dated })
    if (this.#stopping) this.stop()
  }

  #takeClose(event: WebSocketCloseEvent): void {
    const code = event.code ?? 1000
    const reason = event.reason ?? ''
    if (!isCloseCode(code)) throw new InvalidEvent(event.type, 'code', 'a code that may be sent (RFC 6455 7.4): 1000 to 1003, 1007 to 1014, or 3000 to 4999', code)
    if (typeof reason !== 'string' || Buffer.byteLength(reason) > CLOSE_REASON_LIMIT) {
      throw new InvalidEvent(event.type, 'reason', `a string of at most ${CLOSE_REASON_LIMIT} bytes of UTF-8`, reason)
    }
    if (this.#state === 'connecting') {
      this.#refuse().forbid()
      this.#refused()
    } else {
      this.#close(code, reason)
    }
  }

  #takeUpgrade(event: UpgradeEvent): void {
    checkUpgrade(event, this.scope.extensions)
    this.#state = 'closed'
    this.#accepted = true
    this.#end({ type: 'websocket.disconnect', code: NO_CODE, reason: '' })
    this.#transport.takeOver?.(event.take)
  }

  #close(code: number, reason: string): void {
    this.#state = 'closed'
    this.closeCode = code
    this.#drain?.reject(new ClientDisconnected('the WebSocket has been closed'))
    this.#drain = null
    this.#transport.close(code, reason)
    // Who answers each message may be another task than the one that closes.
    this.#queue.length = 0
    this.#heedNoMore()
  }

  #refuse(): WebSocketRefusal {
    return this.#refusal ??= new WebSocketRefusal(this.#transport.refuse(), this.#settings, this.scope)
  }

  /** There will be no WebSocket once the response that takes its place is complete. */
  #refused(): void {
    if (this.#refusal?.complete !== true) return
    this.#state = 'closed'
    if (this.#disconnect === null) this.#end({ type: 'websocket.disconnect', code: ABNORMAL, reason: '' })
  }

  // ---- the application's end ----

  async #drive(app: Application): Promise<void> {
    let error: unknown = undefined
    try {
      this.#settings.observer?.started?.(this)
      await app(this.scope, this.receive, this.send)
    } catch (thrown) {
      if (!(this.#left && isClientDisconnected(thrown))) error = thrown ?? new Error(`the application threw ${String(thrown)}`)
    }
    this.#finished = true
    const state = this.#state
    if (this.#left || state === 'closed') {
      this.error = error
    } else if (state === 'open') {
      this.error = error
      this.#close(error === undefined ? 1000 : 1011, '')
    } else {
      const cause = this.#lastRefusal
      this.error = error ?? new IncompleteResponse(webSocketExpected[state], cause === undefined ? undefined : { cause })
      await this.#refuse().fail(this.error)
      this.#refused()
    }
    this.#queue.length = 0
    this.#heedNoMore()
    this.#settings.observer?.finished?.(this)
  }
}
