/** Stacks of two layers, of every mixture, whose views stream. A sync or async layer wraps the body if the query has `wrap`. */
import { setImmediate } from 'node:timers/promises'
import type { WsgiApplication } from '../../../lib/contract/wsgi.ts'
import type { Application } from '../../../lib/index.ts'
import {
  async, HttpResponse, neutral, pass, route, Stack, sync,
  type AsyncHttpRequest, type HttpRequest, type Layer, type NeutralHttpRequest, type ResponseStream, type SyncHttpRequest,
} from '../../../lib/stack/index.ts'
import { ThreadPool } from '../../../lib/threads/index.ts'
import { gate, note } from './trace.ts'

export const pool: ThreadPool = new ThreadPool({ threads: 1 })

type Piece = Uint8Array | string

function* wrapSync(stream: Iterable<Piece>, index: number): Generator<Piece, void, void> {
  try {
    yield `<${index}>`
    yield* stream
    yield `</${index}>`
  } finally {
    note(`unwrapped ${index}`)
  }
}

async function* wrapAsync(stream: ResponseStream, index: number): AsyncGenerator<Piece, void, void> {
  try {
    yield `<${index}>`
    yield* stream
    yield `</${index}>`
  } finally {
    note(`unwrapped ${index}`)
  }
}

function closing(request: HttpRequest, response: HttpResponse, index: number): HttpResponse {
  if (request.query.has('closers')) response.onClose(() => note(`closed by ${index}`))
  return response
}

const layers: Readonly<Record<string, (index: number) => Layer>> = {
  n: (index) => neutral(function* (request) {
    return closing(request, yield* pass(request), index)
  }, `n${index}`),
  s: (index) => sync((request, next) => {
    const response = next(request)
    const { stream } = response
    if (request.query.has('wrap') && stream !== null) response.stream = wrapSync(stream as Iterable<Piece>, index)
    return closing(request, response, index)
  }, `s${index}`),
  a: (index) => async(async (request, next) => {
    const response = await next(request)
    const { stream } = response
    if (request.query.has('wrap') && stream !== null) response.stream = wrapAsync(stream, index)
    return closing(request, response, index)
  }, `a${index}`),
}

/** What a request asks for: so many pieces of so many bytes, and where to fail. */
function orders({ query }: HttpRequest): { readonly pieces: number; readonly size: number; readonly failAt: number; readonly gateAt: number } {
  const number = (name: string, otherwise: number): number => Number(query.get(name) ?? otherwise)
  return { pieces: number('pieces', 3), size: number('size', 4), failAt: number('failAt', -1), gateAt: number('gateAt', -1) }
}

/** A part of a larger buffer: whoever copies all of that notices. */
const large = Buffer.alloc(1024 * 1024, 'abcdefgh')

function piece(index: number, size: number): Uint8Array {
  note(`piece ${index}`)
  return large.subarray(index % 8, index % 8 + size)
}

function* pieces(request: HttpRequest): Generator<Piece, void, void> {
  const { pieces, size, failAt, gateAt } = orders(request)
  note('begun')
  try {
    for (let i = 0; i < pieces; i++) {
      if (i === failAt) throw new Error(`at piece ${i}`)
      if (i === gateAt) gate()
      yield piece(i, size)
    }
  } finally {
    note('ended')
  }
}

async function* piecesAsync(request: HttpRequest): AsyncGenerator<Piece, void, void> {
  const { pieces, size, failAt } = orders(request)
  note('begun')
  try {
    for (let i = 0; i < pieces; i++) {
      await setImmediate()
      if (i === failAt) throw new Error(`at piece ${i}`)
      yield piece(i, size)
    }
  } finally {
    note('ended')
  }
}

function answer(stream: ResponseStream): HttpResponse {
  const response = new HttpResponse(stream, { contentType: 'text/plain' })
  response.onClose(() => note('closed'))
  return response
}

const routes = [
  route('/sync', (request: SyncHttpRequest) => answer(pieces(request))),
  route('/async', async (request: AsyncHttpRequest) => answer(piecesAsync(request))),
  route('/loop', async (request: AsyncHttpRequest) => answer(pieces(request))),
  route('/wrong', (request: SyncHttpRequest) => answer(piecesAsync(request))),
  route('/neutral', function* (request: NeutralHttpRequest) { return answer(pieces(request)) }),
  route('/junk', () => answer([1 as unknown as string])),
  route('/echo-s', (request: SyncHttpRequest) => new HttpResponse(request.chunks(), { contentType: 'application/octet-stream' })),
  route('/echo-a', async (request: AsyncHttpRequest) => new HttpResponse(request.chunks(), { contentType: 'application/octet-stream' })),
  route('/file', () => HttpResponse.file(new URL(import.meta.url).pathname)),
  route('/wait', async (request: AsyncHttpRequest) => {
    const { signal } = request
    note('waiting')
    try {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new DOMException('over', { name: 'AbortError', cause: signal.reason } as never))))
    } finally {
      note(`aborted ${(signal.reason as Error).name}`)
    }
    return HttpResponse.text('never')
  }),
  route('/block', (request: SyncHttpRequest) => {
    note('blocked')
    gate()
    note(`read ${request.text()}`)
    return HttpResponse.text('free')
  }),
]

export const codes: readonly string[] = [...'nsa'].flatMap((first) => [...'nsa'].map((second) => first + second))

const stacks = new Map(codes.map((code) => [code, new Stack({
  module: import.meta.url,
  export: code,
  pool,
  middleware: Array.from(code, (kind, index) => (layers[kind] as (index: number) => Layer)(index)),
  routes,
  log: (level, message) => note(`log ${level} ${message}`),
})
  .on('requestFinished', () => note('finished'))
  .on('gotRequestException', (_request, error) => note(`failed ${(error as Error).message}`))]))

const apps = new Map(Array.from(stacks, ([code, stack]) => [code, stack.toAsync()]))
const wsgis = new Map(Array.from(stacks, ([code, stack]) => [code, stack.toSync()]))

export const app: Application = async (scope, receive, send) => {
  if (scope.type === 'http') await apps.get(scope.headers.get('x-chain') ?? '')?.(scope, receive, send)
}

export const wsgi: WsgiApplication = (environ, startResponse) => (wsgis.get(String(environ['HTTP_X_CHAIN'])) as WsgiApplication)(environ, startResponse)
