import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { application, bodyChunks, disconnectSignal, type ExchangeOutcome, type HttpApplication } from '../../lib/index.ts'
import { testClient, type TestClient, type TestClientOptions } from '../../lib/testing/index.ts'
import { deferred } from '../support/deferred.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('the in-process client')

async function clientFor(t: TestContext, http: HttpApplication, options?: TestClientOptions): Promise<TestClient> {
  const client = await testClient(application({ http }), options)
  t.after(() => client.close())
  return client
}

const ok: HttpApplication = async (_scope, _receive, send) => {
  await send({ type: 'http.response.start', status: 200 })
  await send({ type: 'http.response.body', body: 'ok' })
}

test('what the application throws is thrown to the test, and is a 500 if the test asks for that', async (t) => {
  const broken: HttpApplication = async () => {
    throw new RangeError('boom')
  }
  const error = await (await clientFor(t, broken)).fetch('/').catch((each: unknown) => each)
  assert.instance(error, RangeError)
  const response = await (await clientFor(t, broken, { raiseApplicationErrors: false })).fetch('/')
  assert.is(response.status, 500)
})

test('what the application throws after the head breaks the body off with it', async (t) => {
  const client = await clientFor(t, async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: 'part', moreBody: true })
    throw new RangeError('boom')
  })
  const response = await client.fetch('/')
  assert.is(response.status, 200)
  assert.instance(await response.text().catch((each: unknown) => each), RangeError)
})

test('what the application throws after its response is thrown by close()', async () => {
  const client = await testClient(application({
    http: async (scope, receive, send) => {
      await ok(scope, receive, send)
      throw new RangeError('late')
    },
  }))
  assert.is(await (await client.fetch('/')).text(), 'ok')
  assert.instance(await client.close().catch((each: unknown) => each), RangeError)
})

test('cookies that responses set go out with later requests, by path and until they expire', async (t) => {
  const client = await clientFor(t, async (scope, _receive, send) => {
    const headers: (readonly [string, string])[] = []
    if (scope.path === '/set') headers.push(['set-cookie', 'a=1; Path=/; HttpOnly'], ['set-cookie', 'b=2; Path=/deep'], ['set-cookie', 'c=3; Max-Age=0'])
    if (scope.path === '/drop') headers.push(['set-cookie', 'a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT'])
    await send({ type: 'http.response.start', status: 200, headers })
    await send({ type: 'http.response.body', body: scope.headers.get('cookie') ?? 'none' })
  })
  const cookies = async (path: string): Promise<string> => (await client.fetch(path)).text()
  assert.is(await cookies('/set'), 'none')
  assert.is(await cookies('/'), 'a=1')
  assert.is(await cookies('/deep/x'), 'a=1; b=2')
  assert.is(await cookies('/deeper'), 'a=1')
  client.cookies.set('mine', 'x')
  assert.is(await cookies('/drop'), 'a=1; mine=x')
  assert.is(await cookies('/'), 'mine=x')
  assert.equal([...client.cookies], [['b', '2'], ['mine', 'x']])
})

test('bodies as fetch takes them, with their content-type and content-length', async (t) => {
  const client = await clientFor(t, async (scope, receive, send) => {
    let size = 0
    for await (const chunk of bodyChunks(receive)) size += chunk.length
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: [scope.method, scope.headers.get('content-type') ?? '-', scope.headers.get('content-length') ?? '-', size].join(' ') })
  })
  const answer = async (body: NonNullable<Parameters<TestClient['fetch']>[1]>['body']): Promise<string> =>
    (await client.fetch('/', { method: 'post', ...(body === undefined ? {} : { body }) })).text()
  assert.is(await answer('hé'), 'POST text/plain;charset=UTF-8 3 3')
  assert.is(await answer(new URLSearchParams({ a: 'b' })), 'POST application/x-www-form-urlencoded;charset=UTF-8 3 3')
  assert.is(await answer(new Uint8Array(7)), 'POST - 7 7')
  assert.is(await answer(new Blob(['abc'], { type: 'text/x' })), 'POST text/x 3 3')
  assert.is(await answer(undefined), 'POST - - 0')
})

test('http.response.debug is seen by the test', async (t) => {
  const client = await clientFor(t, async (scope, receive, send) => {
    assert.ok('http.response.debug' in scope.extensions)
    await send({ type: 'http.response.debug', info: { template: 'x' } })
    await ok(scope, receive, send)
  })
  assert.equal((await client.fetch('/')).debug, { template: 'x' })
})

test('state is what the lifespan made; close() runs the shutdown', async () => {
  const events: string[] = []
  const client = await testClient(application({
    lifespan: async function* () {
      events.push('start')
      yield { answer: 42 }
      events.push('stop')
    },
    http: ok,
  }))
  assert.is(client.state['answer'], 42)
  await client.close()
  assert.equal(events, ['start', 'stop'])
})

test('a start-up that fails fails the test', async () => {
  const error = await testClient(application({
    lifespan: async function* () {
      throw new Error('no database')
    },
    http: ok,
  })).catch((each: unknown) => each)
  assert.instance(error, Error)
  assert.match((error as Error).message, /no database/)
})

test('an application that passes the disconnect signal on has not failed when the client leaves', async (t) => {
  const finished = deferred<ExchangeOutcome>()
  const client = await clientFor(t, async (scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', moreBody: true })
    await delay(60_000, undefined, { signal: disconnectSignal(scope) })
  }, { observer: { finished: (outcome) => finished.resolve(outcome) } })
  const controller = new AbortController()
  await client.fetch('/', { signal: controller.signal })
  controller.abort()
  const { error, disconnected } = await finished.promise
  assert.is(error, undefined)
  assert.is(disconnected, true)
})

test('an observer hears of start, events and end', async (t) => {
  const heard: string[] = []
  const finished = deferred<ExchangeOutcome>()
  const client = await clientFor(t, async (scope, receive, send) => {
    await receive()
    await ok(scope, receive, send)
  }, {
    observer: {
      started: ({ scope }) => heard.push(`started ${scope.path}`),
      received: (_, event) => heard.push(event.type),
      sent: (_, event) => heard.push(event.type),
      finished: (outcome) => finished.resolve(outcome),
    },
  })
  await (await client.fetch('/x')).text()
  const { status, bytesSent, duration } = await finished.promise
  assert.equal(heard, ['started /x', 'http.request', 'http.response.start', 'http.response.body'])
  assert.equal([status, bytesSent], [200, 2])
  assert.ok(duration > 0 && duration < 5)
})

test('an observer that is untimed has durations of 0', async (t) => {
  const finished = deferred<ExchangeOutcome>()
  const client = await clientFor(t, ok, { observer: { untimed: true, finished: (outcome) => finished.resolve(outcome) } })
  await (await client.fetch('/x')).text()
  const { status, duration } = await finished.promise
  assert.equal([status, duration], [200, 0])
})

test('paths are taken as they are, however odd', async (t) => {
  const client = await clientFor(t, async (scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: `${scope.rawPath}|${scope.queryString}|${scope.headers.get('host')}` })
  })
  const rows: readonly (readonly [string, string])[] = [
    ['/a/../b', '/a/../b||localhost'],
    ['/%ff?x=%20#frag', '/%ff|x=%20|localhost'],
    ['/ä?ö', '/%C3%A4|%C3%B6|localhost'],
    ['http://example.test:81/x', '/x||example.test:81'],
  ]
  for (const [path, seen] of rows) assert.is(await (await client.fetch(path)).text(), seen)
})

test.run()
