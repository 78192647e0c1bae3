import * as assert from 'uvu/assert'
import { decodePath } from '../../lib/exchange/scope.ts'
import { suite } from '../support/suite.ts'

const test = suite('scope')

test('a path is percent-decoded as UTF-8, and its other bytes become U+FFFD', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['/', '/'],
    ['/a%20b', '/a b'],
    ['/%C3%A4', '/ä'],
    ['/%2F%2f', '///'],
    ['/%FF%C3%A4', '/\ufffdä'],
    ['/100%', '/100%'],
    ['/%zz%41', '/%zzA'],
    ['/%00', '/\0'],
    ['*', '*'],
  ]
  for (const [raw, path] of rows) assert.is(decodePath(raw), path, raw)
})

test.run()
