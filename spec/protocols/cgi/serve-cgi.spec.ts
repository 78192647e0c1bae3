/** A tsgi application as a CGI program (RFC 3875): its scope, its body, its response, its life. */
import { once } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import * as assert from 'uvu/assert'
import {
  application, bodyChunks, ClientDisconnected, disconnectSignal, IncompleteResponse, LifespanFailed, type Application, type HttpApplication, type HttpScope,
} from '../../../lib/index.ts'
import { serveCgi } from '../../../lib/protocols/cgi/index.ts'
import { collect } from '../../support/collect.ts'
import { deferred } from '../../support/deferred.ts'
import { suite } from '../../support/suite.ts'
import { minimal, run } from './support.ts'

const test = suite('CGI, an application as a program')

const start = { type: 'http.response.start', status: 200 } as const
const answering = (http: HttpApplication): Application => application({ http })
const says = (body: string, headers: readonly (readonly [string, string])[] = [], status = 200): Application => answering(async (_scope, _receive, send) => {
  await send({ type: 'http.response.start', status, headers })
  await send({ type: 'http.response.body', body })
})

/** The scope that some variables make. */
async function scopeOf(env: Record<string, string>, less: readonly string[] = []): Promise<HttpScope> {
  const seen = deferred<HttpScope>()
  const all = { ...minimal, ...env }
  for (const name of less) delete (all as Record<string, string>)[name]
  const stdout = new PassThrough()
  await serveCgi(answering(async (scope, _receive, send) => {
    seen.resolve(scope)
    await send(start)
    await send({ type: 'http.response.body' })
  }), { env: all, stdin: new PassThrough(), stdout })
  return seen.promise
}

test('the variables make the scope', async () => {
  const scope = await scopeOf({ REQUEST_METHOD: 'PUT', QUERY_STRING: 'a=%20', PATH_INFO: '/b/ä', HTTPS: 'on', SERVER_PORT: '443', REMOTE_PORT: '5', HTTP_HOST: 'a.example', HTTP_X_ONE: '1', CONTENT_TYPE: 'a/b', CONTENT_LENGTH: '' })
  const { type, method, scheme, path, rawPath, rootPath, queryString, httpVersion, client, server, extensions, headers } = scope
  assert.equal({ type, method, scheme, path, rawPath, rootPath, queryString, httpVersion, client, server, extensions: { ...extensions } }, {
    type: 'http', method: 'PUT', scheme: 'https', path: '/app/b/ä', rawPath: '/app/b/%C3%A4', rootPath: '/app', queryString: 'a=%20', httpVersion: '1.1',
    client: ['192.0.2.1', 5], server: ['a.example', 443], extensions: { 'http.response.pathsend': {}, 'http.response.zerocopysend': {} },
  })
  assert.equal([...headers], [['host', 'a.example'], ['content-type', 'a/b'], ['x-one', '1']])
})

test('REQUEST_URI gives the path as the client wrote it, where it is the same path', async () => {
  assert.is((await scopeOf({ PATH_INFO: '/a/b', REQUEST_URI: '/app/a%2Fb?c' })).rawPath, '/app/a%2Fb')
  assert.is((await scopeOf({ PATH_INFO: '/a b', REQUEST_URI: '/before/rewriting' })).rawPath, '/app/a%20b')
  assert.is((await scopeOf({}, ['PATH_INFO'])).rawPath, '/app')
})

test('CVE-2016-5385: HTTP_PROXY is a setting of the environment, and no field', async () => {
  assert.equal([...(await scopeOf({ HTTP_PROXY: 'http://a' })).headers], [])
})

test('variables that no server gives are a 400, a method that is not served a 501', async () => {
  for (const [env, status] of [[{ REQUEST_METHOD: 'a b' }, 400], [{ REQUEST_METHOD: 'get' }, 501], [{ CONTENT_LENGTH: '-1' }, 400], [{ CONTENT_LENGTH: '1,1' }, 400], [{ HTTP_TRANSFER_ENCODING: 'chunked' }, 411], [{ PATH_INFO: 'x' }, 400]] as const) {
    const { output, error } = await run(says('x'), env)
    assert.is(error, null)
    assert.match(output, new RegExp(`^Status: ${status} `), JSON.stringify(env))
  }
})

test('RFC 3875 6: a response is a Status, fields and a body', async () => {
  const { output } = await run(says('hello', [['content-type', 'text/plain'], ['x-a', '1'], ['x-a', '2']], 404))
  assert.is(output, 'Status: 404 Not Found\r\ncontent-type: text/plain\r\nx-a: 1\r\nx-a: 2\r\ncontent-length: 5\r\n\r\nhello')
})

test('RFC 3875 6.3.1: a body without a type gets one; what would be a field of CGI, or of the connection, does not go out', async () => {
  assert.is((await run(says('x'))).output, 'Status: 200 OK\r\ncontent-length: 1\r\ncontent-type: application/octet-stream\r\n\r\nx')
  assert.is((await run(says('', [['Status', '500'], ['upgrade', 'x'], ['keep-alive', '1'], ['connection', 'close'], ['transfer-encoding', 'chunked'], ['location', '/b']], 303))).output, 'Status: 303 See Other\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n')
})

test('HEAD, 204 and 304 have no body', async () => {
  assert.is((await run(says('hello'), { REQUEST_METHOD: 'HEAD' })).output, 'Status: 200 OK\r\ncontent-length: 5\r\n\r\n')
  assert.is((await run(says('hello', [], 204))).output, 'Status: 204 No Content\r\n\r\n')
  assert.is((await run(says('', [['etag', '"a"']], 304))).output, 'Status: 304 Not Modified\r\netag: "a"\r\n\r\n')
})

test('RFC 3875 4.2: no more than CONTENT_LENGTH bytes are read; without it there is no body', async () => {
  const echo = answering(async (_scope, receive, send) => {
    const body = Buffer.concat(await collect(bodyChunks(receive)))
    await send(start)
    await send({ type: 'http.response.body', body })
  })
  assert.match((await run(echo, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '3' }, 'abcdef')).output, /\r\n\r\nabc$/)
  assert.match((await run(echo, { REQUEST_METHOD: 'POST' }, 'abcdef')).output, /\r\n\r\n$/)
  assert.match((await run(echo, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '0' }, 'abcdef')).output, /\r\n\r\n$/)
})

test('input that ends before CONTENT_LENGTH: the client has left, and nothing is written', async () => {
  const caught = deferred<unknown>()
  const { output, error } = await run(answering(async (_scope, receive) => {
    try {
      await collect(bodyChunks(receive))
    } catch (each) {
      caught.resolve(each)
      throw each
    }
  }), { CONTENT_LENGTH: '10' }, 'abc')
  assert.equal([output, error], ['', null])
  assert.instance(await caught.promise, ClientDisconnected)
})

test('input is read as fast as the application receives', async () => {
  const stdin = new PassThrough({ highWaterMark: 1024 })
  const stdout = new PassThrough()
  const received = deferred()
  const go = deferred()
  const served = serveCgi(answering(async (_scope, receive, send) => {
    await receive()
    received.resolve()
    await go.promise
    let size = 0
    for await (const chunk of bodyChunks(receive)) size += chunk.length
    await send(start)
    await send({ type: 'http.response.body', body: String(size) })
  }), { env: { ...minimal, REQUEST_METHOD: 'POST', CONTENT_LENGTH: String(2 ** 24) }, stdin, stdout })
  const part = Buffer.alloc(2 ** 16)
  let written = 0
  const writing = (async () => {
    for (; written < 256; written++) if (!stdin.write(part)) await once(stdin, 'drain')
  })()
  await received.promise
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.ok(written < 5, `${written} parts were taken`)
  go.resolve()
  await Promise.all([served, writing])
})

test('send waits while the output is full', async () => {
  let sent = 0
  const stdout = new PassThrough({ highWaterMark: 1024 })
  const served = serveCgi(answering(async (_scope, _receive, send) => {
    await send(start)
    for (; sent < 100; sent++) await send({ type: 'http.response.body', body: Buffer.alloc(65536), moreBody: true })
    await send({ type: 'http.response.body' })
  }), { env: minimal, stdin: new PassThrough(), stdout })
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.ok(sent < 5, `${sent} parts were taken`)
  let size = 0
  stdout.on('data', (bytes: Buffer) => (size += bytes.length))
  await served
  assert.ok(size > 100 * 65536)
})

test('output that nobody reads any more: the client has left', async () => {
  const stdout = new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })) })
  const outcome = deferred<unknown>()
  await serveCgi(answering(async (scope, _receive, send) => {
    await send(start)
    await send({ type: 'http.response.body', body: 'x', moreBody: true }).catch(() => {})
    if (!disconnectSignal(scope).aborted) await once(disconnectSignal(scope), 'abort')
    outcome.resolve(await send({ type: 'http.response.body', body: 'y' }).catch((error: unknown) => error))
  }), { env: minimal, stdin: new PassThrough(), stdout })
  assert.instance(await outcome.promise, ClientDisconnected)
})

test('the option signal says that the client has left', async () => {
  const controller = new AbortController()
  const { output, error } = await run(answering(async (_scope, receive) => {
    await receive()
    controller.abort()
    assert.is((await receive()).type, 'http.disconnect')
  }), {}, '', { signal: controller.signal })
  assert.equal([output, error], ['', null])
  assert.is((await run(says('x'), {}, '', { signal: AbortSignal.abort() })).output, '')
})

test('the lifespan is run around the request, and its state is in the scope', async () => {
  const order: string[] = []
  const { output } = await run(application<{ word: string }>({
    lifespan: async function* () {
      order.push('start')
      yield { word: 'state' }
      order.push('stop')
    },
    http: async (scope, _receive, send) => {
      order.push('request')
      await send(start)
      await send({ type: 'http.response.body', body: scope.state.word })
    },
  }))
  assert.match(output, /state$/)
  assert.equal(order, ['start', 'request', 'stop'])
})

test('a start-up that fails is a 500, and the promise rejects', async () => {
  const { output, error } = await run(application({
    lifespan: async function* () {
      throw new Error('no database')
    },
  }))
  assert.match(output, /^Status: 500 /)
  assert.instance(error, LifespanFailed)
})

test('what the application throws rejects the promise: with a 500 before the head, with half a response after', async () => {
  const boom = new Error('boom')
  const before = await run(answering(async () => {
    throw boom
  }))
  assert.match(before.output, /^Status: 500 Internal Server Error\r\n[^]*\r\n\r\nInternal Server Error$/)
  assert.is(before.error, boom)
  const after = await run(answering(async (_scope, _receive, send) => {
    await send(start)
    await send({ type: 'http.response.body', body: 'part', moreBody: true })
    throw boom
  }))
  assert.match(after.output, /part$/)
  assert.is(after.error, boom)
  const early = await run(answering(async (_scope, _receive, send) => {
    await send(start)
    await send({ type: 'http.response.body', body: 'part', moreBody: true })
  }))
  assert.instance(early.error, IncompleteResponse)
})

test('no listener stays on the streams', async () => {
  const stdin = new PassThrough()
  const stdout = new PassThrough()
  const count = (): number => ['data', 'end', 'error', 'close'].reduce((sum, name) => sum + stdin.listenerCount(name), 0) + ['close', 'drain'].reduce((sum, name) => sum + stdout.listenerCount(name), 0)
  const before = count()
  stdin.end('abc')
  await serveCgi(says('x'), { env: { ...minimal, CONTENT_LENGTH: '3' }, stdin, stdout })
  assert.is(count(), before)
})

test.run()
