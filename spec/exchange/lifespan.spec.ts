import * as assert from 'uvu/assert'
import type { Application, LifespanReceiveEvent, SendEvent } from '../../lib/index.ts'
import { LifespanExchange, type LifespanSettings } from '../../lib/exchange/lifespan.ts'
import { lifespanExpected, lifespanOrder, type LifespanEventType, type LifespanState } from '../../lib/exchange/lifespan-order.ts'
import { rejection } from '../support/rejection.ts'
import { suite } from '../support/suite.ts'

const test = suite('lifespan')

/** An application that does only the lifespan. */
function living(run: (receive: () => Promise<LifespanReceiveEvent>, send: (event: SendEvent) => Promise<void>) => Promise<void>): Application {
  return async (scope, receive, send) => {
    if (scope.type === 'lifespan') await run(receive as () => Promise<LifespanReceiveEvent>, send)
  }
}

/** A lifespan whose reports are kept. */
function exchange(settings: Partial<LifespanSettings> = {}): { lifespan: LifespanExchange; reports: string[] } {
  const reports: string[] = []
  const lifespan = new LifespanExchange({
    mode: 'auto',
    startup: 5,
    shutdown: 5,
    unsupported: (error) => reports.push(`unsupported: ${String(error)}`),
    failed: (error) => reports.push(`failed: ${String(error)}`),
    ...settings,
  })
  return { lifespan, reports }
}

const startupComplete: SendEvent = { type: 'lifespan.startup.complete' }
const shutdownComplete: SendEvent = { type: 'lifespan.shutdown.complete' }

const dutiful = living(async (receive, send) => {
  await receive()
  await send(startupComplete)
  await receive()
  await send(shutdownComplete)
})

/** Brings a lifespan into a state and gives the `send` of its application. */
async function inState(state: LifespanState): Promise<{ send: (event: SendEvent) => Promise<void>; settled: Promise<unknown> }> {
  const { lifespan } = exchange()
  let give!: (send: (event: SendEvent) => Promise<void>) => void
  const given = new Promise<(event: SendEvent) => Promise<void>>((resolve) => {
    give = resolve
  })
  let settled: Promise<unknown> = lifespan.startup(living(async (_receive, send) => {
    give(send)
    await new Promise(() => {})
  })).catch((error: unknown) => error)
  const send = await given
  if (state === 'starting') return { send, settled }
  if (state === 'over') await send({ type: 'lifespan.startup.failed' })
  else await send(startupComplete)
  await settled
  if (state === 'stopping') settled = lifespan.shutdown().catch((error: unknown) => error)
  return { send, settled }
}

for (const state of Object.keys(lifespanOrder) as LifespanState[]) {
  for (const type of Object.keys(lifespanOrder[state]) as LifespanEventType[]) {
    const rule = lifespanOrder[state][type]
    test(`${state}: ${type} is ${rule === 'take' ? 'taken' : 'refused'}`, async () => {
      const { send, settled } = await inState(state)
      if (rule === 'take') {
        await send({ type })
        const outcome = await settled
        if (type.endsWith('.complete')) assert.is(outcome, undefined)
        else assert.is((outcome as Error & { code: string }).code, 'ERR_TSGI_LIFESPAN_FAILED')
        assert.ok(lifespanExpected[state].includes(type))
      } else {
        const error = await rejection(send({ type }))
        assert.is(error.code, 'ERR_TSGI_UNEXPECTED_EVENT')
        assert.ok(error.message.startsWith(`${type} may not be sent now`), error.message)
        assert.not.ok(lifespanExpected[state].includes(type))
        // A refusal changes nothing: what is expected is still taken.
        const [next] = lifespanExpected[state]
        if (next !== undefined) {
          await send({ type: next })
          await settled
        }
      }
    })
  }
}

test('an event that does not belong to the lifespan, or is malformed, is refused, and the application may go on', async () => {
  const { send, settled } = await inState('starting')
  const rows: readonly (readonly [unknown, RegExp])[] = [
    [{ type: 'http.response.start', status: 200 }, /^send: type must be the type of an event that may be sent in the lifespan, found "http\.response\.start"$/],
    [{ type: 'toString' }, /^send: type must be/],
    [{}, /^send: type must be .*found undefined$/],
    [null, /^send: type must be .*found undefined$/],
    [{ type: 'lifespan.startup.failed', message: 5 }, /^lifespan\.startup\.failed: message must be a string, found 5$/],
  ]
  for (const [event, says] of rows) {
    const error = await rejection(send(event as SendEvent))
    assert.is(error.code, 'ERR_TSGI_INVALID_EVENT')
    assert.match(error.message, says)
  }
  await send(startupComplete)
  assert.is(await settled, undefined)
})

test('auto: an application that throws, or returns, before it has started is served without a lifespan', async () => {
  for (const app of [living(async () => { throw new Error('HTTP only') }), living(async (receive) => { await receive() })]) {
    const { lifespan } = exchange()
    await lifespan.startup(app)
    await lifespan.shutdown()
  }
  const { lifespan, reports } = exchange()
  await lifespan.startup(living(async (receive) => {
    await receive()
    throw new Error('no')
  }))
  await lifespan.shutdown()
  assert.equal(reports, ['unsupported: Error: no'])
})

test('auto: lifespan.startup.failed is a failure all the same', async () => {
  const { lifespan } = exchange()
  const error = await rejection(lifespan.startup(living(async (receive, send) => {
    await receive()
    await send({ type: 'lifespan.startup.failed', message: 'no database' })
  })))
  assert.is(error.message, 'the application failed to start: no database')
})

test('on: an application that throws, or returns, before it has started keeps the server from starting', async () => {
  const thrown = await rejection(exchange({ mode: 'on' }).lifespan.startup(living(async () => { throw new Error('boom') })))
  assert.equal([thrown.code, thrown.message, (thrown.cause as Error).message], ['ERR_TSGI_LIFESPAN_FAILED', 'the application threw at start-up: boom', 'boom'])
  const returned = await rejection(exchange({ mode: 'on' }).lifespan.startup(living(async () => {})))
  assert.equal([returned.code, returned.message], ['ERR_TSGI_LIFESPAN_FAILED', 'the application returned before lifespan.startup.complete'])
})

test('off: the application is never asked', async () => {
  const { lifespan } = exchange({ mode: 'off' })
  await lifespan.startup(async () => assert.unreachable('not asked'))
  await lifespan.shutdown()
})

test('an application that does as it should is started and shut down once', async () => {
  for (const mode of ['auto', 'on'] as const) {
    const { lifespan, reports } = exchange({ mode })
    await lifespan.startup(dutiful)
    await lifespan.shutdown()
    await lifespan.shutdown()
    assert.equal(reports, [])
  }
})

test('a failure that is told of and then thrown has the error as its cause', async () => {
  const failing = (when: 'startup' | 'shutdown'): Application => living(async (receive, send) => {
    for (const phase of ['startup', 'shutdown'] as const) {
      await receive()
      if (phase === when) {
        await send({ type: `lifespan.${phase}.failed`, message: 'boom' })
        throw new RangeError('boom')
      }
      await send({ type: `lifespan.${phase}.complete` })
    }
  })
  const starting = await rejection(exchange().lifespan.startup(failing('startup')))
  assert.equal([starting.message, (starting.cause as Error).name], ['the application failed to start: boom', 'RangeError'])
  const { lifespan } = exchange()
  await lifespan.startup(failing('shutdown'))
  const stopping = await rejection(lifespan.shutdown())
  assert.equal([stopping.message, (stopping.cause as Error).name], ['the application failed to shut down: boom', 'RangeError'])
})

test('an application that throws at shutdown fails it; one that merely returns does not', async () => {
  const { lifespan } = exchange()
  await lifespan.startup(living(async (receive, send) => {
    await receive()
    await send(startupComplete)
    await receive()
    throw new Error('boom')
  }))
  assert.is((await rejection(lifespan.shutdown())).message, 'the application threw at shutdown: boom')

  const other = exchange().lifespan
  await other.startup(living(async (receive, send) => {
    await receive()
    await send(startupComplete)
    await receive()
  }))
  await other.shutdown()
})

test('an application that ends its lifespan while the server serves is reported if it threw; there is no shutdown then', async () => {
  const { lifespan, reports } = exchange()
  await lifespan.startup(living(async (receive, send) => {
    await receive()
    await send(startupComplete)
    throw new Error('lost')
  }))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(reports, ['failed: Error: lost'])
  await lifespan.shutdown()
})

test('start-up and shutdown have time limits, 0 for none; what comes too late is refused', async () => {
  let late: Promise<Error> | undefined
  const slow = exchange({ startup: 0.05 }).lifespan
  const error = await rejection(slow.startup(living(async (receive, send) => {
    await receive()
    late = rejection(new Promise((resolve) => setTimeout(resolve, 100)).then(() => send(startupComplete)))
    await late
  })))
  assert.equal([error.code, error.message], ['ERR_TSGI_LIFESPAN_FAILED', "the application's start-up took longer than 0.05 seconds"])
  assert.is((await late as Error & { code: string }).code, 'ERR_TSGI_UNEXPECTED_EVENT')

  const { lifespan } = exchange({ shutdown: 0.05 })
  await lifespan.startup(living(async (receive, send) => {
    await receive()
    await send(startupComplete)
    await new Promise(() => {})
  }))
  assert.is((await rejection(lifespan.shutdown())).message, "the application's shutdown took longer than 0.05 seconds")

  await exchange({ startup: 0 }).lifespan.startup(living(async (_receive, send) => {
    await new Promise((resolve) => setTimeout(resolve, 20))
    await send(startupComplete)
  }))
})

test('receive gives the start-up once, then the shutdown once, whenever it is asked', async () => {
  const events: string[] = []
  const { lifespan } = exchange()
  let third = false
  await lifespan.startup(living(async (receive, send) => {
    const both = [receive(), receive()] as const
    events.push((await both[0]).type)
    await send(startupComplete)
    events.push((await both[1]).type)
    void receive().then(() => (third = true))
    await send(shutdownComplete)
  }))
  assert.equal(events, ['lifespan.startup'])
  await lifespan.shutdown()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal([events, third], [['lifespan.startup', 'lifespan.shutdown'], false])
})

test.run()
