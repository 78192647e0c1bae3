import { extension, PerMessageDeflate, type ExtensionParameters, type MessageDeflate } from './ws.ts'

/** Messages below this many bytes go out as they are. */
export const DEFLATE_FROM = 1024

const NAME = 'permessage-deflate'
// With these two a WebSocket that has sent compressed messages holds about 32 KiB for it, not zlib's usual 256 KiB.
const WINDOW_BITS = 12
const MEMORY_LEVEL = 5
/** Calls of zlib under way at the same time, in the whole process. */
const CONCURRENCY = 10

/** Compression of one WebSocket's messages (RFC 7692). */
export class Deflate {
  /** The value of `sec-websocket-extensions` in the answer. */
  readonly accepted: string
  readonly #both: MessageDeflate

  private constructor(both: MessageDeflate, accepted: string) {
    this.#both = both
    this.accepted = accepted
  }

  /** Agrees to the first offer that can be met; null where there is none. */
  static negotiate(offers: readonly ExtensionParameters[], limit: number): Deflate | null {
    for (const offer of offers) {
      const both = new PerMessageDeflate({
        isServer: true,
        maxPayload: limit === Infinity ? 0 : limit,
        serverMaxWindowBits: WINDOW_BITS,
        zlibDeflateOptions: { memLevel: MEMORY_LEVEL },
        concurrencyLimit: CONCURRENCY,
      })
      try {
        return new Deflate(both, extension.format({ [NAME]: [both.accept([offer])] }))
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

  /** Inflates a whole message; an error's `code` is the close code that it calls for. */
  inflate(data: Buffer, done: (message: Buffer | { readonly code: number; readonly reason: string }) => void): void {
    this.#both.decompress(data, true, (error, message) => {
      if (error === null || error === undefined) return done(message)
      const tooLong = (error as { readonly code?: unknown }).code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
      done(tooLong ? { code: 1009, reason: 'a compressed message of too many bytes' } : { code: 1007, reason: 'a message that cannot be inflated (RFC 7692 7.2.2)' })
    })
  }

  /** Deflates a whole message. `done` is not called once the WebSocket is closed. */
  deflate(data: Buffer | string, done: (compressed: Buffer) => void): void {
    this.#both.compress(data, true, (error, compressed) => {
      if (error === null || error === undefined) done(compressed)
    })
  }

  /** Frees what it holds. */
  close(): void {
    this.#both.cleanup()
  }
}
