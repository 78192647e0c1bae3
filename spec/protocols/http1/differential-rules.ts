import { forbiddenInTrailers } from '../../../lib/exchange/headers.ts'
import { METHODS } from 'node:http'
import { isIPv6 } from 'node:net'

/** One request's bytes, taken apart roughly: what is in no order ends up in some part, and nothing is judged. */
export interface Message {
  /** CR and LF before the request line. */
  readonly leading: string
  readonly line: string
  /** Whether the line has its end. */
  readonly lineEnded: boolean
  readonly method: string
  /** What is between the method and the version, or the end of the line. */
  readonly target: string
  /** The last word of a line of three words or more. */
  readonly version: string
  /** Field lines up to the first empty one. */
  readonly lines: readonly string[]
  /** Whether the empty line is there. */
  readonly headEnded: boolean
  /** Bytes from the request line to the end of the empty line. */
  readonly headSize: number
  /** The values of fields, by their name in lower case. */
  readonly values: (name: string) => readonly string[]
  /** The lines that give chunk sizes, up to the last chunk. */
  readonly chunkLines: readonly string[]
  /** What follows the last chunk's line, in lines. */
  readonly trailerLines: readonly string[]
  /** The request before it on the connection. */
  readonly previous: Message | null
}

/**
 * How two readings of one request differ: we refuse what Node reads or waits for more of; Node refuses what we read or
 * wait for more of; Node does not see what we read; both read it, and not the same.
 */
export type Difference = 'we refuse' | 'node refuses' | 'node is silent' | 'both read'

/** A reason for differences. It sees bytes only, never what came of them. */
export interface DifferentialRule {
  /** The clause or decision it stands on. */
  readonly name: string
  readonly differences: readonly Difference[]
  readonly applies: (message: Message) => boolean
}

/** Takes one request's bytes apart; `text` is all that follows the request before. */
export function messageOf(text: string, previous: Message | null): Message {
  const leading = /^[\r\n]*/.exec(text)?.[0] ?? ''
  const rest = text.slice(leading.length)
  const line = /^[^\r\n]*/.exec(rest)?.[0] ?? ''
  const headEnd = rest.indexOf('\r\n\r\n')
  const head = headEnd < 0 ? rest : rest.slice(0, headEnd)
  const lines = head.slice(line.length).split('\r\n').slice(1)
  const body = headEnd < 0 ? '' : rest.slice(headEnd + 4)
  const words = line.split(' ')
  const version = words.length > 2 ? words.at(-1) ?? '' : ''
  const method = words[0] ?? ''
  const { chunkLines, trailerLines } = chunksOf(body)
  return {
    leading,
    line,
    lineEnded: line.length < rest.length,
    method,
    target: line.slice(method.length + 1, version === '' ? undefined : -version.length - 1),
    version,
    lines,
    headEnded: headEnd >= 0,
    headSize: head.length + 4,
    values: (name) => lines.filter((each) => each.toLowerCase().startsWith(`${name}:`)).map((each) => each.slice(name.length + 1).replace(/^[ \t]+|[ \t]+$/g, '')),
    chunkLines,
    trailerLines,
    previous,
  }
}

function chunksOf(body: string): { chunkLines: readonly string[]; trailerLines: readonly string[] } {
  const chunkLines: string[] = []
  let at = 0
  while (at < body.length) {
    const end = body.indexOf('\r\n', at)
    const text = body.slice(at, end < 0 ? undefined : end).replace(/\r$/, '')
    const digits = /^[0-9a-f]+/i.exec(text)?.[0]
    chunkLines.push(text)
    if (digits === undefined || end < 0) break
    const size = parseInt(digits, 16)
    at = end + 2 + size + 2
    if (size === 0) return { chunkLines, trailerLines: body.slice(end + 2).split('\r\n') }
  }
  return { chunkLines, trailerLines: [] }
}

const HTTP10 = 'HTTP/1.0'
const AUTHORITY = /^(?:(\[[^\]]*\])|(?:[\w\-.~!$&'()*+;=]|%[0-9a-f]{2})+)(?::(\d*))?$/i

/** RFC 9110 4.2.1 and 7.2, as the design has it. */
function isAuthority(text: string): boolean {
  const match = AUTHORITY.exec(text)
  if (match === null || Number(match[2] ?? 0) > 65535) return false
  const literal = match[1]?.slice(1, -1)
  return literal === undefined || (isIPv6(literal) && !literal.includes('%')) || /^v[0-9a-f]+\.[\w\-.~!$&'()*+;=:]+$/i.test(literal)
}

function isTarget({ target, method }: Message): boolean {
  if (target.startsWith('/')) return true
  if (target === '*') return method === 'OPTIONS'
  return /^http:\/\//i.test(target) && isAuthority(target.slice(7).split(/[/?]/, 1)[0] ?? '')
}

const TOKEN = '[!#$%&\'*+\\-.^_`|~0-9A-Za-z]+'
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t \\x21-\\x7e\\x80-\\xff])*"'
const BLANK = '[ \\t]*'
const CHUNK_LINE = new RegExp(`^[0-9A-Fa-f]+(?:${BLANK};${BLANK}${TOKEN}(?:${BLANK}=${BLANK}(?:${TOKEN}|${QUOTED}))?)*$`)

function hasUpgrade(message: Message): boolean {
  return message.values('upgrade').length > 0 && message.values('connection').some((value) => /upgrade/i.test(value))
}

function hasOddVersion({ version }: Message): boolean {
  return /^HTTP\/\d\.\d/.test(version) && !/^HTTP\/1\.[01]/.test(version)
}

function hasOddFraming({ values, lines }: Message): boolean {
  const codings = values('transfer-encoding')
  return (codings.length > 0 && (codings.join().toLowerCase() !== 'chunked' || values('content-length').length > 0)) || /^content-length:[ \t]*\d*[^\d]/i.test(lines.at(-1) ?? '')
}

/** Every difference between this parser and that of node:http. */
export const RULES: readonly DifferentialRule[] = [
  {
    name: 'RFC 9112 2.2: only whole empty lines come before a request line, and at most two',
    differences: ['we refuse'],
    applies: ({ leading }) => !/^(?:\r\n){0,2}$/.test(leading),
  },
  {
    name: 'RFC 9112 3: one space stands between the parts of a request line',
    differences: ['we refuse'],
    applies: ({ line }) => line.includes('  '),
  },
  {
    name: 'RFC 9112 3: a request line has a version; node takes HTTP/0.9, or waits',
    differences: ['we refuse'],
    applies: ({ line, lineEnded }) => lineEnded && /^[^ ]+ [^ ]* ?$/.test(line),
  },
  {
    name: 'RFC 9112 2.3: a version is HTTP/x.y; node takes RTSP and ICE',
    differences: ['we refuse'],
    applies: ({ version, lineEnded }) => version !== '' && ['RTSP/1.0', 'ICE/1.0'].some((known) => lineEnded ? version === known : known.startsWith(version)),
  },
  {
    name: 'RFC 9110 2.5: versions other than 1.0 and 1.1 are not served; node serves 0.9 and 2.0',
    differences: ['we refuse'],
    applies: ({ version }) => /^HTTP\/(?:0\.9|2\.0)$/.test(version),
  },
  {
    name: 'RFC 9110 4.2.5: a fragment is never sent',
    differences: ['we refuse'],
    applies: ({ target }) => target.includes('#'),
  },
  {
    name: 'RFC 9112 3.2: a target is a path, an absolute URI of this scheme with a valid authority, or * for OPTIONS',
    differences: ['we refuse'],
    applies: (message) => message.target !== '' && !isTarget(message),
  },
  {
    name: 'RFC 9112 3, 6: node judges target, version and framing fields before the head is complete; we judge them after it',
    differences: ['node refuses'],
    applies: (message) => !message.headEnded && (hasOddVersion(message) || hasOddFraming(message) || (message.target !== '' && !isTarget(message))),
  },
  {
    name: 'RFC 9112 3.2: Host comes once',
    differences: ['we refuse'],
    applies: ({ values }) => values('host').length > 1,
  },
  {
    name: 'RFC 9112 3.2: Host is a host and a port, or empty',
    differences: ['we refuse'],
    applies: ({ values }) => values('host').some((value) => value !== '' && !isAuthority(value)),
  },
  {
    name: 'RFC 9110 10.1.1: the only expectation met is 100-continue, alone; node takes it among others',
    differences: ['we refuse'],
    applies: ({ values, version }) => version !== HTTP10 && values('expect').length > 0 && values('expect').join().toLowerCase() !== '100-continue',
  },
  {
    name: 'RFC 9112 6.1: the only transfer coding is chunked, once; node takes others before it',
    differences: ['we refuse'],
    applies: ({ values }) => values('transfer-encoding').length > 0 && values('transfer-encoding').join().toLowerCase() !== 'chunked',
  },
  {
    name: 'RFC 9112 6.1: Transfer-Encoding in HTTP/1.0 is refused',
    differences: ['we refuse'],
    applies: ({ values, version }) => version === HTTP10 && values('transfer-encoding').length > 0,
  },
  {
    name: 'design: Content-Length is at most 2^53 - 1; node counts to 2^64 - 1',
    differences: ['we refuse'],
    applies: ({ values }) => values('content-length').some((value) => /^\d+$/.test(value) && Number(value) > Number.MAX_SAFE_INTEGER),
  },
  {
    name: 'design: a chunk size is at most 2^53 - 1 and has at most 16 digits; node counts to 2^64 - 1',
    differences: ['we refuse'],
    applies: ({ chunkLines }) => chunkLines.some((line) => /^[0-9a-f]{17}/i.test(line) || parseInt(line, 16) > Number.MAX_SAFE_INTEGER),
  },
  {
    name: 'RFC 9112 7.1.1: a chunk extension is a name, and at most one token or quoted string',
    differences: ['we refuse'],
    applies: ({ chunkLines }) => chunkLines.some((line) => /^[0-9a-f]/i.test(line) && !CHUNK_LINE.test(line)),
  },
  {
    name: 'RFC 9112 7.1.1: white space may stand before ; and around = of a chunk extension; node refuses it',
    differences: ['node refuses'],
    applies: ({ chunkLines }) => chunkLines.some((line) => CHUNK_LINE.test(line) && /[ \t]/.test(line)),
  },
  {
    name: 'design: the chunk extensions of a body have at most 16384 bytes in all; node counts for each chunk',
    differences: ['we refuse'],
    applies: ({ chunkLines }) => chunkLines.reduce((sum, line) => sum + line.replace(/^[0-9a-f]+/i, '').length, 0) > 16384,
  },
  {
    name: 'design: a request line has at most 8192 bytes',
    differences: ['we refuse'],
    applies: ({ line }) => line.length > 8192,
  },
  {
    name: 'design: a head has at most 16384 bytes, all counted',
    differences: ['we refuse'],
    applies: ({ headSize }) => headSize > 16384,
  },
  {
    name: 'design: a head has at most 100 fields',
    differences: ['we refuse'],
    applies: ({ lines }) => lines.length > 100,
  },
  {
    name: 'RFC 9110 9.1: any upper-case token is a method; node knows a list, and judges the first bytes',
    differences: ['node refuses'],
    applies: ({ method, line }) => line !== '' && !(line.includes(' ') ? METHODS.includes(method) : METHODS.some((known) => known.startsWith(method))),
  },
  {
    name: 'RFC 9110 9.1: CONNECT and PRI are refused as soon as their line or head is read; node waits for what follows',
    differences: ['we refuse'],
    applies: ({ method, headEnded }) => method === 'PRI' || (method === 'CONNECT' && !headEnded),
  },
  {
    name: 'RFC 9112 5: a tab may stand around a Content-Length and a Transfer-Encoding; node refuses it',
    differences: ['node refuses'],
    applies: ({ lines }) => lines.some((line) => /^(?:content-length|transfer-encoding): *(?:\t[ \t]*)?(?:\d+|chunked) *(?:\t[ \t]*)?$/i.test(line) && line.includes('\t')),
  },
  {
    name: 'RFC 9112 9.3: close ends a connection of HTTP/1.0 even beside keep-alive; node keeps it',
    differences: ['both read'],
    applies: ({ values, version }) => version === HTTP10 && /(?:^|[ \t,])close(?:[ \t,]|$)/i.test(values('connection').join()) && /keep-alive/i.test(values('connection').join()),
  },
  {
    name: 'RFC 9110 6.5.1: fields that frame, route, authenticate or describe the content are dropped from trailers; node keeps them',
    differences: ['both read'],
    applies: ({ trailerLines }) => trailerLines.some((line) => forbiddenInTrailers.has(line.slice(0, line.indexOf(':')).toLowerCase())),
  },
  {
    name: 'RFC 9110 6.5.1: a Content-Length or Transfer-Encoding in trailers frames nothing; node refuses it',
    differences: ['node refuses'],
    applies: ({ trailerLines }) => trailerLines.some((line) => /^(?:content-length|transfer-encoding):/i.test(line)),
  },
  {
    name: 'RFC 9110 7.8: a message with an Upgrade that is ignored, and what follows it, is read on; node drops what follows, and errors too',
    differences: ['we refuse', 'node is silent'],
    applies: (message) => hasUpgrade(message) || (message.previous !== null && hasUpgrade(message.previous)),
  },
]
