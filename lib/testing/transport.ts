import type { HttpTransport } from '../exchange/transport.ts'
import { headersOf, ResponseTransport } from '../exchange/response-transport.ts'

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

/** The transport of a test's exchange: its errors are shown to the test, and what `fetch` does not show is kept. */
export class TestTransport extends ResponseTransport implements HttpTransport, TestCall {
  declare readonly response: Promise<TestResponse>
  /** Whether the test has seen, or will see, that the response failed. */
  failed = false
  /** What `http.response.debug` told. */
  debug: Readonly<Record<string, unknown>> | null = null

  readonly #raise: boolean
  readonly #earlyHints: string[] = []
  #unseen: unknown = undefined
  #resolveTrailers!: (trailers: Headers) => void
  #rejectTrailers!: (error: unknown) => void
  readonly #trailers: Promise<Headers>

  /** With `raise`, what the application throws rejects `response`, or breaks its body off. */
  constructor(raise: boolean) {
    super()
    this.#raise = raise
    this.#trailers = new Promise((resolve, reject) => {
      this.#resolveTrailers = resolve
      this.#rejectTrailers = reject
    })
    // Most tests do not look at the trailers.
    this.#trailers.catch(() => {})
  }

  finished(error: unknown): void {
    if (this.#raise && !this.failed) this.#unseen = error
  }

  takeError(): unknown {
    const error = this.#unseen
    this.#unseen = undefined
    return error
  }

  override inform(status: 100 | 103, headers: readonly string[]): void {
    if (status === 103) for (let i = 1; i < headers.length; i += 2) this.#earlyHints.push(headers[i] ?? '')
  }

  override abort(reason: unknown): void {
    if (this.#raise) this.fail(reason)
    else super.abort(reason)
  }

  protected override get refusal(): unknown {
    return this.#raise ? this.exchange?.error : undefined
  }

  protected override answered(response: Response): TestResponse {
    return Object.assign(response, { earlyHints: this.#earlyHints, debug: this.debug, trailers: this.#trailers })
  }

  protected override completed(trailers: readonly string[]): void {
    this.#resolveTrailers(headersOf(trailers))
  }

  protected override fail(error: unknown): void {
    this.failed = true
    super.fail(error)
    this.#rejectTrailers(error)
  }
}
