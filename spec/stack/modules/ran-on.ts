/** A stack that says where its parts ran, and notes it in another way too; the same that says nothing; one whose names are odd. */
import type { WsgiApplication } from '../../../lib/contract/wsgi.ts'
import type { Application } from '../../../lib/index.ts'
import {
  async, HttpResponse, neutral, pass, route, Stack, sync, TemplateResponse,
  type HttpRequest, type Layer, type NeutralHttpRequest, type Route, type SyncHttpRequest,
} from '../../../lib/stack/index.ts'
import { ThreadPool } from '../../../lib/threads/index.ts'
import { note } from './trace.ts'

export const pool: ThreadPool = new ThreadPool({ threads: 1 })

/** What the query has a part do: `do=throw-NAME`, `do=late-NAME`, `do=answer-NAME`. */
function runs(request: HttpRequest, name: string): HttpResponse | null {
  note(name)
  const asked = request.query.get('do')
  if (asked === `throw-${name}`) throw new Error(name)
  if (asked === `replace-${name}`) request.state = { mine: true }
  return asked === `answer-${name}` ? HttpResponse.text(name) : null
}

function leaves(request: HttpRequest, name: string, response: HttpResponse): HttpResponse {
  if (request.query.get('do') === `late-${name}`) throw new Error(name)
  return response
}

const layers: readonly Layer[] = [
  neutral(function* (request) { return runs(request, 'outer') ?? leaves(request, 'outer', yield* pass(request)) }, 'outer'),
  async(async (request, next) => runs(request, 'session') ?? leaves(request, 'session', await next(request)), 'session'),
  async({ async processException(request) { return runs(request, 'handler') ?? undefined } }, 'handler'),
  sync((request, next) => runs(request, 'legacy') ?? leaves(request, 'legacy', next(request)), 'legacy'),
  neutral(function* (request) { return runs(request, 'inner') ?? leaves(request, 'inner', yield* pass(request)) }, 'inner'),
  neutral({ *processTemplateResponse(request, response) {
    note('context')
    response.context = request.rootPath
    return response
  } }, 'context'),
]

const routes: readonly Route[] = [
  route('/sync/:id', (request: SyncHttpRequest) => runs(request, '/sync/:id') ?? HttpResponse.text('sync')),
  route('/async/*rest', async (request) => runs(request, '/async/*rest') ?? HttpResponse.text('async')),
  route('/neutral', function* (request: NeutralHttpRequest) { return runs(request, '/neutral') ?? HttpResponse.text('neutral') }),
  route('/template', (request: SyncHttpRequest) => runs(request, '/template') ?? new TemplateResponse(() => 'template', null)),
  route('/stream', async (request) => runs(request, '/stream') ?? new HttpResponse(lines())),
]

async function* lines(): AsyncGenerator<string> {
  yield* ['a', 'b']
}

const options = { module: import.meta.url, pool, log: () => {} }
const through = (name: string): Layer => neutral(function* (request) { return yield* pass(request) }, name)
const stacks = {
  debug: new Stack({ ...options, export: 'debug', debug: true, middleware: layers, routes }),
  quiet: new Stack({ ...options, export: 'quiet', middleware: layers, routes }),
  odd: new Stack({
    ...options,
    export: 'odd',
    debug: true,
    middleware: ['a b', 'x=1, y=2', 'line\r\nset-cookie: evil=1', 'größe', '\ud800 100%', '', 'tab\t"quoted"'].map(through),
    routes: [route('/ä b/:id', (_request: SyncHttpRequest) => HttpResponse.text('odd'))],
  }),
  twin: new Stack({ ...options, export: 'twin', debug: true, middleware: [through('same'), through('same')], routes }),
}

type Name = keyof typeof stacks
const named = (name: unknown): Name => (name ?? 'debug') as Name
const apps = { debug: stacks.debug.toAsync(), quiet: stacks.quiet.toAsync(), odd: stacks.odd.toAsync(), twin: stacks.twin.toAsync() }
const callables = { debug: stacks.debug.toSync(), quiet: stacks.quiet.toSync(), odd: stacks.odd.toSync(), twin: stacks.twin.toSync() }
export const app: Application = async (scope, receive, send) => apps[named(scope.type === 'http' ? scope.headers.get('x-stack') : undefined)](scope, receive, send)
export const wsgi: WsgiApplication = (environ, startResponse) => callables[named(environ['HTTP_X_STACK'])](environ, startResponse)
