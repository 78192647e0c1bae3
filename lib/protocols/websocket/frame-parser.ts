import { isUtf8 } from 'node:buffer'
import { isCloseCode, NO_CODE } from '../../exchange/close-code.ts'
import { unmask } from './mask.ts'

/** Why a WebSocket is failed: the close code to send, and what was wrong. */
export class FrameError {
  readonly code: number
  readonly reason: string

  constructor(code: number, reason: string) {
    this.code = code
    this.reason = reason
  }
}

/** What the parser makes of the client's bytes. Buffers are good for the call only, unless `own` says otherwise. */
export interface FrameHandler {
  /**
   * A whole message; of text, UTF-8 that has not been checked yet. `compressed`: as RFC 7692 has it. `own`: the data is
   * in memory that nobody else uses.
   */
  message(data: Buffer, text: boolean, compressed: boolean, own: boolean): void
  ping(data: Buffer): void
  /** The client's close frame; the code is 1005 if it has none. */
  closeFrame(code: number, reason: string): void
}

/** Fragments without a byte that one message may have: they cost time and bring nothing. */
const EMPTY_FRAGMENTS = 16384
/** The first piece of memory for a message that comes in parts; it grows with what has come, not with what is announced. */
const FIRST_PIECE = 1024

const CONTINUATION = 0
const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10

const EMPTY = Buffer.alloc(0)

/**
 * Reads the frames that a client sends (RFC 6455 5), from bytes that may come in any pieces, and puts messages
 * together. A message that comes whole is handed over where it lies; else its bytes are collected in one buffer.
 */
export class FrameParser {
  /** Set to end `parse` after the message that is being handed over; what is left is for a later call. */
  held = false
  /** Why the WebSocket has failed; nothing is parsed any more. */
  error: FrameError | null = null

  readonly #handler: FrameHandler
  readonly #limit: number
  readonly #deflate: boolean
  #closed = false

  // The frame's head while it is not whole.
  readonly #head: Buffer = Buffer.allocUnsafeSlow(14)
  #headLength = 0

  // The frame whose payload is being read.
  #inPayload = false
  #opcode = 0
  #final = false
  #mask = 0
  #length = 0
  #read = 0
  /** The payload of a control frame that comes in parts. */
  #control: Buffer = EMPTY

  // The message that is being put together.
  #messageType = 0
  #compressed = false
  #message: Buffer = EMPTY
  #messageLength = 0
  #emptyFragments = 0

  /** `limit` is the most bytes that a message may have, Infinity for no limit. */
  constructor(handler: FrameHandler, limit: number, deflate: boolean) {
    this.#handler = handler
    this.#limit = limit
    this.#deflate = deflate
  }

  /** Reads `bytes` from `at` to `end`, and changes them: payloads are unmasked in place. Returns how far it got. */
  parse(bytes: Buffer, at: number, end: number): number {
    while (at < end && !this.held && this.error === null && !this.#closed) {
      if (!this.#inPayload) {
        const next = this.#readHead(bytes, at, end)
        if (next < 0) return end
        at = next
        if (this.error !== null) break
        // A payload is read even where it is empty.
        if (this.#length > 0 && at === end) break
      }
      at = this.#readPayload(bytes, at, end)
    }
    return this.error !== null || this.#closed ? end : at
  }

  /** Returns where the payload begins, or -1 when the head is not whole yet. */
  #readHead(bytes: Buffer, at: number, end: number): number {
    if (this.#headLength === 0) {
      const length = headLength(bytes, at, end)
      if (at + length <= end) {
        this.#takeHead(bytes, at)
        return at + length
      }
      this.#headLength = bytes.copy(this.#head, 0, at, end)
      this.#checkEarly()
      return -1
    }
    const head = this.#head
    while (at < end) {
      head[this.#headLength++] = bytes[at++] as number
      if (this.#headLength < headLength(head, 0, this.#headLength)) continue
      this.#headLength = 0
      this.#takeHead(head, 0)
      return at
    }
    this.#checkEarly()
    return -1
  }

  /** What the first byte says is judged at once: a client that sends no more must not be waited for. */
  #checkEarly(): void {
    const first = this.#head[0] as number
    this.#checkFirstByte(first)
    if (this.error === null && this.#headLength > 1) this.#checkSecondByte(first & 0x0f, this.#head[1] as number)
  }

  #takeHead(bytes: Buffer, at: number): void {
    const first = bytes[at] as number
    const second = bytes[at + 1] as number
    const opcode = first & 0x0f
    this.#checkFirstByte(first)
    if (this.error !== null) return
    this.#checkSecondByte(opcode, second)
    if (this.error !== null) return
    let length = second & 0x7f
    at += 2
    if (length === 126) {
      length = bytes.readUInt16BE(at)
      at += 2
      if (length < 126) return this.#fail(1002, 'a length that is not in its shortest form (RFC 6455 5.2)')
    } else if (length === 127) {
      const high = bytes.readUInt32BE(at)
      length = high * 2 ** 32 + bytes.readUInt32BE(at + 4)
      at += 8
      if (high >= 2 ** 31) return this.#fail(1002, 'a length with its first bit set (RFC 6455 5.2)')
      if (length < 65536) return this.#fail(1002, 'a length that is not in its shortest form (RFC 6455 5.2)')
    }
    this.#mask = bytes.readInt32LE(at)
    this.#opcode = opcode
    this.#final = (first & 0x80) !== 0
    this.#length = length
    this.#read = 0
    if (opcode < CLOSE) {
      if (opcode !== CONTINUATION) {
        this.#messageType = opcode
        this.#compressed = (first & 0x40) !== 0
      }
      if (this.#messageLength + length > this.#limit) return this.#fail(1009, `a message of more than ${this.#limit} bytes`)
      if (length === 0 && !this.#final && ++this.#emptyFragments > EMPTY_FRAGMENTS) {
        return this.#fail(1008, `more than ${EMPTY_FRAGMENTS} empty fragments in a message`)
      }
    }
    this.#inPayload = true
  }

  #checkFirstByte(first: number): void {
    const opcode = first & 0x0f
    if ((first & 0x30) !== 0) return this.#fail(1002, 'a reserved bit is set (RFC 6455 5.2)')
    if ((first & 0x40) !== 0 && !(this.#deflate && (opcode === TEXT || opcode === BINARY))) {
      return this.#fail(1002, 'the first reserved bit is set (RFC 6455 5.2, RFC 7692 6)')
    }
    if (opcode > PONG || (opcode > BINARY && opcode < CLOSE)) return this.#fail(1002, `reserved opcode ${opcode} (RFC 6455 5.2)`)
    if (opcode >= CLOSE) {
      if ((first & 0x80) === 0) this.#fail(1002, 'a control frame in fragments (RFC 6455 5.5)')
    } else if ((opcode === CONTINUATION) !== (this.#messageType !== 0)) {
      this.#fail(1002, opcode === CONTINUATION ? 'a continuation of no message (RFC 6455 5.4)' : 'a new message within another (RFC 6455 5.4)')
    }
  }

  #checkSecondByte(opcode: number, second: number): void {
    if ((second & 0x80) === 0) return this.#fail(1002, 'a frame without a mask (RFC 6455 5.1)')
    const length = second & 0x7f
    if (opcode >= CLOSE && length > 125) return this.#fail(1002, 'a control frame of more than 125 bytes (RFC 6455 5.5)')
    if (opcode === CLOSE && length === 1) this.#fail(1002, 'a close frame with half a code (RFC 6455 5.5.1)')
  }

  /** Returns how far it got. */
  #readPayload(bytes: Buffer, at: number, end: number): number {
    const left = this.#length - this.#read
    const to = left < end - at ? at + left : end
    const control = this.#opcode >= CLOSE
    if (to > at) {
      unmask(bytes, at, to, this.#mask, this.#read)
      if (this.#read === 0 && to - at === left) {
        // The common case: all of it is here.
        this.#inPayload = false
        if (control) this.#takeControl(bytes.subarray(at, to))
        else if (this.#final && this.#messageLength === 0) this.#deliver(bytes.subarray(at, to), false)
        else this.#append(bytes, at, to)
        return to
      }
      if (control) {
        if (this.#read === 0) this.#control = Buffer.allocUnsafe(this.#length)
        bytes.copy(this.#control, this.#read, at, to)
        this.#read += to - at
      } else {
        this.#read += to - at
        this.#append(bytes, at, to)
        return to
      }
    }
    if (this.#read === this.#length) {
      this.#inPayload = false
      if (control) {
        const payload = this.#length === 0 ? EMPTY : this.#control
        this.#control = EMPTY
        this.#takeControl(payload)
      } else if (this.#final) {
        this.#deliver(this.#message.subarray(0, this.#messageLength), true)
      }
    }
    return to
  }

  /** Collects a part of a message; hands the message over if that was the last. */
  #append(bytes: Buffer, from: number, to: number): void {
    const length = this.#messageLength + to - from
    if (length > this.#message.length) {
      const doubled = Math.max(length, 2 * this.#message.length, FIRST_PIECE)
      // Of the last frame the end is known; what is announced is believed only as far as half of it has come.
      const end = this.#inPayload ? length + this.#length - this.#read : length
      const grown = Buffer.allocUnsafeSlow(this.#final ? Math.min(doubled, end) : doubled)
      this.#message.copy(grown, 0, 0, this.#messageLength)
      this.#message = grown
    }
    bytes.copy(this.#message, this.#messageLength, from, to)
    this.#messageLength = length
    if (this.#inPayload) {
      if (this.#read < this.#length) return
      this.#inPayload = false
    }
    if (this.#final) this.#deliver(this.#message.subarray(0, length), true)
  }

  #deliver(data: Buffer, own: boolean): void {
    const text = this.#messageType === TEXT
    const compressed = this.#compressed
    this.#messageType = 0
    this.#message = EMPTY
    this.#messageLength = 0
    this.#emptyFragments = 0
    this.#handler.message(data, text, compressed, own)
  }

  #takeControl(payload: Buffer): void {
    if (this.#opcode === PING) return this.#handler.ping(payload)
    // Any byte is a sign of life, so an answer to a ping says no more than other frames do.
    if (this.#opcode === PONG) return
    this.#closed = true
    if (payload.length === 0) return this.#handler.closeFrame(NO_CODE, '')
    const code = payload.readUInt16BE(0)
    if (!isCloseCode(code)) return this.#fail(1002, `close code ${code}, which may not be sent (RFC 6455 7.4)`)
    const reason = payload.subarray(2)
    if (!isUtf8(reason)) return this.#fail(1007, 'a close reason that is not UTF-8 (RFC 6455 5.5.1)')
    this.#handler.closeFrame(code, reason.toString())
  }

  #fail(code: number, reason: string): void {
    this.error = new FrameError(code, reason)
  }
}

/** Bytes of a frame's head (RFC 6455 5.2), as far as it is known from those between `at` and `end`. */
function headLength(bytes: Buffer, at: number, end: number): number {
  if (end - at < 2) return 2
  const length = (bytes[at + 1] as number) & 0x7f
  return 6 + (length === 126 ? 2 : length === 127 ? 8 : 0)
}
