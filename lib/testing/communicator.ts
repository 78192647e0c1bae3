import type { Application } from '../contract/application.ts'
import { CommunicatorError } from '../contract/errors.ts'
import type { ReceiveEvent, SendEvent } from '../contract/events.ts'
import type { Scope } from '../contract/scope.ts'

/** Talks to an application event by event, with nobody in between who checks them. Times are in seconds. */
export interface Communicator {
  /** Gives the application an event to receive. */
  sendInput(event: ReceiveEvent): void
  /**
   * The next event that the application sends. Throws `CommunicatorError` when none comes in time (default: 1), and
   * what the application threw.
   */
  receiveOutput(timeout?: number): Promise<SendEvent>
  /** Whether the application sends nothing for a while (default: 0.1). */
  receiveNothing(timeout?: number): Promise<boolean>
  /** Waits for the application to return (default: 1). Throws `CommunicatorError` when it does not, and what it threw. */
  wait(timeout?: number): Promise<void>
}

/** Calls `app` with a scope of the test's own making. */
export function communicator(app: Application, scope: Scope): Communicator {
  const inputs = new Queue<ReceiveEvent>()
  const outputs = new Queue<SendEvent>()
  let thrown: { readonly error: unknown } | null = null
  const returned = Promise.resolve()
    .then(() => app(scope, () => inputs.next(), async (event) => outputs.push(event)))
    .catch((error: unknown) => {
      thrown = { error }
    })
  const rethrow = (): void => {
    const found = thrown as { readonly error: unknown } | null // assigned in a callback
    thrown = null
    if (found !== null) throw found.error
  }
  return {
    sendInput: (event) => inputs.push(event),
    async receiveOutput(timeout = 1) {
      const output = outputs.next()
      const first = await within(timeout, output, returned)
      if (first !== 'late' && outputs.settled(output)) return output
      outputs.forget(output)
      rethrow()
      throw new CommunicatorError(first === 'late' ? `the application sent nothing within ${timeout} seconds` : 'the application returned without sending another event')
    },
    async receiveNothing(timeout = 0.1) {
      if (outputs.length > 0) return false
      const output = outputs.next()
      await within(timeout, output)
      if (!outputs.settled(output)) {
        outputs.forget(output)
        return true
      }
      outputs.unshift(await output)
      return false
    },
    async wait(timeout = 1) {
      if (await within(timeout, returned) === 'late') throw new CommunicatorError(`the application did not return within ${timeout} seconds`)
      rethrow()
    },
  }
}

/** Waits for the first of some promises, but no longer than so many seconds. */
async function within(seconds: number, ...promises: readonly Promise<unknown>[]): Promise<'late' | 'done'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), seconds * 1000)
  })
  const first = await Promise.race([late, ...promises.map((promise) => promise.then((): 'done' => 'done'))])
  clearTimeout(timer)
  return first
}

/** Items in order, for takers that may come before them. */
class Queue<T> {
  readonly #items: T[] = []
  readonly #takers: { readonly promise: Promise<T>; readonly resolve: (item: T) => void }[] = []
  readonly #waiting = new WeakSet<Promise<T>>()

  get length(): number {
    return this.#items.length
  }

  push(item: T): void {
    const taker = this.#takers.shift()
    if (taker === undefined) {
      this.#items.push(item)
    } else {
      this.#waiting.delete(taker.promise)
      taker.resolve(item)
    }
  }

  unshift(item: T): void {
    this.#items.unshift(item)
  }

  next(): Promise<T> {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift() as T)
    let resolve!: (item: T) => void
    const promise = new Promise<T>((resolvePromise) => (resolve = resolvePromise))
    this.#takers.push({ promise, resolve })
    this.#waiting.add(promise)
    return promise
  }

  /** Whether a promise of `next` has its item. */
  settled(promise: Promise<T>): boolean {
    return !this.#waiting.has(promise)
  }

  /** Gives up a promise of `next`: the item it waits for goes to the next one. */
  forget(promise: Promise<T>): void {
    const index = this.#takers.findIndex((taker) => taker.promise === promise)
    if (index >= 0) this.#takers.splice(index, 1)
  }
}
