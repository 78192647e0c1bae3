import type { Socket } from 'node:net'
import { UpstreamFailed } from '../../lib/contract/errors.ts'
import type { Upstream } from './upstreams.ts'

/** Bytes of the response that may wait for the client before the upstream is held back. */
const HIGH_WATER = 65536

/**
 * A connection to a uWSGI server: reads when asked, writes no faster than the server takes, and gives up on one that
 * does neither for too long. The time in which it is the client that is waited for does not count.
 */
export class UpstreamLine {
  readonly #socket: Socket
  readonly #name: string
  readonly #tcp: boolean
  /** Seconds; 0 for none. */
  readonly #timeout: number
  readonly #queue: Buffer[] = []
  #queued = 0
  #ended = false
  #error: unknown = undefined
  #sending = true
  #reader: (() => void) | null = null
  #writer: (() => void) | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(socket: Socket, { name, address }: Upstream, timeout: number) {
    this.#socket = socket
    this.#tcp = 'port' in address
    this.#name = name
    this.#timeout = timeout
    socket.on('data', (bytes: Buffer) => this.#took(bytes))
    socket.on('drain', () => this.#wake())
    socket.on('end', () => {
      this.#ended = true
      this.#wake()
    })
    socket.on('error', (error) => {
      this.#error ??= new UpstreamFailed(name, 'has broken the connection off', 502, { cause: error })
    })
    socket.on('close', () => {
      if (!this.#ended) this.#error ??= new UpstreamFailed(name, 'has closed the connection')
      this.#wake()
    })
  }

  /** The next bytes; null at the end. Throws once the connection is broken and what came before has been read. */
  async read(): Promise<Buffer | null> {
    for (;;) {
      const bytes = this.#queue.shift()
      if (bytes !== undefined) {
        this.#queued -= bytes.length
        if (this.#queued < HIGH_WATER && this.#socket.isPaused()) this.#socket.resume()
        return bytes
      }
      if (this.#error !== undefined) throw this.#error
      if (this.#ended) return null
      await new Promise<void>((resolve) => {
        this.#reader = resolve
        this.#watch()
      })
    }
  }

  /** Sends bytes; resolves once there is room for more, to false when the upstream takes nothing more. */
  async write(bytes: Uint8Array): Promise<boolean> {
    // What has come is read first: an upstream that answers early and closes would be lost in the error of this write.
    await new Promise((resolve) => setImmediate(resolve))
    if (!this.#open) return false
    if (this.#socket.write(bytes)) return true
    await new Promise<void>((resolve) => {
      this.#writer = resolve
      this.#watch()
    })
    return this.#open
  }

  /**
   * Whether the end of the connection was a proper one. Where a reset comes together with the last bytes, Node tells of
   * an end like any other; only a write shows it, on TCP. On a unix socket nothing does.
   */
  async endedProperly(): Promise<boolean> {
    if (!this.#tcp) return true
    return new Promise((resolve) => this.#socket.write(new Uint8Array(0), (error) => resolve(error === undefined || error === null)))
  }

  /** The whole request has been sent: from now on the upstream is waited for. */
  sent(): void {
    this.#sending = false
    this.#watch()
  }

  /** Breaks the connection off, so that the upstream hears of it at once; `reason` is what `read` throws. */
  abort(reason: unknown): void {
    this.#error ??= reason
    if (this.#tcp && !this.#socket.destroyed) this.#socket.resetAndDestroy()
    this.close()
  }

  /** Ends the connection, which is no longer needed. */
  close(): void {
    this.#error ??= new UpstreamFailed(this.#name, 'is no longer needed')
    this.#queue.length = 0
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#socket.destroy()
    this.#wake()
  }

  get #open(): boolean {
    return !this.#ended && this.#error === undefined && !this.#socket.destroyed
  }

  #took(bytes: Buffer): void {
    this.#queue.push(bytes)
    this.#queued += bytes.length
    if (this.#queued >= HIGH_WATER) this.#socket.pause()
    this.#timer?.refresh()
    const reader = this.#reader
    this.#reader = null
    reader?.()
    this.#watch()
  }

  #wake(): void {
    const reader = this.#reader
    const writer = this.#writer
    this.#reader = null
    this.#writer = null
    reader?.()
    writer?.()
    this.#watch()
  }

  /** The timer runs while it is the upstream that is waited for. */
  #watch(): void {
    const waiting = this.#timeout !== 0 && (this.#writer !== null || (this.#reader !== null && !this.#sending))
    if (waiting) {
      this.#timer ??= setTimeout(() => {
        this.abort(new UpstreamFailed(this.#name, `has been silent for ${this.#timeout} seconds`, 504))
      }, this.#timeout * 1000)
    } else if (this.#timer !== null) {
      clearTimeout(this.#timer)
      this.#timer = null
    }
  }
}
