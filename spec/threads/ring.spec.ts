/** Bytes from thread to thread through a ring in shared memory. */
import { createHash } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { ClientDisconnected, InvalidOption } from '../../lib/index.ts'
import { onThreads, ThreadPool, type OnThreads } from '../../lib/threads/index.ts'
import { ringMemory, RingReader, RingWriter, type RingMemory } from '../../lib/threads/ring.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { Gate } from './gate.ts'
import { chunk } from './modules/rings.ts'

type Rings = typeof import('./modules/rings.ts')
const test = suite('rings')
const MIB = 2 ** 20
const SIZE = Number(process.env['RING_MIB'] ?? 256) * MIB

function onThread(t: TestContext): OnThreads<Rings> {
  const pool = new ThreadPool({ threads: 1 })
  t.after(() => pool.close())
  return onThreads<Rings>(new URL('./modules/rings.ts', import.meta.url), { pool })
}

/** Has both positions begin here, as if so many bytes had gone through. */
function startAt(memory: RingMemory, position: number): RingMemory {
  const words = new Int32Array(memory, 0, 80)
  words[0] = position
  words[16] = position
  return memory
}

test('the capacity is a power of two', () => {
  for (const capacity of [0, 1, 3, 100, -4, NaN, 2 ** 31]) assert.throws(() => ringMemory(capacity), (error: Error) => error instanceof InvalidOption)
  assert.is(ringMemory(2).byteLength, ringMemory(4).byteLength - 2)
})

test('every length wraps around at every offset', () => {
  for (let position = 0; position < 16; position++) {
    for (let length = 1; length <= 16; length++) {
      const memory = startAt(ringMemory(16), position)
      const [writer, reader] = [new RingWriter(memory), new RingReader(memory)]
      const bytes = Uint8Array.from({ length }, (_, i) => position * 16 + i)
      writer.writeSync(bytes)
      const [first, ...rest] = [...(reader.readSync(1) ?? []), ...(length > 1 ? reader.readSync() ?? [] : [])]
      assert.equal([first, ...rest], [...bytes])
    }
  }
})

test('positions wrap past 2^31 and 2^32', () => {
  for (const position of [2 ** 31 - 5, -5]) {
    const memory = startAt(ringMemory(8), position | 0)
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)]
    for (let i = 0; i < 40; i += 4) {
      writer.writeSync(Uint8Array.of(i, i + 1, i + 2, i + 3))
      assert.equal([...(reader.readSync(3) ?? []), ...(reader.readSync(3) ?? [])], [i, i + 1, i + 2, i + 3])
    }
    writer.writeSync(new Uint8Array(8))
    assert.is(reader.readSync()?.length, 8)
  }
})

test('bytes arrive whole through a tiny ring, on both sides of 2^31', async (t) => {
  const rings = onThread(t)
  for (const position of [0, 2 ** 31 - 1000]) {
    const to = startAt(ringMemory(16), position)
    const drained = rings.drain(to)
    const writer = new RingWriter(to)
    const hash = createHash('sha1')
    let total = 0
    for (let i = 0; i < 300; i++) {
      const bytes = chunk(i, 50)
      hash.update(bytes)
      total += bytes.length
      await writer.write(bytes)
    }
    writer.end()
    assert.equal(await drained, [hash.digest('hex'), total])

    const from = startAt(ringMemory(16), position)
    const filled = rings.fill(from, 5000, 50)
    assert.equal(await collect(new RingReader(from)), await filled)
  }
})

async function collect(reader: RingReader, each?: (bytes: Buffer) => Promise<void> | void): Promise<readonly [hash: string, bytes: number]> {
  const hash = createHash('sha1')
  let total = 0
  for (;;) {
    const bytes = await reader.read()
    if (bytes === null) return [hash.digest('hex'), total]
    hash.update(bytes)
    total += bytes.length
    await each?.(bytes)
  }
}

test('what was read stays as it was when the ring goes on', () => {
  const memory = ringMemory(4)
  const [writer, reader] = [new RingWriter(memory), new RingReader(memory)]
  writer.writeSync(Uint8Array.of(1, 2, 3, 4))
  const first = reader.readSync()
  writer.writeSync(Uint8Array.of(5, 6, 7, 8))
  assert.equal([...(first ?? [])], [1, 2, 3, 4])
  assert.is(first?.buffer instanceof ArrayBuffer, true)
})

test('an end comes after all that was written, and stays', async () => {
  const memory = ringMemory(8)
  const [writer, reader] = [new RingWriter(memory), new RingReader(memory)]
  writer.writeSync(Uint8Array.of(1, 2))
  writer.end()
  assert.equal([...(await reader.read() ?? [])], [1, 2])
  assert.is(await reader.read(), null)
  assert.is(reader.readSync(), null)
  assert.throws(() => writer.writeSync(Uint8Array.of(1)), (error: Error) => error instanceof ClientDisconnected)
})

test('a cut comes after all that was written, as an error', async () => {
  const memory = ringMemory(8)
  const [writer, reader] = [new RingWriter(memory), new RingReader(memory)]
  writer.writeSync(Uint8Array.of(1, 2))
  writer.cut()
  assert.equal([...(reader.readSync() ?? [])], [1, 2])
  assert.throws(() => reader.readSync(), (error: Error) => error instanceof ClientDisconnected)
  assert.instance(await rejection(reader.read()), ClientDisconnected)
})

test('after a cancel nothing can be written', async () => {
  const memory = ringMemory(8)
  const [writer, reader] = [new RingWriter(memory), new RingReader(memory)]
  reader.cancel()
  assert.throws(() => writer.writeSync(Uint8Array.of(1)), (error: Error) => error instanceof ClientDisconnected)
  assert.instance(await rejection(writer.write(Uint8Array.of(1))), ClientDisconnected)
})

test('a reader that waits on the loop hears of bytes, end, cut and its own cancel', async () => {
  const leave: Readonly<Record<string, (writer: RingWriter, reader: RingReader) => void>> = {
    bytes: (writer) => writer.writeSync(Uint8Array.of(7)),
    end: (writer) => writer.end(),
    cut: (writer) => writer.cut(),
    cancel: (_, reader) => reader.cancel(),
  }
  const heard: unknown[] = []
  for (const act of Object.values(leave)) {
    const memory = ringMemory(8)
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)]
    const read = reader.read().catch((error: unknown) => error)
    await delay(2)
    act(writer, reader)
    const found = await read
    heard.push(found instanceof ClientDisconnected ? 'error' : found === null ? null : [...(found as Buffer)])
  }
  assert.equal(heard, [[7], null, 'error', 'error'])
})

test('a writer that waits on the loop hears of room, cancel, and its own end and cut', async () => {
  const leave: Readonly<Record<string, (writer: RingWriter, reader: RingReader) => unknown>> = {
    room: (_, reader) => reader.readSync(),
    cancel: (_, reader) => reader.cancel(),
    end: (writer) => writer.end(),
    cut: (writer) => writer.cut(),
  }
  const heard: unknown[] = []
  for (const act of Object.values(leave)) {
    const memory = ringMemory(8)
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)]
    const written = writer.write(new Uint8Array(12)).catch((error: unknown) => error)
    await delay(2)
    act(writer, reader)
    heard.push(await written instanceof ClientDisconnected ? 'error' : 'written')
  }
  assert.equal(heard, ['written', 'error', 'error', 'error'])
})

test('a thread that is blocked in a read hears of bytes, end and cut', async (t) => {
  const rings = onThread(t)
  const acts: readonly ((writer: RingWriter) => unknown)[] = [(writer) => writer.write(Uint8Array.of(7)), (writer) => writer.end(), (writer) => writer.cut()]
  const heard: unknown[] = []
  for (const act of acts) {
    const [memory, gate] = [ringMemory(8), new Gate()]
    const read = rings.readOnce(memory, gate.words).catch((error: unknown) => error)
    await gate.reached()
    await delay(5)
    await act(new RingWriter(memory))
    const found = await read
    heard.push(found instanceof ClientDisconnected ? 'error' : found)
  }
  assert.equal(heard, [[7], null, 'error'])
})

test('a thread that is blocked in a write hears of room and cancel', async (t) => {
  const rings = onThread(t)
  const acts: readonly ((reader: RingReader) => unknown)[] = [(reader) => reader.read(), (reader) => reader.cancel()]
  const heard: unknown[] = []
  for (const act of acts) {
    const [memory, gate] = [ringMemory(8), new Gate()]
    const written = rings.writeOnce(memory, 12, gate.words).then(() => 'written', (error: unknown) => error)
    await gate.reached()
    await delay(5)
    await act(new RingReader(memory))
    const found = await written
    heard.push(found instanceof ClientDisconnected ? 'error' : found)
  }
  assert.equal(heard, ['written', 'error'])
})

/** Moves `SIZE` bytes and holds their hash, the memory and the delay of the loop. */
async function measured(name: string, move: () => Promise<void>): Promise<void> {
  globalThis.gc?.()
  const before = process.memoryUsage()
  let most = 0
  const watch = setInterval(() => {
    const { heapUsed, external, arrayBuffers } = process.memoryUsage()
    most = Math.max(most, heapUsed + external + arrayBuffers)
  }, 20)
  const loop = monitorEventLoopDelay({ resolution: 5 })
  loop.enable()
  const began = performance.now()
  await move()
  const seconds = (performance.now() - began) / 1000
  loop.disable()
  clearInterval(watch)
  const p99 = loop.percentile(99) / 1e6
  const grown = (most - before.heapUsed - before.external - before.arrayBuffers) / MIB
  const figures = `${name}: ${(SIZE / MIB / seconds).toFixed(0)} MiB/s, ${grown.toFixed(0)} MiB more at most, loop delay p99 ${p99.toFixed(1)} ms, resident ${(process.memoryUsage().rss / MIB).toFixed(0)} MiB`
  if (process.env['SHOW_FIGURES'] !== undefined) console.log(figures)
  assert.ok(grown < 100, figures)
  // 10 ms alone; the specs of others run beside this one.
  assert.ok(p99 < 60, figures)
}

test('a great stream from the loop to a thread: hash, memory, delay of the loop', async (t) => {
  const rings = onThread(t)
  const memory = ringMemory()
  await measured('to a thread', async () => {
    const drained = rings.drain(memory)
    const writer = new RingWriter(memory)
    const hash = createHash('sha1')
    let total = 0
    for (let i = 0; total < SIZE; i++) {
      const bytes = chunk(i, 128 * 1024)
      hash.update(bytes)
      total += bytes.length
      await writer.write(bytes)
    }
    writer.end()
    assert.equal(await drained, [hash.digest('hex'), total])
  })
}, 200)

test('a great stream from a fast thread to the loop, which is slow at times: hash, memory, delay of the loop', async (t) => {
  const rings = onThread(t)
  const memory = ringMemory()
  await measured('from a thread', async () => {
    const filled = rings.fill(memory, SIZE, 128 * 1024)
    let reads = 0
    const collected = await collect(new RingReader(memory), async () => {
      if (++reads % 500 === 0) await delay(5)
    })
    assert.equal(collected, await filled)
  })
}, 200)

test.run()
