/** Server push (RFC 9113 8.4), as the extension `http.response.push`. */
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import * as assert from 'uvu/assert'
import { application, serve, type HttpApplication, type HttpScope, type Server } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { runProgram } from '../../support/tls-server.ts'

const test = suite('server push')
const start = { type: 'http.response.start', status: 200 } as const

interface Pushed {
  readonly request: IncomingHttpHeaders
  readonly response: IncomingHttpHeaders
  readonly body: string
}

async function open(t: TestContext, http: HttpApplication): Promise<Server> {
  const server = await serve(application({ http }), { port: 0, accessLog: false, logLevel: 'error' })
  t.after(() => server.close({ timeout: 1 }))
  return server
}

/** An application that pushes `path` for each `/`, and answers anything with its path; `seen` hears of each scope. */
function pushing(path: string, seen: HttpScope[] = []): HttpApplication {
  return async (scope, _receive, send) => {
    seen.push(scope)
    if (scope.path === '/') await send({ type: 'http.response.push', path, headers: [['accept', 'text/css'], ['Host', 'other'], ['connection', 'close'], ['x-a', '1'], ['x-a', '2']] })
    await send(start)
    await send({ type: 'http.response.body', body: `this is ${scope.path}` })
  }
}

function session(t: TestContext, server: Server, enablePush = true): ClientHttp2Session {
  const client = connect(server.url, { settings: { enablePush } })
  client.on('error', () => {})
  t.after(() => client.destroy())
  return client
}

async function textOf(stream: ClientHttp2Stream): Promise<string> {
  let text = ''
  for await (const part of stream.setEncoding('utf8')) text += part
  return text
}

function get(client: ClientHttp2Session, path: string): Promise<string> {
  const stream = client.request({ ':path': path })
  stream.end()
  return textOf(stream)
}

/** The next thing that is pushed, whole. */
function nextPush(client: ClientHttp2Session): Promise<Pushed> {
  return new Promise((resolve, reject) => {
    client.once('stream', (stream, request) => {
      stream.once('push', (response) => textOf(stream).then((body) => resolve({ request, response, body }), reject))
    })
  })
}

test('what is pushed is the answer of the application to a request of its own, with the authority of the first', async (t) => {
  const seen: HttpScope[] = []
  const server = await open(t, pushing('/style.css?v=ü x', seen))
  const client = session(t, server)
  const push = nextPush(client)
  assert.is(await get(client, '/'), 'this is /')
  const { request, response, body } = await push
  const authority = new URL(server.url).host
  assert.equal([request[':method'], request[':path'], request[':authority'], request[':scheme']], ['GET', '/style.css?v=%C3%BC%20x', authority, 'http'])
  assert.equal([response[':status'], response['content-length'], body], [200, '18', 'this is /style.css'])
  const [first, second] = seen
  assert.equal([second?.method, second?.httpVersion, second?.path, second?.queryString], ['GET', '2', '/style.css', 'v=%C3%BC%20x'])
  assert.equal([...second?.headers ?? []], [['host', authority], ['accept', 'text/css'], ['x-a', '1'], ['x-a', '2']])
  assert.equal(second?.client, first?.client)
})

test('the scope offers push where the client takes it, and not to what was pushed', async (t) => {
  const seen: HttpScope[] = []
  const server = await open(t, pushing('/pushed', seen))
  const client = session(t, server)
  const push = nextPush(client)
  await get(client, '/')
  await push
  assert.equal(seen.map(({ extensions }) => 'http.response.push' in extensions), [true, false])
})

test('where the client turned push off, nothing is offered or pushed, and send resolves', async (t) => {
  const seen: HttpScope[] = []
  const server = await open(t, pushing('/pushed', seen))
  const client = session(t, server, false)
  assert.is(await get(client, '/'), 'this is /')
  assert.equal(seen.map(({ path, extensions }) => [path, 'http.response.push' in extensions]), [['/', false]])
})

test('a client may turn push off later', async (t) => {
  const seen: HttpScope[] = []
  const server = await open(t, pushing('/pushed', seen))
  const client = session(t, server)
  const push = nextPush(client)
  await get(client, '/')
  await push
  await new Promise<void>((resolve) => client.settings({ enablePush: false }, () => resolve()))
  assert.is(await get(client, '/'), 'this is /')
  assert.equal(seen.map(({ path, extensions }) => [path, 'http.response.push' in extensions]), [['/', true], ['/pushed', false], ['/', false]])
})

test('what is pushed cannot push: its event is ignored (RFC 9113 8.4)', async (t) => {
  const paths: string[] = []
  const server = await open(t, async (scope, _receive, send) => {
    paths.push(scope.path)
    await send({ type: 'http.response.push', path: `${scope.path}x` })
    await send(start)
    await send({ type: 'http.response.body', body: scope.path })
  })
  const client = session(t, server)
  const push = nextPush(client)
  await get(client, '/')
  assert.is((await push).body, '/x')
  assert.equal(paths, ['/', '/x'])
})

test('a client that refuses what was promised costs the rest nothing, and its application is told', async (t) => {
  const told = deferred<string>()
  const server = await open(t, async (scope, receive, send) => {
    if (scope.path === '/') await send({ type: 'http.response.push', path: '/pushed' })
    await send(start)
    if (scope.path !== '/pushed') return send({ type: 'http.response.body', body: 'whole' })
    await send({ type: 'http.response.body', body: 'begun', moreBody: true })
    await receive()
    told.resolve((await receive()).type)
  })
  const client = session(t, server)
  client.once('stream', (stream) => stream.on('error', () => {}).close(constants.NGHTTP2_CANCEL))
  assert.is(await get(client, '/'), 'whole')
  assert.is(await told.promise, 'http.disconnect')
  assert.is(await get(client, '/other'), 'whole')
})

test('a push after the body has begun is promised before the end; one after the end is ignored', async (t) => {
  const server = await open(t, async (scope, _receive, send) => {
    await send(start)
    if (scope.path === '/') {
      await send({ type: 'http.response.body', body: 'a', moreBody: true })
      await send({ type: 'http.response.push', path: '/pushed' })
    }
    await send({ type: 'http.response.body', body: 'b' })
    await send({ type: 'http.response.push', path: '/late' })
  })
  const client = session(t, server)
  const paths: unknown[] = []
  client.on('stream', (_stream, request) => paths.push(request[':path']))
  const push = nextPush(client)
  assert.is(await get(client, '/'), 'ab')
  assert.is((await push).body, 'b')
  assert.equal(paths, ['/pushed'])
})

test('a server that stops completes what it has promised', async (t) => {
  const go = deferred()
  const server = await open(t, async (scope, _receive, send) => {
    if (scope.path === '/') await send({ type: 'http.response.push', path: '/pushed' })
    await send(start)
    if (scope.path === '/pushed') await go.promise
    await send({ type: 'http.response.body', body: scope.path })
  })
  const client = session(t, server)
  const push = nextPush(client)
  await get(client, '/')
  const closed = server.close({ timeout: 5 })
  go.resolve()
  assert.is((await push).body, '/pushed')
  await closed
})

test.needing(['nghttp'], () => {
  test('nghttp is pushed to, and not where it says no', async (t) => {
    const server = await open(t, pushing('/style.css'))
    const pushed = await runProgram('nghttp', ['-ans', `${server.url}/`])
    assert.match(pushed.stdout, /\*.* 200 +18 \/style\.css/)
    const without = await runProgram('nghttp', ['-ns', '--no-push', `${server.url}/`])
    assert.match(without.stdout, / 200 +9 \/\n/)
    assert.not.match(without.stdout, 'style.css')
  })
})

test.run()
