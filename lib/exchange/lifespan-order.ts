/** What an application may send during the lifespan, as data: the lifespan exchange obeys this table and spec/lifespan.md prints it. */
import type { OrderRule } from './http-order.ts'

/** Where the lifespan stands. */
export type LifespanState = 'starting' | 'running' | 'stopping' | 'over'

export type LifespanEventType =
  | 'lifespan.startup.complete'
  | 'lifespan.startup.failed'
  | 'lifespan.shutdown.complete'
  | 'lifespan.shutdown.failed'

/** A line of the table, for readers. */
export const lifespanStates: Readonly<Record<LifespanState, string>> = {
  starting: 'the server starts',
  running: 'the server serves',
  stopping: 'the server has stopped serving',
  over: 'the lifespan is over',
}

type Row = Readonly<Record<LifespanEventType, OrderRule>>

function row(startup: OrderRule, shutdown: OrderRule): Row {
  return {
    'lifespan.startup.complete': startup,
    'lifespan.startup.failed': startup,
    'lifespan.shutdown.complete': shutdown,
    'lifespan.shutdown.failed': shutdown,
  }
}

/** The rule for each event in each state. */
export const lifespanOrder: Readonly<Record<LifespanState, Row>> = {
  starting: row('take', 'refuse'),
  running: row('refuse', 'refuse'),
  stopping: row('refuse', 'take'),
  over: row('refuse', 'refuse'),
}

/** What brings the lifespan forward in each state. */
export const lifespanExpected: Readonly<Record<LifespanState, readonly LifespanEventType[]>> = {
  starting: ['lifespan.startup.complete', 'lifespan.startup.failed'],
  running: [],
  stopping: ['lifespan.shutdown.complete', 'lifespan.shutdown.failed'],
  over: [],
}
