import { availableParallelism } from 'node:os'
import { InvalidOption, PoolClosed, ThreadDied, ThreadQueueFull } from '../contract/errors.ts'
import { currentContexts } from './context.ts'
import type { Settle } from './loop-end.ts'
import { PoolThread, type Job } from './pool-thread.ts'
import type { FunctionName } from './protocol.ts'
import { leaveModules } from './start-thread.ts'

export interface ThreadPoolOptions {
  /** How many threads there may be. Default: one per processor. */
  readonly threads?: number | undefined
  /** How many calls may wait while all threads are busy; one more is a `ThreadQueueFull`. Default: 10000. */
  readonly queueLimit?: number | undefined
}

/** What a pool does now, and has done. */
export interface ThreadPoolStats {
  /** Threads that there are. */
  readonly threads: number
  /** Those that run a call. */
  readonly busy: number
  /** Calls that have not begun. */
  readonly queued: number
  /** Calls that were made so far. */
  readonly hops: number
}

/**
 * Threads for functions that block. They are started when they are first needed, and kept; idle ones hold no process
 * open. A thread that ends costs the call that it ran, and is replaced.
 */
export class ThreadPool implements AsyncDisposable {
  readonly #size: number
  readonly #queueLimit: number
  readonly #threads: (PoolThread | null)[]
  /** Calls that any thread may take. */
  readonly #queue: Job[] = []
  #outstanding = 0
  #hops = 0
  #closed: Promise<void> | null = null
  #emptied: (() => void) | null = null

  /** Throws `InvalidOption`. */
  constructor(options: ThreadPoolOptions = {}) {
    const { threads = availableParallelism(), queueLimit = 10_000 } = options
    if (!Number.isInteger(threads) || threads < 1) throw new InvalidOption('threads', 'a whole number above 0', threads)
    if (!Number.isInteger(queueLimit) || queueLimit < 0) throw new InvalidOption('queueLimit', 'a whole number, 0 or more', queueLimit)
    this.#size = threads
    this.#queueLimit = queueLimit
    this.#threads = new Array<PoolThread | null>(threads).fill(null)
  }

  get stats(): ThreadPoolStats {
    const busy = this.#busy()
    return { threads: this.#live().length, busy, queued: this.#outstanding - busy, hops: this.#hops }
  }

  /**
   * Sends a call to a thread: to always the same one for calls of one key. Private to this room. Throws `PoolClosed`,
   * `ThreadQueueFull`, `NotCloneable`.
   */
  run(name: FunctionName, args: readonly unknown[], key: string | null, settle: Settle): Job {
    if (this.#closed !== null) throw new PoolClosed()
    const job: Job = { name, args, contexts: currentContexts(), key, settle, thread: null, id: 0, slot: 0, timer: null, settled: false }
    const thread = key === null ? this.#threadFor() : this.#keyed(key)
    if (thread !== null && thread.jobs.length === 0) {
      thread.send(job)
    } else {
      if (this.#outstanding - this.#busy() >= this.#queueLimit) throw new ThreadQueueFull(this.#queueLimit)
      if (thread !== null && thread.hasRoom) thread.send(job)
      else if (thread !== null && key !== null) thread.waiting.push(job)
      else this.#queue.push(job)
    }
    this.#outstanding++
    this.#hops++
    return job
  }

  /** Gives a call up: it does not begin, or its thread has `grace` seconds to leave it. Private to this room. */
  cancel(job: Job, error: unknown, grace: number): void {
    if (job.settled) return
    job.settled = true
    job.settle.reject(error)
    const { thread } = job
    if (thread !== null && !thread.withdraw(job)) return thread.abort(job, error, grace)
    for (const queue of [this.#queue, ...this.#live().map(({ waiting }) => waiting)]) {
      const at = queue.indexOf(job)
      if (at >= 0) queue.splice(at, 1)
    }
    this.#ended(thread)
  }

  /** Lets calls that have begun end, rejects the others with `PoolClosed`, and ends all threads. */
  close(): Promise<void> {
    return this.#closed ??= this.#close()
  }

  async #close(): Promise<void> {
    for (const job of this.#queue.splice(0)) this.cancel(job, new PoolClosed(), 0)
    for (const thread of this.#live()) {
      for (const job of [...thread.waiting, ...thread.jobs]) {
        if (thread.waiting.includes(job) || thread.isOffered(job)) this.cancel(job, new PoolClosed(), 0)
      }
    }
    if (this.#outstanding > 0) await new Promise<void>((resolve) => (this.#emptied = resolve))
    await Promise.all(this.#live().map((thread) => thread.terminate()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** How many threads run a call. */
  #busy(): number {
    let busy = 0
    for (const thread of this.#threads) if (thread !== null && thread.jobs.length > 0) busy++
    return busy
  }

  #live(): PoolThread[] {
    return this.#threads.filter((thread) => thread !== null)
  }

  /** The thread for a call that any may take: an idle one, a new one, or one that has the least to do; null if none has room. */
  #threadFor(): PoolThread | null {
    let best: PoolThread | null = null
    for (const thread of this.#threads) {
      if (thread !== null && thread.hasRoom && (best === null || thread.jobs.length < best.jobs.length)) best = thread
    }
    if (best !== null && best.jobs.length === 0) return best
    const free = this.#threads.indexOf(null)
    return free < 0 ? best : this.#start(free)
  }

  #keyed(key: string): PoolThread {
    let hash = 0
    for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0
    const index = (hash >>> 0) % this.#size
    return this.#threads[index] ?? this.#start(index)
  }

  #start(index: number): PoolThread {
    const thread = new PoolThread({
      done: (job, failed, value) => this.#done(thread, job, failed, value),
      died: (reason, cause) => this.#died(index, thread, reason, cause),
    })
    this.#threads[index] = thread
    return thread
  }

  #done(thread: PoolThread, job: Job, failed: boolean, value: unknown): void {
    if (!job.settled) {
      job.settled = true
      if (failed) job.settle.reject(value)
      else job.settle.resolve(value)
    }
    this.#ended(thread)
  }

  /** A call is over: there may be room for another. */
  #ended(thread: PoolThread | null): void {
    this.#outstanding--
    if (thread !== null && !thread.dead) this.#feed(thread)
    if (this.#outstanding === 0) this.#emptied?.()
  }

  #feed(thread: PoolThread): void {
    while (thread.hasRoom) {
      const job = thread.waiting.shift() ?? this.#queue.shift()
      if (job === undefined) break
      this.#send(thread, job)
    }
    if (thread.jobs.length > 0) return
    // Nothing to do: take over what another thread has not come to.
    for (const other of this.#live()) {
      const job = other.jobs.findLast((each) => each.key === null && other.isOffered(each))
      if (job === undefined || !other.withdraw(job)) continue
      other.slow = true
      return this.#send(thread, job)
    }
  }

  /** Sends a call that was accepted before; what cannot be cloned any more fails it. */
  #send(thread: PoolThread, job: Job): void {
    try {
      thread.send(job)
    } catch (error) {
      job.settled = true
      job.settle.reject(error)
      this.#outstanding--
    }
  }

  #died(index: number, thread: PoolThread, reason: string, cause: unknown): void {
    if (this.#threads[index] === thread) this.#threads[index] = null
    const { jobs, waiting } = thread
    const again = [...waiting.splice(0)]
    // A thread that cannot be started must not be started for ever.
    const mayRun = this.#closed === null && (thread.hasRun || leaveModules())
    for (const job of jobs.splice(0)) {
      clearTimeout(job.timer ?? undefined)
      if (mayRun && thread.isOffered(job)) {
        job.thread = null
        again.push(job)
        continue
      }
      this.#outstanding--
      if (job.settled) continue
      job.settled = true
      job.settle.reject(new ThreadDied(job.name.name, reason, cause === undefined ? undefined : { cause }))
    }
    for (const job of again) {
      const next = job.key === null ? this.#threadFor() : this.#keyed(job.key)
      if (next === null) this.#queue.unshift(job)
      else if (next.hasRoom) this.#send(next, job)
      else next.waiting.push(job)
    }
    const idle = this.#queue.length > 0 ? this.#threadFor() : null
    if (idle !== null) this.#feed(idle)
    if (this.#outstanding === 0) this.#emptied?.()
  }
}

let options: ThreadPoolOptions = {}
let shared: ThreadPool | null = null

/** Says how the pool is made that is used where none is given; of no effect once it is there. */
export function configureSharedPool(given: ThreadPoolOptions): void {
  options = given
}

/** The pool that is used where none is given. */
export function sharedPool(): ThreadPool {
  return shared ??= new ThreadPool(options)
}
