import type { WebSocketScope } from '../../contract/scope.ts'
import type { TimerWheel } from '../timer-wheel.ts'

/** What all WebSockets of one server share. */
export interface WebSocketSettings {
  readonly wheel: TimerWheel
  /** Bytes of a message; Infinity for no limit. */
  readonly maxSize: number
  /** Seconds between two pings; 0 for none. */
  readonly pingInterval: number
  /** Seconds that a client may be silent after a ping; 0 for no limit. */
  readonly pingTimeout: number
  /** Whether to compress where the client can. */
  readonly deflate: boolean
  /** The origins that may open a WebSocket, in lower case; null for all. */
  readonly origins: ReadonlySet<string> | null
  /** Hears of a WebSocket that was failed because of what its client did. */
  failed(scope: WebSocketScope, code: number, reason: string): void
}
