import { chunked, controls, reads, refuses, withHost, type Row, type Rule } from '../../support/http1-rows.ts'

function refusal(body: string): Row {
  return refuses(400, chunked(body))
}

/** Chunked bodies that are refused. */
export const REFUSED_CHUNKED: readonly Rule[] = [
  { rule: 'a chunk size is one or more hexadecimal digits, at once and alone (RFC 9112 7.1)', rows: [
    ...['\r\n', ';a\r\n', ' 1\r\nx\r\n', '\t1\r\nx\r\n', '+1\r\nx\r\n', '-1\r\nx\r\n', '-0\r\n', '0x1\r\nx\r\n', '0X0\r\n', 'x\r\n', 'g\r\n', 'G\r\n', '1g\r\n', '1h\r\n', '1.0\r\n', '1,1\r\n', '1_0\r\n', '"1"\r\n', '1\xa0\r\n', '\xb2\r\n', '@\r\n', '`\r\n', '/\r\n', ':\r\n', '1:\r\n',
      '\x10\r\n', '\x11\r\n', '\xc1\r\n', '\xe1\r\n', '1 \r\nx\r\n', '1\t\r\nx\r\n', '0 \r\n\r\n', '1 2\r\n', '1 1\r\n', '1 a\r\nx\r\n', '%31\r\n', '\r\n1\r\nx\r\n', '1=\r\n', '1"\r\n', '\n', '\r'].map(refusal),
    refusal('1\r\nx\r\n\r\n0\r\n\r\n'),
    refusal('1\r\nx\r\n 0\r\n\r\n'),
    refusal('1\r\nx\r\nGET / HTTP/1.1\r\n\r\n'),
  ] },
  { rule: 'a chunk size over 2^53 - 1, or of more than 16 digits, is refused', rows: [
    ...['20000000000000', '20000000000001', 'fffffffffffffff', 'FFFFFFFFFFFFFFFF', '8000000000000000', '10000000000000000', '100000000000000000000', '00000000000000001', '00000000000000000', '0'.repeat(5000), 'f'.repeat(5000)].map((size) => refusal(`${size}\r\n`)),
  ] },
  { rule: 'control characters are refused in a size and after it (RFC 9112 7.1)', rows: [
    ...controls().flatMap((char) => [`${char}1\r\nx\r\n`, `1${char}1\r\n`, `1${char}\r\nx\r\n`]).map(refusal),
    ...controls('\n').map((char) => refusal(`1\r${char}\nx\r\n`)),
  ] },
  { rule: 'a chunk line ends with CRLF, never with a bare LF or CR (RFC 9112 7.1)', rows: [
    '1\nx\r\n0\r\n\r\n', '1\rx\r\n0\r\n\r\n', '1\r\rx', '1\r\nx\n0\r\n\r\n', '1\r\nx\r0\r\n\r\n', '1\r\nx\r\r\n', '1\r\nx\n\r\n', '1\r\nx\r\n0\n\r\n', '1\r\nx\r\n0\r\r\n', '1\r\nx\r\n0\r\n\n', '1\r\nx\r\n0\r\n\rX', '0\n\n', '0\n\r\n', '0\r\n\n', '0\r\r', '0\r\n\r\r', '1;a\nx\r\n', '1;a\rx\r\n', '1;a=b\nx', '1;a=b\rx', '1;a="b"\nx',
    '1;a="b"\rx', '1\r\nx\rz0\r\n\r\n', '1\rzx\r\n0\r\n\r\n', '1;a\rzx\r\n0\r\n\r\n', '0\rz\r\n', '0\r\nA: b\rzB: c\r\n\r\n', '0\r\nA: b\r\n\rz', '1;a\n\r\n', '1 \n', '1;\n',
  ].map(refusal) },
  { rule: 'chunk data is as long as its size says (RFC 9112 7.1)', rows: ['1\r\nxy\r\n', '1\r\nx0\r\n\r\n', '1\r\nx', '2\r\nx\r\n0\r\n\r\n', '3\r\nab\r\n0\r\n\r\n', '1\r\n\r\n\r\n', '0\r\nx\r\n'].filter((body) => body !== '1\r\nx').map(refusal) },
  { rule: 'control characters are refused after chunk data (RFC 9112 7.1)', rows: [
    ...controls('\r').map((char) => refusal(`1\r\nx${char}\r\n`)),
    ...controls('\n').map((char) => refusal(`1\r\nx\r${char}\n`)),
  ] },
  { rule: 'a chunk extension is a name and at most one token or quoted string (RFC 9112 7.1.1)', rows:
    [';', ' ;', ';;', ';a;', ';;a', ';a;;b', ';=', ';=b', ';a=', ';a= ', ';a=;b', ';a==b', ';a=b=c', ';a b', ';a=b c', ';a="b', ';a="b"c', ';a="b" c', ';a=b"c"', ';a"b"', ';"a"', ';"a"=b', ';a=b,c', ';a,b', ';a/b', ';a:b', ';a=b:c', ';a=(b)', ';a=[b]',
      ';a={b}', ';a=@', ';a\\', ';a=\\b', ';\xe4', ';a=\xe4', ';a=b\xa0', ';a ', ';a\t', ';a=b ', ';a="b" ', '; ', ' a', ' a=b', ' ', '\t', ',a', '=b', ' =b', '; =b', ';a = ', ';a="\\"', ';a=?', ';<a>'].map((ext) => ext.includes('"') && (ext.match(/(?<!\\)"/g) ?? []).length % 2 === 1
      ? refusal(`1${ext}\r\nx\r\n`)
      : refusal(`1${ext}\r\nx\r\n0\r\n\r\n`)).concat([';', ';a ', ';a=', ' '].map((ext) => refusal(`0${ext}\r\n\r\n`))) },
  { rule: 'control characters are refused everywhere in a chunk extension (RFC 9112 7.1.1)', rows: [
    ...controls('\t').flatMap((char) => [...(char === '\r' ? [] : [`1;a="${char}"\r\n`, `1;a="\\${char}"\r\n`]), `1;a${char}\r\nx`, `1;a=b${char}\r\nx`, `1;${char}a\r\n`, `1;a=${char}b\r\n`, `1;a="b${char}c"\r\n`, `1;a="b"${char}\r\nx`, `1;a="\\${char}"\r\n`]).map(refusal),
  ] },
  { rule: 'chunk extensions of more than 16 KiB in a body get 413', rows: [
    refuses(413, chunked(`1;${'a'.repeat(16384)}\r\nx\r\n0\r\n\r\n`)),
    refuses(413, chunked(`1;${'a'.repeat(8191)}\r\nx\r\n0;${'a'.repeat(8192)}\r\n\r\n`)),
    refuses(413, chunked(`1;a="${'a'.repeat(20000)}`)),
    refuses(413, chunked(`1${' '.repeat(20000)}`)),
    refuses(413, chunked(`1;a="${'\\'.repeat(20000)}`)),
    refuses(413, chunked('1;a=b\r\nx\r\n'.repeat(4097))),
  ] },
  { rule: 'a trailer field is written like a header field (RFC 9112 7.1.2)', rows: [
    ...['A : b', 'A\t: b', ': b', 'A', 'A b: c', ' A: b', '\tA: b', 'A: b\r\n c', '"A": b', 'A(: b', '\xe4: b', 'A\n: b', 'A:\nb', 'A: b\n', 'A:\rb', 'A: b\r', 'GET / HTTP/1.1', '0'].map((text) => refusal(`0\r\n${text}\r\n\r\n`)),
    ...controls().flatMap((char) => [`0\r\n${char}A: b\r\n\r\n`, `0\r\nA${char}B: c\r\n\r\n`, `0\r\nA${char}: b\r\n\r\n`]).map(refusal),
    ...controls('\t').flatMap((char) => [`0\r\nA: b${char}c\r\n\r\n`, `0\r\nA: b${char}\r\n\r\n`, `0\r\nA:${char}b\r\n\r\n`]).map(refusal),
    ...controls('\n').flatMap((char) => [`0\r\nA: b\r${char}\n\r\n`, `0\r\nA: b\r\n\r${char}\n`]).map(refusal),
  ] },
  { rule: 'a trailer section over its limits gets 431', rows: [
    ...limits(),
    refuses(431, chunked(`0\r\nA: ${'b'.repeat(16384 - 6)}\r\n\r\n`)),
    refuses(431, chunked(`0\r\n${'A:\r\n'.repeat(101)}\r\n`)),
  ] },
  { rule: 'after a refusal nothing more is parsed', rows: [
    refusal(`g\r\n${chunked('0\r\n\r\n')}`),
    refuses(400, `${chunked('0\r\n\r\n')}${chunked('g')}`, {}, [{ method: 'POST', headers: withHost(['transfer-encoding', 'chunked']) }]),
  ] },
]

function limits(): readonly Row[] {
  const plain = { method: 'POST', headers: withHost(['transfer-encoding', 'chunked']) }
  const trailers = (count: number): readonly (readonly [string, string])[] => Array.from({ length: count }, () => ['a', ''] as const)
  return [
    reads(chunked(`0\r\nA: ${'b'.repeat(16384 - 7)}\r\n\r\n`), { ...plain, trailers: [['a', 'b'.repeat(16384 - 7)]] }),
    reads(chunked(`0\r\n${'A:\r\n'.repeat(100)}\r\n`), { ...plain, trailers: trailers(100) }),
    reads(chunked('0\r\nA: b\r\n\r\n'), { ...plain, trailers: [['a', 'b']] }, { chunked: { trailers: 8 } }),
    refuses(431, chunked('0\r\nA: b\r\n\r\n'), { chunked: { trailers: 7 } }),
    reads(chunked('0\r\n\r\n'), plain, { chunked: { trailers: 2 } }),
    refuses(431, chunked('0\r\n\r\n'), { chunked: { trailers: 1 } }),
    reads(chunked('0\r\nA:\r\nA:\r\n\r\n'), { ...plain, trailers: trailers(2) }, { chunked: { fields: 2 } }),
    refuses(431, chunked('0\r\nA:\r\nA:\r\n\r\n'), { chunked: { fields: 1 } }),
    refuses(431, chunked('0\r\nA:\r\n\r\n'), { chunked: { fields: 0 } }),
    reads(chunked('0\r\n\r\n'), plain, { chunked: { fields: 0 } }),
    reads(chunked(`0\r\nA: ${'b'.repeat(20000)}\r\n\r\n`), { ...plain, trailers: [['a', 'b'.repeat(20000)]] }, { chunked: { trailers: Infinity, fields: Infinity } }),
  ]
}
