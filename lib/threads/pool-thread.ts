import { MessageChannel, type Worker } from 'node:worker_threads'
import { ThreadDied } from '../contract/errors.ts'
import { LoopEnd, type Settle } from './loop-end.ts'
import { SLOTS, WORDS, type Contexts, type FunctionName } from './protocol.ts'
import { startThread } from './start-thread.ts'

/** One call. */
export interface Job {
  readonly name: FunctionName
  readonly args: readonly unknown[]
  readonly contexts: Contexts | null
  readonly key: string | null
  readonly settle: Settle
  /** Who has been sent it. */
  thread: PoolThread | null
  id: number
  slot: number
  /** Ends the thread when its grace is over. */
  timer: NodeJS.Timeout | null
  /** Whether its caller knows how it ended. */
  settled: boolean
}

/** Who keeps a thread. */
export interface ThreadOwner {
  done(job: Job, failed: boolean, value: unknown): void
  died(reason: string, cause: unknown): void
}

/** One thread of a pool, seen from the loop. */
export class PoolThread {
  /** Calls that it was sent and has not answered, in their order. */
  readonly jobs: Job[] = []
  /** Calls of a key that wait for this thread. */
  readonly waiting: Job[] = []
  /** Whether it has ever answered. */
  begun = false
  dead = false
  /** Whether calls have been taken from it, because one of them takes long: it is sent no more before that ends. */
  slow = false

  readonly #owner: ThreadOwner
  readonly #words: Int32Array = new Int32Array(new SharedArrayBuffer(4 * WORDS))
  readonly #end: LoopEnd
  readonly #worker: Worker
  #error: unknown = undefined

  constructor(owner: ThreadOwner) {
    const { port1, port2 } = new MessageChannel()
    this.#owner = owner
    this.#worker = startThread('worker', port2, this.#words)
    this.#end = new LoopEnd(port1, this.#words)
    this.#rest = () => {
      this.#worker.unref()
      port1.unref()
    }
    this.#rise = () => {
      this.#worker.ref()
      port1.ref()
    }
    this.#worker.on('error', (error: unknown) => (this.#error = error))
    this.#worker.on('exit', (code) => {
      const reason = this.#error instanceof Error ? this.#error.message : this.#error === undefined ? `exit code ${code}` : String(this.#error)
      this.#end.drain()
      this.dead = true
      port1.close()
      this.#owner.died(reason, this.#error)
      this.#end.fail(new ThreadDied('a call beneath another', reason))
    })
    this.#rest()
  }

  /** Lets the process end though the thread is there. */
  readonly #rest: () => void
  readonly #rise: () => void

  /** Calls are sent ahead, so that the next one is there when one ends. */
  get hasRoom(): boolean {
    return this.jobs.length === 0 || (this.jobs.length < SLOTS && !this.slow)
  }

  /** Whether it has begun with a call, ever. */
  get hasRun(): boolean {
    return this.begun || this.jobs.some((job) => !this.isOffered(job))
  }

  /** Sends it a call. Throws `NotCloneable`. */
  send(job: Job): void {
    job.slot = 1
    while (this.jobs.some(({ slot }) => slot === job.slot)) job.slot++
    job.id = this.#end.call(job.name, job.args, job.contexts, false, job.slot, {
      resolve: (value) => this.#done(job, false, value),
      reject: (error) => this.#done(job, true, error),
    })
    job.thread = this
    if (this.jobs.push(job) === 1) this.#rise()
  }

  /** Whether a call has not begun. */
  isOffered(job: Job): boolean {
    return Atomics.load(this.#words, job.slot) === job.id
  }

  /** Takes a call back; false when it has begun. */
  withdraw(job: Job): boolean {
    if (Atomics.compareExchange(this.#words, job.slot, job.id, 0) !== job.id) return false
    this.#end.forget(job.id)
    this.#drop(job)
    job.thread = null
    return true
  }

  /** Wakes the thread where it is parked in this call, and ends it if it is still in it after `grace` seconds. */
  abort(job: Job, error: unknown, grace: number): void {
    this.#end.abort(job.id, error)
    job.timer = setTimeout(() => void this.terminate(), milliseconds(grace))
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  #done(job: Job, failed: boolean, value: unknown): void {
    if (this.dead) return
    this.begun = true
    this.slow = false
    clearTimeout(job.timer ?? undefined)
    this.#drop(job)
    this.#owner.done(job, failed, value)
  }

  #drop(job: Job): void {
    this.jobs.splice(this.jobs.indexOf(job), 1)
    if (this.jobs.length === 0) this.#rest()
  }
}

/** A time in seconds as Node's timers take it: the longest that they can is 24 days. */
export function milliseconds(seconds: number): number {
  return Math.min(seconds * 1000, 2 ** 31 - 1)
}
