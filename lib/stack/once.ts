import { BodyConsumed, WrongMode } from '../contract/errors.ts'
import { either } from './effects.ts'
import type { Reading } from './body.ts'

/** What is read once, for all who ask; those who ask meanwhile wait. That it failed is kept too. */
export class Once<T> {
  #result: { readonly value: T } | null = null
  #failure: { readonly error: unknown } | null = null
  #waiting: (() => void)[] | null = null

  /** What was read; null before. */
  get value(): T | null {
    return this.#result === null ? null : this.#result.value
  }

  /** Whether it is being read now. */
  get running(): boolean {
    return this.#waiting !== null
  }

  /** Whether it has been read, or has failed. */
  get settled(): boolean {
    return this.#result !== null || this.#failure !== null
  }

  /** Takes what was read elsewhere. */
  set(value: T): void {
    this.#result = { value }
    this.#failure = null
  }

  /** Gives it; `read` is called if nobody has read it. */
  *get(read: () => Reading<T>): Reading<T> {
    while (this.#waiting !== null) yield* this.#turn(this.#waiting)
    if (this.#result !== null) return this.#result.value
    if (this.#failure !== null) throw this.#failure.error
    const waiting: (() => void)[] = []
    this.#waiting = waiting
    try {
      const value = yield* read()
      this.#result = { value }
      return value
    } catch (error) {
      // Nothing was taken then, so that code of the other mode may read it still.
      if (!(error instanceof WrongMode)) this.#failure = { error }
      throw error
    } finally {
      this.#waiting = null
      for (const wake of waiting) wake()
    }
  }

  #turn(waiting: (() => void)[]): Reading<void> {
    return either<void>(
      () => { throw new BodyConsumed('the body is being read already, by what waits for this') },
      () => new Promise((resolve) => { waiting.push(resolve) }),
    )
  }
}
