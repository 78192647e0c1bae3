import * as assert from 'uvu/assert'
import { Gcra, type Taken } from '../../../lib/stack/middleware/gcra.ts'
import { suite } from '../../support/suite.ts'

const test = suite('the generic cell rate algorithm')

/** What becomes of requests at these times, in short. */
function at(counts: Gcra, times: readonly number[], key = 'a'): string {
  return times.map((time) => counts.take(key, time).allowed ? 'y' : '-').join('')
}

test('the whole limit may come at once, then one each interval', () => {
  const counts = new Gcra(4, 1000, 10)
  assert.is(at(counts, [0, 0, 0, 0, 0, 0]), 'yyyy--')
  assert.is(at(counts, [249, 250, 250, 499, 500, 501]), '-y--y-')
  assert.is(at(counts, [10_000, 10_000, 10_000, 10_000, 10_000]), 'yyyy-')
})

test('no window of its length, wherever it begins, has twice the limit, and a long time has the rate', () => {
  const limit = 10
  const counts = new Gcra(limit, 1000, 10)
  const let_through: number[] = []
  // Floods, and pauses of all lengths.
  for (let time = 0, step = 0; time < 60_000; step++) {
    for (let i = 0; i < 15; i++) if (counts.take('a', time).allowed) let_through.push(time)
    time += (step * 37) % 1100
  }
  for (const [index, begin] of let_through.entries()) {
    const within = let_through.slice(index).filter((time) => time < begin + 1000).length
    assert.ok(within < 2 * limit, `${within} within a window`)
  }
  assert.ok(let_through.length <= 60 * limit + limit)
  assert.ok(let_through.length > 400)
})

test('it tells what is left, how long to wait, and when all is there again', () => {
  const counts = new Gcra(3, 3000, 10)
  const told = ({ allowed, remaining, retryAfter, reset }: Taken): readonly unknown[] => [allowed, remaining, Math.round(retryAfter), Math.round(reset)]
  assert.equal(told(counts.take('a', 100)), [true, 2, 0, 1000])
  assert.equal(told(counts.take('a', 100)), [true, 1, 0, 2000])
  assert.equal(told(counts.take('a', 100)), [true, 0, 1000, 3000])
  assert.equal(told(counts.take('a', 600)), [false, 0, 500, 2500])
  assert.equal(told(counts.take('a', 1100)), [true, 0, 1000, 3000])
  assert.equal(told(counts.take('b', 1100)), [true, 2, 0, 1000])
})

test('limits whose interval is no whole number let exactly the limit through', () => {
  for (const limit of [1, 3, 7, 60, 99, 1000]) {
    for (const start of [0, 0.1, 123_456_789.123]) {
      const counts = new Gcra(limit, 1000, 10)
      let count = 0
      while (counts.take('a', start).allowed) assert.ok(++count <= limit)
      assert.is(count, limit)
    }
  }
})

test('as many keys are kept as may be, and who comes often is not forgotten for those who come once', () => {
  const counts = new Gcra(2, 60_000, 1000)
  assert.is(at(counts, [0, 0, 0], 'often'), 'yy-')
  for (let i = 0; i < 100_000; i++) {
    counts.take(`once ${i}`, 1)
    assert.ok(counts.size <= 1000)
    if (i % 400 === 0) assert.is(counts.take('often', 1).allowed, false)
  }
})

test('keys that have all of their limit again are forgotten within two windows, without a loss', () => {
  const counts = new Gcra(2, 1000, 1000)
  for (let i = 0; i < 400; i++) counts.take(`once ${i}`, i)
  assert.is(counts.size, 400)
  counts.take('a', 1500)
  assert.is(at(counts, [1600], 'once 399'), 'y')
  counts.take('a', 2600)
  assert.ok(counts.size < 5)
  // A window's end between two requests does not give a limit anew.
  const other = new Gcra(2, 1000, 1000)
  assert.is(at(other, [999, 999, 1001, 1001, 1400]), 'yy---')
})

test.run()
