import { writeSync } from 'node:fs'
import { threadId } from 'node:worker_threads'

/** Words of the shared memory: one lock for each of standard output and standard error, which holds the number of a thread. */
export const OUTPUT_WORDS = 3
/** Milliseconds between two tries to write to a pipe that is full. */
const PAUSE = 2

/**
 * Writes to standard output or standard error at once and to the last byte, one thread after the other: what a stream of
 * a blocked thread holds back until its event loop turns, if ever.
 */
export function writeAll(fd: 1 | 2, data: string | Uint8Array, locks: Int32Array): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  for (let holder; (holder = Atomics.compareExchange(locks, fd, 0, threadId)) !== 0;) Atomics.wait(locks, fd, holder)
  try {
    let at = 0
    while (at < bytes.length) {
      try {
        at += writeSync(fd, bytes, at)
      } catch (error) {
        // A slow pipe: Node leaves it non-blocking.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
        Atomics.wait(locks, 0, 0, PAUSE)
      }
    }
  } finally {
    releaseOutput(locks, threadId)
  }
}

/** Takes the locks from a thread that may have ended in the midst of its output. */
export function releaseOutput(locks: Int32Array, thread: number): void {
  for (const fd of [1, 2]) {
    if (Atomics.compareExchange(locks, fd, thread, 0) === thread) Atomics.notify(locks, fd, 1)
  }
}

/** Has this thread's `process.stdout` and `process.stderr`, and so its console, write at once. */
export function writeAtOnce(locks: Int32Array): void {
  for (const [stream, fd] of [[process.stdout, 1], [process.stderr, 2]] as const) {
    stream.write = ((chunk: string | Uint8Array, encoding?: unknown, done?: unknown) => {
      writeAll(fd, typeof chunk === 'string' && typeof encoding === 'string' ? Buffer.from(chunk, encoding as BufferEncoding) : chunk, locks)
      const callback = typeof encoding === 'function' ? encoding : done
      if (typeof callback === 'function') process.nextTick(callback)
      return true
    }) as typeof stream.write
  }
}
