import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { gone, http, reply, soon } from '../../support/http2-apps.ts'
import { hpack } from '../../support/http2-hpack.ts'
import { CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, frame, HEADERS, http2Raw, PING, PRIORITY, request, requestFields, RST_STREAM, settings, WINDOW_UPDATE, words, type Fields, type Http2Raw } from '../../support/http2-raw.ts'
import { pass, rawServer, seconds, type RawServer } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

const test = suite('HTTP/2 under attack')

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

function rss(): number {
  globalThis.gc?.()
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) / 1024
}

/** Pours batches of frames until the connection ends; returns how many batches, and the slowest answer to others. */
async function pour(server: RawServer, client: Http2Raw, batches: number, batch: (index: number) => Uint8Array): Promise<{ given: number; slowest: number }> {
  let given = 0
  let slowest = 0
  for (; given < batches && await client.push(batch(given)); given++) {
    if (given % 10 === 0) slowest = Math.max(slowest, await seconds(server.exchange(GET)))
  }
  return { given, slowest }
}

/** An application that waits for its client to leave, except at `/`; and how many of its calls are still waiting. */
function waiting(): { app: ReturnType<typeof http>; calls: { begun: number; running: number } } {
  const calls = { begun: 0, running: 0 }
  return {
    calls,
    app: http(async (scope, receive, send) => {
      if (scope.path === '/') return reply(send)
      calls.begun++
      calls.running++
      await gone(receive)
      calls.running--
    }),
  }
}

function pair(id: number, last: Uint8Array, fields: Fields = {}, flags: number = END_STREAM): Buffer {
  return Buffer.concat([request(id, { ':path': '/wait', ...fields }, flags), last])
}

for (const [rule, attack] of [
  ['rapid reset (CVE-2023-44487)', (id) => pair(id, frame(RST_STREAM, 0, id, words(CANCEL)))],
  ['streams that the server is made to reset by a window too large (CVE-2025-8671)', (id) => pair(id, frame(WINDOW_UPDATE, 0, id, words(2 ** 31 - 1)))],
  ['streams that the server is made to reset by a body that is too long (CVE-2025-8671)', (id) => pair(id, frame(DATA, 0, id, 'abc'), { ':method': 'POST', 'content-length': '1' }, 0)],
  ['streams that the server is made to reset by a body that is too short (CVE-2025-8671)', (id) => pair(id, frame(DATA, END_STREAM, id, 'abc'), { ':method': 'POST', 'content-length': '9' }, 0)],
  ['streams that the server is made to reset by a field of a connection (CVE-2025-8671)', (id) => pair(id, Buffer.alloc(0), { te: 'gzip' })],
] as const satisfies readonly (readonly [string, (id: number) => Buffer])[]) {
  test(`${rule}, 50,000 times: cut off within the burst, the applications told, others served`, async (t) => {
    const { app, calls } = waiting()
    const server = await rawServer(t, app)
    const client = await http2Raw(t, server.port)
    const { given, slowest } = await pour(server, client, 500, (batch) => Buffer.concat(Array.from({ length: 100 }, (_, index) => attack((batch * 100 + index) * 2 + 1))))
    // After an error of the connection nobody is told: it is looked at from time to time.
    await soon(() => calls.running === 0, 8)
    if (process.env['FIGURES'] !== undefined) console.log(`\n  ${rule}: ${calls.begun} calls, ${given} batches, ${client.ending}, ${JSON.stringify(client.goaways())}, slowest probe ${(slowest * 1000).toFixed(0)} ms`)
    assert.ok(client.ending !== null || client.goaways().length > 0, 'cut off')
    assert.ok(calls.begun <= 1300, `${calls.begun} applications were called`)
    assert.ok(slowest < 0.25, `a probe took ${slowest} s`)
  }, 30)
}

const start = frame(HEADERS, END_STREAM, 1, hpack(requestFields()))
const field = hpack([['x', 'y'.repeat(100)]])

for (const [rule, first, batches, batch, cut] of [
  ['CONTINUATION without end, 32 MiB', start, 512, Buffer.concat(Array.from({ length: 4 }, () => frame(CONTINUATION, 0, 1, Buffer.concat(Array.from({ length: 150 }, () => field))))), true],
  ['empty CONTINUATION, 100,000', start, 100, Buffer.concat(Array.from({ length: 1000 }, () => frame(CONTINUATION, 0, 1))), true],
  ['SETTINGS, 100,000', settings(), 100, Buffer.concat(Array.from({ length: 1000 }, () => settings())), true],
  ['PING, 100,000', settings(), 100, Buffer.concat(Array.from({ length: 1000 }, () => frame(PING, 0, 0, 'pingping'))), true],
  ['empty DATA, 100,000', request(1, { ':method': 'POST', ':path': '/wait' }, 0), 100, Buffer.concat(Array.from({ length: 1000 }, () => frame(DATA, 0, 1))), true],
  ['PRIORITY, 100,000', settings(), 100, Buffer.concat(Array.from({ length: 1000 }, (_, index) => frame(PRIORITY, 0, index * 2 + 1, Buffer.concat([words(0), Uint8Array.of(1)])))), false],
] as const) {
  test(`${rule}: ${cut ? 'cut off' : 'survived'}, memory and others unharmed`, async (t) => {
    const { app, calls } = waiting()
    const server = await rawServer(t, app)
    await server.exchange(GET)
    const client = await http2Raw(t, server.port, { polite: false })
    // Answers that are not read pile up with the server, which is what the attack is about.
    if (cut) client.socket.pause()
    const before = rss()
    client.write(first)
    const { given, slowest } = await pour(server, client, batches, () => batch)
    client.socket.resume()
    if (cut) await Promise.race([client.ended, pass(2)])
    const growth = rss() - before
    if (process.env['FIGURES'] !== undefined) console.log(`\n  ${rule}: ${given} of ${batches} batches, ${client.ending}, ${JSON.stringify(client.goaways())}, slowest probe ${(slowest * 1000).toFixed(0)} ms, RSS +${growth.toFixed(1)} MiB`)
    // The nghttp2 of Node 22 and later cuts what that of Node 20 survives; with a GOAWAY, and never by a crash.
    if (cut || Number(process.versions.node.split('.', 1)[0]) < 22) assert.is(client.ending !== null, cut)
    else if (client.ending !== null) assert.is(client.goaways().at(-1)?.code, ENHANCE_YOUR_CALM)
    assert.ok(slowest < 0.25, `a probe took ${slowest} s`)
    assert.ok(growth < 32, `RSS grew by ${growth.toFixed(1)} MiB`)
    client.socket.destroy()
    await soon(() => calls.running === 0)
    assert.ok(await seconds(server.exchange(GET)) < 0.25)
  }, 30)
}

test('an HPACK bomb, 1,000 times 12,000 references to a field of 4 KB: refused by h2MaxHeaderList, memory unharmed', async (t) => {
  const { app, calls } = waiting()
  const server = await rawServer(t, app)
  const big = 'x'.repeat(3900)
  // A literal with incremental indexing; 0xbe is the newest entry of the dynamic table.
  const seed = Buffer.concat([hpack(requestFields()), Buffer.from([0x40, 1, 0x61, 0x7f, 0xbd, 0x1d]), Buffer.from(big)])
  const head = Buffer.concat([hpack(requestFields({ ':path': '/wait' })), Buffer.alloc(12000, 0xbe)])
  const bomb = async (): Promise<{ client: Http2Raw; given: number; slowest: number }> => {
    const client = await http2Raw(t, server.port)
    client.write(frame(HEADERS, END_STREAM | END_HEADERS, 1, seed))
    assert.is((await client.whole(1)).status, 200)
    return { client, ...await pour(server, client, 100, (batch) => Buffer.concat(Array.from({ length: 10 }, (_, index) => frame(HEADERS, END_STREAM | END_HEADERS, (batch * 10 + index) * 2 + 3, head)))) }
  }
  // What the first client takes stays; a second one takes no more.
  const first = await bomb()
  first.client.socket.destroy()
  await soon(() => server.server.running === 0)
  const before = rss()
  const { client, given, slowest } = await bomb()
  const growth = rss() - before
  if (process.env['FIGURES'] !== undefined) console.log(`\n  HPACK bomb: ${client.ending}, slowest probe ${(slowest * 1000).toFixed(0)} ms, RSS +${growth.toFixed(1)} MiB`)
  assert.is(calls.begun, 0)
  assert.ok(given === 100 || client.ending !== null)
  assert.ok(growth < 32, `RSS grew by ${growth.toFixed(1)} MiB`)
  assert.ok(slowest < 0.25, `a probe took ${slowest} s`)
}, 30)

test.run()
