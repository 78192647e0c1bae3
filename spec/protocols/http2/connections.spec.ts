import * as assert from 'uvu/assert'
import { gone, http, reply, soon } from '../../support/http2-apps.ts'
import { hpack, type Field } from '../../support/http2-hpack.ts'
import { DATA, END_HEADERS, END_STREAM, frame, HEADERS, http2Raw, request, requestFields, SETTINGS, WINDOW_UPDATE, words } from '../../support/http2-raw.ts'
import { pass, rawServer, seconds } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

const test = suite('HTTP/2 connections that end badly')

/** A request whose fields include some that `requestFields` would put in order. */
function odd(stream: number, more: readonly Field[], flags: number = END_STREAM): Buffer {
  return frame(HEADERS, flags | END_HEADERS, stream, hpack([...requestFields({ ':method': 'POST' }), ...more]))
}

const open = odd(1, [], 0)

for (const [rule, called, bytes] of [
  ['a connection field (RFC 9113 8.2.2)', false, odd(1, [['connection', 'close']])],
  ['a name in upper case (RFC 9113 8.2)', false, odd(1, [['X-A', 'b']])],
  ['te other than trailers (RFC 9113 8.2.2)', false, odd(1, [['te', 'gzip']])],
  ['a pseudo-field after a field (RFC 9113 8.3)', false, odd(1, [['a', 'b'], [':path', '/']])],
  ['a body shorter than content-length (RFC 9113 8.1.1)', true, Buffer.concat([odd(1, [['content-length', '10']], 0), frame(DATA, END_STREAM, 1, 'abc')])],
  ['a body longer than content-length', true, Buffer.concat([odd(1, [['content-length', '1']], 0), frame(DATA, 0, 1, 'abc')])],
  ['a pseudo-field in trailers (RFC 9113 8.1)', true, Buffer.concat([open, frame(HEADERS, END_STREAM | END_HEADERS, 1, hpack([[':path', '/']]))])],
  ['DATA on an idle stream (RFC 9113 5.1)', true, Buffer.concat([open, frame(DATA, 0, 5, 'abc')])],
  ['DATA on stream 0 (RFC 9113 6.1)', true, Buffer.concat([open, frame(DATA, 0, 0, 'abc')])],
  ['a stream with an even number (RFC 9113 5.1.1)', true, Buffer.concat([open, odd(2, [])])],
  ['a frame that is too long (RFC 9113 4.2)', true, Buffer.concat([open, frame(DATA, 0, 1, new Uint8Array(16385))])],
  ['SETTINGS of a wrong length (RFC 9113 6.5)', true, Buffer.concat([open, frame(SETTINGS, 0, 0, 'abc')])],
  ['a window beyond 2^31 - 1 (RFC 9113 6.9.1)', true, Buffer.concat([open, frame(WINDOW_UPDATE, 0, 0, words(2 ** 31 - 1))])],
  ['a header block that is no HPACK (RFC 7541 5)', true, Buffer.concat([open, frame(HEADERS, END_STREAM | END_HEADERS, 3, new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff]))])],
] as const) {
  test(`${rule}: ${called ? 'the application is told' : 'never reaches the application'}, and the server lives`, async (t) => {
    let begun = 0
    let told = 0
    const server = await rawServer(t, http(async (_scope, receive, send) => {
      begun++
      await gone(receive)
      told++
      await send({ type: 'http.response.start', status: 200, headers: [] }).catch(() => {})
    }))
    const client = await http2Raw(t, server.port)
    client.write(bytes)
    await Promise.race([pass(1), client.until(() => client.answer(1).reset !== null || client.goaways().length > 0).catch(() => {})])
    // nghttp2 reads no more after an error of the connection, and nobody is told: it is looked at from time to time.
    await soon(() => told === begun, 8)
    assert.is(begun, called ? 1 : 0)
    assert.is(told, begun)
    assert.is(server.server.running, 0)
    const other = await http2Raw(t, server.port)
    await other.ping()
  }, 15)
}

test('a field with a line feed in its value is dropped (RFC 9113 8.2.1)', async (t) => {
  const names: string[] = []
  const server = await rawServer(t, http(async (scope, _receive, send) => {
    for (const [name] of scope.headers) names.push(name)
    await reply(send)
  }))
  const client = await http2Raw(t, server.port)
  client.write(odd(1, [['a', 'b\nc'], ['d', 'e']]))
  await client.whole(1)
  assert.not.ok(names.includes('a'))
})

test('DATA after END_STREAM: an error of the stream or the connection (RFC 9113 5.1), the application told once', async (t) => {
  let told = 0
  const server = await rawServer(t, http(async (_scope, receive) => {
    await gone(receive)
    told++
  }))
  const client = await http2Raw(t, server.port)
  client.write(request(1), frame(DATA, 0, 1, 'late'))
  await soon(() => told === 1, 8)
  assert.is(server.server.running, 0)
}, 15)

for (const how of ['end', 'resetAndDestroy'] as const) {
  test(`2,000 connections that go by ${how === 'end' ? 'FIN' : 'RST'} without a GOAWAY: each application told once, nothing left`, async (t) => {
    let begun = 0
    let told = 0
    const server = await rawServer(t, http(async (scope, receive, send) => {
      if (scope.path === '/ok') return reply(send)
      begun++
      await gone(receive)
      told++
    }))
    const round = async (count: number): Promise<void> => {
      for (let made = 0; made < count; made += 50) {
        const clients = await Promise.all(Array.from({ length: 50 }, () => http2Raw({ after: () => {} }, server.port)))
        const before = begun
        for (const client of clients) client.write(request(1, { ':path': '/ok' }), request(3), request(5, { ':method': 'POST' }, 0))
        await soon(() => begun === before + 100)
        for (const { socket } of clients) socket[how]()
        await soon(() => told === begun)
        await Promise.all(clients.map(({ socket, closed }) => (socket.destroy(), closed)))
      }
    }
    const settle = async (): Promise<{ heap: number; resources: string[] }> => {
      for (let tries = 0; tries < 5; tries++) {
        globalThis.gc?.()
        await pass(0.05)
      }
      return { heap: process.memoryUsage().heapUsed / 2 ** 20, resources: process.getActiveResourcesInfo().filter((name) => name !== 'Timeout' && name !== 'Immediate').sort() }
    }
    await round(500)
    const before = await settle()
    await round(2000)
    const after = await settle()
    assert.is(told, 5000)
    assert.is(server.server.running, 0)
    assert.equal(after.resources, before.resources)
    if (process.env['FIGURES'] !== undefined) console.log(`\n  heap ${(after.heap - before.heap).toFixed(2)} MiB more`)
    assert.ok(after.heap - before.heap < 2, `the heap grew by ${(after.heap - before.heap).toFixed(2)} MiB`)
    assert.ok(await seconds(server.server.close()) < 0.5)
  }, 40)
}

test.run()
