import * as assert from 'uvu/assert'
import { headerList } from '../../lib/contract/headers.ts'
import { staticFiles } from '../../lib/middleware/index.ts'
import { isSettled, rangeCounts } from '../../lib/middleware/static-conditions.ts'
import { checkConditions } from '../../lib/semantics/conditions.ts'
import { parseHttpDate } from '../../lib/semantics/http-date.ts'
import { readRanges } from '../../lib/middleware/static-range.ts'
import { testClient } from '../../lib/testing/index.ts'
import { suite } from '../support/suite.ts'
import { staticFixture } from './static-fixture.ts'

const test = suite('static files, validators and ranges')

const seconds = Date.parse('2024-02-29T12:30:45Z') / 1000
const http = (time: number): string => new Date(time * 1000).toUTCString()

test('all combinations of conditions are answered as the steps of RFC 9110 13.2.2 say', () => {
  const matches = [undefined, '*', '"t"', '"other"', 'W/"t"']
  const dates = [undefined, http(seconds - 1), http(seconds), http(seconds + 1), 'nonsense']
  let count = 0
  for (const etag of ['"t"', 'W/"t"', null]) {
    for (const lastModified of [seconds, null]) {
      for (const match of matches) for (const unmodified of dates) for (const noneMatch of matches) for (const modified of dates) {
        const pairs = Object.entries({ 'if-match': match, 'if-unmodified-since': unmodified, 'if-none-match': noneMatch, 'if-modified-since': modified })
        const headers = headerList(pairs.filter((pair): pair is [string, string] => pair[1] !== undefined))
        const found = checkConditions(headers, { etag, lastModified })
        const time = (value: string | undefined): number | null => value === undefined || value === 'nonsense' ? null : Date.parse(value) / 1000
        const steps = (): 304 | 412 | null => {
          if (match !== undefined) {
            // Step 1, by the strong comparison.
            if (match !== '*' && !(match === '"t"' && etag === '"t"')) return 412
          } else if (time(unmodified) !== null && lastModified !== null) {
            // Step 2.
            if (lastModified > (time(unmodified) ?? 0)) return 412
          }
          if (noneMatch !== undefined) {
            // Step 3, by the weak comparison.
            const same = noneMatch === '*' || (noneMatch !== '"other"' && etag !== null)
            return same ? 304 : null
          }
          // Step 4.
          return time(modified) !== null && lastModified !== null && lastModified <= (time(modified) ?? 0) ? 304 : null
        }
        assert.is(found, steps(), JSON.stringify({ etag, lastModified, ...Object.fromEntries(pairs) }))
        count++
      }
    }
  }
  assert.is(count, 3 * 2 * 625)
})

test('If-Range holds by strong validators only (RFC 9110 13.1.5)', () => {
  const ask = (value: string | undefined, etag: string | null, settled: boolean): boolean =>
    rangeCounts(headerList(value === undefined ? [] : [['if-range', value]]), { etag, lastModified: seconds }, settled)
  assert.ok(ask(undefined, null, false))
  assert.ok(ask('"t"', '"t"', true))
  for (const [value, etag] of [['W/"t"', '"t"'], ['W/"t"', 'W/"t"'], ['"t"', 'W/"t"'], ['"t"', null], ['"t", "t"', '"t"'], ['t', '"t"'], ['', '"t"'], ['*', '"t"']] as const) assert.not.ok(ask(value, etag, true), `${value} ${etag}`)
  assert.ok(ask(http(seconds), null, true))
  assert.not.ok(ask(http(seconds), null, false))
  assert.not.ok(ask(http(seconds + 1), '"t"', true))
  assert.not.ok(rangeCounts(headerList([['if-range', '"t"'], ['if-range', '"t"']]), { etag: '"t"', lastModified: null }, true))
})

test('a date is read in its three forms, and in no other (RFC 9110 5.6.7)', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  const table: readonly (readonly [string, string | null])[] = [
    ['Sun, 06 Nov 1994 08:49:37 GMT', '1994-11-06T08:49:37Z'],
    ['Sunday, 06-Nov-94 08:49:37 GMT', '1994-11-06T08:49:37Z'],
    ['Sun Nov  6 08:49:37 1994', '1994-11-06T08:49:37Z'],
    ['Wed Nov 16 08:49:37 1994', '1994-11-16T08:49:37Z'],
    // A year that seems to be more than 50 years ahead is of the past.
    ['Sunday, 06-Nov-75 08:49:37 GMT', '2075-11-06T08:49:37Z'],
    ['Sunday, 06-Nov-76 08:49:37 GMT', '1976-11-06T08:49:37Z'],
    ['Sat, 31 Dec 2016 23:59:60 GMT', '2017-01-01T00:00:00Z'],
    ['Sun, 06 Nov 1994 08:49:37 CET', null],
    ['Sun, 06 Nov 1994 08:49:37 +0000', null],
    ['sun, 06 nov 1994 08:49:37 gmt', null],
    ['Sun, 6 Nov 1994 08:49:37 GMT', null],
    ['06 Nov 1994 08:49:37 GMT', null],
    ['Sun, 00 Nov 1994 08:49:37 GMT', null],
    ['Sun, 32 Nov 1994 08:49:37 GMT', null],
    ['Sun, 06 Nov 1994 24:49:37 GMT', null],
    ['Sun, 06 Nov 1994 08:60:37 GMT', null],
    ['Sun, 06 Nov 1994 08:49:61 GMT', null],
    ['1994-11-06T08:49:37Z', null],
    ['784111777', null],
    ['', null],
  ]
  for (const [value, iso] of table) assert.is(parseHttpDate(value, now), iso === null ? null : Date.parse(iso) / 1000, value)
})

test('random ranges give the bytes that a plain reading of RFC 9110 14.1.2 gives, each once', () => {
  let state = 12345
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor(state / 2 ** 32 * below)
  }
  let several = 0
  for (let turn = 0; turn < 5000; turn++) {
    const size = 1 + random(60)
    const wanted = new Set<number>()
    const specs: string[] = []
    for (let left = 1 + random(5); left > 0; left--) {
      const first = random(70)
      const kind = Math.max(0, random(8) - 5)
      const [from, to] = kind === 0 ? [first, first + random(10)] : kind === 1 ? [first, size - 1] : [Math.max(0, size - first), size - 1]
      specs.push(kind === 0 ? `${from}-${to}` : kind === 1 ? `${first}-` : `-${first}`)
      for (let at = from; at <= Math.min(to, size - 1); at++) wanted.add(at)
    }
    const field = `bytes=${specs.join(', ')}`
    const ranges = readRanges(field, size)
    if (ranges === null) throw new Error(`${field} was ignored`)
    const bytes = ranges.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, at) => start + at))
    assert.is(new Set(bytes).size, bytes.length, field)
    assert.equal(bytes.sort((one, other) => one - other), [...wanted].sort((one, other) => one - other), field)
    assert.ok(ranges.every(({ start, end }) => start < end), field)
    if (ranges.length > 1) several++
  }
  assert.ok(several > 500)
})

test('a time is settled once a further change would have another (RFC 9110 8.8.1)', () => {
  const now = 1_700_000_000_500_000_000n
  const ms = 1_000_000n
  assert.ok(isSettled(now - 101n * ms, now))
  assert.not.ok(isSettled(now - 99n * ms, now))
  // Whole seconds may be all that the file system has.
  assert.not.ok(isSettled(now - 1500n * ms, now))
  assert.ok(isSettled(now - 2500n * ms, now))
  assert.not.ok(isSettled(now + 1n, now))
})

test('a file that has just changed has a weak tag, which becomes strong; a change changes it', async (t) => {
  const { root, write } = await staticFixture(t)
  await using client = await testClient(staticFiles(null, { root }))
  const { utimesSync } = await import('node:fs')
  const path = write('fresh.txt', 'one')
  const future = new Date(Date.now() + 3600_000)
  utimesSync(path, future, future)
  const fresh = await client.fetch('/fresh.txt', { headers: { range: 'bytes=0-0' } })
  const weak = fresh.headers.get('etag') ?? ''
  assert.match(weak, /^W\/"/)
  // RFC 9110 8.8.2.1: never later than the response.
  assert.ok(Date.parse(fresh.headers.get('last-modified') ?? '') <= Date.now())
  assert.is(fresh.status, 206)
  assert.is((await client.fetch('/fresh.txt', { headers: { 'range': 'bytes=0-0', 'if-range': weak } })).status, 200)
  assert.is((await client.fetch('/fresh.txt', { headers: { 'if-none-match': weak } })).status, 304)
  assert.is((await client.fetch('/fresh.txt', { headers: { 'if-match': weak } })).status, 412)
  const past = new Date('2024-01-01T00:00:00.250Z')
  utimesSync(path, past, past)
  const strong = (await client.fetch('/fresh.txt')).headers.get('etag') ?? ''
  assert.match(strong, /^"/)
  write('fresh.txt', 'two')
  utimesSync(path, past, new Date(past.getTime() + 1))
  const changed = await client.fetch('/fresh.txt', { headers: { 'if-none-match': strong } })
  assert.equal([changed.status, await changed.text()], [200, 'two'])
  assert.is.not(changed.headers.get('etag'), strong)
  // A client that has a part of the old one gets the whole of the new one.
  const resumed = await client.fetch('/fresh.txt', { headers: { 'range': 'bytes=1-', 'if-range': strong } })
  assert.equal([resumed.status, await resumed.text()], [200, 'two'])
})

test('each coding has a tag of its own', async (t) => {
  const { root } = await staticFixture(t)
  await using client = await testClient(staticFiles(null, { root }))
  const tags = await Promise.all(['identity', 'gzip', 'br', 'zstd'].map(async (coding) => (await client.fetch('/app.js', { headers: { 'accept-encoding': coding } })).headers.get('etag')))
  assert.is(new Set(tags).size, 4)
  for (const tag of tags) assert.match(tag ?? '', /^"/)
})

test.run()
