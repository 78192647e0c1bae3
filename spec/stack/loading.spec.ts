/** How a stack is loaded: layers and their factories, modes, modules and settings. What is wrong is said at load. */
import * as assert from 'uvu/assert'
import { fromWsgi } from '../../adapters/wsgi/index.ts'
import { InvalidStack, MiddlewareNotUsed } from '../../lib/contract/errors.ts'
import type { Application } from '../../lib/index.ts'
import {
  async, dual, HttpRequest, HttpResponse, Layer, neutral, pass, route, Stack, stackFromSettings, sync, TemplateResponse,
  type AsyncHttpRequest, type LayerFactory, type StackOptions, type SyncHttpRequest,
} from '../../lib/stack/index.ts'
import { testClient } from '../../lib/testing/index.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { inBothModes } from './both-modes.ts'
import { first, twins, unnamed } from './modules/two.ts'

const test = suite('loading a stack')
const url = new URL('./modules/two.ts', import.meta.url).href
const ok = async (): Promise<HttpResponse> => HttpResponse.text('ok')
const okSync = (): HttpResponse => HttpResponse.text('ok')

const passes = {
  neutral: (name: string) => neutral(function* (request) { return yield* pass(request) }, name),
  sync: (name: string) => sync((request, next) => next(request), name),
  async: (name: string) => async(async (request, next) => next(request), name),
}

function stackOf(middleware: readonly unknown[], options: Partial<StackOptions> = {}): Stack {
  return new Stack({ middleware: middleware as StackOptions['middleware'], routes: [route('/', ok)], log: () => {}, ...options })
}

function thrown(call: () => unknown): Error & { code?: string } {
  try {
    call()
  } catch (error) {
    return error as Error
  }
  throw new Error('expected it to throw')
}

async function answer(t: TestContext, app: Application, path = '/', init: { readonly method?: string; readonly body?: string | FormData } = {}): Promise<string> {
  const client = await testClient(app, { lifespan: false, raiseApplicationErrors: false })
  t.after(() => client.close())
  const response = await client.fetch(path, init)
  return `${response.status} ${await response.text()}`
}

/** The modes in which layers run, one letter each. */
function modesOf(stack: Stack, home: 'sync' | 'async'): string {
  return stack.describe(home).split('\n').slice(1, -1).map((line) => line.split(/ +/)[2]?.[0]).join('')
}

test('a layer that can run in neither mode is refused, with its neighbours and the remedy', () => {
  const error = thrown(() => stackOf([passes.async('above'), new Layer('nothing', null, null, null), passes.sync('beneath')]).toAsync())
  assert.instance(error, InvalidStack)
  assert.is(error.code, 'ERR_TSGI_STACK')
  assert.is(error.message, 'nothing can run in neither mode (layer 2 of 3, after above, before beneath): give it a sync or an async form')
  assert.match(thrown(() => stackOf([dual({}, 'empty')]).toSync()).message, 'empty can run in neither mode (layer 1 of 1)')
})

test('what is no layer, and a factory that gives nothing or no layer, is refused', () => {
  const table: readonly (readonly [unknown, string])[] = [
    [() => undefined, 'the factory made gave nothing (layer 2 of 3, after above, before beneath): expected what neutral, sync, async or dual gives'],
    [() => 'text', 'the factory made gave no layer (layer 2 of 3'],
    [async () => passes.sync('late'), 'the factory made gave a promise, which is not waited for (layer 2 of 3'],
    ['text', 'middleware[1] is no layer (layer 2 of 3, after above, before beneath)'],
    [undefined, 'middleware[1] is no layer'],
    [{ process() {} }, 'middleware[1] is no layer'],
  ]
  for (const [given, message] of table) {
    if (typeof given === 'function') Object.defineProperty(given, 'name', { value: 'made' })
    const error = thrown(() => stackOf([passes.async('above'), given, passes.async('beneath')]).toAsync())
    assert.instance(error, InvalidStack, message)
    assert.ok(error.message.startsWith(message), error.message)
  }
})

test('a factory that throws fails the load, each time; one that throws MiddlewareNotUsed is left out, and debug tells', async (t) => {
  let made = 0
  const failing: LayerFactory = () => {
    made++
    throw new RangeError('no database')
  }
  const stack = stackOf([failing])
  for (let i = 1; i <= 2; i++) {
    assert.is(thrown(() => stack.toAsync()).message, 'no database')
    assert.is(made, i)
  }
  const lines: string[] = []
  const unused = stackOf([
    function silent() { throw new MiddlewareNotUsed() },
    function wordy() { throw new MiddlewareNotUsed('not in production') },
    passes.async('stays'),
  ], { debug: true, log: (level, message) => lines.push(`${level} ${message}`) })
  assert.is(await answer(t, unused.toAsync()), '200 ok')
  assert.equal(lines, ['debug MiddlewareNotUsed: silent', 'debug MiddlewareNotUsed: wordy (not in production)'])
  assert.is(modesOf(unused, 'async'), 'a')
})

test('factories run once, when the stack is first asked for; nothing is current before all is', () => {
  let made = 0
  const stack = stackOf([() => {
    made++
    return passes.neutral('once')
  }])
  assert.is(made, 0)
  stack.toAsync()

  stack.describe()
  stack.toAsync()
  assert.is(made, 1)
})

test('a layer that brings both forms runs in the one of its neighbours', async (t) => {
  const ran: string[] = []
  const both = dual({
    sync: (request, next) => {
      ran.push('sync')
      return next(request)
    },
    async: async (request, next) => {
      ran.push('async')
      return next(request)
    },
  }, 'both')
  const named = { module: url, export: 'first' }
  assert.is(modesOf(stackOf([both, passes.sync('s'), both], named), 'async'), 'ass')
  assert.is(modesOf(stackOf([passes.sync('s'), both, passes.sync('s')], named), 'async'), 'sss')
  assert.is(modesOf(stackOf([passes.async('a'), both, passes.async('a')], named), 'sync'), 'aaa')
  await answer(t, stackOf([both]).toAsync())
  await answer(t, fromWsgi(stackOf([both], { routes: [route('/', okSync)] }).toSync()))
  assert.equal(ran, ['async', 'sync'])
})

test('a layer with both forms may have a hook in one of them only', async (t) => {
  const half = dual({ sync: { processTemplateResponse: (_request, response) => response }, async: {} }, 'half')
  const views = [route('/', async () => new TemplateResponse(() => 'rendered', null))]
  assert.is(await answer(t, stackOf([half], { routes: views }).toAsync()), '200 rendered')
})

test('without a module, what is async beneath what blocks is refused, with the remedy', () => {
  const { async: a, sync: s, neutral: n } = passes
  const error = thrown(() => stackOf([a('top'), s('blocks'), n('between'), a('beneath')]).toAsync())
  assert.instance(error, InvalidStack)
  assert.is(error.message, 'beneath is async beneath blocks, which blocks (layer 4 of 4, after between): give the stack its module (module: import.meta.url), so that sync layers run on threads, or move it above')
  assert.match(thrown(() => stackOf([s('blocks')]).toAsync()).message, 'the view of / is async beneath blocks, which blocks: give the stack its module (module: import.meta.url), so that sync layers run on threads, or make the view sync')
  assert.match(thrown(() => stackOf([a('top')], { routes: [] }).toSync()).message, 'top is async beneath the sync mode, which blocks (layer 1 of 1)')
  assert.match(thrown(() => stackOf([]).toSync()).message, 'the view of / is async beneath the sync mode')
  assert.is(modesOf(stackOf([a('a'), n('n'), s('s'), n('n')], { routes: [route('/', okSync)] }), 'async'), 'aass')
})

test('without a module sync layers and views run inline, with the body at hand', async (t) => {
  const reads = sync((request, next) => {
    request.state['length'] = request.bytes().length
    return next(request)
  }, 'reads')
  const view = (request: SyncHttpRequest): HttpResponse => HttpResponse.text(`${request.state['length']} ${request.text()}`)
  assert.is(await answer(t, stackOf([reads], { routes: [route('/', view)] }).toAsync(), '/', { method: 'POST', body: 'hello' }), '200 5 hello')
  const form = (request: SyncHttpRequest): HttpResponse => HttpResponse.text(request.form().files[0]?.textSync() ?? 'none')
  const body = new FormData()
  body.append('file', new Blob(['x'.repeat(5000)]), 'a.txt')
  const small = stackOf([], { routes: [route('/', form), route('/blind', okSync)], limits: { bodySize: 1000 } }).toAsync()
  assert.is(await answer(t, small, '/', { method: 'POST', body }), `200 ${'x'.repeat(5000)}`)
  assert.is(await answer(t, small, '/blind', { method: 'POST', body: 'x'.repeat(2000) }), '200 ok')
  assert.match(await answer(t, stackOf([], { routes: [route('/', view)], limits: { bodySize: 10 } }).toAsync(), '/', { method: 'POST', body: 'x'.repeat(11) }), /^413/)
})

test('without a module a view does not fail because a layer has read the body already', async (t) => {
  const drains = async(async (request, next) => {
    for await (const _chunk of request.chunks());
    return next(request)
  }, 'drains')
  assert.is(await answer(t, stackOf([drains], { routes: [route('/', okSync)] }).toAsync(), '/', { method: 'POST', body: 'x' }), '200 ok')
})

test('options are checked', () => {
  assert.match(thrown(() => new Stack({ middleware: 'x' as never, routes: [] })).message, 'middleware must be a list of layers')
  assert.match(thrown(() => new Stack({ middleware: [], routes: null as never })).message, 'routes must be a list of routes')
  assert.match(thrown(() => new Stack({ middleware: [], routes: [], module: '/app.js' })).message, 'module must be import.meta.url')
  assert.match(thrown(() => stackOf([], { limits: { bodySize: -1 } }).toAsync()).message, 'bodySize must be a whole number')
})

inBothModes(test, 'two', 'two stacks in one module are told apart by their names', async ({ client }) => {
  assert.is(await (await client.fetch('/')).text(), 'first thread')
  assert.is(await (await client.fetch('/', { headers: { 'x-second': '1' } })).text(), 'second thread')
  assert.is(await (await client.fetch('/async', { headers: { 'x-second': '1' } })).text(), 'second')
})

test('of several stacks in one module, one without a name, or with that of another, is not found by threads', async (t) => {
  assert.is(await answer(t, unnamed.toAsync()), '500 500 Internal Server Error\n')
  for (const twin of twins) assert.is(await answer(t, twin.toAsync()), '500 500 Internal Server Error\n')
  let found: unknown
  unnamed.on('gotRequestException', (_request, error) => (found = error))
  await answer(t, unnamed.toAsync())
  assert.match((found as Error).message, /two\.ts makes 5 stacks, expected a stack: make it at the top of the module, and give each a name \(export: '…'\)/)
  assert.match(first.describe(), '/async')
})

inBothModes(test, 'from-settings', 'a module of settings names layers, views and routes by their places', async ({ client }) => {
  const response = await client.fetch('/hello/Ada')
  assert.equal([response.headers.get('x-outer'), response.headers.get('x-legacy'), await response.text()], ['loop', 'thread', 'hello Ada from a thread'])
  assert.is(await (await client.fetch('/wait')).text(), 'waited on a loop')
  assert.is(await (await client.fetch('/default')).text(), 'the default export')
})

test('settings: a table of routes by its place, and what is wrong is named', async () => {
  const settings = (name: string) => stackFromSettings(new URL(`./modules/settings/${name}.ts`, import.meta.url))
  assert.match((await settings('table')).describe(), '/table')
  const place = await rejection(settings('wrong-place'))
  assert.instance(place, InvalidStack)
  assert.match(place.message, /\.\/parts\.js#nowhere, named in .*wrong-place\.ts: there is no export "nowhere" \(there are hello, legacy, /)
  assert.match((await rejection(settings('wrong-file'))).message, /nowhere\.js/)
  assert.match((await rejection(settings('wrong-list'))).message, /middleware of .* must be a list of layers and of their places/)
  assert.is((await rejection(settings('missing'))).code, 'ERR_TSGI_LOAD')
  assert.is(await settings('table'), await settings('table'))
})

test('a stack answers HTTP only', async () => {
  const app = stackOf([]).toAsync()
  const error = await rejection(app({ type: 'websocket' } as never, async () => ({}) as never, async () => {}))
  assert.is(error.code, 'ERR_TSGI_UNSUPPORTED_SCOPE')
})

test('listeners that fail are logged, and the others are called', async (t) => {
  const lines: string[] = []
  const stack = stackOf([], { log: (level, message) => lines.push(`${level} ${message}`) })
    .on('requestStarted', () => { throw new Error('listener') })
    .on('requestStarted', () => lines.push('second'))
  assert.is(await answer(t, stack.toAsync()), '200 ok')
  assert.equal(lines, ['error a listener of requestStarted failed', 'second'])
})

test('a request and a response are of use in an application without a stack', async (t) => {
  const app: Application = async (scope, receive, send) => {
    if (scope.type !== 'http') return
    const request: AsyncHttpRequest = HttpRequest.from(scope, receive)
    const response = HttpResponse.json({ method: request.method, a: request.query.get('a'), body: await request.text() })
    response.setCookie('seen', 'yes')
    await response.send(send)
  }
  assert.is(await answer(t, app, '/?a=1', { method: 'POST', body: 'hello' }), '200 {"method":"POST","a":"1","body":"hello"}')
})

test.run()
