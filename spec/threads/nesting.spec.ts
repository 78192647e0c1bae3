/** Sync beneath async beneath sync: on the thread that is parked, and nowhere a deadlock. */
import * as assert from 'uvu/assert'
import { WouldDeadlock } from '../../lib/index.ts'
import { asyncToSync, onThreads, ThreadPool, type OnThreads } from '../../lib/threads/index.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { inWorker } from './in-worker.ts'
import { asyncDown } from './modules/nest.ts'

type Nest = typeof import('./modules/nest.ts')
const test = suite('sync and async, nested')
const module = new URL('./modules/nest.ts', import.meta.url)

function open(t: TestContext, threads = 1): { readonly pool: ThreadPool; readonly nest: OnThreads<Nest> } {
  const pool = new ThreadPool({ threads })
  t.after(() => pool.close())
  return { pool, nest: onThreads<Nest>(module, { pool }) }
}

test('async, sync, async, sync, async: the async parts on the loop, the sync parts on one thread', async (t) => {
  const { nest } = open(t, 2)
  const [first = '', ...rest] = await nest.syncDown(4)
  assert.match(first, /^sync \d+$/)
  assert.equal(rest, ['async loop', first, 'async loop', first])
  // Of the shared pool this time.
  const [outer, sync = ''] = await asyncDown(4)
  assert.is(outer, 'async loop')
  assert.match(sync, /^sync \d+$/)
})

test('a thousand at once on one thread', async (t) => {
  const { pool, nest } = open(t)
  const paths = await Promise.all(Array.from({ length: 1000 }, () => nest.syncDown(4)))
  const thread = paths[0]?.[0] ?? ''
  for (const path of paths) assert.equal(path, [thread, 'async loop', thread, 'async loop', thread])
  assert.equal(pool.stats, { threads: 1, busy: 0, queued: 0, hops: 1000 })
}, 60)

test('forty levels deep', async (t) => {
  assert.is((await open(t).nest.syncDown(40)).length, 41)
})

test('two calls at once beneath one parked thread', async (t) => {
  const [one, three] = await open(t).nest.syncBoth() as [Nest['syncDown'] extends (...args: never[]) => infer R ? R : never, readonly string[]]
  assert.equal([one.length, three.length], [1, 3])
  assert.is(one[0], three[0])
})

test('work that an inner call left behind runs on the thread that is parked further out', async (t) => {
  const { nest } = open(t)
  const [where] = await nest.syncLeave() as readonly string[]
  assert.match(where ?? '', /^sync \d+$/)
  assert.is(where, (await nest.syncDown(0))[0])
})

test('asyncToSync on the loop throws WouldDeadlock at once', () => {
  const down = asyncToSync<Nest['asyncDown']>(new URL('#asyncDown', module))
  assert.throws(() => down(1), (error: Error) => error instanceof WouldDeadlock && error.code === 'ERR_TSGI_WOULD_DEADLOCK' && error.message.includes('asyncDown'))
})

test('an error of the async function is thrown in the sync one', async (t) => {
  const error = await rejection(open(t).nest.syncFail())
  assert.instance(error, RangeError)
  assert.is(error.message, 'from the loop')
  assert.match(error.stack ?? '', /asyncFail/)
})

test('in a Worker of the user\'s own a helper thread runs the async functions, and sync beneath them comes back', async (t) => {
  const [first = '', second = '', ...rest] = await inWorker(t, module, 'return nest.syncDown(4)') as readonly string[]
  assert.match(first, /^sync \d+$/)
  assert.match(second, /^async \d+$/)
  assert.is.not(first.slice(5), second.slice(6))
  assert.equal(rest, [first, second, first])
}, 30)

test('errors come back from the helper, and it is there for the next call', async (t) => {
  const found = await inWorker(t, module, `
    const names = []
    for (let i = 0; i < 3; i++) try { nest.syncFail() } catch (error) { names.push(error.name + ': ' + error.message) }
    return [...names, nest.syncAsk(7)]`)
  assert.equal(found, ['RangeError: from the loop', 'RangeError: from the loop', 'RangeError: from the loop', 7])
}, 30)

test.run()
