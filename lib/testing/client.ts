import type { Application } from '../contract/application.ts'
import { WebSocketRefused } from '../contract/errors.ts'
import type { State } from '../contract/scope.ts'
import { HttpExchange } from '../exchange/http.ts'
import { LifespanExchange } from '../exchange/lifespan.ts'
import type { ExchangeObserver } from '../exchange/observer.ts'
import { headersOf } from '../exchange/response-transport.ts'
import { httpScope, webSocketScope } from '../exchange/scope.ts'
import type { ExchangeSettings } from '../exchange/settings.ts'
import { WebSocketExchange } from '../exchange/websocket.ts'
import { CookieJar } from './cookies.ts'
import { testHandshake, testRequest, type TestRequestInit, type TestWebSocketInit } from './request.ts'
import { TestTransport, type TestCall, type TestResponse } from './transport.ts'
import { TestWebSocketTransport } from './websocket-transport.ts'
import { TestWebSocket } from './websocket.ts'

export interface TestClientOptions {
  /**
   * Whether what the application throws is thrown to the test: by `fetch` before there is a response, by its body
   * after, by `close` when the response was complete already; by `websocket` before it is accepted, then by the next
   * `receive` or `close`. Otherwise it becomes a 500 or the close code 1011, as on a server. Default: true.
   */
  readonly raiseApplicationErrors?: boolean
  /** Whether to run the application's lifespan. Default: true. */
  readonly lifespan?: boolean
  /** Where the application is mounted. Default: empty. */
  readonly rootPath?: string
  /** Hears of every exchange. Default: none. */
  readonly observer?: ExchangeObserver
}

/** Starts `app` and gives a client that calls it in this process, without a socket. Throws `LifespanFailed`. */
export async function testClient(app: Application, options: TestClientOptions = {}): Promise<TestClient> {
  const lifespan = new LifespanExchange({
    mode: options.lifespan === false ? 'off' : 'auto',
    startup: 0,
    shutdown: 0,
    unsupported: () => {},
    failed: () => {},
  })
  await lifespan.startup(app)
  return new TestClient(app, lifespan, options)
}

/** Calls one application as a server would. `await using client = await testClient(app)` closes it. */
export class TestClient implements AsyncDisposable {
  /** The cookies: what responses set goes out with later requests. */
  readonly cookies: CookieJar = new CookieJar()

  readonly #app: Application
  readonly #lifespan: LifespanExchange
  readonly #settings: ExchangeSettings
  readonly #rootPath: string
  readonly #raise: boolean
  readonly #running = new Set<TestCall>()
  readonly #ended = new Set<TestCall>()
  readonly #calls = new WeakMap<object, TestCall>()
  #idle: (() => void) | null = null

  constructor(app: Application, lifespan: LifespanExchange, options: TestClientOptions) {
    this.#app = app
    this.#lifespan = lifespan
    this.#rootPath = options.rootPath ?? ''
    this.#raise = options.raiseApplicationErrors ?? true
    const user = options.observer
    this.#settings = {
      defaultHeaders: [],
      debug: true,
      messageQueue: 32,
      observer: {
        untimed: user === undefined || user.untimed === true,
        started: (exchange) => user?.started?.(exchange),
        received: (exchange, event) => user?.received?.(exchange, event),
        sent: (exchange, event) => {
          const call = this.#calls.get(exchange)
          if (event.type === 'http.response.debug' && call instanceof TestTransport) call.debug = event.info
          user?.sent?.(exchange, event)
        },
        finished: (exchange) => {
          user?.finished?.(exchange)
          const call = this.#calls.get(exchange)
          if (call === undefined) return
          call.finished(exchange.error)
          this.#running.delete(call)
          if (exchange.error !== undefined) this.#ended.add(call)
          if (this.#running.size === 0) this.#idle?.()
        },
      },
    }
  }

  /** What the application's lifespan put into its state. */
  get state(): State {
    return this.#lifespan.state
  }

  /**
   * Calls the application with a request; resolves when the response's head has come, while bodies may stream both
   * ways. Redirects are not followed.
   */
  async fetch(path: string, init: TestRequestInit = {}): Promise<TestResponse> {
    init.signal?.throwIfAborted()
    const { head, body } = await testRequest(path, init, (rawPath) => this.cookies.header(rawPath))
    const transport = new TestTransport(this.#raise)
    const scope = httpScope(head, this.#rootPath, this.#lifespan.state)
    const exchange = new HttpExchange(transport, this.#settings, scope, {
      body: body !== null,
      expectContinue: head.headers.get('expect')?.toLowerCase() === '100-continue',
      trailers: head.headers.getAll('te').some((value) => /(?:^|,)\s*trailers\s*(?:,|$)/i.test(value)),
    })
    this.#calls.set(exchange, transport)
    this.#running.add(transport)
    transport.begin(exchange)
    const leave = (): void => transport.leave(init.signal?.reason)
    init.signal?.addEventListener('abort', leave, { once: true })
    const fed = transport.feed(exchange, body, init.trailers ?? null)
    exchange.run(this.#app)
    try {
      const response = await transport.response
      for (const field of response.headers.getSetCookie()) this.cookies.store(field, head.rawPath)
      return response
    } finally {
      // The signal may break the body off until both sides are done.
      void Promise.allSettled([fed, transport.ended]).then(() => init.signal?.removeEventListener('abort', leave))
    }
  }

  /**
   * Calls the application with a WebSocket; resolves when it has been accepted. Throws `WebSocketRefused`, which has the
   * response, when the application refuses it.
   */
  async websocket(path: string, init: TestWebSocketInit = {}): Promise<TestWebSocket> {
    const { signal } = init
    signal?.throwIfAborted()
    const head = testHandshake(path, init, (rawPath) => this.cookies.header(rawPath))
    const transport = new TestWebSocketTransport(this.#raise)
    const exchange = new WebSocketExchange(transport, this.#settings, webSocketScope(head, this.#rootPath, this.#lifespan.state))
    this.#calls.set(exchange, transport)
    this.#running.add(transport)
    transport.begin(exchange)
    const leave = (): void => transport.leave(signal?.reason)
    signal?.addEventListener('abort', leave, { once: true })
    void transport.returned.then(() => signal?.removeEventListener('abort', leave))
    exchange.run(this.#app)
    const answer = await transport.answer
    const headers = answer instanceof Response ? answer.headers : headersOf(answer.headers)
    for (const field of headers.getSetCookie()) this.cookies.store(field, head.rawPath)
    if (answer instanceof Response) throw new WebSocketRefused(answer)
    return new TestWebSocket(transport, answer.subprotocol, headers)
  }

  /**
   * Leaves every unfinished exchange, waits for the application to return, and runs the lifespan's shutdown. Throws
   * what the application threw and no other call has thrown yet, and `LifespanFailed`.
   */
  async close(): Promise<void> {
    for (const call of this.#running) call.leave(undefined)
    if (this.#running.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    await this.#lifespan.shutdown()
    const [first, ...others] = [...this.#ended].map((call) => call.takeError()).filter((error) => error !== undefined)
    this.#ended.clear()
    if (others.length > 0) throw new AggregateError([first, ...others], 'the application threw after its responses were complete')
    if (first !== undefined) throw first
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
