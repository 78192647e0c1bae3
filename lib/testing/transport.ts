import { ClientDisconnected } from '../contract/errors.ts'
import { headerList, type HeadersInput } from '../contract/headers.ts'
import type { HttpExchange } from '../exchange/http.ts'
import type { HttpTransport, ResponseHead } from '../exchange/transport.ts'

/** Bytes of the response that may wait to be read before the application is held back. */
const HIGH_WATER = 65536

/** A `Response` with what `fetch` does not show. */
export interface TestResponse extends Response {
  /** The links of the early hints that came before it. */
  readonly earlyHints: readonly string[]
  /** What the application told by `http.response.debug`. */
  readonly debug: Readonly<Record<string, unknown>> | null
  /** The trailer fields; resolves when the body is complete, and rejects when it is broken off. */
  readonly trailers: Promise<Headers>
}

/** What the test client must do to a call that it made. */
export interface TestCall {
  /** The client leaves. */
  leave(reason: unknown): void
  /** The application has returned, or has failed with an error. */
  finished(error: unknown): void
  /** The error that the test has not seen, which it now sees; undefined if there is none. */
  takeError(): unknown
}

/** What a response needs of the exchange that makes it. */
export interface AnsweringExchange {
  readonly error: unknown
  drained(): void
  gone(): void
}

/** The transport of an exchange with no bytes in between: the response is a `Response`. */
export class TestTransport implements HttpTransport, TestCall {
  /** Resolves when the head has come. */
  readonly response: Promise<TestResponse>
  /** Whether the test has seen, or will see, that the response failed. */
  failed = false
  /** What `http.response.debug` told. */
  debug: Readonly<Record<string, unknown>> | null = null

  readonly #raise: boolean
  readonly #earlyHints: string[] = []
  #exchange: AnsweringExchange | null = null
  #head: ResponseHead | null = null
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null
  #answered = false
  #complete = false
  #unseen: unknown = undefined
  #paused: { promise: Promise<void>; resume: () => void } | null = null
  #resolve!: (response: TestResponse) => void
  #reject!: (error: unknown) => void
  #resolveTrailers!: (trailers: Headers) => void
  #rejectTrailers!: (error: unknown) => void
  readonly #trailers: Promise<Headers>

  /** With `raise`, what the application throws rejects `response`, or breaks its body off. */
  constructor(raise: boolean) {
    this.#raise = raise
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#trailers = new Promise((resolve, reject) => {
      this.#resolveTrailers = resolve
      this.#rejectTrailers = reject
    })
    // Most tests do not look at the trailers.
    this.#trailers.catch(() => {})
  }

  /** Settles when the response is complete or broken off. */
  get ended(): Promise<unknown> {
    return this.#trailers
  }

  /** Binds the transport to its exchange, which is about to run. */
  begin(exchange: AnsweringExchange): void {
    this.#exchange = exchange
  }

  /** Feeds the request's body to the exchange as fast as the application takes it. */
  async feed(exchange: HttpExchange, body: AsyncIterable<Uint8Array> | null, trailers: HeadersInput | null): Promise<void> {
    if (body === null) return
    try {
      for await (const chunk of body) {
        exchange.body(chunk)
        if (this.#paused !== null) await this.#paused.promise
        if (exchange.complete) return
      }
      exchange.ended(undefined, trailers === null ? null : headerList(trailers))
    } catch (error) {
      // The client's own stream failed: it leaves in the middle of its body.
      this.leave(error)
    }
  }

  /** The client leaves. */
  leave(reason: unknown): void {
    this.#exchange?.gone()
    if (!this.#complete) this.#fail(reason ?? new ClientDisconnected())
  }

  finished(error: unknown): void {
    if (this.#raise && !this.failed) this.#unseen = error
  }

  takeError(): unknown {
    const error = this.#unseen
    this.#unseen = undefined
    return error
  }

  inform(status: 100 | 103, headers: readonly string[]): void {
    if (status === 103) for (let i = 1; i < headers.length; i += 2) this.#earlyHints.push(headers[i] ?? '')
  }

  head(head: ResponseHead): void {
    this.#head = head
  }

  write(chunk: Uint8Array | string): boolean {
    this.#answer()
    if (chunk.length > 0) this.#controller?.enqueue(typeof chunk === 'string' ? Buffer.from(chunk) : Uint8Array.from(chunk))
    return this.#controller === null || (this.#controller.desiredSize ?? 0) > 0
  }

  end(chunk: Uint8Array | string, trailers: readonly string[] | null): boolean {
    this.write(chunk)
    this.#controller?.close()
    this.#controller = null
    this.#complete = true
    this.#resolveTrailers(headersOf(trailers ?? []))
    return true
  }

  abort(reason: unknown): void {
    this.#fail(this.#raise ? reason : new TypeError('the response was broken off', { cause: reason }))
  }

  pause(): void {
    let resume!: () => void
    const promise = new Promise<void>((resolve) => (resume = resolve))
    this.#paused = { promise, resume }
  }

  resume(): void {
    this.#paused?.resume()
    this.#paused = null
  }

  /** Gives the head, with a stream for the body, to whoever waits for `response`. */
  #answer(): void {
    if (this.#answered) return
    this.#answered = true
    const error = this.#exchange?.error
    if (this.#raise && error !== undefined) return this.#fail(error)
    const head = this.#head as ResponseHead // the exchange gives it before the first write
    const fields = head.contentLength === null ? head.headers : [...head.headers, 'content-length', String(head.contentLength)]
    const body = head.bodyless ? null : new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller
      },
      pull: () => this.#exchange?.drained(),
      cancel: () => {
        this.#controller = null
        this.#exchange?.gone()
      },
    }, { highWaterMark: HIGH_WATER, size: (chunk) => chunk?.byteLength ?? 0 })
    const response = new Response(body, { status: head.status, headers: headersOf(fields) })
    this.#resolve(Object.assign(response, { earlyHints: this.#earlyHints, debug: this.debug, trailers: this.#trailers }))
  }

  #fail(error: unknown): void {
    this.#answered = true
    this.failed = true
    this.#reject(error)
    this.#controller?.error(error)
    this.#controller = null
    this.#rejectTrailers(error)
    this.resume()
  }
}

/** Fields, names and values in turn, as `fetch` has them. */
export function headersOf(flat: readonly string[]): Headers {
  const headers = new Headers()
  for (let i = 0; i < flat.length; i += 2) headers.append(flat[i] ?? '', flat[i + 1] ?? '')
  return headers
}
