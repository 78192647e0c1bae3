/** Rules of the stack, one by one, in both modes. */
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.ts'
import { idle, inBothModes, openStack, type Opened } from './both-modes.ts'
import { described } from './modules/rules.ts'
import { Trace } from './modules/trace.ts'

const test = suite('the rules of the stack')

interface Answered {
  readonly status: number
  readonly text: string
  readonly events: readonly string[]
}

async function ask({ client, trace }: Opened, stack: string, path: string, init: { readonly method?: string; readonly body?: string } = {}): Promise<Answered> {
  trace.take()
  const response = await client.fetch(path, { ...init, headers: { 'x-stack': stack } })
  const text = await response.text()
  await trace.noted('finished')
  return { status: response.status, text, events: trace.take().map(([what]) => what) }
}

const failures = (events: readonly string[]): string[] => events.filter((event) => /^(?:failed|log)/.test(event))

inBothModes(test, 'rules', 'a view that gives nothing, or a promise that was forgotten, is a 500 that says so', async (opened) => {
  const wrong = async (path: string): Promise<string[]> => {
    const { status, text, events } = await ask(opened, 'plain', path)
    assert.equal([status, text], [500, '500 Internal Server Error\n'])
    return failures(events)
  }
  const promise = 'what the view of /forgotten gives must be an HttpResponse, found a promise: an await is missing, or the function should be async'
  assert.equal(await wrong('/forgotten'), [`failed ${promise}`, `log error Internal Server Error: /forgotten (${promise})`])
  assert.match((await wrong('/null'))[0] ?? '', 'must be an HttpResponse, found null')
  assert.match((await wrong('/yields'))[0] ?? '', /yield\*/)
})

inBothModes(test, 'rules', 'a promise that was forgotten and fails does not end the process', async (opened) => {
  const { status, events } = await ask(opened, 'plain', '/rejected')
  assert.is(status, 500)
  assert.match(failures(events)[0] ?? '', 'found a promise')
  assert.is((await ask(opened, 'plain', '/where')).status, 200)
})

inBothModes(test, 'rules', 'a layer of each kind that passes a request on a second time gets an error', async (opened) => {
  for (const kind of ['sync', 'async', 'neutral']) {
    const { status, events } = await ask(opened, `twice-${kind}`, '/where')
    assert.is(status, 500, kind)
    assert.equal(failures(events)[0], 'failed twice has passed this request on before; a layer may do that once', kind)
    assert.is(failures(events).length, 2)
  }
})

inBothModes(test, 'rules', 'what cannot be cloned in request.state is named, once; without a change of side it may be anything', async (opened) => {
  for (const above of ['thread', 'loop', 'same']) {
    for (const beneath of ['thread', 'loop', 'same']) {
      for (const path of ['/where', '/async']) {
        const { status, events } = await ask(opened, `spoil-${above}-${beneath}`, path)
        const name = `${above} ${beneath} ${path}`
        const found = failures(events)
        if (status === 200) {
          assert.equal(found, [], name)
          continue
        }
        assert.equal([status, found.length], [500, 2], `${name}: ${found.join()}`)
        assert.match(found[0] ?? '', 'request.state.save cannot be cloned to another thread, expected plain data, found a function', name)
      }
    }
  }
  const home = opened.mode === 'sync' ? '/where' : '/async'
  assert.is((await ask(opened, 'spoil-same-same', home)).status, 200)
  assert.is((await ask(opened, 'spoil-same-same', home === '/where' ? '/async' : '/where')).status, 500)
})

inBothModes(test, 'rules', 'the context of a template that cannot be cloned is named', async (opened) => {
  assert.equal((await ask(opened, 'spoil-same-same', '/either')).text, opened.mode)
  const { status, text } = await ask(opened, 'plain', '/template')
  assert.equal([status, text], [200, '{"a":1}'])
  const bad = await ask(opened, 'plain', '/template?bad')
  if (opened.mode === 'sync') return assert.is(bad.status, 200)
  assert.is(bad.status, 500)
  assert.match(failures(bad.events)[0] ?? '', 'response.context.save cannot be cloned')
})

inBothModes(test, 'rules', 'errors cross with name, message and code; what is thrown may be anything', async (opened) => {
  for (const stack of ['told', 'told-async']) {
    assert.equal(JSON.parse((await ask(opened, stack, '/throws/coded')).text), ['RangeError', 'far', 'EFAR'])
    for (const what of ['text', 'nothing', 'object']) assert.is((await ask(opened, 'plain', `/throws/${what}`)).status, 500, what)
  }
})

inBothModes(test, 'rules', 'a response that was sent before is an error, not a broken connection', async (opened) => {
  // Each side has one of its own.
  const first = await ask(opened, 'plain', '/constant')
  assert.is(first.status, 200)
  const second = await ask(opened, 'plain', '/constant')
  if (second.status === 500) assert.match(failures(second.events)[0] ?? '', 'one that was sent before')
  else assert.is(second.text, 'always the same')
})

inBothModes(test, 'rules', 'a layer that answers with a template response that is not rendered is an error', async (opened) => {
  const { status, events } = await ask(opened, 'layer-template', '/where')
  assert.is(status, 500)
  assert.match(failures(events)[0] ?? '', 'a template response that a layer answers with must be rendered')
})

inBothModes(test, 'rules', 'error pages answer, are rendered, and a failing one becomes a plain 500', async (opened) => {
  const page = async (path: string): Promise<readonly unknown[]> => {
    const { status, text, events } = await ask(opened, 'pages', path)
    return [status, text, ...failures(events)]
  }
  assert.equal(await page('/nowhere%0Ax'), [404, 'no /nowhere\nx', 'log warn Not Found: /nowhere\\u000ax'])
  assert.equal(await page('/status/400'), [500, '500 Internal Server Error\n', 'failed the page', 'log error the error page for 400 failed: /status/400 (the page)'])
  const [status, , failed, logged, ...more] = await page('/status/403')
  assert.equal([status, more], [500, []])
  assert.match(String(failed), 'what the error page for 403 gives must be an HttpResponse, found undefined')
  assert.match(String(logged), 'log error the error page for 403 failed')
  assert.equal(await page('/throws/coded'), [500, 'sorry', 'failed far', 'log error Internal Server Error: /throws/coded (far)'])
  assert.equal((await page('/status/413')).slice(0, 3), [500, '500 Internal Server Error\n', 'failed rendering the page'])
  assert.equal(await page('/status/409'), [409, '409 Conflict: told\n', 'log warn Conflict: /status/409: told'])
})

inBothModes(test, 'rules', 'an HttpError gives its answer header fields, on a page too; one with a bad name becomes a plain 500', async (opened) => {
  for (const [code, text, own] of [[409, '409 Conflict: told\n', null], [429, 'slow down', '1']] as const) {
    const response = await opened.client.fetch(`/fields/${code}`, { headers: { 'x-stack': 'pages' } })
    assert.equal([response.status, await response.text()], [code, text])
    assert.equal(['retry-after', 'content-type', 'x-page'].map((name) => response.headers.get(name)), ['7', 'text/x', own])
    await opened.trace.noted('finished')
  }
  const { status, text, events } = await ask(opened, 'pages', '/fields/409?bad')
  assert.equal([status, text], [500, '500 Internal Server Error\n'])
  assert.match(failures(events)[0] ?? '', /retry after/)
})

inBothModes(test, 'rules', 'in debug a 500 shows its error, else it does not', async (opened) => {
  assert.match((await ask(opened, 'debug', '/throws/coded')).text, /^500 Internal Server Error: RangeError: far\n +at /)
  assert.is((await ask(opened, 'plain', '/throws/coded')).text, '500 Internal Server Error\n')
})

inBothModes(test, 'rules', 'what a pattern matches is decoded, and goes to the view and to the request', async (opened) => {
  assert.equal(JSON.parse((await ask(opened, 'plain', '/loose/a%20%C3%A4')).text), { name: 'a ä' })
  assert.is((await ask(opened, 'plain', '/loose/a/b')).status, 404)
})

test('a thread that ends in a view is a 500, and the next request has another (async mode)', async (t) => {
  const opened = await openStack(t, 'rules', 'async')
  const { status, events } = await ask(opened, 'plain', '/exit')
  assert.is(status, 500)
  assert.match(failures(events)[0] ?? '', /the thread that ran enter has ended: exit code 3/)
  assert.is((await ask(opened, 'plain', '/where')).status, 200)
})

test('describe() of [async, sync, sync, neutral, sync | async view] is one change down, and the pool counts as much under load', async (t) => {
  assert.is(described('described', 'async'), [
    'called in async mode, 1 change of mode down to the views',
    'sessions  async    async',
    'legacy    sync     sync   to a thread',
    'database  sync     sync',
    'headers   neutral  sync',
    'audit     sync     sync',
    '/         async    async  to the loop',
  ].join('\n'))
  assert.is(described('described', 'sync'), [
    'called in sync mode, 2 changes of mode down to the views',
    'sessions  async    async  to the loop',
    'legacy    sync     sync   to a thread',
    'database  sync     sync',
    'headers   neutral  sync',
    'audit     sync     sync',
    '/         async    async  to the loop',
  ].join('\n'))
  for (const mode of ['async', 'sync'] as const) {
    const { client, pool } = await openStack(t, 'rules', mode)
    await (await client.fetch('/', { headers: { 'x-stack': 'described' } })).text()
    const before = pool.stats.hops
    const requests = 200
    await Promise.all(Array.from({ length: requests }, async () => {
      assert.is(await (await client.fetch('/', { headers: { 'x-stack': 'described' } })).text(), 'home')
    }))
    // In sync mode the call itself is the hop; what is beneath uses that thread.
    assert.is(pool.stats.hops - before, requests, mode)
  }
}, 20)

inBothModes(test, 'rules', 'a thousand requests at once, on one thread', async ({ client, pool }) => {
  const texts = await Promise.all(Array.from({ length: 1000 }, async (_, index) => {
    const response = await client.fetch(index % 2 === 0 ? '/bytes' : `/loose/${index}`, { method: 'POST', body: `body ${index}`, headers: { 'x-stack': 'told' } })
    return `${response.status} ${await response.text()}`
  }))
  texts.forEach((text, index) => assert.is(text, index % 2 === 0 ? `200 body ${index}` : `200 {"name":"${index}"}`))
  await idle(pool)
}, 30)

test('debug tells of each change of mode when the stack is loaded', async (t) => {
  const { Stack, async, HttpResponse, neutral, pass, route, sync } = await import('../../lib/stack/index.ts')
  const lines: string[] = []
  const trace = new Trace()
  t.after(() => trace.take())
  const stack = new Stack({
    module: import.meta.url, export: 'logged', debug: true, log: (level, message) => lines.push(`${level} ${message}`),
    middleware: [
      async(async (request, next) => next(request), 'first'),
      sync((request, next) => next(request), 'second'),
      neutral(function* (request) { return yield* pass(request) }, 'third'),
      async(async (request, next) => next(request), 'fourth'),
    ],
    routes: [route('/', async () => HttpResponse.text(''))],
  })
  stack.toAsync()
  stack.toAsync()
  assert.equal(lines, ['debug Synchronous handler adapted for second.', 'debug Asynchronous handler adapted for fourth.'])
})

test.run()
