import type { HttpTransport, TakeConnection } from '../../exchange/transport.ts'
import type { WebSocketSession } from './session.ts'

/** What a WebSocket runs over: a connection after its upgrade, or a stream of one. */
export interface WebSocketLine {
  /** Buffered bytes at which the line counts as full. */
  readonly highWaterMark: number
  /** Whether bytes wait for the client so that no more should be written; `drained` follows. */
  readonly full: boolean
  /** Whether nothing waits for the client. */
  readonly empty: boolean
  /** Answers the handshake; what is read from now on, and what was read already, is the session's. Names and values in turn. */
  accept(session: WebSocketSession, fields: readonly string[], dated: boolean): void
  /** Gives the transport for a response in place of the WebSocket. */
  refuse(): HttpTransport
  /** Lets go of the line, in place of an answer; there where the scope offers it. */
  takeOver?(take: TakeConnection): void
  /** Writes Latin-1 text, and bytes that must stay as they are until the line is empty. */
  write(text: string, bytes: Uint8Array | null): void
  /** Stops `read` calls soon. */
  pause(): void
  resume(): void
  /** Ends the line so that what was written arrives. */
  end(): void
  /** Ends the line now. */
  destroy(): void
}
