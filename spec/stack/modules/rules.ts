/** Stacks for rules that are not those of chains; a header says which one answers. */
import { threadId } from 'node:worker_threads'
import { HttpError } from '../../../lib/contract/errors.ts'
import type { WsgiApplication } from '../../../lib/contract/wsgi.ts'
import type { Application } from '../../../lib/index.ts'
import {
  async, either, HttpResponse, neutral, pass, route, Stack, sync, TemplateResponse, type AsyncHttpRequest, type NeutralHttpRequest, type StackOptions, type SyncHttpRequest,
} from '../../../lib/stack/index.ts'
import { ThreadPool } from '../../../lib/threads/index.ts'
import { note } from './trace.ts'

export const pool: ThreadPool = new ThreadPool({ threads: 1 })

const constant = HttpResponse.text('always the same')
const toThread = sync((request, next) => next(request), 'toThread')
const toLoop = async(async (request, next) => next(request), 'toLoop')
const stay = neutral(function* (request) { return yield* pass(request) }, 'stay')

const sides = { thread: toThread, loop: toLoop, same: stay }

/** Has a value in the state that cannot cross. */
function spoil(request: { readonly state: Record<string, unknown> }): void {
  request.state['count'] = 1
  request.state['save'] = () => {}
}

const routes = [
  route('/where', () => HttpResponse.text(String(threadId))),
  route('/async', async () => HttpResponse.text(String(threadId))),
  route('/forgotten', ((): unknown => Promise.resolve(HttpResponse.text('late'))) as unknown as () => HttpResponse),
  route('/null', (() => null) as unknown as () => HttpResponse),
  route('/rejected', ((): unknown => Promise.reject(new Error('late'))) as unknown as () => HttpResponse),
  route('/constant', () => constant),
  route('/exit', (): HttpResponse => process.exit(3)),
  route('/template', (request: SyncHttpRequest) => new TemplateResponse<unknown>((context) => JSON.stringify(context), request.query.has('bad') ? { save: () => {} } : { a: 1 })),
  route('/bytes', function* (request: NeutralHttpRequest) { return HttpResponse.text(yield* request.text()) }),
  route('/yields', function* (request: NeutralHttpRequest) {
    return (yield request.text() as never) as HttpResponse
  }),
  route('/throws/:what', (request: SyncHttpRequest) => {
    const thrown: Record<string, unknown> = { text: 'a text', nothing: undefined, object: { save: () => {} }, coded: Object.assign(new RangeError('far'), { code: 'EFAR' }) }
    throw thrown[request.params['what'] ?? '']
  }),
  route('/loose/:name', async (request: AsyncHttpRequest) => HttpResponse.json(request.params)),
  route('/either', function* () {
    return HttpResponse.text(yield* either(() => 'sync', async () => 'async'))
  }),
]

const log: StackOptions['log'] = (level, message, error) => note(`log ${level} ${message}${error instanceof Error ? ` (${error.message})` : ''}`)

function make(name: string, options: Partial<StackOptions>): readonly [string, Stack] {
  const stack = new Stack({ module: import.meta.url, export: name, pool, middleware: [], routes, log, ...options })
    .on('requestStarted', () => note('started'))
    .on('requestFinished', () => note('finished'))
    .on('gotRequestException', (_request, error) => note(`failed ${(Object(error) as Error).message ?? String(error)}`))
  return [name, stack]
}

/** A layer of each kind that passes a request on twice. */
const twice = {
  sync: sync((request, next) => {
    next(request)
    return next(request)
  }, 'twice'),
  async: async(async (request, next) => {
    await next(request)
    return next(request)
  }, 'twice'),
  neutral: neutral(function* (request) {
    yield* pass(request)
    return yield* pass(request)
  }, 'twice'),
}

const told = (error: unknown): HttpResponse => HttpResponse.json([(error as Error).name, (error as Error).message, (error as { code?: string }).code ?? null])

const all: readonly (readonly [string, Stack])[] = [
  make('plain', {}),
  make('described', {
    middleware: [
      async(async (request, next) => next(request), 'sessions'),
      sync((request, next) => next(request), 'legacy'),
      sync((request, next) => next(request), 'database'),
      neutral(function* (request) { return yield* pass(request) }, 'headers'),
      sync((request, next) => next(request), 'audit'),
    ],
    routes: [route('/', async () => HttpResponse.text('home'))],
    debug: true,
  }),
  ...(['sync', 'async', 'neutral'] as const).map((kind) => make(`twice-${kind}`, { middleware: [twice[kind]] })),
  ...(['thread', 'loop', 'same'] as const).flatMap((above) => (['thread', 'loop', 'same'] as const).map((beneath) => make(`spoil-${above}-${beneath}`, {
    middleware: [
      sides[above],
      neutral(function* (request) {
        spoil(request)
        return yield* pass(request)
      }, 'spoils'),
      sides[beneath],
    ],
  }))),
  make('told', {
    middleware: [
      sync({ processException: (_request, error) => told(error) }, 'tells'),
      neutral(function* (request) { return yield* pass(request) }, 'above'),
    ],
  }),
  make('told-async', { middleware: [async({ processException: async (_request, error) => told(error) }, 'tells')] }),
  make('layer-template', {
    middleware: [neutral(function* () {
      return new TemplateResponse(() => 'unrendered', null)
    }, 'short')],
  }),
  make('pages', {
    errorPages: {
      404: (request) => HttpResponse.text(`no ${request.path}`, { status: 404 }),
      400: () => { throw new Error('the page') },
      403: (() => undefined) as unknown as () => HttpResponse,
      500: () => new TemplateResponse(() => 'sorry', null, { status: 500 }),
      429: () => HttpResponse.text('slow down', { status: 429, headers: [['x-page', '1']] }),
      413: () => new TemplateResponse(() => { throw new Error('rendering the page') }, null, { status: 413 }),
    },
    routes: [...routes, route('/status/:code', (request: SyncHttpRequest) => { throw Object.assign(new Error('told'), { code: 'ERR_TSGI_HTTP', status: Number(request.params['code']) }) }), route('/fields/:code', (request: SyncHttpRequest) => {
      throw new HttpError(Number(request.params['code']), 'told', { headers: request.query.get('bad') === null ? { 'Retry-After': '7', 'Content-Type': 'text/x' } : { 'retry after': '7' } })
    })],
  }),
  make('debug', { debug: true }),
]

const stacks: ReadonlyMap<string, Stack> = new Map(all)

function of(name: unknown): Stack {
  return stacks.get(String(name)) as Stack
}

const apps = new Map<string, Application>()
export const app: Application = async (scope, receive, send) => {
  if (scope.type !== 'http') return
  const name = scope.headers.get('x-stack') ?? ''
  const found = apps.get(name) ?? of(name).toAsync()
  apps.set(name, found)
  await found(scope, receive, send)
}

const wsgis = new Map<string, WsgiApplication>()
export const wsgi: WsgiApplication = (environ, startResponse) => {
  const name = String(environ['HTTP_X_STACK'])
  const found = wsgis.get(name) ?? of(name).toSync()
  wsgis.set(name, found)
  return found(environ, startResponse)
}

export function described(name: string, home: 'sync' | 'async'): string {
  return of(name).describe(home)
}
