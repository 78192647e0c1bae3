import { asyncToSync, syncToAsync } from '../threads/index.ts'
import { ringMemory, RingReader, RingWriter, type RingMemory } from '../threads/ring.ts'
import type { LiveRequest } from './live.ts'
import type { RemoteParts } from './pack.ts'
import type { ResponseStream } from './response.ts'

const onThread = (name: string): URL => new URL(`./on-thread.js#${name}`, import.meta.url)
const onLoop = (name: string): URL => new URL(`./on-loop.js#${name}`, import.meta.url)
const pump = syncToAsync<(id: string, number: number, memory: RingMemory) => void>(onThread('pump'))
const nextOnThread = syncToAsync<(id: string, number: number) => Uint8Array | null>(onThread('nextChunk'))
const stopOnThread = syncToAsync<(id: string, number: number) => void>(onThread('stopChunks'))
const renderOnThread = syncToAsync<(id: string, number: number, context: unknown) => Uint8Array>(onThread('render'))
const nextOnLoop = asyncToSync<(id: string, number: number) => Promise<Uint8Array | null>>(onLoop('nextChunk'))
const stopOnLoop = asyncToSync<(id: string, number: number) => Promise<void>>(onLoop('stopChunks'))
const renderOnLoop = asyncToSync<(id: string, number: number, context: unknown) => Promise<Uint8Array>>(onLoop('render'))

/** Calls a function on the thread that is parked for the request. */
export function onParked<T>(live: LiveRequest, call: () => Promise<T>): Promise<T> {
  const link = live.links.at(-1)
  return link === undefined ? Promise.reject(new Error('no thread is parked for this request')) : link(call)
}

/** For the event loop: parts of responses that are on a thread. */
export const fromThread: RemoteParts = {
  stream: (live, number) => ({ [Symbol.asyncIterator]: () => live.attends && live.links.length === 1 ? pumped(live, number) : pulled(live, number) }) as ResponseStream,
  template: (live, number) => async (context) => onParked(live, () => renderOnThread(live.id, number, context)),
}

/** For a thread: parts of responses that are on the event loop. */
export const fromLoop: RemoteParts = {
  stream: (live, number) => ({ [Symbol.iterator]: () => asked(live, number) }) as ResponseStream,
  template: (live, number) => (context) => renderOnLoop(live.id, number, context),
}

/**
 * The thread iterates and writes into a ring, and blocks while that is full: only where nothing else is wanted of it before
 * the body is at its end.
 */
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

/** The thread iterates, and is asked for each piece: it has to be free for what the rest of the stack wants of it. */
async function* pulled(live: LiveRequest, number: number): AsyncGenerator<Uint8Array, void, void> {
  let whole = false
  const next = (): Promise<Uint8Array | null> => onParked(live, () => nextOnThread(live.id, number))
  try {
    for (let chunk = await next(); chunk !== null; chunk = await next()) yield chunk
    whole = true
  } finally {
    // Where no thread is parked any more, the request is over there too.
    if (!whole) await onParked(live, () => stopOnThread(live.id, number)).catch(() => {})
  }
}

/** The same the other way. */
function* asked(live: LiveRequest, number: number): Generator<Uint8Array, void, void> {
  let whole = false
  try {
    for (let chunk = nextOnLoop(live.id, number); chunk !== null; chunk = nextOnLoop(live.id, number)) yield chunk
    whole = true
  } finally {
    if (!whole) stopOnLoop(live.id, number)
  }
}
