import { BadRequest, TooLarge } from '../contract/errors.ts'
import { asBuffer, ByteBuilder } from './byte-builder.ts'
import { isOver } from './limits.ts'
import { parsePartHead, type PartHead } from './part-head.ts'

/** What a parser has found. */
export type MultipartEvent =
  | { readonly type: 'part'; readonly head: PartHead }
  | { readonly type: 'data'; readonly bytes: Uint8Array }
  | { readonly type: 'end' }

/** Where a parser is. */
type Place = 'preamble' | 'delimiter' | 'headers' | 'start' | 'data' | 'last-line' | 'epilogue'

const EMPTY = Buffer.alloc(0)
const CR = 13
const LF = 10
const DASH = 45
const END_OF_HEADERS = Buffer.from('\r\n\r\n')
const END: MultipartEvent = Object.freeze({ type: 'end' })

/** White space that may follow a boundary on its line. */
const PADDING = 128

/**
 * Parses `multipart/form-data` (RFC 7578, RFC 2046 5.1): bytes in, events out, the same ones however the bytes are cut.
 * It is our own because the known ones are streams, and nothing makes a stream go on while sync code blocks its thread.
 * Front servers may read the same body to filter it, so what two parsers could read in two ways is refused.
 */
export class MultipartParser {
  readonly #delimiter: Buffer
  readonly #headerLimit: number
  readonly #headers = new ByteBuilder()
  #place: Place = 'preamble'
  /** Bytes that cannot be judged before more have come. At first the line end that a delimiter begins with. */
  #rest: Buffer = Buffer.from('\r\n')

  /** `headerLimit` is the size that the header of one part may have, 0 for no limit. Throws `BadRequest` for a bad boundary. */
  constructor(boundary: string | undefined, headerLimit: number) {
    // RFC 2046 5.1.1.
    if (boundary === undefined || !/^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/.test(boundary)) {
      throw new BadRequest(`the form has no valid boundary${boundary === undefined ? '' : `: ${JSON.stringify(boundary.slice(0, 80))}`}`)
    }
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
    this.#headerLimit = headerLimit
  }

  /** Takes bytes; iterate it to the end before the next call. Throws `BadRequest` and `TooLarge`. The bytes of events are parts of those given. */
  *push(chunk: Uint8Array): Generator<MultipartEvent, void, void> {
    const events: MultipartEvent[] = []
    const held = this.#rest
    const bytes = held.length === 0 ? asBuffer(chunk) : Buffer.concat([held, chunk])
    this.#rest = EMPTY
    let at = 0
    while (at >= 0 && at < bytes.length) {
      at = this.#step(bytes, at, events)
      yield* events
      events.length = 0
    }
  }

  /** Takes the end. Throws `BadRequest` if it comes before the last boundary. */
  finish(): void {
    if (this.#place === 'epilogue' || (this.#place === 'last-line' && !this.#rest.includes(CR))) return
    throw new BadRequest('the form ends before its last boundary')
  }

  /** Goes on from a place in the bytes. Gives the next place; -1 if all the rest is used or held back. */
  #step(bytes: Buffer, at: number, events: MultipartEvent[]): number {
    switch (this.#place) {
      case 'preamble':
        return this.#preamble(bytes, at)
      case 'delimiter':
        return this.#afterDelimiter(bytes, at)
      case 'headers':
        return this.#partHead(bytes, at, events)
      case 'start':
        return this.#start(bytes, at)
      case 'data':
        return this.#data(bytes, at, events)
      case 'last-line':
        return this.#lastLine(bytes, at)
      case 'epilogue':
        return -1
    }
  }

  #preamble(bytes: Buffer, at: number): number {
    const found = bytes.indexOf(this.#delimiter, at)
    if (found < 0) return this.#hold(bytes, this.#tail(bytes, at))
    this.#place = 'delimiter'
    return found + this.#delimiter.length
  }

  #afterDelimiter(bytes: Buffer, at: number): number {
    if (bytes[at] === DASH) {
      if (at + 1 === bytes.length) return this.#hold(bytes, at)
      if (bytes[at + 1] !== DASH) throw ambiguous()
      this.#place = 'last-line'
      return at + 2
    }
    const end = this.#lineEnd(bytes, at)
    if (end < 0) return this.#hold(bytes, at)
    this.#place = 'headers'
    // The line end stays: with a second one it ends a header without fields.
    return end
  }

  #partHead(bytes: Buffer, at: number, events: MultipartEvent[]): number {
    const before = this.#headers.length
    let end: number
    if (before === 0) {
      end = bytes.indexOf(END_OF_HEADERS, at)
      if (end >= 0) {
        this.#check(end - at)
        return this.#begin(bytes.subarray(at + 2, end), end, events)
      }
      this.#headers.push(bytes.subarray(at))
    } else {
      this.#headers.push(bytes.subarray(at))
      end = this.#headers.view().indexOf(END_OF_HEADERS, Math.max(0, before - 3))
      if (end >= 0) {
        this.#check(end)
        const head = this.#headers.take().subarray(2, end)
        return this.#begin(head, at + end - before, events)
      }
    }
    this.#check(this.#headers.length - 3)
    return -1
  }

  #check(length: number): void {
    if (isOver(length - 2, this.#headerLimit)) throw new TooLarge(`the header of a part of the form has more than ${this.#headerLimit} bytes (limit partHeaders)`)
  }

  #begin(header: Buffer, end: number, events: MultipartEvent[]): number {
    this.#headers.clear()
    events.push({ type: 'part', head: parsePartHead(header) })
    this.#place = 'start'
    return end + 4
  }

  /** A boundary at once: some take the line end before it for that of the header, others for part of the content. */
  #start(bytes: Buffer, at: number): number {
    const line = this.#delimiter
    const length = Math.min(line.length - 2, bytes.length - at)
    if (bytes.compare(line, 2, 2 + length, at, at + length) !== 0) {
      this.#place = 'data'
      return at
    }
    if (length < line.length - 2) return this.#hold(bytes, at)
    throw ambiguous()
  }

  #data(bytes: Buffer, at: number, events: MultipartEvent[]): number {
    const found = bytes.indexOf(this.#delimiter, at)
    const end = found < 0 ? this.#tail(bytes, at) : found
    if (end > at) events.push({ type: 'data', bytes: at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end) })
    if (found < 0) return this.#hold(bytes, end)
    events.push(END)
    this.#place = 'delimiter'
    return found + this.#delimiter.length
  }

  #lastLine(bytes: Buffer, at: number): number {
    const end = this.#lineEnd(bytes, at)
    if (end < 0) return this.#hold(bytes, at)
    this.#place = 'epilogue'
    return -1
  }

  /** Where the line of a boundary ends, white space passed over; -1 if more must come to tell. */
  #lineEnd(bytes: Buffer, from: number): number {
    let at = from
    while (bytes[at] === 32 || bytes[at] === 9) at++
    if (at - from > PADDING) throw ambiguous()
    if (at === bytes.length) return -1
    if (bytes[at] !== CR) throw ambiguous()
    if (at + 1 === bytes.length) return -1
    if (bytes[at + 1] !== LF) throw ambiguous()
    return at
  }

  /** Where a delimiter may have begun that the bytes do not hold whole; their end if nowhere. */
  #tail(bytes: Buffer, from: number): number {
    const delimiter = this.#delimiter
    let at = bytes.indexOf(CR, Math.max(from, bytes.length - delimiter.length + 1))
    while (at >= 0 && bytes.compare(delimiter, 0, bytes.length - at, at) !== 0) at = bytes.indexOf(CR, at + 1)
    return at < 0 ? bytes.length : at
  }

  #hold(bytes: Buffer, from: number): -1 {
    this.#rest = from === bytes.length ? EMPTY : bytes.subarray(from)
    return -1
  }
}

function ambiguous(): BadRequest {
  return new BadRequest('the form has a boundary that does not stand on a line of its own (RFC 2046 5.1.1)')
}
