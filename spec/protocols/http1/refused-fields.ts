import { controls, fields, host, refuses, type Rule } from '../../support/http1-rows.ts'

const HIGH = ['\x80', '\x85', '\xa0', '\xad', '\xb5', '\xc4', '\xff']
const NOT_TCHARS = [...'"(),/;<=>?@[\\]{}']

/** Heads that are refused for their fields. */
export const REFUSED_FIELDS: readonly Rule[] = [
  { rule: 'Host is there once in 1.1, and at most once in 1.0 (RFC 9112 3.2)', rows: [
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nX: y\r\n\r\n',
    'GET / HTTP/1.1\r\nHosts: a\r\n\r\n',
    'GET http://b/ HTTP/1.1\r\n\r\n',
    fields('Host: a'), fields('Host: b'), fields('host:'), fields('X: y', 'HOST: a'),
    'GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.0\r\nHost:\r\nHost:\r\n\r\n',
  ].map((input) => refuses(400, input)) },
  { rule: 'Host is a host and a port, on any version (RFC 9112 3.2)', rows: [
    ...['a b', 'a\tb', 'a,b', 'a, b', ',', 'u@a', 'u:p@a', '@', 'a/', '/', 'a/b', 'a?b', 'a#b', 'http://a', 'a:b', 'a:80b', 'a:-1', 'a:+80', 'a: 80', 'a :80', 'a:65536', 'a:080808', 'a:99999999999999999999999999', 'a:80:80', ':80', ':', '::1',
      '[::1', '::1]', '[]', '[]:80', '[a]', '[::1]a', '[::1]]', '[[::1]]', '[::1]80', '[::1]:a', '[::1%25eth0]', '[::1%eth0]', '[127.0.0.1]', '[:::1]', '[v.a]', '[vx.a]', '[v1]', '[v1.]', '[v1.a]]', '[v1.a b]', '[ ::1]', '[1:2:3:4:5:6:7:8:9]', 'a[::1]',
      'a%', 'a%4', 'a%zz', '"a"', 'a\\', 'a\\b', 'a|b', 'a^', 'a`', 'a{', 'a}', 'a<', 'a>', '*/', '\xe4', 'a\x80', 'a\xa0', '\u00ad'].flatMap((value) => [
      refuses(400, host(value)),
      refuses(400, `GET / HTTP/1.0\r\nHost: ${value}\r\n\r\n`),
    ]),
    refuses(400, 'GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n'),
  ] },
  { rule: 'a field name is a token and its colon follows at once (RFC 9112 5.1)', rows: [
    ...[...NOT_TCHARS, ...HIGH].flatMap((char) => [`${char}x: y`, `x${char}x: y`, `x${char}: y`]),
    'x : y', 'x\t: y', 'x y: z', ': y', ':', 'x', 'x y', 'xy\xa0: z', '"x": y', 'Content-Length : 5', 'Transfer-Encoding : chunked', 'Transfer-Encoding\t: chunked', 'Host : b', 'Transfer Encoding: chunked', 'Content\xadLength: 5',
    'GET / HTTP/1.1',
  ].map((text) => refuses(400, fields(text))) },
  { rule: 'no line is folded and none begins with white space (RFC 9112 2.2, 5.2)', rows: [
    ...[' x: y', '\tx: y', ' ', '\t', ' Transfer-Encoding: chunked'].flatMap((text) => [fields(text), fields('a: b', text), `GET / HTTP/1.1\r\n${text}\r\nHost: a\r\n\r\n`, `GET / HTTP/1.1\r\nHost: a\r\nx:\r\n${text}\r\n\r\n`]),
    fields('Content-Length: 1\r\n 0'), fields('Transfer-Encoding:\r\n chunked'),
  ].map((input) => refuses(400, input)) },
  { rule: 'control characters are refused everywhere in a name (RFC 9110 5.1)', rows: controls().flatMap((char) => [`${char}x: y`, `x${char}y: z`, `x${char}: y`])
    .map((text) => refuses(400, fields(text))) },
  { rule: 'control characters but HTAB are refused everywhere in a value (RFC 9110 5.5)', rows: controls('\t').flatMap((char) => [
    fields(`x:${char}y`), fields(`x: ${char}y`), fields(`x: y${char}z`), fields(`x: yyyyyyyy${char}zzzzzzzz`), fields(`x: y${char}`), fields(`x: y${char}`, 'z: a'),
    ...(char === '\r' ? [] : [fields(`x: ${char}`)]), ...(char === '\n' ? [] : [`GET / HTTP/1.1\r\nHost: a\r${char}\n\r\n`, `GET / HTTP/1.1\r\nHost: a\r\n\r${char}\n`]),
    fields(`Content-Length: ${char}1`), fields(`Content-Length: 1${char}`), fields(`Content-Length: 1${char}1`),
    fields(`Transfer-Encoding: ${char}chunked`), fields(`Transfer-Encoding: chunked${char}`), fields(`Transfer-Encoding: chun${char}ked`),
    host(`a${char}`), host(`a${char}b`), host(`${char}a`), fields(`Connection: close${char}`), fields(`Expect: 100-continue${char}`),
  ]).map((input) => refuses(400, input)) },
  { rule: 'control characters are refused at the place of a field line (RFC 9112 5)', rows: controls().map((char) => refuses(400, `GET / HTTP/1.1\r\nHost: a\r\n${char}\r\n\r\n`)) },
  { rule: 'Content-Length is one number, once (RFC 9112 6.3)', rows: [
    ...['', ' ', '+1', '-1', '1,1', '1, 1', '1 1', '1\t1', '0x1', '1a', 'a', '1.0', '1e1', '1;a', '"1"', '1_0', ',1', '1,', '0,0', '\xb2', '1\xa0', '\xa01', '1\x85', '٣', 'chunked', '+', '-', '-0', '+0', '0b1', '१', '%31', '1%', '1\\', '(1)']
      .filter((value) => !/[^\0-\xff]/.test(value)).map((value) => fields(`Content-Length: ${value}`)),
    ...['9007199254740992', '9007199254740993', '18446744073709551616', '18446744073709551617', '4294967296000000000000', '9'.repeat(400)].map((value) => fields(`Content-Length: ${value}`)),
    ...[['1', '1'], ['0', '0'], ['1', '2'], ['1', ''], ['', '1'], ['0', '5']].map(([a, b]) => fields(`Content-Length: ${a}`, `content-length: ${b}`)),
    'POST / HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n',
    'POST / HTTP/1.0\r\nContent-Length: +1\r\n\r\n',
  ].map((input) => refuses(400, input)) },
  { rule: 'Content-Length beside Transfer-Encoding is refused, in either order (RFC 9112 6.1)', rows: [
    ...['chunked', 'identity', 'gzip, chunked', 'xchunked', '', 'chunked, identity', 'Chunked'].flatMap((coding) => ['0', '4', '44'].flatMap((length) => [
      fields(`Content-Length: ${length}`, `Transfer-Encoding: ${coding}`), fields(`Transfer-Encoding: ${coding}`, `Content-Length: ${length}`),
    ])),
    `${fields('Content-Length: 4', 'Transfer-Encoding: chunked')}5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n`,
    `${fields('Content-Length: 6', 'Transfer-Encoding: chunked')}0\r\n\r\nG`,
  ].map((input) => refuses(400, input)) },
  { rule: 'Transfer-Encoding in 1.0 is refused (RFC 9112 6.1)', rows: ['chunked', 'gzip', 'identity', '', 'gzip, chunked', 'chunked, chunked', 'xchunked']
    .flatMap((coding) => [`POST / HTTP/1.0\r\nTransfer-Encoding: ${coding}\r\n\r\n`, `POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`])
    .map((input) => refuses(400, input)) },
  { rule: 'chunked twice, not last or with parameters is refused with 400 (RFC 9112 6.1, 7.1)', rows: [
    ...['chunked, chunked', 'chunked,chunked', 'Chunked, CHUNKED', 'chunked, gzip', 'chunked, identity', 'gzip, chunked, chunked', 'chunked, gzip, chunked', 'chunked;a', 'chunked;a=b', 'chunked ; a=b', 'chunked;', 'gzip, chunked;a=b', 'chunked\t;a', 'chunked;q=1']
      .map((value) => fields(`Transfer-Encoding: ${value}`)),
    fields('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
    fields('Transfer-Encoding: chunked', 'Transfer-Encoding: identity'),
    fields('Transfer-Encoding: chunked', 'X: y', 'transfer-encoding: gzip'),
  ].map((input) => refuses(400, input)) },
  { rule: 'a Transfer-Encoding that is no list of codings is refused with 400 (RFC 9112 6.1)', rows: [
    ...['', ' ', ',', ',chunked', 'chunked,', ', chunked', 'chunked, ,', '"chunked"', '\'chunked\' x', 'chunked chunked', 'x chunked', 'chunked x', 'chun ked', 'chunked\xa0', '\xa0chunked', 'chunked\x85', '\x85chunked', 'chunked\xff', '[chunked]', '(chunked)',
      'chunked:', ':chunked', '=chunked', 'chunked=1', '{chunked}', 'chunked/', '\\chunked', 'chunked\\', '<chunked>', 'gzip,, chunked'].map((value) => fields(`Transfer-Encoding: ${value}`)),
    fields('Transfer-Encoding:', 'Transfer-Encoding: chunked'),
    fields('Transfer-Encoding: chunked', 'Transfer-Encoding:'),
  ].map((input) => refuses(400, input)) },
  { rule: 'a transfer coding other than chunked gets 501 (RFC 9112 6.1)', rows: [
    ...['gzip', 'identity', 'gzip, chunked', 'identity, chunked', 'xchunked', 'x-chunked', 'chunkedx', 'chunked-x', 'chunkd', '\'chunked\'', 'chunk', 'deflate , chunked', 'gzip\t,\tchunked', 'xchunked, chunked', 'gzip;q=1', 'gzip;a=b, chunked', 'GZIP', 'cow',
      'chunked1', '!chunked', 'chunked!', 'gzip;a="b", chunked', 'gzip;a="b,c", chunked', '*', '~'].map((value) => fields(`Transfer-Encoding: ${value}`)),
    fields('Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'),
    fields('Transfer-Encoding: xchunked', 'X: y', 'Transfer-Encoding: chunked'),
  ].map((input) => refuses(501, input)) },
  { rule: 'an Expect other than 100-continue gets 417 (RFC 9110 10.1.1)', rows: [
    ...['x', '', '100-continue, x', 'x, 100-continue', '100-continue;a=b', '100-continue=1', '"100-continue"', '100 continue', '100-continu', '100-continuee', '100', '200-ok', '100-continue, 100-continue']
      .flatMap((value) => [fields(`Expect: ${value}`), `${fields(`Expect: ${value}`, 'Content-Length: 1')}a`]),
    fields('Expect: 100-continue', 'Expect: 100-continue'),
    fields('Expect: 100-continue', 'Expect: x'),
  ].map((input) => refuses(417, input)) },
  { rule: 'what is malformed is refused before what cannot be met', rows: [
    fields('Expect: x', 'Transfer-Encoding: chunked, x'), fields('Expect: x', 'Content-Length: a'), 'GET / HTTP/1.1\r\nExpect: x\r\n\r\n', fields('Transfer-Encoding: gzip', 'Host: b'),
  ].map((input) => refuses(400, input)) },
]
