/** What a thread calls on the event loop. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { syncToAsync } from '../threads/index.ts'
import type { BodySource } from './body.ts'
import { sendable } from './checked.ts'
import { runAsync } from './effects.ts'
import { openGuest } from './guest.ts'
import { findLive, removeLive, type Link, type LiveRequest } from './live.ts'
import { inOwnMemory, packAnswer, packFailure, takeState, unpackTarget } from './pack.ts'
import type { PackedAnswer, PackedCall } from './packed.ts'
import { performAsync } from './perform.ts'
import { fromThread, onParked } from './remote.ts'
import type { TemplateResponse } from './response.ts'
import { loadStack } from './registry.ts'
import { checkedPiece } from './send-stream.ts'

const textEncoder = new TextEncoder()
const readInput = syncToAsync<(id: string) => Uint8Array | null>(new URL('./on-thread.js#readInput', import.meta.url))

/** Carries a target out, while the thread is parked. */
export async function answer(call: PackedCall): Promise<PackedAnswer> {
  const known = findLive(call.id)
  const live = known ?? await open(call)
  return linked(live, async () => {
    takeState(live, call.said)
    try {
      const found = await performAsync(live.active, unpackTarget(live, call.target, fromThread))
      return packAnswer(live, found === undefined ? found : sendable(found, 'async'))
    } catch (error) {
      return packFailure(live, error)
    } finally {
      // What stays here is needed until the thread says that the request is over.
      if (known === null && live.responses.size === 0) await close(live)
    }
  })
}

async function open(call: PackedCall): Promise<LiveRequest> {
  await loadStack(call.name)
  const source: BodySource = {
    readSync: () => { throw new Error('the event loop does not block') },
    read: () => onParked(live, () => readInput(call.id)),
  }
  const live = openGuest(call, source)
  return live
}

/** The request is over. */
export async function release(id: string): Promise<void> {
  const live = findLive(id)
  if (live !== null) await close(live)
}

async function close(live: LiveRequest): Promise<void> {
  removeLive(live)
  await live.active.core.closeAsync()
}

/** Takes the answer of a thread, and keeps it parked until the request is over. */
export async function attend(id: string, packed: PackedAnswer): Promise<void> {
  const live = findLive(id)
  if (live === null) return
  await linked(live, async () => {
    live.attends = true
    live.attended?.(packed)
    live.attended = null
    await live.over
  })
}

/** The next bytes of the body that the event loop has, for a thread. */
export async function readBody(id: string): Promise<Uint8Array | null> {
  const live = findLive(id)
  if (live === null) throw new Error('the request is over')
  return linked(live, async () => {
    live.reader ??= live.active.core.chunks()
    return inOwnMemory(await runAsync(live.reader.next()))
  })
}

/** The next piece of a response that is here; null at the end. */
export async function nextChunk(id: string, number: number): Promise<Uint8Array | null> {
  const live = findLive(id)
  const stream = live?.responses.get(number)?.stream
  if (live === null || stream === null || stream === undefined) throw new Error(`response ${number} is over`)
  return linked(live, async () => {
    let iterator = live.iterators.get(number)
    if (iterator === undefined) live.iterators.set(number, iterator = iterate(stream))
    const { done, value } = await iterator.next()
    if (done === true) {
      live.iterators.delete(number)
      return null
    }
    const piece = checkedPiece(value)
    return typeof piece === 'string' ? textEncoder.encode(piece) : inOwnMemory(piece)
  })
}

async function* iterate(stream: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array | string, void, void> {
  yield* stream
}

/** The rest of it is not wanted. */
export async function stopChunks(id: string, number: number): Promise<void> {
  const live = findLive(id)
  const iterator = live?.iterators.get(number)
  live?.iterators.delete(number)
  await iterator?.return?.()
}

/** Makes the content of a response that is here, of a context that layers of the other side may have changed. */
export async function render(id: string, number: number, context: unknown): Promise<Uint8Array> {
  const response = findLive(id)?.responses.get(number) as TemplateResponse
  response.context = context
  await response.renderAsync()
  return response.content
}

/** Runs a function while the thread that asks is known as the one that is parked for the request. */
async function linked<T>(live: LiveRequest, run: () => Promise<T>): Promise<T> {
  const link = AsyncLocalStorage.snapshot() as Link
  live.links.push(link)
  try {
    return await run()
  } finally {
    live.links.splice(live.links.indexOf(link), 1)
  }
}
