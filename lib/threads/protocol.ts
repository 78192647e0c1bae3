/**
 * What a thread and the event loop that owns it say to each other. Tuples, not objects: to clone the keys of small
 * messages would cost more than their values.
 */

/** A function that is called across threads: the URL of its module, and its export. */
export interface FunctionName {
  readonly href: string
  readonly name: string
}

/** Stores of shared contexts, by the names that they were given. */
export type Contexts = Readonly<Record<string, unknown>>

/** To a thread: from now on this number means that function. */
export const DEFINE = 0
/** To a thread: call a function. Where it is `beneath` a call that is parked, it runs there at once. */
export const CALL = 1
/** To a thread: the answer to an ASK. */
export const ANSWER = 2
/** To a thread: nobody waits for a call any more; where it is parked, it is woken with an error. */
export const ABORT = 3
/** To a loop: a call has ended. */
export const DONE = 4
/** To a loop: run an async function while the thread is parked. */
export const ASK = 5

export type Define = readonly [type: typeof DEFINE, index: number, href: string, name: string]
export type Call = readonly [type: typeof CALL, id: number, slot: number, beneath: boolean, index: number, args: readonly unknown[], contexts: Contexts | null]
export type Answer = readonly [type: typeof ANSWER, ask: number, failed: boolean, value: unknown]
export type Abort = readonly [type: typeof ABORT, id: number, error: unknown]
export type Done = readonly [type: typeof DONE, id: number, failed: boolean, value: unknown]
export type Ask = readonly [type: typeof ASK, ask: number, from: number, href: string, name: string, args: readonly unknown[], contexts: Contexts | null]

export type ToThread = Define | Call | Answer | Abort
export type ToLoop = Done | Ask

/** Words of the shared memory beside a port: how often the thread was sent something, then one for each slot. */
export const WAKES = 0
/** Slots for calls that were sent and not begun: each holds the number of its call, or 0 once either side has laid hand on it. */
export const SLOTS = 8
/** A thread that has ended leaves its exit code here, and 1 more. */
export const OVER: number = 1 + SLOTS
/** Words of the whole. */
export const WORDS: number = 2 + SLOTS
/** The greatest number of a call; after it they begin again at 1. */
export const LAST_CALL: number = 2 ** 31 - 1
