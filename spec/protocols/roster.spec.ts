import * as assert from 'uvu/assert'
import { Roster, type Placed } from '../../lib/protocols/roster.ts'
import { suite } from '../support/suite.ts'

const test = suite('Rosters')

interface Named extends Placed {
  readonly name: string
}

function members(...names: readonly string[]): Named[] {
  return names.map((name) => ({ name, place: 0 }))
}

function namesIn(roster: Roster<Named>): string {
  return roster.all.map(({ name }) => name).sort().join('')
}

test('a roster has what was added and not deleted, whatever the order', () => {
  const roster = new Roster<Named>()
  const all = members(...'abcdefgh')
  for (const each of all) roster.add(each)
  assert.is(roster.size, 8)
  const kept = new Set(all)
  for (const at of [3, 0, 7, 5, 6, 1, 2, 4]) {
    const each = all[at] as Named
    roster.delete(each)
    kept.delete(each)
    assert.is(namesIn(roster), [...kept].map(({ name }) => name).join(''))
  }
  assert.is(roster.size, 0)
})

test('what is no member, or no longer, is left alone and takes nobody out', () => {
  const roster = new Roster<Named>()
  const [a, b, stranger] = members('a', 'b', 'x') as [Named, Named, Named]
  roster.delete(stranger)
  roster.add(a)
  roster.add(b)
  roster.delete(stranger)
  roster.delete(a)
  roster.delete(a)
  assert.is(namesIn(roster), 'b')
  roster.add(a)
  assert.is(namesIn(roster), 'ab')
})

test('all members can be deleted while they are gone through', () => {
  const roster = new Roster<Named>()
  for (const each of members(...'abcd')) roster.add(each)
  const seen: string[] = []
  for (const each of roster.all) {
    seen.push(each.name)
    roster.delete(each)
  }
  assert.is(seen.join(''), 'abcd')
  assert.is(roster.size, 0)
})

test.run()
