import type { Application } from '../../contract/application.ts'
import type { HttpScope, State, WebSocketScope } from '../../contract/scope.ts'
import type { ExchangeSettings } from '../../exchange/settings.ts'
import type { RequestLimits } from '../gateway-request.ts'
import type { Refusal } from '../refusal.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import type { UwsgiConnection } from './connection.ts'

/** What all uwsgi connections of one server share. */
export interface UwsgiSettings {
  readonly app: Application
  readonly exchange: ExchangeSettings
  readonly wheel: TimerWheel
  /** Seconds; 0 for none. */
  readonly timeouts: { readonly head: number; readonly body: number; readonly send: number; readonly halfClose: number }
  /** Bytes of a packet's variables; Infinity for no such number. */
  readonly packet: number
  readonly limits: RequestLimits
  readonly rootPath: string
  readonly state: State
  readonly date: boolean
  /** Rewrites a scope before its exchange begins, by what a trusted proxy says of the client; null for none. */
  readonly forwarded: (<S extends HttpScope | WebSocketScope>(scope: S) => S) | null
  /** Hears of a connection's end, and of a request that was refused. */
  readonly owner: UwsgiOwner
}

/** Who keeps the connections. */
export interface UwsgiOwner {
  closed(connection: UwsgiConnection): void
  refused(connection: UwsgiConnection, refusal: Refusal): void
}
