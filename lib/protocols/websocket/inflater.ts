import { createInflateRaw, type InflateRaw } from 'node:zlib'

/** The message, or the close code that its data calls for. */
export type Inflated = Buffer | { readonly code: 1007 | 1009; readonly reason: string }

/** What a client leaves out at the end of each message (RFC 7692 7.2.1). */
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff])

/**
 * Inflates the messages of one WebSocket, and stops where one is too long. Not ws's: that reads a stream which has failed
 * as if it had not, which from Node 26 on ends the process.
 */
export class Inflater {
  readonly #limit: number
  readonly #windowBits: number
  readonly #fresh: boolean
  #stream: InflateRaw | null = null
  #parts: Buffer[] = []
  #length = 0
  #done: ((result: Inflated) => void) | null = null

  /** `fresh`: no message refers to those before it. */
  constructor(limit: number, windowBits: number, fresh: boolean) {
    this.#limit = limit
    this.#windowBits = windowBits
    this.#fresh = fresh
  }

  /** Inflates a whole message. Calls must not overlap; `done` is not called after `close`. */
  inflate(data: Buffer, done: (result: Inflated) => void): void {
    this.#done = done
    const stream = this.#stream ??= this.#open()
    stream.write(data)
    stream.write(TAIL)
    stream.flush(() => {
      if (stream !== this.#stream) return
      const { length } = this.#parts
      const message = length === 1 ? this.#parts[0] as Buffer : Buffer.concat(this.#parts)
      // RFC 7692 7.2.3.4: a message may end with a final block, after which a stream takes no more.
      if (stream.readableEnded) this.#drop()
      else if (this.#fresh) stream.reset()
      this.#settle(message)
    })
  }

  /** Frees its memory. */
  close(): void {
    this.#done = null
    this.#drop()
  }

  #open(): InflateRaw {
    const stream = createInflateRaw({ windowBits: this.#windowBits })
    stream.on('data', (part: Buffer) => {
      if (stream !== this.#stream) return
      this.#length += part.length
      if (this.#length <= this.#limit) this.#parts.push(part)
      else this.#fail(1009, `a compressed message of more than ${this.#limit} bytes`)
    })
    stream.on('error', () => {
      if (stream === this.#stream) this.#fail(1007, 'a message that cannot be inflated (RFC 7692 7.2.2)')
    })
    return stream
  }

  #fail(code: 1007 | 1009, reason: string): void {
    this.#drop()
    this.#settle({ code, reason })
  }

  #settle(result: Inflated): void {
    const done = this.#done
    this.#done = null
    this.#parts = []
    this.#length = 0
    done?.(result)
  }

  #drop(): void {
    const stream = this.#stream
    this.#stream = null
    stream?.destroy()
  }
}
