import type { ServerHttp2Stream } from 'node:http2'
import type { HttpTransport } from '../../exchange/transport.ts'
import type { WebSocketLine } from '../websocket/line.ts'
import type { WebSocketSession } from '../websocket/session.ts'
import type { Http2Stream } from './stream.ts'

/** A stream as what a WebSocket runs over (RFC 8441): DATA in place of TCP, END_STREAM in place of FIN. */
export class Http2WebSocketLine implements WebSocketLine {
  readonly highWaterMark: number
  readonly #stream: ServerHttp2Stream
  readonly #transport: Http2Stream

  constructor(stream: ServerHttp2Stream, transport: Http2Stream) {
    this.highWaterMark = stream.writableHighWaterMark
    this.#stream = stream
    this.#transport = transport
  }

  get full(): boolean {
    return this.#stream.writableNeedDrain
  }

  get empty(): boolean {
    return this.#stream.writableLength === 0
  }

  accept(session: WebSocketSession, fields: readonly string[], dated: boolean): void {
    this.#transport.upgrade(session, fields, dated)
  }

  refuse(): HttpTransport {
    return this.#transport
  }

  write(text: string, bytes: Uint8Array | null): void {
    this.#transport.put(text, bytes)
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  end(): void {
    this.#transport.endTunnel()
  }

  destroy(): void {
    this.#transport.destroy()
  }
}
