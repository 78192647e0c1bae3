import { COLON, CR, HTAB, LF, SP, TOKEN, VALUE } from './bytes.ts'
import { bad, Refusal } from '../refusal.ts'

const LINE_START = 0
const NAME = 1
const VALUE_START = 2
const VALUE_REST = 3
const VALUE_LF = 4
const BLOCK_LF = 5

/**
 * Reads a block of field lines up to its empty line (RFC 9112 5): the header section of a request and the trailer
 * section of a chunked body. It can stop at any byte and go on with the next. Positions are relative to a base that
 * the caller keeps, so that the bytes may move between calls.
 */
export abstract class FieldParser {
  /** Why the block is refused; null while it is not. */
  refusal: Refusal | null = null
  /** How far the block has been read, relative to the base. */
  protected at = 0

  readonly #limitFields: number
  #state = LINE_START
  #nameStart = 0
  #nameEnd = 0
  #valueStart = 0
  #count = 0

  constructor(limitFields: number) {
    this.#limitFields = limitFields
  }

  /** One field line was read. Positions are absolute in `bytes`; the value's have white space cut off. */
  protected abstract field(bytes: Uint8Array, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void

  protected resetFields(): void {
    this.refusal = null
    this.at = 0
    this.#state = LINE_START
    this.#count = 0
  }

  /** Reads on from `at` up to `end`. Returns true when the empty line has been read. */
  protected readFields(bytes: Uint8Array, base: number, end: number): boolean {
    const token = TOKEN
    const value = VALUE
    const view = viewOf(bytes)
    let state = this.#state
    let at = base + this.at
    while (at < end) {
      switch (state) {
        case LINE_START: {
          const byte = bytes[at] as number
          if (byte === CR) {
            at++
            state = BLOCK_LF
            break
          }
          if (byte === SP || byte === HTAB) return this.#refuse('a header line begins with white space (RFC 9112 5.2)')
          if (this.#count === this.#limitFields) {
            this.refusal = new Refusal(431, `more than ${this.#limitFields} header fields`)
            return false
          }
          this.#count++
          this.#nameStart = at - base
          state = NAME
          break
        }
        case NAME: {
          while (at < end && token[bytes[at] as number] === 1) at++
          if (at === end) break
          const byte = bytes[at] as number
          if (byte !== COLON) {
            if (byte === SP || byte === HTAB) return this.#refuse('white space in a field name or before its colon (RFC 9112 5.1)')
            if (byte === LF) return this.#refuse('a bare LF (RFC 9112 2.2)')
            return this.#refuse('a field name is not a token (RFC 9110 5.1)')
          }
          if (at - base === this.#nameStart) return this.#refuse('an empty field name (RFC 9110 5.1)')
          this.#nameEnd = at - base
          at++
          state = VALUE_START
          break
        }
        case VALUE_START: {
          let byte = 0
          while (at < end && ((byte = bytes[at] as number) === SP || byte === HTAB)) at++
          if (at === end) break
          this.#valueStart = at - base
          state = VALUE_REST
          break
        }
        case VALUE_REST: {
          at = skipPlain(view, at, end)
          while (at < end && value[bytes[at] as number] === 1) at++
          if (at === end) break
          const byte = bytes[at] as number
          if (byte === LF) return this.#refuse('a bare LF (RFC 9112 2.2)')
          if (byte !== CR) return this.#refuse('a control character in a field value (RFC 9110 5.5)')
          at++
          state = VALUE_LF
          break
        }
        case VALUE_LF: {
          if (bytes[at] !== LF) return this.#refuse('a bare CR (RFC 9112 2.2)')
          const valueStart = base + this.#valueStart
          let valueEnd = at - 1
          while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--
          this.field(bytes, base + this.#nameStart, base + this.#nameEnd, valueStart, valueEnd)
          if (this.refusal !== null) return false
          at++
          state = LINE_START
          break
        }
        case BLOCK_LF:
          if (bytes[at] !== LF) return this.#refuse('a bare CR (RFC 9112 2.2)')
          this.at = at + 1 - base
          this.#state = LINE_START
          return true
      }
    }
    this.at = at - base
    this.#state = state
    return false
  }

  #refuse(reason: string): false {
    this.refusal = bad(reason)
    return false
  }
}

// Mostly it is the buffer that all sockets read into, again and again.
let viewed: Uint8Array | null = null
let view: DataView = new DataView(new ArrayBuffer(0))

function viewOf(bytes: Uint8Array): DataView {
  if (bytes !== viewed) {
    viewed = bytes
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  return view
}

/**
 * Skips four bytes at a time while none of them is a control character or DEL: values are most of a head.
 * The tests are those of Hacker's Delight 6-1: a high bit stays where a byte is below 0x20, or is 0x7f.
 */
function skipPlain(view: DataView, at: number, end: number): number {
  const last = end - 4
  while (at <= last) {
    const word = view.getInt32(at)
    const del = word ^ 0x7f7f7f7f
    if (((((word - 0x20202020) & ~word) | ((del - 0x01010101) & ~del)) & 0x80808080) !== 0) break
    at += 4
  }
  return at
}
