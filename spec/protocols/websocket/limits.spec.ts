import { once } from 'node:events'
import type { Socket } from 'node:net'
import { constants, deflateRawSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { application, type Application } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { pass, rawServer, rawSocket, seconds, type RawServer } from '../../support/raw-socket.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { BINARY, CLOSE, closeOf, frame, handshake, openWebSocket, PING, PONG, takeFrames, TEXT, type Frame } from '../../support/websocket-raw.ts'
import { assertFailed, echo, held, recorder } from './recorder.ts'

const test = suite('WebSocket: limits under load')

const MiB = 2 ** 20
const figures = (text: string): void => {
  if (process.env['FIGURES'] !== undefined) console.log(`\n  ${text}`)
}

/** An echo that keeps nothing; `heard` is told of each message. */
const forgetful = (heard: (length: number) => void = () => {}): Application => application({
  websocket: async (_scope, receive, send) => {
    await receive()
    await send({ type: 'websocket.accept' })
    for (;;) {
      const event = await receive()
      if (event.type !== 'websocket.receive') return
      heard(event.bytes?.length ?? event.text?.length ?? 0)
      await send({ type: 'websocket.send', text: event.text, bytes: event.bytes })
    }
  },
})

/** A client that has shaken hands and reads nothing more: its kernel's buffers fill up. */
async function deafClient(t: TestContext, port: number): Promise<Socket> {
  const { socket } = await rawSocket(t, { port, host: '127.0.0.1' })
  socket.removeAllListeners('data')
  socket.on('error', () => {})
  socket.write(handshake())
  const [head] = await once(socket, 'data') as [Buffer]
  assert.match(head.toString('latin1'), /^HTTP\/1\.1 101 /)
  socket.pause()
  socket.removeAllListeners('data')
  return socket
}

/** Writes `bytes` up to `count` times, one at a time; ends early when the socket has taken nothing for a while, or is closed. Returns how often it was taken. */
async function pour(socket: Socket, bytes: Uint8Array, count: number): Promise<{ taken: number; how: 'all' | 'stalled' | 'closed' }> {
  const closed = once(socket, 'close').then(() => 'closed' as const)
  for (let taken = 0; taken < count; taken++) {
    const written = new Promise<'taken'>((resolve) => socket.write(bytes, () => resolve('taken')))
    const how = await Promise.race([written, closed, pass(1.5).then(() => 'stalled' as const)])
    if (how !== 'taken' || socket.destroyed) return { taken, how: how === 'taken' ? 'closed' : how }
  }
  return { taken: count, how: 'all' }
}

/** Asks an echo on a connection of its own until `over`; gives the slowest answer in seconds, and calls `each` meanwhile. */
async function slowestProbe(t: TestContext, server: RawServer, over: Promise<unknown>, each: () => void = () => {}): Promise<number> {
  const socket = await openWebSocket(t, server.port)
  let slowest = 0
  let done = false
  void over.finally(() => (done = true)).catch(() => {})
  while (!done) {
    socket.send(frame(TEXT, 'probe'))
    slowest = Math.max(slowest, await seconds(socket.next()))
    each()
    await pass(0.005)
  }
  return slowest
}

test('200 messages of 256 KiB to an echo whose answers are not read: reading stops, at most 8 MiB wait; then all come back', async (t) => {
  let heard = 0
  const server = await rawServer(t, forgetful(() => heard++))
  const size = 256 * 1024
  const count = 200
  const bytes = frame(BINARY, Buffer.alloc(size, 7))
  const socket = await deafClient(t, server.port)
  const before = await held()
  const { taken, how } = await pour(socket, bytes, count)
  assert.is(how, 'stalled')
  const growth = await held() - before
  figures(`unread echoes: the client wrote ${(taken * size / MiB).toFixed(1)} MiB before it stalled, the application took ${heard} messages; held memory +${growth.toFixed(2)} MiB`)
  assert.ok(taken < count, `${taken} messages were taken`)
  assert.ok(growth < 8, `${growth.toFixed(2)} MiB wait`)
  // The last one that was taken is still being written.
  for (let sent = taken + 1; sent < count; sent++) socket.write(bytes)
  let rest: Buffer = Buffer.alloc(0)
  let came = 0
  const all = deferred()
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.from(takeFrames(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]), ({ opcode, payload }) => {
      if (opcode === BINARY && payload.length === size && ++came === count) all.resolve()
    }))
  })
  socket.resume()
  await all.promise
}, 40)

for (const [what, size, accept] of [
  ['messages of 256 KiB to an application that does not receive', 256 * 1024, true],
  ['messages of 10 bytes to an application that does not receive', 10, true],
  ['messages of 256 KiB before the application has accepted', 256 * 1024, false],
  ['messages of 10 bytes before the application has accepted', 10, false],
] as const) {
  test(`50 MiB of ${what}: reading stops, at most 8 MiB wait`, async (t) => {
    const gate = deferred()
    const server = await rawServer(t, application({
      websocket: async (_scope, receive, send) => {
        await receive()
        if (accept) await send({ type: 'websocket.accept' })
        await gate.promise
        await receive()
      },
    }))
    t.after(() => gate.resolve())
    const { socket } = await rawSocket(t, { port: server.port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.write(handshake())
    const message = frame(BINARY, Buffer.alloc(size, 7))
    const part = Buffer.concat(Array<Buffer>(Math.ceil(262_144 / message.length)).fill(message))
    const before = await held()
    const { taken, how } = await pour(socket, part, 200)
    const growth = await held() - before
    figures(`${what}: the client wrote ${(taken * part.length / MiB).toFixed(1)} MiB; held memory +${growth.toFixed(2)} MiB`)
    assert.is(how, 'stalled')
    assert.ok(growth < 8, `${growth.toFixed(2)} MiB wait`)
  }, 30)
}

test('a client that takes nothing for timeoutSend counts as gone: 1006', async (t) => {
  const told = deferred<number>()
  const server = await rawServer(t, application({
    websocket: async (_scope, receive, send) => {
      await receive()
      await send({ type: 'websocket.accept' })
      const bytes = Buffer.alloc(MiB)
      try {
        for (;;) await send({ type: 'websocket.send', bytes })
      } catch {
        const event = await receive()
        if (event.type === 'websocket.disconnect') told.resolve(event.code)
      }
    },
  }), { timeoutSend: 1 })
  const socket = await deafClient(t, server.port)
  assert.is(await told.promise, 1006)
  socket.destroy()
})

for (const length of [0, 125]) {
  test(`200,000 pings of ${length} bytes whose pongs are not read: memory is bounded, or the client is cut, and others are served within 250 ms`, async (t) => {
    const server = await rawServer(t, forgetful())
    const socket = await deafClient(t, server.port)
    const ping = frame(PING, Buffer.alloc(length, 1))
    const thousand = Buffer.concat(Array<Buffer>(1000).fill(ping))
    const before = await held()
    const poured = pour(socket, thousand, 200)
    const slowest = await slowestProbe(t, server, poured)
    const { taken, how } = await poured
    const growth = await held() - before
    figures(`pings of ${length} bytes: ${taken},000 taken (${how}); held memory +${growth.toFixed(2)} MiB; slowest probe ${(slowest * 1000).toFixed(0)} ms`)
    assert.ok(growth < 8, `${growth.toFixed(2)} MiB are held`)
    assert.ok(slowest < 0.25, `a probe took ${slowest} s`)
    if (how === 'closed') return
    // It is bounded, so it must go on: what comes are pongs, and then the echo.
    const frames: Frame[] = []
    let rest: Buffer = Buffer.alloc(0)
    const echoed = deferred()
    socket.on('data', (chunk: Buffer) => {
      rest = takeFrames(Buffer.concat([rest, chunk]), (one) => {
        if (one.opcode === TEXT) echoed.resolve()
        else frames.push(one)
      })
    })
    socket.write(frame(TEXT, 'still there'))
    socket.resume()
    await echoed.promise
    assert.ok(frames.length > 0)
    assert.ok(frames.every(({ opcode, payload }) => opcode === PONG && payload.length === length))
    figures(`pings of ${length} bytes: ${frames.length} pongs came`)
  }, 60)
}

test('a permessage-deflate bomb, 256 MiB from 260 KiB: 1009 in bounded memory, and others are served within 100 ms', async (t) => {
  const seen = recorder()
  const server = await rawServer(t, seen.app, { wsPerMessageDeflate: true })
  const socket = await openWebSocket(t, server.port, { 'Sec-WebSocket-Extensions': 'permessage-deflate' })
  assert.match(socket.head, /\r\nsec-websocket-extensions: permessage-deflate/i)
  // After a full flush nothing refers back, so that one MiB can be repeated; RFC 7692 7.2.1 drops the last flush.
  const one = deflateRawSync(Buffer.alloc(MiB), { level: 9, finishFlush: constants.Z_FULL_FLUSH })
  const bomb = Buffer.concat(Array<Buffer>(256).fill(one)).subarray(0, -4)
  const before = await held()
  let peak = 0
  const failed = socket.raw.ended
  // The probe's own application is another call: it does not count.
  const probes = slowestProbe(t, server, failed, () => {
    const { heapUsed, external } = process.memoryUsage()
    peak = Math.max(peak, (heapUsed + external) / MiB - before)
  })
  await pass(0.1)
  socket.send(frame(BINARY, bomb, { rsv: 4 }))
  const time = await seconds(failed)
  const slowest = await probes
  figures(`deflate bomb: ${(bomb.length / 1024).toFixed(0)} KiB, cut after ${(time * 1000).toFixed(0)} ms; peak +${peak.toFixed(1)} MiB; slowest probe ${(slowest * 1000).toFixed(0)} ms`)
  const frames = await socket.toEnd()
  assert.equal(frames.map((came) => [came.opcode, closeOf(came).code]), [[CLOSE, 1009]])
  await socket.raw.closed
  await seen.returned
  assert.equal(seen.disconnects.map(({ code }) => code), [1009])
  assert.is(seen.messages.filter((message) => message !== 'probe').length, 0)
  assert.ok(slowest < 0.1, `a probe took ${slowest} s`)
  assert.ok(peak < 48, `memory grew by ${peak.toFixed(1)} MiB`)
}, 30)

test('a compressed message just within wsMaxSize is delivered, one byte more is 1009', async (t) => {
  const wsMaxSize = 100_000
  const compressed = (length: number): Buffer => frame(BINARY, deflateRawSync(Buffer.alloc(length), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4), { rsv: 4 })
  const { seen, socket } = await echo(t, { wsPerMessageDeflate: true, wsMaxSize }, { 'Sec-WebSocket-Extensions': 'permessage-deflate' }, recorder({ echo: false }))
  socket.send(compressed(wsMaxSize), compressed(wsMaxSize + 1))
  await assertFailed(socket, seen, 1009, { messages: [Buffer.alloc(wsMaxSize)] })
})

test.run()
