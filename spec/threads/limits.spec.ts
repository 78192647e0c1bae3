/** Calls that are given up: by a time limit, or by an AbortSignal. */
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { ThreadTimeout } from '../../lib/index.ts'
import { onThreads, ThreadPool, type OnThreads } from '../../lib/threads/index.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { Gate } from './gate.ts'

const test = suite('calls that are given up')

interface Opened {
  readonly pool: ThreadPool
  readonly work: OnThreads<typeof import('./modules/work.ts')>
  readonly nest: OnThreads<typeof import('./modules/nest.ts')>
  /** The thread that runs calls. */
  thread(): Promise<number>
}

async function open(t: TestContext): Promise<Opened> {
  const pool = new ThreadPool({ threads: 1 })
  t.after(() => pool.close())
  const work = onThreads<typeof import('./modules/work.ts')>(new URL('./modules/work.ts', import.meta.url), { pool })
  const nest = onThreads<typeof import('./modules/nest.ts')>(new URL('./modules/nest.ts', import.meta.url), { pool })
  const thread = async (): Promise<number> => (await work.where())[0]
  await thread()
  return { pool, work, nest, thread }
}

test('a signal that has aborted: nothing is called', async (t) => {
  const { pool, work } = await open(t)
  const { hops } = pool.stats
  const reason = new Error('no more')
  assert.is(await rejection(work.$with({ signal: AbortSignal.abort(reason) }).add(1, 1)), reason)
  assert.is(pool.stats.hops, hops)
})

test('a signal that aborts while the call waits: it never begins', async (t) => {
  const { pool, work, thread } = await open(t)
  const before = await thread()
  const [gate, other] = [new Gate(), new Gate()]
  const held = work.pass(gate.words)
  await gate.reached()
  // The first wait on the thread, the others in the queue; some have a key.
  const controller = new AbortController()
  const warnings: Error[] = []
  const warned = (warning: Error): number => warnings.push(warning)
  process.on('warning', warned)
  t.after(() => process.off('warning', warned))
  const given = Array.from({ length: 24 }, (_, i) => rejection(work.$with({ signal: controller.signal, ...(i % 2 === 0 ? {} : { threadKey: 'k' }) }).pass(other.words)))
  assert.is(pool.stats.queued, 24)
  controller.abort()
  for (const error of await Promise.all(given)) assert.is(error.name, 'AbortError')
  assert.is(pool.stats.queued, 0)
  gate.open()
  assert.equal([await held, await thread(), other.calls], [before, before, 0])
  assert.equal(warnings, [])
})

test('however many are given up while the thread is busy, the next call runs, and none of them', async (t) => {
  const { work, thread } = await open(t)
  const [gate, other] = [new Gate(), new Gate()]
  other.open()
  const held = work.pass(gate.words)
  await gate.reached()
  const kept = work.add(20, 1)
  for (let i = 0; i < 200; i++) {
    const controller = new AbortController()
    const given = rejection(work.$with({ signal: controller.signal }).pass(other.words))
    controller.abort()
    await given
  }
  const last = work.add(20, 2)
  gate.open()
  assert.equal([await held, await kept, await last, other.calls], [await thread(), 21, 22, 0])
})

test('the same while the first thread is still starting', async (t) => {
  const pool = new ThreadPool({ threads: 1 })
  t.after(() => pool.close())
  const work = onThreads<typeof import('./modules/work.ts')>(new URL('./modules/work.ts', import.meta.url), { pool })
  const gate = new Gate()
  gate.open()
  for (let i = 0; i < 100; i++) {
    const controller = new AbortController()
    const given = rejection(work.$with({ signal: controller.signal }).pass(gate.words))
    controller.abort()
    await given
  }
  assert.equal([await work.add(1, 2), gate.calls], [3, 0])
})

test('a call that runs rejects at once; one that leaves in its grace keeps its thread', async (t) => {
  const { pool, work, thread } = await open(t)
  const before = await thread()
  const gate = new Gate()
  const controller = new AbortController()
  const given = rejection(work.$with({ signal: controller.signal, grace: 5 }).pass(gate.words))
  await gate.reached()
  const after = work.where()
  controller.abort(new RangeError('enough'))
  assert.is((await given).message, 'enough')
  assert.is(pool.stats.busy, 1, 'the thread is still in it')
  gate.open()
  assert.is((await after)[0], before)
  assert.is(await thread(), before)
})

test('a call that outlives its grace is ended, and its thread replaced', async (t) => {
  const { pool, work, thread } = await open(t)
  const before = await thread()
  const gate = new Gate()
  const began = performance.now()
  const error = await rejection(work.$with({ timeout: 0.1, grace: 0.1 }).pass(gate.words))
  assert.instance(error, ThreadTimeout)
  assert.match(error.message, /^pass has not returned within 0\.1 seconds$/)
  const now = await thread()
  assert.is.not(now, before)
  assert.ok(performance.now() - began > 180)
  assert.equal([pool.stats.threads, pool.stats.busy], [1, 0])
})

test('calls that wait behind one that is ended run on the new thread', async (t) => {
  const { work, thread } = await open(t)
  const before = await thread()
  const gate = new Gate()
  const given = rejection(work.$with({ timeout: 0.05, grace: 0 }).pass(gate.words))
  const others = Array.from({ length: 20 }, (_, i) => work.add(i, 1))
  const keyed = Array.from({ length: 20 }, (_, i) => work.$with({ threadKey: 'k' }).add(i, 2))
  assert.instance(await given, ThreadTimeout)
  assert.equal(await Promise.all(others), Array.from({ length: 20 }, (_, i) => i + 1))
  assert.equal(await Promise.all(keyed), Array.from({ length: 20 }, (_, i) => i + 2))
  assert.is.not(await thread(), before)
})

test('a time limit counts from the call: it holds for one that waits', async (t) => {
  const { work } = await open(t)
  const gate = new Gate()
  const held = work.pass(gate.words)
  assert.instance(await rejection(work.$with({ timeout: 0.05 }).add(1, 1)), ThreadTimeout)
  gate.open()
  await held
})

test('a call in time leaves no timer and no listener behind', async (t) => {
  const { work } = await open(t)
  const { signal } = new AbortController()
  let listeners = 0
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => (listeners++, addEventListener.apply(signal, args))
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => (listeners--, removeEventListener.apply(signal, args))
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  const call = work.$with({ signal, timeout: 60 }).add(1, 2)
  assert.equal([listeners, timers()], [1, before + 1])
  assert.is(await call, 3)
  assert.equal([listeners, timers()], [0, before])
})

test('no limit is what Infinity and 0 mean, and a very long one is one', async (t) => {
  const { work, thread } = await open(t)
  const before = await thread()
  for (const timeout of [Infinity, 0, 1e9]) assert.is(await work.$with({ timeout }).sleep(50), before)
  const controller = new AbortController()
  const gate = new Gate()
  const given = rejection(work.$with({ signal: controller.signal, grace: Infinity }).pass(gate.words))
  await gate.reached()
  controller.abort()
  await given
  await delay(50)
  gate.open()
  assert.is(await thread(), before)
})

test('a parked call throws in the thread at once, which is kept', async (t) => {
  const { nest, thread } = await open(t)
  const before = await thread()
  const gate = new Gate()
  const controller = new AbortController()
  const given = rejection(nest.$with({ signal: controller.signal, grace: 10 }).syncNever(gate.words))
  await gate.reached()
  const began = performance.now()
  controller.abort(new RangeError('the client has left'))
  assert.is((await given).message, 'the client has left')
  assert.is(await nest.lastEnd(), 'RangeError: the client has left')
  assert.ok(performance.now() - began < 5000)
  assert.is(await thread(), before)
})

test('so does one that is parked further down', async (t) => {
  const { nest, thread } = await open(t)
  const before = await thread()
  const gate = new Gate()
  const controller = new AbortController()
  const given = rejection(nest.$with({ signal: controller.signal, grace: 10 }).syncNeverBelow(gate.words))
  await gate.reached()
  const began = performance.now()
  controller.abort(new RangeError('the client has left'))
  await given
  assert.is(await nest.lastEnd(), 'RangeError: the client has left')
  assert.ok(performance.now() - began < 5000)
  assert.is(await thread(), before)
})

test.run()
