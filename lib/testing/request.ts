import { headerList, type HeaderPair, type HeadersInput } from '../contract/headers.ts'
import type { Extensions } from '../contract/scope.ts'
import type { HttpRequestHead } from '../exchange/scope.ts'

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
})

/** Makes of `fetch`'s arguments what a protocol would have read. `path` may be an absolute URL. */
export async function testRequest(path: string, init: TestRequestInit, cookies: (path: string) => string): Promise<TestRequest> {
  const url = new URL(path, 'http://localhost')
  // The path as given, not as URL tidies it up, so that odd ones can be tested.
  const target = path.startsWith('/') && /^[!-~]*$/.test(path) ? path.split('#', 1)[0] ?? '/' : path === '*' ? '*' : url.pathname + url.search
  const query = target.indexOf('?')
  const rawPath = query < 0 ? target : target.slice(0, query)

  const given = init.headers ?? []
  const pairs: HeaderPair[] = Symbol.iterator in given ? [...given] : Object.entries(given)
  const has = (name: string): boolean => pairs.some(([each]) => each.toLowerCase() === name)
  if (!has('host')) pairs.unshift(['host', url.host])
  if (!has('te')) pairs.push(['te', 'trailers'])
  const cookie = cookies(rawPath)
  if (cookie !== '' && !has('cookie')) pairs.push(['cookie', cookie])

  let body: AsyncIterable<Uint8Array> | null = null
  if (init.body !== undefined && isAsyncIterable(init.body)) {
    body = chunks(init.body)
    if (!has('content-length')) pairs.push(['transfer-encoding', 'chunked'])
  } else if (init.body !== undefined && init.body !== null) {
    const whole = new Response(init.body)
    const type = whole.headers.get('content-type')
    const bytes = Buffer.from(await whole.arrayBuffer())
    if (type !== null && !has('content-type')) pairs.push(['content-type', type])
    if (!has('content-length')) pairs.push(['content-length', String(bytes.length)])
    body = chunks([bytes])
  }
  return {
    head: {
      httpVersion: '1.1',
      method: (init.method ?? 'GET').toUpperCase(),
      scheme: url.protocol.slice(0, -1),
      rawPath,
      queryString: query < 0 ? '' : target.slice(query + 1),
      headers: headerList(pairs),
      client: ['127.0.0.1', 50000],
      server: [url.hostname, Number(url.port) || (url.protocol === 'https:' ? 443 : 80)],
      extensions,
    },
    body,
  }
}

/** The parts as Buffers, which is what a socket gives. */
async function* chunks(parts: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  for await (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : Buffer.from(part.buffer, part.byteOffset, part.byteLength)
}

function isAsyncIterable(value: unknown): value is AsyncIterable<Uint8Array | string> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value && !(value instanceof Blob)
}
