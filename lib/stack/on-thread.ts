/** What the event loop calls on a thread. */
import { asyncToSync } from '../threads/index.ts'
import { RingWriter, type RingMemory } from '../threads/ring.ts'
import type { BodySource } from './body.ts'
import { sendable } from './checked.ts'
import { runSync } from './effects.ts'
import { openGuest } from './guest.ts'
import { findLive, removeLive, type LiveRequest } from './live.ts'
import { inOwnMemory, packAnswer, packFailure, takeState, unpackTarget } from './pack.ts'
import type { PackedAnswer, PackedCall } from './packed.ts'
import { performSync } from './perform.ts'
import { fromLoop } from './remote.ts'
import type { TemplateResponse } from './response.ts'
import { checkedPiece } from './send-stream.ts'

const textEncoder = new TextEncoder()
const onLoop = (name: string): URL => new URL(`./on-loop.js#${name}`, import.meta.url)
const readBody = asyncToSync<(id: string) => Promise<Uint8Array | null>>(onLoop('readBody'))
const attend = asyncToSync<(id: string, answer: PackedAnswer) => Promise<void>>(onLoop('attend'))

/** Carries a target out. Beneath a call that is parked here for the same request, it shares that one's request. */
export function enter(call: PackedCall): PackedAnswer {
  const known = findLive(call.id)
  if (known !== null) return perform(known, call)
  const live = openGuest(call, sourceOf(call.id))
  try {
    const answer = perform(live, call)
    // A response that has to stay here is needed until the request is over.
    if (live.responses.size > 0) attend(call.id, answer)
    return answer
  } finally {
    removeLive(live)
    live.active.core.close()
  }
}

function perform(live: LiveRequest, call: PackedCall): PackedAnswer {
  takeState(live, call.said)
  try {
    const answer = performSync(live.active, unpackTarget(live, call.target, fromLoop))
    return packAnswer(live, answer === undefined ? answer : sendable(answer, 'sync'))
  } catch (error) {
    return packFailure(live, error)
  }
}

function sourceOf(id: string): BodySource {
  return {
    readSync: () => readBody(id),
    read: () => Promise.reject(new Error('a thread reads by blocking')),
  }
}

/** Writes the pieces of a response that is here into a ring. */
export function pump(id: string, number: number, memory: RingMemory): void {
  const ring = new RingWriter(memory)
  try {
    const stream = findLive(id)?.responses.get(number)?.stream
    if (stream === null || stream === undefined || !(Symbol.iterator in stream)) throw new Error(`response ${number} does not stream in sync mode`)
    for (const given of stream) {
      const piece = checkedPiece(given)
      ring.writeSync(typeof piece === 'string' ? Buffer.from(piece) : piece)
    }
    ring.end()
  } catch (error) {
    ring.cut()
    throw error
  }
}

/** The next piece of a response that is here; null at the end. */
export function nextChunk(id: string, number: number): Uint8Array | null {
  const live = findLive(id)
  const stream = live?.responses.get(number)?.stream
  if (live === null || stream === null || stream === undefined || !(Symbol.iterator in stream)) throw new Error(`response ${number} is over`)
  const iterator = (live.iterators.get(number) ?? stream[Symbol.iterator]()) as Iterator<Uint8Array | string>
  // What fails, or is at its end, is not asked to return.
  live.iterators.delete(number)
  const { done, value } = iterator.next()
  if (done === true) return null
  live.iterators.set(number, iterator)
  const piece = checkedPiece(value)
  return typeof piece === 'string' ? textEncoder.encode(piece) : inOwnMemory(piece)
}

/** The rest of it is not wanted. */
export function stopChunks(id: string, number: number): void {
  const live = findLive(id)
  const iterator = live?.iterators.get(number)
  live?.iterators.delete(number)
  iterator?.return?.()
}

/** Makes the content of a response that is here, of a context that layers of the other side may have changed. */
export function render(id: string, number: number, context: unknown): Uint8Array {
  const response = findLive(id)?.responses.get(number) as TemplateResponse
  response.context = context
  response.renderSync()
  return response.content
}

/** The next bytes of the body that this thread has, for the event loop. */
export function readInput(id: string): Uint8Array | null {
  const live = findLive(id)
  if (live === null) throw new Error('the request is over')
  live.reader ??= live.active.core.chunks()
  return inOwnMemory(runSync(live.reader.next()))
}
