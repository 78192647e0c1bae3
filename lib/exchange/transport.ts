import type { Duplex } from 'node:stream'

/** The final head of a response, checked and framed by the exchange; the protocol only writes it down. */
export interface ResponseHead {
  readonly status: number
  /** Names (lower case) and values in turn, without `content-length`, `connection`, `transfer-encoding`. */
  readonly headers: readonly string[]
  /** The `content-length` to send; null: send none, and delimit the body in the protocol's own way. */
  readonly contentLength: number | null
  /** Whether no body follows, whatever the head says (HEAD, 204, 205, 304). */
  readonly bodyless: boolean
  /** Whether trailers may follow the body. */
  readonly trailers: boolean
  /** Whether the connection must end with this response, where the protocol has such a thing. */
  readonly close: boolean
  /** Whether the application gave a `date` of its own. */
  readonly dated: boolean
}

/** How an HTTP exchange speaks to its protocol. Calls come in the order: inform*, head, write*, then end or abort. */
export interface HttpTransport {
  /** Sends an interim response, if the protocol version has them. Headers are names and values in turn. */
  inform(status: 100 | 103, headers: readonly string[]): void
  /** Hands over the head; it goes out with the first `write` or `end`. */
  head(head: ResponseHead): void
  /** Writes a part of the body, perhaps an empty one. Returns false when the client has no room: `drained` follows. */
  write(chunk: Uint8Array | string): boolean
  /**
   * Completes the response. Trailers are names and values in turn, null for none. Returns false when the chunk's bytes
   * are still needed: `drained` follows.
   */
  end(chunk: Uint8Array | string, trailers: readonly string[] | null): boolean
  /** Breaks the response off so that the client cannot take it for complete. */
  abort(reason: unknown): void
  /** Stops `body` calls soon. */
  pause(): void
  /** Lets `body` calls go on. */
  resume(): void
  /** Promises a response to a GET of that target (extension `http.response.push`), if the client takes it. Headers are names and values in turn. */
  push?(path: string, headers: readonly string[]): void
  /** Lets go of the connection (extension `tsgi.upgrade`); there where the scope offers it, before anything is written. */
  takeOver?(take: TakeConnection): void
}

/** Takes a connection over, and what the client has sent on it behind its request. */
export type TakeConnection = (socket: Duplex, head: Uint8Array) => void

/** The answer to a WebSocket handshake, checked by the exchange. */
export interface AcceptHead {
  /** One of those that the client offered; null for none. */
  readonly subprotocol: string | null
  /** Names (lower case) and values in turn. */
  readonly headers: readonly string[]
  /** Whether the application gave a `date` of its own. */
  readonly dated: boolean
}

/**
 * How a WebSocket exchange speaks to its protocol. Calls come in the order: accept, send*, close; or refuse alone.
 */
export interface WebSocketTransport {
  /** Completes the handshake. */
  accept(head: AcceptHead): void
  /** Refuses the handshake: gives the transport for the HTTP response that takes its place. */
  refuse(): HttpTransport
  /**
   * Sends a message, a string as text. The same `event` with the same message may have been framed already, for
   * another WebSocket. Returns false when the client has no room, or the bytes are still needed: `drained` follows.
   */
  send(message: Uint8Array | string, event: object): boolean
  /** Begins the close handshake, or ends the connection where it is under way; `closed` follows unless it came before. */
  close(code: number, reason: string): void
  /** Stops `message` calls soon. */
  pause(): void
  /** Lets `message` calls go on. */
  resume(): void
  /** As that of HTTP, in place of `accept` and `refuse`. */
  takeOver?(take: TakeConnection): void
}
