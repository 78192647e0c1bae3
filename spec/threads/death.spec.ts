/** A thread that ends costs the call that it was running, and nothing else. */
import * as assert from 'uvu/assert'
import { ThreadDied } from '../../lib/index.ts'
import { onThreads, ThreadPool, type OnThreads, type ThreadPoolOptions } from '../../lib/threads/index.ts'
import { RingReader, ringMemory } from '../../lib/threads/ring.ts'
import { startProcess, tempFolder } from '../support/command.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { Gate } from './gate.ts'
import { inWorker } from './in-worker.ts'
import { asyncOutcome } from './modules/nest.ts'

const test = suite('threads that end')
const at = (name: string): URL => new URL(`./modules/${name}.ts`, import.meta.url)

interface Opened {
  readonly pool: ThreadPool
  readonly work: OnThreads<typeof import('./modules/work.ts')>
  readonly nest: OnThreads<typeof import('./modules/nest.ts')>
  readonly rings: OnThreads<typeof import('./modules/rings.ts')>
}

function open(t: TestContext, options: ThreadPoolOptions = { threads: 1 }): Opened {
  const pool = new ThreadPool(options)
  t.after(() => pool.close())
  return { pool, work: onThreads(at('work'), { pool }), nest: onThreads(at('nest'), { pool }), rings: onThreads(at('rings'), { pool }) }
}

async function died(call: Promise<unknown>, reason: RegExp): Promise<void> {
  const error = await rejection(call)
  assert.instance(error, ThreadDied)
  assert.is(error.code, 'ERR_TSGI_THREAD_DIED')
  assert.match(error.message, reason)
}

test('process.exit while it runs: one ThreadDied, and the calls behind it run on another thread', async (t) => {
  const { pool, work } = open(t)
  const before = (await work.where())[0]
  const gate = new Gate()
  const dying = died(work.exitAt(gate.words), /^the thread that ran exitAt has ended: exit code 4$/)
  const after = Array.from({ length: 30 }, (_, i) => work.$with(i % 2 === 0 ? {} : { threadKey: 'k' }).add(i, i))
  gate.open()
  await dying
  assert.equal(await Promise.all(after), Array.from({ length: 30 }, (_, i) => 2 * i))
  const [thread, calls] = await work.where()
  assert.is.not(thread, before)
  assert.is(calls, 1)
  assert.equal(pool.stats, { threads: 1, busy: 0, queued: 0, hops: 33 })
})

test('the same in its very first call', async (t) => {
  const { work } = open(t)
  const calls = [died(work.exit(3), /exit code 3/), work.add(1, 1), work.add(2, 2)] as const
  assert.equal(await Promise.all(calls), [undefined, 2, 4])
})

test('a call that had returned before is not lost with it', async (t) => {
  const { work } = open(t)
  for (let i = 0; i < 15; i++) {
    const calls = [work.add(i, 1), work.add(i, 2), died(work.exit(3), /exit code 3/), work.add(i, 3)] as const
    assert.equal(await Promise.all(calls), [i + 1, i + 2, undefined, i + 3])
  }
}, 60)

test('an uncaught error in a timer of an idle thread costs no call', async (t) => {
  const { pool, work } = open(t)
  const [before] = await work.where()
  await work.failLater('late')
  while (pool.stats.threads > 0) await new Promise((resolve) => setTimeout(resolve, 2))
  assert.is.not((await work.where())[0], before)
})

/** Runs a program of its own: what it says of a call that fails, and of one after it. */
async function program(t: TestContext, flags: readonly string[], name: string, call: string): Promise<string> {
  const file = tempFolder(t).write('program.mts', `
    import { onThreads, ThreadPool } from '${new URL('../../lib/threads/index.ts', import.meta.url).href}'
    const pool = new ThreadPool({ threads: 1 })
    const work = onThreads(new URL('${at('work').href}'), { pool })
    await work.add(1, 1)
    const [error, sum] = await Promise.all([onThreads(new URL('${at(name).href}'), { pool }).${call}.catch((error) => error), work.add(1, 2)])
    console.log([error.code, error.message, error.cause?.code ?? error.cause?.message, sum].join('; '))
  `)
  const { stdout, stderr } = await startProcess(t, [file], { program: [process.execPath, ...flags, '--conditions=source', '--import', 'tsx'] }).ended
  return stdout + stderr
}

test('an uncaught error is the cause of the ThreadDied of the call that runs', async (t) => {
  assert.is(await program(t, [], 'fails-thread', 'never()'), 'ERR_TSGI_THREAD_DIED; the thread that ran never has ended: while it was loading; while it was loading; 3\n')
}, 30)

test('out of memory', async (t) => {
  assert.match(await program(t, ['--max-old-space-size=48'], 'work', 'exhaust()'), /^ERR_TSGI_THREAD_DIED; the thread that ran exhaust has ended: .*memory.*; ERR_WORKER_OUT_OF_MEMORY; 3$/m)
}, 60)

test('parked in asyncToSync, and it goes on though it was woken', async (t) => {
  const { pool, nest, work } = open(t)
  const gate = new Gate()
  const controller = new AbortController()
  const call = rejection(nest.$with({ signal: controller.signal, grace: 0.05 }).syncStubborn(gate.words))
  await gate.reached()
  controller.abort()
  assert.is((await call).name, 'AbortError')
  while (pool.stats.busy > 0) await new Promise((resolve) => setTimeout(resolve, 2))
  assert.is(await work.add(1, 2), 3)
})

test('a thread that ends beneath a parked call ends both', async (t) => {
  const { nest, work } = open(t)
  await died(nest.syncExitBelow(), /has ended: exit code 5/)
  await died(asyncOutcome(), /^the thread that ran a call beneath another has ended: exit code 5$/)
  assert.is(await work.add(1, 2), 3)
})

test('an async function that outlives the thread that was parked for it calls another', async (t) => {
  const { nest, work } = open(t)
  const gate = new Gate()
  const controller = new AbortController()
  const call = rejection(nest.$with({ signal: controller.signal, grace: 0 }).syncSurvive(gate.words))
  await gate.reached()
  controller.abort()
  await call
  await work.add(1, 1)
  gate.open()
  assert.match(String(await asyncOutcome()), /^sync \d+$/)
})

test('blocked in a write to a ring', async (t) => {
  const { pool, rings, work } = open(t)
  const [memory, gate] = [ringMemory(8), new Gate()]
  const controller = new AbortController()
  const call = rejection(rings.$with({ signal: controller.signal, grace: 0.05 }).writeOnce(memory, 100, gate.words))
  await gate.reached()
  controller.abort()
  assert.is((await call).name, 'AbortError')
  while (pool.stats.busy > 0) await new Promise((resolve) => setTimeout(resolve, 2))
  assert.is((await new RingReader(memory).read())?.length, 8, 'what it had written is there')
  assert.is(await work.add(1, 2), 3)
})

test('others are unharmed', async (t) => {
  const { pool, work } = open(t, { threads: 2 })
  const [gate, dying] = [new Gate(), new Gate()]
  const held = work.pass(gate.words)
  const ending = died(work.exitAt(dying.words), /exit code 4/)
  await Promise.all([gate.reached(), dying.reached()])
  dying.open()
  await ending
  gate.open()
  assert.type(await held, 'number')
  assert.equal(pool.stats.busy, 0)
})

test('threads that end one after the other leave nothing behind', async (t) => {
  const { pool, work } = open(t)
  const handles = process.getActiveResourcesInfo().length
  for (let i = 0; i < (process.env['CI'] === undefined ? 20 : 10); i++) await died(work.exit(1), /exit code 1/)
  await pool.close()
  assert.equal(pool.stats.threads, 0)
  // The system tells of the end of a thread a moment later.
  while (process.getActiveResourcesInfo().length > handles) await new Promise((resolve) => setTimeout(resolve, 5))
}, 60)

test('an async function that ends the helper of a Worker wakes that Worker with ThreadDied', async (t) => {
  const found = await inWorker(t, at('nest'), `
    const names = []
    for (let i = 0; i < 2; i++) try { nest.syncExitHelper() } catch (error) { names.push(error.code + ': ' + error.message) }
    return [...names, nest.syncAsk(7)]`)
  const message = 'ERR_TSGI_THREAD_DIED: the thread that ran asyncExit has ended: exit code 6'
  assert.equal(found, [message, message, 7])
}, 30)

test.run()
