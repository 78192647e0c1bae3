import { threadId } from 'node:worker_threads'
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
  /** Responses that stay here, since their bodies cannot cross; the other side has their numbers. */
  readonly responses: Map<number, HttpResponse> = new Map()
  /** Ways to the thread that is parked for this request, the innermost last. */
  readonly links: Link[] = []
  /** What reads the body for the other side. */
  reader: ChunkReader | null = null
  /** Bodies here that the other side iterates. */
  readonly iterators: Map<number, AsyncIterator<Uint8Array | string>> = new Map()
  /** Takes the answer of a thread that stays parked, because it has a response that is still needed. */
  attended: ((answer: PackedAnswer) => void) | null = null
  /** Whether the event loop holds on to what it has of this request, until it is told that the request is over. */
  keptThere = false
  #over = false
  readonly #waiting: (() => void)[] = []
  #responses = 0

  constructor(id: string, active: ActiveRequest) {
    this.id = id
    this.active = active
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
    for (const response of this.responses.values()) response.close()
    this.responses.clear()
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

const requests = new Map<string, LiveRequest>()
const ofActive = new WeakMap<ActiveRequest, LiveRequest>()
let last = 0

/** What this side has of a request. */
export function liveOf(active: ActiveRequest): LiveRequest {
  const found = ofActive.get(active)
  if (found !== undefined) return found
  return addLive(`${threadId}.${++last}`, active)
}

/** The same, if it has crossed. */
export function findLiveOf(active: ActiveRequest): LiveRequest | null {
  return ofActive.get(active) ?? null
}

export function findLive(id: string): LiveRequest | null {
  return requests.get(id) ?? null
}

export function addLive(id: string, active: ActiveRequest): LiveRequest {
  const live = new LiveRequest(id, active)
  requests.set(id, live)
  ofActive.set(active, live)
  return live
}

export function removeLive(live: LiveRequest): void {
  live.end()
  requests.delete(live.id)
}
