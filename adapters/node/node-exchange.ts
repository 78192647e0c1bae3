import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Receive, Send } from '../../lib/contract/application.ts'
import { disconnectSignal } from '../../lib/contract/disconnect.ts'
import type { HttpResponseStartEvent, ReceiveEvent, SendEvent } from '../../lib/contract/events.ts'
import type { HttpScope, WebSocketScope } from '../../lib/contract/scope.ts'
import { deferred, isClientDisconnected, rejected, SENT, type Deferred } from '../../lib/exchange/settle.ts'
import {
  closeResponse, completeRequest, drainResponse, dumpRequest, isConsumed, makeRequest, makeResponse, setVersion, trailersOf, type OutgoingHead,
} from './internals.ts'
import { requestFields, wholeUrl } from './request-fields.ts'
import { ownerOf, RequestSocket, type Callback, type SocketOwner } from './request-socket.ts'

/** A `(req, res)` listener of node:http. */
export type NodeListener = (request: IncomingMessage, response: ServerResponse) => unknown

/** Bytes of several writes that are put together into one event. */
const JOIN_LIMIT = 131072
/** Milliseconds without a byte of the request after which its response is completed, though the listener reads on. */
const STALLED = 1000

const EMPTY = new Uint8Array(0)

/**
 * One request for a listener: an `IncomingMessage` and a `ServerResponse` of Node's own making, and beneath both a
 * socket that turns what they read and write into `receive` and `send`.
 */
export class NodeExchange implements SocketOwner {
  readonly request: IncomingMessage
  readonly response: ServerResponse

  readonly #socket: RequestSocket
  readonly #scope: HttpScope | WebSocketScope
  readonly #receive: Receive
  readonly #send: Send
  readonly #acceptsTrailers: boolean
  #outcome: Deferred | null = null
  /** The client has left, or the exchange has failed: nothing goes out any more. */
  #over = false
  #watching = false

  // The request's side.
  readonly #bodyless: boolean
  #bodyEnded = false
  #receiving = false

  // The response's side.
  hasHead = false
  #start: HttpResponseStartEvent | null = null
  /** Whether the head is sent, and no body event after it. */
  #headDue = false
  #unsized = false
  #trailers = false
  #parts: (Uint8Array | string)[] = []
  #callbacks: (Callback | null)[] = []
  #size = 0
  /** What to call when that which was sent last has been taken, and its bytes. */
  #calls: (Callback | null)[] = []
  #inFlight = 0
  #sending = false
  #settling = false
  /** The response has written its last. */
  #ended = false
  #lastSent = false
  /** `finish` has been emitted. */
  #finished = false
  /** Nothing more is to be sent. */
  #complete = false
  #stallTimer: NodeJS.Timeout | null = null
  #stalled = false

  constructor(scope: HttpScope | WebSocketScope, receive: Receive, send: Send, server: unknown) {
    const { url, flat, body, close } = requestFields(scope)
    this.#scope = scope
    this.#receive = receive
    this.#send = send
    this.#bodyless = !body
    this.#acceptsTrailers = scope.extensions['http.response.trailers'] !== undefined
    const socket = new RequestSocket(this, scope)
    this.#socket = socket
    if (server !== null) socket.server = server
    const request = makeRequest(socket as unknown as Socket, scope.type === 'http' ? scope.method : 'GET', url, flat)
    // A response to anything but HTTP/1.1 would prepare for the framing of HTTP/1.0.
    setVersion(request, 1, 1)
    const response = makeResponse(request, socket)
    if (scope.httpVersion !== '1.1') setVersion(request, scope.httpVersion === '2' ? 2 : 1, 0)
    if (close) response.shouldKeepAlive = false
    if (scope.rootPath !== '') Object.assign(request, { originalUrl: wholeUrl(scope), baseUrl: scope.rootPath })
    response.on('prefinish', onPrefinish)
    response.on('finish', onFinish)
    this.request = request
    this.response = response
  }

  /** Calls the listener. Resolves when the response is complete or the client has left, rejects with what the listener throws. */
  run(listener: NodeListener): Promise<void> {
    let returned: unknown
    try {
      returned = listener(this.request, this.response)
    } catch (error) {
      this.#fail(error)
      return rejected(error)
    }
    if (this.#bodyless) this.request.complete = true
    const pending = typeof (returned as PromiseLike<unknown> | null | undefined)?.then === 'function'
    if (!pending && this.#complete && !this.#sending && this.#outcome === null) return SENT
    const { promise } = this.#outcome ??= deferred()
    if (!this.#complete) this.#watch()
    if (!pending) return promise
    // A listener that fails is heard of, whether its response is complete or not; one that never ends is left alone
    // when its client is gone.
    const listening = Promise.resolve(returned as PromiseLike<unknown>).then(ignore, (error: unknown) => this.#failLate(error))
    listening.catch(ignore)
    return promise.then(() => this.#over ? undefined : listening)
  }

  // ---- the request ----

  wanted(): void {
    if (this.#bodyEnded) return
    if (this.#bodyless || this.#complete) return this.#endBody()
    if (this.#receiving) return
    this.#receiving = true
    this.#receive().then((event) => this.#received(event), (error: unknown) => this.#failed(error))
  }

  #received(event: ReceiveEvent): void {
    this.#receiving = false
    if (event.type !== 'http.request') {
      if (isDisconnect(event)) this.#disconnected()
      else this.wanted()
      return
    }
    const { body, moreBody, trailers } = event
    const { request } = this
    this.#socket.touched()
    if (body.length > 0 && !request.destroyed) request.push(Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength))
    if (moreBody) {
      if (this.#stallTimer !== null) this.#stallTimer.refresh()
      // Nothing was pushed, so nobody will ask again.
      if (body.length === 0) this.wanted()
      return
    }
    this.#bodyEnded = true
    const flat: string[] = []
    for (const [name, value] of trailers ?? []) flat.push(name, value)
    completeRequest(request, trailers === null ? null : flat)
    if (this.#ended) this.flush()
    if (this.#outcome !== null && !this.#complete) this.#watch()
  }

  /** `receive` says that the exchange is over. */
  #disconnected(): void {
    if (!this.#complete) this.#gone()
    else if (!this.#bodyEnded) this.#endBody()
  }

  /** Nothing more of the body will come. */
  #endBody(): void {
    const { request } = this
    this.#bodyEnded = true
    // Who reads a body that was cut short must not take it for whole.
    if (!this.#bodyless && isRead(request)) request.destroy(connectionReset())
    else completeRequest(request, null)
  }

  /** Has the exchange hear of it when the client leaves. */
  #watch(): void {
    if (this.#watching) return
    if (this.#bodyless || this.#bodyEnded) {
      this.#watching = true
      const next = (event: ReceiveEvent): void => {
        if (isDisconnect(event)) this.#disconnected()
        else this.#receive().then(next, (error: unknown) => this.#failed(error))
      }
      this.#receive().then(next, (error: unknown) => this.#failed(error))
    } else {
      // `receive` would take the body, which nobody has asked for yet.
      this.#watching = true
      disconnectSignal(this.#scope).addEventListener('abort', () => this.#gone(), { once: true })
    }
  }

  // ---- the response ----

  get pending(): number {
    return this.#size + this.#inFlight + (this.#start !== null || this.#headDue ? 1 : 0)
  }

  takeHead({ status, headers, unsized, trailers }: OutgoingHead): void {
    this.hasHead = true
    this.#unsized = unsized
    this.#trailers = unsized && this.#acceptsTrailers && (trailers || this.#scope.headers.has('te'))
    this.#start = this.#trailers ? { type: 'http.response.start', status, headers, trailers: true } : { type: 'http.response.start', status, headers }
  }

  written(data: Uint8Array | string, callback: Callback | null, soon: boolean): void {
    this.#parts.push(data)
    this.#callbacks.push(callback)
    this.#size += data.length
    // An empty write with a callback is how a response ends: `prefinish` follows.
    if (!soon && (data.length > 0 || callback === null)) this.flush()
  }

  informed(head: string): void {
    const status = head.slice(9, 12)
    // Reading the body is what has the server send 100.
    if (status === '100') this.wanted()
    if (status !== '103' || this.#scope.extensions['http.response.early_hint'] === undefined) return
    const links = [...head.matchAll(/^link: (.*)\r$/gim)].map(([, value = '']) => value)
    this.#send({ type: 'http.response.early_hint', links }).catch(ignore)
  }

  /** `prefinish`: the response has written its last. */
  end(): void {
    this.#socket.ended()
    this.#ended = true
    this.flush()
  }

  flush(): void {
    if (this.#sending || this.#over) return
    for (let event = this.#next(); event !== null; event = this.#next()) {
      const sent = this.#send(event)
      if (sent === SENT) continue
      this.#sending = true
      sent.then(() => this.#sent(), (error: unknown) => this.#failed(error))
      return
    }
    this.#inFlight = 0
    if (this.#settling || (this.#calls.length === 0 && !this.#complete)) return
    this.#settling = true
    process.nextTick(settle, this)
  }

  #sent(): void {
    this.#sending = false
    if (this.#over) return
    this.settle()
    this.flush()
  }

  /** What is to be sent now; null for nothing. */
  #next(): SendEvent | null {
    const start = this.#start
    if (start !== null) {
      this.#start = null
      this.#headDue = true
      return start
    }
    if (this.#parts.length > 0) {
      const body = this.#take()
      // Without a length that was announced there is none to be made up either: the last event comes by itself.
      const last = this.#ended && this.#parts.length === 0 && !(this.#unsized && this.#headDue) && !this.#waits()
      if (body.length > 0 || last || this.#headDue) return this.#bodyEvent(body, last)
    }
    if (!this.#ended || this.#complete) return null
    if (!this.#lastSent) return this.#waits() ? null : this.#bodyEvent(EMPTY, true)
    this.#complete = true
    return { type: 'http.response.trailers', headers: trailersOf(this.response) }
  }

  #bodyEvent(body: Uint8Array | string, last: boolean): SendEvent {
    this.#headDue = false
    this.#inFlight += body.length
    if (last) {
      this.#lastSent = true
      this.#complete = !this.#trailers
    }
    return { type: 'http.response.body', body, moreBody: !last }
  }

  /** Takes what was written, or the first part of it where that is much. */
  #take(): Uint8Array | string {
    const parts = this.#parts
    const calls = this.#callbacks
    if (this.#size > JOIN_LIMIT && parts.length > 1 && parts[0]?.length !== this.#size) {
      this.#calls.push(calls.shift() ?? null)
      const part = parts.shift() ?? EMPTY
      this.#size -= part.length
      return part
    }
    this.#parts = []
    this.#callbacks = []
    this.#size = 0
    if (this.#calls.length === 0) this.#calls = calls
    else this.#calls.push(...calls)
    return joined(parts)
  }

  /**
   * Whether the response is to be completed later, since the listener is still reading the request's body: after the
   * response the server gives no more of it.
   */
  #waits(): boolean {
    if (this.#bodyless || this.#bodyEnded || this.#stalled || !isRead(this.request)) return false
    this.#stallTimer ??= setTimeout(() => {
      this.#stalled = true
      this.flush()
    }, STALLED).unref()
    return true
  }

  /** What was sent has been taken. */
  settle(): void {
    this.#settling = false
    if (this.#over) return
    const calls = this.#calls
    this.#calls = []
    this.#inFlight = 0
    for (const call of calls) call?.(null)
    if (this.pending === 0) drainResponse(this.response)
    if (this.#complete && !this.#sending) this.#finish()
  }

  #finish(): void {
    this.#socket.quiet()
    if (this.#stallTimer !== null) clearTimeout(this.#stallTimer)
    this.#outcome?.resolve()
    // Of this request's socket nothing more is to be heard; what was bound to it is let go of.
    if (this.#socket.listenerCount('close') > 0) process.nextTick(emitClose, this.#socket)
  }

  /** `finish`: as node:http does, before anybody else hears of it. */
  finished(): void {
    this.#finished = true
    const { request, response } = this
    if (!isConsumed(request) && request.readableFlowing !== true && isHeard(request)) {
      if (!this.#bodyEnded) this.#endBody()
      dumpRequest(request)
    }
    response.detachSocket(this.#socket as unknown as Socket)
    process.nextTick(closeResponse, response)
  }

  // ---- how it ends otherwise ----

  timedOut(): boolean {
    const { request, response } = this
    const heard = !request.complete && request.emit('timeout', this.#socket)
    return response.emit('timeout', this.#socket) || heard
  }

  destroyed(error: Error | null): void {
    // A socket of `net` is closed no earlier than that.
    setImmediate(() => {
      if (error !== null && this.#socket.listenerCount('error') > 0) this.#socket.emit('error', error)
      this.#fail(error ?? new Error('the listener has ended the connection before its response was complete'))
    })
  }

  /** `receive` or `send` has failed. */
  #failed(error: unknown): void {
    if (isClientDisconnected(error)) this.#gone()
    else this.#fail(error)
  }

  #gone(): void {
    if (this.#over || (this.#complete && !this.#sending)) return
    this.#tearDown()
    this.#outcome?.resolve()
  }

  #fail(error: unknown): void {
    if (this.#over) return
    if (!this.#complete || this.#sending) this.#tearDown()
    this.#outcome ??= deferred()
    this.#outcome.reject(error)
  }

  #failLate(error: unknown): void {
    if (!this.#complete || this.#sending) return this.#fail(error)
    if (!this.#over) throw error
  }

  /** The events of a connection that is lost. */
  #tearDown(): void {
    const socket = this.#socket
    this.#over = true
    if (this.#stallTimer !== null) clearTimeout(this.#stallTimer)
    socket._hadError = true
    const error = connectionReset()
    socket.markDestroyed(socket.errored)
    const calls = [...this.#calls, ...this.#callbacks]
    this.#calls = []
    this.#callbacks = []
    this.#parts = []
    this.#size = 0
    if (!this.#finished) this.request.destroy(error)
    for (const call of calls) call?.(error)
    socket.emit('close', false)
  }
}

function onPrefinish(this: ServerResponse): void {
  ownerOf(this.socket)?.end()
}

function onFinish(this: ServerResponse): void {
  ownerOf(this.socket)?.finished()
}

function settle(exchange: NodeExchange): void {
  exchange.settle()
}

function emitClose(socket: RequestSocket): void {
  socket.emit('close', false)
}

function isDisconnect(event: ReceiveEvent): boolean {
  return event.type === 'http.disconnect' || event.type === 'websocket.disconnect'
}

/** Whether somebody waits for the end of a request that nobody reads. */
function isHeard(request: IncomingMessage): boolean {
  return request.listenerCount('end') > 0 || request.listenerCount('close') > 0 || request.listenerCount('error') > 0
}

/** Whether somebody takes the body, part by part. */
function isRead(request: IncomingMessage): boolean {
  return (isConsumed(request) || request.readableFlowing === true) && !request.destroyed && (request.listenerCount('data') > 0 || request.listenerCount('readable') > 0)
}

function joined(parts: readonly (Uint8Array | string)[]): Uint8Array | string {
  if (parts.length === 1) return parts[0] ?? EMPTY
  if (parts.length === 2 && parts[1]?.length === 0) return parts[0] ?? EMPTY
  if (parts.every((part) => typeof part === 'string')) return parts.join('')
  return Buffer.concat(parts.map((part) => typeof part === 'string' ? Buffer.from(part) : part))
}

function connectionReset(): Error {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
}

function ignore(): void {}
