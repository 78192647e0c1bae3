import type { HttpScope, WebSocketScope } from './scope.ts'

/** The key under which a scope carries its exchange; it survives `{ ...scope }`, and two copies of tsgi share it. */
export const exchangeKey: unique symbol = Symbol.for('tsgi.exchange')

/** What a scope carries under `exchangeKey`. */
export interface DisconnectSource {
  /** Made on first use. */
  readonly disconnectSignal: AbortSignal
  /** Whether a body may follow the request's head; no field of HTTP/2 need say so. Absent on a WebSocket. */
  readonly hasBody?: boolean
}

/** Whether a body may follow the head of a request; undefined if that is not known. For adapters. */
export function hasBody(scope: HttpScope): boolean | undefined {
  return (scope as { readonly [exchangeKey]?: DisconnectSource | null })[exchangeKey]?.hasBody
}

/**
 * A signal that aborts when the client leaves, or the server gives up, before the response is complete; never on a
 * normal end. Made on first use; its `reason` is a `ClientDisconnected`. For a scope that no server made (one
 * written by hand in a test) it never aborts.
 */
export function disconnectSignal(scope: HttpScope | WebSocketScope): AbortSignal {
  const source = (scope as { readonly [exchangeKey]?: DisconnectSource | null })[exchangeKey]
  return source?.disconnectSignal ?? new AbortController().signal
}
