import { InvalidEvent } from '../contract/errors.ts'
import type { WebSocketHttpResponseBodyEvent, WebSocketHttpResponseStartEvent } from '../contract/events.ts'
import { HttpExchange } from './http.ts'
import type { WebSocketScopeObject } from './scope.ts'
import type { ExchangeSettings } from './settings.ts'
import { deferred, type Deferred } from './settle.ts'
import type { HttpTransport } from './transport.ts'

const forbidden = 'Forbidden'

/**
 * The HTTP response in place of a WebSocket: an HTTP exchange whose application ends where that of the WebSocket does,
 * so that all rules of responses hold.
 */
export class WebSocketRefusal {
  readonly #exchange: HttpExchange
  /** The end of the application. */
  readonly #end: Deferred = deferred()
  /** Settled when the exchange has drawn its conclusions. */
  readonly #finished: Deferred = deferred()

  constructor(transport: HttpTransport, settings: ExchangeSettings, scope: WebSocketScopeObject) {
    const { subprotocols: _, ...request } = scope
    const observer = { untimed: true, finished: () => this.#finished.resolve() }
    this.#exchange = new HttpExchange(transport, { ...settings, observer }, { ...request, type: 'http', method: 'GET' }, {
      body: false,
      expectContinue: false,
      trailers: false,
    })
    this.#exchange.run(() => this.#end.promise)
  }

  get status(): number {
    return this.#exchange.status
  }

  get bytesSent(): number {
    return this.#exchange.bytesSent
  }

  get complete(): boolean {
    return this.#exchange.complete
  }

  /** Takes the start of the response; throws `InvalidEvent`. */
  start({ type, status, headers }: WebSocketHttpResponseStartEvent): void {
    // RFC 8441 4: a 2xx would tell the client that its WebSocket is open.
    if (this.#exchange.scope.httpVersion === '2' && status >= 200 && status < 300) {
      throw new InvalidEvent(type, 'status', 'other than 2xx, which over HTTP/2 accepts the WebSocket (RFC 8441 4)', status)
    }
    this.#passOn(() => this.#exchange.take({ type: 'http.response.start', status, headers }))
  }

  /** Takes a part of the body; throws `InvalidEvent`. */
  body({ body, moreBody }: WebSocketHttpResponseBodyEvent): Promise<void> {
    return this.#passOn(() => this.#exchange.take({ type: 'http.response.body', body, moreBody }))
  }

  /** Answers 403. */
  forbid(): void {
    this.start({ type: 'websocket.http.response.start', status: 403, headers: [['content-type', 'text/plain; charset=utf-8']] })
    void this.body({ type: 'websocket.http.response.body', body: forbidden })
  }

  /** The client has left. */
  gone(): void {
    this.#exchange.gone()
  }

  drained(): void {
    this.#exchange.drained()
  }

  /** The application has failed: a 500 while no head is on the wire, else a response that cannot pass for whole. */
  fail(error: unknown): Promise<void> {
    this.#end.reject(error)
    return this.#finished.promise
  }

  /** Errors name the event that the application sent. */
  #passOn(take: () => Promise<void>): Promise<void> {
    try {
      return take()
    } catch (error) {
      if (error instanceof InvalidEvent) error.message = `websocket.${error.message}`
      throw error
    }
  }
}
