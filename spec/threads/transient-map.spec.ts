import * as assert from 'uvu/assert'
import { TransientMap } from '../../lib/threads/transient-map.ts'
import { tempFolder } from '../support/command.ts'
import { promotedUnder } from '../support/promoted.ts'
import { suite } from '../support/suite.ts'

const test = suite('Maps of what comes and goes')

test('entries stay until they are deleted, however many come and go', () => {
  const map = new TransientMap<number, string>()
  const stay = [1, 100, 1000]
  for (let key = 1; key <= 2000; key++) {
    map.set(key, `value ${key}`)
    if (!stay.includes(key)) assert.is(map.delete(key), true)
  }
  assert.is(map.get(2), undefined)
  assert.is(map.delete(2), false)
  assert.equal(stay.map((key) => map.get(key)), ['value 1', 'value 100', 'value 1000'])
  map.set(1, 'another')
  assert.equal(map.drain(), ['another', 'value 100', 'value 1000'])
  assert.equal(map.drain(), [])
})

test('a thousand that stay are copied now and then, not with each that comes', () => {
  const map = new TransientMap<number, number>()
  for (let key = 0; key < 100_000; key++) map.set(key, key)
  let sum = 0
  for (let key = 0; key < 100_000; key++) sum += map.get(key) ?? NaN
  assert.is(sum, 4_999_950_000)
}, 2)

test.needing(['h2load'], () => test('what sync applications on threads have answered does not grow old: it goes with the young objects', async (t) => {
  const app = tempFolder(t).write('app.mjs', `export default (environ, startResponse) => {
    startResponse('200 OK', [['content-type', 'text/plain']])
    return ['ok']
  }`)
  const promoted = await promotedUnder(t, [app, '--interface', 'wsgi'], ['--h1', '-c', '32', '-n', '60000'])
  assert.ok(promoted < 50_000, `${promoted} bytes at each collection; it was a million`)
}, 30))

test.run()
