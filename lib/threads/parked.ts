/** What runs on a thread: calls that the loop sends, and between them, blocked, the wait for what they ask of it. */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { ThreadDied } from '../contract/errors.ts'
import { currentContexts, withContexts } from './context.ts'
import { callNotCloneable, notCloneable, packError, unpackError } from './crossing.ts'
import { loadedFunction, loadFunction, loadFunctionNow } from './module.ts'
import {
  ABORT, ANSWER, ASK, CALL, DEFINE, DONE, OVER, WAKES, type Ask, type Call, type Done, type FunctionName, type ToThread,
} from './protocol.ts'
import { Spin } from './spin.ts'

/** Calls in a row that are waited for awake, before the thread's own event loop has its turn. */
const STREAK = 32

/** A call that this thread is in. */
interface Running {
  readonly id: number
  aborted: { readonly error: unknown } | null
}

/** The thread's end of its port to the loop that owns it. */
export class ThreadEnd {
  readonly #port: MessagePort
  readonly #words: Int32Array
  readonly #functions: FunctionName[] = []
  /** Calls that wait for the one that runs; none of them is beneath it. */
  readonly #calls: Call[] = []
  #busy = false
  /** The calls that this thread is in, the innermost last. */
  readonly #running: Running[] = []
  /** Answers that came while an inner call was waiting for its own. */
  readonly #answers = new Map<number, { readonly failed: boolean; readonly value: unknown }>()
  #lastAsk = 0
  readonly #forAnswer: Spin = new Spin(0.1)
  readonly #forCall: Spin = new Spin(0.05)

  constructor(port: MessagePort, words: Int32Array) {
    this.#port = port
    this.#words = words
    port.on('message', (message: ToThread) => {
      this.#take(message)
      void this.#work()
    })
  }

  /** Whether the thread with the loop has ended. */
  get over(): boolean {
    return Atomics.load(this.#words, OVER) !== 0
  }

  /** Runs an async function on the loop and blocks until it has settled. */
  ask({ href, name }: FunctionName, args: readonly unknown[]): unknown {
    this.#checkAborted()
    const id = ++this.#lastAsk
    const contexts = currentContexts()
    const ask: Ask = [ASK, id, this.#running.at(-1)?.id ?? 0, href, name, args, contexts]
    try {
      this.#port.postMessage(ask)
    } catch (error) {
      throw callNotCloneable(error, args, contexts)
    }
    for (;;) {
      this.#checkAborted()
      const answer = this.#answers.get(id)
      if (answer !== undefined) {
        this.#answers.delete(id)
        if (answer.failed) throw unpackError(answer.value)
        return answer.value
      }
      // Looked at before the port is: what is sent after that changes it, and the wait ends at once.
      const wakes = Atomics.load(this.#words, WAKES)
      const received = receiveMessageOnPort(this.#port) as { readonly message: ToThread } | undefined
      if (received !== undefined) this.#take(received.message)
      else if (this.over) throw new ThreadDied(name, `exit code ${Atomics.load(this.#words, OVER) - 1}`)
      else if (!this.#forAnswer.changed(this.#words, WAKES, wakes)) Atomics.wait(this.#words, WAKES, wakes)
    }
  }

  /** Throws where a call that this thread is in, however far out, has been given up. */
  #checkAborted(): void {
    const aborted = this.#running.find((call) => call.aborted !== null)?.aborted
    if (aborted) throw aborted.error
  }

  #take(message: ToThread): void {
    switch (message[0]) {
      case DEFINE:
        this.#functions[message[1]] = { href: message[2], name: message[3] }
        break
      case CALL:
        // The first rule of asgiref: a sync call beneath a parked one runs on its thread, which has nothing else to do.
        if (message[3]) this.#runNow(message)
        else this.#calls.push(message)
        break
      case ANSWER:
        this.#answers.set(message[1], { failed: message[2], value: message[3] })
        break
      case ABORT: {
        const call = this.#running.find(({ id }) => id === message[1])
        if (call !== undefined) call.aborted = { error: unpackError(message[2]) }
        break
      }
    }
  }

  /** Runs the calls that wait, each once its module has been loaded. */
  async #work(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    for (let streak = 0; ;) {
      const call = this.#calls.shift()
      if (call === undefined) {
        if (streak++ === STREAK) break
        // What the last call left for the next tick comes before the next call.
        await ticked()
        if (this.#calls.length === 0 && !this.#expect()) break
        continue
      }
      const [, id, slot] = call
      if (Atomics.compareExchange(this.#words, slot, id, 0) !== id) continue
      const name = this.#functions[call[4]] as FunctionName // DEFINE came first
      let run: Function | null = null
      try {
        run = loadedFunction(name) ?? await loadFunction(name)
      } catch (error) {
        this.#done(id, true, packError(error))
      }
      if (run !== null) this.#run(call, run)
    }
    this.#busy = false
  }

  /** Takes what comes at once; false when nothing does. */
  #expect(): boolean {
    const wakes = Atomics.load(this.#words, WAKES)
    const received = receiveMessageOnPort(this.#port) as { readonly message: ToThread } | undefined
    if (received === undefined) return this.#forCall.changed(this.#words, WAKES, wakes)
    this.#take(received.message)
    return true
  }

  #runNow(call: Call): void {
    const name = this.#functions[call[4]] as FunctionName // DEFINE came first
    let run: Function
    try {
      run = loadedFunction(name) ?? loadFunctionNow(name)
    } catch (error) {
      return this.#done(call[1], true, packError(error))
    }
    this.#run(call, run)
  }

  #run([, id, , , , args, contexts]: Call, run: Function): void {
    this.#running.push({ id, aborted: null })
    let failed = false
    let value: unknown
    try {
      value = withContexts(contexts, () => run(...args) as unknown)
    } catch (error) {
      failed = true
      value = packError(error)
    }
    this.#running.pop()
    this.#done(id, failed, value)
  }

  #done(id: number, failed: boolean, value: unknown): void {
    const done: Done = [DONE, id, failed, value]
    try {
      this.#port.postMessage(done)
    } catch (error) {
      const failure: Done = [DONE, id, true, packError(notCloneable(error, 'the result', value))]
      this.#port.postMessage(failure)
    }
  }
}

function ticked(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve))
}
