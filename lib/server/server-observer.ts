import type { ReceiveEvent, SendEvent } from '../contract/events.ts'
import type { HttpScope, WebSocketScope } from '../contract/scope.ts'
import type { ExchangeObserver, ExchangeOutcome, ObservedExchange } from '../exchange/observer.ts'
import type { Log } from './log.ts'

/** What the server itself hears of its exchanges: it counts those that run, logs, and passes on to the user's observer. */
export class ServerObserver implements ExchangeObserver {
  /** Exchanges whose application has not returned. */
  running = 0
  /** Called when the last of them has. */
  idle: (() => void) | null = null

  readonly untimed: boolean
  readonly received?: (exchange: ObservedExchange, event: ReceiveEvent) => void
  readonly sent?: (exchange: ObservedExchange, event: SendEvent) => void
  readonly #log: Log
  readonly #accessLog: boolean
  readonly #user: ExchangeObserver | undefined

  constructor(log: Log, accessLog: boolean, user: ExchangeObserver | undefined) {
    this.#log = log
    this.#accessLog = accessLog && log.has('info')
    this.#user = user
    this.untimed = !this.#accessLog && (user === undefined || user.untimed === true)
    if (user?.received !== undefined) this.received = (exchange, event) => user.received?.(exchange, event)
    if (user?.sent !== undefined) this.sent = (exchange, event) => user.sent?.(exchange, event)
  }

  started(exchange: ObservedExchange): void {
    this.running++
    this.#user?.started?.(exchange)
  }

  finished(exchange: ExchangeOutcome): void {
    this.running--
    if (exchange.error !== undefined) {
      this.#log.error(`${methodOf(exchange.scope)} ${exchange.scope.rawPath}: the application failed`, exchange.error)
    }
    if (this.#accessLog) this.#log.access(accessLine(exchange))
    this.#user?.finished?.(exchange)
    if (this.running === 0) this.idle?.()
  }
}

/**
 * `2026-01-31 12:00:00 127.0.0.1 "GET /path?query HTTP/1.1" 200 1.3 ms 12 bytes`; the status is `-` if there was none.
 * A WebSocket has its close code at the end.
 */
function accessLine(exchange: ExchangeOutcome): string {
  const { scope, status, bytesSent, duration, disconnected, closeCode } = exchange
  const end = closeCode !== null && status === 101 ? `, closed ${closeCode}` : disconnected ? ', not finished' : ''
  return `${timestamp()} ${clientOf(scope)} "${requestLine(scope)}" ${status || '-'} ${milliseconds(duration)} ms ${bytesSent} bytes${end}`
}

/** The line for a request that was refused before it reached the application. */
export function refusalLine(client: string, status: number, reason: string): string {
  return `${timestamp()} ${client} refused ${status}: ${reason}`
}

function methodOf(scope: HttpScope | WebSocketScope): string {
  return scope.type === 'http' ? scope.method : 'WEBSOCKET'
}

function requestLine(scope: HttpScope | WebSocketScope): string {
  const query = scope.queryString === '' ? '' : `?${scope.queryString}`
  // A path may hold a quote; nothing else in it could end the field.
  return `${methodOf(scope)} ${scope.rawPath}${query} HTTP/${scope.httpVersion}`.replaceAll('"', '%22')
}

function clientOf(scope: HttpScope | WebSocketScope): string {
  return scope.client === null ? '-' : scope.client[0]
}

function milliseconds(seconds: number): string {
  const value = seconds * 1000
  return value < 10 ? value.toFixed(1) : value.toFixed(0)
}

let stampSecond = 0
let stampText = ''

function timestamp(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== stampSecond) {
    stampSecond = second
    const now = new Date()
    stampText = new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace('T', ' ')
  }
  return stampText
}
