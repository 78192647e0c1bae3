import { AsyncLocalStorage } from 'node:async_hooks'
import type { MessagePort } from 'node:worker_threads'
import { currentContexts, withContexts } from './context.ts'
import { notCloneable, packError, unpackError } from './crossing.ts'
import { loadedFunction, loadFunction } from './module.ts'
import {
  ABORT, ANSWER, ASK, CALL, DEFINE, DONE, OFFERED, WAKES, type Answer, type Ask, type Call, type Define, type Done, type FunctionName, type ToLoop, type ToThread,
} from './protocol.ts'

/** How a call ended. */
export interface Settle {
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** An async function that runs while a thread is parked; sync calls that it makes go to that thread. */
interface Beneath {
  readonly end: LoopEnd
  live: boolean
}

const beneath = new AsyncLocalStorage<Beneath>()

/** The thread that is parked for the code that runs now; null if there is none. */
export function parkedThread(): LoopEnd | null {
  const found = beneath.getStore()
  return found?.live === true ? found.end : null
}

/** The loop's end of a port to a thread. */
export class LoopEnd {
  readonly #port: MessagePort
  readonly #words: Int32Array
  readonly #known = new Map<string, number>()
  readonly #calls = new Map<number, Settle>()
  #lastCall = 0

  constructor(port: MessagePort, words: Int32Array) {
    this.#port = port
    this.#words = words
    port.on('message', (message: ToLoop) => {
      if (message[0] === DONE) this.#done(message)
      else if (message[0] === ASK) void this.#answer(message)
    })
  }

  /**
   * Sends a call, to be run in its turn, or beneath the one that is parked. Returns its number. Throws `NotCloneable`;
   * nothing was sent then.
   */
  call(name: FunctionName, args: readonly unknown[], under: boolean, slot: number, settle: Settle): number {
    const id = ++this.#lastCall
    const call: Call = [CALL, id, slot, under, this.#indexOf(name), args, currentContexts()]
    if (!under) Atomics.store(this.#words, slot, OFFERED)
    try {
      this.#send(call)
    } catch (error) {
      throw notCloneable(error, 'arguments', args)
    }
    this.#calls.set(id, settle)
    return id
  }

  /** Forgets a call that the thread will not run. */
  forget(id: number): void {
    this.#calls.delete(id)
  }

  /** Wakes the thread with an error, if it is parked in this call. */
  abort(id: number, error: unknown): void {
    this.#send([ABORT, id, packError(error)])
  }

  /** Nothing more comes: every call that is under way fails. */
  fail(error: unknown): void {
    for (const settle of this.#calls.values()) settle.reject(error)
    this.#calls.clear()
  }

  #indexOf(name: FunctionName): number {
    const key = `${name.href}#${name.name}`
    let index = this.#known.get(key)
    if (index === undefined) {
      index = this.#known.size
      this.#known.set(key, index)
      const define: Define = [DEFINE, index, name.href, name.name]
      this.#send(define)
    }
    return index
  }

  #send(message: ToThread): void {
    this.#port.postMessage(message)
    Atomics.add(this.#words, WAKES, 1)
    Atomics.notify(this.#words, WAKES)
  }

  #done([, id, failed, value]: Done): void {
    const settle = this.#calls.get(id)
    if (settle === undefined) return
    this.#calls.delete(id)
    if (failed) settle.reject(unpackError(value))
    else settle.resolve(value)
  }

  async #answer([, ask, href, name, args, contexts]: Ask): Promise<void> {
    const store: Beneath = { end: this, live: true }
    let failed = false
    let value: unknown
    try {
      const found = { href, name }
      const run = loadedFunction(found) ?? await loadFunction(found)
      value = await beneath.run(store, () => withContexts(contexts, () => run(...args) as unknown))
    } catch (error) {
      failed = true
      value = packError(error)
    }
    store.live = false
    const answer: Answer = [ANSWER, ask, failed, value]
    try {
      this.#send(answer)
    } catch (error) {
      this.#send([ANSWER, ask, true, packError(notCloneable(error, 'the result', value))])
    }
  }
}
