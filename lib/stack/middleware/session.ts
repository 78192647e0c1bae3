import { randomBytes } from 'node:crypto'
import { InvalidResponse, InvalidStack } from '../../contract/errors.ts'
import type { HttpRequest } from '../request.ts'

const KEY = 'tsgi.session'

/** A session as it lies in `request.state`: plain data, which crosses to threads. */
export interface SessionState {
  /** Empty until it is needed. */
  id: string
  /** When it began, in seconds; 0 for one that begins with this response. */
  created: number
  readonly values: Map<string, unknown>
  /** What CSRF tokens are made of; empty until it is needed. */
  csrf: string
  /** Whether anybody has looked at it. */
  accessed: boolean
}

/** A session that holds nothing. */
export function emptySession(): SessionState {
  return { id: '', created: 0, values: new Map(), csrf: '', accessed: false }
}

/** Whether there is nothing to be kept. */
export function isEmpty({ values, csrf }: SessionState): boolean {
  return values.size === 0 && csrf === ''
}

export function newSessionId(): string {
  return randomBytes(16).toString('base64url')
}

/** The session in a request's state; null where no layer has put one there. */
export function sessionState(request: HttpRequest): SessionState | null {
  return (request.state[KEY] as SessionState | undefined) ?? null
}

/** Has those beneath see a session. */
export function putSession(request: HttpRequest, state: SessionState): void {
  request.state[KEY] = state
}

/** The session of a request; each call gives the same one. Throws `InvalidStack` where there is no `sessions` layer above. */
export function session(request: HttpRequest): Session {
  if (sessionState(request) === null) throw new InvalidStack('session(request) needs a layer sessions(…) above it')
  return new Session(request)
}

/** What is kept for one browser, from request to request. It holds what JSON can have. */
export class Session implements Iterable<readonly [name: string, value: unknown]> {
  readonly #request: HttpRequest

  constructor(request: HttpRequest) {
    this.#request = request
  }

  /** Names this session, for lists of those that are over. A session that keeps nothing has another one each time. */
  get id(): string {
    return this.#state.id ||= newSessionId()
  }

  /** A value; `undefined` if there is none. What is changed within it is kept too. */
  get(name: string): unknown {
    return this.#state.values.get(name)
  }

  /** Whether there is a value of this name. */
  has(name: string): boolean {
    return this.#state.values.has(name)
  }

  /** Keeps a value. Throws `InvalidResponse` for what JSON does not have. */
  set(name: string, value: unknown): void {
    this.#state.values.set(name, jsonOf(name, value))
  }

  /** Forgets a value. */
  delete(name: string): void {
    this.#state.values.delete(name)
  }

  /** Forgets all, and the session itself: for a log-out. What is set after that is of a new session. */
  clear(): void {
    const state = this.#state
    state.values.clear()
    this.#begin(state, '')
  }

  /** Gives it a new id, and keeps its values: for a log-in, so that nobody can have chosen the id before (session fixation). CSRF tokens are made anew. */
  renew(): void {
    this.#begin(this.#state, newSessionId())
  }

  /** The names and values. */
  [Symbol.iterator](): Iterator<readonly [name: string, value: unknown]> {
    return this.#state.values.entries()
  }

  #begin(state: SessionState, id: string): void {
    state.id = id
    state.created = 0
    state.csrf = ''
  }

  /** Looked up each time: when a request changes threads, it is another object. */
  get #state(): SessionState {
    const state = sessionState(this.#request)
    if (state === null) throw new InvalidStack('request.state has lost the session: it was replaced by a layer or a view')
    state.accessed = true
    return state
  }
}

function jsonOf(name: string, value: unknown): unknown {
  const what = `the value of ${name} in the session`
  let text: string | undefined
  try {
    text = JSON.stringify(value) as string | undefined
  } catch {
    throw new InvalidResponse(what, 'what JSON can have, without circles', value)
  }
  if (text === undefined) throw new InvalidResponse(what, 'what JSON can have', value)
  return JSON.parse(text) as unknown
}
