import { changed, files } from './static-fixture.ts'

/** What an answer must have. */
export interface Expected {
  readonly status: number
  /** Fields by name; null for one that must not be there. */
  readonly headers?: Readonly<Record<string, string | RegExp | null>>
  /** One character for each byte. */
  readonly body?: string | RegExp
  /** Of a multipart body: `content-range` and content of each part. */
  readonly parts?: readonly (readonly [string, string])[]
}

/** A request and what RFC 9110 has answered to it: the rule, method, path, fields, and the answer. */
export type Row = readonly [name: string, method: string, path: string, headers: readonly (readonly [string, string])[], expected: Expected]

type Fields = readonly (readonly [string, string])[]

const date = changed.toUTCString()
const earlier = new Date(changed.getTime() - 1000).toUTCString()
const later = new Date(changed.getTime() + 1000).toUTCString()
const old = 'Thursday, 29-Feb-24 12:30:45 GMT'
const asctime = 'Thu Feb 29 12:30:45 2024'

const missing: Expected = { status: 404, body: 'Not Found\n', headers: { 'etag': null, 'accept-ranges': null } }
const notModified: Expected = { status: 304, body: '', headers: { 'content-length': null, 'content-type': null } }
const failed: Expected = { status: 412, body: 'Precondition Failed\n', headers: { etag: null } }
const whole: Expected = { status: 200, body: '0123456789', headers: { 'content-length': '10', 'content-range': null } }

function part(range: string, body: string): Expected {
  return { status: 206, body, headers: { 'content-range': `bytes ${range}/10`, 'content-length': String(body.length), 'content-type': 'text/plain; charset=utf-8', 'accept-ranges': 'bytes' } }
}

function unsatisfiable(size = 10): Expected {
  return { status: 416, headers: { 'content-range': `bytes */${size}`, 'etag': null } }
}

function parts(...list: readonly (readonly [string, string])[]): Expected {
  return { status: 206, headers: { 'content-type': /^multipart\/byteranges; boundary=[\w-]+$/, 'content-range': null }, parts: list.map(([range, body]) => [`bytes ${range}/10`, body]) }
}

function coded(name: string, encoding: string | null): Expected {
  return { status: 200, body: files[name] ?? '', headers: { 'content-encoding': encoding, 'vary': 'accept-encoding', 'content-type': /^text\/(?:javascript|css); charset=utf-8$/ } }
}

/** A request of the fixture's digits with these fields. */
function digits(name: string, headers: Fields, expected: Expected, method = 'GET'): Row {
  return [name, method, '/digits.txt', headers, expected]
}

function attack(path: string, why: string): Row {
  return [`${why}: ${path}`, 'GET', path, [], missing]
}

/** `tag` is the entity tag of the digits. */
export function table(tag: string): readonly Row[] {
  return [
    ['a file has its type, its length, its validators', 'GET', '/digits.txt', [], {
      ...whole, headers: { ...whole.headers, 'content-type': 'text/plain; charset=utf-8', 'last-modified': date, 'etag': tag, 'accept-ranges': 'bytes', 'x-content-type-options': 'nosniff', 'cache-control': 'no-cache', 'vary': 'accept-encoding' },
    }],
    ['HEAD is GET without the body (9.3.2)', 'HEAD', '/digits.txt', [], { ...whole, body: '', headers: { ...whole.headers, 'etag': tag, 'last-modified': date, 'content-type': 'text/plain; charset=utf-8', 'accept-ranges': 'bytes' } }],
    ['an empty file', 'GET', '/empty.txt', [], { status: 200, body: '', headers: { 'content-length': '0' } }],
    ['a name without an end has no known type', 'GET', '/noextension', [], { status: 200, headers: { 'content-type': 'application/octet-stream' } }],
    ['the case of the end does not count', 'GET', '/photo.PNG', [], { status: 200, headers: { 'content-type': 'image/png' } }],
    ['the query does not count', 'GET', '/digits.txt?a=/../b', [], whole],
    ['an encoded space', 'GET', '/with%20space.txt', [], { status: 200, body: 'space\n' }],
    ['UTF-8 in escapes', 'GET', '/gr%C3%BC%c3%9fe.txt', [], { status: 200, body: 'hello\n' }],
    ['an encoded percent sign', 'GET', '/100%25.txt', [], { status: 200, body: 'percent\n' }],
    ['what is decoded is decoded once', 'GET', '/%252e%252e', [], { status: 200, body: 'an odd name\n' }],
    ['needless escapes', 'GET', '/%64igits%2etxt', [], whole],
    ['reserved characters that stand for themselves', 'GET', '/a&b=c.txt', [], { status: 200, body: 'amp\n' }],
    ['a link within the root', 'GET', '/inside.txt', [], whole],
    ['a file beneath a link within the root', 'GET', '/docs-too/guide.md', [], { status: 200, body: '# Guide\n' }],
    ['nothing there', 'GET', '/none.txt', [], missing],
    ['nothing there, HEAD', 'HEAD', '/none.txt', [], { status: 404, body: '' }],
    ['nothing there, with conditions that would fail (13.2.1)', 'GET', '/none.txt', [['if-match', '*']], missing],
    ['a file is no folder', 'GET', '/digits.txt/', [], missing],
    ['nothing is beneath a file', 'GET', '/digits.txt/more', [], missing],

    ['the root has its index', 'GET', '/', [], { status: 200, body: '<h1>home</h1>\n', headers: { 'content-type': 'text/html; charset=utf-8' } }],
    ['a folder has its index', 'GET', '/docs/', [], { status: 200, body: '<h1>docs</h1>\n' }],
    ['a folder without its slash (15.4.9)', 'GET', '/docs', [], { status: 308, headers: { location: './docs/' } }],
    ['a folder without its slash keeps the query', 'GET', '/docs/deep?a=1&b=%2F', [], { status: 308, headers: { location: './deep/?a=1&b=%2F' } }],
    ['a redirect to what looks like a scheme', 'HEAD', '/a:b', [], { status: 308, body: '', headers: { location: './a:b/' } }],
    ['a folder without an index', 'GET', '/bare/', [], missing],
    ['a folder without an index, without its slash', 'GET', '/bare', [], missing],
    ['an index that is a folder', 'GET', '/odd/', [], missing],

    ['another method on a file', 'POST', '/digits.txt', [], { status: 405, headers: { allow: 'GET, HEAD' } }],
    ['OPTIONS on a file', 'OPTIONS', '/digits.txt', [], { status: 405, headers: { allow: 'GET, HEAD' } }],
    ['another method on a folder', 'DELETE', '/docs', [], { status: 405, headers: { allow: 'GET, HEAD' } }],
    ['another method on nothing', 'PUT', '/none.txt', [], missing],
    ['OPTIONS of the server', 'OPTIONS', '*', [], missing],

    digits('If-None-Match with the tag (13.1.2)', [['if-none-match', tag]], { ...notModified, headers: { ...notModified.headers, 'etag': tag, 'cache-control': 'no-cache', 'vary': 'accept-encoding' } }),
    digits('If-None-Match with the tag, HEAD', [['if-none-match', tag]], notModified, 'HEAD'),
    digits('If-None-Match is compared weakly (8.8.3.2)', [['if-none-match', `W/${tag}`]], notModified),
    digits('If-None-Match with a list', [['if-none-match', `"a,b", , W/"c",${tag}`]], notModified),
    digits('If-None-Match in two lines', [['if-none-match', '"a"'], ['if-none-match', tag]], notModified),
    digits('If-None-Match with *', [['if-none-match', '*']], notModified),
    digits('If-None-Match with another tag', [['if-none-match', '"other"']], whole),
    digits('If-None-Match without quotes matches nothing', [['if-none-match', tag.slice(1, -1)]], whole),
    digits('If-None-Match: a tag within another is none', [['if-none-match', `"x${tag.slice(1)}`]], whole),
    digits('If-None-Match outranks If-Modified-Since (13.1.3)', [['if-none-match', '"other"'], ['if-modified-since', later]], whole),
    digits('If-None-Match outranks If-Modified-Since, the other way', [['if-none-match', tag], ['if-modified-since', earlier]], notModified),
    digits('If-Modified-Since with the very date', [['if-modified-since', date]], notModified),
    digits('If-Modified-Since with a later date', [['if-modified-since', later]], notModified),
    digits('If-Modified-Since with an earlier date', [['if-modified-since', earlier]], whole),
    digits('If-Modified-Since in the form of RFC 850 (5.6.7)', [['if-modified-since', old]], notModified),
    digits('If-Modified-Since in the form of asctime (5.6.7)', [['if-modified-since', asctime]], notModified),
    digits('If-Modified-Since that is no date', [['if-modified-since', '2030-01-01']], whole),
    digits('If-Modified-Since twice (13.1.3)', [['if-modified-since', later], ['if-modified-since', later]], whole),
    digits('If-Match with the tag (13.1.1)', [['if-match', `"a", ${tag}`]], whole),
    digits('If-Match with *', [['if-match', '*']], whole),
    digits('If-Match with another tag', [['if-match', '"other"']], failed),
    digits('If-Match is compared strongly (8.8.3.2)', [['if-match', `W/${tag}`]], failed),
    digits('If-Match comes before If-None-Match (13.2.2)', [['if-match', '"other"'], ['if-none-match', tag]], failed),
    digits('If-Match outranks If-Unmodified-Since (13.1.4)', [['if-match', tag], ['if-unmodified-since', earlier]], whole),
    digits('If-Match that holds goes on to If-None-Match', [['if-match', tag], ['if-none-match', tag]], notModified),
    digits('If-Unmodified-Since with the very date', [['if-unmodified-since', date]], whole),
    digits('If-Unmodified-Since with an earlier date', [['if-unmodified-since', earlier]], failed),
    digits('If-Unmodified-Since with an earlier date, HEAD', [['if-unmodified-since', earlier]], { ...failed, body: '' }, 'HEAD'),
    digits('If-Unmodified-Since that is no date', [['if-unmodified-since', 'yesterday']], whole),
    digits('conditions come before ranges (13.2.2)', [['if-none-match', tag], ['range', 'bytes=0-1']], notModified),
    digits('a failed condition comes before a range that is not satisfiable', [['if-match', '"other"'], ['range', 'bytes=99-']], failed),

    digits('a range (14.1.2)', [['range', 'bytes=2-5']], { ...part('2-5', '2345'), headers: { ...part('2-5', '2345').headers, 'etag': tag, 'last-modified': date, 'cache-control': 'no-cache', 'vary': 'accept-encoding' } }),
    digits('a range to the end', [['range', 'bytes=7-']], part('7-9', '789')),
    digits('a range that is the whole', [['range', 'bytes=0-']], part('0-9', '0123456789')),
    digits('a range beyond the end', [['range', 'bytes=8-100']], part('8-9', '89')),
    digits('a range beyond all numbers', [['range', `bytes=8-${'9'.repeat(400)}`]], part('8-9', '89')),
    digits('a suffix', [['range', 'bytes=-3']], part('7-9', '789')),
    digits('a suffix longer than the file', [['range', 'bytes=-100']], part('0-9', '0123456789')),
    digits('a unit has no case (14.1)', [['range', 'BYTES=0-0']], part('0-0', '0')),
    digits('a list with empty members (5.6.1.2)', [['range', 'bytes=, 3-4 ,']], part('3-4', '34')),
    digits('a suffix of nothing (14.1.2)', [['range', 'bytes=-0']], unsatisfiable()),
    digits('a range past the end', [['range', 'bytes=10-']], unsatisfiable()),
    digits('ranges past the end', [['range', 'bytes=10-11, 20-']], unsatisfiable()),
    digits('of several ranges one is satisfiable', [['range', 'bytes=5-6,20-']], part('5-6', '56')),
    digits('HEAD has no ranges (14.2)', [['range', 'bytes=0-1']], { ...whole, body: '' }, 'HEAD'),
    digits('HEAD has no ranges, satisfiable or not', [['range', 'bytes=99-']], { ...whole, body: '' }, 'HEAD'),
    ...[['another unit', 'items=0-1'], ['no unit', '0-1'], ['no range', 'bytes='], ['no members', 'bytes=,'], ['the end before the start', 'bytes=5-2'], ['the end before the start, of one', 'bytes=0-1,5-2'], ['letters', 'bytes=a-b'], ['a sign', 'bytes=+1-2'], ['a bare dash', 'bytes=-'], ['a hole', 'bytes=1 -2'], ['a space before =', 'bytes =1-2'], ['a fraction', 'bytes=0.5-2'], ['hexadecimal', 'bytes=0x1-2'], ['three numbers', 'bytes=1-2-3']]
      .map(([why, value]) => digits(`a Range that is ignored (14.2): ${why}`, [['range', value ?? '']], whole)),
    digits('Range twice is no list (5.3)', [['range', 'bytes=0-1'], ['range', 'bytes=4-5']], whole),
    digits('two ranges (14.6)', [['range', 'bytes=0-1,4-5']], parts(['0-1', '01'], ['4-5', '45'])),
    digits('two ranges in the order in which they were asked for', [['range', 'bytes=-1, 0-0']], parts(['9-9', '9'], ['0-0', '0'])),
    digits('ranges that touch stay two', [['range', 'bytes=0-4,5-9']], parts(['0-4', '01234'], ['5-9', '56789'])),
    digits('ranges that overlap become one (15.3.7.2)', [['range', 'bytes=0-4,3-6']], part('0-6', '0123456')),
    digits('one overlaps two others', [['range', 'bytes=0-1,8-9,4-5,1-4']], parts(['0-5', '012345'], ['8-9', '89'])),
    digits('the same range many times is one', [['range', `bytes=${'0-,'.repeat(60)}0-`]], part('0-9', '0123456789')),
    digits('too many ranges are ignored', [['range', `bytes=${'0-0,'.repeat(64)}0-0`]], whole),
    ['an empty file has no ranges', 'GET', '/empty.txt', [['range', 'bytes=0-']], { status: 200, body: '' }],
    ['an empty file has no suffixes', 'GET', '/empty.txt', [['range', 'bytes=-5']], { status: 200, body: '' }],

    digits('If-Range with the tag (13.1.5)', [['range', 'bytes=0-1'], ['if-range', tag]], part('0-1', '01')),
    digits('If-Range with another tag', [['range', 'bytes=0-1'], ['if-range', '"other"']], whole),
    digits('If-Range is compared strongly', [['range', 'bytes=0-1'], ['if-range', `W/${tag}`]], whole),
    digits('If-Range with the date', [['range', 'bytes=0-1'], ['if-range', date]], part('0-1', '01')),
    digits('If-Range with a later date is no match', [['range', 'bytes=0-1'], ['if-range', later]], whole),
    digits('If-Range with an earlier date', [['range', 'bytes=0-1'], ['if-range', earlier]], whole),
    digits('If-Range with neither tag nor date', [['range', 'bytes=0-1'], ['if-range', '*']], whole),
    digits('If-Range that fails lets no range be unsatisfiable', [['range', 'bytes=99-'], ['if-range', '"other"']], whole),
    digits('If-Range without Range is ignored', [['if-range', '"other"']], whole),

    ['a client that says nothing gets the plain file (12.5.3)', 'GET', '/app.js', [], coded('app.js', null)],
    ...([
      ['gzip', 'gzip', '.gz'], ['x-gzip is gzip (8.4.1.3)', 'x-gzip', '.gz'], ['case does not count', 'GZIP', '.gz'], ['the order of the client does not count', 'gzip, deflate, br', '.br'],
      ['zstd', 'zstd, gzip', '.zst'], ['weights count', 'br;q=0.5, gzip;q=0.8', '.gz'], ['a weight of 0', 'br;q=0, gzip', '.gz'], ['any', '*', '.br'], ['any but one', 'br;q=0, zstd; q=0.0, *;q=0.1', '.gz'],
      ['the plain file at the same weight comes last', 'identity, gzip', '.gz'], ['the plain file preferred', 'gzip;q=0.5, identity', ''], ['an unlisted plain file comes after what is listed', 'gzip;q=0.001', '.gz'],
      ['nothing accepted', '', ''], ['others only', 'deflate, compress', ''], ['malformed members are ignored', 'gzip;q=2, br;x=1, zstd;q=', ''], ['the plain file refused', 'identity;q=0, gzip', '.gz'], ['all but the plain file refused', 'identity;q=1, *;q=0', ''],
    ] as const).map(([why, value, end]): Row => [`Accept-Encoding: ${why}`, 'GET', '/app.js', [['accept-encoding', value]], coded(`app.js${end}`, end === '' ? null : { '.br': 'br', '.gz': 'gzip', '.zst': 'zstd' }[end])]),
    ['Accept-Encoding in two lines', 'GET', '/app.js', [['accept-encoding', 'identity'], ['accept-encoding', 'br']], coded('app.js.br', 'br')],
    ['HEAD chooses as GET does', 'HEAD', '/app.js', [['accept-encoding', 'gzip']], { status: 200, body: '', headers: { 'content-encoding': 'gzip', 'content-length': String(files['app.js.gz']?.length) } }],
    ['what does not lie there is not sent', 'GET', '/site.css', [['accept-encoding', 'br, zstd, gzip']], coded('site.css.gz', 'gzip')],
    ['no acceptable coding (15.5.7)', 'GET', '/digits.txt', [['accept-encoding', 'gzip, identity;q=0']], { status: 406, headers: { vary: 'accept-encoding' } }],
    ['no acceptable coding, by *', 'GET', '/digits.txt', [['accept-encoding', 'gzip, *;q=0']], { status: 406 }],
    ['a range is one of the coded file (14.2)', 'GET', '/app.js', [['accept-encoding', 'gzip'], ['range', 'bytes=0-1']], { status: 206, body: '\x1f\x8b', headers: { 'content-encoding': 'gzip', 'content-range': `bytes 0-1/${files['app.js.gz']?.length}` } }],
    ['of a coded file there is no multipart body', 'GET', '/app.js', [['accept-encoding', 'gzip'], ['range', 'bytes=0-1,4-5']], coded('app.js.gz', 'gzip')],
    ['the tag of another coding does not match', 'GET', '/app.js', [['accept-encoding', 'gzip'], ['if-match', tag]], { status: 412 }],
    ['a coded file itself has no coding', 'GET', '/app.js.gz', [['accept-encoding', 'gzip']], { status: 200, body: files['app.js.gz'] ?? '', headers: { 'content-encoding': null, 'content-type': 'application/gzip' } }],
    ['a sibling that leads out of the root is not sent', 'GET', '/evil.txt', [['accept-encoding', 'gzip']], { status: 200, body: 'plain\n', headers: { 'content-encoding': null } }],

    attack('/../secret.txt', 'a dot segment'),
    attack('/docs/../digits.txt', 'a dot segment that stays within'),
    attack('/./digits.txt', 'a single dot'),
    attack('/docs/..', 'a dot segment at the end'),
    attack('/%2e%2e/secret.txt', 'encoded dots'),
    attack('/.%2E/secret.txt', 'half encoded dots'),
    attack('/..%2fsecret.txt', 'an encoded slash'),
    attack('/docs%2Fguide.md', 'an encoded slash that stays within'),
    attack('/..%5csecret.txt', 'an encoded backslash'),
    attack('/..\\secret.txt', 'a backslash'),
    attack('/docs\\guide.md', 'a backslash that stays within'),
    attack('/%252e%252e/secret.txt', 'encoded twice'),
    attack('/%c0%ae%c0%ae/secret.txt', 'overlong dots'),
    attack('/..%c0%afsecret.txt', 'an overlong slash'),
    attack('/%ff%fe.txt', 'bytes that are not UTF-8'),
    attack('/digits.txt%', 'half an escape'),
    attack('/%zz.txt', 'an escape that is none'),
    attack('/%u002e%u002e/secret.txt', 'an escape of long ago'),
    attack('/digits.txt%00', 'a NUL at the end'),
    attack('/digits.txt%00.html', 'a NUL within'),
    attack('/digits.txt%0a', 'a line feed'),
    attack('//digits.txt', 'an empty segment'),
    attack('//evil.example/docs', 'a redirect to a host'),
    attack('//evil.example/..', 'a redirect to a host, with dots'),
    attack('/%2fevil.example/docs', 'a redirect to a host, encoded'),
    attack('/\\evil.example/docs', 'a redirect to a host, by a backslash'),
    attack('/docs//guide.md', 'an empty segment within'),
    attack('/docs/deep//', 'an empty segment at the end'),
    attack('/root-too/secret.txt', 'a folder beside the root'),
    attack('/../root-too/secret.txt', 'a folder whose name begins like the root\'s'),
    attack('/.secret', 'a dotfile'),
    attack('/%2esecret', 'an encoded dotfile'),
    attack('/.git/config', 'beneath a dotfile'),
    attack('/...', 'three dots'),
    attack('/.git', 'a folder with a dot'),
    attack('/out.txt', 'a link out of the root'),
    attack('/out-absolute.txt', 'an absolute link out of the root'),
    attack('/out/secret.txt', 'a linked folder out of the root'),
    attack('/beside/secret.txt', 'a linked folder whose name begins like the root\'s'),
    attack('/out/', 'a linked folder out of the root, by itself'),
    attack('/out', 'a linked folder out of the root, without a slash'),
    attack('/loop', 'a link to itself'),
    attack('/dangling', 'a link to nothing'),
    attack('/fifo', 'a fifo'),
    attack('/socket', 'a socket'),
    attack(`/${'a'.repeat(300)}`, 'a name that is too long'),
    attack(`/${'a/'.repeat(2500)}`, 'a path that is too long'),
    attack('/C:/Windows/win.ini', 'a drive'),
    attack('/digits.txt::$DATA', 'a stream'),
    attack('/proc/self/environ', 'what is elsewhere'),
    attack('/digits.txt/..', 'a file as a folder'),
    attack('/~root/.profile', 'a home'),
    attack('/digits.txt;a=b', 'path parameters'),
  ]
}
