import * as assert from 'uvu/assert'
import { Timed, TimerWheel } from '../../lib/protocols/timer-wheel.ts'
import { deferred } from '../support/deferred.ts'
import { suite } from '../support/suite.ts'

const test = suite('timer wheel')

class Alarm extends Timed {
  readonly #start = performance.now()
  readonly #rang = deferred<number>()
  rings = 0
  readonly #then: () => void

  constructor(then: () => void = () => {}) {
    super()
    this.#then = then
  }

  /** Seconds from its making to its first ring. */
  get rang(): Promise<number> {
    return this.#rang.promise
  }

  override expired(): void {
    this.rings++
    this.#rang.resolve((performance.now() - this.#start) / 1000)
    this.#then()
  }
}

const pass = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000))
// Only timers that keep the process are counted.
const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

test('a deadline is never early and late by two turns at most', async () => {
  const wheel = new TimerWheel()
  const rows = [0.01, 0.1, 0.25, 0.3, 0.55, 1].map((seconds) => ({ seconds, alarm: new Alarm() }))
  for (const { seconds, alarm } of rows) wheel.set(alarm, seconds)
  for (const { seconds, alarm } of rows) {
    const rang = await alarm.rang
    assert.ok(rang >= seconds && rang < seconds + 0.35, `${rang} for ${seconds}`)
    assert.is(alarm.rings, 1)
  }
})

test('a later deadline replaces an earlier one, an earlier one a later, and 0 takes it away', async () => {
  const wheel = new TimerWheel()
  const later = new Alarm()
  const earlier = new Alarm()
  const none = new Alarm()
  const again = new Alarm()
  for (const alarm of [later, none, again]) wheel.set(alarm, 0.1)
  wheel.set(earlier, 60)
  wheel.set(later, 0.6)
  wheel.set(earlier, 0.1)
  wheel.set(none, 0)
  wheel.set(again, 0)
  wheel.set(again, 0.3)
  assert.ok(await earlier.rang < 0.5)
  assert.ok(await again.rang >= 0.3)
  assert.ok(await later.rang >= 0.6)
  await pass(0.3)
  assert.equal([later.rings, earlier.rings, none.rings, again.rings], [1, 1, 0, 1])
})

test('an entry that was removed never rings, and may come back', async () => {
  const wheel = new TimerWheel()
  const gone = new Alarm()
  const back = new Alarm()
  wheel.set(gone, 0.1)
  wheel.set(back, 0.1)
  wheel.remove(gone)
  wheel.remove(gone)
  wheel.remove(back)
  wheel.remove(new Alarm())
  wheel.set(back, 0.2)
  assert.ok(await back.rang >= 0.2)
  await pass(0.2)
  assert.equal([gone.rings, back.rings], [0, 1])
})

test('an entry may set, move and remove others and itself when it rings', async () => {
  const wheel = new TimerWheel()
  const removed = new Alarm()
  const moved = new Alarm()
  const twice: Alarm = new Alarm(() => {
    if (twice.rings === 1) wheel.set(twice, 0.1)
  })
  const first = new Alarm(() => {
    wheel.remove(removed)
    wheel.set(moved, 0.3)
  })
  for (const alarm of [first, removed, moved, twice]) wheel.set(alarm, 0.1)
  assert.ok(await moved.rang >= 0.4)
  assert.equal([first.rings, removed.rings, moved.rings, twice.rings], [1, 0, 1, 2])
})

test('deadlines beyond one round of the wheel keep their place', async () => {
  const wheel = new TimerWheel()
  const far = new Alarm()
  const near = new Alarm()
  wheel.set(far, 1_000_000)
  wheel.set(near, 0.1)
  await near.rang
  assert.is(far.rings, 0)
  assert.ok(far.dueTurn > 9_999_000)
  wheel.set(far, 0.1)
  await far.rang
  assert.is(far.rings, 1)
})

test('a loop that was blocked makes the wheel late: what came meanwhile is read before anybody is cut off', async (t) => {
  const wheel = new TimerWheel()
  const innocent = new Alarm()
  const silent = new Alarm()
  wheel.set(innocent, 0.2)
  wheel.set(silent, 0.2)
  // Stands for a socket that has been readable for long when the loop gets to it.
  const { port1, port2 } = new MessageChannel()
  port1.on('message', () => wheel.set(innocent, 0.2))
  t.after(() => port1.close())
  await pass(0.25)
  port2.postMessage('')
  block(1000)
  await silent.rang
  assert.is(innocent.rings, 0)
  await innocent.rang
})

test('a wheel, turning or empty, does not keep the process', async () => {
  const wheel = new TimerWheel()
  const before = timers()
  const alarms = Array.from({ length: 100 }, () => new Alarm())
  for (const alarm of alarms) wheel.set(alarm, 60)
  assert.is(timers(), before)
  for (const alarm of alarms) wheel.remove(alarm)
  const last = new Alarm()
  wheel.set(last, 0.1)
  await last.rang
  assert.is(timers(), before)
})

test.run()
