/** Functions that block for a while: the loop, if it calls them, or else the thread that they are called on. */
import { scryptSync } from 'node:crypto'
import { threadId } from 'node:worker_threads'
import { gzipSync } from 'node:zlib'

/** How a job went. */
export interface Result {
  readonly text: string
  /** Milliseconds that it blocked. */
  readonly took: number
  /** The thread that it ran on; 0 is the one with the event loop. */
  readonly thread: number
}

/** Derives a key from a password, `cost` times as hard as a login should. */
export function scrypt(cost: number): Result {
  return timed(() => scryptSync('correct horse', 'battery staple', 32, { N: 2 ** 14, r: 8, p: cost }).toString('hex').slice(0, 16))
}

/** Compresses so many MiB of letters in no order. */
export function gzip(mebibytes: number): Result {
  const text = Buffer.alloc(mebibytes * 2 ** 20)
  for (let at = 0, seed = 1; at < text.length; at++) {
    seed = Math.imul(seed, 0x19660d) + 0x3c6ef35f | 0
    text[at] = 97 + ((seed >>> 27) % 26)
  }
  return timed(() => `${(gzipSync(text).length / 2 ** 20).toFixed(1)} of ${mebibytes} MiB`)
}

function timed(work: () => string): Result {
  const began = performance.now()
  const text = work()
  return { text, took: performance.now() - began, thread: threadId }
}
