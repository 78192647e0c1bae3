import { availableParallelism } from 'node:os'

/** Looks between two looks at the clock. */
const LOOKS = 64
/** Most waits in a row that are not tried, after others failed. */
const LONGEST_REST = 127

/** With one processor, who waits awake keeps the other from what is waited for. */
const alone = availableParallelism() === 1

/** A short wait awake for a word of shared memory to change: to sleep and be woken costs the system some 20 us each time. */
export class Spin {
  readonly #patience: number
  /** Waits that are left out, and how many of those there are left: more each time that one was in vain. */
  #rest = 0
  #left = 0

  /** `patience` is how long to look for a change, in milliseconds: somewhat more than the system takes to wake the other side. */
  constructor(patience: number) {
    this.#patience = patience
  }

  /** Whether the word changed within the time that it is worth to wait for it. */
  changed(words: Int32Array, index: number, seen: number): boolean {
    if (alone) return false
    if (this.#left > 0) {
      this.#left--
      return false
    }
    const until = performance.now() + this.#patience
    do {
      for (let look = 0; look < LOOKS; look++) {
        if (Atomics.load(words, index) === seen) continue
        this.#rest = 0
        return true
      }
    } while (performance.now() < until)
    this.#rest = Math.min(2 * this.#rest + 1, LONGEST_REST)
    this.#left = this.#rest
    return false
  }
}
