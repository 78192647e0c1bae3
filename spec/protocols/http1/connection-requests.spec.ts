import * as assert from 'uvu/assert'
import { disconnectSignal, type Application, type HttpReceiveEvent, type HttpScope, type Receive, type Send } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { occurrences, pass, rawServer, seconds } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

const test = suite('HTTP/1.1 requests that a polite client does not send')

const bare = { dateHeader: false }
const post = (fields: string, body = ''): string => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`
const CHUNKED = 'Transfer-Encoding: chunked\r\n'

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

/** Reads the whole body; the text, and how it ended. */
async function bodyOf(receive: Receive): Promise<{ text: string; last: HttpReceiveEvent }> {
  let text = ''
  for (;;) {
    const event = await receive() as HttpReceiveEvent
    if (event.type === 'http.disconnect') return { text, last: event }
    text += Buffer.from(event.body).toString('latin1')
    if (!event.moreBody) return { text, last: event }
  }
}

const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'

const refused: readonly (readonly [status: string, rule: string, request: string])[] = [
  ['400 Bad Request', 'Content-Length beside Transfer-Encoding (RFC 9112 6.1)', post(`Content-Length: 5\r\n${CHUNKED}`, '0\r\n\r\n')],
  ['400 Bad Request', 'two Content-Lengths (RFC 9112 6.3)', post('Content-Length: 0\r\nContent-Length: 0\r\n')],
  ['400 Bad Request', 'a Content-Length with a sign', post('Content-Length: +0\r\n')],
  ['400 Bad Request', 'Transfer-Encoding in HTTP/1.0 (RFC 9112 6.1)', `POST / HTTP/1.0\r\n${CHUNKED}\r\n0\r\n\r\n`],
  ['501 Not Implemented', 'a transfer coding other than chunked', post('Transfer-Encoding: gzip\r\n')],
  ['400 Bad Request', 'a second Host (RFC 9112 3.2)', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['400 Bad Request', 'no Host (RFC 9112 3.2)', 'GET / HTTP/1.1\r\n\r\n'],
  ['400 Bad Request', 'a bare LF (RFC 9112 2.2)', 'GET / HTTP/1.1\nHost: a\n\n'],
  ['400 Bad Request', 'obs-fold (RFC 9112 5.2)', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n'],
  ['505 HTTP Version Not Supported', 'another major version', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'],
  ['501 Not Implemented', 'CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n'],
  ['417 Expectation Failed', 'an unknown expectation (RFC 9110 10.1.1)', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\n\r\n'],
  ['414 URI Too Long', 'a request line over its limit', `GET /${'a'.repeat(8192)} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ['431 Request Header Fields Too Large', 'a head over its limit', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(16384)}\r\n\r\n`],
  ['431 Request Header Fields Too Large', 'too many fields', `GET / HTTP/1.1\r\nHost: a\r\n${'X: a\r\n'.repeat(100)}\r\n`],
]

for (const [status, rule, request] of refused) {
  test(`refused once, in text, and closed with nothing after it parsed: ${rule}`, async (t) => {
    let calls = 0
    const server = await rawServer(t, http(async (_scope, _receive, send) => {
      calls++
      await reply(send, 'served')
    }), bare)
    const socket = await server.connect()
    socket.write(request + smuggled)
    const bytes = await socket.toEnd()
    const [head = '', body = ''] = bytes.split('\r\n\r\n')
    assert.equal(head.split('\r\n'), [`HTTP/1.1 ${status}`, 'content-type: text/plain; charset=utf-8', `content-length: ${body.length}`, 'connection: close'])
    assert.match(body, new RegExp(`^${status}: [^\\n]+\\n$`))
    socket.write(smuggled)
    await pass(0.03)
    assert.is(socket.text, bytes)
    assert.is(calls, 0)
  })
}

test('a refused request behind a good one: the good one is answered first', async (t) => {
  let calls = 0
  const app = http(async (_scope, _receive, send) => {
    calls++
    await pass(0.05)
    await reply(send, 'served')
  })
  const server = await rawServer(t, app, bare)
  const bytes = await server.exchange(`GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n${smuggled}`)
  assert.match(bytes, /^HTTP\/1\.1 200 OK\r\ncontent-length: 6\r\n\r\nservedHTTP\/1\.1 400 Bad Request\r\n/)
  assert.is(occurrences(bytes, 'HTTP/1.1 '), 2)
  assert.is(calls, 1)
})

test('a malformed chunk while the application reads: 400, and the application hears of it', async (t) => {
  const ended = deferred<{ text: string; last: HttpReceiveEvent; aborted: boolean }>()
  const app = http(async (scope, receive, send) => {
    const body = await bodyOf(receive)
    ended.resolve({ ...body, aborted: disconnectSignal(scope).aborted })
    await send({ type: 'http.response.start', status: 200, headers: [] })
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.write(post(CHUNKED, '3\r\nabc\r\n'))
  await pass(0.03)
  socket.write(`3\r\nabcd\r\n0\r\n\r\n${smuggled}`)
  const bytes = await socket.toEnd()
  assert.match(bytes, /^HTTP\/1\.1 400 Bad Request\r\n[^]*connection: close\r\n\r\n400 Bad Request: .+\n$/)
  assert.equal(await ended.promise, { text: 'abc', last: { type: 'http.disconnect' }, aborted: true })
})

test('a malformed chunk while the head is held: still 400', async (t) => {
  const held = deferred()
  const app = http(async (_scope, receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [['x-held', '1']] })
    held.resolve()
    await bodyOf(receive)
    await send({ type: 'http.response.body', body: 'late' })
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.write(post(CHUNKED))
  await held.promise
  socket.write('x\r\n')
  const bytes = await socket.toEnd()
  assert.match(bytes, /^HTTP\/1\.1 400 /)
  assert.not.match(bytes, /x-held|late/)
})

test('a malformed chunk when the head is out: the response is broken off, without a second head', async (t) => {
  const gone = deferred<unknown>()
  const app = http(async (_scope, receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'part', moreBody: true })
    await bodyOf(receive)
    await send({ type: 'http.response.body', body: 'late' }).catch(gone.resolve)
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.write(post(CHUNKED))
  await socket.until('part')
  socket.write('x\r\n')
  assert.is(await socket.toEnd(), 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n')
  assert.is((await gone.promise as { code: string }).code, 'ERR_TSGI_CLIENT_DISCONNECTED')
})

for (const [framing, fields, part] of [['content-length', 'Content-Length: 10\r\n', 'abc'], ['chunked', CHUNKED, '3\r\nabc\r\n']] as const) {
  test(`a body cut by a FIN is never answered, and the application hears at once: ${framing}`, async (t) => {
    const started = deferred()
    const ended = deferred<{ text: string; last: HttpReceiveEvent }>()
    const app = http(async (_scope, receive, send) => {
      started.resolve()
      ended.resolve(await bodyOf(receive))
      await reply(send, 'answered')
    })
    const server = await rawServer(t, app, bare)
    const socket = await server.connect()
    socket.write(post(fields, part))
    await started.promise
    socket.end()
    assert.ok(await seconds(ended.promise) < 0.2)
    assert.equal(await ended.promise, { text: 'abc', last: { type: 'http.disconnect' } })
    assert.is(await socket.toEnd(), '')
  })
}

test('a head cut by a FIN is never answered', async (t) => {
  const server = await rawServer(t, http(async () => assert.unreachable()), bare)
  for (const part of ['G', 'GET / HTTP/1.1\r\n', 'GET / HTTP/1.1\r\nHost: a\r\n', '\r\n', '']) {
    const socket = await server.connect()
    socket.socket.end(part)
    assert.is(await socket.toEnd(), '', JSON.stringify(part))
  }
})

test('a head cut by a FIN behind a request that is being answered: no answer to it, and no wait', async (t) => {
  const app = http(async (_scope, _receive, send) => {
    await pass(0.1)
    await reply(send, 'one')
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.socket.end('GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHo')
  assert.ok(await seconds(socket.ended) < 1)
  assert.is(await socket.toEnd(), 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none')
})

test('a body cut by a FIN behind a request that is being answered: no answer to it, and its application hears at once', async (t) => {
  const ended = deferred<string>()
  const app = http(async (scope, receive, send) => {
    if (scope.method === 'POST') {
      const { last } = await bodyOf(receive)
      ended.resolve(last.type)
    } else {
      await pass(0.1)
    }
    await reply(send, scope.method)
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.socket.end(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${post('Content-Length: 10\r\n', 'abc')}`)
  assert.ok(await seconds(socket.ended) < 1)
  assert.is(await socket.toEnd(), 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nGET')
  assert.is(await ended.promise, 'http.disconnect')
})

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const EXPECT = 'Expect: 100-continue\r\n'

test('100 Continue is sent at the first receive, not before (RFC 9110 10.1.1), and once', async (t) => {
  const go = deferred()
  const app = http(async (_scope, receive, send) => {
    await go.promise
    const all = [receive(), receive(), receive()]
    await Promise.all(all.slice(0, 2))
    await reply(send, 'done')
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.write(post(`Content-Length: 6\r\n${EXPECT}`))
  await pass(0.1)
  assert.is(socket.text, '')
  go.resolve()
  assert.is(await socket.until('\r\n\r\n'), CONTINUE)
  socket.write('abc')
  await pass(0.02)
  socket.write('def')
  assert.is(await socket.until('done'), `${CONTINUE}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone`)
})

test('100 Continue is not sent when a body byte has come, with the head or after it', async (t) => {
  const go = deferred()
  const app = http(async (scope, receive, send) => {
    if (scope.path === '/later') await go.promise
    await reply(send, (await bodyOf(receive)).text)
  })
  const server = await rawServer(t, app, bare)
  const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc'
  for (const [fields, part, rest] of [['Content-Length: 3\r\n', 'abc', ''], ['Content-Length: 3\r\n', 'a', 'bc'], [CHUNKED, '3\r\nabc\r\n', '0\r\n\r\n'], [CHUNKED, '3', '\r\nabc\r\n0\r\n\r\n']] as const) {
    const socket = await server.connect()
    socket.write(post(fields + EXPECT, part))
    await pass(0.02)
    socket.write(rest)
    assert.is(await socket.until('abc'), ok)
  }
  const socket = await server.connect()
  socket.write(`POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n${EXPECT}\r\n`)
  await pass(0.02)
  socket.write('a')
  await pass(0.02)
  go.resolve()
  socket.write('bc')
  assert.is(await socket.until('abc'), ok)
})

test('an answer without 100 Continue closes: whether a body follows is not known', async (t) => {
  let calls = 0
  const app = http(async (_scope, _receive, send) => {
    calls++
    await reply(send, 'no')
  })
  const server = await rawServer(t, app, bare)
  const bytes = await server.exchange(post(`Content-Length: 3\r\n${EXPECT}`))
  assert.is(bytes, 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno')
  assert.is(calls, 1)
})

test('100 Continue is never sent once the head of the answer is out', async (t) => {
  const received = deferred<HttpReceiveEvent>()
  const app = http(async (_scope, receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'a', moreBody: true })
    received.resolve(await receive() as HttpReceiveEvent)
    await send({ type: 'http.response.body', body: 'b' })
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.write(post(`Content-Length: 3\r\nConnection: close\r\n${EXPECT}`))
  await socket.until('a\r\n')
  await pass(0.05)
  socket.write('xyz')
  assert.is(await socket.toEnd(), 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n')
  assert.is((await received.promise).type, 'http.request')
})

test('a client that got the head in place of 100 Continue has timeoutBody to send its body', async (t) => {
  const app = http(async (_scope, receive, send) => {
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: 'a', moreBody: true })
    await bodyOf(receive)
  })
  const server = await rawServer(t, app, { ...bare, timeoutBody: 0.3 })
  const socket = await server.connect()
  socket.write(post(`Content-Length: 3\r\n${EXPECT}`))
  const time = await seconds(socket.ended)
  assert.ok(time > 0.25 && time < 1.5, `${time}`)
})

test('Expect with an empty body gets no 100 Continue, however often the application receives', async (t) => {
  const app = http(async (_scope, receive, send) => {
    await receive()
    const next = receive()
    await reply(send, 'done')
    await next
  })
  const server = await rawServer(t, app, bare)
  assert.is(await server.exchange(post(`Content-Length: 0\r\nConnection: close\r\n${EXPECT}`)), 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone')
})

test('request trailers arrive with the last event; those that frame or route do not (RFC 9110 6.5.1)', async (t) => {
  const seen: unknown[] = []
  const app = http(async (scope, receive, send) => {
    const { text, last } = await bodyOf(receive)
    seen.push(text, last.type === 'http.request' ? [...last.trailers ?? []] : null, scope.headers.get('x-sum'))
    await reply(send, 'done')
  })
  const server = await rawServer(t, app, bare)
  await server.exchange(post(`${CHUNKED}Connection: close\r\nTrailer: x-sum\r\n`, '3\r\nabc\r\n0\r\nX-Sum: 1\r\nHost: evil\r\nContent-Length: 9\r\n\r\n'))
  assert.equal(seen, ['abc', [['x-sum', '1']], undefined])
})

test('OPTIONS * and absolute-form (RFC 9112 3.2.2, 3.2.4): the target names the host', async (t) => {
  const app = http(async (scope, _receive, send) => reply(send, `<${scope.method} ${scope.rawPath} ${scope.path} ${scope.queryString} ${scope.headers.getAll('host').join()}>`))
  const server = await rawServer(t, app, { ...bare, rootPath: '/root' })
  const bytes = await server.exchange('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nGET http://b:81/c%20d?e HTTP/1.1\r\nHost: a\r\n\r\nOPTIONS http://b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  assert.equal(bytes.match(/<.*?>/g), ['<OPTIONS * *  a>', '<GET /root/c%20d /root/c d e b:81>', '<OPTIONS * *  b>'])
})

for (const [name, fields] of [['of an unknown kind', 'Connection: Upgrade\r\nUpgrade: foo/2\r\n'], ['h2c', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n']] as const) {
  test(`an upgrade that is ignored is plain HTTP, and what follows is the next request (RFC 9110 7.8): ${name}`, async (t) => {
    const app = http(async (scope, receive, send) => reply(send, `<${scope.method} ${scope.path} ${(await bodyOf(receive)).text}>`))
    const server = await rawServer(t, app, bare)
    const bytes = await server.exchange(`POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n${fields}\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    assert.equal(bytes.match(/HTTP\/1.1 \d+|<.*?>/g), ['HTTP/1.1 200', '<POST /1 abc>', 'HTTP/1.1 200', '<GET /2 >'])
  })
}

test('at most two empty lines are skipped before a request', async (t) => {
  const server = await rawServer(t, http(async (_scope, _receive, send) => reply(send, 'served')), bare)
  assert.match(await server.exchange('\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /served$/)
  assert.match(await server.exchange('\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 400/)
})

test('a body that was not read to its end is not taken for the next request', async (t) => {
  const paths: string[] = []
  const app = http(async (scope, _receive, send) => {
    paths.push(scope.path)
    await reply(send, 'early')
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.write(post(`Content-Length: ${smuggled.length}\r\n`))
  await socket.until('early')
  socket.write(smuggled)
  assert.is(await socket.toEnd(), 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nearly')
  assert.equal(paths, ['/'])
  // Whole before the answer: the connection goes on behind it.
  assert.is(occurrences(await server.exchange(post('Content-Length: 3\r\n', 'abc') + 'GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), 'early'), 2)
  assert.equal(paths, ['/', '/', '/2'])
})

test.run()
