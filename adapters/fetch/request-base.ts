import type { HttpScope } from '../../lib/contract/scope.ts'
import type { RequestBody } from './request-body.ts'
import { requestUrl } from './request-url.ts'

const NativeRequest = globalThis.Request

// Up to Node 22 undici keeps the insides of a Request under symbols, which an object can answer for when it is asked;
// from Node 24 on they are private fields, which only the constructor of Request can make.
const symbols = new Map(Object.getOwnPropertySymbols(new NativeRequest('http://localhost/')).map((symbol) => [symbol.description, symbol]))

/** A prototype beneath which an object passes for a Request, and makes the native one when undici looks inside. */
function lazyPrototype(nativeOf: (request: Request) => Request): Request {
  const prototype = Object.create(NativeRequest.prototype) as Request
  for (const [name, symbol] of symbols) {
    Object.defineProperty(prototype, symbol, {
      configurable: true,
      get(this: Request) {
        if (name === 'signal') return this.signal
        if (name === 'headers') return this.headers
        return (nativeOf(this) as unknown as Record<symbol, unknown>)[symbol]
      },
    })
  }
  return prototype
}

/** Whether undici can be told so: tried, since another version may do otherwise. */
function works(): boolean {
  if (!symbols.has('state')) return false
  try {
    const native = new NativeRequest('http://localhost/a', { method: 'PUT', body: 'b', headers: [['c', 'd']] })
    const object = Object.create(lazyPrototype(() => native), {
      signal: { value: native.signal },
      headers: { value: native.headers },
    }) as Request
    const copy = new NativeRequest(object.clone(), { headers: [['e', 'f']] })
    const last = new NativeRequest(object)
    return copy.method === 'PUT' && copy.url.endsWith('/a') && last.headers.get('c') === 'd' && object.bodyUsed
  } catch {
    return false
  }
}

let nativeOf: (request: Request) => Request

/** Says how the native Request of a lazy one is made. */
export function madeBy(make: (request: Request) => Request): void {
  nativeOf = make
}

/** Makes nothing: the object is a Request by its prototype. */
function LazyRequest(): void {}
LazyRequest.prototype = lazyPrototype((request) => nativeOf(request))

/** Makes the Request at once, but for what is dear: its signal. */
class EagerRequest extends NativeRequest {
  constructor(scope: HttpScope, body: RequestBody | null) {
    super(requestUrl(scope), initOf(scope.method, body?.stream ?? null))
    const { headers } = this
    for (const [name, value] of scope.headers) headers.append(name, value)
  }
}

/** What the constructor of Request is told; TRACE, which it refuses, becomes a GET. */
export function initOf(method: string, body: ReadableStream<Uint8Array> | null): RequestInit | undefined {
  if (method === 'GET' || method === 'TRACE' || method === 'CONNECT') return undefined
  return body === null ? { method } : { method, body, duplex: 'half' }
}

/** Whether the native `Request` is made only when it is asked for. */
export const lazy: boolean = works()

/** A Request as a class can extend it: TypeScript's has properties where there are accessors. */
declare class RequestShape {
  constructor(scope: HttpScope, body: RequestBody | null)
  get method(): string
  get url(): string
  get headers(): Headers
  get signal(): AbortSignal
  get body(): ReadableStream<Uint8Array> | null
  get bodyUsed(): boolean
  clone(): Request
  text(): Promise<string>
  json(): Promise<unknown>
  arrayBuffer(): Promise<ArrayBuffer>
}

/** What `FetchRequest` extends. */
export const RequestBase: typeof RequestShape = (lazy ? LazyRequest : EagerRequest) as never
