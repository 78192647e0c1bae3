import { getDefaultHighWaterMark } from 'node:stream'
import * as assert from 'uvu/assert'
import { gone, http, reply, soon } from '../../support/http2-apps.ts'
import { hpack } from '../../support/http2-hpack.ts'
import { CANCEL, DATA, END_STREAM, frame, HEADERS, http2Raw, NO_ERROR, REFUSED_STREAM, request, requestFields, RST_STREAM, WINDOW_UPDATE } from '../../support/http2-raw.ts'
import { pass, rawServer, seconds } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

/** Bytes that a stream of Node holds: 16 KiB, and 64 KiB from Node 22 on. */
const STREAM_HIGH_WATER = getDefaultHighWaterMark(false)

const test = suite('HTTP/2 limits')

for (const h2MaxStreams of [128, 10]) {
  test(`5,000 streams opened at once: ${h2MaxStreams} are served, the others refused (REFUSED_STREAM, RFC 9113 5.1.2)`, async (t) => {
    let running = 0
    let most = 0
    const server = await rawServer(t, http(async (_scope, receive) => {
      most = Math.max(most, ++running)
      await gone(receive)
      running--
    }), { h2MaxStreams })
    const client = await http2Raw(t, server.port)
    client.write(...Array.from({ length: 5000 }, (_, index) => request(index * 2 + 1)))
    // The server may also have enough of such a client.
    await Promise.race([client.ended, client.until(() => client.all(RST_STREAM).length === 5000 - h2MaxStreams).catch(() => {})])
    assert.is(most, h2MaxStreams)
    assert.is(client.all(RST_STREAM)[0]?.payload.readUInt32BE(0), REFUSED_STREAM)
    client.socket.destroy()
    await soon(() => running === 0)
  })
}

test('an upload to an application that never receives is held at its window, and the other streams go on', async (t) => {
  const server = await rawServer(t, http(async (scope, receive, send) => {
    if (scope.path !== '/stuck') return reply(send)
    await new Promise((resolve) => scope.path === '' && resolve(receive))
  }))
  t.after(() => server.server.close({ timeout: 0.1 }))
  const client = await http2Raw(t, server.port)
  client.write(request(1, { ':method': 'POST', ':path': '/stuck' }, 0))
  const window = (stream: number): number => 65535 + client.all(WINDOW_UPDATE, stream).reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0)
  let given = 0
  for (let tries = 0; tries < 40; tries++) {
    const size = Math.min(16384, window(1) - given, window(0) - given)
    if (size > 0) client.write(frame(DATA, 0, 1, new Uint8Array(size)))
    given += Math.max(size, 0)
    await client.ping()
  }
  assert.ok(given <= 2 * 65535 + STREAM_HIGH_WATER, `${given} bytes were taken`)
  assert.is((await client.ask(3)).status, 200)
  client.write(request(5, { ':method': 'POST' }, 0), frame(DATA, END_STREAM, 5, 'abc'))
  assert.is((await client.whole(5)).status, 200, 'a body on another stream still has room')
})

test('a slow body: 408, then RST_STREAM; the application is told, other streams go on', async (t) => {
  let told = 0
  const server = await rawServer(t, http(async (scope, receive, send) => {
    if (scope.path === '/ok') return reply(send)
    if (scope.path === '/begun') await send({ type: 'http.response.start', status: 200, headers: [] }).then(() => send({ type: 'http.response.body', body: 'x', moreBody: true }))
    await gone(receive)
    told++
  }), { timeoutBody: 0.3 })
  const client = await http2Raw(t, server.port)
  client.write(request(1, { ':method': 'POST' }, 0), frame(DATA, 0, 1, 'a'), request(3, { ':method': 'POST', ':path': '/begun' }, 0))
  await client.until(() => client.answer(1).reset !== null && client.answer(3).reset !== null)
  const { status, body, ended, reset } = client.answer(1)
  assert.equal([status, ended, reset], [408, true, NO_ERROR])
  assert.match(body, /^408 Request Timeout: /)
  assert.is(told, 2)
  assert.is((await client.ask(5, { ':path': '/ok' })).status, 200)
  assert.equal([client.answer(3).status, client.answer(3).ended, client.answer(3).reset], [200, false, CANCEL], 'a response that has begun cannot pass for whole')
})

test('a body that makes progress is not slow', async (t) => {
  const server = await rawServer(t, http(async (_scope, receive, send) => {
    for (let more = true; more;) {
      const event = await receive()
      if (event.type !== 'http.request') return
      more = event.moreBody
    }
    await reply(send)
  }), { timeoutBody: 0.4 })
  const client = await http2Raw(t, server.port)
  client.write(request(1, { ':method': 'POST' }, 0))
  for (let count = 0; count < 8; count++) {
    await pass(0.1)
    client.write(frame(DATA, count === 7 ? END_STREAM : 0, 1, 'x'))
  }
  assert.is((await client.whole(1)).status, 200)
})

test('an idle connection ends after h2IdleTimeout with a GOAWAY, but not while a stream is open', async (t) => {
  let release = (): void => {}
  const server = await rawServer(t, http(async (scope, _receive, send) => {
    if (scope.path === '/held') await new Promise<void>((resolve) => (release = resolve))
    await reply(send)
  }), { h2IdleTimeout: 0.4 })
  const unused = await http2Raw(t, server.port)
  const busy = await http2Raw(t, server.port)
  busy.write(request(1, { ':path': '/held' }))
  assert.is(await unused.ended, 'FIN')
  assert.equal(unused.goaways()[0], { last: 0, code: NO_ERROR })
  await pass(0.6)
  assert.is(busy.ending, null)
  release()
  assert.is((await busy.whole(1)).status, 200)
  const since = performance.now()
  await busy.ended
  assert.equal(busy.goaways()[0], { last: 1, code: NO_ERROR })
  assert.ok(performance.now() - since > 350)
})

test('a client that does not end its side after that is cut off', async (t) => {
  const server = await rawServer(t, http(async (_scope, _receive, send) => reply(send)), { h2IdleTimeout: 0.2 })
  const client = await http2Raw(t, server.port, { polite: false })
  await client.ended
  const closed = server.server.close({ timeout: 10 })
  assert.ok(await seconds(closed) < 6)
}, 15)

test('a refused request does not keep a connection from being idle', async (t) => {
  const server = await rawServer(t, http(async (_scope, _receive, send) => reply(send)), { h2IdleTimeout: 0.3 })
  const client = await http2Raw(t, server.port)
  assert.is((await client.ask(1, { ':method': 'get' })).status, 501)
  await client.ended
  assert.equal(client.goaways()[0], { last: 1, code: NO_ERROR })
})

test('300 connections with half a head, a body that stops, or nothing: cut within their limits and 2 seconds, others served within 50 ms', async (t) => {
  const calls = { begun: 0, running: 0 }
  const server = await rawServer(t, http(async (scope, receive, send) => {
    if (scope.path === '/ok') return reply(send)
    calls.begun++
    calls.running++
    await gone(receive)
    calls.running--
  }), { timeoutBody: 1, h2IdleTimeout: 1 })
  await server.exchange('GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const halfHead = frame(HEADERS, END_STREAM, 1, hpack(requestFields()))
  const halfBody = Buffer.concat([request(1, { ':method': 'POST' }, 0), frame(DATA, 0, 1, 'a')])
  const clients = await Promise.all(Array.from({ length: 300 }, () => http2Raw(t, server.port)))
  clients.forEach((client, index) => client.write([halfHead, halfBody, ''][index % 3] ?? ''))
  await soon(() => calls.running === 100)
  const ended = seconds(Promise.all(clients.map((client) => client.ended)))
  let slowest = 0
  for (let count = 0; count < 8; count++) {
    slowest = Math.max(slowest, await seconds(server.exchange('GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')))
    await pass(0.1)
  }
  // A connection whose body stopped is idle from then on.
  const last = await ended
  if (process.env['FIGURES'] !== undefined) console.log(`\n  slowest probe ${(slowest * 1000).toFixed(0)} ms, all cut after ${last.toFixed(1)} s`)
  assert.ok(last < 1 + 1 + 2, `${last} s`)
  assert.ok(slowest < 0.05, `a probe took ${slowest} s`)
  assert.equal(calls, { begun: 100, running: 0 })
  assert.equal(clients.map((client) => client.answer(1).status), clients.map((_, index) => index % 3 === 1 ? 408 : 0))
}, 20)

test.run()
