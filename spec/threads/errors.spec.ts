/** What is thrown on a thread arrives on the loop; what cannot be cloned is named. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { isNativeError } from 'node:util/types'
import * as assert from 'uvu/assert'
import { InvalidOption, NotCloneable, TsgiError } from '../../lib/index.ts'
import { onThreads, shareContext, ThreadPool } from '../../lib/threads/index.ts'
import { rejection } from '../support/rejection.ts'
import { suite } from '../support/suite.ts'
import * as contexts from './modules/contexts.ts'

type Failures = typeof import('./modules/failures.ts')
const test = suite('errors and contexts across threads')
const pool = new ThreadPool({ threads: 1 })
const options = { pool }
const work = onThreads<typeof import('./modules/work.ts')>(new URL('./modules/work.ts', import.meta.url), options)
const failures = onThreads<Failures>(new URL('./modules/failures.ts', import.meta.url), options)
const nest = onThreads<typeof import('./modules/nest.ts')>(new URL('./modules/nest.ts', import.meta.url), options)
const remote = onThreads<typeof contexts>(new URL('./modules/contexts.ts', import.meta.url), options)

const thrown = (kind: string): Promise<unknown> => failures.fail(kind).then(() => assert.unreachable(), (error: unknown) => error)

test('an error keeps its nearest class that both sides have, its name, message, stack, code and own properties', async () => {
  const error = await thrown('own') as RangeError & { code: string; left: unknown; save?: unknown }
  assert.instance(error, RangeError)
  assert.equal([error.name, error.message, error.code, error.left], ['OutOfStock', 'no pears', 'E_STOCK', { apples: 2 }])
  assert.match(error.stack ?? '', /modules\/failures\.ts:\d+/)
  assert.is('save' in error, false, 'what cannot be cloned is left out')
  assert.equal(Object.keys(error).sort(), ['code', 'left'])
})

test('the chain of causes comes along', async () => {
  const { cause } = await thrown('own') as Error
  assert.instance(cause, TypeError)
  assert.is((cause as Error).cause, 'a text')
  const circular = await thrown('circular') as Error
  assert.is((circular.cause as Error).message, 'round')
})

test('an AggregateError comes with its errors', async () => {
  const error = await thrown('many') as AggregateError
  assert.instance(error, AggregateError)
  const [one, two, three] = error.errors as unknown[]
  assert.instance(one, SyntaxError)
  assert.is(two, 'two')
  assert.instance(three, RangeError)
  assert.is((three as { code?: unknown }).code, 'E_STOCK')
})

test('errors of tsgi keep their classes, and those derived from them', async () => {
  const error = await thrown('option')
  assert.instance(error, InvalidOption)
  assert.is((error as InvalidOption).code, 'ERR_TSGI_INVALID_OPTION')
  const derived = await thrown('derived') as TsgiError & { detail: unknown }
  assert.instance(derived, TsgiError)
  assert.equal([derived.name, derived.code, derived.detail], ['Derived', 'ERR_TSGI_OPTION', [1, 2]])
})

test('an error that has crossed is a native one, and can be cloned again', async () => {
  for (const kind of ['own', 'many', 'option', 'derived', 'system']) {
    const error = await thrown(kind) as Error
    const clone = structuredClone(error)
    assert.ok(isNativeError(error), kind)
    assert.equal([clone instanceof Error, clone.message, clone.stack], [true, error.message, error.stack], kind)
  }
  const inner = (await thrown('many') as AggregateError).errors[0] as Error
  assert.equal([structuredClone(inner).name, structuredClone(inner) instanceof SyntaxError], ['SyntaxError', true])
})

test('an error of Node keeps its code', async () => {
  const error = await thrown('system') as NodeJS.ErrnoException
  assert.instance(error, Error)
  assert.is(error.code, 'ERR_WORKER_UNSUPPORTED_OPERATION')
})

test('what is thrown and is no Error arrives as it is; what cannot be cloned as an Error', async () => {
  assert.is(await thrown('text'), 'a text')
  assert.is(await thrown('nothing'), undefined)
  assert.equal(await thrown('object'), { reason: [1] })
  for (const kind of ['function', 'symbol', 'bare']) {
    const error = await thrown(kind)
    assert.instance(error, Error, kind)
    assert.match((error as Error).message, /^threw /, kind)
  }
})

test('a property that cannot be read does not hide the error', async () => {
  assert.is((await thrown('hostile') as Error).message, 'hostile')
})

const notCloneable = async (call: Promise<unknown>): Promise<string> => {
  const error = await rejection(call)
  assert.instance(error, NotCloneable, String(error))
  assert.ok(error.message.startsWith((error as NotCloneable).path))
  return (error as NotCloneable).path
}

test('an argument that cannot be cloned is named by its path, and nothing was called', async () => {
  assert.is(await notCloneable(work.echo(() => {})), 'arguments[0]')
  assert.is(await notCloneable((work.add as (...args: unknown[]) => Promise<number>)(1, { user: { save() {} } })), 'arguments[1].user.save')
  assert.is(await notCloneable(work.echo([1, Symbol('x')])), 'arguments[0][1]')
  assert.is(await notCloneable(work.echo(new Map([['a', { b: () => {} }]]))), 'arguments[0].get(a).b')
  assert.is(await notCloneable(work.echo(new WeakMap())), 'arguments[0]')
  const { port1, port2 } = new MessageChannel()
  assert.is(await notCloneable(work.echo({ port: port1 })), 'arguments[0].port')
  port1.close()
  port2.close()
  const round: { self?: unknown; run?: unknown } = {}
  round.self = round
  round.run = () => {}
  assert.is(await notCloneable(work.echo(round)), 'arguments[0].run')
  assert.is(pool.stats.busy, 0)
})

test('so is an argument of a call that waits', async () => {
  const calls = Array.from({ length: 30 }, (_, i) => i === 20 ? notCloneable(work.echo({ f() {} })) : work.echo(i))
  assert.equal(await Promise.all(calls), Array.from({ length: 30 }, (_, i) => i === 20 ? 'arguments[0].f' : i))
})

test('a result that cannot be cloned is named by its path', async () => {
  assert.is(await notCloneable(failures.give('function')), 'the result.user.save')
  assert.is(await notCloneable(failures.give('list')), 'the result[1][1]')
  assert.is(await notCloneable(failures.give('map')), 'the result.get(a).run')
  assert.is(await notCloneable(failures.give('set')), 'the result[0]')
  assert.is(await notCloneable(failures.give('promise')), 'the result')
  assert.is(await notCloneable(failures.give('port')), 'the result.port')
})

test('so are they on the way back to the loop', async () => {
  assert.is(await notCloneable(nest.syncFunction()), 'the result.save[0]')
  assert.is(await notCloneable(remote.askWithFunction()), 'contexts.user.tags[0]')
})

test('a context that cannot be cloned is named by its path', async () => {
  const call = contexts.user.run({ name: 'Ada', tags: [1, () => {}] }, () => remote.seen())
  assert.is(await notCloneable(call), 'contexts.user.tags[1]')
})

test('shared stores cross to the thread, to the loop and beneath; others do not', async () => {
  const found = await contexts.user.run({ name: 'Ada' }, () => contexts.locale.run('de', () => contexts.secret.run('x', () => remote.around())))
  assert.equal(found, [['Ada', 'de', undefined], ['Ada', 'de', undefined], ['Ada', 'fr', undefined]])
  assert.equal(await remote.seen(), [undefined, undefined, undefined], 'nothing stays')
  assert.equal(await contexts.locale.run('en', () => remote.seen()), [undefined, 'en', undefined])
})

test('a call that waits has the stores of its caller', async () => {
  const names = Array.from({ length: 40 }, (_, i) => `user ${i}`)
  const found = await Promise.all(names.map((name) => contexts.user.run({ name }, () => remote.seen())))
  assert.equal(found.map(([name]) => name), names)
})

test('what a call changes in a store is not written back', async () => {
  const store = { name: 'Ada' }
  assert.equal(await contexts.user.run(store, () => remote.rename('Eve')), ['Eve', undefined, undefined])
  assert.is(store.name, 'Ada')
})

test('a name is given to one storage', () => {
  shareContext('user', contexts.user)
  assert.throws(() => shareContext('user', new AsyncLocalStorage()), (error: Error) => error instanceof InvalidOption && error.message.includes('user'))
})

test('the pool closes', () => pool.close())

test.run()
