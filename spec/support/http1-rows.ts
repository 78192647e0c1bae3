import { isDeepStrictEqual } from 'node:util'
import type { HeaderPair } from '../../lib/contract/headers.ts'
import { parseHttp1, type ParseOptions, type Reading, type ReadRequest } from './http1-parse.ts'

/** One input and what must be read from it. */
export interface Row {
  /** Latin-1: one character a byte. */
  readonly input: string
  /** The complete requests, by what they have other than `PLAIN`. */
  readonly requests: readonly Partial<ReadRequest>[]
  readonly end: Reading['end']
  readonly options: ParseOptions
}

/** Rows that stand on one clause. */
export interface Rule {
  readonly rule: string
  readonly rows: readonly Row[]
}

/** What a request is where a row does not say otherwise. */
const PLAIN: ReadRequest = {
  method: 'GET',
  rawPath: '/',
  queryString: '',
  version: '1.1',
  headers: [['host', 'a']],
  body: '',
  trailers: [],
  keepAlive: true,
  expectContinue: false,
  takesTrailers: false,
}

/** An input that is accepted: one request, or those given. */
export function reads(input: string, requests: Partial<ReadRequest> | readonly Partial<ReadRequest>[] = {}, options: ParseOptions = {}): Row {
  const list = 'length' in requests ? requests : [requests]
  return { input, requests: list, end: list.at(-1)?.keepAlive === false ? 'closed' : 'open', options }
}

/** An input that is refused, after no request or after those given. */
export function refuses(status: number, input: string, options: ParseOptions = {}, requests: readonly Partial<ReadRequest>[] = []): Row {
  return { input, requests, end: status, options }
}

/** An input of which a part is missing. */
export function waits(input: string, options: ParseOptions = {}): Row {
  return { input, requests: [], end: 'incomplete', options }
}

/** A request with this request line. */
export function line(text: string): string {
  return `${text}\r\nHost: a\r\n\r\n`
}

/** A GET with these field lines after Host. */
export function fields(...lines: readonly string[]): string {
  return `GET / HTTP/1.1\r\nHost: a\r\n${lines.map((each) => `${each}\r\n`).join('')}\r\n`
}

/** A GET with this Host. */
export function host(value: string): string {
  return `GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`
}

/** A POST with a chunked body. */
export function chunked(body: string): string {
  return `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`
}

/** The headers of `fields`. */
export function withHost(...pairs: readonly HeaderPair[]): readonly HeaderPair[] {
  return [['host', 'a'], ...pairs]
}

/** C0 controls and DEL, without those in `except`. */
export function controls(except = ''): readonly string[] {
  return [...Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)), '\x7f'].filter((each) => !except.includes(each))
}

/** Checks that every row is read as it says, uncut, cut in two at every byte, and byte by byte. Throws for all that are not. */
export function checkRows(rows: readonly Row[]): void {
  const failures: string[] = []
  for (const row of rows) {
    const bytes = Buffer.from(row.input, 'latin1')
    const whole = parseHttp1(bytes, [], row.options)
    const expected = { end: row.end, requests: row.requests.map((request) => ({ ...PLAIN, ...request })) }
    const difference = unequal({ end: whole.end, requests: whole.requests }, expected) ?? cutDifference(bytes, whole, row.options)
    if (difference !== null) failures.push(`${shown(row.input)} ${whole.reason}\n${difference}`)
  }
  if (rows.length === 0) throw new Error('no rows')
  if (failures.length > 0) throw new Error(`${failures.length} of ${rows.length} rows:\n${failures.join('\n')}`)
}

function cutDifference(bytes: Buffer, whole: Reading, options: ParseOptions): string | null {
  for (const cut of cutPoints(bytes.length)) {
    const difference = unequal(parseHttp1(bytes, [cut], options), whole)
    if (difference !== null) return `    cut at ${cut}:\n${difference}`
  }
  const difference = unequal(parseHttp1(bytes, bytes.keys(), options), whole)
  return difference === null ? null : `    byte by byte:\n${difference}`
}

/** Every byte; of long inputs all in the first and last 512, and every 37th between. */
function* cutPoints(length: number): Generator<number> {
  for (let at = 1; at < length; at += at < 512 || at >= length - 512 ? 1 : 37) yield at
}

function unequal(actual: unknown, expected: unknown): string | null {
  if (isDeepStrictEqual(actual, expected)) return null
  return `    read     ${shortened(JSON.stringify(actual))}\n    expected ${shortened(JSON.stringify(expected))}`
}

function shown(input: string): string {
  return `${shortened(JSON.stringify(input))} (${input.length} bytes)`
}

function shortened(text: string): string {
  return text.length < 500 ? text : `${text.slice(0, 300)} … ${text.slice(-150)}`
}
