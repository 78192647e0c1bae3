import { WsgiError } from '../../lib/contract/errors.ts'
import type { WsgiInput } from '../../lib/contract/wsgi.ts'

/** Where the bytes of a request's body come from. */
export interface ByteSource {
  /** At least one byte, waiting for it, and no more than `most` if that is easy; null at the end. Throws `ClientDisconnected`. */
  next(most: number): Uint8Array | null
}

/** Bytes that are asked for where no number is given. */
const PART = 64 * 1024
const EMPTY = Buffer.alloc(0)
const LINE_FEED = 10

/** A body that is there already, in one piece. */
export class WholeBody implements ByteSource {
  #bytes: Uint8Array | null

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes.length === 0 ? null : bytes
  }

  next(): Uint8Array | null {
    const bytes = this.#bytes
    this.#bytes = null
    return bytes
  }
}

/** `wsgi.input` over any source. */
export class Input implements WsgiInput {
  /** Null at the end of the body, and for an empty one. */
  #source: ByteSource | null
  /** What the source gave and nobody has read. */
  #rest: Buffer = EMPTY
  #over = false

  /** With null, the body is empty. */
  constructor(source: ByteSource | null) {
    this.#source = source
  }

  read(size?: number | null): Buffer {
    this.#check()
    const wanted = sizeOf('read', size)
    if (this.#rest.length >= wanted) return this.#take(wanted)
    const parts: Buffer[] = []
    let length = 0
    while (length < wanted) {
      if (this.#rest.length === 0 && !this.#fill(wanted - length)) break
      const part = this.#take(Math.min(wanted - length, this.#rest.length))
      parts.push(part)
      length += part.length
    }
    return joined(parts, length)
  }

  read1(size?: number | null): Buffer {
    this.#check()
    const wanted = sizeOf('read1', size)
    if (wanted === 0 || (this.#rest.length === 0 && !this.#fill(wanted))) return EMPTY
    return this.#take(Math.min(wanted, this.#rest.length))
  }

  readline(size?: number | null): Buffer {
    this.#check()
    const wanted = sizeOf('readline', size)
    const parts: Buffer[] = []
    let length = 0
    while (length < wanted) {
      if (this.#rest.length === 0 && !this.#fill(PART)) break
      const end = this.#rest.indexOf(LINE_FEED)
      const part = this.#take(Math.min(wanted - length, end < 0 ? this.#rest.length : end + 1))
      parts.push(part)
      length += part.length
      if (part.at(-1) === LINE_FEED) break
    }
    return joined(parts, length)
  }

  readlines(hint?: number | null): Buffer[] {
    // As in Python, 0 is no hint.
    const wanted = sizeOf('readlines', hint) || Infinity
    const lines: Buffer[] = []
    let length = 0
    while (length < wanted) {
      const line = this.readline()
      if (line.length === 0) break
      lines.push(line)
      length += line.length
    }
    return lines
  }

  /** The lines. */
  *[Symbol.iterator](): Generator<Buffer, void, void> {
    for (let line = this.readline(); line.length > 0; line = this.readline()) yield line
  }

  /** Ends all reading: the request is over, and its source serves another. */
  close(): void {
    this.#over = true
    this.#source = null
    this.#rest = EMPTY
  }

  #check(): void {
    if (this.#over) throw new WsgiError('wsgi.input was read after its request was over')
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length)
    this.#rest = length === this.#rest.length ? EMPTY : this.#rest.subarray(length)
    return taken
  }

  /** Has the source give more; false at the end. */
  #fill(most: number): boolean {
    const bytes = this.#source === null ? null : this.#source.next(Math.min(most, PART))
    if (bytes === null) {
      this.#source = null
      return false
    }
    this.#rest = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return true
  }
}

/** How much is wanted: all that there is where no number is given, or a negative one, as in Python. */
function sizeOf(method: string, size: number | null | undefined): number {
  if (size === undefined || size === null) return Infinity
  if (!Number.isInteger(size)) throw new WsgiError(`wsgi.input.${method}: the size must be a whole number, found ${String(size)}`)
  return size < 0 ? Infinity : size
}

function joined(parts: readonly Buffer[], length: number): Buffer {
  return parts.length === 1 ? parts[0] ?? EMPTY : parts.length === 0 ? EMPTY : Buffer.concat(parts, length)
}
