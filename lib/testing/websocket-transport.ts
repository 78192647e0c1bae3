import { ClientDisconnected, WebSocketClosed } from '../contract/errors.ts'
import { ABNORMAL } from '../exchange/close-code.ts'
import { rejected, SENT } from '../exchange/settle.ts'
import type { AcceptHead, HttpTransport, WebSocketTransport } from '../exchange/transport.ts'
import type { WebSocketExchange } from '../exchange/websocket.ts'
import { TestTransport, type TestCall, type TestResponse } from './transport.ts'

/** Bytes of messages that may wait to be received before the application is held back. */
const HIGH_WATER = 65536
/** What an empty message counts, so that not any number of them may wait. */
const FRAME_HEAD = 2

/** A message, text as a string. */
export type TestMessage = string | Uint8Array

/** How a WebSocket ended. */
export interface TestWebSocketEnd {
  /** The code of whoever closed it; 1005 for none, 1006 if the client left without a word. */
  readonly code: number
  readonly reason: string
}

/** What waits until the application has room. */
interface Held {
  go(): void
  fail(error: unknown): void
}

/** Whoever waits for a message. */
interface Taker {
  resolve(message: TestMessage | null): void
  reject(error: unknown): void
}

/** The transport of a WebSocket exchange with no bytes in between, and what the test's side does with it. */
export class TestWebSocketTransport implements WebSocketTransport, TestCall {
  /** Resolves to the answer of the application: it accepts, or refuses with a response. */
  readonly answer: Promise<AcceptHead | TestResponse>
  readonly closed: Promise<TestWebSocketEnd>
  /** Resolves when the application has returned. */
  readonly returned: Promise<void>

  readonly #raise: boolean
  #exchange!: WebSocketExchange // `begin` is called at once
  #refusal: TestTransport | null = null
  #end: TestWebSocketEnd | null = null
  /** Whether the test has closed: nothing more may be sent, though what was sent may still wait. */
  #closing = false
  #raised = false
  #unseen: unknown = undefined
  #answered!: (answer: AcceptHead | TestResponse) => void
  #failed!: (error: unknown) => void
  #ended!: (end: TestWebSocketEnd) => void
  #return!: () => void

  // To the application.
  #paused = false
  readonly #outbox: Held[] = []

  // From the application.
  readonly #inbox: TestMessage[] = []
  #waiting = 0
  #full = false
  readonly #takers: Taker[] = []

  /** With `raise`, what the application throws rejects `answer`, or is thrown by `take` and `takeError`. */
  constructor(raise: boolean) {
    this.#raise = raise
    this.answer = new Promise((resolve, reject) => {
      this.#answered = resolve
      this.#failed = reject
    })
    this.closed = new Promise((resolve) => (this.#ended = resolve))
    this.returned = new Promise((resolve) => (this.#return = resolve))
  }

  /** Binds the transport to its exchange, which is about to run. */
  begin(exchange: WebSocketExchange): void {
    this.#exchange = exchange
  }

  /** Why nothing goes or comes any more. */
  get closedError(): WebSocketClosed {
    const { code, reason } = this.#end ?? { code: ABNORMAL, reason: '' }
    return new WebSocketClosed(code, reason)
  }

  // ---- the test's side ----

  /** Gives a message to the application, which may keep it; resolves when it has room. */
  give(message: TestMessage): Promise<void> {
    if (this.#end !== null) return rejected(this.closedError)
    if (this.#closing) return rejected(new WebSocketClosed(ABNORMAL, 'close() has been called'))
    if (!this.#paused) {
      this.#exchange.message(message)
      return SENT
    }
    const sent = new Promise<void>((resolve, reject) => {
      this.#outbox.push({
        go: () => {
          this.#exchange.message(message)
          resolve()
        },
        fail: reject,
      })
    })
    sent.catch(() => {})
    return sent
  }

  /** The next message; null once the WebSocket is closed and all are taken. Throws what the application threw. */
  take(): Promise<TestMessage | null> {
    const message = this.#inbox.shift()
    if (message !== undefined) {
      this.#waiting -= message.length + FRAME_HEAD
      if (this.#full && this.#waiting <= HIGH_WATER) {
        this.#full = false
        this.#exchange.drained()
      }
      return Promise.resolve(message)
    }
    const error = this.takeError()
    if (error !== undefined) return Promise.reject(error)
    if (this.#end !== null) return Promise.resolve(null)
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }))
  }

  /** The client closes, once the application has taken what was sent before. */
  clientCloses(code: number, reason: string): void {
    if (this.#end !== null || this.#closing) return
    this.#closing = true
    const go = (): void => {
      this.#over(code, reason)
      this.#exchange.closed(code, reason)
    }
    if (this.#paused) this.#outbox.push({ go, fail: () => {} })
    else go()
  }

  leave(reason: unknown): void {
    this.#failed(reason ?? new ClientDisconnected())
    this.#refusal?.leave(reason)
    this.#over(ABNORMAL, '')
    this.#exchange.gone()
  }

  finished(error: unknown): void {
    if (this.#refusal?.failed !== true) this.#raiseError(error)
    this.#return()
  }

  takeError(): unknown {
    const error = this.#unseen
    this.#unseen = undefined
    return error
  }

  // ---- the transport of the exchange ----

  accept(head: AcceptHead): void {
    this.#answered(head)
  }

  refuse(): HttpTransport {
    const refusal = new TestTransport(this.#raise)
    refusal.begin(this.#exchange)
    refusal.response.then(this.#answered, this.#failed)
    this.#refusal = refusal
    return refusal
  }

  send(message: TestMessage): boolean {
    // What a wire would make of it: text without lone surrogates, bytes in memory of their own.
    const copy = typeof message === 'string' ? Buffer.from(message).toString() : new Uint8Array(message)
    const taker = this.#takers.shift()
    if (taker !== undefined) {
      taker.resolve(copy)
      return true
    }
    this.#inbox.push(copy)
    this.#waiting += copy.length + FRAME_HEAD
    this.#full ||= this.#waiting > HIGH_WATER
    return !this.#full
  }

  close(code: number, reason: string): void {
    this.#raiseError(this.#exchange.error)
    this.#over(code, reason)
    // The client answers with the same code; not within the application's own call.
    queueMicrotask(() => this.#exchange.closed(code, reason))
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    while (!this.#paused) {
      const held = this.#outbox.shift()
      if (held === undefined) return
      held.go()
    }
  }

  #over(code: number, reason: string): void {
    if (this.#end !== null) return
    this.#end = { code, reason }
    this.#ended(this.#end)
    for (const held of this.#outbox.splice(0)) held.fail(this.closedError)
    for (const taker of this.#takers.splice(0)) taker.resolve(null)
  }

  /** Shows the application's error to whoever waits for a message, or to the next one who may see it. */
  #raiseError(error: unknown): void {
    if (!this.#raise || this.#raised || error === undefined) return
    this.#raised = true
    const taker = this.#takers.shift()
    if (taker === undefined) this.#unseen = error
    else taker.reject(error)
  }
}
