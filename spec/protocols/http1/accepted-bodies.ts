import { chunked, fields, reads, waits, withHost, type Row, type Rule } from '../../support/http1-rows.ts'
import type { ReadRequest } from '../../support/http1-parse.ts'

const CHUNKED: Partial<ReadRequest> = { method: 'POST', headers: withHost(['transfer-encoding', 'chunked']) }

function body(input: string, text: string, more: Partial<ReadRequest> = {}): Row {
  return reads(chunked(input), { ...CHUNKED, body: text, ...more })
}

function sized(length: string, text: string): Row {
  return reads(`${fields(`Content-Length: ${length}`)}${text}`, { headers: withHost(['content-length', length.trim()]), body: text })
}

/** Bodies whose length a Content-Length gives. */
export const ACCEPTED_LENGTHS: readonly Rule[] = [
  { rule: 'a body has as many bytes as Content-Length says, and none without it (RFC 9112 6.3)', rows: [
    sized('0', ''),
    sized('1', 'x'),
    sized('5', 'ab\r\n\0'),
    sized('\t 3 \t', '\xff\xfe\n'),
    sized('003', 'abc'),
    sized('00000000000000000000000000000000000003', 'abc'),
    reads(`POST / HTTP/1.0\r\ncontent-LENGTH:2\r\n\r\nab`, { method: 'POST', version: '1.0', keepAlive: false, headers: [['content-length', '2']], body: 'ab' }),
    reads(fields('Content-Length: 0') + fields(), [{ headers: withHost(['content-length', '0']) }, {}]),
  ] },
  { rule: 'a request inside a body is not read as one', rows: [
    reads(`${fields('Content-Length: 27')}${fields()}`, { headers: withHost(['content-length', '27']), body: fields() }),
  ] },
  { rule: 'Content-Length is at most 2^53 - 1, and a body is waited for', rows: [
    waits(fields('Content-Length: 9007199254740991')),
    waits(`${fields('Content-Length: 2')}a`),
    waits(fields('Content-Length: 1')),
  ] },
]

/** Chunked bodies. */
export const ACCEPTED_CHUNKED: readonly Rule[] = [
  { rule: 'chunked is a coding in any case of letters (RFC 9112 7)', rows: [
    ...['chunked', 'Chunked', 'CHUNKED', '\t chunked \t'].map((value) => reads(`${fields(`transfer-ENCODING:${value}`)}0\r\n\r\n`, { headers: withHost(['transfer-encoding', value.trim()]) })),
  ] },
  { rule: 'a body is its chunks in a row (RFC 9112 7.1)', rows: [
    body('0\r\n\r\n', ''),
    body('3\r\nabc\r\n0\r\n\r\n', 'abc'),
    body('1\r\na\r\n2\r\nbc\r\n0\r\n\r\n', 'abc'),
    body('2\r\n\r\n\r\n0\r\n\r\n', '\r\n'),
    body('5\r\n0\r\n\r\n\r\n0\r\n\r\n', '0\r\n\r\n'),
    body('3\r\n\0\xff\n\r\n0\r\n\r\n', '\0\xff\n'),
    reads(`${chunked('1\r\na\r\n0\r\n\r\n')}${chunked('0\r\n\r\n')}${fields()}`, [{ ...CHUNKED, body: 'a' }, CHUNKED, {}]),
    reads(`${chunked('0\r\n\r\n')}\r\n\r\n${fields()}`, [CHUNKED, {}]),
    reads(`${chunked('0\r\nA: b\r\n\r\n')}${chunked('0\r\n\r\n')}`, [{ ...CHUNKED, trailers: [['a', 'b']] }, CHUNKED]),
  ] },
  { rule: 'a chunk size is hexadecimal in any case of letters, leading zeros included (RFC 9112 7.1)', rows: [
    body('A\r\n0123456789\r\n0\r\n\r\n', '0123456789'),
    body('a\r\n0123456789\r\n0\r\n\r\n', '0123456789'),
    body(`1F\r\n${'x'.repeat(31)}\r\n0\r\n\r\n`, 'x'.repeat(31)),
    body(`fF\r\n${'x'.repeat(255)}\r\n0\r\n\r\n`, 'x'.repeat(255)),
    body(`100\r\n${'x'.repeat(256)}\r\n0\r\n\r\n`, 'x'.repeat(256)),
    body('01\r\na\r\n00\r\n\r\n', 'a'),
    body('0000000000000001\r\na\r\n0000000000000000\r\n\r\n', 'a'),
    ...'0123456789abcdefABCDEF'.split('').slice(1).map((digit) => body(`${digit}\r\n${'y'.repeat(parseInt(digit, 16))}\r\n0\r\n\r\n`, 'y'.repeat(parseInt(digit, 16)))),
    waits(chunked('1fffffffffffff\r\na')),
    waits(chunked('001FFFFFFFFFFFFF\r\n')),
  ] },
  { rule: 'chunk extensions are read over: names, tokens, quoted strings, white space before ; and around = (RFC 9112 7.1.1)', rows: [
    ...[';a', ';a=b', ';a="b"', ';a=""', ';a;b', ';a=b;c="d";e', ' ;a', '\t ;\t a', ' ; a = b', ';a\t=\t"b" ; c', ';a ;b', ';a=b ;c', ';a="b;c=d"', ';a="\\""', ';a="\\\\"', ';a="\\a\t \xff"',
      ';!#$%&\'*+-.^_`|~09AZaz=!#$%&\'*+-.^_`|~09AZaz', ';a="chunked, 5"', ';a="\\\xff\\\t"', ';0', ';a=0x5', ';a=\''].flatMap((ext) => [
      body(`1${ext}\r\nx\r\n0\r\n\r\n`, 'x'),
      body(`1\r\nx\r\n0${ext}\r\n\r\n`, 'x'),
    ]),
  ] },
  { rule: 'extensions of 16 KiB in all are read over', rows: [
    body(`1;${'a'.repeat(16383)}\r\nx\r\n0\r\n\r\n`, 'x'),
    body(`1;${'a'.repeat(8191)}\r\nx\r\n0;a="${'a'.repeat(8187)}"\r\n\r\n`, 'x'),
  ] },
  { rule: 'trailer fields are read like header fields, and apart from them (RFC 9112 7.1.2)', rows: [
    body('0\r\nA: b\r\n\r\n', '', { trailers: [['a', 'b']] }),
    body('1\r\nx\r\n0\r\nX-B:\t c \r\nx-b:\r\na: \xff:\r\n\r\n', 'x', { trailers: [['x-b', 'c'], ['x-b', ''], ['a', '\xff:']] }),
    body('0;a="b:c"\r\nA: b\r\n\r\n', '', { trailers: [['a', 'b']] }),
  ] },
  { rule: 'trailer fields that frame, route, authenticate or describe the content are dropped (RFC 9110 6.5.1)', rows: [
    ...['Content-Length: 5', 'Transfer-Encoding: chunked', 'HOST: b', 'Host: b, c', 'Connection: close', 'TE: trailers', 'Trailer: x', 'Upgrade: x', 'Authorization: x', 'Proxy-Authorization: x', 'Cookie: x',
      'Content-Encoding: gzip', 'Content-Type: x/y', 'Content-Range: x', 'Expect: x', 'Max-Forwards: 1', 'content-length: x']
      .map((field) => body(`0\r\nA: b\r\n${field}\r\nC: d\r\n\r\n`, '', { trailers: [['a', 'b'], ['c', 'd']] })),
    body('0\r\nHost: b\r\nContent-Length: 5\r\n\r\n', ''),
  ] },
  { rule: 'request trailers lose what response trailers may not have', rows: [
    ...['Keep-Alive: 1', 'Proxy-Connection: close', 'Cache-Control: no-cache', 'Range: bytes=0-1', 'If-Match: x', 'If-None-Match: x', 'If-Modified-Since: x', 'If-Unmodified-Since: x', 'If-Range: x']
      .map((field) => body(`0\r\nA: b\r\n${field}\r\n\r\n`, '', { trailers: [['a', 'b']] })),
  ] },
  { rule: 'a chunked body of which a part is missing is waited for', rows: [
    ...['', '5', '5\r', '5;', '5;a', '5;a="', '5;a="\\', '5\r\n', '5\r\nabcde', '5\r\nabcde\r', '5\r\nabcde\r\n', '0', '0\r', '0\r\n', '0\r\n\r', '0\r\nA', '0\r\nA:', '0\r\nA: b\r\n', '0\r\nA: b\r\n\r']
      .map((input) => waits(chunked(input))),
  ] },
]
