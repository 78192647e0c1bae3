import * as assert from 'uvu/assert'
import type { Application } from '../../../lib/index.ts'
import { frame, greeting, GOAWAY, http2Raw, PREFACE, request, settings, SETTINGS } from '../../support/http2-raw.ts'
import { pass, rawServer, seconds } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

const test = suite('one cleartext port')

/** Answers with the version, the method and the length of the body. */
const app: Application = async (scope, receive, send) => {
  if (scope.type !== 'http') throw new Error('HTTP only')
  let length = 0
  for (let more = true; more;) {
    const event = await receive()
    if (event.type !== 'http.request') return
    length += event.body.length
    more = event.moreBody
  }
  await send({ type: 'http.response.start', status: 200, headers: [] })
  await send({ type: 'http.response.body', body: `${scope.httpVersion} ${scope.method} ${length}` })
}

const whole = Buffer.concat([greeting(), request(1)])

for (const [how, pieces] of [
  ['with its first request in the same segment', [whole]],
  ['alone, then the frames', [whole.subarray(0, PREFACE.length), whole.subarray(PREFACE.length)]],
  ['with half a frame', [whole.subarray(0, PREFACE.length + 5), whole.subarray(PREFACE.length + 5)]],
  ['in two pieces', [whole.subarray(0, 10), whole.subarray(10)]],
  ['all but its last byte, then the rest', [whole.subarray(0, PREFACE.length - 1), whole.subarray(PREFACE.length - 1)]],
  ['a byte at a time, the frames too', [...whole].map((byte) => Uint8Array.of(byte))],
] as const) {
  test(`the preface of HTTP/2 ${how} (RFC 9113 3.4)`, async (t) => {
    const { port } = await rawServer(t, app)
    // An answer to the server's settings would come before its own.
    const client = await http2Raw(t, port, { greets: false, polite: false })
    for (const piece of pieces) {
      client.write(piece)
      // A write each: the next turn finds the bytes read.
      if (pieces.length > 1) await pass(0.005)
    }
    const answer = await client.whole(1)
    assert.equal([answer.status, answer.body], [200, '2 GET 0'])
    assert.is(client.frames[0]?.type, SETTINGS, 'the server begins with its settings')
    assert.is((await client.ask(3, { ':method': 'PUT' })).body, '2 PUT 0', 'the connection goes on')
  })
}

for (const method of ['POST', 'PUT', 'PATCH', 'P', 'PR', 'PRI', 'PRIX', 'PROPFIND', 'GET']) {
  test(`${method} over HTTP/1.1 on the same port, at once and a byte at a time`, async (t) => {
    const server = await rawServer(t, app)
    const text = `${method} /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc`
    assert.match(await server.exchange(text), new RegExp(`^HTTP/1\\.1 200 [^]*\\r\\n1\\.1 ${method} 3$`))
    const socket = await server.connect()
    for (const byte of text) {
      socket.write(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.match(await socket.toEnd(), new RegExp(`^HTTP/1\\.1 200 [^]*\\r\\n1\\.1 ${method} 3$`))
  })
}

for (const [bytes, status] of [
  ['PRI * HTTP/2.0\r\n\r\nXX', '(400|505)'],
  ['PRI * HTTP/2.0\r\n\r\nSM\r\n\rX', '(400|505)'],
  ['PRI * HTTP/2.0\r\nHost: a\r\n\r\n', '(400|505)'],
  ['PRI * HTTP/1.1\r\nHost: a\r\n\r\n', '400'],
  ['PRI / HTTP/2.0\r\nHost: a\r\n\r\n', '505'],
  ['GET / HTTP/2.0\r\nHost: a\r\n\r\n', '505'],
  ['\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '(400|505)'],
] as const) {
  test(`${JSON.stringify(bytes)} is no preface, and refused as HTTP/1.1`, async (t) => {
    const server = await rawServer(t, app)
    assert.match(await server.exchange(bytes), new RegExp(`^HTTP/1\\.1 ${status} `))
  })
}

test('a preface after a request of HTTP/1.1 is refused: the protocol does not change', async (t) => {
  const server = await rawServer(t, app)
  const text = await server.exchange(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${PREFACE}`)
  assert.match(text, /^HTTP\/1\.1 200 [^]*1\.1 GET 0HTTP\/1\.1 (400|505) /)
})

for (const start of ['P', 'PRI', 'PRI * HTTP/2.0\r\n\r\n', PREFACE.slice(0, -1)]) {
  test(`a preface that stops after ${JSON.stringify(start)} is cut off by timeoutHead`, async (t) => {
    const server = await rawServer(t, app, { timeoutHead: 0.4 })
    const socket = await server.connect()
    socket.write(start)
    const time = await seconds(socket.ended)
    assert.match(await socket.toEnd(), /^HTTP\/1\.1 408 /)
    assert.ok(time > 0.39 && time < 1.5, `after ${time} s`)
  })

  test(`a client that ends after ${JSON.stringify(start)} is let go`, async (t) => {
    const server = await rawServer(t, app)
    const socket = await server.connect()
    socket.write(start)
    await pass(0.02)
    assert.is(await socket.end().toEnd(), '')
  })
}

test('a preface whose bytes dribble in has no more time than another head', async (t) => {
  const server = await rawServer(t, app, { timeoutHead: 0.5 })
  const socket = await server.connect()
  const time = seconds(socket.ended)
  for (const byte of PREFACE) {
    if (socket.ending !== null) break
    socket.write(byte)
    await pass(0.05)
  }
  assert.match(await socket.toEnd(), /^HTTP\/1\.1 408 /)
  assert.ok(await time < 1.2)
})

test('a client that ends after the preface and its settings is let go', async (t) => {
  const server = await rawServer(t, app)
  const client = await http2Raw(t, server.port)
  await client.ping()
  client.socket.end()
  await client.ended
  assert.ok(await seconds(server.server.close()) < 1)
})

test('what follows the preface must be settings (RFC 9113 3.4): the connection ends, the server does not', async (t) => {
  const server = await rawServer(t, app)
  const client = await http2Raw(t, server.port, { greets: false })
  client.write(PREFACE, request(1))
  await client.ended
  assert.is(client.answer(1).status, 0)
  const second = await http2Raw(t, server.port)
  assert.is((await second.ask(1)).status, 200)
})

test('http2: false refuses the preface as HTTP/1.1 does', async (t) => {
  const server = await rawServer(t, app, { http2: false })
  assert.match(await server.exchange(PREFACE + settings().toString('latin1')), /^HTTP\/1\.1 (400|505) /)
})

test('`Upgrade: h2c` is obsolete, and answered over HTTP/1.1 (RFC 9113 3.1)', async (t) => {
  const server = await rawServer(t, app)
  const text = await server.exchange('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n')
  assert.match(text, /^HTTP\/1\.1 200 [^]*\r\n1\.1 GET 0$/)
  assert.not.match(text, /upgrade/i)
})

test('frames of an unknown type are ignored (RFC 9113 4.1)', async (t) => {
  const { port } = await rawServer(t, app)
  const client = await http2Raw(t, port)
  client.write(frame(0xbe, 0xff, 0, 'something'), frame(0xef, 0, 5, 'else'))
  assert.is((await client.ask(1)).status, 200)
  assert.equal(client.all(GOAWAY), [])
})

test.run()
