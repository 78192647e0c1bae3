import type { Send } from '../contract/application.ts'
import { InvalidResponse } from '../contract/errors.ts'
import type { HttpSendEvent } from '../contract/events.ts'
import type { ResponseStream } from './response.ts'

/** Sends a stream piece by piece. The iterator is asked to return if it is not at its end, when the client leaves too. */
export async function sendStream(stream: ResponseStream, send: Send<HttpSendEvent> | Send, signal: AbortSignal | undefined): Promise<void> {
  if (Symbol.asyncIterator in stream) {
    await sendAsync(stream[Symbol.asyncIterator](), send, signal)
  } else {
    for (const piece of stream) {
      signal?.throwIfAborted()
      await send({ type: 'http.response.body', body: checkedPiece(piece), moreBody: true })
    }
  }
  await send({ type: 'http.response.body', moreBody: false })
}

async function sendAsync(iterator: AsyncIterator<Uint8Array | string>, send: Send<HttpSendEvent> | Send, signal: AbortSignal | undefined): Promise<void> {
  // One listener for the whole stream: a race for each piece would keep something of every piece.
  let leave: ((reason: unknown) => void) | null = null
  let left = false
  const aborted = (): void => {
    left = true
    leave?.(signal?.reason)
  }
  signal?.addEventListener('abort', aborted)
  /** Whether a step is under way, or has failed. */
  let busy = false
  try {
    for (;;) {
      signal?.throwIfAborted()
      busy = true
      const step = await new Promise<IteratorResult<Uint8Array | string, unknown>>((resolve, reject) => {
        leave = reject
        Promise.resolve(iterator.next()).then(resolve, reject)
      })
      busy = false
      if (step.done === true) return
      await send({ type: 'http.response.body', body: checkedPiece(step.value), moreBody: true })
    }
  } catch (error) {
    // What has failed by itself is not asked to return; what waits for something returns once that is there, maybe never.
    const returned = busy && !left ? undefined : new Promise((resolve) => { resolve(iterator.return?.()) }).catch(() => {})
    if (!busy) await returned
    throw error
  } finally {
    signal?.removeEventListener('abort', aborted)
  }
}

/** A piece of a body. Throws `InvalidResponse`. */
export function checkedPiece(piece: unknown): Uint8Array | string {
  if (typeof piece === 'string' || piece instanceof Uint8Array) return piece
  throw new InvalidResponse('a piece of the body', 'a Uint8Array or a string', piece)
}
