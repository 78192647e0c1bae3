/** A tsgi application inside servers of node:http and frameworks for it. */
import connect from 'connect'
import express from 'express'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { connect as connectSocket, type AddressInfo, type Socket } from 'node:net'
import supertest from 'supertest'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { fromNode, toNode } from '../../../adapters/node/index.ts'
import { application, bodyChunks, type Application, type HttpApplication, type HttpScope } from '../../../lib/index.ts'
import { serve } from '../../../lib/server/server.ts'
import { rawClient } from '../../support/raw-client.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { expressApp, upstreamListener } from './express-app.ts'
import { askHttp1, askHttp2, listening, onNodeHttp, type Ask } from './hosts.ts'

const test = suite('toNode')

/** Tells of its scope, and gives the body back. */
const teller: HttpApplication = async (scope, receive, send) => {
  const { method, path, rawPath, rootPath, queryString, scheme, httpVersion, client, server } = scope
  const chunks: Uint8Array[] = []
  for await (const chunk of bodyChunks(receive)) chunks.push(chunk)
  await send({ type: 'http.response.start', status: 201, headers: [['content-type', 'application/json'], ['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x-twice', '1'], ['x-twice', '2']] })
  await send({ type: 'http.response.body', body: JSON.stringify({
    method, path, rawPath, rootPath, queryString, scheme, httpVersion, client: client?.[0], server: server?.[0], x: scope.headers.getAll('x-a'), host: scope.headers.has('host'),
    body: Buffer.concat(chunks).toString(),
  }) })
}

const parts = new Map<string, HttpApplication>(Object.entries<HttpApplication>({
  '/stream': async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    for (let i = 0; i < 3; i++) await send({ type: 'http.response.body', body: `part ${i} `, moreBody: true })
    await send({ type: 'http.response.body' })
  },
  '/empty': async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 204 })
    await send({ type: 'http.response.body' })
  },
  '/hints': async (_scope, _receive, send) => {
    await send({ type: 'http.response.early_hint', links: ['</a>; rel=preload', '</b>; rel=preload'] })
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: 'hinted' })
  },
  '/trailers': async (_scope, receive, send) => {
    let trailers: unknown = null
    for (;;) {
      const event = await receive()
      if (event.type !== 'http.request' || event.moreBody) continue
      trailers = event.trailers?.get('x-sum') ?? null
      break
    }
    await send({ type: 'http.response.start', status: 200, trailers: true })
    await send({ type: 'http.response.body', body: JSON.stringify(trailers) })
    await send({ type: 'http.response.trailers', headers: [['x-sum', '42']] })
  },
  '/throws': async () => {
    throw new Error('thrown')
  },
  '/throws-late': async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: 'begun', moreBody: true })
    throw new Error('thrown late')
  },
}))

const everything: Application = application({
  http: (scope, receive, send) => (parts.get(scope.path) ?? teller)(scope, receive, send),
  websocket: async (scope, receive, send) => {
    if (scope.path === '/refused') {
      await send({ type: 'websocket.http.response.start', status: 401, headers: [['x-why', 'closed']] })
      return send({ type: 'websocket.http.response.body', body: 'no' })
    }
    await send({ type: 'websocket.accept', headers: [['x-path', `${scope.rootPath}${scope.path}`]], subprotocol: scope.subprotocols[0] })
    await receive()
    for (;;) {
      const event = await receive()
      if (event.type !== 'websocket.receive') return
      await send({ type: 'websocket.send', text: event.text, bytes: event.bytes })
    }
  },
})

const asks: readonly Ask[] = [
  { path: '/a%20b?c=d', headers: { 'x-a': ['1', '2'] } },
  { method: 'POST', path: '/', body: 'a body '.repeat(50_000) },
  { method: 'HEAD', path: '/' },
  { path: '/stream' }, { path: '/empty' }, { path: '/hints' }, { path: '/throws' },
  { method: 'POST', path: '/trailers', headers: { 'te': 'trailers', 'trailer': 'x-sum' }, body: 'abc', trailers: { 'x-sum': '7' } },
]

async function attached(t: TestContext, app: Application, errors: unknown[] = []): Promise<string> {
  const server = createServer()
  toNode(app, { onError: (error) => errors.push(error) }).attach(server)
  return listeningAt(t, server)
}

async function listeningAt(t: TestContext, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('requests are answered as by a server of tsgi, over HTTP/1.1 and HTTP/2', async (t) => {
  const expectedAt = await listening(t, everything)
  const errors: unknown[] = []
  const here = await attached(t, everything, errors)
  const { listener } = toNode(everything, { onError: (error) => errors.push(error) })
  const http2 = createHttp2Server(listener as unknown as (request: Http2ServerRequest, response: Http2ServerResponse) => void)
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve))
  t.after(() => new Promise((resolve) => http2.close(resolve)))
  for (const each of asks) {
    const label = `${each.method ?? 'GET'} ${each.path}`
    assert.equal(await askHttp1(here, each), await askHttp1(expectedAt, each), label)
    assert.equal(await askHttp2(`http://127.0.0.1:${(http2.address() as AddressInfo).port}`, each), await askHttp2(expectedAt, each), `${label} over HTTP/2`)
  }
  assert.equal(errors.map((error) => (error as Error).message), ['thrown', 'thrown'])
})

test('an application that fails late has its response broken off', async (t) => {
  const errors: unknown[] = []
  const here = await attached(t, everything, errors)
  const answer = await askHttp1(here, { path: '/throws-late' }).catch((error: { code?: string }) => error.code)
  assert.is(answer, 'ECONNRESET')
  assert.is((errors[0] as Error).message, 'thrown late')
})

test('100 Continue comes when the application reads, and not when it answers at once', async (t) => {
  const app = application({
    http: async (scope, receive, send) => {
      if (scope.path === '/read') await receive()
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: 'done' })
    },
  })
  const here = await attached(t, app)
  for (const path of ['/read', '/not']) {
    const client = await rawClient(t, { port: Number(new URL(here).port) })
    client.send(`POST ${path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n`)
    if (path === '/read') {
      await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
      client.send('abc')
    }
    await client.until(/done$/)
    assert.is(client.received.includes('100 Continue'), path === '/read')
  }
})

test('routers that mount it give its rootPath', async (t) => {
  const router = express.Router()
  router.use('/deep', toNode(everything).listener)
  const app = express().use('/api', toNode(everything).listener).use('/a%20b', toNode(everything).listener).use('/outer', router)
  const rows: readonly (readonly [string, string, string, string])[] = [
    ['/api/x?y=1', '/api', '/api/x', 'y=1'],
    ['/api', '/api', '/api', ''],
    ['/api/', '/api', '/api/', ''],
    ['/api?y=1', '/api', '/api', 'y=1'],
    ['/outer/deep/x/', '/outer/deep', '/outer/deep/x/', ''],
  ]
  for (const host of [await onNodeHttp(t, app), await onNodeHttp(t, connect().use('/api', toNode(everything).listener).use('/outer/deep', toNode(everything).listener))]) {
    for (const [path, rootPath, whole, query] of rows) {
      const told = JSON.parse((await askHttp1(host, { path })).body) as HttpScope
      assert.equal([told.rootPath, told.path, told.rawPath, told.queryString], [rootPath, whole, whole, query], path)
    }
  }
})

test('WebSockets are accepted, refused, and closed', async (t) => {
  const here = (await attached(t, everything)).replace('http', 'ws')
  const socket = new WebSocket(`${here}/chat?x`, ['one', 'two'])
  let accepted = ''
  socket.on('upgrade', (response) => (accepted = String(response.headers['x-path'])))
  await once(socket, 'open')
  assert.equal([socket.protocol, accepted], ['one', '/chat'])
  const large = Buffer.alloc(3_000_000, 'large ')
  for (const message of ['hello', large]) {
    socket.send(message)
    const [data] = await once(socket, 'message') as [Buffer]
    assert.ok(data.equals(Buffer.from(message)))
  }
  socket.close(1000)
  assert.is((await once(socket, 'close'))[0], 1000)
  const refused = new WebSocket(`${here}/refused`)
  const [, response] = await once(refused, 'unexpected-response') as [unknown, import('node:http').IncomingMessage]
  assert.equal([response.statusCode, response.headers['x-why']], [401, 'closed'])
  response.resume()
  refused.on('error', () => {}).terminate()
})

test('a handshake that is none is refused', async (t) => {
  const here = await attached(t, everything)
  const client = await rawClient(t, { port: Number(new URL(here).port) })
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n\r\n')
  await client.until(/^HTTP\/1\.1 426 /)
})

test('an upgrade to something else is an HTTP request that may be taken over', async (t) => {
  const here = await attached(t, fromNode((_request, response) => response.end('plain'), { upgrade: (request, socket) => void socket.end(`taken ${request.url}`) }))
  const client = await rawClient(t, { port: Number(new URL(here).port) })
  client.send('GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n')
  await client.until(/^taken \/x$/)
  const other = await rawClient(t, { port: Number(new URL(await attached(t, everything)).port) })
  other.send('GET /stream HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n')
  await other.ended
  assert.match(other.received, /^HTTP\/1\.1 200 OK\r\n[^]*part 0 [^]*part 2 /)
})

test('the application starts once, and shuts down when the server is closed', async () => {
  const heard: string[] = []
  const app = application({
    lifespan: async function* () {
      heard.push('startup')
      yield { name: 'state' }
      heard.push('shutdown')
    },
    http: async (scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: scope.state.name })
    },
  })
  const server = createServer()
  toNode(app).attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  assert.equal((await Promise.all([1, 2].map(() => askHttp1(url, { path: '/' })))).map(({ body }) => body), ['state', 'state'])
  assert.equal(heard, ['startup'])
  await new Promise((resolve) => server.close(resolve))
  await new Promise(setImmediate)
  assert.equal(heard, ['startup', 'shutdown'])
})

test('an application that does not start is an error of the server, and 500 to clients', async (t) => {
  const app = application({
    lifespan: async function* () {
      throw new Error('no database')
      yield {}
    },
  })
  const errors: unknown[] = []
  const server = createServer()
  const failed = once(server, 'error')
  toNode(app, { onError: (error) => errors.push(error) }).attach(server)
  assert.match(String((await failed)[0]), /no database/)
  assert.is((await askHttp1(await listeningAt(t, server), { path: '/' })).status, 500)
  assert.ok(errors.length > 0)
})

test('a client that leaves is heard of', async (t) => {
  const heard: string[] = []
  let done!: () => void
  const left = new Promise<void>((resolve) => (done = resolve))
  const app = application({
    http: async (_scope, receive, send) => {
      await receive()
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: 'x', moreBody: true })
      heard.push((await receive()).type)
      heard.push(await send({ type: 'http.response.body', body: 'y' }).then(() => 'sent', (error: { code: string }) => error.code))
      done()
    },
  })
  const socket = connectSocket(Number(new URL(await attached(t, app)).port), '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(socket, 'data')
  socket.destroy()
  await left
  assert.equal(heard, ['http.disconnect', 'ERR_TSGI_CLIENT_DISCONNECTED'])
})

test('supertest asks an application that went from node:http to tsgi and back, and one that tsgi serves', async (t) => {
  const upstream = await onNodeHttp(t, upstreamListener)
  const make = (): Application => fromNode(expressApp(express, upstream))
  const server = await serve(make(), { port: 0, accessLog: false })
  t.after(() => server.close())
  for (const agent of [supertest(toNode(make()).listener), supertest(server.url)]) {
    await agent.get('/json').expect('Content-Type', /json/).expect(200, { a: 1, ä: 'ö' })
    await agent.post('/body/json').send({ a: [1] }).expect(200, { got: { a: [1] } })
    await agent.post('/upload').attach('file', Buffer.from('content'), 'a.txt').field('b', 'c').expect(200, { fields: { b: 'c' }, files: [['a.txt', 'text/plain', 7]] })
    await agent.get('/compressed').set('accept-encoding', 'gzip').expect('content-encoding', 'gzip').expect(200)
    await agent.get('/static/page.html').set('range', 'bytes=0-8').expect(206, '<!DOCTYPE')
    await agent.get('/redirect').redirects(1).expect(200, 'plain text')
    await agent.get('/through/x').expect(200, 'from upstream: ')
    await agent.head('/text').expect(200)
    await agent.get('/nowhere').expect(404)
  }
})

test.run()
