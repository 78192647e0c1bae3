import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { HttpTransport, TakeConnection } from '../../lib/exchange/transport.ts'
import { upgradeText } from '../../lib/protocols/http1/serializer.ts'
import { acceptValue } from '../../lib/protocols/websocket/handshake.ts'
import type { WebSocketLine } from '../../lib/protocols/websocket/line.ts'
import type { WebSocketSession } from '../../lib/protocols/websocket/session.ts'

/** What the `upgrade` event of node:http gives, as what a WebSocket runs over. */
export class SocketLine implements WebSocketLine {
  readonly highWaterMark: number
  readonly #socket: Duplex
  readonly #head: Buffer
  readonly #key: string
  readonly #refuse: () => HttpTransport

  constructor(socket: Duplex, head: Buffer, key: string, refuse: () => HttpTransport) {
    this.highWaterMark = socket.writableHighWaterMark
    this.#socket = socket
    this.#head = head
    this.#key = key
    this.#refuse = refuse
  }

  get full(): boolean {
    return this.#socket.writableNeedDrain
  }

  get empty(): boolean {
    return this.#socket.writableLength === 0
  }

  accept(session: WebSocketSession, fields: readonly string[], dated: boolean): void {
    const socket = this.#socket
    socket.write(upgradeText(fields, acceptValue(this.#key), !dated), 'latin1')
    socket.on('drain', () => session.drained())
    socket.on('end', () => session.readEnd())
    socket.on('close', () => session.ended())
    if (this.#head.length > 0) session.read(this.#head, 0, this.#head.length, false)
    socket.on('data', (chunk: Buffer) => session.read(chunk, 0, chunk.length, false))
  }

  refuse(): HttpTransport {
    return this.#refuse()
  }

  takeOver(take: TakeConnection): void {
    take(this.#socket, this.#head)
  }

  write(text: string, bytes: Uint8Array | null): void {
    const socket = this.#socket
    if (bytes !== null) socket.cork()
    if (text !== '') socket.write(text, 'latin1')
    if (bytes === null) return
    socket.write(bytes)
    socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    // What still comes is of no use, but must be read for the end to arrive.
    this.#socket.end()
    this.#socket.resume()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** A response on a socket that node:http has let go of; the socket ends with it. */
export function responseOn(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket as never)
  response.on('finish', () => {
    response.detachSocket(socket as never)
    socket.end()
    socket.resume()
  })
  return response
}
