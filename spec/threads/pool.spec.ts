/** Threads for functions that block: taking turns, limits of the queue, keys, closing. */
import { Agent, get } from 'node:http'
import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { application, InvalidOption, PoolClosed, serve, ThreadQueueFull } from '../../lib/index.ts'
import { onThreads, syncToAsync, ThreadPool, type OnThreads, type ThreadPoolOptions } from '../../lib/threads/index.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { Gate } from './gate.ts'

type Work = typeof import('./modules/work.ts')
const test = suite('a pool of threads')
const module = new URL('./modules/work.ts', import.meta.url)

function open(t: TestContext, options: ThreadPoolOptions): { readonly pool: ThreadPool; readonly work: OnThreads<Work> } {
  const pool = new ThreadPool(options)
  t.after(() => pool.close())
  return { pool, work: onThreads<Work>(module, { pool }) }
}

const ROUNDS = 6
const REQUESTS = process.env['CI'] === undefined ? 400 : 250
const BLOCK = process.env['THREADS_BLOCK_MS'] ?? '2000'

/** The 99th percentile of how long requests take, in milliseconds: `REQUESTS` of them, eight at a time. */
async function latency(url: string, agent: Agent): Promise<number> {
  const times: number[] = []
  const one = async (): Promise<void> => {
    while (times.length < REQUESTS) {
      const began = performance.now()
      await new Promise<void>((resolve, reject) => {
        get(url, { agent }, (response) => response.resume().on('end', resolve)).on('error', reject)
      })
      times.push(performance.now() - began)
    }
  }
  await Promise.all(Array.from({ length: 8 }, one))
  times.sort((a, b) => a - b)
  return times[Math.floor(times.length * 0.99)] ?? Infinity
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Infinity

test('a server answers as fast as ever while two threads are blocked', async (t) => {
  const { pool, work } = open(t, { threads: 2 })
  const server = await serve(application({
    http: async (scope, _receive, send) => {
      const body = scope.path === '/block' ? String(await work.sleep(Number(scope.queryString))) : 'quick'
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body })
    },
  }), { port: 0, accessLog: false })
  t.after(() => server.close({ timeout: 0 }))
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  await Promise.all([work.sleep(50), work.sleep(50)]) // both have started
  await latency(server.url, agent)
  const idle: number[] = []
  for (let i = 0; i < ROUNDS; i++) idle.push(await latency(server.url, agent))
  const began = performance.now()
  const blocked = [0, 1].map(async () => (await fetch(`${server.url}/block?${BLOCK}`)).text())
  while (pool.stats.busy < 2) await delay(1)
  const busy: number[] = []
  for (let i = 0; i < ROUNDS && performance.now() - began < Number(BLOCK) - 200; i++) busy.push(await latency(server.url, agent))
  assert.is(pool.stats.busy, 2, 'they were blocked all the time')
  assert.ok(busy.length > 0)
  const figures = `p99 ${median(idle).toFixed(2)} ms idle, ${median(busy).toFixed(2)} ms with both threads blocked, ${busy.length * REQUESTS} requests`
  if (process.env['SHOW_FIGURES'] !== undefined) console.log(figures)
  // A machine that others use as well: twice the idle time, and what one slice of another's time costs.
  assert.ok(median(busy) < 2 * median(idle) + 10, figures)
  assert.is(new Set(await Promise.all(blocked)).size, 2, 'each on a thread of its own')
  assert.ok(performance.now() - began < 1.8 * Number(BLOCK), 'at the same time')
}, 60)

test('calls queue while all threads are busy, then run; past the bound they reject', async (t) => {
  const { pool, work } = open(t, { threads: 2, queueLimit: 3 })
  const gate = new Gate()
  const held = [work.pass(gate.words), work.pass(gate.words)]
  await gate.reached(2)
  const queued = [work.add(1, 1), work.add(2, 2), work.add(3, 3)]
  assert.equal(pool.stats, { threads: 2, busy: 2, queued: 3, hops: 5 })
  const error = await rejection(work.add(4, 4))
  assert.instance(error, ThreadQueueFull)
  assert.is(error.code, 'ERR_TSGI_THREAD_QUEUE_FULL')
  assert.match(error.message, /3 calls wait already/)
  gate.open()
  assert.equal(await Promise.all(queued), [2, 4, 6])
  assert.is(new Set(await Promise.all(held)).size, 2)
  assert.equal(pool.stats, { threads: 2, busy: 0, queued: 0, hops: 5 })
  assert.is(await work.add(4, 4), 8)
})

test('a queue of 0 refuses what no thread can take at once', async (t) => {
  const { work } = open(t, { threads: 1, queueLimit: 0 })
  const gate = new Gate()
  const held = work.pass(gate.words)
  assert.instance(await rejection(work.add(1, 1)), ThreadQueueFull)
  gate.open()
  await held
  assert.is(await work.add(1, 1), 2)
})

test('thousands that wait run in their order on one thread', async (t) => {
  const { work } = open(t, { threads: 1 })
  const list = new Int32Array(new SharedArrayBuffer(4 * 3001))
  await Promise.all(Array.from({ length: 3000 }, (_, i) => work.note(list, i)))
  assert.equal(Array.from(list), [3000, ...Array.from({ length: 3000 }, (_, i) => i)])
})

test('threads start when they are needed, and not more than needed', async (t) => {
  const { pool, work } = open(t, { threads: 3 })
  assert.is(pool.stats.threads, 0)
  for (let i = 0; i < 5; i++) await work.add(1, 1)
  assert.equal(pool.stats, { threads: 1, busy: 0, queued: 0, hops: 5 })
})

test('module state is per thread', async (t) => {
  const { work } = open(t, { threads: 1 })
  const other = open(t, { threads: 1 }).work
  const [thread, first] = await work.where()
  assert.equal([first, await work.where()], [1, [thread, 2]])
  const [otherThread, otherFirst] = await other.where()
  assert.is(otherFirst, 1)
  assert.is.not(otherThread, thread)
})

test('calls of one key run on one thread, in their order', async (t) => {
  const { work } = open(t, { threads: 3 })
  const keys = ['red', 'green', 'blue', 'ünïcode', '']
  const lists = keys.map(() => new Int32Array(new SharedArrayBuffer(4 * 101)))
  const threads = keys.map(() => new Set<number>())
  const calls: Promise<unknown>[] = []
  for (let i = 0; i < 100; i++) {
    for (const [at, key] of keys.entries()) {
      calls.push(work.$with({ threadKey: key }).note(lists[at] as Int32Array, i).then((thread) => threads[at]?.add(thread)))
      // Others that go between them must not change that.
      calls.push(work.add(i, i))
    }
  }
  await Promise.all(calls)
  for (const list of lists) assert.equal(Array.from(list), [100, ...Array.from({ length: 100 }, (_, i) => i)])
  assert.equal(threads.map(({ size }) => size), keys.map(() => 1))
})

test('calls of a key wait for their thread though another is idle', async (t) => {
  const { pool, work } = open(t, { threads: 2 })
  const gate = new Gate()
  const keyed = work.$with({ threadKey: 'a' })
  const held = keyed.pass(gate.words)
  await gate.reached()
  const after = Array.from({ length: 20 }, () => keyed.where())
  await work.add(1, 1)
  assert.is(pool.stats.queued, 20)
  gate.open()
  const thread = await held
  assert.equal((await Promise.all(after)).map(([at]) => at), Array.from({ length: 20 }, () => thread))
})

test('a short call that was sent ahead behind a long one is taken over by a thread that becomes idle', async (t) => {
  const { work } = open(t, { threads: 2 })
  const [long, other] = [new Gate(), new Gate()]
  const held = work.pass(long.words)
  const otherHeld = work.pass(other.words)
  await Promise.all([long.reached(), other.reached()])
  // Both threads are sent some of them; the second then has to run all.
  const short = Array.from({ length: 12 }, (_, i) => work.add(i, i))
  other.open()
  assert.equal(await Promise.all(short), Array.from({ length: 12 }, (_, i) => 2 * i))
  assert.is(long.calls, 1)
  await otherHeld
  long.open()
  await held
})

test('what waits for a thread that is starting is taken over too', async (t) => {
  const { work } = open(t, { threads: 2 })
  await work.add(1, 1)
  const gate = new Gate()
  const held = work.pass(gate.words) // on the first thread
  await gate.reached()
  const later = work.where() // starts the second
  gate.open()
  assert.is((await later)[0], await held)
})

test('close lets running calls end, rejects the others with PoolClosed, and ends the threads', async (t) => {
  const { pool, work } = open(t, { threads: 1 })
  const gate = new Gate()
  const held = work.pass(gate.words)
  await gate.reached()
  const waiting = Array.from({ length: 20 }, () => rejection(work.add(1, 1)))
  const keyed = Array.from({ length: 20 }, () => rejection(work.$with({ threadKey: 'k' }).add(1, 1)))
  const closed = pool.close()
  for (const error of await Promise.all([...waiting, ...keyed])) assert.instance(error, PoolClosed)
  assert.is(pool.stats.queued, 0)
  assert.instance(await rejection(work.add(1, 1)), PoolClosed)
  gate.open()
  assert.type(await held, 'number')
  await closed
  assert.equal(pool.stats, { threads: 0, busy: 0, queued: 0, hops: 41 })
})

test('close can be called again, and at the same time', async (t) => {
  const { pool, work } = open(t, { threads: 1 })
  const gate = new Gate()
  const held = work.pass(gate.words)
  await gate.reached()
  const closed = [pool.close(), pool.close(), pool[Symbol.asyncDispose]()]
  gate.open()
  await held
  await Promise.all(closed)
  await pool.close()
})

test('a pool that was never used closes', async () => {
  const pool = new ThreadPool()
  await pool.close()
  assert.is(pool.stats.threads, 0)
})

test('options have to be whole numbers in their ranges', () => {
  for (const threads of [0, -1, 1.5, NaN, '2' as unknown as number]) assert.throws(() => new ThreadPool({ threads }), (error: Error) => error instanceof InvalidOption)
  for (const queueLimit of [-1, 0.5, NaN]) assert.throws(() => new ThreadPool({ queueLimit }), (error: Error) => error instanceof InvalidOption)
})

test('the shared pool has one thread per processor at most', async () => {
  const work = onThreads<Work>(module)
  const gate = new Gate()
  const size = availableParallelism()
  const held = Array.from({ length: size + 2 }, () => work.pass(gate.words))
  await gate.reached(size)
  await delay(20)
  assert.is(gate.calls, size)
  gate.open()
  assert.is(new Set(await Promise.all(held)).size, size)
}, 30)

test('a function in place of a reference runs inline', async () => {
  const here = { count: 0 }
  const count = syncToAsync((by: number) => (here.count += by))
  assert.is(await count(2), 2)
  assert.is(here.count, 2)
  const failing = syncToAsync((): void => {
    throw new TypeError('inline')
  })
  assert.instance(await rejection(failing()), TypeError)
  assert.throws(() => syncToAsync(async () => {}), (error: Error) => error instanceof InvalidOption)
  assert.throws(() => syncToAsync('./work.ts' as never), (error: Error) => error instanceof InvalidOption)
})

test('20,000 calls leave memory, handles and threads as they were', async (t) => {
  const { pool, work } = open(t, { threads: 2 })
  const burst = async (calls: number): Promise<void> => {
    for (let i = 0; i < calls; i += 100) await Promise.all(Array.from({ length: 100 }, (_, j) => work.add(i, j)))
  }
  await burst(4000)
  const used = (): number => {
    globalThis.gc?.()
    return process.memoryUsage().heapUsed
  }
  const [before, handles] = [used(), process.getActiveResourcesInfo().length]
  await burst(20_000)
  const grown = used() - before
  assert.ok(grown < 2 * 2 ** 20, `${(grown / 2 ** 20).toFixed(1)} MiB more`)
  assert.is(process.getActiveResourcesInfo().length, handles)
  assert.equal(pool.stats, { threads: 2, busy: 0, queued: 0, hops: 24_000 })
}, 60)

test.run()
