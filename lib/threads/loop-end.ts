import { AsyncLocalStorage } from 'node:async_hooks'
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { withContexts } from './context.ts'
import { callNotCloneable, notCloneable, packError, unpackError } from './crossing.ts'
import { loadedFunction, loadFunction } from './module.ts'
import {
  ABORT, ANSWER, ASK, CALL, DEFINE, DONE, LAST_CALL, WAKES, type Answer, type Ask, type Call, type Contexts, type Define, type Done, type FunctionName, type ToLoop, type ToThread,
} from './protocol.ts'
import { TransientMap } from './transient-map.ts'

/** Messages that are taken in one turn beside the first, so that others have theirs. */
const AT_ONCE = 32

/** How a call ended. */
export interface Settle {
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** An async function that runs while a thread is parked; sync calls that it makes go to that thread. */
interface Beneath {
  readonly end: LoopEnd
  /** The one that the thread is parked for further out. */
  readonly outer: Beneath | null
  live: boolean
}

const beneath = new AsyncLocalStorage<Beneath>()

/** The thread that is parked for the code that runs now; null if there is none. */
export function parkedThread(): LoopEnd | null {
  return parked()?.end ?? null
}

/** Work that an inner function left behind finds the thread that is parked further out. */
function parked(): Beneath | null {
  let found = beneath.getStore() ?? null
  while (found !== null && (!found.live || found.end.over)) found = found.outer
  return found
}

/** The loop's end of a port to a thread. */
export class LoopEnd {
  readonly #port: MessagePort
  readonly #words: Int32Array
  readonly #known = new Map<string, number>()
  readonly #indexes = new WeakMap<FunctionName, number>()
  readonly #calls = new TransientMap<number, { readonly settle: Settle; readonly outer: Beneath | null }>()
  #lastCall = 0
  #over = false

  constructor(port: MessagePort, words: Int32Array) {
    this.#port = port
    this.#words = words
    port.on('message', (message: ToLoop) => {
      this.#take(message)
      // To be handed the next one as an event would cost several times as much.
      for (let more = 0; more < AT_ONCE; more++) {
        const received = receiveMessageOnPort(port) as { readonly message: ToLoop } | undefined
        if (received === undefined) return
        this.#take(received.message)
      }
    })
  }

  #take(message: ToLoop): void {
    if (message[0] === DONE) this.#done(message)
    else if (message[0] === ASK) void this.#answer(message)
  }

  /** Whether the thread has ended. */
  get over(): boolean {
    return this.#over
  }

  /**
   * Sends a call, to be run in its turn, or beneath the one that is parked. Returns its number. Throws `NotCloneable`;
   * nothing was sent then.
   */
  call(name: FunctionName, args: readonly unknown[], contexts: Contexts | null, under: boolean, slot: number, settle: Settle): number {
    const id = this.#lastCall = this.#lastCall % LAST_CALL + 1
    const call: Call = [CALL, id, slot, under, this.#indexOf(name), args, contexts]
    if (!under) Atomics.store(this.#words, slot, id)
    try {
      this.#send(call)
    } catch (error) {
      throw callNotCloneable(error, args, contexts)
    }
    this.#calls.set(id, { settle, outer: parked() })
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

  /** Takes the answers that the thread has sent before it ended. */
  drain(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { readonly message: ToLoop } | undefined
      if (received === undefined) return
      if (received.message[0] === DONE) this.#done(received.message)
    }
  }

  /** Nothing more comes: every call that is under way fails. */
  fail(error: unknown): void {
    this.#over = true
    for (const { settle } of this.#calls.drain()) settle.reject(error)
  }

  #indexOf(name: FunctionName): number {
    let index = this.#indexes.get(name)
    if (index === undefined) {
      index = this.#define(name)
      this.#indexes.set(name, index)
    }
    return index
  }

  /** Tells the thread of a function, once however many objects name it. */
  #define({ href, name }: FunctionName): number {
    const key = `${href}#${name}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const index = this.#known.size
    this.#known.set(key, index)
    const define: Define = [DEFINE, index, href, name]
    this.#send(define)
    return index
  }

  #send(message: ToThread): void {
    this.#port.postMessage(message)
    Atomics.add(this.#words, WAKES, 1)
    Atomics.notify(this.#words, WAKES)
  }

  #done([, id, failed, value]: Done): void {
    const call = this.#calls.get(id)
    if (call === undefined) return
    const { settle } = call
    this.#calls.delete(id)
    if (failed) settle.reject(unpackError(value))
    else settle.resolve(value)
  }

  async #answer([, ask, from, href, name, args, contexts]: Ask): Promise<void> {
    const store: Beneath = { end: this, outer: this.#calls.get(from)?.outer ?? null, live: true }
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
