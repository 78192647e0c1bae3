import { writeSync } from 'node:fs'

/** Words of the shared memory: one lock for each of standard output and standard error. */
export const OUTPUT_WORDS = 3
/** Milliseconds after which a lock is taken from a thread that ended with it. */
const PATIENCE = 1000
/** Milliseconds between two tries to write to a pipe that is full. */
const PAUSE = 2

/**
 * Writes to standard output or standard error at once and to the last byte, one thread after the other: what a stream of
 * a blocked thread holds back until its event loop turns, if ever.
 */
export function writeAll(fd: 1 | 2, data: string | Uint8Array, locks: Int32Array): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  while (Atomics.compareExchange(locks, fd, 0, 1) !== 0) {
    if (Atomics.wait(locks, fd, 1, PATIENCE) === 'timed-out') break
  }
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
    Atomics.store(locks, fd, 0)
    Atomics.notify(locks, fd, 1)
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
