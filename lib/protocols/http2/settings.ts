import type { Application } from '../../contract/application.ts'
import type { HttpScope, State, WebSocketScope } from '../../contract/scope.ts'
import type { ExchangeSettings } from '../../exchange/settings.ts'
import type { Refusal } from '../refusal.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import type { WebSocketSettings } from '../websocket/settings.ts'
import type { Http2Connection } from './connection.ts'

/** What all HTTP/2 connections of one port share. Times are in seconds, 0 for no limit. */
export interface Http2Settings {
  readonly app: Application
  readonly exchange: ExchangeSettings
  readonly wheel: TimerWheel
  /** Without a part of a request's body; in which a client takes nothing of a response. */
  readonly timeouts: { readonly body: number; readonly send: number }
  /** Without an open stream. */
  readonly idleTimeout: number
  /** Streams that a client may have open. */
  readonly maxStreams: number
  /** Bytes of a request's header list, as RFC 9113 10.5.1 counts them. */
  readonly maxHeaderList: number
  /** Streams that a client may reset in a second, beyond a first 1000. */
  readonly maxResets: number
  /** Header fields of a request, its cookies counted as one; Infinity for no limit. */
  readonly fields: number
  /** Bytes of a request's target; Infinity for no limit. */
  readonly target: number
  /** Bytes of a request's trailers; Infinity for no limit. */
  readonly trailers: number
  readonly scheme: 'http' | 'https'
  readonly webSocket: WebSocketSettings
  readonly rootPath: string
  readonly state: State
  readonly date: boolean
  /** Rewrites a scope before its exchange begins, by what a trusted proxy says of the client; null for none. */
  readonly forwarded: (<S extends HttpScope | WebSocketScope>(scope: S) => S) | null
  /** Hears of a connection's end, and of a request that was refused. */
  readonly owner: Http2Owner
}

/** Who keeps the connections. */
export interface Http2Owner {
  closed(connection: Http2Connection): void
  refused(connection: Http2Connection, refusal: Refusal): void
}
