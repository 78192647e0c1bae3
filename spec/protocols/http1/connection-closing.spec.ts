import { execFile, spawn } from 'node:child_process'
import { writeFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { disconnectSignal, type Application, type HttpReceiveEvent, type HttpScope, type Receive, type Send } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { pass, rawServer, seconds } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

const test = suite('HTTP/1.1: how connections end')

const bare = { dateHeader: false }
const get = (path = '', fields = ''): string => `GET /${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
const MiB = 2 ** 20

function http(app: (scope: HttpScope, receive: Receive, send: Send) => Promise<void>): Application {
  return async (scope, receive, send) => {
    if (scope.type === 'http') await app(scope, receive, send)
    else throw new Error('HTTP only')
  }
}

async function reply(send: Send, body: string | Uint8Array, status = 200): Promise<void> {
  await send({ type: 'http.response.start', status, headers: [] })
  await send({ type: 'http.response.body', body })
}

/** An event stream that says one thing and then waits for its client to go. */
function eventStream(gone: (event: HttpReceiveEvent) => void): Application {
  return http(async (_scope, receive, send) => {
    await receive()
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/event-stream']] })
    await send({ type: 'http.response.body', body: 'data: 1\n\n', moreBody: true })
    gone(await receive() as HttpReceiveEvent)
  })
}

const late = http(async (_scope, _receive, send) => {
  await pass(0.3)
  await reply(send, 'late')
})

test('a FIN after a complete request: an answer that comes 300 ms later still arrives (RFC 9112 9.6)', async (t) => {
  const server = await rawServer(t, late, bare)
  const socket = await server.connect()
  socket.socket.end(get())
  assert.is(await socket.toEnd(), 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate')
})

test.needing(['nc'], () => {
  test('nc -N, a half-closed client, gets an answer that comes 300 ms later', async (t) => {
    const server = await rawServer(t, late, bare)
    const nc = spawn('nc', ['-N', '127.0.0.1', String(server.port)], { stdio: ['pipe', 'pipe', 'inherit'] })
    t.after(() => nc.kill())
    nc.stdin.end(get())
    let text = ''
    for await (const chunk of nc.stdout) text += String(chunk)
    assert.is(text, 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate')
  })
})

test('a FIN after pipelined requests: all are answered', async (t) => {
  const server = await rawServer(t, http(async (scope, _receive, send) => {
    await pass(0.05)
    await reply(send, scope.path)
  }), bare)
  const socket = await server.connect()
  socket.socket.end(get('1') + get('2') + get('3'))
  assert.equal((await socket.toEnd()).match(/\/\d$|\/\d(?=HTTP)/g), ['/1', '/2', '/3'])
})

test('a FIN on an idle connection is answered by a FIN', async (t) => {
  const server = await rawServer(t, late, bare)
  const socket = await server.connect()
  socket.end()
  assert.ok(await seconds(socket.closed) < 0.2)
  assert.is(socket.ending, 'FIN')
})

test('an event stream whose client closes with a FIN only: the application hears within timeoutHalfClose', async (t) => {
  const gone = deferred<HttpReceiveEvent>()
  const server = await rawServer(t, eventStream(gone.resolve), { ...bare, timeoutHalfClose: 0.4 })
  const socket = await server.connect()
  socket.write(get())
  await socket.until('data: 1')
  socket.end()
  const time = await seconds(gone.promise)
  assert.ok(time > 0.35 && time < 1.2, `${time} s`)
  assert.equal(await gone.promise, { type: 'http.disconnect' })
  await socket.closed
})

test('an event stream whose client resets: the application hears at once, by receive, signal and send', async (t) => {
  const heard = deferred<unknown[]>()
  const app = http(async (scope, receive, send) => {
    await receive()
    const signal = disconnectSignal(scope)
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'data: 1\n\n', moreBody: true })
    const event = await receive() as HttpReceiveEvent
    const error = await send({ type: 'http.response.body', body: 'x' }).catch((reason: unknown) => reason) as { code: string }
    heard.resolve([event.type, signal.aborted, error.code])
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.write(get())
  await socket.until('data: 1')
  socket.socket.resetAndDestroy()
  assert.ok(await seconds(heard.promise) < 0.2)
  assert.equal(await heard.promise, ['http.disconnect', true, 'ERR_TSGI_CLIENT_DISCONNECTED'])
})

const refusing = http(async (_scope, _receive, send) => reply(send, 'too large', 413))

test('an early 413 to an upload of 20 MB arrives thirty times out of thirty, and no reset follows', async (t) => {
  const server = await rawServer(t, refusing, bare)
  const body = Buffer.alloc(20_000_000)
  for (let run = 0; run < 30; run++) {
    const socket = await server.connect()
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`)
    socket.write(body)
    assert.is(await socket.toEnd(), 'HTTP/1.1 413 Payload Too Large\r\ncontent-length: 9\r\nconnection: close\r\n\r\ntoo large', `run ${run}`)
    socket.end()
    await socket.closed
    assert.is(socket.reset, false, `run ${run}`)
  }
}, 30)

test.needing(['curl'], () => {
  test('an early 413 to an upload of 20 MB by curl arrives thirty times out of thirty', async (t) => {
    const server = await rawServer(t, refusing, bare)
    const file = join(tmpdir(), `tsgi-${process.pid}-upload`)
    writeFileSync(file, Buffer.alloc(20_000_000))
    t.after(() => rmSync(file))
    for (let run = 0; run < 30; run++) {
      const { stdout } = await promisify(execFile)('curl', ['-sS', '-H', 'Expect:', '-T', file, '-w', ' %{http_code}', `http://127.0.0.1:${server.port}/`])
      assert.is(stdout, 'too large 413', `run ${run}`)
    }
  }, 30)
})

test('lingering is bounded: a client that never closes is gone some seconds after the last response', async (t) => {
  const server = await rawServer(t, refusing, bare)
  const socket = await server.connect()
  socket.write(get('', 'Connection: close\r\n'))
  await socket.toEnd()
  // Our side stays open: the server's second half can only be seen by a reset that answers a write.
  await pass(5.6)
  socket.write('x')
  await pass(0.05)
  socket.write('x')
  assert.ok(await seconds(socket.closed) < 0.5)
}, 15)

test('a FIN while the end of the last response is on its way cuts nothing off', async (t) => {
  const size = 12 * MiB
  const server = await rawServer(t, http(async (_scope, _receive, send) => reply(send, Buffer.alloc(size, 'x'))), bare)
  for (const version of ['1.1', '1.0']) {
    const socket = await server.connect()
    socket.write(`GET / HTTP/${version}\r\nHost: a\r\nConnection: close\r\n\r\n`)
    await socket.untilLength(1)
    socket.socket.pause()
    socket.end()
    await pass(0.1)
    socket.socket.resume()
    assert.is((await socket.toEnd()).split('\r\n\r\n')[1]?.length, size)
  }
})

test('a half-closed client that takes its time to read is not gone', async (t) => {
  const size = 12 * MiB
  const server = await rawServer(t, http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [['content-length', String(size)]] })
    for (let part = 0; part < 12; part++) await send({ type: 'http.response.body', body: Buffer.alloc(MiB, 'x'), moreBody: part < 11 })
  }), { ...bare, timeoutHalfClose: 0.2 })
  const socket = await server.connect()
  socket.write(get())
  socket.end()
  await socket.untilLength(1)
  socket.socket.pause()
  await pass(0.8)
  socket.socket.resume()
  assert.is((await socket.toEnd()).split('\r\n\r\n')[1]?.length, size)
})

test('what the client sends behind a response that closes is dropped, and does no harm', async (t) => {
  let calls = 0
  const server = await rawServer(t, http(async (_scope, _receive, send) => {
    calls++
    await reply(send, 'bye')
  }), bare)
  const socket = await server.connect()
  socket.write(get('', 'Connection: close\r\n'))
  await socket.until('bye')
  for (let count = 0; count < 20; count++) {
    socket.write(get())
    await pass(0.005)
  }
  assert.is(await socket.toEnd(), 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbye')
  assert.is(socket.reset, false)
  assert.is(calls, 1)
})

test('stop: idle connections get a FIN, and a request that the client has already sent is answered', async (t) => {
  const server = await rawServer(t, http(async (scope, _receive, send) => reply(send, scope.path)), bare)
  const idle = await server.connect()
  const fresh = await server.connect()
  const used = await server.connect()
  used.write(get('1'))
  await used.until('/1')
  used.write(get('2'))
  fresh.write(get('3'))
  // The bytes are in the kernel: nobody has turned the loop since.
  const closed = server.server.close()
  assert.is(await idle.toEnd(), '')
  assert.is(await used.toEnd(), 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n/1HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n/2')
  assert.is(await fresh.toEnd(), 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n/3')
  for (const socket of [idle, used, fresh]) socket.end()
  assert.ok(await seconds(closed) < 0.5)
  assert.equal([idle.reset, used.reset, fresh.reset], [false, false, false])
})

test('stop: a request under way is answered in full, pipelined ones behind it are not begun', async (t) => {
  const begun: string[] = []
  const server = await rawServer(t, http(async (scope, receive, send) => {
    begun.push(scope.path)
    let text = ''
    for (let more = true; more;) {
      const event = await receive() as HttpReceiveEvent
      if (event.type === 'http.disconnect') return
      text += Buffer.from(event.body).toString()
      more = event.moreBody
    }
    await pass(0.1)
    await reply(send, `<${text}>`)
  }), bare)
  const socket = await server.connect()
  const upload = await server.connect()
  socket.write(get('1') + get('2'))
  upload.write('POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc')
  await pass(0.03)
  const closed = server.server.close()
  await pass(0.05)
  upload.write('def')
  assert.is(await socket.toEnd(), 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n<>')
  assert.is(await upload.toEnd(), 'HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\n<abcdef>')
  assert.equal(begun.sort(), ['/1', '/upload'])
  socket.end()
  upload.end()
  await closed
})

test('stop: event streams end at once and properly, those that begin while the server stops too', async (t) => {
  const gone: string[] = []
  const go = deferred()
  const server = await rawServer(t, http(async (scope, receive, send) => {
    if (scope.path === '/late') await go.promise
    await receive()
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/event-stream']] })
    await send({ type: 'http.response.body', body: 'data: 1\n\n', moreBody: true })
    gone.push((await receive()).type)
  }), bare)
  const early = await server.connect()
  const stopping = await server.connect()
  early.write(get('early'))
  stopping.write(get('late'))
  await early.until('data: 1')
  const closed = server.server.close({ timeout: 5 })
  setTimeout(() => go.resolve(), 50)
  const stream = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n'
  assert.is(await early.toEnd(), `${stream}\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n`)
  assert.is(await stopping.toEnd(), `${stream}connection: close\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n`)
  assert.ok(await seconds(closed) < 1.2)
  assert.equal(gone, ['http.disconnect', 'http.disconnect'])
}, 15)

test('stop: clients that keep their side open, lingering ones too, do not hold the server up', async (t) => {
  const server = await rawServer(t, http(async (_scope, _receive, send) => reply(send, 'bye')), bare)
  const lingering = await server.connect()
  const idle = await server.connect()
  lingering.write(get('', 'Connection: close\r\n'))
  await lingering.toEnd()
  assert.ok(await seconds(server.server.close({ timeout: 20 })) < 1.2)
  assert.is(await idle.ended, 'FIN')
}, 15)

test('stop: at its time limit what still runs is cut off, and a close-delimited body is reset', async (t) => {
  const gone: string[] = []
  const server = await rawServer(t, http(async (_scope, receive, send) => {
    await receive()
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'part', moreBody: true })
    gone.push((await receive()).type)
  }), bare)
  const old = await server.connect()
  const current = await server.connect()
  old.write('GET / HTTP/1.0\r\n\r\n')
  current.write(get())
  await Promise.all([old.until('part'), current.until('part')])
  assert.ok(await seconds(server.server.close({ timeout: 0.3 })) < 1)
  assert.is(await old.ended, 'RST')
  await current.ended
  assert.is(current.text.endsWith('0\r\n\r\n'), false)
  assert.equal(gone, ['http.disconnect', 'http.disconnect'])
})

test('a client that resets in any state is no error, and leaves nothing behind', async (t) => {
  const server = await rawServer(t, http(async (scope, receive, send) => {
    if (scope.path === '/pending') await receive().then(receive)
    else await reply(send, Buffer.alloc(MiB))
    // Node ends its side before it resets: if the FIN is read alone, the reset shows no more.
  }), { ...bare, timeoutHalfClose: 0.5 })
  const errors: unknown[] = []
  const record = (error: unknown): void => void errors.push(error)
  process.on('uncaughtException', record).on('unhandledRejection', record)
  t.after(() => process.off('uncaughtException', record).off('unhandledRejection', record))
  const states = ['', 'GET', get('', 'Connection: close\r\n'), get().repeat(50), get('pending'), `${get('pending')}${get().repeat(1000)}`,
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc', 'POST /pending HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab', 'BAD\r\n\r\n', 'GET / HTTP/1.0\r\n\r\n']
  for (const bytes of states) {
    for (const wait of [0, 0.01]) {
      const socket = await server.connect()
      socket.write(bytes)
      await pass(wait)
      socket.socket.resetAndDestroy()
    }
  }
  for (let tries = 0; server.server.running > 0 && tries < 100; tries++) await pass(0.02)
  assert.is(server.server.running, 0)
  assert.equal(errors, [])
})

test.run()
