import * as assert from 'uvu/assert'
import { BadRequest, TooLarge, UnsupportedMediaType } from '../../lib/contract/errors.ts'
import { MultipartParser } from '../../lib/stack/multipart.ts'
import { suite } from '../support/suite.ts'

const test = suite('stack/multipart')

interface Part { name: string; filename: string | null; contentType: string; body: string }

/** The parts of a body that comes in these pieces; bodies one character for each byte. */
function parse(pieces: readonly (string | Uint8Array)[], boundary: string | undefined = 'b', limit = 16_384): Part[] {
  const parser = new MultipartParser(boundary, limit)
  const parts: Part[] = []
  let open: Part | null = null
  for (const piece of pieces) {
    for (const event of parser.push(typeof piece === 'string' ? Buffer.from(piece) : piece)) {
      if (event.type === 'part') {
        assert.is(open, null)
        open = { ...event.head, body: '' }
      } else if (event.type === 'data') {
        assert.ok(event.bytes.length > 0)
        if (open === null) throw new Error('data outside of a part')
        open.body += Buffer.from(event.bytes).toString('latin1')
      } else {
        if (open === null) throw new Error('an end outside of a part')
        parts.push(open)
        open = null
      }
    }
  }
  parser.finish()
  return parts
}

function outcome(pieces: readonly (string | Uint8Array)[], limit?: number): string {
  try {
    return JSON.stringify(parse(pieces, 'b', limit))
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`
  }
}

const head = (disposition: string, ...more: readonly string[]): string => ['--b', `Content-Disposition: ${disposition}`, ...more, '', ''].join('\r\n')
const one = (disposition: string, ...more: readonly string[]): string => `${head(disposition, ...more)}x\r\n--b--\r\n`
const refuses = (body: string | Uint8Array, what: string, kind: typeof BadRequest | typeof UnsupportedMediaType = BadRequest): void => {
  assert.throws(() => parse([body]), (error: unknown) => error instanceof kind, what)
}

test('fields and files, with and without media type; empty ones too', () => {
  const body = `${head('form-data; name="a"')}1\r\n${head('form-data; name="f"; filename="x.txt"', 'Content-Type: text/plain')}one\r\ntwo\r\n\r\n${head('form-data; name=e')}\r\n--b--\r\n`
  assert.equal(parse([body]), [
    { name: 'a', filename: null, contentType: '', body: '1' },
    { name: 'f', filename: 'x.txt', contentType: 'text/plain', body: 'one\r\ntwo\r\n' },
    { name: 'e', filename: null, contentType: '', body: '' },
  ])
})

test('RFC 2046 5.1.1: a preamble and an epilogue are passed over, white space may follow a boundary', () => {
  const inner = `--b \t\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--`
  for (const body of [inner, `${inner}\r\n`, `${inner} \t\r\nepi\r\n--b\r\nlogue`, `pre\r\namble --b\r\n\r\n${inner}`, `\r\n${inner}`]) {
    assert.equal(parse([body]).map((part) => part.body), ['x'], body)
  }
})

test('a form without parts is what browsers send for one without fields', () => {
  assert.equal(parse(['--b--\r\n']), [])
  assert.equal(parse(['--b--']), [])
})

test('what looks like a boundary but does not follow a line end is content', () => {
  for (const content of ['x--b--', '\r--b\r\n', '\n--b\r\n', '\r\n--', '\r\n-', '\r\n--B\r\n', '\r\n--\r\n--a\r\n\r\n-b', '\r\r\r\n\r']) {
    assert.equal(parse([`${head('form-data; name="a"')}${content}\r\n--b--\r\n`]).map((part) => part.body), [content], JSON.stringify(content))
  }
})

test('what two parsers could read in two ways is refused: boundaries that go on, stand at the start of a content, or end in a bare line feed', () => {
  const field = head('form-data; name="a"')
  refuses(`${field}x\r\n--bc\r\n--b--\r\n`, 'a boundary that goes on')
  refuses(`${field}x\r\n--b-\r\n--b--\r\n`, 'one dash')
  refuses(`${field}x\r\n--b--x\r\n`, 'a last boundary that goes on')
  refuses(`${field}x\r\n--b--\n`, 'a last boundary before a bare line feed')
  refuses(`${field}x\r\n--b\nContent-Disposition: form-data; name="c"\r\n\r\n\r\n--b--`, 'a boundary before a bare line feed')
  refuses(`${field}x\r\n--b${' '.repeat(200)}\r\n`, 'white space without an end')
  refuses(`${field}--b\r\nContent-Disposition: form-data; name="c"\r\n\r\ny\r\n--b--`, 'a boundary at once')
  refuses(`${field}x\n--b--\n`, 'bare line feeds only')
})

test('a form that ends before its last boundary is refused, wherever it ends', () => {
  const body = `pre\r\n${head('form-data; name="a"')}x\r\n${head('form-data; name="f"; filename="f"')}y\r\n--b--`
  for (let at = 0; at < body.length; at++) refuses(body.slice(0, at), `cut at ${at}`)
  assert.is(parse([body]).length, 2)
  refuses(`${body}\r`, 'half a line end')
})

test('RFC 2046 5.1.1: a boundary is 1 to 70 of some characters, and does not end in a space', () => {
  for (const boundary of [undefined, '', 'a'.repeat(71), 'a ', 'ä', 'a"b', 'a\r\n']) assert.throws(() => new MultipartParser(boundary, 0), (error: unknown) => error instanceof BadRequest, boundary)
  for (const boundary of ['a'.repeat(70), "0'()+_,-./:=? z", '--', '-'])
    assert.equal(parse([`--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--${boundary}--\r\n`], boundary).map((part) => part.body), ['x'], boundary)
})

test('RFC 7578 4.2: names in quotes or not, with what browsers make of quotes and line ends', () => {
  const rows: readonly (readonly [string, string, string | null])[] = [
    ['form-data; name=a', 'a', null],
    ['Form-Data ; NAME="a b"', 'a b', null],
    ['form-data; name=""', '', null],
    ['form-data; name="ä"; filename="ö.txt"', 'ä', 'ö.txt'],
    ['form-data; name="%22a%0D%0A%0a%41%"', '"a\r\n\n%41%', null],
    ['form-data; name="\\"a\\\\"', '"a\\', null],
    ['form-data; name="a;filename=x"', 'a;filename=x', null],
    ['form-data; name="a"; filename=""', 'a', ''],
    ['form-data; name="a"; filename="x"; filename*=UTF-8\'\'y', 'a', 'x'],
  ]
  for (const [disposition, name, filename] of rows) {
    const [part] = parse([one(disposition)])
    assert.is(part?.name, name, disposition)
    assert.is(part?.filename, filename, disposition)
  }
})

test('a file name has no folders, of either system, and no control characters', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['/etc/passwd', 'passwd'], ['..\\..\\x.txt', 'x.txt'], ['C:\\dir\\x.txt', 'x.txt'], ['..', ''], ['.', ''], ['a/..', ''], ['a/', ''], ['a%0D%0Ab', 'ab'], [' x ', 'x'], ['\u0085x', 'x'], ['.profile', '.profile'],
  ]
  for (const [given, expected] of rows) assert.is(parse([one(`form-data; name="a"; filename="${given}"`)])[0]?.filename, expected, given)
})

test('RFC 7578 4: a bad header of a part is refused', () => {
  const bad = (disposition: string, ...more: readonly string[]): void => refuses(one(disposition, ...more), [disposition, ...more].join(' | '))
  refuses('--b\r\n\r\nx\r\n--b--\r\n', 'no header')
  refuses('--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n', 'no content-disposition')
  for (const each of ['form-data', 'attachment; name="a"', 'form-data; filename="a"', 'form-data; name="a"; name="b"', 'form-data; name="a"; filename="x"; filename="y"', 'form-data; name="a', 'form-data; name="a" x', 'form-data; name="a\\"', 'form-data; name=a b', 'form-data name=a', 'form-data; name="a"; filename*=UTF-8\'\'y', 'form-data;; name=a', 'form-dataname="a"']) bad(each)
  const good = 'form-data; name="a"'
  bad(good, 'Content-Disposition: form-data; name="b"')
  for (const line of [' folded', '\tfolded', 'no colon', ': no name', 'space : before', 'a(b): 1', 'x: \0', 'x: a\rb', 'x: a\nb', 'x: \x7f', 'Content-Transfer-Encoding: base64', 'Content-Transfer-Encoding: quoted-printable', 'Content-Type: rubbish']) bad(good, line)
  refuses(Buffer.from(one('form-data; name="\xff"'), 'latin1'), 'a name that is not UTF-8')
  for (const line of ['Content-Transfer-Encoding: Binary', 'x-other: any thing', 'Content-Type: text/plain;charset=UTF-8']) assert.is(parse([one(good, line)]).length, 1, line)
  refuses(one(good, 'Content-Type: text/plain; charset=utf-7'), 'another charset', UnsupportedMediaType)
})

test('the header of a part over the limit is TooLarge (413), whether it ends or not', () => {
  const line = 'Content-Disposition: form-data; name="a"'
  const body = `--b\r\n${line}\r\n\r\nx\r\n--b--\r\n`
  assert.is(parse([body], 'b', line.length).length, 1)
  assert.is(parse([...body], 'b', line.length).length, 1)
  assert.throws(() => parse([body], 'b', line.length - 1), (error: unknown) => error instanceof TooLarge)
  assert.throws(() => parse([...body], 'b', line.length - 1), (error: unknown) => error instanceof TooLarge)
  assert.throws(() => new MultipartParser('b', 100).push(Buffer.from(`--b\r\n${'x'.repeat(200)}`)).next(), (error: unknown) => error instanceof TooLarge)
  assert.is(parse([`--b\r\n${line}; x="${'y'.repeat(20_000)}"\r\n\r\nx\r\n--b--\r\n`], 'b', 0).length, 1)
})

test('cut anywhere, a form is the same, and so is what is refused', () => {
  const bodies = [
    `pre\r\n--x\r\n${head('form-data; name="a"')}1\r\n--\r\n-b\r\n--a\r\n${head('form-data; name="f"; filename="x"', 'Content-Type: text/plain')}\r\n\r\r\n\r\n--b \t\r\nContent-Disposition: form-data; name=c\r\n\r\n\r\n--b-- \r\nepi`,
    `${head('form-data; name="a"')}x\r\n--b-\r\n`,
    `${head('form-data; name="a"')}--b--\r\n`,
    `${head('form-data; name="a"')}x\r\n--b--\n`,
    head('form-data; name="a"', ' x'),
    '--b\r\n\r\n',
    '--b--',
  ]
  for (const body of bodies) {
    const expected = outcome([body])
    assert.is(outcome([...body]), expected, body)
    for (let first = 0; first <= body.length; first++) {
      assert.is(outcome([body.slice(0, first), body.slice(first)]), expected, `${JSON.stringify(body)} at ${first}`)
      for (let second = first; second <= body.length; second += 3) assert.is(outcome([body.slice(0, first), body.slice(first, second), body.slice(second)]), expected)
    }
  }
})

test('random forms of bytes that resemble a boundary come out as they went in, however they are cut', () => {
  // A fixed seed: a failure can be seen again.
  let seed = 7
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return Math.floor(seed / 2 ** 32 * below)
  }
  const alphabet = ['\r', '\n', '-', '--', 'b', 'bb', '\r\n', '\r\n-', '\r\n--', '\0', 'x'.repeat(50), '\xff']
  for (let round = 0; round < 2000; round++) {
    const contents = Array.from({ length: 1 + random(4) }, () => {
      const content = Array.from({ length: random(30) }, () => alphabet[random(alphabet.length)] ?? '').join('')
      return content.startsWith('--bb') || content.includes('\r\n--bb') ? 'x' : content
    })
    const body = Buffer.from(contents.map((content, index) => `--bb\r\nContent-Disposition: form-data; name="${index}"; filename="f"\r\n\r\n${content}\r\n`).join('') + '--bb--\r\n', 'latin1')
    const pieces: Buffer[] = []
    for (let at = 0; at < body.length;) {
      const end = at + 1 + random(random(3) === 0 ? 200 : 8)
      pieces.push(body.subarray(at, end))
      at = end
    }
    assert.equal(parse(pieces, 'bb').map((part) => part.body), contents)
  }
})

test('random rubbish is refused or read, never anything else', () => {
  let seed = 11
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return Math.floor(seed / 2 ** 32 * below)
  }
  const words = ['--b', '--b--', '\r\n', '\r', '\n', ' ', ':', ';', '"', '\\', '=', 'Content-Disposition: form-data; name="a"', 'content-type: ', 'filename', '%22', 'x', '\0', '\xff', '\r\n\r\n', '\r\n--b\r\n']
  let refused = 0
  for (let round = 0; round < 5000; round++) {
    const body = Buffer.from((random(2) === 0 ? '--b\r\n' : '') + Array.from({ length: random(25) }, () => words[random(words.length)] ?? '').join(''), 'latin1')
    let whole: string
    try {
      whole = JSON.stringify(parse([body]))
    } catch (error) {
      assert.ok(error instanceof BadRequest || error instanceof UnsupportedMediaType, String((error as Error).stack))
      whole = (error as Error).message
      refused++
    }
    assert.is(outcome([...body].map((byte) => Uint8Array.of(byte))).replace(/^\w+: /, ''), whole)
  }
  assert.ok(refused > 1000)
})

test.run()
