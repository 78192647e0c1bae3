import { threadId } from 'node:worker_threads'
import { TransientMap } from '../threads/transient-map.ts'
import type { ActiveRequest } from './active.ts'
import type { ChunkReader } from './body.ts'
import type { PackedAnswer } from './packed.ts'
import type { HttpResponse } from './response.ts'

/** Runs a function so that calls which it makes go to the thread that is parked for the request. */
export type Link = <T>(call: () => T) => T

/** What one side has of a request that has crossed to the other. */
export class LiveRequest {
  readonly id: string
  readonly active: ActiveRequest
  /** Whether the request came from the other side. */
  readonly guest: boolean
  /** Responses that stay here, since their bodies cannot cross; the other side has their numbers. */
  readonly responses: Map<number, HttpResponse> = new Map()
  /** Ways to the thread that is parked for this request, the innermost last. */
  readonly links: Link[] = []
  /** What reads the body for the other side. */
  reader: ChunkReader | null = null
  /** Bodies here that the other side iterates. */
  readonly iterators: Map<number, Iterator<Uint8Array | string> | AsyncIterator<Uint8Array | string>> = new Map()
  /** Takes the answer of a thread that stays parked, because it has a response that is still needed. */
  attended: ((answer: PackedAnswer) => void) | null = null
  /** Whether that thread waits for the end of the request, and for nothing else. */
  attends = false
  /** Whether the other side has the whole body, and the form. */
  bytesThere = false
  formThere = false
  /** Whether the state could not be cloned: what cannot be is left out from then on. */
  spoilt = false
  /** Calls of threads that have not ended. */
  readonly calls: Set<Promise<unknown>> = new Set()
  /** Whether the event loop holds on to what it has of this request, until it is told that the request is over. */
  keptThere = false
  #over = false
  readonly #waiting: (() => void)[] = []
  #responses = 0

  constructor(id: string, active: ActiveRequest, guest: boolean) {
    this.id = id
    this.active = active
    this.guest = guest
  }

  /** Keeps a response here; returns its number. */
  keep(response: HttpResponse): number {
    const number = ++this.#responses
    this.responses.set(number, response)
    return number
  }

  /** Resolves when the request is over. */
  get over(): Promise<void> {
    return this.#over ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve))
  }

  end(): void {
    this.#over = true
    const iterators = [...this.iterators.values()]
    this.iterators.clear()
    for (const iterator of iterators) leave(iterator)
    const responses = [...this.responses.values()]
    this.responses.clear()
    for (const response of responses) response.close()
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** Asks a body that is not at its end to end. What fails by that has nobody to be told to. */
function leave(iterator: Iterator<unknown> | AsyncIterator<unknown>): void {
  try {
    Promise.resolve(iterator.return?.()).catch(() => {})
  } catch {
    // As above.
  }
}

const requests = new TransientMap<string, LiveRequest>()
const ofActive = new WeakMap<ActiveRequest, LiveRequest>()
let last = 0

/** What this side has of a request. */
export function liveOf(active: ActiveRequest): LiveRequest {
  const found = ofActive.get(active)
  if (found !== undefined) return found
  return addLive(`${threadId}.${++last}`, active, false)
}

/** The same, if it has crossed. */
export function findLiveOf(active: ActiveRequest): LiveRequest | null {
  return ofActive.get(active) ?? null
}

export function findLive(id: string): LiveRequest | null {
  return requests.get(id) ?? null
}

export function addLive(id: string, active: ActiveRequest, guest: boolean): LiveRequest {
  const live = new LiveRequest(id, active, guest)
  requests.set(id, live)
  ofActive.set(active, live)
  return live
}

export function removeLive(live: LiveRequest): void {
  live.end()
  requests.delete(live.id)
}
