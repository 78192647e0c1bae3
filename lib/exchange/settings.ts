import type { ExchangeObserver } from './observer.ts'

/** What all exchanges of one server share. */
export interface ExchangeSettings {
  readonly observer: ExchangeObserver | null
  /** Names (lower case) and values in turn, added to each response that has no field of that name. */
  readonly defaultHeaders: readonly string[]
  /** Whether `http.response.debug` is heard (the test client). */
  readonly debug: boolean
  /** Messages of a WebSocket that may wait for `receive` before the client is held back; Infinity for no such number. */
  readonly messageQueue: number
}

/** Exchanges run in asynchronous resources; nothing is to be told when one is collected as garbage. */
export const asyncResourceOptions = { requireManualDestroy: true } as const
