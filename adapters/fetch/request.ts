import type { Receive } from '../../lib/contract/application.ts'
import { disconnectSignal } from '../../lib/contract/disconnect.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'
import { initOf, lazy, madeBy, RequestBase } from './request-base.ts'
import { mayHaveBody, RequestBody } from './request-body.ts'
import { requestUrl } from './request-url.ts'

const NativeRequest = globalThis.Request
const NO_BYTES = Buffer.alloc(0)
const decoder = new TextDecoder()

/**
 * The `Request` of a scope. Its parts are made when they are asked for; the native Request too, where undici lets
 * itself be deceived (`lazy`), else it is made at once and only the signal and the shortcuts to the body are ours.
 */
export class FetchRequest extends RequestBase {
  readonly #scope: HttpScope
  readonly #body: RequestBody | null
  #url: string | null = null
  #headers: Headers | null = null
  #signal: AbortSignal | null = null
  #native: Request | null = null
  /** Whether the body is that of the scope, and not that of the native Request. */
  #bodyIsOurs = lazy

  private constructor(scope: HttpScope, receive: Receive) {
    const body = mayHaveBody(scope) ? new RequestBody(receive) : null
    super(scope, body)
    this.#scope = scope
    this.#body = body
    if (!lazy) this.#tellFollowers()
  }

  static {
    madeBy((request) => (request as unknown as FetchRequest).#makeNative())
  }

  /** The request for a handler. */
  static for(scope: HttpScope, receive: Receive): Request {
    return new FetchRequest(scope, receive) as unknown as Request
  }

  /** The scope that a request was made for; undefined for any other, a copy of it too. */
  static scopeOf(request: Request): HttpScope | undefined {
    return #scope in request ? request.#scope : undefined
  }

  override get method(): string {
    return this.#scope.method
  }

  override get url(): string {
    return this.#url ??= requestUrl(this.#scope)
  }

  override get headers(): Headers {
    if (!lazy) return super.headers
    if (this.#headers === null) {
      const headers = new Headers()
      for (const [name, value] of this.#scope.headers) headers.append(name, value)
      this.#headers = headers
    }
    return this.#headers
  }

  override get signal(): AbortSignal {
    return this.#signal ??= disconnectSignal(this.#scope)
  }

  override get body(): ReadableStream<Uint8Array> | null {
    if (this.#body === null) return null
    return this.#bodyIsOurs ? this.#body.stream : super.body
  }

  override get bodyUsed(): boolean {
    if (this.#body === null) return false
    return this.#bodyIsOurs ? this.#body.used : super.bodyUsed
  }

  override clone(): Request {
    // undici's copy hears of an abort only if the Request was given a signal when it was made.
    return new NativeRequest(super.clone(), { signal: this.signal })
  }

  override text(): Promise<string> {
    return this.#whole()?.then((bytes) => decoder.decode(bytes)) ?? super.text()
  }

  override json(): Promise<unknown> {
    return this.#whole()?.then((bytes) => JSON.parse(decoder.decode(bytes)) as unknown) ?? super.json()
  }

  override arrayBuffer(): Promise<ArrayBuffer> {
    return this.#whole()?.then(({ buffer, byteOffset, byteLength }) => buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer) ?? super.arrayBuffer()
  }

  bytes(): Promise<Uint8Array> {
    return this.arrayBuffer().then((buffer) => new Uint8Array(buffer))
  }

  /** The native Request, with the fields that `headers` has by now. */
  #makeNative(): Request {
    if (this.#native === null) {
      const body = this.#body
      this.#bodyIsOurs = body?.fresh === false
      const stream = this.#bodyIsOurs ? new ReadableStream<Uint8Array>() : body?.stream ?? null
      const native = new NativeRequest(this.url, initOf(this.#scope.method, stream))
      // What has been read from, or is about to be, counts as used, and no Request can be made of it.
      if (this.#bodyIsOurs) void native.body?.cancel()
      this.#native = native
      if (this.#headers === null) {
        for (const [name, value] of this.#scope.headers) native.headers.append(name, value)
        this.#headers = native.headers
      }
    }
    const { headers } = this.#native
    if (this.#headers !== null && this.#headers !== headers) {
      for (const name of [...headers.keys()]) headers.delete(name)
      for (const [name, value] of this.#headers) headers.append(name, value)
    }
    return this.#native
  }

  /** All bytes with no stream in between; null where the native Request has to read, or to refuse. */
  #whole(): Promise<Buffer> | null {
    const body = this.#body
    if (body === null) return Promise.resolve(NO_BYTES)
    if (!body.fresh || (lazy && this.#native !== null)) return null
    // So that the native Request knows that its body is used.
    if (!lazy) void super.body?.cancel()
    return body.whole()
  }

  /** Requests that are made of this one by `new Request(request)` follow the signal that undici gave it, not ours. */
  #tellFollowers(): void {
    const follow = (): void => {
      const followed = super.signal
      Object.defineProperties(followed, { aborted: { value: true }, reason: { value: this.signal.reason as unknown } })
      followed.dispatchEvent(new Event('abort'))
    }
    if (this.signal.aborted) follow()
    else this.signal.addEventListener('abort', follow, { once: true })
  }
}

// `new request.constructor(url)` makes what it would make of any Request.
Object.defineProperty(FetchRequest.prototype, 'constructor', { value: NativeRequest, configurable: true, writable: true })
