import { headerList, type HeaderPair, type HeadersInput } from '../contract/headers.ts'
import type { Address, Extensions } from '../contract/scope.ts'
import { fileExtensions } from '../exchange/extensions.ts'
import type { HttpRequestHead, WebSocketRequestHead } from '../exchange/scope.ts'

/** What `fetch` takes as a body. */
export type FetchBody = NonNullable<ConstructorParameters<typeof Response>[0]>

/** What a test request may have. */
export interface TestRequestInit {
  /** Default: GET. */
  readonly method?: string
  readonly headers?: HeadersInput | Record<string, string>
  /** As for `fetch`; an async iterable is sent chunk by chunk, as it comes. Default: none. */
  readonly body?: FetchBody | AsyncIterable<Uint8Array | string>
  /** Fields after the body. Default: none. */
  readonly trailers?: HeadersInput
  /** The client leaves when it aborts. Default: never. */
  readonly signal?: AbortSignal
}

/** What a test WebSocket may have. */
export interface TestWebSocketInit {
  readonly headers?: HeadersInput | Record<string, string>
  /** What the client offers, in its order of preference. Default: those of a `sec-websocket-protocol` field. */
  readonly subprotocols?: readonly string[]
  /** The client leaves without a word when it aborts: the line is dead. Default: never. */
  readonly signal?: AbortSignal
}

/** A request, ready for its exchange. */
export interface TestRequest {
  readonly head: HttpRequestHead
  /** null for none. */
  readonly body: AsyncIterable<Uint8Array> | null
}

const extensions: Extensions = Object.freeze({
  'http.response.early_hint': Object.freeze({}),
  'http.response.trailers': Object.freeze({}),
  'http.response.debug': Object.freeze({}),
  'tsgi.request.trailers': Object.freeze({}),
  ...fileExtensions,
})

const webSocketExtensions: Extensions = Object.freeze({ 'websocket.http.response': Object.freeze({}) })

/** Makes of `fetch`'s arguments what a protocol would have read. `path` may be an absolute URL. */
export async function testRequest(path: string, init: TestRequestInit, cookies: (path: string) => string): Promise<TestRequest> {
  const target = targetOf(path)
  const fields = new Fields(init.headers, target, cookies)
  fields.add('te', 'trailers')

  let body: AsyncIterable<Uint8Array> | null = null
  if (init.body !== undefined && isAsyncIterable(init.body)) {
    body = chunks(init.body)
    if (!fields.has('content-length')) fields.pairs.push(['transfer-encoding', 'chunked'])
  } else if (init.body !== undefined && init.body !== null) {
    const whole = new Response(init.body)
    const type = whole.headers.get('content-type')
    const bytes = Buffer.from(await whole.arrayBuffer())
    if (type !== null) fields.add('content-type', type)
    fields.add('content-length', String(bytes.length))
    body = chunks([bytes])
  }
  return {
    head: {
      ...headOf(target),
      method: (init.method ?? 'GET').toUpperCase(),
      scheme: target.secure ? 'https' : 'http',
      headers: headerList(fields.pairs),
      extensions,
    },
    body,
  }
}

/** Makes of the arguments of `websocket` what a protocol would have read of a handshake. `path` may be an absolute URL. */
export function testHandshake(path: string, init: TestWebSocketInit, cookies: (path: string) => string): WebSocketRequestHead {
  const target = targetOf(path)
  const fields = new Fields(init.headers, target, cookies)
  const offered = fields.pairs.filter(([name]) => name.toLowerCase() === 'sec-websocket-protocol').flatMap(([, value]) => value.split(/[ \t]*,[ \t]*/))
  const subprotocols = [...init.subprotocols ?? offered]
  fields.add('connection', 'Upgrade')
  fields.add('upgrade', 'websocket')
  fields.add('sec-websocket-version', '13')
  // The key of RFC 6455 1.3.
  fields.add('sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ==')
  if (subprotocols.length > 0) fields.add('sec-websocket-protocol', subprotocols.join(', '))
  return {
    ...headOf(target),
    scheme: target.secure ? 'wss' : 'ws',
    headers: headerList(fields.pairs),
    subprotocols,
    extensions: webSocketExtensions,
  }
}

interface Target {
  readonly url: URL
  readonly secure: boolean
  readonly rawPath: string
  readonly queryString: string
}

function targetOf(path: string): Target {
  const url = new URL(path, 'http://localhost')
  // The path as given, not as URL tidies it up, so that odd ones can be tested.
  const target = path.startsWith('/') && /^[!-~]*$/.test(path) ? path.split('#', 1)[0] ?? '/' : path === '*' ? '*' : url.pathname + url.search
  const query = target.indexOf('?')
  return {
    url,
    secure: url.protocol === 'https:' || url.protocol === 'wss:',
    rawPath: query < 0 ? target : target.slice(0, query),
    queryString: query < 0 ? '' : target.slice(query + 1),
  }
}

/** What the heads of both kinds share. */
function headOf({ url, secure, rawPath, queryString }: Target): {
  readonly httpVersion: '1.1'
  readonly rawPath: string
  readonly queryString: string
  readonly client: Address
  readonly server: Address
} {
  return {
    httpVersion: '1.1',
    rawPath,
    queryString,
    client: ['127.0.0.1', 50000],
    server: [url.hostname, Number(url.port) || (secure ? 443 : 80)],
  }
}

/** The fields of a request: those that the test gave, and those that a client adds where they are missing. */
class Fields {
  readonly pairs: HeaderPair[]

  constructor(given: HeadersInput | Record<string, string> = [], target: Target, cookies: (path: string) => string) {
    this.pairs = Symbol.iterator in given ? [...given] : Object.entries(given)
    if (!this.has('host')) this.pairs.unshift(['host', target.url.host])
    const cookie = cookies(target.rawPath)
    if (cookie !== '') this.add('cookie', cookie)
  }

  has(name: string): boolean {
    return this.pairs.some(([each]) => each.toLowerCase() === name)
  }

  /** Adds a field unless there is one of that name. */
  add(name: string, value: string): void {
    if (!this.has(name)) this.pairs.push([name, value])
  }
}

/** The parts as Buffers, which is what a socket gives. */
async function* chunks(parts: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  for await (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : Buffer.from(part.buffer, part.byteOffset, part.byteLength)
}

function isAsyncIterable(value: unknown): value is AsyncIterable<Uint8Array | string> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value && !(value instanceof Blob)
}
