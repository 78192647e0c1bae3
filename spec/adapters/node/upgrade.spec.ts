/** Upgrades reach the listeners of node:http: WebSockets of ws and socket.io, and protocols of one's own. */
import express from 'express'
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { Server as SocketIoServer } from 'socket.io'
import { io, type Socket as SocketIoClient } from 'socket.io-client'
import * as assert from 'uvu/assert'
import { WebSocket, WebSocketServer } from 'ws'
import { fromNode } from '../../../adapters/node/index.ts'
import type { WebSocketRefused } from '../../../lib/contract/errors.ts'
import { serve, type Application } from '../../../lib/index.ts'
import { testClient } from '../../../lib/testing/index.ts'
import { rawClient } from '../../support/raw-client.ts'
import { rejection } from '../../support/rejection.ts'
import { suite } from '../../support/suite.ts'
import { tlsServer } from '../../support/tls-server.ts'
import { askHttp1, listening, onTsgi } from './hosts.ts'

const test = suite('upgrades')
const webSocketHead = 'GET /a?b HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
const ownHead = 'GET /a?b HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: own/1\r\n\r\n'

function httpServer(): ReturnType<typeof createServer> {
  return createServer((request, response) => response.end(`${request.method} ${request.url} upgrade: ${request.headers.upgrade}`))
}

for (const transport of ['polling', 'websocket'] as const) {
  test(`socket.io speaks with its client by ${transport}`, async (t) => {
    const server = createServer(express().get('/', (_request, response) => void response.send('page')))
    const sockets = new SocketIoServer(server)
    sockets.on('connection', (socket) => {
      socket.on('add', (a: number, b: number, answer: (sum: number) => void) => answer(a + b))
      socket.on('bytes', (bytes: Buffer) => socket.emit('bytes', Buffer.from(bytes).reverse()))
    })
    const url = await onTsgi(t, server)
    assert.is((await askHttp1(url, { path: '/' })).body, 'page')
    const client: SocketIoClient = io(url, { transports: [transport], reconnection: false })
    t.after(() => client.close())
    t.after(() => sockets.disconnectSockets(true))
    await new Promise<void>((resolve, reject) => client.on('connect', () => resolve()).on('connect_error', reject))
    assert.is(client.io.engine.transport.name, transport)
    assert.is(await client.emitWithAck('add', 2, 3), 5)
    const reversed = new Promise<Buffer>((resolve) => client.once('bytes', resolve))
    client.emit('bytes', Buffer.from([1, 2, 3]))
    assert.equal([...await reversed], [3, 2, 1])
    const left = new Promise<string>((resolve) => sockets.sockets.sockets.forEach((socket) => socket.once('disconnect', resolve)))
    client.close()
    assert.match(await left, /client namespace disconnect|transport close/)
  })
}

test('socket.io goes over from polling to WebSocket', async (t) => {
  const server = httpServer()
  const sockets = new SocketIoServer(server)
  const url = await onTsgi(t, server)
  const client = io(url, { reconnection: false })
  t.after(() => client.close())
  t.after(() => sockets.disconnectSockets(true))
  await new Promise<void>((resolve, reject) => client.on('connect', () => resolve()).on('connect_error', reject))
  if (client.io.engine.transport.name !== 'websocket') await new Promise((resolve) => client.io.engine.once('upgrade', resolve))
  assert.is(client.io.engine.transport.name, 'websocket')
})

for (const secure of [false, true]) {
  test(`ws takes WebSockets over${secure ? ' with TLS' : ''}: large messages both ways, and its close`, async (t) => {
    const server = httpServer()
    const webSockets = new WebSocketServer({ server })
    const seen: unknown[] = []
    webSockets.on('connection', (socket, request: IncomingMessage) => {
      seen.push(request.url, request.httpVersion, request.headers['sec-websocket-version'], request.socket.remoteAddress, request.complete)
      socket.on('message', (data, binary) => socket.send(data as Buffer, { binary }))
    })
    const app = fromNode(server)
    const url = secure ? (await tlsServer(t, {}, app)).url : await listening(t, app)
    const socket = new WebSocket(`${url.replace('http', 'ws')}/a?b`, { rejectUnauthorized: false, maxPayload: 64_000_000 })
    t.after(() => socket.terminate())
    await once(socket, 'open')
    const message = Buffer.alloc(8_000_000, 'message ')
    for (const each of [Buffer.from('x'), message]) {
      socket.send(each)
      const [answer] = await once(socket, 'message') as [Buffer]
      assert.ok(answer.equals(each))
    }
    assert.equal(seen, ['/a?b', '1.1', '13', '127.0.0.1', true])
    socket.close(4000, 'enough')
    const [code, reason] = await once(socket, 'close') as [number, Buffer]
    assert.equal([code, String(reason)], [4000, 'enough'])
  })
}

test('bytes that come with the request are the head, and those after it come on the socket', async (t) => {
  for (const [head, name] of [[ownHead, 'own/1'], [webSocketHead, 'websocket']] as const) {
    const url = await listening(t, fromNode(() => {}, {
      upgrade: (request, socket, bytes) => {
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n\r\n${request.method} ${request.url} ${request.headers.upgrade} ${bytes}`)
        socket.on('data', (chunk: Buffer) => socket.end(` ${chunk}`))
      },
    }))
    const client = await rawClient(t, { port: Number(new URL(url).port) })
    client.send(`${head}early`)
    while (!client.received.endsWith('early')) await once(client.socket, 'data')
    client.send('late')
    await client.ended
    assert.is(client.received, `HTTP/1.1 101 Switching Protocols\r\n\r\nGET /a?b ${name} early late`)
  }
})

test('a listener for upgrades that throws ends the connection, not the server', async (t) => {
  const url = await listening(t, fromNode((_request, response) => response.end('here'), {
    upgrade: () => {
      throw new Error('thrown')
    },
  }))
  const client = await rawClient(t, { port: Number(new URL(url).port) })
  client.send(ownHead)
  await client.ended
  assert.is(client.received, '')
  assert.is((await askHttp1(url, { path: '/' })).body, 'here')
})

test('an error of a socket that was taken over ends nothing else', async (t) => {
  const taken = new Promise<Duplex>((resolve) => {
    void listening(t, fromNode(() => {}, { upgrade: (_request, socket) => resolve(socket) })).then(async (url) => {
      const client = await rawClient(t, { port: Number(new URL(url).port) })
      client.send(ownHead)
      await taken
      client.socket.resetAndDestroy()
    })
  })
  const socket = await taken
  await new Promise((resolve) => socket.resume().on('close', resolve))
})

test('where nobody takes upgrades, the request is one like any other', async (t) => {
  const url = await onTsgi(t, httpServer())
  for (const head of [ownHead, webSocketHead]) {
    const client = await rawClient(t, { port: Number(new URL(url).port) })
    client.send(head.replace('Host: a', 'Host: a\r\nX-Close: 1'))
    while (!client.received.includes('upgrade: ')) await once(client.socket, 'data')
    assert.match(client.received, /^HTTP\/1\.1 200 OK\r\n[^]*GET \/a\?b upgrade: (?:own\/1|websocket)$/)
    client.socket.destroy()
  }
})

test('the test client offers no upgrade: a WebSocket is refused there with what the listener answers', async (t) => {
  const server = httpServer()
  new WebSocketServer({ server })
  const client = await testClient(fromNode(server))
  t.after(() => client.close())
  const refused = await rejection(client.websocket('/a')) as WebSocketRefused
  assert.is(refused.response.status, 200)
})

test('tsgi.upgrade is offered to requests that ask for an upgrade, and refused to others', async (t) => {
  const seen: string[] = []
  const app: Application = async (scope, _receive, send) => {
    if (scope.type === 'lifespan') throw new Error('no lifespan')
    seen.push(String('tsgi.upgrade' in scope.extensions))
    const error = await rejection(send({ type: 'tsgi.upgrade', take: 'nothing' as never })) as { code: string; message: string }
    seen.push(/take must be a function|an extension that is in/.exec(error.message)?.[0] ?? error.message)
    await send({ type: scope.type === 'http' ? 'http.response.start' : 'websocket.http.response.start', status: 200 } as never)
    seen.push(((await rejection(send({ type: 'tsgi.upgrade', take: () => {} }))) as { code: string }).code)
    await send({ type: scope.type === 'http' ? 'http.response.body' : 'websocket.http.response.body' } as never)
  }
  const url = await listening(t, app)
  const rows: readonly (readonly [string, boolean])[] = [
    [ownHead, true],
    [webSocketHead, true],
    ['GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', false],
    ['GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUpgrade: own\r\n\r\n', false],
    ['GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n', false],
    ['GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n', false],
    ['POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: own\r\nContent-Length: 1\r\n\r\nx', false],
  ]
  for (const [head, offered] of rows) {
    const client = await rawClient(t, { port: Number(new URL(url).port) })
    client.send(head)
    while (!client.received.includes('\r\n\r\n')) await once(client.socket, 'data')
    client.socket.destroy()
    assert.equal(seen.splice(0), [String(offered), offered ? 'take must be a function' : 'an extension that is in', 'ERR_TSGI_UNEXPECTED_EVENT'], head)
  }
})

test('the application that took a connection over may return: receive says that it is over', async (t) => {
  const heard: string[] = []
  const finished = new Promise<unknown>((resolve) => {
    const app: Application = async (scope, receive, send) => {
      if (scope.type === 'lifespan') throw new Error('no lifespan')
      await send({ type: 'tsgi.upgrade', take: (socket) => void setTimeout(() => socket.end('bye'), 10) })
      if (scope.type === 'websocket') heard.push((await receive()).type)
      heard.push((await receive()).type)
    }
    void serve(app, { port: 0, accessLog: false, observer: { finished: ({ status, error }) => resolve([status, error]) } }).then(async (server) => {
      t.after(() => server.close({ timeout: 1 }))
      const client = await rawClient(t, { port: Number(new URL(server.url).port) })
      client.send(ownHead)
      await client.ended
      assert.is(client.received, 'bye')
    })
  })
  assert.equal(await finished, [101, undefined])
  assert.equal(heard, ['http.disconnect'])
})

test('the end of a client is seen on a connection that nobody reads', async (t) => {
  let taken!: (socket: Duplex) => void
  const open = new Promise<Duplex>((resolve) => (taken = resolve))
  const url = await listening(t, fromNode(() => {}, { upgrade: (_request, socket) => taken(socket.end('bye')) }))
  const client = await rawClient(t, { port: Number(new URL(url).port) })
  client.send(ownHead)
  const socket = await open
  const closed = once(socket, 'close')
  await client.ended
  client.socket.end()
  await closed
})

test('a server that stops ends the connections that were taken over', async (t) => {
  let taken!: (socket: Duplex) => void
  const open = new Promise<Duplex>((resolve) => (taken = resolve))
  const server = await serve(fromNode(() => {}, { upgrade: (_request, socket) => taken(socket.resume()) }), { port: 0, accessLog: false })
  t.after(() => server.close())
  const request = httpRequest(server.url, { headers: { connection: 'upgrade', upgrade: 'own' } }).on('error', () => {})
  t.after(() => request.destroy())
  request.end()
  const socket = await open
  const closed = once(socket, 'close')
  await server.close({ timeout: 5 })
  await closed
})

test.run()
