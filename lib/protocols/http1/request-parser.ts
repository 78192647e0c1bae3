import { CR, LF, SP, TARGET, TOKEN } from './bytes.ts'
import { FieldParser } from './field-parser.ts'
import { FieldText } from './field-text.ts'
import { isAuthority, isAuthorityIn } from '../host.ts'
import { bad, Refusal } from '../refusal.ts'

/** The limits of a request's head; Infinity for none. */
export interface HeadLimits {
  /** Bytes of the whole head. */
  readonly head: number
  /** Bytes of the request line, without CRLF. */
  readonly requestLine: number
  /** Header fields. */
  readonly fields: number
}

/** The head of a request that is well-formed and may be served. */
export interface RequestHead {
  readonly method: string
  /** The path without the query, as sent; `*` for `OPTIONS *`. */
  readonly rawPath: string
  readonly queryString: string
  readonly httpVersion: '1.0' | '1.1'
  readonly headers: FieldText
  /** Bytes of the body; 0 when there is none, and when it is chunked. */
  readonly contentLength: number
  readonly chunked: boolean
  /** Whether the client would have the connection persist (RFC 9112 9.3). */
  readonly keepAlive: boolean
  readonly expectContinue: boolean
  /** Whether the client takes trailers (`TE: trailers`, RFC 9110 10.1.4). */
  readonly trailers: boolean
  /** Whether the client asks to go on with WebSocket (RFC 9110 7.8); both `upgrade` and `connection` must say so. */
  readonly webSocket: boolean
  /** Whether the client asks to go on with some other protocol, in the same way. `h2c` counts as none (RFC 9113 3.1). */
  readonly upgrade: boolean
}

const EMPTY_LINE = 0
const EMPTY_LINE_LF = 1
const METHOD = 2
const TARGET_START = 3
const TARGET_REST = 4
const VERSION = 5
const LINE_LF = 6
const FIELDS = 7

// RFC 9112 2.2: a server should skip at least one empty line before a request line.
const EMPTY_LINES = 2

/**
 * Reads the head of a request in one pass, from bytes that may come in any pieces: it keeps its place but no bytes.
 * What is refused, and with which status, depends on the bytes alone, never on how they were cut.
 */
export class RequestParser extends FieldParser {
  readonly #limits: HeadLimits
  readonly #scheme: string
  #state = EMPTY_LINE
  #emptyLines = 0
  #lineStart = 0
  #methodEnd = 0
  #targetEnd = 0
  #minor = 1
  #fieldsStart = 0

  // What the fields say.
  #hosts = 0
  #contentLength = -1
  #codings: string | null = null
  #connection: string | null = null
  #upgrade: string | null = null
  #expect: string | null = null
  #trailers = false

  /** `scheme` is that of the connection: an absolute target must have the same. */
  constructor(limits: HeadLimits, scheme: string) {
    super(limits.fields)
    this.#limits = limits
    this.#scheme = scheme
  }

  /** Whether a byte of a request has been read (empty lines before it do not count). */
  get begun(): boolean {
    return this.#state > EMPTY_LINE_LF
  }

  /** How many bytes from `base` the last complete head took, empty lines included. */
  get length(): number {
    return this.at
  }

  /**
   * Reads `bytes` up to `end` from `base`, where the head begins; what an earlier call has read is not read again, but must still
   * be there. Returns the head once it is complete, null while it is not, or why it is refused.
   */
  parse(bytes: Buffer, base: number, end: number): RequestHead | Refusal | null {
    if (this.#state === EMPTY_LINE && this.at === 0) this.#reset()
    if (this.#state !== FIELDS) {
      const refusal = this.#readLine(bytes, base, end)
      if (refusal !== null) return refusal
      if ((this.#state as number) !== FIELDS) return null
    }
    const limit = base + this.#lineStart + this.#limits.head
    const complete = this.readFields(bytes, base, Math.min(end, limit))
    if (this.refusal !== null) return this.refusal
    if (complete) {
      this.#state = EMPTY_LINE
      return this.#finish(bytes, base)
    }
    return end >= limit ? new Refusal(431, `a head of more than ${this.#limits.head} bytes`) : null
  }

  /** Makes ready for the next head; called by the owner once it has taken `length`. */
  next(): void {
    this.at = 0
  }

  #reset(): void {
    this.resetFields()
    this.#emptyLines = 0
    this.#hosts = 0
    this.#contentLength = -1
    this.#codings = null
    this.#connection = null
    this.#upgrade = null
    this.#expect = null
    this.#trailers = false
  }

  #readLine(bytes: Buffer, base: number, length: number): Refusal | null {
    const token = TOKEN
    const target = TARGET
    let at = base + this.at
    let state = this.#state
    while (at < length && state !== FIELDS) {
      switch (state) {
        case EMPTY_LINE:
          if (bytes[at] === CR) {
            if (this.#emptyLines === EMPTY_LINES) return bad('too many empty lines before the request line (RFC 9112 2.2)')
            this.#emptyLines++
            at++
            state = EMPTY_LINE_LF
          } else {
            this.#lineStart = at - base
            state = METHOD
          }
          break
        case EMPTY_LINE_LF:
          if (bytes[at] !== LF) return bad('a bare CR (RFC 9112 2.2)')
          at++
          state = EMPTY_LINE
          break
        case METHOD: {
          const limit = this.#lineLimit(base, length)
          while (at < limit && token[bytes[at] as number] === 1) at++
          if (at === limit) {
            if (at < length) return new Refusal(501, 'the method is longer than any that is known (RFC 9112 3)')
            break
          }
          if (bytes[at] === 0x16 && at - base === this.#lineStart) return bad('this looks like TLS, but the port speaks plain HTTP')
          if (bytes[at] !== SP || at - base === this.#lineStart) return bad('the request line does not begin with a method and a space (RFC 9112 3.1)')
          this.#methodEnd = at - base
          at++
          state = TARGET_START
          break
        }
        case TARGET_START:
          if (TARGET[bytes[at] as number] !== 1) return bad('no request target after the method (RFC 9112 3)')
          state = TARGET_REST
          break
        case TARGET_REST: {
          const limit = this.#lineLimit(base, length)
          while (at < limit && target[bytes[at] as number] === 1) at++
          if (at === limit) {
            if (at < length) return this.#tooLong()
            break
          }
          if (bytes[at] === CR || bytes[at] === LF) return bad('the request line has no version (RFC 9112 3)')
          if (bytes[at] !== SP) return bad('a character that a request target cannot have (RFC 9112 3.2)')
          this.#targetEnd = at - base
          at++
          state = VERSION
          break
        }
        case VERSION: {
          const from = base + this.#targetEnd + 1
          while (at < length && at < from + 8) {
            if (!isVersionByte(bytes[at] as number, at - from)) return bad('the version is not HTTP/x.y (RFC 9112 2.3)')
            at++
          }
          if (at === length) break
          if (bytes[at] !== CR) return bad('the request line does not end with its version and CRLF (RFC 9112 3)')
          if (at - base - this.#lineStart > this.#limits.requestLine) return this.#tooLong()
          at++
          state = LINE_LF
          break
        }
        case LINE_LF: {
          if (bytes[at] !== LF) return bad('a bare CR (RFC 9112 2.2)')
          const major = bytes[at - 4] as number
          const minor = bytes[at - 2] as number
          if (major !== 0x31 || (minor !== 0x31 && minor !== 0x30)) {
            return new Refusal(505, `HTTP/${String.fromCharCode(major)}.${String.fromCharCode(minor)} is not served here`)
          }
          this.#minor = minor - 0x30
          at++
          this.#fieldsStart = at - base
          state = FIELDS
          const refusal = checkMethod(bytes, base + this.#lineStart, base + this.#methodEnd)
          if (refusal !== null) return refusal
          break
        }
      }
    }
    this.at = at - base
    this.#state = state
    return null
  }

  #lineLimit(base: number, length: number): number {
    return Math.min(length, base + this.#lineStart + this.#limits.requestLine)
  }

  #tooLong(): Refusal {
    return new Refusal(414, `a request line of more than ${this.#limits.requestLine} bytes`)
  }

  protected override field(bytes: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    switch (nameEnd - nameStart) {
      case 2:
        if (isNamed(bytes, nameStart, 'te') && hasListItem(text(bytes, valueStart, valueEnd), 'trailers')) this.#trailers = true
        break
      case 4:
        if (isNamed(bytes, nameStart, 'host')) {
          if (++this.#hosts > 1) this.refusal = bad('a second Host (RFC 9112 3.2)')
          else if (valueEnd > valueStart && !isAuthorityIn(bytes, valueStart, valueEnd)) this.refusal = bad('Host is not a host and port (RFC 9112 3.2)')
        }
        break
      case 6:
        if (isNamed(bytes, nameStart, 'expect')) this.#expect = joined(this.#expect, bytes, valueStart, valueEnd)
        break
      case 7:
        if (isNamed(bytes, nameStart, 'upgrade')) this.#upgrade = joined(this.#upgrade, bytes, valueStart, valueEnd)
        break
      case 10:
        if (isNamed(bytes, nameStart, 'connection')) this.#connection = joined(this.#connection, bytes, valueStart, valueEnd)
        break
      case 14:
        if (isNamed(bytes, nameStart, 'content-length')) {
          if (this.#contentLength >= 0) this.refusal = bad('a second Content-Length (RFC 9112 6.3)')
          else this.#readContentLength(bytes, valueStart, valueEnd)
        }
        break
      case 17:
        if (isNamed(bytes, nameStart, 'transfer-encoding')) this.#codings = joined(this.#codings, bytes, valueStart, valueEnd)
        break
    }
  }

  #readContentLength(bytes: Buffer, start: number, end: number): void {
    let value = 0
    for (let at = start; at < end; at++) {
      const digit = (bytes[at] as number) - 0x30
      if (digit < 0 || digit > 9) {
        this.refusal = bad('Content-Length is not one number (RFC 9112 6.3)')
        return
      }
      value = value * 10 + digit
      if (value > Number.MAX_SAFE_INTEGER) {
        this.refusal = bad('Content-Length is too large')
        return
      }
    }
    if (start === end) this.refusal = bad('an empty Content-Length (RFC 9112 6.3)')
    this.#contentLength = value
  }

  /** The head is complete: what can be judged only now, and the result. */
  #finish(bytes: Buffer, base: number): RequestHead | Refusal {
    const old = this.#minor === 0
    if (!old && this.#hosts === 0) return bad('no Host (RFC 9112 3.2)')
    const refusal = this.#checkFraming(old)
    if (refusal !== null) return refusal
    let expectContinue = false
    if (this.#expect !== null && !old) {
      if (this.#expect.toLowerCase() !== '100-continue') return new Refusal(417, 'the only expectation that can be met is 100-continue (RFC 9110 10.1.1)')
      expectContinue = this.#codings !== null || this.#contentLength > 0
    }

    const head = bytes.toString('latin1', base + this.#lineStart, base + this.at)
    const method = methodName(head, this.#methodEnd - this.#lineStart)
    const targetStart = this.#methodEnd - this.#lineStart + 1
    const targetEnd = this.#targetEnd - this.#lineStart
    let pathStart = targetStart
    let host: string | null = null
    if (head.charCodeAt(targetStart) !== 0x2f) {
      if (head.charCodeAt(targetStart) === 0x2a && targetEnd === targetStart + 1) {
        if (method !== 'OPTIONS') return bad('the target * is for OPTIONS only (RFC 9112 3.2.4)')
      } else {
        const absolute = this.#readAbsolute(head.slice(targetStart, targetEnd))
        if (absolute instanceof Refusal) return absolute
        host = absolute
        pathStart = targetStart + this.#scheme.length + 3 + host.length
      }
    }
    const query = head.indexOf('?', pathStart)
    const pathEnd = query < 0 || query >= targetEnd ? targetEnd : query
    const rawPath = pathStart < pathEnd ? head.slice(pathStart, pathEnd) : emptyPath(method, pathEnd === targetEnd)
    return {
      method,
      rawPath,
      queryString: pathEnd === targetEnd ? '' : head.slice(pathEnd + 1, targetEnd),
      httpVersion: old ? '1.0' : '1.1',
      headers: new FieldText(head, this.#fieldsStart - this.#lineStart, host),
      contentLength: this.#contentLength < 0 ? 0 : this.#contentLength,
      chunked: this.#codings !== null,
      keepAlive: this.#keepAlive(old),
      expectContinue,
      trailers: this.#trailers && !old,
      webSocket: this.#upgrade !== null && this.#asksForWebSocket(this.#upgrade),
      upgrade: this.#upgrade !== null && this.#asksForMore(this.#upgrade),
    }
  }

  #checkFraming(old: boolean): Refusal | null {
    if (this.#codings === null) return null
    if (old) return bad('Transfer-Encoding in HTTP/1.0 (RFC 9112 6.1)')
    if (this.#contentLength >= 0) return bad('Content-Length beside Transfer-Encoding (RFC 9112 6.1)')
    const codings = this.#codings.toLowerCase()
    if (codings === 'chunked') return null
    // A parameter may be a quoted string with a comma in it.
    const list = codings.replace(/"(?:[^"\\]|\\.)*"/g, '""').split(',').map((coding) => coding.replace(/^[ \t]+|[ \t]+$/g, ''))
    if (list.some((coding) => !/^[!#$%&'*+\-.^_`|~0-9a-z]+(?:[ \t]*;.*)?$/.test(coding))) return bad('Transfer-Encoding is not a list of codings (RFC 9112 6.1)')
    const chunked = list.findIndex((coding) => coding.startsWith('chunked') && !/^[!#$%&'*+\-.^_`|~0-9a-z]/.test(coding.slice(7)))
    if (chunked >= 0 && (chunked !== list.length - 1 || list[chunked] !== 'chunked')) {
      return bad('chunked must be the last coding, once and without parameters (RFC 9112 6.1, 7.1)')
    }
    return new Refusal(501, 'the only transfer coding served here is chunked (RFC 9112 6.1)')
  }

  /** The authority of an absolute target (RFC 9112 3.2.2). */
  #readAbsolute(target: string): string | Refusal {
    const prefix = `${this.#scheme}://`
    if (!/^[A-Za-z][A-Za-z0-9+\-.]*:\/\//.test(target)) return bad('the request target is neither a path nor an absolute URI (RFC 9112 3.2)')
    if (target.slice(0, prefix.length).toLowerCase() !== prefix) return bad(`the scheme of the target is not ${this.#scheme}`)
    const rest = target.slice(prefix.length)
    const end = rest.search(/[/?]/)
    const authority = end < 0 ? rest : rest.slice(0, end)
    return isAuthority(authority) ? authority : bad('the authority of the target is not a host and port (RFC 9110 4.2.1, 4.2.4)')
  }

  #asksForWebSocket(upgrade: string): boolean {
    return this.#connection !== null && hasListItem(this.#connection, 'upgrade') && hasListItem(upgrade, 'websocket')
  }

  #asksForMore(upgrade: string): boolean {
    return this.#connection !== null && hasListItem(this.#connection, 'upgrade') && upgrade !== '' && upgrade.toLowerCase() !== 'h2c'
  }

  #keepAlive(old: boolean): boolean {
    if (this.#connection === null) return !old
    if (hasListItem(this.#connection, 'close')) return false
    return !old || hasListItem(this.#connection, 'keep-alive')
  }
}

function isVersionByte(byte: number, index: number): boolean {
  if (index === 5 || index === 7) return byte >= 0x30 && byte <= 0x39
  return byte === 'HTTP/ .'.charCodeAt(index)
}

/** CONNECT is for proxies; a method with a lower-case letter would slip past rules written for the upper-case one. */
function checkMethod(bytes: Buffer, start: number, end: number): Refusal | null {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    if (byte >= 0x61 && byte <= 0x7a) return new Refusal(501, 'methods are case-sensitive, and those served here are upper case (RFC 9110 9.1)')
  }
  if (end - start === 7 && text(bytes, start, end) === 'CONNECT') return new Refusal(501, 'CONNECT is not served here')
  return null
}

function methodName(head: string, end: number): string {
  switch (end) {
    case 3:
      if (head.startsWith('GET')) return 'GET'
      break
    case 4:
      if (head.startsWith('POST')) return 'POST'
      break
  }
  return head.slice(0, end)
}

/** An absolute target without a path: `/`, but `*` for OPTIONS (RFC 9112 3.2.4). */
function emptyPath(method: string, noQuery: boolean): string {
  return method === 'OPTIONS' && noQuery ? '*' : '/'
}

function isNamed(bytes: Uint8Array, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[start + i] as number
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    if (lower !== name.charCodeAt(i)) return false
  }
  return true
}

function text(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start, end)
}

function joined(before: string | null, bytes: Buffer, start: number, end: number): string {
  const value = text(bytes, start, end)
  return before === null ? value : `${before},${value}`
}

/** Whether a comma-separated list has an item, in any case. */
function hasListItem(list: string, item: string): boolean {
  if (list === item) return true
  for (const each of list.toLowerCase().split(',')) if (each.replace(/^[ \t]+|[ \t]+$/g, '') === item) return true
  return false
}
