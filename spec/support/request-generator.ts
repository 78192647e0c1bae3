/** Numbers that depend on a seed only (mulberry32). */
class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0
  }

  pick(list: readonly string[]): string {
    return list[this.below(list.length)] ?? ''
  }

  /** Up to `most` things. */
  several(most: number, make: () => string): readonly string[] {
    return Array.from({ length: this.below(most + 1) }, make)
  }
}

const METHODS = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']
const ODD_METHODS = ['FOO', 'get', 'Post', 'CONNECT', 'PRI', 'M-SEARCH', 'SOURCE', 'DESCRIBE', 'G', 'GETT', 'PROPFIND', '']
const TARGETS = ['/', '/', '/a', '/a/b?c=d', '/?', '/?a?b', '//a', '/%41%zz', '/a;b:c@d', '*']
const ODD_TARGETS = ['http://b/c?d', 'http://b', 'http://b:80?q', 'HTTP://B/', 'http://[::1]:80/x', 'https://b/', 'ftp://b/', 'http://u@b/', 'http://u:p@b/', 'http:///a', 'http://', 'b:80', '[::1]:80', 'b', '*', '?a', '', '/#a', '/a#b?c',
  '/?#', 'http://b/#c', '/\xe4', '/<>"{}|^`\\', '**', '/ /', '/a b', 's://]ufd/:', 'http://b:99999/', 'http://b,c/', 'http://a b/', 'http://b%/', 'http://b:x/', 'HTTP://b', '*?a', 'http://b/?c#', '/?\x7f']
const ODD_VERSIONS = ['HTTP/0.9', 'HTTP/2.0', 'HTTP/1.2', 'HTTP/3.0', 'HTTP/1', 'HTTP/1.10', 'http/1.1', 'RTSP/1.0', 'ICE/1.0', 'HTTP/01.1', 'HTTP/1.1 ', '', ' HTTP/1.1', 'HTTPS/1.1', 'HTTP/1,1']
const HOSTS = ['a', 'a', 'a', 'example.org:8080', '127.0.0.1', '[::1]:80', '']
const ODD_HOSTS = ['a b', 'a,b', 'u@a', 'a/', 'a:b', 'a:65536', ':80', '[::1', '[::1]x', 'a\xe4', 'a%', 'a%41', '"a"', '[::1%25x]', '[v1.x]', 'a:', 'http://a', '\ta\t', 'a#']
const NAMES = ['X', 'x-y', 'Accept', 'User-Agent', 'Cookie', 'Content-Type', 'X_Z', 'Content-Lengths', 'Upgrade-Insecure-Requests', '!#$%&\'*+-.^_`|~1']
const ODD_NAMES = ['', 'X ', 'X\t', 'X Y', 'X(', '"X"', '\xe4', ' X', '\tX', 'X\0', '@', 'Content-Length ', 'Transfer-Encoding ', 'X:']
const VALUES = ['', 'y', 'y z', 'a, b', '"q"', 'text/html;q=0.8,*/*', '\xe4\xff', 'a:b', '\ty\t', 'x\ty', 'chunked', '5']
const ODD_VALUES = ['\0', 'a\0b', '\x7f', 'a\rb', 'a\nb', '\x0bx', 'a\r\n b', 'a\r\n\tb', 'a\r', '\x1b', '\r\n x', 'a\x0c']
const CONNECTIONS = ['close', 'keep-alive', 'Close', 'keep-alive, close', 'upgrade', 'Upgrade', 'keep-alive, Upgrade', 'x', '', 'close, x', 'TE', ',close', 'closed', 'x close', 'close;a', 'close x', '"close"', 'Keep-Alive, x', 'close,']
const ODD_LENGTHS = ['+5', '-1', '5,5', '5, 5', '0x5', '5 5', '', '05', '9007199254740991', '9007199254740992', '18446744073709551615', '18446744073709551616', '5a', '5.0', '00', '\xb2', '5\t', '1e1']
const ODD_CODINGS = ['Chunked', 'gzip, chunked', 'chunked, chunked', 'chunked, identity', 'identity', 'gzip', 'xchunked', 'chunkedx', '"chunked"', 'chunked;a=b', '', ', chunked', 'chunked,', 'x chunked', '\x0bchunked', 'chunked\x0c', 'chunked\xa0', 'chunked gzip',
  'gzip,chunked ', '\tchunked\t', 'chunked, gzip', 'gzip;a="b,c", chunked', 'identity, chunked', 'gzip\tchunked', 'chunked, ,', 'xchunked, chunked']
const EXPECTS = ['100-continue', '100-Continue', 'x', '', '100-continue, x', '100-continue;a', 'x 100-continue', '100-continue,100-continue', '100-continuex']
const EXTENSIONS = [';a', ';a=b', ';a="b"', ' ;a', ';a ', '; a = b', ';', ' ', ';a=', ';a="', ';a="b', ';a="\\""', ';a="b"c', ';=b', ';a b', ';a,b', ';a="\xe4"', ';\xe4', ';a=\xe4', ';;a', '\t', ';a="\t"', ';a="\x01"', ';a=b ;c', ';a="b" ;c', ';a ;b', ';a=b;c="d"', ';a=;b', ';a=b=c', ';"a"',
  ';a\t=b', ';a="b;c"', ';a=/', ';a/b', ';a="\\\x01"', ';a="\\\xff"', ';a="\x7f"']
const ODD_SIZES = ['', '+1', '0x1', 'g', '00', '0000000000000000', '00000000000000000', '1g', '-0', 'ffffffffffffffff', '10000000000000000', '1fffffffffffff', '20000000000000', '1 1', '1_0', ' 1', '1\xa0']
const LINE_ENDS = ['\n', '\r', '\n\r', '\r\r\n', '\r\n\r\n', '\r\n\n', '', '\r\n ', '\r\n\t', ' \r\n', '\x0b\r\n']
const BYTES = [...'\r\r\n\n  \t\0\x0b\x0c\x7f\x80\xa0\xff:,;="\\/#?*@[]%0159aAfFgGzZ-+(_', '\r\n', '\r\n\r\n', '\r\n ', ': ', 'chunked', ', ', 'HTTP/1.1']

/**
 * The bytes of one connection, made from a seed: one to three requests by the grammar of RFC 9112, with parts that are
 * odd now and then, and some of them changed afterwards without regard to any grammar.
 */
export function generateRequests(seed: number): Buffer {
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995)
  const count = random.oneIn(3) ? 2 + random.below(2) : 1
  // How often a part is odd: never, seldom or often.
  const oddity = [Infinity, 60, 30, 12][random.below(4)] ?? Infinity
  let text = Array.from({ length: count }, () => request(random, oddity)).join('')
  // The end is missing.
  if (random.oneIn(12)) text = text.slice(0, 1 + random.below(text.length))
  if (!random.oneIn(3)) return Buffer.from(text, 'latin1')
  for (let changes = random.oneIn(3) ? 1 + random.below(4) : 1; changes > 0; changes--) text = changed(random, text)
  return Buffer.from(text, 'latin1')
}

function request(random: Random, oddity: number): string {
  const odd = (times = 1): boolean => oddity !== Infinity && random.oneIn(oddity * times)
  const method = odd() ? random.pick(ODD_METHODS) : random.pick(METHODS)
  const target = odd() ? random.pick(ODD_TARGETS) : odd(6) ? `/${'a'.repeat(8170 + random.below(20))}` : random.oneIn(12) ? random.pick(ODD_TARGETS.slice(0, 5)) : random.pick(TARGETS.slice(0, -1))
  const version = odd() ? random.pick(ODD_VERSIONS) : random.oneIn(15) ? 'HTTP/1.0' : 'HTTP/1.1'
  const lines: string[] = []
  if (!odd()) lines.push(`Host:${odd() ? random.pick(ODD_HOSTS) : ` ${random.pick(HOSTS)}`}`)
  if (odd(2)) lines.push(`host: ${random.pick(HOSTS)}`)
  lines.push(...random.several(3, () => `${odd() ? random.pick(ODD_NAMES) : random.pick(NAMES)}:${random.pick(['', ' ', '\t', '  '])}${odd() ? random.pick(ODD_VALUES) : random.pick(VALUES)}${random.oneIn(8) ? ' ' : ''}`))
  if (random.oneIn(10)) lines.push(`Connection: ${random.pick(CONNECTIONS)}`)
  if (odd()) lines.push(`Upgrade: ${random.pick(VALUES)}`)
  if (odd()) lines.push(`Expect: ${random.pick(EXPECTS)}`)
  if (random.oneIn(20)) lines.push(`TE: ${random.pick(['trailers', 'gzip', 'trailers;q=0.5', ''])}`)
  if (odd(6)) lines.push(...Array.from({ length: 95 + random.below(10) }, () => 'x:'))
  if (odd(6)) lines.push(`x: ${'y'.repeat(16384 - random.below(1000))}`)
  let body = ''
  const framing = random.below(6)
  if (framing === 0 || odd(2)) {
    const length = random.below(6)
    body = 'GET /x'.slice(0, length)
    lines.push(`Content-Length: ${odd() ? random.pick(ODD_LENGTHS) : length}`)
    if (odd()) lines.push(`content-length: ${random.pick([...ODD_LENGTHS, String(length)])}`)
  }
  if ((framing === 1 && version === 'HTTP/1.1') || odd()) {
    body = chunkedBody(random, odd)
    lines.push(`Transfer-Encoding: ${odd() ? random.pick(ODD_CODINGS) : 'chunked'}`)
    if (odd()) lines.push(`transfer-encoding: ${random.pick(['chunked', ...ODD_CODINGS])}`)
  }
  // Any order, by the draw.
  for (let at = lines.length - 1; at > 0; at--) lines.splice(random.below(at + 1), 0, ...lines.splice(at, 1))
  const before = random.oneIn(30) ? '\r\n'.repeat(1 + random.below(odd() ? 4 : 2)) : ''
  return `${before}${method} ${target} ${version}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`
}

function chunkedBody(random: Random, odd: (times?: number) => boolean): string {
  const extension = (): string => odd() ? random.pick(EXTENSIONS) : random.oneIn(8) ? random.pick(EXTENSIONS.slice(0, 3)) : odd(2) ? `;a${'b'.repeat(16370 + random.below(20))}` : ''
  const chunks = random.several(3, () => {
    const data = random.pick(['a', '\r\n', '0\r\n\r\n', 'abcdefghijklmnop', '\0\xff', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'])
    const size = odd() ? random.pick(ODD_SIZES) : (random.oneIn(4) ? '0' : '') + data.length.toString(16)
    return `${random.oneIn(4) ? size.toUpperCase() : size}${extension()}\r\n${data}${odd() ? random.pick(LINE_ENDS) : '\r\n'}`
  })
  const trailers = random.oneIn(3)
    ? random.several(2, () => `${odd() ? random.pick([...ODD_NAMES, 'Content-Length', 'Transfer-Encoding']) : random.oneIn(6) ? random.pick(['Host', 'Cookie', 'Authorization', 'Date']) : random.pick(NAMES.filter((name) => !/^co/i.test(name)))}: ${odd() ? random.pick(ODD_VALUES) : random.pick(VALUES)}\r\n`)
    : []
  return `${chunks.join('')}${odd() ? random.pick(ODD_SIZES) : '0'}${extension()}\r\n${trailers.join('')}\r\n`
}

/** A text with one thing changed. */
function changed(random: Random, text: string): string {
  const at = random.below(text.length)
  const lineEnd = text.indexOf('\r\n', at)
  switch (random.below(10)) {
    case 0: // a byte less
      return text.slice(0, at) + text.slice(at + 1)
    case 1: // some bytes less
      return text.slice(0, at) + text.slice(at + 1 + random.below(8))
    case 2: // a byte for another
      return text.slice(0, at) + random.pick(BYTES) + text.slice(at + 1)
    case 3: // a line end for another
    case 4:
    case 5:
      return lineEnd < 0 ? text : text.slice(0, lineEnd) + random.pick(LINE_ENDS) + text.slice(lineEnd + 2)
    case 6: { // a line twice
      const start = text.lastIndexOf('\r\n', at) + 2
      return start < 2 || lineEnd < start ? text : text.slice(0, lineEnd + 2) + text.slice(start)
    }
    case 7: // a letter in the other case
      return text.slice(0, at) + text.slice(at, at + 1).replace(/[a-z]/i, (letter) => String.fromCharCode(letter.charCodeAt(0) ^ 32)) + text.slice(at + 1)
    default: // some bytes more
      return text.slice(0, at) + random.pick(BYTES) + text.slice(at)
  }
}
