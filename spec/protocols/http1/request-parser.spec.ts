import * as assert from 'uvu/assert'
import { checkRows } from '../../support/http1-rows.ts'
import { parseHttp1 } from '../../support/http1-parse.ts'
import { suite } from '../../support/suite.ts'
import { ACCEPTED } from './accepted.ts'
import { ACCEPTED_LENGTHS } from './accepted-bodies.ts'
import { REFUSED_FIELDS } from './refused-fields.ts'
import { REFUSED_LINES } from './refused.ts'

const test = suite('request parser')

for (const { rule, rows } of [...ACCEPTED, ...ACCEPTED_LENGTHS, ...REFUSED_LINES, ...REFUSED_FIELDS]) {
  test(rule, () => checkRows(rows), 60)
}

test('every refusal says why', () => {
  const silent = [...REFUSED_LINES, ...REFUSED_FIELDS].flatMap(({ rows }) => rows)
    .filter((row) => typeof row.end === 'number' && !/^.{10,200}$/.test(parseHttp1(Buffer.from(row.input, 'latin1'), [], row.options).reason))
  assert.equal(silent.map((row) => row.input), [])
})

test.run()
