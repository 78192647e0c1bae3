import * as assert from 'uvu/assert'
import { parseForwarded, type ForwardedElement } from '../../lib/middleware/forwarded.ts'
import { suite } from '../support/suite.ts'

const test = suite('Forwarded')

function check(rows: readonly (readonly [string, readonly ForwardedElement[] | null])[]): void {
  for (const [line, elements] of rows) assert.equal(parseForwarded(line), elements, line)
}

test('a line is a list of elements, an element a list of parameters (RFC 7239 4)', () => {
  check([
    ['for=1.2.3.4', [{ for: '1.2.3.4' }]],
    ['for=1.2.3.4;proto=https;host=example.com', [{ for: '1.2.3.4', proto: 'https', host: 'example.com' }]],
    ['for=1.2.3.4, for=5.6.7.8;proto=http', [{ for: '1.2.3.4' }, { for: '5.6.7.8', proto: 'http' }]],
    ['for=1.2.3.4,for=5.6.7.8', [{ for: '1.2.3.4' }, { for: '5.6.7.8' }]],
    ['for=_hidden, for=unknown', [{ for: '_hidden' }, { for: 'unknown' }]],
    ['proto=https', [{ proto: 'https' }]],
  ])
})

test('the names of parameters are case-insensitive (RFC 7239 4)', () => {
  check([['For=1.2.3.4;PROTO=HTTPS;hOST=Example.com', [{ for: '1.2.3.4', proto: 'HTTPS', host: 'Example.com' }]]])
})

test('a value may be a quoted string, with escapes (RFC 9110 5.6.4)', () => {
  check([
    ['for="[2001:db8::1]:5678"', [{ for: '[2001:db8::1]:5678' }]],
    ['for="1.2.3.4"', [{ for: '1.2.3.4' }]],
    ['for="1\\.2.3.4"', [{ for: '1.2.3.4' }]],
    ['host="a\\"b\\\\c"', [{ host: 'a"b\\c' }]],
    ['host="a, for=6.6.6.6; proto=x"', [{ host: 'a, for=6.6.6.6; proto=x' }]],
    ['for=""', [{ for: '' }]],
    ['host="\xe9\\\xe9"', [{ host: '\xe9\xe9' }]],
  ])
})

test('empty elements and parameters are skipped (RFC 9110 5.6.1, RFC 7239 4)', () => {
  check([
    ['', []],
    [' , ,', []],
    [', for=1.2.3.4,,', [{ for: '1.2.3.4' }]],
    [';for=1.2.3.4;;proto=http;', [{ for: '1.2.3.4', proto: 'http' }]],
  ])
})

test('white space may stand around commas and semicolons', () => {
  check([['\tfor=1.2.3.4 ; proto=http\t,  for=5.6.7.8 ', [{ for: '1.2.3.4', proto: 'http' }, { for: '5.6.7.8' }]]])
})

test('unknown parameters are read past, whatever their value', () => {
  const elements = parseForwarded('by=_p;for=1.2.3.4;secret="a;b,c=\\"d";__proto__=x')
  assert.is(elements?.length, 1)
  assert.is(elements?.[0]?.for, '1.2.3.4')
  assert.is(elements?.[0]?.proto, undefined)
})

test('a line that does not follow the grammar is malformed as a whole', () => {
  const lines = [
    '1.2.3.4', 'for', 'for=', '=1.2.3.4', 'for =1.2.3.4', 'for= 1.2.3.4', 'for=1.2.3.4:80', 'for=[2001:db8::1]', 'for=2001:db8::1',
    'for="1.2.3.4', 'for=1.2.3.4"', 'for="1.2.3.4"x', 'for="1.2.3.4""', 'for=1.2.3.4 proto=http', 'for=1.2.3.4;for=5.6.7.8', 'for=1.2.3.4;FOR=5.6.7.8',
    'for="a\\"', 'for="a\0b"', 'for=\xe9', 'f@r=1.2.3.4', 'for=1.2.3.4, {}', 'for=1.2.3.4, proto', 'for=5.6.7.8/', "for='1.2.3.4', \"",
  ]
  for (const line of lines) assert.is(parseForwarded(line), null, line)
})

test('a long line takes time in proportion to its length', () => {
  const lines = ['for="' + '\\"'.repeat(200_000), 'a'.repeat(400_000), ' '.repeat(400_000) + '!', 'for=1;'.padEnd(400_000, ' ') + '"', ',;'.repeat(200_000) + '=']
  const began = performance.now()
  for (const line of lines) assert.is(parseForwarded(line), null)
  assert.ok(performance.now() - began < 2000)
})

test.run()
