import type { ReceiveEvent, SendEvent } from '../contract/events.ts'
import type { HttpScope, WebSocketScope } from '../contract/scope.ts'

/** What an observer may know of a running exchange. */
export interface ObservedExchange {
  readonly scope: HttpScope | WebSocketScope
  /** The status of the response; 0 before there is one. An accepted WebSocket has 101. */
  readonly status: number
  /** Bytes of the response's body, or of a WebSocket's messages, without framing. */
  readonly bytesSent: number
  /** Seconds from the request's head to the last byte of the response or the end of the WebSocket (or until now); 0 if the observer is `untimed`. */
  readonly duration: number
  /** The close code of an accepted WebSocket, as its application is told; null before there is one, and for HTTP. */
  readonly closeCode: number | null
}

/** How an exchange ended. */
export interface ExchangeOutcome extends ObservedExchange {
  /** What the application threw, or failed to do; undefined on a good end, and when the client merely left. */
  readonly error: unknown
  /** Whether the client left, or the server gave up, before the response was complete. */
  readonly disconnected: boolean
}

/**
 * Hears of exchanges: access log, metrics, tracing. One observer serves all exchanges of a server, so each call
 * names its exchange. A method that throws fails its exchange; `finished` that does ends up as an unhandled rejection.
 */
export interface ExchangeObserver {
  /** Whether `duration` is of no use to it: the clock is not read then, which is dear for a small exchange. Default: false. */
  readonly untimed?: boolean
  /** The application is about to be called. */
  started?(exchange: ObservedExchange): void
  /** The application was given an event. */
  received?(exchange: ObservedExchange, event: ReceiveEvent): void
  /** The application sent an event that was accepted. */
  sent?(exchange: ObservedExchange, event: SendEvent): void
  /** The application has returned or thrown, and the response is complete or broken off. */
  finished?(exchange: ExchangeOutcome): void
}

/** When an exchange begins, for an observer that wants to know: milliseconds by `performance.now`, else 0. */
export function startTime(observer: ExchangeObserver | null): number {
  return observer === null || observer.untimed === true ? 0 : performance.now()
}
