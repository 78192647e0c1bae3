import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { Application, HttpScope, Receive, Send } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { rawServer } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

const test = suite('HTTP/1.1 responses, byte by byte')

type Headers = readonly (readonly [string, string])[]

/** An application of one response, in as many body events as there are parts. */
function answer(status: number, headers: Headers, ...parts: (string | Uint8Array)[]): Application {
  return http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status, headers })
    for (const [index, body] of parts.entries()) await send({ type: 'http.response.body', body, moreBody: index < parts.length - 1 })
  })
}

function http(app: (scope: HttpScope, receive: Receive, send: Send) => Promise<void>): Application {
  return async (scope, receive, send) => {
    if (scope.type === 'http') await app(scope, receive, send)
    else throw new Error('HTTP only')
  }
}

const bare = { dateHeader: false }
const get = (fields = '', version = '1.1'): string => `GET / HTTP/${version}\r\nHost: a\r\n${fields}\r\n`
const CLOSE = 'Connection: close\r\n'

const rows: readonly { rule: string; app: Application; request: string; bytes: string }[] = [
  { rule: 'one body event: content-length, head and body together, and close as asked', app: answer(200, [['Content-Type', 'text/plain']], 'hello'), request: get(CLOSE),
    bytes: 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello' },
  { rule: 'text is UTF-8, and its length is counted in bytes', app: answer(200, [], 'aä€'), request: get(CLOSE),
    bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\naÃ¤â\x82¬' },
  { rule: 'bytes are written as they are', app: answer(200, [], new Uint8Array([0, 13, 10, 128, 255])), request: get(CLOSE),
    bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n\0\r\n\x80\xff' },
  { rule: 'header values are Latin-1', app: answer(200, [['x-name', 'Jos\xe9']], ''), request: get(CLOSE),
    bytes: 'HTTP/1.1 200 OK\r\nx-name: Jos\xe9\r\ncontent-length: 0\r\nconnection: close\r\n\r\n' },
  { rule: 'a status that nobody knows has an empty reason, and its space (RFC 9112 4)', app: answer(299, [], ''), request: get(CLOSE),
    bytes: 'HTTP/1.1 299 \r\ncontent-length: 0\r\nconnection: close\r\n\r\n' },
  { rule: 'several body events: chunks, each with its size in hexadecimal (RFC 9112 7.1)', app: answer(200, [], 'a', 'b'.repeat(26), 'ä', ''), request: get(CLOSE),
    bytes: `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n1\r\na\r\n1a\r\n${'b'.repeat(26)}\r\n2\r\nÃ¤\r\n0\r\n\r\n` },
  { rule: 'the last event of a chunked body may have bytes', app: answer(200, [], 'a', 'b'), request: get(CLOSE),
    bytes: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n' },
  { rule: 'empty events within a chunked body write nothing: an empty chunk would end it', app: answer(200, [], '', 'a', '', 'b', ''), request: get(CLOSE),
    bytes: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n' },
  { rule: 'a content-length of the application: no chunks', app: answer(200, [['content-length', '3']], 'a', 'bc'), request: get(CLOSE),
    bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc' },
  { rule: 'connection: close asked by the application', app: answer(200, [['connection', 'close']], 'a'), request: get(),
    bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\na' },
  { rule: 'connection: close among other options, in any case (RFC 9110 7.6.1)', app: answer(200, [], 'a'), request: get('connection: te\r\nConnection: Foo, CLOSE\r\n'),
    bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\na' },
  { rule: 'a HEAD has the head of a GET and no body (RFC 9110 9.3.2)', app: answer(200, [], 'hello'), request: `HEAD / HTTP/1.1\r\nHost: a\r\n${CLOSE}\r\n`,
    bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n' },
  { rule: 'a HEAD answered in parts has no body, no chunks', app: answer(200, [], 'hello', 'you'), request: `HEAD / HTTP/1.1\r\nHost: a\r\n${CLOSE}\r\n`,
    bytes: 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n' },
  { rule: '204 has neither body nor content-length (RFC 9110 8.6)', app: answer(204, [['content-length', '5']], 'hello'), request: get(CLOSE),
    bytes: 'HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n' },
  { rule: '205 says a content-length of 0 (RFC 9110 15.3.6)', app: answer(205, [], 'hello'), request: get(CLOSE),
    bytes: 'HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n' },
  { rule: '304 keeps the content-length of the application and has no body (RFC 9110 15.4.5)', app: answer(304, [['content-length', '5'], ['etag', '"a"']], ''), request: get(CLOSE),
    bytes: 'HTTP/1.1 304 Not Modified\r\netag: "a"\r\ncontent-length: 5\r\nconnection: close\r\n\r\n' },
  { rule: 'HTTP/1.0: answered with our own version (RFC 9110 2.5), and closed', app: answer(200, [], 'a'), request: get('', '1.0'),
    bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\na' },
  { rule: 'HTTP/1.0: a body of unknown length ends with the connection, with keep-alive asked for too', app: answer(200, [], 'a', 'b', ''), request: get('Connection: keep-alive\r\n', '1.0'),
    bytes: 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nab' },
]

for (const { rule, app, request, bytes } of rows) {
  test(rule, async (t) => {
    const server = await rawServer(t, app, bare)
    assert.is(await server.exchange(request), bytes)
  })
}

test('a body too large to copy is framed by the same bytes', async (t) => {
  const large = Buffer.alloc(100_000, 'x')
  const server = await rawServer(t, answer(200, [], large, large), bare)
  const chunk = `186a0\r\n${'x'.repeat(100_000)}\r\n`
  assert.is(await server.exchange(get(CLOSE)), `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n${chunk}${chunk}0\r\n\r\n`)
})

test('a connection persists by default (RFC 9112 9.3): nothing is said of it', async (t) => {
  const server = await rawServer(t, answer(200, [], 'a'), bare)
  const one = 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na'
  const socket = await server.connect()
  for (let count = 1; count <= 3; count++) {
    socket.write(get())
    await socket.untilLength(one.length * count)
  }
  assert.is(socket.text, one.repeat(3))
  assert.is(socket.ending, null)
})

test('HEAD, 204 and 304 leave the connection open for the next request', async (t) => {
  const app = http(async (scope, _receive, send) => {
    await send({ type: 'http.response.start', status: Number(scope.path.slice(1)), headers: [] })
    await send({ type: 'http.response.body', body: 'hello', moreBody: true })
    await send({ type: 'http.response.body' })
  })
  const server = await rawServer(t, app, bare)
  const bytes = await server.exchange(['HEAD /200', 'GET /204', 'GET /304', 'HEAD /404'].map((line) => `${line} HTTP/1.1\r\nHost: a\r\n\r\n`).join('') + `GET /205 HTTP/1.1\r\nHost: a\r\n${CLOSE}\r\n`)
  assert.is(bytes, 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n'
    + 'HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
})

test('HTTP/1.0 with keep-alive (RFC 9112 C.2.2): granted in words where the length is known', async (t) => {
  const server = await rawServer(t, answer(200, [], 'a'), bare)
  const socket = await server.connect()
  const one = 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\na'
  socket.write(get('Connection: keep-alive\r\n', '1.0'))
  await socket.untilLength(one.length)
  socket.write(get('', '1.0'))
  assert.is(await socket.toEnd(), `${one}HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\na`)
})

test('HTTP/1.0: no 1xx, no chunks, no trailers, whatever the application sends and the client claims', async (t) => {
  const extensions: unknown[] = []
  const app = http(async (scope, receive, send) => {
    extensions.push(scope.extensions)
    await send({ type: 'http.response.early_hint', links: ['</a>; rel=preload'] })
    await receive()
    await send({ type: 'http.response.start', status: 200, headers: [], trailers: true })
    await send({ type: 'http.response.body', body: 'a', moreBody: true })
    await send({ type: 'http.response.body', body: 'b' })
    await send({ type: 'http.response.trailers', headers: [['x-sum', '1']] })
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.write('POST / HTTP/1.0\r\nExpect: 100-continue\r\nTE: trailers\r\nConnection: TE\r\nContent-Length: 1\r\n\r\n')
  setTimeout(() => socket.write('x'), 50)
  assert.is(await socket.toEnd(), 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nab')
  assert.equal(extensions, [{ 'http.response.zerocopysend': {}, 'http.response.pathsend': {} }])
})

test('HTTP/1.0: a streamed response that breaks off is reset: a FIN would make it pass for whole', async (t) => {
  const failing = deferred()
  const app = http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'part', moreBody: true })
    await failing.promise
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.write(get('', '1.0'))
  await socket.until('part')
  failing.resolve()
  assert.is(await socket.ended, 'RST')
})

test('HTTP/1.0: a streamed response that is cut off by a time limit is reset too', async (t) => {
  const app = http(async (_scope, receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'part', moreBody: true })
    await receive()
    await receive()
  })
  const server = await rawServer(t, app, { ...bare, timeoutHalfClose: 0.2 })
  const socket = await server.connect()
  socket.write(get('', '1.0'))
  await socket.until('part')
  socket.end()
  assert.is(await socket.ended, 'RST')
})

test('HTTP/1.0 over a unix socket, which has no RST: a broken response closes the connection and harms nobody', async (t) => {
  const app = http(async (scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'part', moreBody: scope.path !== '/ok' })
  })
  const server = await rawServer(t, app, { ...bare, uds: join(tmpdir(), `tsgi-${process.pid}-old.sock`) })
  const socket = await server.connect()
  socket.write(get('', '1.0'))
  await socket.ended
  assert.is(socket.text, 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\npart')
  assert.match(await server.exchange('GET /ok HTTP/1.0\r\n\r\n'), /part$/)
})

test('HTTP/1.1: a streamed response that breaks off ends without its last chunk', async (t) => {
  const app = http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'part', moreBody: true })
  })
  const server = await rawServer(t, app, bare)
  assert.is(await server.exchange(get()), 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n')
})

test('an application that fails before a head is out: 500 and close, and what was pipelined is not served', async (t) => {
  let calls = 0
  const app = http(async (_scope, _receive, send) => {
    calls++
    await send({ type: 'http.response.start', status: 200, headers: [['x-lost', '1']] })
    await send({ type: 'http.response.start', status: 200, headers: [] })
  })
  const server = await rawServer(t, app, bare)
  const bytes = await server.exchange(get() + get())
  assert.is(bytes, 'HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\nconnection: close\r\n\r\nInternal Server Error')
  assert.is(calls, 1)
})

test('trailers: chunked even for a body of one event, then the fields (RFC 9112 7.1.2)', async (t) => {
  const app = http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [['trailer', 'x-sum, x-more']], trailers: true })
    await send({ type: 'http.response.body', body: 'abc' })
    await send({ type: 'http.response.trailers', headers: [['X-Sum', '1']], moreTrailers: true })
    await send({ type: 'http.response.trailers', headers: [['x-more', '\xe9']] })
  })
  const server = await rawServer(t, app, bare)
  assert.is(await server.exchange(get(`TE: trailers\r\n${CLOSE}`)),
    'HTTP/1.1 200 OK\r\ntrailer: x-sum, x-more\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\nx-more: \xe9\r\n\r\n')
  assert.is((await server.exchange(get(CLOSE))).includes('x-sum: 1'), false)
})

test('early hints are 103s before the head (RFC 8297)', async (t) => {
  const app = http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.early_hint', links: ['</a>; rel=preload', '</b>; rel=preload'] })
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'a' })
  })
  const server = await rawServer(t, app, bare)
  assert.is(await server.exchange(get(CLOSE)),
    'HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\nlink: </b>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\na')
})

test('default headers stand behind those of the application, which replace them', async (t) => {
  const server = await rawServer(t, answer(200, [['x-frame-options', 'SAMEORIGIN']], 'a'), { ...bare, header: ['X-Frame-Options: DENY', 'x-powered-by: tea'], serverHeader: 'tsgi' })
  assert.is(await server.exchange(get(CLOSE)), 'HTTP/1.1 200 OK\r\nx-frame-options: SAMEORIGIN\r\nx-powered-by: tea\r\nserver: tsgi\r\ncontent-length: 1\r\nconnection: close\r\n\r\na')
})

test('date is now, in the form of RFC 9110 5.6.7, and gives way to that of the application', async (t) => {
  const dated = await rawServer(t, answer(200, [], 'a'))
  const before = Math.floor(Date.now() / 1000) * 1000
  const [, date = ''] = /\r\ndate: (.+)\r\n/.exec(await dated.exchange(get(CLOSE))) ?? []
  assert.match(date, /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/)
  assert.ok(Date.parse(date) >= before && Date.parse(date) <= Date.now())
  const own = await rawServer(t, answer(200, [['Date', 'Thu, 01 Jan 1970 00:00:00 GMT']], 'a'))
  assert.equal((await own.exchange(get(CLOSE))).match(/date: .+/g), ['date: Thu, 01 Jan 1970 00:00:00 GMT'])
})

test('limitRequests: the last response says close, and what is pipelined behind it is not served', async (t) => {
  let calls = 0
  const app = http(async (_scope, _receive, send) => {
    calls++
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'a' })
  })
  const server = await rawServer(t, app, { ...bare, limitRequests: 3 })
  const open = 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na'
  assert.is(await server.exchange(get().repeat(5)), `${open}${open}HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\na`)
  assert.is(calls, 3)
})

test('head and first body leave in one write', async (t) => {
  const more = deferred()
  const app = http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'first', moreBody: true })
    await more.promise
    await send({ type: 'http.response.body', body: 'second' })
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.write(get(CLOSE))
  await socket.until('first')
  assert.is(socket.reads, 1)
  more.resolve()
  await socket.toEnd()
  assert.is(socket.reads, 2)
})

test('the bytes of a part may be changed once its send has resolved, of the last part too', async (t) => {
  const sizes = [1000, 15_000, 20_000, 40_000, 100_000, 1_000_000, 3_000_000]
  for (const headers of [[], [['content-length', String(sizes.reduce((sum, size) => sum + size))]]] as const) {
    const done = deferred()
    const server = await rawServer(t, http(async (_scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200, headers })
      for (const [index, size] of sizes.entries()) {
        const body = Buffer.alloc(size, 'a')
        await send({ type: 'http.response.body', body, moreBody: index < sizes.length - 1 })
        body.fill('b')
      }
      done.resolve()
    }), bare)
    const client = await server.connect()
    client.socket.pause()
    client.write(get(CLOSE))
    await new Promise((resolve) => setTimeout(resolve, 200))
    client.socket.resume()
    const bytes = await client.toEnd()
    const body = bytes.slice(bytes.indexOf('\r\n\r\n') + 4)
    assert.is(body.replace(/\r\n[0-9a-f]+\r\n|^[0-9a-f]+\r\n|\r\n/g, '').includes('b'), false)
    await done.promise
  }
})

test.run()
