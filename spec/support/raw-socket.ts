/** A socket for tests of bytes, and a server for it: what was read and how the connection ended, FIN or RST. */
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { serve, type Application, type Server, type ServerOptions } from '../../lib/index.ts'
import type { TestContext } from './suite.ts'

/** How a connection ended, seen from here. */
export type Ending = 'FIN' | 'RST'

/** A server on a free port, and ways to connect to it. */
export interface RawServer {
  readonly server: Server
  readonly port: number
  connect(): Promise<RawSocket>
  /** Connects, writes, and returns all bytes up to the server's FIN, which it demands. */
  exchange(bytes: string | Uint8Array): Promise<string>
}

/** Serves an application quietly; the server is closed after the test. */
export async function rawServer(t: TestContext, app: Application, options: ServerOptions = {}): Promise<RawServer> {
  const where = options.uds === undefined ? { port: 0 } : {}
  const server = await serve(app, { ...where, accessLog: false, logLevel: 'error', ...options })
  t.after(() => server.close({ timeout: 0.2 }))
  const port = options.uds === undefined ? Number(new URL(server.url).port) : 0
  const open = (): Promise<RawSocket> => rawSocket(t, options.uds === undefined ? { port, host: '127.0.0.1' } : { path: options.uds })
  return {
    server,
    port,
    connect: open,
    async exchange(bytes) {
      const socket = await open()
      socket.write(bytes)
      return socket.toEnd()
    },
  }
}

/** Connects; the connection is reset after the test if it is still there. */
export async function rawSocket(t: TestContext, where: NetConnectOpts): Promise<RawSocket> {
  const socket = connect({ allowHalfOpen: true, noDelay: true, ...where } as NetConnectOpts)
  const raw = new RawSocket(socket)
  t.after(() => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return raw
}

/** A connection that keeps all it reads. */
export class RawSocket {
  readonly socket: Socket
  /** How many bytes came. */
  length = 0
  /** In how many pieces they came. */
  reads = 0
  /** How the server ended its side; null while it has not. */
  ending: Ending | null = null
  /** Whether a reset came at any time, after a FIN too. */
  reset = false
  readonly ended: Promise<Ending>
  /** Resolves once the socket is closed on both sides. */
  readonly closed: Promise<void>
  readonly #parts: Buffer[] = []
  #wake: (() => void)[] = []

  constructor(socket: Socket) {
    this.socket = socket
    this.ended = new Promise((resolve) => {
      const end = (ending: Ending): void => {
        this.ending ??= ending
        resolve(this.ending)
        this.#changed()
      }
      socket.on('end', () => end('FIN'))
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNRESET') this.reset = true
        end('RST')
      })
    })
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()))
    socket.on('data', (chunk: Buffer) => {
      this.#parts.push(chunk)
      this.length += chunk.length
      this.reads++
      this.#changed()
    })
  }

  /** All that was read, as Latin-1. */
  get text(): string {
    if (this.#parts.length > 1) this.#parts.splice(0, this.#parts.length, Buffer.concat(this.#parts))
    return this.#parts[0]?.toString('latin1') ?? ''
  }

  /** Writes bytes, a string meaning Latin-1. Returns false when they wait in this process. */
  write(bytes: string | Uint8Array): boolean {
    return typeof bytes === 'string' ? this.socket.write(bytes, 'latin1') : this.socket.write(bytes)
  }

  /** Sends a FIN after what was written, and reads on. */
  end(): this {
    this.socket.end()
    return this
  }

  /** Waits until what was read holds the text, matches the pattern or satisfies the predicate; returns all of it. */
  async until(wanted: string | RegExp | ((text: string) => boolean)): Promise<string> {
    const done = typeof wanted === 'string' ? (text: string) => text.includes(wanted) : wanted instanceof RegExp ? (text: string) => wanted.test(text) : wanted
    while (!done(this.text)) {
      if (this.ending !== null) throw new Error(`${this.ending} before ${String(wanted)} came; read ${JSON.stringify(this.text.slice(-2000))}`)
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
    return this.text
  }

  /** Waits for so many bytes. */
  async untilLength(length: number): Promise<void> {
    while (this.length < length) {
      if (this.ending !== null) throw new Error(`${this.ending} after ${this.length} of ${length} bytes`)
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  /** Waits for the server's FIN and returns all that was read; throws if it was a reset. */
  async toEnd(): Promise<string> {
    if (await this.ended === 'RST') throw new Error(`reset after ${JSON.stringify(this.text.slice(-2000))}`)
    return this.text
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** Waits. For the few tests of something that must not happen. */
export function pass(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

/** How long a promise took, in seconds. */
export async function seconds(promise: Promise<unknown>): Promise<number> {
  const start = performance.now()
  await promise
  return (performance.now() - start) / 1000
}

/** Counts how often a text occurs in another. */
export function occurrences(text: string, wanted: string): number {
  return text.split(wanted).length - 1
}
