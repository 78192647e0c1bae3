import { readFileSync } from 'node:fs'
import { getDefaultHighWaterMark } from 'node:stream'
import * as assert from 'uvu/assert'
import type { Application } from '../../../lib/index.ts'
import { gone, http, isDisconnect, reply, sendAll, soon } from '../../support/http2-apps.ts'
import { CANCEL, DATA, END_STREAM, frame, HEADERS, http2Raw, NO_ERROR, request, RST_STREAM, WINDOW_UPDATE, words, type Http2Raw } from '../../support/http2-raw.ts'
import { pass, rawServer, seconds, type RawServer } from '../../support/raw-socket.ts'
import { suite, type TestContext } from '../../support/suite.ts'

/** Bytes that a stream of Node holds: 16 KiB, and 64 KiB from Node 22 on. */
const STREAM_HIGH_WATER = getDefaultHighWaterMark(false)
/** Streams of a client that gives them no window. */
const MANY = 1000
/** Streams of each client that comes before the one that is measured. */
const WARM = MANY
/** With one of them the room for young objects still grows while the next one is measured. */
const WARM_CLIENTS = 2
const PART = 'x'.repeat(4096)
/** What a stream may hold: its high-water mark, the part that passed it, and its objects. */
const MOST_EACH = STREAM_HIGH_WATER + PART.length + 16384
const MiB = 2 ** 20
const GET = 'GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

const test = suite('HTTP/2 clients that do not read')

async function rss(): Promise<number> {
  for (let tries = 0; tries < 3; tries++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1024
}

/** An application that sends without end while it waits for its client to leave; and what it met. */
function pouring(): { app: Application; seen: { begun: number; sent: number; told: number; errors: unknown[] } } {
  const seen = { begun: 0, sent: 0, told: 0, errors: [] as unknown[] }
  return {
    seen,
    app: http(async (scope, receive, send) => {
      if (scope.path === '/ok') return reply(send)
      seen.begun++
      const counting: typeof send = async (event) => {
        await send(event)
        seen.sent++
      }
      await Promise.all([gone(receive).then(() => seen.told++), sendAll(counting, PART).then((error) => seen.errors.push(error))])
    }),
  }
}

/** Opens streams in steps; returns the slowest answer to others meanwhile. */
async function openMany(server: RawServer, client: Http2Raw): Promise<number> {
  let slowest = 0
  for (let first = 0; first < MANY; first += 100) {
    client.write(...Array.from({ length: 100 }, (_, index) => request((first + index) * 2 + 1)))
    slowest = Math.max(slowest, await seconds(server.exchange(GET)))
  }
  return slowest
}

/** A server whose first clients have filled memory that stays, so that the next one can be measured. */
async function warm(t: TestContext, app: Application, seen: { begun: number; errors: unknown[] }, options: object = {}): Promise<RawServer> {
  const server = await rawServer(t, app, { h2MaxStreams: MANY, ...options })
  for (let clients = 1; clients <= WARM_CLIENTS; clients++) {
    const client = await http2Raw(t, server.port, { window: 0 })
    client.write(...Array.from({ length: WARM }, (_, index) => request(index * 2 + 1)))
    await soon(() => seen.begun === clients * WARM)
    client.socket.destroy()
    await soon(() => seen.errors.length === clients * WARM)
  }
  return server
}

/** Waits until the applications are all held back: until none has sent a part for a while. */
async function held(seen: { sent: number }): Promise<void> {
  for (let last = -1; last !== seen.sent;) {
    last = seen.sent
    await pass(0.1)
  }
}

for (const how of ['end', 'resetAndDestroy'] as const) {
  test(`1,000 streams with a window of 0: send waits, memory is bounded, others are served; each application is told when the client leaves by ${how === 'end' ? 'FIN' : 'RST'}`, async (t) => {
    const { app, seen } = pouring()
    const server = await warm(t, app, seen)
    const before = await rss()
    const base = { ...seen, errors: seen.errors.length }
    const client = await http2Raw(t, server.port, { window: 0 })
    const slowest = await openMany(server, client)
    await held(seen)
    const growth = await rss() - before
    const sent = seen.sent - base.sent
    if (process.env['FIGURES'] !== undefined) console.log(`\n  ${sent} parts of 4 KiB, RSS +${(growth / MiB).toFixed(1)} MiB, slowest probe ${(slowest * 1000).toFixed(0)} ms`)
    assert.is(seen.begun - base.begun, MANY)
    assert.equal([seen.told - base.told, seen.errors.length - base.errors, client.all(DATA).length], [0, 0, 0])
    assert.is(client.all(HEADERS).length, MANY)
    assert.ok(sent <= MANY * (2 + STREAM_HIGH_WATER / PART.length), `${sent} parts were taken`)
    assert.ok(growth < MANY * MOST_EACH, `RSS grew by ${(growth / MiB).toFixed(1)} MiB`)
    assert.ok(slowest < 0.25, `a probe took ${slowest} s`)
    client.socket[how]()
    const left = await seconds(soon(() => seen.told - base.told === MANY && seen.errors.length - base.errors === MANY))
    if (process.env['FIGURES'] !== undefined) console.log(`\n  all told after ${(left * 1000).toFixed(0)} ms`)
    assert.ok(seen.errors.every(isDisconnect))
    assert.is(server.server.running, 0)
    assert.ok(await seconds(server.exchange(GET)) < 0.25)
  }, 20)
}

test('1,000 streams with a window of 0: after timeoutSend each is reset and its application told, the connection goes on; then it is idle, and ends', async (t) => {
  const { app, seen } = pouring()
  const server = await rawServer(t, app, { h2MaxStreams: MANY, timeoutSend: 1, h2IdleTimeout: 0.5 })
  const client = await http2Raw(t, server.port, { window: 0 })
  await openMany(server, client)
  const cut = await seconds(soon(() => seen.told === MANY && seen.errors.length === MANY, 4))
  assert.ok(cut < 3, `${cut} s`)
  assert.ok(seen.errors.every(isDisconnect))
  await client.until(() => client.all(RST_STREAM).length === MANY)
  assert.ok(client.all(RST_STREAM).every(({ payload }) => payload.readUInt32BE(0) === CANCEL))
  const id = MANY * 2 + 1
  client.write(request(id, { ':path': '/ok' }), frame(WINDOW_UPDATE, 0, id, words(1000)))
  assert.is((await client.whole(id)).status, 200, 'the connection goes on')
  assert.ok(await seconds(client.ended) < 0.5 + 2)
  assert.is(client.goaways().at(-1)?.code, NO_ERROR)
}, 20)

test('a client that never takes the last part of a response, long or short, loses the stream after timeoutSend', async (t) => {
  const server = await rawServer(t, http(async (scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: Buffer.alloc(scope.path === '/long' ? 300_000 : 10) })
  }), { timeoutSend: 1 })
  const client = await http2Raw(t, server.port, { window: 0 })
  client.write(request(1, { ':path': '/long' }), request(3, { ':path': '/short' }))
  await client.until(() => client.all(RST_STREAM).length === 2)
  assert.is(server.server.running, 0)
  await client.ping()
})

test('a client that takes nothing of responses whose streams are closed is cut off after timeoutSend', async (t) => {
  let answered = 0
  const app = http(async (_scope, _receive, send) => {
    await reply(send, 'x'.repeat(15_000))
    answered++
  })
  const server = await rawServer(t, app, { h2MaxStreams: MANY, timeoutSend: 1 })
  const client = await http2Raw(t, server.port)
  await client.ping()
  client.socket.pause()
  client.write(...Array.from({ length: MANY }, (_, index) => request(index * 2 + 1)))
  await pass(3)
  assert.is(server.server.running, 0)
  client.socket.resume()
  await client.ended
  const whole = client.all(DATA).filter(({ flags }) => flags === END_STREAM).length
  assert.ok(whole < answered, `${whole} of ${answered} arrived`)
})

test('20 clients that open their windows and read nothing: send waits, memory is bounded; after timeoutSend they are cut off and their applications told', async (t) => {
  const CLIENTS = 20
  const { app, seen } = pouring()
  const server = await rawServer(t, app, { timeoutSend: 2 })
  await server.exchange(GET)
  const before = await rss()
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => http2Raw(t, server.port)))
  for (const client of clients) {
    client.socket.pause()
    client.write(request(1))
  }
  await soon(() => seen.begun === CLIENTS)
  await held(seen)
  const growth = await rss() - before
  const probe = await seconds(server.exchange(GET))
  if (process.env['FIGURES'] !== undefined) console.log(`\n  ${(seen.sent * PART.length / CLIENTS / MiB).toFixed(1)} MiB sent each, RSS +${(growth / MiB).toFixed(1)} MiB, probe ${(probe * 1000).toFixed(0)} ms`)
  assert.equal([seen.told, seen.errors.length], [0, 0])
  // What the system takes is not ours; this client has what it read before the pause.
  assert.ok(growth < CLIENTS * MiB, `RSS grew by ${(growth / MiB).toFixed(1)} MiB`)
  assert.ok(probe < 0.05, `a probe took ${probe} s`)
  assert.ok(await seconds(soon(() => seen.told === CLIENTS && seen.errors.length === CLIENTS, 5)) < 4)
  assert.ok(seen.errors.every(isDisconnect))
  assert.is(server.server.running, 0)
}, 20)

test.run()
