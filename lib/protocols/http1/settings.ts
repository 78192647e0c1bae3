import type { Application } from '../../contract/application.ts'
import type { HttpScope, State, WebSocketScope } from '../../contract/scope.ts'
import type { ExchangeSettings } from '../../exchange/settings.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import type { WebSocketSettings } from '../websocket/settings.ts'
import type { ChunkedLimits } from './chunked-parser.ts'
import type { Http1Connection } from './connection.ts'
import type { Refusal } from '../refusal.ts'
import type { HeadLimits, RequestParser } from './request-parser.ts'

/** Seconds; 0 for none. */
export interface Http1Timeouts {
  readonly head: number
  readonly body: number
  readonly send: number
  readonly keepAlive: number
  readonly halfClose: number
}

/** What all HTTP/1.1 connections of one server share. */
export interface Http1Settings {
  readonly app: Application
  readonly exchange: ExchangeSettings
  readonly wheel: TimerWheel
  readonly timeouts: Http1Timeouts
  readonly head: HeadLimits
  /** Parsers that no connection uses now. */
  readonly parsers: RequestParser[]
  readonly chunked: ChunkedLimits
  /** Requests after which a connection closes; Infinity for no such number. */
  readonly requests: number
  readonly scheme: 'http' | 'https'
  readonly rootPath: string
  readonly state: State
  readonly date: boolean
  /** Rewrites a scope before its exchange begins, by what a trusted proxy says of the client; null for none. */
  readonly forwarded: (<S extends HttpScope | WebSocketScope>(scope: S) => S) | null
  readonly webSocket: WebSocketSettings
  /** Hears of a connection's end, and of a request that was refused. */
  readonly owner: Http1Owner
}

/** Who keeps the connections. */
export interface Http1Owner {
  closed(connection: Http1Connection): void
  refused(connection: Http1Connection, refusal: Refusal): void
  /**
   * Takes over a connection that begins with the preface of HTTP/2, and with the bytes that have been read from it;
   * null where that is not served.
   */
  readonly http2: ((connection: Http1Connection, bytes: Buffer) => void) | null
}
