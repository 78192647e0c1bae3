import { asyncToSync, syncToAsync } from '../threads/index.ts'
import { ringMemory, RingReader, RingWriter, type RingMemory } from '../threads/ring.ts'
import type { LiveRequest } from './live.ts'
import type { RemoteParts } from './pack.ts'
import type { ResponseStream } from './response.ts'

const onThread = (name: string): URL => new URL(`./on-thread.js#${name}`, import.meta.url)
const onLoop = (name: string): URL => new URL(`./on-loop.js#${name}`, import.meta.url)
const pump = syncToAsync<(id: string, number: number, memory: RingMemory) => void>(onThread('pump'))
const renderOnThread = syncToAsync<(id: string, number: number, context: unknown) => Uint8Array>(onThread('render'))
const nextChunk = asyncToSync<(id: string, number: number) => Promise<Uint8Array | null>>(onLoop('nextChunk'))
const stopChunks = asyncToSync<(id: string, number: number) => Promise<void>>(onLoop('stopChunks'))
const renderOnLoop = asyncToSync<(id: string, number: number, context: unknown) => Promise<Uint8Array>>(onLoop('render'))

/** Calls a function on the thread that is parked for the request. */
export function onParked<T>(live: LiveRequest, call: () => Promise<T>): Promise<T> {
  const link = live.links.at(-1)
  return link === undefined ? Promise.reject(new Error('no thread is parked for this request')) : link(call)
}

/** For the event loop: parts of responses that are on a thread. */
export const fromThread: RemoteParts = {
  stream: (live, number) => ({ [Symbol.asyncIterator]: () => pumped(live, number) }) as ResponseStream,
  template: (live, number) => async (context) => onParked(live, () => renderOnThread(live.id, number, context)),
}

/** For a thread: parts of responses that are on the event loop. */
export const fromLoop: RemoteParts = {
  stream: (live, number) => ({ [Symbol.iterator]: () => asked(live, number) }) as ResponseStream,
  template: (live, number) => (context) => renderOnLoop(live.id, number, context),
}

/** The thread iterates and writes into a ring, and blocks while that is full. */
async function* pumped(live: LiveRequest, number: number): AsyncGenerator<Uint8Array, void, void> {
  const memory = ringMemory()
  const reader = new RingReader(memory)
  const pumping = onParked(live, () => pump(live.id, number, memory))
  // A thread that has ended does not tell the ring.
  pumping.catch(() => new RingWriter(memory).cut())
  let whole = false
  try {
    for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) yield chunk
    whole = true
  } catch (error) {
    // What the iteration threw says more.
    await pumping
    throw error
  } finally {
    if (!whole) reader.cancel()
  }
  await pumping
}

/** The event loop iterates, and is asked for each piece: the thread has to be free for what that calls in turn. */
function* asked(live: LiveRequest, number: number): Generator<Uint8Array, void, void> {
  let whole = false
  try {
    for (let chunk = nextChunk(live.id, number); chunk !== null; chunk = nextChunk(live.id, number)) yield chunk
    whole = true
  } finally {
    if (!whole) stopChunks(live.id, number)
  }
}
