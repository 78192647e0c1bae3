import { fields, host, line, reads, waits, withHost, type Rule } from '../../support/http1-rows.ts'

const TCHARS = '!#$%&\'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const VISIBLE = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join('').replace('#', '')

/** Heads that are accepted: request lines, targets, Host and other fields. */
export const ACCEPTED: readonly Rule[] = [
  { rule: 'any method that is a token without lower-case letters is accepted (RFC 9110 9.1)', rows: [
    ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'PROPFIND', 'M-SEARCH', 'X', '1', TCHARS, 'CONNECTED', 'GE', 'POSTS']
      .map((method) => reads(line(`${method} / HTTP/1.1`), { method })),
  ] },
  { rule: 'versions 1.0 and 1.1 are served (RFC 9112 2.3)', rows: [
    reads(line('GET / HTTP/1.1')),
    reads(line('GET / HTTP/1.0'), { version: '1.0', keepAlive: false }),
    reads('GET / HTTP/1.0\r\n\r\n', { version: '1.0', keepAlive: false, headers: [] }),
  ] },
  { rule: 'the path and the query of an origin-form target are kept as sent (RFC 9112 3.2.1)', rows: [
    reads(line('GET /a/b HTTP/1.1'), { rawPath: '/a/b' }),
    reads(line('GET /? HTTP/1.1')),
    reads(line('GET /a?b=c&d HTTP/1.1'), { rawPath: '/a', queryString: 'b=c&d' }),
    reads(line('GET /a?b?c HTTP/1.1'), { rawPath: '/a', queryString: 'b?c' }),
    reads(line('GET //b/../c;d HTTP/1.1'), { rawPath: '//b/../c;d' }),
    reads(line('GET /%00%2f%zz% HTTP/1.1'), { rawPath: '/%00%2f%zz%' }),
    reads(line('GET /http://b/ HTTP/1.1'), { rawPath: '/http://b/' }),
    reads(line('GET /a:b@c?http://d/ HTTP/1.1'), { rawPath: '/a:b@c', queryString: 'http://d/' }),
    reads(line('GET /* HTTP/1.1'), { rawPath: '/*' }),
    reads(line('OPTIONS /?* HTTP/1.1'), { method: 'OPTIONS', queryString: '*' }),
  ] },
  { rule: 'a target may have any visible ASCII character but #, since browsers send them in queries', rows: [
    ...[...VISIBLE].map((char) => reads(line(`GET /?${char} HTTP/1.1`), { queryString: char })),
    reads(line(`GET /${VISIBLE.replace('?', '')} HTTP/1.1`), { rawPath: `/${VISIBLE.replace('?', '')}` }),
  ] },
  { rule: 'the authority of an absolute-form target replaces Host and comes first (RFC 9112 3.2.2)', rows: [
    reads(line('GET http://b/c?d HTTP/1.1'), { rawPath: '/c', queryString: 'd', headers: [['host', 'b']] }),
    reads(line('GET http://b HTTP/1.1'), { headers: [['host', 'b']] }),
    reads(line('GET http://b?c HTTP/1.1'), { queryString: 'c', headers: [['host', 'b']] }),
    reads(line('GET http://b?c/d HTTP/1.1'), { queryString: 'c/d', headers: [['host', 'b']] }),
    reads(line('GET http://b? HTTP/1.1'), { headers: [['host', 'b']] }),
    reads(line('GET HTTP://B:80/ HTTP/1.1'), { headers: [['host', 'B:80']] }),
    reads(line('GET http://[::1]:8000/x HTTP/1.1'), { rawPath: '/x', headers: [['host', '[::1]:8000']] }),
    reads(line('GET http://b:/x HTTP/1.1'), { rawPath: '/x', headers: [['host', 'b:']] }),
    reads(line('GET http://b//c@d HTTP/1.1'), { rawPath: '//c@d', headers: [['host', 'b']] }),
    reads('GET http://b/ HTTP/1.1\r\nX: y\r\nhOST: a\r\nZ: z\r\n\r\n', { headers: [['host', 'b'], ['x', 'y'], ['z', 'z']] }),
    reads('GET http://b/ HTTP/1.1\r\nHost:\r\n\r\n', { headers: [['host', 'b']] }),
    reads('GET http://b/ HTTP/1.0\r\n\r\n', { version: '1.0', keepAlive: false, headers: [['host', 'b']] }),
    reads(line('GET https://b/c HTTP/1.1'), { rawPath: '/c', headers: [['host', 'b']] }, { scheme: 'https' }),
  ] },
  { rule: '* is a target of OPTIONS, and so is an absolute URI without path and query (RFC 9112 3.2.4)', rows: [
    reads(line('OPTIONS * HTTP/1.1'), { method: 'OPTIONS', rawPath: '*' }),
    reads(line('OPTIONS http://b HTTP/1.1'), { method: 'OPTIONS', rawPath: '*', headers: [['host', 'b']] }),
    reads(line('OPTIONS http://b/ HTTP/1.1'), { method: 'OPTIONS', headers: [['host', 'b']] }),
    reads(line('OPTIONS http://b?c HTTP/1.1'), { method: 'OPTIONS', queryString: 'c', headers: [['host', 'b']] }),
    reads(line('OPTIONS http://b? HTTP/1.1'), { method: 'OPTIONS', headers: [['host', 'b']] }),
  ] },
  { rule: 'Host is empty, or a name, an IPv4 address or an IP literal with or without a port (RFC 9110 7.2)', rows: [
    ...['', 'b', 'B.example.', '127.0.0.1', '999.1.2.3', 'b:80', 'b:', 'b:0', 'b:00080', 'b:65535', 'under_score', 'a%41', 'a-._~!$&\'()*+;=', '1', '[::1]', '[::1]:80',
      '[::1]:', '[::]', '[2001:DB8::1:2]', '[::ffff:127.0.0.1]', '[v1.a:b]', '[vF.~]:1'].map((value) => reads(host(value), { headers: [['host', value]] })),
    reads('GET / HTTP/1.1\r\nHost:\t b \t\r\n\r\n', { headers: [['host', 'b']] }),
    reads('GET / HTTP/1.1\r\nHost:b\r\n\r\n', { headers: [['host', 'b']] }),
    reads('GET / HTTP/1.1\r\nhOsT: b\r\n\r\n', { headers: [['host', 'b']] }),
    reads('GET / HTTP/1.0\r\nHost:\r\n\r\n', { version: '1.0', keepAlive: false, headers: [['host', '']] }),
  ] },
  { rule: 'field names are tokens, read in lower case; order and repetition are kept (RFC 9110 5.1, 5.3)', rows: [
    reads(fields(`${TCHARS}: x`), { headers: withHost([TCHARS.toLowerCase(), 'x']) }),
    reads(fields('B: 1', 'a: 2', 'b: 3', 'A: 2'), { headers: withHost(['b', '1'], ['a', '2'], ['b', '3'], ['a', '2']) }),
    reads(fields('Content-Lengths: x', 'Content_Length: +1', 'Hos: a,b', 'Transfer_Encoding: x'),
      { headers: withHost(['content-lengths', 'x'], ['content_length', '+1'], ['hos', 'a,b'], ['transfer_encoding', 'x']) }),
  ] },
  { rule: 'a value is anything but control characters, HTAB excepted, without white space at its ends (RFC 9110 5.5)', rows: [
    reads(fields('x:'), { headers: withHost(['x', '']) }),
    reads(fields('x: \t '), { headers: withHost(['x', '']) }),
    reads(fields('x:y'), { headers: withHost(['x', 'y']) }),
    reads(fields('x: \ty z\tw\t '), { headers: withHost(['x', 'y z\tw']) }),
    reads(fields('x: :a: b:'), { headers: withHost(['x', ':a: b:']) }),
    reads(fields('x: "a", b;c=d\\'), { headers: withHost(['x', '"a", b;c=d\\']) }),
    ...Array.from({ length: 224 }, (_, i) => String.fromCharCode(32 + i)).filter((char) => char !== '\x7f')
      .map((char) => reads(fields(`x: <${char}>`), { headers: withHost(['x', `<${char}>`]) })),
    reads(fields('x: \xa0\x85y\xa0'), { headers: withHost(['x', '\xa0\x85y\xa0']) }),
    ...Array.from({ length: 12 }, (_, i) => reads(fields(`x: ${'a'.repeat(i)}`, `y:${'b'.repeat(i)}\t`), { headers: withHost(['x', 'a'.repeat(i)], ['y', 'b'.repeat(i)]) })),
  ] },
  { rule: 'at most two empty lines come before a request line (RFC 9112 2.2)', rows: [
    reads(`\r\n${fields()}`),
    reads(`\r\n\r\n${fields()}`),
    reads(`${fields()}\r\n\r\n${fields()}`, [{}, {}]),
    reads(`\r\n\r\n${fields()}\r\n\r\n${fields()}`, [{}, {}]),
  ] },
  { rule: 'pipelined requests are read one after the other (RFC 9112 9.3.2)', rows: [
    reads(fields() + line('HEAD /b HTTP/1.1') + host('c'), [{}, { method: 'HEAD', rawPath: '/b' }, { headers: [['host', 'c']] }]),
    reads(fields('TE: trailers', 'Expect: 100-continue') + fields(), [{ headers: withHost(['te', 'trailers'], ['expect', '100-continue']), takesTrailers: true }, {}]),
    reads(`${fields('Content-Length: 3')}abc${fields()}`, [{ headers: withHost(['content-length', '3']), body: 'abc' }, {}]),
    reads(`${line('GET http://b/ HTTP/1.1')}${fields()}`, [{ headers: [['host', 'b']] }, {}]),
  ] },
  { rule: 'a connection persists in 1.1 unless close is listed, in 1.0 only if keep-alive is (RFC 9112 9.3)', rows: [
    ...['close', 'Close', 'x, close', 'close,keep-alive', 'keep-alive \t, CLOSE', ',close,'].map((value) => reads(fields(`Connection: ${value}`) + fields(),
      { headers: withHost(['connection', value]), keepAlive: false })),
    ...['', 'keep-alive', 'closed', 'x-close', 'close-x', '"close"'].map((value) => reads(fields(`Connection: ${value}`), { headers: withHost(['connection', value]) })),
    reads(fields('Connection: x', 'Connection: close'), { headers: withHost(['connection', 'x'], ['connection', 'close']), keepAlive: false }),
    ...['keep-alive', 'x, Keep-Alive'].map((value) => reads(`GET / HTTP/1.0\r\nConnection: ${value}\r\n\r\n${fields()}`,
      [{ version: '1.0', headers: [['connection', value]] }, {}])),
    ...['', 'x', 'keep-alive, close', 'keepalive'].map((value) => reads(`GET / HTTP/1.0\r\nConnection: ${value}\r\n\r\n${fields()}`,
      { version: '1.0', keepAlive: false, headers: [['connection', value]] })),
    reads('GET / HTTP/1.0\r\nKeep-Alive: 5\r\n\r\n', { version: '1.0', keepAlive: false, headers: [['keep-alive', '5']] }),
  ] },
  { rule: 'Expect: 100-continue is met when there is a body, and ignored in 1.0 (RFC 9110 10.1.1)', rows: [
    ...['100-continue', '100-Continue', '100-CONTINUE\t '].map((value) => reads(`${fields(`Expect: ${value}`, 'Content-Length: 1')}b`,
      { headers: withHost(['expect', value.trim()], ['content-length', '1']), body: 'b', expectContinue: true })),
    reads(`${fields('Expect: 100-continue', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
      { headers: withHost(['expect', '100-continue'], ['transfer-encoding', 'chunked']), expectContinue: true }),
    reads(fields('Expect: 100-continue'), { headers: withHost(['expect', '100-continue']) }),
    reads(fields('Expect: 100-continue', 'Content-Length: 0'), { headers: withHost(['expect', '100-continue'], ['content-length', '0']) }),
    ...['100-continue', 'x', ''].map((value) => reads(`POST / HTTP/1.0\r\nExpect: ${value}\r\nContent-Length: 1\r\n\r\nb`,
      { method: 'POST', version: '1.0', keepAlive: false, headers: [['expect', value], ['content-length', '1']], body: 'b' })),
  ] },
  { rule: 'trailers are taken when TE lists them, and never in 1.0 (RFC 9110 10.1.4)', rows: [
    ...['trailers', 'Trailers', 'gzip;q=0.5, trailers', 'trailers , x'].map((value) => reads(fields(`TE: ${value}`), { headers: withHost(['te', value]), takesTrailers: true })),
    reads(fields('TE: x', 'tE: trailers'), { headers: withHost(['te', 'x'], ['te', 'trailers']), takesTrailers: true }),
    ...['', 'trailer', 'x-trailers', 'gzip'].map((value) => reads(fields(`TE: ${value}`), { headers: withHost(['te', value]) })),
    reads('GET / HTTP/1.0\r\nTE: trailers\r\n\r\n', { version: '1.0', keepAlive: false, headers: [['te', 'trailers']] }),
  ] },
  { rule: 'a head of which a part is missing is waited for', rows: [
    ...['\r', '\r\n', 'G', 'GET', 'GET ', 'GET /', 'GET / ', 'GET / HTTP/', 'GET / HTTP/1.1', 'GET / HTTP/1.1\r', 'GET / HTTP/1.1\r\n', 'GET / HTTP/1.1\r\nH', 'GET / HTTP/1.1\r\nHost:',
      'GET / HTTP/1.1\r\nHost: ', 'GET / HTTP/1.1\r\nHost: a', 'GET / HTTP/1.1\r\nHost: a\r', 'GET / HTTP/1.1\r\nHost: a\r\n', 'GET / HTTP/1.1\r\nHost: a\r\n\r'].map((input) => waits(input)),
  ] },
]
