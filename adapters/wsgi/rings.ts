import { ringMemory, type RingMemory } from '../../lib/threads/ring.ts'

const CAPACITY = 256 * 1024
/** Most rings that are kept for later. */
const KEPT = 32

const free: RingMemory[] = []

/** A ring that nobody uses: to make one takes a while, its memory being cleared. */
export function takeRing(): RingMemory {
  return free.pop() ?? ringMemory(CAPACITY)
}

/** Gives a ring back; neither end may touch it any more. */
export function giveRing(memory: RingMemory): void {
  if (free.length >= KEPT) return
  // What comes before the bytes is what both ends share, and is all zero in a new one.
  new Uint8Array(memory, 0, memory.byteLength - CAPACITY).fill(0)
  free.push(memory)
}
