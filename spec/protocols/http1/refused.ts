import { controls, fields, host, line, reads, refuses, waits, withHost, type Rule } from '../../support/http1-rows.ts'

const HIGH = ['\x80', '\x85', '\xa0', '\xad', '\xb5', '\xc4', '\xff']
const NOT_TCHARS = [...'"(),/:;<=>?@[\\]{}']

/** Heads that are refused for their request line or their limits. */
export const REFUSED_LINES: readonly Rule[] = [
  { rule: 'a method is a token and one space follows it (RFC 9112 3)', rows: [
    ...[...NOT_TCHARS, ...HIGH].flatMap((char) => [refuses(400, line(`G${char}T / HTTP/1.1`)), refuses(400, line(`${char}GET / HTTP/1.1`)), refuses(400, line(`GET${char} / HTTP/1.1`))]),
    ...[' / HTTP/1.1', ' GET / HTTP/1.1', '\tGET / HTTP/1.1', 'GET  / HTTP/1.1', 'GET\t/ HTTP/1.1', 'GET \t/ HTTP/1.1', '/ HTTP/1.1', 'GET', 'GET ', '', 'HTTP/1.1 200 OK', 'Host: a']
      .filter((text) => text !== '').map((text) => refuses(400, line(text))),
    refuses(400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
    refuses(400, '0\r\n\r\n'),
    refuses(400, '{"a":1}'),
  ] },
  { rule: 'control characters are refused everywhere in a request line (RFC 9112 2.2, 3)', rows: controls().flatMap((char) => [
    `G${char}T / HTTP/1.1\r\n`, `${char}GET / HTTP/1.1\r\n`, `GET${char} / HTTP/1.1\r\n`, `GET ${char}/ HTTP/1.1\r\n`, `GET /a${char}b HTTP/1.1\r\n`, `GET /?a${char}b HTTP/1.1\r\n`,
    `GET /${char} HTTP/1.1\r\n`, `GET / ${char}HTTP/1.1\r\n`, `GET / HTTP/1${char}1\r\n`, `GET / HTTP/1.1${char}\r\n`, `GET / HTTP/1.1 ${char}\r\n`, `GET http://b${char}/ HTTP/1.1\r\n`,
    ...(char === '\n' ? [] : [`GET / HTTP/1.1\r${char}\n`]),
  ]).map((text) => refuses(400, `${text}Host: a\r\n\r\n`)) },
  { rule: 'a bare LF or CR ends no line (RFC 9112 2.2)', rows: [
    ...['GET / HTTP/1.1\nHost: a\r\n\r\n', 'GET / HTTP/1.1\rHost: a\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\n\n', 'GET / HTTP/1.1\r\nHost: a\r\rX',
      'GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\n\n', 'GET / HTTP/1.1\n\n', '\nGET / HTTP/1.1\r\n', '\rGET / HTTP/1.1\r\n', '\r\n\nGET / HTTP/1.1\r\n', '\r\r\nGET',
      'GET / HTTP/1.1\r\nHost: a\r\n\rX', 'GET / HTTP/1.1\rXHost: a\r\n\r\n', '\rXGET / HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\rXY: z\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nX\n: y\r\n\r\n', 'GET / HTTP/1.1\r\nHost:\na\r\n\r\n', 'GET / HTTP/1.1\r\nHost:\ra\r\n\r\n', 'GET / HTTP/1.1\r\nHost\r: a\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nX:\r\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\n\r\r\n'].map((input) => refuses(400, input)),
    refuses(400, `${fields()}\n${fields()}`, {}, [{}]),
    refuses(400, `${fields('Content-Length: 1')}a\n${fields()}`, {}, [{ headers: withHost(['content-length', '1']), body: 'a' }]),
  ] },
  { rule: 'a third empty line before a request line is one too many', rows: [
    refuses(400, `\r\n\r\n\r\n${fields()}`),
    refuses(400, '\r\n\r\n\r'),
    refuses(400, `${fields()}\r\n\r\n\r\n${fields()}`, {}, [{}]),
  ] },
  { rule: 'a target has no white space, no # and no byte beyond ASCII (RFC 9112 3.2)', rows: [
    ...['#', ...HIGH].flatMap((char) => [`GET /${char} HTTP/1.1`, `GET /a?b${char}c HTTP/1.1`, `GET ${char} HTTP/1.1`, `GET http://b/${char} HTTP/1.1`]).map((text) => refuses(400, line(text))),
    ...['GET /a b HTTP/1.1', 'GET /  HTTP/1.1', 'GET / \tHTTP/1.1', 'GET / HTTP/1.1 ', 'GET / HTTP/1.1 HTTP/1.1', 'GET /\tHTTP/1.1'].map((text) => refuses(400, line(text))),
  ] },
  { rule: 'a target is a path, or an absolute URI of the scheme of the connection (RFC 9112 3.2)', rows: [
    ...['a', 'a/b', '?a', '.', '%2f', 'a:80', '[::1]:80', 'a@b', 'http:', 'http:/', 'http:/b/', 'http://', 'http:///', 'http://?', 'http:b', '://b/', '1http://b/', 'https://b/', 'ftp://b/', 'file:///etc', 'ws://b/', 'httpx://b/',
      'http//b', 'urn:a:b', 'mailto:a@b', '\\', 'http:\\\\b\\', '!://b/', '**', '*/', '/*'.slice(1) + '?a', 's://]ufd/:', 'localhost', '127.0.0.1:80', ':80'].map((target) => refuses(400, line(`GET ${target} HTTP/1.1`))),
    refuses(400, line('GET http://b/ HTTP/1.1'), { scheme: 'https' }),
    refuses(400, line('OPTIONS a:80 HTTP/1.1')),
    refuses(400, line('OPTIONS https://b HTTP/1.1')),
    refuses(400, line('OPTIONS http:// HTTP/1.1')),
    refuses(400, line('OPTIONS ** HTTP/1.1')),
    refuses(400, line('OPTIONS *?a HTTP/1.1')),
  ] },
  { rule: 'the authority of a target is a host and a port, without userinfo (RFC 9110 4.2.1, 4.2.4)', rows:
    ['u@b', 'u:p@b', '@b', 'b@', 'b:c', 'b:-1', 'b:+1', 'b:65536', 'b:99999999999999999999', 'b:80:80', ':80', '[::1', '::1', '[::1]]', '[]', '[b]', '[::1]b', '[::1%25eth0]', '[127.0.0.1]', 'b,c', 'b%', 'b%4', 'b%zz',
      'b|', 'b^', 'b`', 'b{}', 'b<', 'b>', 'b"', 'b\\', 'b\\@c', '[v.a]', '[vg.a]', '[v1]', '[v1.]', '[:]', '[1:2:3:4:5:6:7:8:9]'].flatMap((authority) => [
      refuses(400, line(`GET http://${authority}/ HTTP/1.1`)),
      refuses(400, `GET http://${authority}?a HTTP/1.0\r\n\r\n`),
    ]) },
  { rule: '* is a target of OPTIONS only (RFC 9112 3.2.4)', rows:
    ['GET', 'HEAD', 'POST', 'OPTION', 'OPTIONSX', 'PRI'].flatMap((method) => [refuses(400, line(`${method} * HTTP/1.1`)), refuses(400, `${method} * HTTP/1.0\r\n\r\n`)]) },
  { rule: 'CONNECT and methods with a lower-case letter get 501', rows: [
    ...['CONNECT b:80', 'CONNECT b', 'CONNECT /', 'CONNECT *', 'CONNECT http://b/', 'get /', 'Get /', 'geT /', 'connect b:80', 'OPTIONs *', 'a /', 'POSt /', 'GeT /'].map((text) => refuses(501, line(`${text} HTTP/1.1`))),
    refuses(501, 'CONNECT b:80 HTTP/1.0\r\n\r\n'),
    refuses(501, 'get / HTTP/1.1\r\n\r\n'),
  ] },
  { rule: 'any well-formed version other than 1.0 and 1.1 gets 505 (RFC 9110 2.5)', rows: [
    ...['0.9', '0.0', '0.1', '1.2', '1.9', '2.0', '2.1', '3.0', '9.9'].map((version) => refuses(505, line(`GET / HTTP/${version}`))),
    refuses(505, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    refuses(505, line('get / HTTP/2.0')),
    refuses(505, line('GET * HTTP/2.0')),
  ] },
  { rule: 'a version is HTTP, a slash, a digit, a dot, a digit, and ends its line (RFC 9112 2.3)', rows: [
    ...['http/1.1', 'Http/1.1', 'HTTp/1.1', 'HTTP/1', 'HTTP/1.', 'HTTP/.1', 'HTTP/', 'HTTP', 'HTTP/11', 'HTTP/1,1', 'HTTP/1.1.1', 'HTTP/1.10', 'HTTP/10.1', 'HTTP/01.1', 'HTTP/1.01', 'HTTP/+1.1', 'HTTP/-1.1', 'HTTP/1.a', 'HTTP/a.1',
      'HTTP /1.1', 'HTTP/ 1.1', 'HTTP/1 .1', 'HTTP\\1.1', 'HTTPS/1.1', 'RTSP/1.0', 'ICE/1.0', 'HTP/1.1', 'HHTTP/1.1', 'SIP/2.0', 'HTTP/\xb2.1', 'HTTP/1.1;', 'HTTP/1.1\x85'].map((version) => refuses(400, line(`GET / ${version}`))),
    refuses(400, 'GET /\r\n'),
    refuses(400, 'GET /\r\nHost: a\r\n\r\n'),
    refuses(400, 'GET / \r\n'),
  ] },
  { rule: 'a request line over its limit gets 414, a method over it 501 (RFC 9112 3)', rows: [
    reads(line(`GET /${'a'.repeat(8178)} HTTP/1.1`), { rawPath: `/${'a'.repeat(8178)}` }),
    refuses(414, line(`GET /${'a'.repeat(8179)} HTTP/1.1`)),
    refuses(414, `GET /${'a'.repeat(8192)}`),
    waits(`GET /${'a'.repeat(8187)}`),
    refuses(501, 'A'.repeat(8193)),
    waits('A'.repeat(8192)),
    reads(line('GET /abc HTTP/1.1'), { rawPath: '/abc' }, { limits: { requestLine: 17 } }),
    refuses(414, line('GET /abc HTTP/1.1'), { limits: { requestLine: 16 } }),
    refuses(414, line('GET /abc HTTP/1.1'), { limits: { requestLine: 8 } }),
    refuses(414, line('GET /abc HTTP/1.1'), { limits: { requestLine: 9 } }),
    refuses(501, line('GET /abc HTTP/1.1'), { limits: { requestLine: 3 } }),
    reads(`\r\n\r\n${line('GET /abc HTTP/1.1')}`, { rawPath: '/abc' }, { limits: { requestLine: 17 } }),
    reads(line('GET /abc HTTP/1.1').repeat(3), [{ rawPath: '/abc' }, { rawPath: '/abc' }, { rawPath: '/abc' }], { limits: { requestLine: 17 } }),
    reads(line(`GET /${'a'.repeat(9000)} HTTP/1.1`), { rawPath: `/${'a'.repeat(9000)}` }, { limits: { requestLine: Infinity } }),
  ] },
  { rule: 'a head or a number of fields over its limit gets 431 (RFC 6585 5)', rows: [
    reads(fields(`x: ${'a'.repeat(16384 - 32)}`), { headers: withHost(['x', 'a'.repeat(16384 - 32)]) }),
    refuses(431, fields(`x: ${'a'.repeat(16384 - 31)}`)),
    reads(fields('x: y'), { headers: withHost(['x', 'y']) }, { limits: { head: 33 } }),
    refuses(431, fields('x: y'), { limits: { head: 32 } }),
    refuses(431, fields('x: y'), { limits: { head: 16 } }),
    refuses(431, fields('x: y'), { limits: { head: 3 } }),
    reads(`\r\n\r\n${fields('x: y')}`.repeat(2), [{ headers: withHost(['x', 'y']) }, { headers: withHost(['x', 'y']) }], { limits: { head: 33 } }),
    reads(fields(...Array.from({ length: 99 }, () => 'x:')), { headers: withHost(...Array.from({ length: 99 }, () => ['x', ''] as const)) }),
    refuses(431, fields(...Array.from({ length: 100 }, () => 'x:'))),
    reads(fields('x:'), { headers: withHost(['x', '']) }, { limits: { fields: 2 } }),
    refuses(431, fields('x:'), { limits: { fields: 1 } }),
    refuses(431, fields(), { limits: { fields: 0 } }),
    reads(fields('x:').repeat(3), Array.from({ length: 3 }, () => ({ headers: withHost(['x', '']) })), { limits: { fields: 2 } }),
    reads(fields(`x: ${'a'.repeat(20000)}`), { headers: withHost(['x', 'a'.repeat(20000)]) }, { limits: { head: Infinity, fields: Infinity, requestLine: Infinity } }),
  ] },
  { rule: 'after a refusal nothing more is parsed', rows: [
    refuses(400, `${host('a b')}${fields()}`),
    refuses(505, `GET / HTTP/2.0\r\n\r\n${fields()}`),
    refuses(501, `${line('get / HTTP/1.1')}${fields()}`),
    refuses(417, `${fields('Expect: x')}${fields()}`),
  ] },
]
