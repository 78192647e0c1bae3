/** Clients that leave: the application hears of it where it reads or writes, is closed, and its thread is free again. */
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import type { Application, ExchangeOutcome } from '../../../lib/index.ts'
import { testClient } from '../../../lib/testing/index.ts'
import { rejection } from '../../support/rejection.ts'
import { rawServer, type RawServer } from '../../support/raw-socket.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { both, inline, onThread, open, pool, type AppName, type Mode } from './modes.ts'
import { keepLog, Probe } from './probe.ts'

const test = suite('WSGI, clients that leave')

/** A server whose log is kept, and the probe of its application. */
async function served(t: TestContext, mode: Mode, name: AppName): Promise<RawServer & { readonly probe: Probe; readonly logged: readonly string[] }> {
  const probe = new Probe()
  const logged = keepLog(t)
  const app = mode(name)
  const server = await rawServer(t, ((scope, receive, send) => probe.run(() => app(scope, receive, send))) satisfies Application)
  return { ...server, probe, logged }
}

async function idle(): Promise<void> {
  while (pool.stats.busy > 0 || pool.stats.queued > 0) await delay(2)
}

/** Whether the thread takes another request. */
async function stillServes(t: TestContext, mode: Mode): Promise<void> {
  await idle()
  assert.is(await (await (await open(t, mode('writesOnly'))).client.fetch('/')).text(), 'written')
}

const bodies: readonly (readonly [name: string, head: string, part: string])[] = [
  ['a body with a length', 'Content-Length: 100000', 'x'.repeat(2500)],
  ['a body in chunks', 'Transfer-Encoding: chunked', `9c4\r\n${'x'.repeat(2500)}\r\n`],
]

test('a client that leaves amid its body: the blocked read throws ClientDisconnected, never an end; close() runs (on a thread)', async (t) => {
  const { connect, probe, logged } = await served(t, onThread, 'readsAll')
  for (const [index, [name, head, part]] of bodies.entries()) {
    for (const [way, leave] of [['FIN', 'end'], ['reset', 'resetAndDestroy']] as const) {
      const closes = probe.closes
      const steps = probe.steps
      const socket = await connect()
      socket.write(`POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n${part}`)
      // It has read two parts of 1000 bytes and waits for the third.
      await probe.reached(steps + 3)
      await delay(10)
      assert.is(probe.closes, closes, name)
      socket.socket[leave]()
      await probe.closedTimes(closes + 1)
      await idle()
      assert.equal(probe.notes.at(-1), ['ClientDisconnected', 'the client disconnected before its body was complete'], `${name}, ${way}`)
      assert.equal([probe.closes, probe.notes.length], [closes + 1, index * 2 + (way === 'FIN' ? 1 : 2)])
    }
  }
  assert.equal(logged, [])
  await stillServes(t, onThread)
})

test('a client that leaves amid its body: the application is not called (inline)', async (t) => {
  const { connect, probe, logged } = await served(t, inline, 'readsAll')
  for (const [, head, part] of bodies) {
    const socket = await connect()
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n${part}`)
    await delay(10)
    socket.socket.end()
    await socket.closed
  }
  assert.equal([probe.steps, probe.closes, probe.notes, logged], [0, 0, [], []])
})

both(test, 'a client that leaves amid the response: the body is closed, once, and nothing is logged', async (t, mode) => {
  const { connect, probe, logged } = await served(t, mode, 'big')
  for (let i = 1; i <= 3; i++) {
    const socket = await connect()
    socket.write(`GET /?${2 ** 30} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await socket.untilLength(200_000)
    socket.socket.resetAndDestroy()
    await probe.closedTimes(i)
    await idle()
    assert.is(probe.closes, i)
  }
  assert.ok(probe.steps < 3 * 2000)
  // A generator is ended where it stands: what is thrown at the server's end is not thrown into it.
  assert.equal([probe.notes, logged], [[], []])
  await stillServes(t, mode)
})

test('a client that leaves amid the response: the blocked write() throws ClientDisconnected (on a thread)', async (t) => {
  const { connect, probe, logged } = await served(t, onThread, 'writesOn')
  const socket = await connect()
  socket.socket.pause()
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  let before = -1
  while (probe.steps === 0 || probe.steps !== before) {
    before = probe.steps
    await delay(50)
  }
  assert.equal(probe.notes, [])
  socket.socket.resetAndDestroy()
  await idle()
  assert.equal([probe.notes, logged], [[['ClientDisconnected', 'the client has disconnected']], []])
  await stillServes(t, onThread)
})

test('a client that leaves while the application is busy: it goes on to its next block (on a thread)', async (t) => {
  const { connect, probe, logged } = await served(t, onThread, 'gated')
  const socket = await connect()
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await socket.until('line 0')
  socket.socket.resetAndDestroy()
  await socket.closed
  await delay(20)
  assert.equal([probe.steps, probe.closes, pool.stats.busy], [1, 0, 1])
  probe.open(1)
  await probe.closedTimes(1)
  await idle()
  assert.equal([probe.steps, probe.closes, logged], [1, 1, []])
  await stillServes(t, onThread)
})

test('a client that leaves while its call waits for a thread, or computes: nothing is logged (on a thread)', async (t) => {
  const { connect, probe, logged } = await served(t, onThread, 'readsWhenTold')
  const first = await connect()
  const second = await connect()
  for (const socket of [first, second]) socket.write('GET /?unread HTTP/1.1\r\nHost: a\r\n\r\n')
  await probe.reached(1)
  for (const socket of [first, second]) socket.socket.resetAndDestroy()
  await Promise.all([first.closed, second.closed])
  probe.open(2)
  await idle()
  assert.equal(logged, [])
  await stillServes(t, onThread)
})

test('what a middleware throws in receive and send reaches the application, and comes back out of it (on a thread)', async (t) => {
  for (const [name, wanted] of [['readsAll', 'receive'], ['writesOn', 'send']] as const) {
    const app = onThread(name)
    const failing: Application = (scope, receive, send) => {
      let events = 0
      return app(scope, async () => {
        if (wanted === 'receive' && ++events === 2) throw new RangeError('from receive')
        return receive()
      }, async (event) => {
        if (wanted === 'send' && ++events === 4) throw new RangeError('from send')
        return send(event)
      })
    }
    const { client, probe } = await open(t, failing)
    const body = async function* () {
      for (let i = 0; i < 10; i++) yield Buffer.alloc(100_000)
    }
    const failed = name === 'readsAll' ? client.fetch('/', { method: 'POST', body: body() }) : client.fetch('/').then((response) => response.arrayBuffer())
    const error = await rejection(failed)
    assert.equal([error.name, error.message], ['RangeError', `from ${wanted}`])
    assert.equal(probe.notes, [['RangeError', `from ${wanted}`]])
  }
  await stillServes(t, onThread)
})

test('what leaves rings behind leaves none in use: the next requests read and write their own bytes (on a thread)', async (t) => {
  const { client } = await open(t, onThread('hashes'))
  const { client: big } = await open(t, onThread('big'))
  for (let i = 0; i < 20; i++) {
    const controller = new AbortController()
    const body = async function* () {
      for (let part = 0; part < 5; part++) yield Buffer.alloc(60_000, part)
      controller.abort(new Error('gone'))
      await delay(1)
    }
    assert.is((await rejection(client.fetch('/?1000', { method: 'POST', body: body(), signal: controller.signal }))).message, 'gone')
    const response = await big.fetch(`/?${2 ** 20}`)
    await response.body?.cancel()
    const bytes = Buffer.from(await (await big.fetch(`/?${300_000}`)).arrayBuffer())
    assert.equal([bytes.length, bytes[0], bytes[65536], bytes[299_999]], [300_000, 0, 1, 4])
    assert.match(await (await client.fetch('/?77', { method: 'POST', body: Buffer.alloc(300_000) })).text(), /^300000 /)
  }
}, 20)

test('the exchange ends without an error where its client left', async (t) => {
  const outcomes: ExchangeOutcome[] = []
  const probe = new Probe()
  const app = onThread('endless')
  const client = await testClient((scope, receive, send) => probe.run(() => app(scope, receive, send)), { observer: { finished: (outcome) => void outcomes.push(outcome) } })
  t.after(() => client.close())
  await (await client.fetch('/')).body?.cancel()
  await probe.closedTimes(1)
  await idle()
  while (outcomes.length === 0) await delay(2)
  assert.equal(outcomes.map(({ error, disconnected }) => [error, disconnected]), [[undefined, true]])
})

test.run()
