import { createServer } from 'node:net'
import * as assert from 'uvu/assert'
import { application, serve, Server, type ServerOptions } from '../../lib/index.ts'
import { rejection } from '../support/rejection.ts'
import { suite } from '../support/suite.ts'

const test = suite('the lifespan in a server')

const quiet: ServerOptions = { port: 0, logLevel: 'error' }

test('start-up comes before listening, the shutdown after the last exchange and after the port is closed', async (t) => {
  const events: string[] = []
  let answer!: () => void
  const answered = new Promise<void>((resolve) => (answer = resolve))
  let requested!: () => void
  const inRequest = new Promise<void>((resolve) => (requested = resolve))
  let url = ''
  const server = await serve(application({
    async *lifespan() {
      await new Promise((resolve) => setTimeout(resolve, 50))
      events.push('started')
      yield {}
      events.push('shutdown')
      await fetch(url).then(() => events.push('still listening'), () => events.push('port closed'))
    },
    http: async (_scope, _receive, send) => {
      events.push('request')
      requested()
      await answered
      await send({ type: 'http.response.start', status: 200, headers: [] })
      await send({ type: 'http.response.body', body: 'late' })
      events.push('answered')
    },
  }), quiet)
  t.after(() => server.close())
  url = server.url
  events.push('listening')
  const response = fetch(url)
  await inRequest
  const closed = server.close()
  setTimeout(answer, 100)
  assert.is(await (await response).text(), 'late')
  await closed
  assert.equal(events, ['started', 'listening', 'request', 'answered', 'shutdown', 'port closed'])
})

test('each scope has a shallow copy of the state: its keys are its own, its values are shared', async (t) => {
  interface State { count: number; shared: { hits: number } }
  const server = await serve(application<State>({
    async *lifespan() {
      yield { count: 1, shared: { hits: 0 } }
    },
    http: async ({ state }, _receive, send) => {
      state.count++
      state.shared.hits++
      await send({ type: 'http.response.start', status: 200, headers: [] })
      await send({ type: 'http.response.body', body: JSON.stringify(state) })
    },
  }), quiet)
  t.after(() => server.close())
  const answers = []
  for (let n = 0; n < 3; n++) answers.push(await (await fetch(server.url)).json())
  assert.equal(answers, [1, 2, 3].map((hits) => ({ count: 2, shared: { hits } })))
})

test('a server that cannot listen after the start-up shuts the application down', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  t.after(() => new Promise((resolve) => taken.close(resolve)))
  const events: string[] = []
  const app = application({
    async *lifespan() {
      events.push('started')
      yield {}
      events.push('shutdown')
    },
  })
  const error = await rejection(serve(app, { ...quiet, port: (taken.address() as { port: number }).port }))
  assert.is(error.code, 'ERR_TSGI_LISTEN')
  assert.equal(events, ['started', 'shutdown'])
})

test('a wrong option never leaves an application started and not shut down', async () => {
  const events: string[] = []
  const app = application({
    async *lifespan() {
      events.push('started')
      yield {}
      events.push('shutdown')
    },
  })
  assert.is((await rejection(serve(app, { ...quiet, proxyHeaders: true, forwardedAllowIps: ['no address'] }))).code, 'ERR_TSGI_INVALID_OPTION')
  assert.ok(events.length === 0 || events.length === 2, events.join(', '))
})

test('application(): what the lifespan throws before its yield keeps the server from starting, after it fails the stop', async (t) => {
  const starting = await rejection(serve(application({
    async *lifespan() {
      throw new Error('no database')
      yield {}
    },
  }), quiet))
  assert.equal([starting.code, starting.message, (starting.cause as Error).message], ['ERR_TSGI_LIFESPAN_FAILED', 'the application failed to start: no database', 'no database'])

  const server = await serve(application({
    async *lifespan() {
      yield {}
      throw new Error('cannot close')
    },
  }), quiet)
  t.after(() => server.close().catch(() => {}))
  const stopping = await rejection(server.close())
  assert.equal([stopping.code, stopping.message], ['ERR_TSGI_LIFESPAN_FAILED', 'the application failed to shut down: cannot close'])
  assert.is(await rejection(server.closed), stopping)
})

test('application(): a lifespan that returns without a yield is started, with no state', async (t) => {
  const server = await serve(application({
    async *lifespan() {},
    http: async ({ state }, _receive, send) => {
      await send({ type: 'http.response.start', status: 200, headers: [] })
      await send({ type: 'http.response.body', body: JSON.stringify(state) })
    },
  }), { ...quiet, lifespan: 'on' })
  t.after(() => server.close())
  assert.is(await (await fetch(server.url)).text(), '{}')
})

test('application() without a lifespan is served in mode auto and refused in mode on', async (t) => {
  const app = application({
    http: async (_scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 204, headers: [] })
      await send({ type: 'http.response.body' })
    },
  })
  for (const lifespan of ['auto', 'off'] as const) {
    const server = await serve(app, { ...quiet, lifespan })
    t.after(() => server.close())
    assert.is((await fetch(server.url)).status, 204)
  }
  assert.match((await rejection(serve(app, { ...quiet, lifespan: 'on' }))).message, /^the application threw at start-up: the application does not support scopes of type "lifespan"$/)
})

test('a server that is closed while it starts comes to its start, then stops', async () => {
  const events: string[] = []
  const server = new Server(application({
    async *lifespan() {
      await new Promise((resolve) => setTimeout(resolve, 50))
      events.push('started')
      yield {}
      events.push('stopped')
    },
  }), quiet)
  const starting = server.start()
  await server.close()
  await starting
  assert.equal(events, ['started', 'stopped'])
  assert.is(await fetch(server.url).then(() => 'listening', () => 'refused'), 'refused')
})

test.run()
