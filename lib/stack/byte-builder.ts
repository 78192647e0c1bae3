const EMPTY = Buffer.alloc(0)

/** Puts bytes together: in one growing buffer, since a client that sends them one by one would make a list of them huge. */
export class ByteBuilder {
  /** The only piece so far, which is not copied. */
  #first: Uint8Array | null = null
  #buffer: Buffer = EMPTY
  #length = 0

  /** How many bytes there are. */
  get length(): number {
    return this.#length
  }

  /** Adds bytes, which must not change before the next call. */
  push(bytes: Uint8Array): void {
    if (this.#length === 0) {
      this.#first = bytes
      this.#length = bytes.length
      return
    }
    const length = this.#length + bytes.length
    if (this.#first !== null || length > this.#buffer.length) this.#grow(length)
    this.#buffer.set(bytes, this.#length)
    this.#length = length
  }

  /** The bytes so far, to look at. */
  view(): Buffer {
    return this.#first === null ? this.#buffer.subarray(0, this.#length) : asBuffer(this.#first)
  }

  /** The bytes, and begins anew. */
  take(): Buffer {
    const bytes = this.view()
    this.clear()
    return bytes
  }

  /** Begins anew. */
  clear(): void {
    this.#first = null
    this.#buffer = EMPTY
    this.#length = 0
  }

  #grow(length: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(length, this.#length * 2, 1024))
    grown.set(this.#first ?? this.#buffer.subarray(0, this.#length))
    this.#first = null
    this.#buffer = grown
  }
}

/** The same bytes as a `Buffer`, not copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
