/**
 * What an application may send when, as data: the HTTP exchange obeys this table and spec/http.md prints it.
 */

/** Where the response of an HTTP exchange stands. */
export type HttpState = 'waiting' | 'held' | 'streaming' | 'trailers' | 'complete'

/** The events that the HTTP exchange knows. */
export type HttpEventType =
  | 'http.response.early_hint'
  | 'http.response.debug'
  | 'http.response.start'
  | 'http.response.body'
  | 'http.response.trailers'
  | 'tsgi.upgrade'

/** `take`: the event is carried out. `ignore`: `send` resolves and nothing happens. `refuse`: `send` rejects. */
export type OrderRule = 'take' | 'ignore' | 'refuse'

/** A line of the table, for readers. */
export const httpStates: Readonly<Record<HttpState, string>> = {
  waiting: 'no response yet',
  held: 'the head is held back',
  streaming: 'the head is on the wire',
  trailers: 'the body is complete, trailers were announced',
  complete: 'the response is complete',
}

type Row = Readonly<Record<HttpEventType, OrderRule>>

function row(earlyHint: OrderRule, debug: OrderRule, start: OrderRule, body: OrderRule, trailers: OrderRule, upgrade: OrderRule): Row {
  return {
    'http.response.early_hint': earlyHint,
    'http.response.debug': debug,
    'http.response.start': start,
    'http.response.body': body,
    'http.response.trailers': trailers,
    'tsgi.upgrade': upgrade,
  }
}

/** The rule for each event in each state. */
export const httpOrder: Readonly<Record<HttpState, Row>> = {
  waiting: row('take', 'take', 'take', 'refuse', 'refuse', 'take'),
  held: row('take', 'refuse', 'refuse', 'take', 'refuse', 'refuse'),
  streaming: row('ignore', 'refuse', 'refuse', 'take', 'refuse', 'refuse'),
  trailers: row('ignore', 'refuse', 'refuse', 'refuse', 'take', 'refuse'),
  complete: row('ignore', 'ignore', 'ignore', 'ignore', 'ignore', 'refuse'),
}

/** What brings the response forward in each state: the events that an error message names as expected. */
export const httpExpected: Readonly<Record<HttpState, readonly HttpEventType[]>> = {
  waiting: ['http.response.start'],
  held: ['http.response.body'],
  streaming: ['http.response.body'],
  trailers: ['http.response.trailers'],
  complete: [],
}
