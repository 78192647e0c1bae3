import * as assert from 'uvu/assert'
import { checkRows } from '../../support/http1-rows.ts'
import { parseHttp1 } from '../../support/http1-parse.ts'
import { suite } from '../../support/suite.ts'
import { ACCEPTED_CHUNKED } from './accepted-bodies.ts'
import { REFUSED_CHUNKED } from './refused-chunked.ts'

const test = suite('chunked parser')

for (const { rule, rows } of [...ACCEPTED_CHUNKED, ...REFUSED_CHUNKED]) {
  test(rule, () => checkRows(rows), 60)
}

test('every refusal says why', () => {
  const silent = REFUSED_CHUNKED.flatMap(({ rows }) => rows)
    .filter((row) => typeof row.end === 'number' && !/^.{10,200}$/.test(parseHttp1(Buffer.from(row.input, 'latin1'), [], row.options).reason))
  assert.equal(silent.map((row) => row.input), [])
})

test.run()
