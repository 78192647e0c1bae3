import { Inflater, type Inflated } from './inflater.ts'
import { extension, PerMessageDeflate, type DeflateParameters, type ExtensionParameters, type MessageDeflate } from './ws.ts'

/** Messages below this many bytes go out as they are. */
export const DEFLATE_FROM = 1024

const NAME = 'permessage-deflate'
// With these two a WebSocket that has sent compressed messages holds about 32 KiB for it, not zlib's usual 256 KiB.
const WINDOW_BITS = 12
const MEMORY_LEVEL = 5
/** Messages that are deflated at the same time, in the whole process. */
const CONCURRENCY = 10

/** Compression of one WebSocket's messages (RFC 7692). */
export class Deflate {
  /** The value of `sec-websocket-extensions` in the answer. */
  readonly accepted: string
  readonly #deflater: MessageDeflate
  readonly #inflater: Inflater

  private constructor(deflater: MessageDeflate, agreed: DeflateParameters, limit: number) {
    this.accepted = extension.format({ [NAME]: [agreed] })
    this.#deflater = deflater
    const windowBits = agreed['client_max_window_bits']
    this.#inflater = new Inflater(limit, typeof windowBits === 'number' ? windowBits : 15, agreed['client_no_context_takeover'] === true)
  }

  /** Agrees to the first offer that can be met; null where there is none. */
  static negotiate(offers: readonly ExtensionParameters[], limit: number): Deflate | null {
    for (const offer of offers) {
      const deflater = new PerMessageDeflate({
        isServer: true,
        serverMaxWindowBits: WINDOW_BITS,
        zlibDeflateOptions: { memLevel: MEMORY_LEVEL },
        concurrencyLimit: CONCURRENCY,
      })
      try {
        return new Deflate(deflater, deflater.accept([offer]), limit)
      } catch {
        // RFC 7692 5.1: an offer with a parameter that cannot be met, or is malformed, is declined.
      }
    }
    return null
  }

  /** The offers in a `sec-websocket-extensions` field; throws a SyntaxError. */
  static offers(field: string): readonly ExtensionParameters[] {
    return extension.parse(field)[NAME] ?? []
  }

  /** Inflates a whole message. Calls must not overlap; `done` is not called once the WebSocket is closed. */
  inflate(data: Buffer, done: (result: Inflated) => void): void {
    this.#inflater.inflate(data, done)
  }

  /** Deflates a whole message. `done` is not called once the WebSocket is closed. */
  deflate(data: Buffer | string, done: (compressed: Buffer) => void): void {
    this.#deflater.compress(data, true, (error, compressed) => {
      if (error === null || error === undefined) done(compressed)
    })
  }

  /** Frees what it holds. */
  close(): void {
    this.#deflater.cleanup()
    this.#inflater.close()
  }
}
