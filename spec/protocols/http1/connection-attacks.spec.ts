import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { headerList, type Application, type HttpReceiveEvent, type HttpScope, type Receive, type Send, type ServerOptions } from '../../../lib/index.ts'
import { HttpExchange } from '../../../lib/exchange/http.ts'
import { httpScope } from '../../../lib/exchange/scope.ts'
import { pass, rawServer, seconds, type RawServer, type RawSocket } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

const test = suite('HTTP/1.1 under attack')

const bare: ServerOptions = { dateHeader: false }
const MiB = 2 ** 20

function http(app: (scope: HttpScope, receive: Receive, send: Send) => Promise<void>): Application {
  return async (scope, receive, send) => {
    if (scope.type === 'http') await app(scope, receive, send)
    else throw new Error('HTTP only')
  }
}

async function reply(send: Send, body: string): Promise<void> {
  await send({ type: 'http.response.start', status: 200, headers: [] })
  await send({ type: 'http.response.body', body })
}

const reading = http(async (_scope, receive, send) => {
  for (;;) {
    const event = await receive() as HttpReceiveEvent
    if (event.type === 'http.disconnect') return
    if (!event.moreBody) break
  }
  await reply(send, 'ok')
})

function rss(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1024
}

/** Asks again and again until `over`; returns the slowest answer in seconds. */
async function probe(server: RawServer, over: Promise<unknown>): Promise<number> {
  let slowest = 0
  let done = false
  void over.then(() => (done = true))
  while (!done) {
    slowest = Math.max(slowest, await seconds(server.exchange('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')))
    await pass(0.02)
  }
  return slowest
}

function connections(server: RawServer, count: number): Promise<RawSocket[]> {
  return Promise.all(Array.from({ length: count }, () => server.connect()))
}

for (const [rule, count, start, status] of [
  ['300 slow heads', 300, 'GET / HTTP/1.1\r\nX: ', 408],
  ['300 slow bodies', 300, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n', 408],
  ['1,000 idle connections', 1000, '', null],
] as const) {
  test(`${rule} are cut off in time, and others are served meanwhile`, async (t) => {
    const server = await rawServer(t, reading, { ...bare, timeoutHead: 1, timeoutBody: 1, timeoutKeepAlive: 1 })
    const sockets: RawSocket[] = []
    for (let made = 0; made < count; made += 100) sockets.push(...await connections(server, 100))
    for (const socket of sockets) socket.write(start)
    // A byte now and then is progress of a body, but not of a head.
    if (start.startsWith('GET')) {
      const timer = setInterval(() => sockets.forEach((socket) => socket.ending === null && socket.write('a')), 300)
      t.after(() => clearInterval(timer))
    }
    const ended = Promise.all(sockets.map((socket) => socket.ended))
    const [time, slowest] = await Promise.all([seconds(ended), probe(server, ended)])
    assert.ok(time < 3, `the last was cut off after ${time} s`)
    assert.ok(slowest < 0.25, `a probe took ${slowest} s`)
    const wanted = status === null ? /^$/ : /^HTTP\/1\.1 408 /
    for (const socket of sockets) assert.match(socket.text, wanted)
  }, 20)
}

/** Writes without end until the server ends the connection or takes no more; returns how much it was given. */
async function pour(server: RawServer, start: string, part: string, most: number): Promise<{ socket: RawSocket; given: number }> {
  const socket = await server.connect()
  socket.write(start)
  let given = 0
  while (socket.ending === null && given < most) {
    socket.write(part)
    given += part.length
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { socket, given }
}

for (const [rule, status, start, part, limit] of [
  ['header fields without end', 431, 'GET / HTTP/1.1\r\nHost: a\r\n', 'X: y\r\n'.repeat(10), 16384],
  ['one header field without end', 431, 'GET / HTTP/1.1\r\nHost: a\r\nX: ', 'y'.repeat(4096), 16384],
  ['a request target without end', 414, 'GET /', 'y'.repeat(4096), 8192],
  ['a method without end', 501, '', 'Y'.repeat(4096), 8192],
  ['a chunk extension without end', 413, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;', 'y'.repeat(4096), 16384],
  ['chunks of one byte with extensions, without end', 413, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', '1;yyyyyyyyyyyyyyy\r\na\r\n'.repeat(100), 16384],
  ['trailers without end', 431, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n', 'X: y\r\n'.repeat(10), 16384],
  ['one trailer without end', 431, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ', 'y'.repeat(4096), 16384],
] as const) {
  test(`${rule}: cut off within 64 KiB of the limit`, async (t) => {
    const server = await rawServer(t, reading, bare)
    const { socket, given } = await pour(server, start, part, MiB)
    assert.match(await socket.toEnd(), new RegExp(`^HTTP/1\\.1 ${status} `))
    assert.ok(given < limit + 65536 + 2 * part.length, `${given} bytes were given`)
  })
}

test('20 clients that do not read 10 MiB each: the application waits, and memory stays bounded', async (t) => {
  let sent = 0
  const part = 'x'.repeat(16384)
  const parts = 640
  const server = await rawServer(t, http(async (scope, _receive, send) => {
    if (scope.path === '/') return reply(send, 'ok')
    await send({ type: 'http.response.start', status: 200, headers: [] })
    // More than the buffers of any kernel take.
    for (let count = 0; count < parts; count++) {
      await send({ type: 'http.response.body', body: part, moreBody: true })
      sent += part.length
    }
    await send({ type: 'http.response.body' })
  }), bare)
  const sockets = await connections(server, 20)
  globalThis.gc?.()
  const before = rss()
  for (const socket of sockets) {
    socket.socket.pause()
    socket.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
  }
  let seen = -1
  for (; sent !== seen; await pass(0.1)) seen = sent
  assert.ok(sent < 20 * parts * part.length, 'the applications were held back')
  const growth = (rss() - before) / MiB
  assert.ok(growth < 20, `RSS grew by ${growth.toFixed(1)} MiB`)
  assert.ok(await seconds(server.exchange('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')) < 0.25)
  const [reader] = sockets
  reader?.socket.resume()
  await reader?.untilLength(parts * part.length)
}, 30)

test('500 connections that reset at every moment leave no application, no connection and no error', async (t) => {
  const heard: string[] = []
  const errors: unknown[] = []
  const server = await rawServer(t, http(async (scope, receive, send) => {
    if (scope.path === '/') return reply(send, 'ok')
    await receive()
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'x', moreBody: true })
    heard.push((await receive()).type)
  }), { ...bare, observer: { finished: ({ error }) => void (error !== undefined && errors.push(error)) } })
  for (let round = 0; round < 5; round++) {
    const sockets = await connections(server, 100)
    for (const [index, socket] of sockets.entries()) {
      socket.write('GET /wait HTTP/1.1\r\nHost: a\r\n\r\n')
      if (index % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
      socket.socket.resetAndDestroy()
    }
  }
  for (let tries = 0; server.server.running > 0 && tries < 100; tries++) await pass(0.02)
  assert.is(server.server.running, 0)
  assert.equal(errors, [])
  assert.ok(heard.every((type) => type === 'http.disconnect'))
  assert.ok(await seconds(server.server.close()) < 0.5)
}, 20)

test('a body that comes byte by byte to an application that does not receive: held back by the number of parts too', () => {
  const calls: string[] = []
  const transport = {
    inform: () => {}, head: () => {}, write: () => true, end: () => true, abort: () => {},
    pause: () => void calls.push('pause'), resume: () => void calls.push('resume'),
  }
  const scope = httpScope({
    httpVersion: '1.1', method: 'POST', scheme: 'http', rawPath: '/', queryString: '', headers: headerList([]), client: null, server: null, extensions: {},
  }, '', {})
  const exchange = new HttpExchange(transport, { observer: null, defaultHeaders: [], debug: false, messageQueue: 32 }, scope, { body: true, expectContinue: false, trailers: false })
  for (let count = 0; count < 2000 && calls.length === 0; count++) exchange.body(new Uint8Array(1))
  assert.equal(calls, ['pause'])
  void exchange.receive()
  assert.equal(calls, ['pause', 'resume'])
})

test.run()
