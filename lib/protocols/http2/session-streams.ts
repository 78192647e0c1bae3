import type { ServerHttp2Session } from 'node:http2'
import { types } from 'node:util'

/** Streams that a session has between two renewals of its table, at least. */
const RENEW_EVERY = 64

interface SessionState {
  streams: Map<number, unknown>
}

/**
 * The table in which node:http2 keeps the streams of a session. It is a Map, and each table that a Map has outgrown points
 * to its next one: once a table is old, the collector takes all that follow it, and the streams in them, for living until a
 * full collection. In a session that lives long that copying is near a tenth of what a small request costs, so the table
 * begins anew now and then. Where Node keeps it elsewhere, nothing is done.
 */
export class SessionStreams {
  readonly #state: SessionState | null
  #left = RENEW_EVERY

  constructor(session: ServerHttp2Session) {
    this.#state = stateOf(session)
  }

  /** A stream has begun. */
  begun(): void {
    if (this.#state === null || --this.#left > 0) return
    const { streams } = this.#state
    this.#state.streams = new (streams.constructor as MapConstructor)(streams)
    this.#left = RENEW_EVERY + 4 * streams.size
  }
}

/** What node:http2 keeps under a symbol of its own. */
function stateOf(session: object): SessionState | null {
  const key = Object.getOwnPropertySymbols(session).find(({ description }) => description === 'state')
  const state = key === undefined ? null : (session as Readonly<Record<symbol, SessionState | null>>)[key] ?? null
  return types.isMap(state?.streams) ? state : null
}
