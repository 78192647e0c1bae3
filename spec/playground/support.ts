import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { serve, type Application, type ExchangeOutcome, type ServerOptions } from '../../lib/index.ts'
import type { TestContext } from '../support/suite.ts'

/** In bytes. */
export const MEGABYTE: number = 2 ** 20

/** Serves an application for the time of a test; returns its URL. */
export async function start(t: TestContext, app: Application, options: ServerOptions = {}): Promise<string> {
  const server = await serve(app, { port: 0, accessLog: false, ...options })
  t.after(() => server.close({ timeout: 1 }))
  return server.url
}

/** A client that sees bytes. */
export class RawClient {
  readonly socket: Socket
  text = ''

  constructor(t: TestContext, url: string, head = '') {
    this.socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true })
    this.socket.setEncoding('latin1').on('data', (part: string) => (this.text += part)).on('error', () => {})
    t.after(() => this.socket.destroy())
    if (head !== '') this.socket.write(head, 'latin1')
  }

  /** Waits until what came contains `wanted`. */
  async until(wanted: string): Promise<void> {
    while (!this.text.includes(wanted)) {
      if (this.socket.readableEnded) throw new Error(`${JSON.stringify(wanted)} did not come, but ${JSON.stringify(this.text)}`)
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'end')])
    }
  }
}

/** Resolves to the outcome of the first exchange. */
export function firstOutcome(): { outcome: Promise<ExchangeOutcome>; options: ServerOptions } {
  let finished!: (outcome: ExchangeOutcome) => void
  const outcome = new Promise<ExchangeOutcome>((resolve) => (finished = resolve))
  return { outcome, options: { observer: { finished } } }
}

/** `count` parts of one megabyte, and the most memory that buffers in use took meanwhile. */
export async function* megabytes(count: number, memory: { peak: number }): AsyncGenerator<Uint8Array> {
  const part = new Uint8Array(MEGABYTE).fill(7)
  for (let i = 0; i < count; i++) {
    yield part
    if (i % 4 !== 3) continue
    globalThis.gc?.()
    memory.peak = Math.max(memory.peak, process.memoryUsage().arrayBuffers)
  }
}
