import * as assert from 'uvu/assert'
import type { Application, HttpReceiveEvent, HttpScope, Receive, Send, ServerOptions } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { pass, rawServer, seconds } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

const test = suite('HTTP/1.1 time limits')

const bare: ServerOptions = { dateHeader: false }
const get = (fields = ''): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
const post = (fields: string, body = ''): string => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
const TIMEOUT = /^HTTP\/1\.1 408 Request Timeout\r\n[^]*\r\nconnection: close\r\n\r\n408 Request Timeout: /

function http(app: (scope: HttpScope, receive: Receive, send: Send) => Promise<void>): Application {
  return async (scope, receive, send) => {
    if (scope.type === 'http') await app(scope, receive, send)
    else throw new Error('HTTP only')
  }
}

async function reply(send: Send, body = 'ok'): Promise<void> {
  await send({ type: 'http.response.start', status: 200, headers: [] })
  await send({ type: 'http.response.body', body })
}

const ok = http(async (_scope, _receive, send) => reply(send))

/** Blocks the loop. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

async function drain(receive: Receive): Promise<HttpReceiveEvent> {
  for (;;) {
    const event = await receive() as HttpReceiveEvent
    if (event.type === 'http.disconnect' || !event.moreBody) return event
  }
}

/** Never early, and late by no more than the wheel's turns and a busy machine. */
function inTime(time: number, limit: number): void {
  assert.ok(time >= limit - 0.01 && time < limit + 0.9, `${time.toFixed(2)} s for a limit of ${limit} s`)
}

test('a head that dribbles in: 408 when its time is over, though bytes keep coming', async (t) => {
  const server = await rawServer(t, ok, { ...bare, timeoutHead: 0.5 })
  const socket = await server.connect()
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nX: ')
  const timer = setInterval(() => socket.write('a'), 30)
  t.after(() => clearInterval(timer))
  inTime(await seconds(socket.ended), 0.5)
  assert.match(await socket.toEnd(), TIMEOUT)
})

test('the time of a head begins with its first byte, after a response as well', async (t) => {
  const server = await rawServer(t, ok, { ...bare, timeoutHead: 0.3 })
  const socket = await server.connect()
  await pass(0.5)
  socket.write(get())
  await socket.until('ok')
  await pass(0.5)
  socket.write('G')
  inTime(await seconds(socket.ended), 0.3)
  assert.match((await socket.toEnd()).slice(OK.length), TIMEOUT)
})

test('a part of a head that came with the request before it has its time too', async (t) => {
  const server = await rawServer(t, ok, { ...bare, timeoutHead: 0.3 })
  const socket = await server.connect()
  socket.write(`${get()}GET /`)
  inTime(await seconds(socket.ended), 0.3)
  assert.match((await socket.toEnd()).slice(OK.length), TIMEOUT)
})

test('a connection without a byte closes silently, and so does one with empty lines only', async (t) => {
  const server = await rawServer(t, ok, { ...bare, timeoutKeepAlive: 0.3, timeoutHead: 0.2 })
  for (const bytes of ['', '\r\n', '\r\n\r\n']) {
    const socket = await server.connect()
    socket.write(bytes)
    inTime(await seconds(socket.ended), 0.3)
    assert.is(await socket.toEnd(), '')
  }
})

test('keep-alive: an idle connection closes silently when its time since the last response is over', async (t) => {
  const server = await rawServer(t, ok, { ...bare, timeoutKeepAlive: 0.4 })
  const socket = await server.connect()
  for (let count = 1; count <= 3; count++) {
    await pass(0.2)
    socket.write(get())
    await socket.untilLength(OK.length * count)
  }
  inTime(await seconds(socket.ended), 0.4)
  assert.is(await socket.toEnd(), OK.repeat(3))
})

test('the keep-alive time does not run while a request is under way', async (t) => {
  const server = await rawServer(t, http(async (_scope, _receive, send) => {
    await pass(0.7)
    await reply(send)
  }), { ...bare, timeoutKeepAlive: 0.2, timeoutHead: 0.2, timeoutBody: 0.2, timeoutSend: 0.2, timeoutHalfClose: 0.2 })
  const socket = await server.connect()
  socket.write(get())
  assert.is(await socket.toEnd(), OK)
})

test('a body that stops: 408, and the application hears of it', async (t) => {
  const ended = deferred<HttpReceiveEvent>()
  const server = await rawServer(t, http(async (_scope, receive) => ended.resolve(await drain(receive))), { ...bare, timeoutBody: 0.3 })
  const socket = await server.connect()
  socket.write(post('Content-Length: 10\r\n', 'abc'))
  inTime(await seconds(socket.ended), 0.3)
  assert.match(await socket.toEnd(), TIMEOUT)
  assert.equal(await ended.promise, { type: 'http.disconnect' })
})

test('a body that makes progress is never cut off', async (t) => {
  const server = await rawServer(t, http(async (_scope, receive, send) => {
    await drain(receive)
    await reply(send)
  }), { ...bare, timeoutBody: 0.3 })
  for (const [fields, part, last] of [['Content-Length: 8\r\n', 'a', ''], ['Transfer-Encoding: chunked\r\n', '1\r\na\r\n', '0\r\n\r\n']] as const) {
    const socket = await server.connect()
    socket.write(post(fields))
    for (let sent = 0; sent < 8; sent++) {
      await pass(0.1)
      socket.write(part)
    }
    socket.write(last)
    assert.is(await socket.until('ok'), OK)
  }
})

test('a body that stops when the head of the answer is out: broken off', async (t) => {
  const server = await rawServer(t, http(async (_scope, receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'part', moreBody: true })
    await drain(receive)
  }), { ...bare, timeoutBody: 0.3 })
  const socket = await server.connect()
  socket.write(post('Content-Length: 10\r\n', 'abc'))
  inTime(await seconds(socket.ended), 0.3)
  assert.is(await socket.toEnd(), 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n')
})

test('the time of a body does not run while the client is held back because the application does not receive', async (t) => {
  const go = deferred()
  const size = 20_000_000
  const server = await rawServer(t, http(async (_scope, receive, send) => {
    await go.promise
    await drain(receive)
    await reply(send)
  }), { ...bare, timeoutBody: 0.3 })
  const socket = await server.connect()
  socket.write(post(`Content-Length: ${size}\r\n`))
  socket.write(Buffer.alloc(size))
  await pass(1)
  assert.ok(socket.socket.writableLength > 0, 'the client is held back')
  go.resolve()
  assert.is(await socket.until('ok'), OK)
})

test('the time of a body does not run before 100 Continue was sent, and runs from then on', async (t) => {
  const go = deferred()
  const server = await rawServer(t, http(async (_scope, receive, send) => {
    await go.promise
    await drain(receive)
    await reply(send)
  }), { ...bare, timeoutBody: 0.3 })
  const socket = await server.connect()
  socket.write(post('Content-Length: 10\r\nExpect: 100-continue\r\n'))
  await pass(0.8)
  assert.is(socket.text, '')
  go.resolve()
  inTime(await seconds(socket.ended), 0.3)
  assert.match((await socket.toEnd()).replace('HTTP/1.1 100 Continue\r\n\r\n', ''), TIMEOUT)
})

/** An application that streams without end; `awaits` tells whether it waits for the client. */
function flood(awaits: boolean, gone: (time: number) => void): Application {
  return http(async (_scope, receive, send) => {
    const start = performance.now()
    let over = false
    void drain(receive).then(async () => receive()).then(() => {
      over = true
      gone((performance.now() - start) / 1000)
    })
    await send({ type: 'http.response.start', status: 200, headers: [] })
    while (!over) {
      const sent = send({ type: 'http.response.body', body: 'x'.repeat(awaits ? 100_000 : 20_000), moreBody: true })
      if (awaits) await sent
      else await pass(0.01)
    }
  })
}

for (const [rule, awaits, dribbles] of [
  ['a client that stops reading counts as gone after timeoutSend', true, false],
  ['so it does when it goes on sending', true, true],
  ['so it does when the application goes on writing without waiting', false, false],
] as const) {
  test(rule, async (t) => {
    const gone = deferred<number>()
    const server = await rawServer(t, flood(awaits, gone.resolve), { ...bare, timeoutSend: 0.5 })
    const socket = await server.connect()
    socket.socket.pause()
    socket.write(get())
    const timer = setInterval(() => dribbles && socket.write('G'), 50)
    t.after(() => clearInterval(timer))
    const time = await gone.promise
    // Without waiting it takes the application a while to fill the socket.
    assert.ok(time > 0.5 && time < (awaits ? 2 : 6), `${time} s`)
    socket.socket.resume()
    await socket.ended
  })
}

test('a client that reads slowly but steadily is not cut off, with one large body event either', async (t) => {
  const size = 12_000_000
  const app = http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: Buffer.alloc(size, 'x') })
  })
  const server = await rawServer(t, app, { ...bare, timeoutSend: 0.4 })
  const socket = await server.connect()
  socket.write(get('Connection: close\r\n'))
  while (socket.ending === null && socket.length < size - 1_000_000) {
    const before = socket.length
    await socket.untilLength(before + 600_000)
    socket.socket.pause()
    await pass(0.1)
    socket.socket.resume()
  }
  assert.is((await socket.toEnd()).split('\r\n\r\n')[1]?.length, size)
})

test('a client that stops reading a response that is complete is cut off as well', async (t) => {
  const app = http(async (_scope, _receive, send) => reply(send, 'x'.repeat(20_000_000)))
  const server = await rawServer(t, app, { ...bare, timeoutSend: 0.4, timeoutKeepAlive: 30 })
  for (const fields of ['', 'Connection: close\r\n']) {
    const socket = await server.connect()
    socket.socket.pause()
    socket.write(get(fields))
    const timer = setInterval(() => socket.write('G'), 50)
    await pass(1.5)
    clearInterval(timer)
    socket.socket.resume()
    await socket.ended
    assert.ok(socket.length < 20_000_000, `${socket.length} bytes came`)
  }
})

test('half-close: a silent application hears after timeoutHalfClose, and the connection is gone', async (t) => {
  const gone = deferred<unknown>()
  const server = await rawServer(t, http(async (_scope, receive, send) => {
    await drain(receive)
    const next = await receive()
    gone.resolve(next)
    await reply(send)
  }), { ...bare, timeoutHalfClose: 0.4 })
  const socket = await server.connect()
  socket.write(get())
  socket.end()
  inTime(await seconds(gone.promise), 0.4)
  assert.equal(await gone.promise, { type: 'http.disconnect' })
  assert.is(await socket.toEnd(), '')
})

test('half-close: every write begins timeoutHalfClose anew', async (t) => {
  const server = await rawServer(t, http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [['content-length', '6']] })
    for (let part = 0; part < 6; part++) {
      await pass(0.2)
      await send({ type: 'http.response.body', body: 'x', moreBody: part < 5 })
    }
  }), { ...bare, timeoutHalfClose: 0.4 })
  const socket = await server.connect()
  socket.write(get())
  socket.end()
  assert.match(await socket.toEnd(), /\r\n\r\nxxxxxx$/)
})

test('0 turns each limit off', async (t) => {
  const release = deferred()
  const server = await rawServer(t, http(async (scope, receive, send) => {
    if (scope.path === '/wait') await release.promise
    await drain(receive)
    await reply(send, scope.path === '/large' ? 'x'.repeat(20_000_000) : 'ok')
  }), { ...bare, timeoutHead: 0, timeoutBody: 0, timeoutSend: 0, timeoutKeepAlive: 0, timeoutHalfClose: 0 })
  const idle = await server.connect()
  const head = await server.connect()
  head.write('GET / HTTP/1.1\r\n')
  const body = await server.connect()
  body.write(post('Content-Length: 2\r\n', 'a'))
  const half = await server.connect()
  half.write('GET /wait HTTP/1.1\r\nHost: a\r\n\r\n')
  half.end()
  const unread = await server.connect()
  unread.socket.pause()
  unread.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
  await pass(0.8)
  idle.write(get())
  head.write('Host: a\r\n\r\n')
  body.write('b')
  release.resolve()
  unread.socket.resume()
  assert.equal(await Promise.all([idle.until('ok'), head.until('ok'), body.until('ok'), half.until('ok')]), [OK, OK, OK, OK])
  await unread.untilLength(20_000_000)
})

test('a loop that was blocked for longer than every limit cuts nobody off who was in time', async (t) => {
  const gone: string[] = []
  const app = http(async (scope, receive, send) => {
    if (scope.path === '/block') block(1500)
    if (scope.path === '/large') {
      await send({ type: 'http.response.start', status: 200, headers: [['content-length', '16000000']] })
      await send({ type: 'http.response.body', body: Buffer.alloc(16_000_000, 'x') })
      return
    }
    const last = await drain(receive)
    if (last.type === 'http.disconnect') gone.push(scope.path)
    await reply(send)
  })
  const limit = 0.3
  const server = await rawServer(t, app, { ...bare, timeoutHead: limit, timeoutBody: limit, timeoutSend: limit, timeoutKeepAlive: limit })
  const head = await server.connect()
  head.write('GET / HTTP/1.1\r\n')
  const body = await server.connect()
  body.write('POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na')
  const idle = await server.connect()
  const blocker = await server.connect()
  const large = await server.connect()
  large.socket.pause()
  large.write('GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await pass(0.05)
  // These lie in the server's buffers while it is blocked: the client shares the loop, its kernel does not.
  blocker.write('GET /block HTTP/1.1\r\nHost: a\r\n\r\n')
  await new Promise((resolve) => setImmediate(resolve))
  head.write('Host: a\r\n\r\n')
  body.write('b')
  idle.write(get())
  large.socket.resume()
  assert.equal(await Promise.all([head.until('ok'), body.until('ok'), idle.until('ok'), blocker.until('ok')]), [OK, OK, OK, OK])
  assert.ok((await large.toEnd()).length > 16_000_000)
  assert.equal(gone, [])
})

test.run()
