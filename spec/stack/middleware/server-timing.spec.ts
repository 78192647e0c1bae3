import * as assert from 'uvu/assert'
import { suite } from '../../support/suite.ts'
import { ask, inBothModes } from './both-sides.ts'
import type { Opened } from '../both-modes.ts'

const test = suite('serverTiming')

const timings = async (opened: Opened, stack: string, path: string): Promise<string | null> => (await ask(opened, stack, path)).headers.get('server-timing')
const EXPECTED = /^total;dur=\d+(?:\.\d{1,3})?, cache;desc="a \\"hit\\" \\\\ \?\?\?set-cookie: a=b", view;dur=2, beneath;dur=\d+(?:\.\d{1,3})?$/

inBothModes(test, 'the response tells the total and what layers and views have added, on whichever side they are', async (opened) => {
  for (const stack of ['timing', 'timing-thread', 'timing-loop', 'timing-debug']) {
    for (const path of ['/timed/sync', '/timed/async']) assert.match(await timings(opened, stack, path) ?? '', EXPECTED, `${stack} ${path}`)
  }
})

inBothModes(test, 'the total is of the whole, and entries of an earlier response are not told again', async (opened) => {
  const told = await timings(opened, 'timing', '/timed/sync') ?? ''
  const [, total, beneath] = /total;dur=([\d.]+).*beneath;dur=([\d.]+)/.exec(told) ?? []
  assert.ok(Number(total) >= Number(beneath), told)
  assert.equal((await timings(opened, 'timing', '/text') ?? '').match(/[a-z]+(?=;)/g), ['total', 'cache', 'beneath'])
})

inBothModes(test, 'a field of the view stays', async (opened) => {
  assert.match(await timings(opened, 'timing', '/own') ?? '', /^view;dur=1, total;/)
})

inBothModes(test, 'an answer to an error has it too', async (opened) => {
  assert.match(await timings(opened, 'timing', '/fails') ?? '', /^total;/)
})

inBothModes(test, 'outside of debug mode nothing is told unless it is enabled', async (opened) => {
  for (const path of ['/timed/sync', '/timed/async', '/fails']) assert.is(await timings(opened, 'timing-off', path), null)
  assert.is((await ask(opened, 'timing-off', '/state/sync')).text, '{}')
  assert.is(await timings(opened, 'timing-some', '/timed/sync'), null)
  assert.match(await timings(opened, 'timing-some', '/timed/sync?timing') ?? '', EXPECTED)
})

inBothModes(test, 'a name that is no token is an error of who gives it', async (opened) => {
  const { status } = await ask(opened, 'timing-wrong', '/text')
  assert.is(status, 500)
})

test.run()
