import type { HeaderList } from '../../contract/headers.ts'
import { forbiddenInTrailers } from '../../exchange/headers.ts'
import { BACKSLASH, CR, DQUOTE, EQUALS, HTAB, LF, SEMICOLON, SP, TOKEN, VALUE } from './bytes.ts'
import { FieldParser } from './field-parser.ts'
import { FieldText } from './field-text.ts'
import { bad, Refusal } from '../refusal.ts'

/** The limits of a chunked body; Infinity for none. */
export interface ChunkedLimits {
  /** Bytes of the trailer section. */
  readonly trailers: number
  /** Trailer fields. */
  readonly fields: number
}

const SIZE_START = 0
const SIZE = 1
const EXTENSION = 2
const NAME_START = 3
const NAME = 4
const AFTER_NAME = 5
const VALUE_START = 6
const TOKEN_VALUE = 7
const QUOTED = 8
const QUOTED_PAIR = 9
const SIZE_LF = 10
const DATA = 11
const DATA_CR = 12
const DATA_LF = 13
const TRAILERS = 14
const DONE = 15
const AFTER_QUOTED = 16

// 2^53 - 1 has 14 hexadecimal digits; leading zeros are legal, within reason.
const SIZE_DIGITS = 16

/** Bytes of chunk extensions that a whole body may have: they carry nothing that is delivered. */
const EXTENSIONS_LIMIT = 16384

/**
 * Reads a chunked body (RFC 9112 7.1) from bytes that may come in any pieces. Chunk data is not kept;
 * only the trailer section must still be there on the next call.
 */
export class ChunkedParser extends FieldParser {
  /** The trailer fields, once the body is complete; null when there were none. */
  trailers: HeaderList | null = null

  readonly #limitTrailers: number
  #state = SIZE_START
  #digits = 0
  #left = 0
  #extensions = 0
  #names: string[] | null = null

  constructor(limits: ChunkedLimits) {
    super(limits.fields)
    this.#limitTrailers = limits.trailers
  }

  /** Whether the last chunk and the trailer section have been read. */
  get done(): boolean {
    return this.#state === DONE
  }

  /**
   * Reads `bytes` from `from` to `length`, tells `data` where each run of chunk data starts and ends, and returns the position up to which the bytes
   * have been used up: the end, the end of the body, or the begin of an incomplete trailer section.
   * When the body is refused, `refusal` says why.
   */
  parse(bytes: Buffer, from: number, length: number, data: (start: number, end: number) => void): number {
    let at = from
    while (at < length) {
      const byte = bytes[at] as number
      switch (this.#state) {
        case SIZE_START:
        case SIZE: {
          const digit = hexDigit(byte)
          if (digit >= 0) {
            if (this.#state === SIZE_START) {
              this.#left = 0
              this.#digits = 0
              this.#state = SIZE
            }
            this.#left = this.#left * 16 + digit
            if (++this.#digits > SIZE_DIGITS || this.#left > Number.MAX_SAFE_INTEGER) return this.#refuse('a chunk size that is too large', at)
            at++
          } else if (this.#state === SIZE_START) {
            return this.#refuse('a chunk without a size (RFC 9112 7.1)', at)
          } else {
            if (byte !== CR && byte !== SEMICOLON && byte !== SP && byte !== HTAB) return this.#refuse('a chunk size is not hexadecimal (RFC 9112 7.1)', at)
            this.#state = byte === CR ? SIZE_LF : byte === SEMICOLON ? NAME_START : EXTENSION
            at++
          }
          break
        }
        case EXTENSION:
        case NAME_START:
        case NAME:
        case AFTER_NAME:
        case VALUE_START:
        case TOKEN_VALUE:
        case QUOTED:
        case QUOTED_PAIR:
        case AFTER_QUOTED: {
          const next = extensionState(this.#state, byte)
          if (next < 0) return this.#refuse('a malformed chunk extension (RFC 9112 7.1.1)', at)
          if (++this.#extensions > EXTENSIONS_LIMIT) {
            this.refusal = new Refusal(413, `more than ${EXTENSIONS_LIMIT} bytes of chunk extensions`)
            return at
          }
          this.#state = next
          at++
          break
        }
        case SIZE_LF:
          if (byte !== LF) return this.#refuse('a bare CR after a chunk size (RFC 9112 7.1)', at)
          at++
          if (this.#left > 0) {
            this.#state = DATA
          } else {
            this.resetFields()
            this.#state = TRAILERS
          }
          break
        case DATA: {
          const end = Math.min(length, at + this.#left)
          data(at, end)
          this.#left -= end - at
          at = end
          if (this.#left === 0) this.#state = DATA_CR
          break
        }
        case DATA_CR:
          if (byte !== CR) return this.#refuse('a chunk is longer than its size (RFC 9112 7.1)', at)
          at++
          this.#state = DATA_LF
          break
        case DATA_LF:
          if (byte !== LF) return this.#refuse('a bare CR after a chunk (RFC 9112 7.1)', at)
          at++
          this.#state = SIZE_START
          break
        case TRAILERS:
          return this.#readTrailers(bytes, at, length)
        default:
          return at
      }
    }
    return at
  }

  protected override field(bytes: Buffer, nameStart: number, nameEnd: number): void {
    this.#names ??= []
    this.#names.push(bytes.toString('latin1', nameStart, nameEnd).toLowerCase())
  }

  #readTrailers(bytes: Buffer, base: number, length: number): number {
    const limit = base + this.#limitTrailers
    const complete = this.readFields(bytes, base, Math.min(length, limit))
    if (this.refusal !== null) return base
    if (!complete) {
      if (length >= limit) this.refusal = new Refusal(431, `a trailer section of more than ${this.#limitTrailers} bytes`)
      return base
    }
    this.#state = DONE
    const end = base + this.at
    if (this.#names !== null) {
      const all = new FieldText(bytes.toString('latin1', base, end), 0, null)
      this.trailers = this.#names.some((name) => forbiddenInTrailers.has(name)) ? all.without(forbiddenInTrailers) : all
    }
    return end
  }

  #refuse(reason: string, at: number): number {
    this.refusal = bad(reason)
    return at
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** The state after one byte of `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) CRLF`, or -1. */
function extensionState(state: number, byte: number): number {
  const blank = byte === SP || byte === HTAB
  switch (state) {
    case EXTENSION: // white space came: only another extension may follow
      return blank ? EXTENSION : byte === SEMICOLON ? NAME_START : -1
    case NAME_START:
      return blank ? NAME_START : TOKEN[byte] === 1 ? NAME : -1
    case NAME:
      if (TOKEN[byte] === 1) return NAME
      return blank ? AFTER_NAME : byte === EQUALS ? VALUE_START : byte === SEMICOLON ? NAME_START : byte === CR ? SIZE_LF : -1
    case AFTER_NAME:
      return blank ? AFTER_NAME : byte === EQUALS ? VALUE_START : byte === SEMICOLON ? NAME_START : -1
    case VALUE_START:
      return blank ? VALUE_START : byte === DQUOTE ? QUOTED : TOKEN[byte] === 1 ? TOKEN_VALUE : -1
    case TOKEN_VALUE:
      if (TOKEN[byte] === 1) return TOKEN_VALUE
      return afterValue(byte)
    case QUOTED:
      if (byte === DQUOTE) return AFTER_QUOTED
      return byte === BACKSLASH ? QUOTED_PAIR : VALUE[byte] === 1 ? QUOTED : -1
    case QUOTED_PAIR:
      return VALUE[byte] === 1 ? QUOTED : -1
    default:
      return afterValue(byte)
  }
}

function afterValue(byte: number): number {
  return byte === SP || byte === HTAB ? EXTENSION : byte === SEMICOLON ? NAME_START : byte === CR ? SIZE_LF : -1
}
