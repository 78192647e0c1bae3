import { deepEqual, rejects, throws } from 'node:assert/strict'
import * as assert from 'uvu/assert'
import {
  application, LifespanFailed, UnsupportedScope, WebSocketRefused, type Application, type LifespanReceiveEvent, type Scope, type SendEvent,
} from '../../lib/index.ts'
import { mount } from '../../lib/middleware/index.ts'
import { communicator, testClient, type TestClientOptions } from '../../lib/testing/index.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('mount')

/** An application that answers with its name and what it sees. */
function shows(name: string): Application {
  return application({
    http: async ({ rootPath, path, rawPath }, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: [name, rootPath, path, rawPath].join(' ') })
    },
    websocket: async ({ rootPath, path }, _receive, send) => {
      await send({ type: 'websocket.accept' })
      await send({ type: 'websocket.send', text: [name, rootPath, path].join(' ') })
      await send({ type: 'websocket.close' })
    },
  })
}

/** Which application answers for these paths, and with which root path. */
async function answers(t: TestContext, app: Application, paths: readonly string[], options: TestClientOptions = {}, host?: string): Promise<readonly string[]> {
  const client = await testClient(app, options)
  t.after(() => client.close())
  const headers = host === undefined ? {} : { host }
  return Promise.all(paths.map(async (path) => {
    const response = await client.fetch(path, { headers })
    return response.status === 200 ? (await response.text()).split(' ').slice(0, 2).join(' ') : String(response.status)
  }))
}

test('the longest prefix wins, whatever the order; a prefix ends where a segment ends', async (t) => {
  const app = mount({ '/a': shows('a'), '/a/b': shows('ab'), '/': shows('root'), '/a/b/c/': shows('abc') })
  deepEqual(await answers(t, app, ['/a', '/a/', '/a/x', '/ab', '/a/b', '/a/bc', '/a/b/c', '/a/b/c/d', '/A', '/', '/x']), [
    'a /a', 'a /a', 'a /a', 'root ', 'ab /a/b', 'a /a', 'abc /a/b/c', 'abc /a/b/c', 'root ', 'root ', 'root ',
  ])
})

test('the part sees its prefix in rootPath, and path and rawPath whole', async (t) => {
  const client = await testClient(mount({ '/a': mount({ '/b': shows('b') }) }), { rootPath: '/r' })
  t.after(() => client.close())
  assert.is(await (await client.fetch('/a/b/%63?q')).text(), 'b /r/a/b /r/a/b/c /r/a/b/%63')
})

test('the prefix is compared with the decoded path beneath the root path', async (t) => {
  const app = mount({ '/grüße': shows('greetings'), '/a': shows('a'), '/r': shows('r') })
  deepEqual(await answers(t, app, ['/gr%C3%BC%C3%9Fe/x', '/%61/x', '/r/a', '/b'], { rootPath: '/r' }), ['greetings /r/grüße', 'a /r/a', 'r /r/r', '404'])
})

test('RFC 3986 2.2: %2F is no separator, so no prefix ends there', async (t) => {
  const app = mount({ '/a': shows('a'), '/a/b': shows('ab'), '/': shows('root') })
  deepEqual(await answers(t, app, ['/a%2Fb', '/a%2fb/c', '/a/b%2Fc', '/a/x%2Fb', '/%2Fa', '/a/b/c%2Fd']), ['root ', 'root ', 'a /a', 'a /a', 'root ', 'ab /a/b'])
})

test('a doubled slash is no prefix, and dots are not resolved', async (t) => {
  const app = mount({ '/a': shows('a'), '/b': shows('b') })
  deepEqual(await answers(t, app, ['//a', '/a//b', '/a/../b', '/./a']), ['404', 'a /a', 'a /a', '404'])
})

test('hosts come before plain prefixes; case and, unless given, port do not count', async (t) => {
  const app = mount({ '/a/b': shows('plain'), 'Example.com/a': shows('host'), 'example.com:8080/a': shows('port'), 'example.com:80/p': shows('default'), '[::1]/a': shows('six') })
  const table: readonly (readonly [string, string])[] = [
    ['example.com', 'host /a'], ['EXAMPLE.COM:1234', 'host /a'], ['example.com:8080', 'port /a'], ['example.com.', 'host /a'],
    ['www.example.com', 'plain /a/b'], ['', 'plain /a/b'], ['[::1]:5', 'six /a'],
  ]
  for (const [host, wanted] of table) deepEqual(await answers(t, app, ['/a/b'], {}, host), [wanted], host)
  deepEqual(await answers(t, app, ['/p'], {}, 'example.com'), ['default /p'])
  deepEqual(await answers(t, app, ['/p'], {}, 'example.com:81'), ['404'])
})

test('where nothing fits the fallback answers, its root path as it was', async (t) => {
  deepEqual(await answers(t, mount({ '/a': shows('a') }, shows('rest')), ['/a', '/b'], { rootPath: '/r' }), ['a /r/a', 'rest /r'])
})

test('without a fallback it is 404, and 403 for a WebSocket', async (t) => {
  const client = await testClient(mount({ '/a': shows('a') }))
  t.after(() => client.close())
  const response = await client.fetch('/b')
  deepEqual([response.status, response.headers.get('content-type'), await response.text()], [404, 'text/plain; charset=utf-8', 'Not Found\n'])
  const refused = await rejection(client.websocket('/b'))
  assert.is(refused instanceof WebSocketRefused && refused.response.status, 403)
})

test('WebSockets are mounted like HTTP', async (t) => {
  const client = await testClient(mount({ 'localhost/a': shows('a') }))
  t.after(() => client.close())
  assert.is(await (await client.websocket('/a/b')).receiveText(), 'a /a /a/b')
})

test('a malformed key, a key twice and what is no application are refused at once', () => {
  const app = shows('a')
  for (const key of ['/a//b', '//', '/a/../b', '/.', '/a?b', '/a#b', '/a%20b', '/a b', 'a b/c', 'user@host/', 'host:port/', ':80/']) {
    throws(() => mount({ [key]: app }), { code: 'ERR_TSGI_INVALID_OPTION' }, key)
  }
  throws(() => mount({ '/a': app, '/a/': app }), { code: 'ERR_TSGI_INVALID_OPTION' })
  throws(() => mount({ 'HOST/a': app, 'host/a': app }), { code: 'ERR_TSGI_INVALID_OPTION' })
  throws(() => mount({ '/a': 'no application' as never }), /routes\["\/a"\] must be an application/)
  throws(() => mount({}, {} as never), { code: 'ERR_TSGI_INVALID_OPTION' })
})

/** An application that writes down when it starts and stops, and shows its state. */
function lives(name: string, log: string[], troubles: { readonly start?: string; readonly stop?: string } = {}): Application {
  return application<Record<string, unknown>>({
    lifespan: async function* () {
      log.push(`${name} starts`)
      if (troubles.start !== undefined) throw new Error(troubles.start)
      yield { db: name, [name]: true }
      log.push(`${name} stops`)
      if (troubles.stop !== undefined) throw new Error(troubles.stop)
    },
    http: async (scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: JSON.stringify(scope.state) })
    },
  })
}

test('lifespan: the parts start in order, the fallback last, and stop in reverse, each application once', async () => {
  const log: string[] = []
  const a = lives('a', log)
  const client = await testClient(mount({ '/z': a, '/b': lives('b', log), '/a': a, '/plain': async () => {} }, lives('rest', log)))
  await client.close()
  deepEqual(log, ['a starts', 'b starts', 'rest starts', 'rest stops', 'b stops', 'a stops'])
})

test('lifespan: each part sees the state around it and its own, never another\'s', async (t) => {
  const log: string[] = []
  const inner = mount({ '/a': lives('a', log), '/b': lives('b', log), '/n': mount({ '/c': lives('c', log) }) })
  const outer: Application = (scope, receive, send) => {
    if (scope.type === 'lifespan') scope.state['outer'] = 1
    return inner(scope, receive, send)
  }
  const client = await testClient(outer)
  t.after(() => client.close())
  const seen = async (path: string): Promise<unknown> => (await client.fetch(path)).json()
  deepEqual(await seen('/a'), { outer: 1, db: 'a', a: true })
  deepEqual(await seen('/b'), { outer: 1, db: 'b', b: true })
  deepEqual(await seen('/n/c'), { outer: 1, db: 'c', c: true })
})

test('lifespan: two servers of one mount do not mix their states', async (t) => {
  let count = 0
  const app = mount({ '/a': application<{ id: number }>({
    lifespan: async function* () {
      yield { id: ++count }
    },
    http: async (scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: String(scope.state.id) })
    },
  }) })
  const clients = [await testClient(app), await testClient(app)]
  t.after(() => Promise.all(clients.map((client) => client.close())))
  deepEqual(await Promise.all(clients.map(async (client) => (await client.fetch('/a')).text())), ['1', '2'])
})

test('lifespan: a part that fails to start fails the whole, and those before it shut down', async () => {
  const log: string[] = []
  const app = mount({ '/a': lives('a', log), '/b': lives('b', log, { start: 'no database' }), '/c': lives('c', log) })
  const failure = await rejection(testClient(app))
  assert.instance(failure, LifespanFailed)
  assert.match(failure.message, /: \/b: no database$/)
  deepEqual(log, ['a starts', 'b starts', 'a stops'])
})

test('lifespan: a part that throws after it asked for the start has failed', async () => {
  const app = mount({ '/a': async (_scope, receive) => {
    await receive()
    throw new Error('half way')
  } })
  await rejects(testClient(app), /: \/a: half way$/)
})

test('lifespan: all parts shut down, though one fails; its failure is told', async () => {
  const log: string[] = []
  const client = await testClient(mount({ '/a': lives('a', log), '/b': lives('b', log, { stop: 'cannot stop' }) }))
  await rejects(client.close(), /: \/b: cannot stop$/)
  deepEqual(log, ['a starts', 'b starts', 'b stops', 'a stops'])
})

test('lifespan: a part that has none is served all the same; if none has one, the mount has none', async (t) => {
  const log: string[] = []
  const plain: Application = async (scope, _receive, send) => {
    if (scope.type !== 'http') throw new Error('HTTP only')
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: JSON.stringify(scope.state) })
  }
  const client = await testClient(mount({ '/plain': plain, '/nested': mount({ '/plain': plain }), '/a': lives('a', log) }))
  t.after(() => client.close())
  assert.is(await (await client.fetch('/plain')).text(), '{}')
  const scope: Scope = { type: 'lifespan', asgi: { version: '3.0', specVersion: '2.0' }, state: {} }
  const receive = async (): Promise<LifespanReceiveEvent> => ({ type: 'lifespan.startup' })
  await rejects(mount({ '/plain': plain })(scope, receive, async () => {}), UnsupportedScope)
})

test('lifespan: an event out of order rejects the part\'s send', async () => {
  const refused: unknown[] = []
  const attempt = async (sent: Promise<void>): Promise<void> => {
    await sent.catch((error: unknown) => refused.push((error as { readonly code?: unknown }).code))
  }
  const app = mount({ '/a': async (_scope, receive, send) => {
    await receive()
    await attempt(send({ type: 'lifespan.shutdown.complete' }))
    await attempt(send({ type: 'http.response.body' }))
    await attempt(send(null as unknown as SendEvent))
    await send({ type: 'lifespan.startup.complete' })
    await attempt(send({ type: 'lifespan.startup.complete' }))
    await receive()
    await send({ type: 'lifespan.shutdown.complete' })
  } })
  const talk = communicator(app, { type: 'lifespan', asgi: { version: '3.0', specVersion: '2.0' }, state: {} })
  talk.sendInput({ type: 'lifespan.startup' })
  deepEqual(await talk.receiveOutput(), { type: 'lifespan.startup.complete' })
  talk.sendInput({ type: 'lifespan.shutdown' })
  deepEqual(await talk.receiveOutput(), { type: 'lifespan.shutdown.complete' })
  await talk.wait()
  deepEqual(refused, ['ERR_TSGI_UNEXPECTED_EVENT', 'ERR_TSGI_INVALID_EVENT', 'ERR_TSGI_INVALID_EVENT', 'ERR_TSGI_UNEXPECTED_EVENT'])
})

test.run()
