/**
 * What an application may send when on a WebSocket, as data: the exchange obeys this table and spec/websocket.md
 * prints it.
 */
import type { OrderRule } from './http-order.ts'

/** Where a WebSocket exchange stands. */
export type WebSocketState = 'connecting' | 'open' | 'held' | 'refusing' | 'closed'

/** The events that the WebSocket exchange knows. */
export type WebSocketEventType =
  | 'websocket.accept'
  | 'websocket.send'
  | 'websocket.close'
  | 'websocket.http.response.start'
  | 'websocket.http.response.body'
  | 'tsgi.upgrade'

/** A line of the table, for readers. */
export const webSocketStates: Readonly<Record<WebSocketState, string>> = {
  connecting: 'no answer yet',
  open: 'accepted',
  held: 'refused, the head is held back',
  refusing: 'refused, the head is on the wire',
  closed: 'closed by the application, or refused',
}

type Row = Readonly<Record<WebSocketEventType, OrderRule>>

function row(accept: OrderRule, send: OrderRule, close: OrderRule, start: OrderRule, body: OrderRule, upgrade: OrderRule): Row {
  return {
    'websocket.accept': accept,
    'websocket.send': send,
    'websocket.close': close,
    'websocket.http.response.start': start,
    'websocket.http.response.body': body,
    'tsgi.upgrade': upgrade,
  }
}

/** The rule for each event in each state. */
export const webSocketOrder: Readonly<Record<WebSocketState, Row>> = {
  connecting: row('take', 'refuse', 'take', 'take', 'refuse', 'take'),
  open: row('refuse', 'take', 'take', 'refuse', 'refuse', 'refuse'),
  held: row('refuse', 'refuse', 'refuse', 'refuse', 'take', 'refuse'),
  refusing: row('refuse', 'refuse', 'refuse', 'refuse', 'take', 'refuse'),
  closed: row('refuse', 'refuse', 'ignore', 'refuse', 'ignore', 'refuse'),
}

/** What may come in each state: the events that an error message names as expected. */
export const webSocketExpected: Readonly<Record<WebSocketState, readonly WebSocketEventType[]>> = {
  connecting: ['websocket.accept', 'websocket.close', 'websocket.http.response.start'],
  open: ['websocket.send', 'websocket.close'],
  held: ['websocket.http.response.body'],
  refusing: ['websocket.http.response.body'],
  closed: [],
}
