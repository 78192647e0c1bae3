import type { HeaderList } from '../../contract/headers.ts'
import type { HttpTransport, TakeConnection } from '../../exchange/transport.ts'
import { bad, Refusal } from '../refusal.ts'
import { acceptValue, handshakeKey, readHandshake, type Handshake } from '../websocket/handshake.ts'
import type { WebSocketLine } from '../websocket/line.ts'
import type { WebSocketSession } from '../websocket/session.ts'
import type { WebSocketSettings } from '../websocket/settings.ts'
import type { Http1Connection } from './connection.ts'
import { upgradeText } from './serializer.ts'

/** A handshake that may be answered. */
export interface WebSocketUpgrade {
  readonly handshake: Handshake
  readonly key: string
}

/** What must be known of a request to check its handshake. */
export interface UpgradeHead {
  readonly httpVersion: string
  readonly method: string
  readonly headers: HeaderList
  /** Bytes of the body; 0 when there is none, and when it is chunked. */
  readonly contentLength: number
  readonly chunked: boolean
}

/** Checks the handshake of RFC 6455 4.2.1 over HTTP/1.1. */
export function readUpgrade(head: UpgradeHead, settings: WebSocketSettings): WebSocketUpgrade | Refusal {
  if (head.httpVersion !== '1.1') return bad('a WebSocket begins with HTTP/1.1 (RFC 6455 4.2.1)')
  if (head.method !== 'GET') return bad('a WebSocket begins with GET (RFC 6455 4.2.1)')
  if (head.chunked || head.contentLength > 0) return bad('a WebSocket handshake has no body')
  const handshake = readHandshake(head.headers, settings)
  if (handshake instanceof Refusal) return handshake
  const key = handshakeKey(head.headers)
  return key === null ? bad('Sec-WebSocket-Key is not one base64 text of 16 bytes (RFC 6455 4.2.1)') : { handshake, key }
}

/** A connection as what a WebSocket runs over. */
export class Http1WebSocketLine implements WebSocketLine {
  readonly highWaterMark: number
  readonly #connection: Http1Connection
  readonly #key: string
  readonly #date: boolean

  constructor(connection: Http1Connection, key: string, date: boolean) {
    this.highWaterMark = connection.socket.writableHighWaterMark
    this.#connection = connection
    this.#key = key
    this.#date = date
  }

  get full(): boolean {
    return this.#connection.socket.writableNeedDrain
  }

  get empty(): boolean {
    return this.#connection.socket.writableLength === 0
  }

  accept(session: WebSocketSession, fields: readonly string[], dated: boolean): void {
    this.#connection.upgrade(upgradeText(fields, acceptValue(this.#key), this.#date && !dated), session)
  }

  refuse(): HttpTransport {
    return this.#connection
  }

  takeOver(take: TakeConnection): void {
    this.#connection.takeOver(take)
  }

  write(text: string, bytes: Uint8Array | null): void {
    this.#connection.put(text, bytes)
  }

  pause(): void {
    this.#connection.pause()
  }

  resume(): void {
    this.#connection.resume()
  }

  end(): void {
    this.#connection.endTunnel()
  }

  destroy(): void {
    this.#connection.destroy()
  }
}
