import { ClientDisconnected } from '../contract/errors.ts'
import { headerList, type HeadersInput } from '../contract/headers.ts'
import type { HttpExchange } from './http.ts'
import type { HttpTransport, ResponseHead } from './transport.ts'

/** Bytes of the response that may wait to be read before the application is held back. */
const HIGH_WATER = 65536

/** What a response needs of the exchange that makes it. */
export interface AnsweringExchange {
  readonly error: unknown
  drained(): void
  gone(): void
}

/** The transport of an exchange with no bytes in between: the response is a `Response`. */
export class ResponseTransport implements HttpTransport {
  /** Resolves when the head has come. */
  readonly response: Promise<Response>
  /** Resolves when the response is complete or broken off. */
  readonly ended: Promise<void>

  protected exchange: AnsweringExchange | null = null
  #head: ResponseHead | null = null
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null
  #answered = false
  #complete = false
  #paused: { promise: Promise<void>; resume: () => void } | null = null
  #resolve!: (response: Response) => void
  #reject!: (error: unknown) => void
  #end!: () => void

  constructor() {
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.ended = new Promise((resolve) => (this.#end = resolve))
  }

  /** Binds the transport to its exchange, which is about to run. */
  begin(exchange: AnsweringExchange): void {
    this.exchange = exchange
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
    this.exchange?.gone()
    if (!this.#complete) this.fail(reason ?? new ClientDisconnected())
  }

  inform(_status: 100 | 103, _headers: readonly string[]): void {}

  head(head: ResponseHead): void {
    this.#head = head
  }

  write(chunk: Uint8Array | string): boolean {
    if (!this.#answered) this.#answer(this.#head?.bodyless === true ? null : this.#stream())
    if (chunk.length > 0) this.#controller?.enqueue(copyOf(chunk))
    return this.#controller === null || (this.#controller.desiredSize ?? 0) > 0
  }

  end(chunk: Uint8Array | string, trailers: readonly string[] | null): boolean {
    if (this.#answered) this.write(chunk)
    // All of it at once needs no stream of ours.
    else this.#answer(this.#head?.bodyless === true ? null : copyOf(chunk))
    this.#controller?.close()
    this.#controller = null
    this.#complete = true
    this.completed(trailers ?? [])
    this.#end()
    return true
  }

  abort(reason: unknown): void {
    this.fail(new TypeError('the response was broken off', { cause: reason }))
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

  /** Why there is no response although its head has come; undefined if there is one. */
  protected get refusal(): unknown {
    return undefined
  }

  /** The response as it is handed out. */
  protected answered(response: Response): Response {
    return response
  }

  /** The response is whole. Trailers are names and values in turn. */
  protected completed(_trailers: readonly string[]): void {}

  /** Fails the response, or what is still to come of its body. */
  protected fail(error: unknown): void {
    this.#answered = true
    this.#reject(error)
    this.#controller?.error(error)
    this.#controller = null
    this.#end()
    this.resume()
  }

  /** Gives the head, with its body, to whoever waits for `response`. */
  #answer(body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | null): void {
    this.#answered = true
    const { refusal } = this
    if (refusal !== undefined) return this.fail(refusal)
    const head = this.#head as ResponseHead // the exchange gives it before the first write
    const fields = head.contentLength === null ? head.headers : [...head.headers, 'content-length', String(head.contentLength)]
    const response = new Response(body, { status: head.status, headers: headersOf(fields) })
    this.#resolve(this.answered(response))
  }

  #stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller
      },
      pull: () => this.exchange?.drained(),
      cancel: () => {
        this.#controller = null
        this.exchange?.gone()
        this.#end()
      },
    }, { highWaterMark: HIGH_WATER, size: (chunk) => chunk?.byteLength ?? 0 })
  }
}

/** The bytes in memory of their own: the application may use its own again once they are sent. */
function copyOf(chunk: Uint8Array | string): Uint8Array<ArrayBuffer> {
  return typeof chunk === 'string' ? new TextEncoder().encode(chunk) : new Uint8Array(chunk)
}

/** Fields, names and values in turn, as `fetch` has them. */
export function headersOf(flat: readonly string[]): Headers {
  const headers = new Headers()
  for (let i = 0; i < flat.length; i += 2) headers.append(flat[i] ?? '', flat[i + 1] ?? '')
  return headers
}
