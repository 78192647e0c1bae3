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
  | 'http.response.zerocopysend'
  | 'http.response.pathsend'
  | 'http.response.push'
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

interface Rules {
  readonly earlyHint: OrderRule
  readonly debug: OrderRule
  readonly push: OrderRule
  readonly start: OrderRule
  readonly body: OrderRule
  readonly file: OrderRule
  readonly trailers: OrderRule
  readonly upgrade: OrderRule
}

function row({ earlyHint, debug, push, start, body, file, trailers, upgrade }: Rules): Row {
  return {
    'http.response.early_hint': earlyHint,
    'http.response.debug': debug,
    'http.response.push': push,
    'http.response.start': start,
    'http.response.body': body,
    'http.response.zerocopysend': body,
    'http.response.pathsend': file,
    'http.response.trailers': trailers,
    'tsgi.upgrade': upgrade,
  }
}

/** The rule for each event in each state. */
export const httpOrder: Readonly<Record<HttpState, Row>> = {
  waiting: row({ earlyHint: 'take', debug: 'take', push: 'take', start: 'take', body: 'refuse', file: 'refuse', trailers: 'refuse', upgrade: 'take' }),
  held: row({ earlyHint: 'take', debug: 'refuse', push: 'take', start: 'refuse', body: 'take', file: 'take', trailers: 'refuse', upgrade: 'refuse' }),
  streaming: row({ earlyHint: 'ignore', debug: 'refuse', push: 'take', start: 'refuse', body: 'take', file: 'refuse', trailers: 'refuse', upgrade: 'refuse' }),
  trailers: row({ earlyHint: 'ignore', debug: 'refuse', push: 'take', start: 'refuse', body: 'refuse', file: 'refuse', trailers: 'take', upgrade: 'refuse' }),
  complete: row({ earlyHint: 'ignore', debug: 'ignore', push: 'ignore', start: 'ignore', body: 'ignore', file: 'ignore', trailers: 'ignore', upgrade: 'refuse' }),
}

/** What brings the response forward in each state: the events that an error message names as expected. */
export const httpExpected: Readonly<Record<HttpState, readonly HttpEventType[]>> = {
  waiting: ['http.response.start'],
  held: ['http.response.body'],
  streaming: ['http.response.body'],
  trailers: ['http.response.trailers'],
  complete: [],
}
