import { setTimeout as delay } from 'node:timers/promises'

/** Where calls on threads wait until the spec lets them go: `pass` of modules/work.ts. */
export class Gate {
  readonly words: Int32Array = new Int32Array(new SharedArrayBuffer(8))

  /** Resolves when so many calls stand before it. */
  async reached(calls = 1): Promise<void> {
    while (Atomics.load(this.words, 0) < calls) await delay(2)
  }

  /** How many calls have come so far. */
  get calls(): number {
    return Atomics.load(this.words, 0)
  }

  open(): void {
    Atomics.store(this.words, 1, 1)
    Atomics.notify(this.words, 1)
  }
}
