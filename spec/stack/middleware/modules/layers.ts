/** Stacks with ready-made layers; a header says which one answers. */
import { threadId } from 'node:worker_threads'
import { PermissionDenied } from '../../../../lib/contract/errors.ts'
import type { WsgiApplication } from '../../../../lib/contract/wsgi.ts'
import type { Application } from '../../../../lib/index.ts'
import {
  async, either, HttpResponse, neutral, pass, route, Stack, sync, type AsyncHttpRequest, type Layer, type NeutralHttpRequest, type Route, type StackOptions, type SyncHttpRequest,
} from '../../../../lib/stack/index.ts'
import { bodyLimit, cors, rateLimit, requestId, securityHeaders, serverTiming, timing, trustedHosts } from '../../../../lib/stack/middleware/index.ts'
import { ThreadPool } from '../../../../lib/threads/index.ts'
import { gate, note } from '../../modules/trace.ts'

export const pool: ThreadPool = new ThreadPool({ threads: 2 })

const toThread = sync((request, next) => next(request), 'toThread')
const toLoop = async(async (request, next) => next(request), 'toLoop')
const stay = neutral(function* (request) { return yield* pass(request) }, 'stay')

/** Layers that put what is beneath them on one side. */
export type Side = 'thread' | 'loop' | 'same'
const sides: Readonly<Record<Side, Layer>> = { thread: toThread, loop: toLoop, same: stay }

const own = {
  'content-security-policy': "default-src 'none'", 'referrer-policy': 'no-referrer', 'x-frame-options': 'DENY', 'strict-transport-security': 'max-age=0',
  'access-control-allow-origin': 'https://own.example', 'vary': 'accept-encoding, Origin', 'server-timing': 'view;dur=1',
}

const routes: readonly Route[] = [
  route('/text', function* () { return HttpResponse.text('text') }),
  route('/own', function* () { return HttpResponse.text('own', { headers: own }) }),
  route('/vary', function* () { return HttpResponse.text('vary', { headers: { vary: '*' } }) }),
  route('/fails', () => { throw new RangeError('too far') }),
  route('/denied', async () => { throw new PermissionDenied() }),
  route('/state/sync', (request) => HttpResponse.json(request.state), 'sync'),
  route('/state/async', async (request) => HttpResponse.json(request.state)),
  route('/host', function* (request: NeutralHttpRequest) { return HttpResponse.text(request.host) }),
  route('/gate', () => {
    note('view')
    gate()
    return HttpResponse.text(String(threadId))
  }),
  route('/unread', function* () { return HttpResponse.text('unread') }),
  route('/bytes/sync', (request: SyncHttpRequest) => HttpResponse.json(request.bytes().length)),
  route('/bytes/async', async (request: AsyncHttpRequest) => HttpResponse.json((await request.bytes()).length)),
  route('/form/sync', (request: SyncHttpRequest) => HttpResponse.json(request.form().files[0]?.size)),
  route('/form/async', async (request: AsyncHttpRequest) => HttpResponse.json((await request.form()).files[0]?.size)),
  route('/chunks/sync', (request: SyncHttpRequest) => {
    let count = 0
    for (const chunk of request.chunks()) note(`chunk ${count += chunk.length}`)
    return HttpResponse.json(count)
  }),
  route('/chunks/async', async (request: AsyncHttpRequest) => {
    let count = 0
    for await (const chunk of request.chunks()) note(`chunk ${count += chunk.length}`)
    return HttpResponse.json(count)
  }),
  // One who goes on after the error.
  route('/stubborn', function* (request: NeutralHttpRequest) {
    const reader = request.chunks()
    for (let i = 0; i < 4; i++) {
      try {
        note(`chunk ${(yield* reader.next())?.length}`)
      } catch (error) {
        note((error as Error).message)
      }
    }
    return HttpResponse.text('done')
  }),
  route('/timed/sync', (request: SyncHttpRequest) => {
    timing(request).add('view', 2)
    return HttpResponse.text('timed')
  }),
  route('/timed/async', async (request: AsyncHttpRequest) => {
    timing(request).add('view', 2)
    return HttpResponse.text('timed')
  }),
]

/** Reads the body before the layers beneath it do. */
const reads = neutral(function* (request) {
  yield* request.bytes()
  return yield* pass(request)
}, 'reads')

const timed = neutral(function* (request) {
  const timings = timing(request)
  timings.add('cache', null, 'a "hit" \\ é\r\nset-cookie: a=b')
  const stop = timings.start('beneath')
  const response = yield* pass(request)
  stop()
  stop()
  yield* either(() => {}, async () => {})
  return response
}, 'timed')

const log: StackOptions['log'] = (level, message) => note(`log ${level} ${message}`)
const stacks = new Map<string, Stack>()

function make(name: string, middleware: readonly Layer[], options: Partial<StackOptions> = {}): void {
  stacks.set(name, new Stack({ module: import.meta.url, export: name, pool, middleware, routes, log, ...options }))
}

make('secure', [securityHeaders()])
make('secure-own', [securityHeaders({
  contentSecurityPolicy: ({ state }) => typeof state['nonce'] === 'string' ? `script-src 'nonce-${state['nonce']}'` : false,
  contentSecurityPolicyReportOnly: "default-src 'self'",
  xFrameOptions: false,
  permissionsPolicy: 'camera=()',
  crossOriginEmbedderPolicy: 'require-corp',
}), neutral(function* nonce(request) {
  if (request.query.has('nonce')) request.state['nonce'] = 'abc'
  return yield* pass(request)
})])

make('cors-any', [cors({ origins: '*' })])
make('cors-any-more', [cors({ origins: '*', methods: '*', headers: '*', exposedHeaders: '*', maxAge: 60 })])
make('cors-list', [cors({ origins: ['https://a.example', 'http://localhost:3000', 'null'], methods: ['PUT', 'DELETE'], headers: ['x-one', 'content-type'], exposedHeaders: ['x-two', 'x-three'] })])
make('cors-credentials', [cors({ origins: ['https://a.example'], credentials: true, methods: ['PUT'] })])
make('cors-function', [cors({ origins: (origin, { path }) => origin.endsWith('.example') && path === '/text' })])
make('cors-refusing', [cors({ origins: ['https://a.example'] }), trustedHosts(['a.example'])])

make('id', [requestId()])
make('id-trusted', [requestId({ trusted: ({ headers }) => headers.has('x-trusted'), header: 'X-Correlation-Id' })])
make('id-made', [requestId({ trusted: true, make: () => 'made' })])
make('id-bad', [requestId({ make: () => 'a b' })])

make('hosts', [trustedHosts(['example.com', '.both.example', '*.sub.example', 'port.example:8443', 'secure.example:443', '127.0.0.1', '[::1]', 'XN--bcher-kva.example'], { exempt: ({ path }) => path === '/state/sync' })])
make('hosts-any', [trustedHosts(['*'])])

for (const above of ['thread', 'loop', 'same'] as const) {
  for (const beneath of ['thread', 'loop', 'same'] as const) make(`limit-${above}-${beneath}`, [sides[above], bodyLimit(10), sides[beneath]], { limits: { bodySize: 20 } })
  make(`limit-late-${above}`, [reads, sides[above], bodyLimit(10)], { limits: { bodySize: 0 } })
}
make('limit-twice', [bodyLimit(10), bodyLimit(20)])
make('limit-loose', [bodyLimit(100)], { limits: { bodySize: 20 } })

const byHeader = (request: AsyncHttpRequest): string | null => request.headers.get('x-key') ?? null
make('rate', [rateLimit({ limit: 3, window: 3600, key: byHeader })])
make('rate-client', [rateLimit({ limit: 1, window: 3600 })])
make('rate-beneath', [toThread, rateLimit({ limit: 3, window: 3600, key: byHeader })])
make('rate-two', [
  rateLimit({ limit: 100, window: 3600, key: byHeader, name: 'hourly' }),
  rateLimit({ limit: 1, window: 60, key: byHeader, name: 'burst', response: (_request, seconds) => HttpResponse.json({ seconds }) }),
])
make('rate-silent', [rateLimit({ limit: 1, window: 1, key: byHeader, headers: false })])

make('timing', [serverTiming({ enabled: true }), timed])
make('timing-thread', [serverTiming({ enabled: true }), toThread, timed])
make('timing-loop', [serverTiming({ enabled: true }), toLoop, timed])
make('timing-debug', [serverTiming(), timed], { debug: true })
make('timing-off', [serverTiming(), timed])
make('timing-some', [serverTiming({ enabled: ({ query }) => query.has('timing') }), timed])
make('timing-wrong', [serverTiming({ enabled: true }), neutral(function* wrong(request) {
  timing(request).add('a b')
  return yield* pass(request)
})])

const apps = new Map<string, Application>()
export const app: Application = async (scope, receive, send) => {
  if (scope.type !== 'http') return
  const name = scope.headers.get('x-stack') ?? ''
  const found = apps.get(name) ?? (stacks.get(name) as Stack).toAsync()
  apps.set(name, found)
  await found(scope, receive, send)
}

const wsgis = new Map<string, WsgiApplication>()
export const wsgi: WsgiApplication = (environ, startResponse) => {
  const name = String(environ['HTTP_X_STACK'])
  const found = wsgis.get(name) ?? (stacks.get(name) as Stack).toSync()
  wsgis.set(name, found)
  return found(environ, startResponse)
}

export function described(name: string, home: 'sync' | 'async'): string {
  return (stacks.get(name) as Stack).describe(home)
}
