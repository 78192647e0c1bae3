import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const AT_ONCE = 50

/** Keep-alive connections, each of which has had one request answered and then says nothing more. */
export class IdleConnections {
  readonly #sockets: Socket[] = []
  readonly #url: URL

  constructor(url: string) {
    this.#url = new URL(url)
  }

  /** Opens connections, a few at once, until there are `count`. */
  async open(count: number): Promise<void> {
    while (this.#sockets.length < count) {
      const missing = Math.min(AT_ONCE, count - this.#sockets.length)
      this.#sockets.push(...await Promise.all(Array.from({ length: missing }, () => this.#connect())))
    }
  }

  /** Closes them all. */
  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.destroy()
  }

  async #connect(): Promise<Socket> {
    const { hostname, port, host, pathname } = this.#url
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    let reply = ''
    while (!reply.endsWith('Hello world!')) {
      const [part] = await once(socket, 'data') as [Buffer]
      reply += part.toString('latin1')
    }
    socket.on('error', () => {})
    return socket
  }
}
