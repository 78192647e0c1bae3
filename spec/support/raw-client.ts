/** A client of bytes: sees what a polite one hides, such as how a connection ends. */
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import type { TestContext } from './suite.ts'

/** A connection whose received bytes are kept as Latin-1. */
export class RawClient {
  received = ''
  /** Resolves to `FIN`, or to the code of the error that ended the connection. */
  readonly ended: Promise<string>
  readonly socket: Socket
  #wake: () => void = () => {}
  #over = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.received += text
      this.#wake()
    })
    this.ended = new Promise<string>((resolve) => {
      socket.on('end', () => resolve('FIN'))
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    }).then((how) => {
      this.#over = true
      this.#wake()
      return how
    })
  }

  send(text: string): this {
    this.socket.write(text, 'latin1')
    return this
  }

  /** Resolves once what was received matches. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.received)
      if (match !== null) return match
      if (this.#over) throw new Error(`the connection ended before ${pattern} came, received ${JSON.stringify(this.received)}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** Connects; the connection is destroyed after the test. */
export async function rawClient(t: TestContext, where: { port: number; host?: string } | { path: string }): Promise<RawClient> {
  const options: NetConnectOpts = { host: '127.0.0.1', allowHalfOpen: true, ...where }
  const socket = connect(options)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  t.after(() => socket.destroy())
  return new RawClient(socket)
}
