/** Stacks with the layers that compress, answer conditions, keep sessions and refuse forgeries; a header says which one answers. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { WsgiApplication } from '../../../../lib/contract/wsgi.ts'
import type { Application } from '../../../../lib/index.ts'
import { async, either, HttpResponse, neutral, pass, route, Stack, sync, type AsyncHttpRequest, type HttpRequest, type Layer, type LayerFactory, type NeutralHttpRequest, type Route, type SyncHttpRequest } from '../../../../lib/stack/index.ts'
import { compression, conditional, csrf, csrfInput, csrfToken, renewCsrf, session, sessions } from '../../../../lib/stack/middleware/index.ts'
import { ThreadPool } from '../../../../lib/threads/index.ts'
import { note } from '../../modules/trace.ts'

export const pool: ThreadPool = new ThreadPool({ threads: 1 })

export const KEY = 'the first key, of more than 32 bytes'
export const NEW_KEY: Buffer = Buffer.alloc(32, 7)

const toThread = sync((request, next) => next(request), 'toThread')
const toLoop = async(async (request, next) => next(request), 'toLoop')

/** Does what the query says: `do=set:NAME:VALUE`, `do=renew`, … */
function act(request: HttpRequest): HttpResponse {
  note('view')
  const given: string[] = []
  for (const what of request.query.getAll('do')) {
    const [verb, name = '', value = ''] = what.split(':')
    if (verb === 'set') session(request).set(name, value)
    if (verb === 'fill') session(request).set(name, 'x'.repeat(Number(value)))
    if (verb === 'push') (session(request).get(name) as string[]).push(value)
    if (verb === 'list') session(request).set(name, [])
    if (verb === 'delete') session(request).delete(name)
    if (verb === 'clear') session(request).clear()
    if (verb === 'renew') session(request).renew()
    if (verb === 'id') given.push(session(request).id)
    if (verb === 'has') given.push(String(session(request).has(name)))
    if (verb === 'get') given.push(JSON.stringify([...session(request)]))
    if (verb === 'token') given.push(csrfToken(request))
    if (verb === 'input') given.push(csrfInput(request))
    if (verb === 'renewCsrf') renewCsrf(request)
    if (verb === 'fail') throw new Error('as asked')
    if (verb === 'function') session(request).set(name, () => {})
  }
  const response = HttpResponse.text(given.join('\n'))
  const cache = request.query.get('cache')
  if (cache !== null) response.headers.set('cache-control', cache)
  return response
}

/** A response as the query says. */
function made(request: HttpRequest): HttpResponse {
  note('view')
  const { query } = request
  const body = query.get('empty') === null ? 'compress me, '.repeat(Number(query.get('times') ?? 1000)) : null
  const response = new HttpResponse(body, { status: Number(query.get('status') ?? 200), contentType: query.get('type') ?? 'text/plain' })
  for (const field of query.getAll('field')) {
    const at = field.indexOf(':')
    response.headers.append(field.slice(0, at), field.slice(at + 1))
  }
  return response
}

function* pieces(request: HttpRequest): Generator<string | Uint8Array> {
  const count = Number(request.query.get('count') ?? 3)
  const size = Number(request.query.get('size') ?? 0)
  const fails = Number(request.query.get('fails') ?? -1)
  try {
    for (let i = 0; i < count; i++) {
      if (i === fails) throw new Error('a piece')
      note(`piece ${i}`)
      yield size === 0 ? `piece ${i}, grün\n` : Buffer.alloc(size, `piece ${i} `)
      if (i === 0) yield ''
    }
    note('whole')
  } finally {
    note('over')
  }
}

async function* slowly(request: HttpRequest): AsyncGenerator<string | Uint8Array> {
  yield* pieces(request)
}

/** Waits for ever; it notes that it is told to end. */
function endless(): AsyncIterable<string> {
  let count = 0
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => count++ === 0 ? Promise.resolve({ done: false, value: 'the first' }) : new Promise(() => {}),
      return: async () => {
        note('returned')
        return { done: true, value: undefined }
      },
    }),
  }
}

function streamed(request: HttpRequest, stream: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>): HttpResponse {
  const response = new HttpResponse(stream, { contentType: request.query.get('type') ?? 'text/plain' })
  const etag = request.query.get('etag')
  if (etag !== null) response.headers.set('etag', etag)
  response.onClose(() => note('closed'))
  return response
}

const routes: readonly Route[] = [
  route('/act/sync', (request: SyncHttpRequest) => act(request)),
  route('/act/async', async (request: AsyncHttpRequest) => act(request)),
  route('/act/neutral', function* (request: NeutralHttpRequest) { return act(request) }),
  route('/form/sync', (request: SyncHttpRequest) => HttpResponse.text(request.form().get('text') ?? '')),
  route('/form/async', async (request: AsyncHttpRequest) => HttpResponse.text((await request.form()).get('text') ?? '')),
  route('/hooks/:name', async (request: AsyncHttpRequest) => act(request)),
  route('/made/sync', (request: SyncHttpRequest) => made(request)),
  route('/made/async', async (request: AsyncHttpRequest) => made(request)),
  route('/stream/sync', (request: SyncHttpRequest) => streamed(request, pieces(request))),
  route('/stream/async', async (request: AsyncHttpRequest) => streamed(request, slowly(request))),
  route('/endless', async (request: AsyncHttpRequest) => streamed(request, endless())),
  route('/file', (request: SyncHttpRequest) => HttpResponse.file(request.query.get('path') ?? '')),
]

/** Puts something into the session, on its way down and up. */
const sets = (kind: 'sync' | 'async'): Layer => kind === 'sync'
  ? sync((request, next) => {
      session(request).set('sync', 'down')
      const response = next(request)
      session(request).set('syncUp', [...session(request)].length)
      return response
    }, 'setsSync')
  : async(async (request, next) => {
      session(request).set('async', 'down')
      const response = await next(request)
      session(request).set('asyncUp', [...session(request)].length)
      return response
    }, 'setsAsync')

const revokedIds = process.env['TSGI_SPEC_REVOKED'] ?? ''

const lists: Readonly<Record<string, readonly (Layer | LayerFactory)[]>> = {
  session: [sessions({ keys: KEY })],
  rotated: [sessions({ keys: [NEW_KEY, KEY] })],
  retired: [sessions({ keys: [NEW_KEY] })],
  short: [sessions({ keys: KEY, maxAge: 100, lifetime: 1000 })],
  fixed: [sessions({ keys: KEY, maxAge: 100, lifetime: 0, sliding: false, persistent: false, cookie: 'sid', secure: true, sameSite: 'strict', path: '/act' })],
  mixed: [sessions({ keys: KEY }), sets('sync'), toLoop, sets('async'), toThread],
  revoking: [sessions({
    keys: KEY,
    *revoked({ id }) {
      return (yield* either(() => readFileSync(revokedIds, 'utf8'), () => readFile(revokedIds, 'utf8'))).split('\n').includes(id)
    },
  })],
  promising: [sessions({ keys: KEY, revoked: (async () => false) as unknown as () => boolean })],
  none: [],
  lost: [sessions({ keys: KEY }), neutral(function* loses(request) {
    request.state = {}
    return yield* pass(request)
  })],
  csrf: [sessions({ keys: KEY }), csrf({ trustedOrigins: ['https://other.example', 'https://*.trusted.example'], exempt: ['/hooks/:name'] })],
  cookie: [csrf({ keys: KEY, bound: (request) => request.headers.get('x-user') ?? '', field: 'token', header: 'x-token' }), toThread],
  keyless: [csrf()],
  compression: [compression()],
  gzip: [compression({ encodings: ['gzip'], minSize: 0, gzipLevel: 1, types: /^image\/png$/g })],
  wrapped: [toThread, compression(), toLoop],
  unwrapped: [toLoop, compression(), toThread],
  both: [compression(), conditional()],
  upside: [conditional(), compression()],
  conditional: [conditional()],
  strong: [conditional({ etag: 'strong' })],
  without: [conditional({ etag: false })],
}

const stacks: ReadonlyMap<string, Stack> = new Map(Object.entries(lists).map(([name, middleware]) => [
  name,
  new Stack({ module: import.meta.url, export: name, pool, middleware, routes, log: (level, message) => note(`log ${level} ${message}`) }),
]))

function chosen<T>(make: (stack: Stack) => T): (name: string) => T {
  const known = new Map<string, T>()
  return (name) => {
    const found = known.get(name) ?? make(stacks.get(name) as Stack)
    known.set(name, found)
    return found
  }
}

const asyncOf = chosen((stack) => stack.toAsync())
const syncOf = chosen((stack) => stack.toSync())

export const app: Application = async (scope, receive, send) => {
  if (scope.type === 'http') await asyncOf(scope.headers.get('x-stack') ?? '')(scope, receive, send)
}

export const wsgi: WsgiApplication = (environ, startResponse) => syncOf(String(environ['HTTP_X_STACK']))(environ, startResponse)
