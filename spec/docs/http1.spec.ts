/** The examples of what the HTTP/1.1 engine refuses and accepts, given to its parsers. */
import * as assert from 'uvu/assert'
import { ChunkedParser } from '../../lib/protocols/http1/chunked-parser.ts'
import { Refusal } from '../../lib/protocols/refusal.ts'
import { RequestParser } from '../../lib/protocols/http1/request-parser.ts'
import { document, tables } from '../support/docs-markdown.ts'
import { suite } from '../support/suite.ts'

const test = suite('spec/http1.md')
const [refusedHeads, refusedChunks, accepted] = tables(document('spec/http1.md'))

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', 0: '\0' }

function bytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\\([rnt0])/g, (_, letter: string) => ESCAPES[letter] ?? ''), 'latin1')
}

/** The examples of a cell: each a list of lines, parted by semicolons between the code spans. */
function examples(cell: string): readonly (readonly string[])[] {
  const found: string[][] = []
  let end = 0
  for (const match of cell.matchAll(/`([^`]+)`/g)) {
    if (found.length === 0 || cell.slice(end, match.index).includes(';')) found.push([])
    found.at(-1)?.push(match[1] ?? '')
    end = match.index + match[0].length
  }
  return found
}

/** What the parser makes of a head; one without a request line gets one, and a host. */
function parseHead(lines: readonly string[]): number {
  const whole = / HTTP\/\d\.\d ?$/.test(lines[0] ?? '')
  const head = bytes(`${[...whole ? [] : ['POST / HTTP/1.1', 'Host: a'], ...lines].join('\r\n')}\r\n\r\n`)
  const result = new RequestParser({ head: 16384, requestLine: 8192, fields: 100 }, 'http').parse(head, 0, head.length)
  return result === null ? 0 : result instanceof Refusal ? result.status : 200
}

test('every example of a refused head gets the status of its row', () => {
  const found = (refusedHeads?.rows ?? []).flatMap(([status = '', what = '', cell = '']) => examples(cell).map((lines) => [`${what}: ${lines.join(' ')}`, Number(status), parseHead(lines)] as const))
  assert.ok(found.length > 30)
  assert.equal(found.filter(([, said, given]) => said !== given), [])
})

test('every example of a refused chunked body gets the status of its row', () => {
  const found = (refusedChunks?.rows ?? []).flatMap(([status = '', what = '', cell = '']) => examples(cell).map(([text = '']) => {
    const parser = new ChunkedParser({ trailers: 16384, fields: 100 })
    const body = bytes(text)
    parser.parse(body, 0, body.length, () => {})
    return [`${what}: ${text}`, Number(status), parser.refusal?.status ?? 0] as const
  }))
  assert.ok(found.length > 8)
  assert.equal(found.filter(([, said, given]) => said !== given), [])
})

test('the bound of the chunk extensions is the one that is told', () => {
  const parser = new ChunkedParser({ trailers: 16384, fields: 100 })
  const within = bytes(`5;${'a'.repeat(16384 - 1)}`)
  parser.parse(within, 0, within.length, () => {})
  assert.is(parser.refusal, null)
  parser.parse(bytes('aa'), 0, 2, () => {})
  assert.is(parser.refusal?.status, 413)
})

test('every example of what is accepted is accepted', () => {
  const found = (accepted?.rows ?? []).flatMap(([what = '', cell = '']) => examples(cell).map((lines) => [what, parseHead(lines)] as const))
  assert.ok(found.length > 5)
  assert.equal(found.filter(([, status]) => status !== 200), [])
})

test.run()
