import { setMaxListeners } from 'node:events'
import { InvalidOption, ThreadTimeout } from '../contract/errors.ts'
import { currentContexts } from './context.ts'
import { parkedThread, type Settle } from './loop-end.ts'
import { functionName, type ModuleRef } from './module.ts'
import { milliseconds } from './pool-thread.ts'
import { sharedPool, type ThreadPool } from './pool.ts'
import type { FunctionName } from './protocol.ts'
import { expectModule } from './start-thread.ts'

/** How calls are made. */
export interface SyncToAsyncOptions {
  /** The threads to use. Default: one pool that all share. */
  readonly pool?: ThreadPool | undefined
  /** Calls of one key run on one thread, in their order. Default: none. */
  readonly threadKey?: string | undefined
  /** Seconds that a call may take, waiting included; then it rejects with `ThreadTimeout`. Default: no limit. */
  readonly timeout?: number | undefined
  /** Seconds that a call which was given up may go on before its thread is ended and replaced. Default: 5. */
  readonly grace?: number | undefined
  /** Gives the call up when it aborts: it rejects with the signal's reason. Default: never. */
  readonly signal?: AbortSignal | undefined
}

/** The async form of a sync function. */
export type AsyncForm<F> = F extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never

/**
 * Gives the async form of a sync function that lives in a module: each call runs on a thread, while the event loop goes
 * on. Arguments and result are cloned. Beneath a function that is parked on a thread in `asyncToSync`, the call runs on
 * that thread.
 *
 * A function in place of a reference runs inline: right for quick code, and it blocks the loop as long as it runs.
 *
 * Throws `LoadFailed` where there is no such module. Calls reject with what the function throws, and with `LoadFailed`,
 * `NotCloneable`, `ThreadQueueFull`, `ThreadTimeout`, `ThreadDied`, `PoolClosed`.
 */
export function syncToAsync<F>(source: ModuleRef | F, options: SyncToAsyncOptions = {}): AsyncForm<F> {
  if (typeof source === 'function') return inline(source) as AsyncForm<F>
  if (!(source instanceof URL)) throw new InvalidOption('the source of syncToAsync', 'a file URL or a function', source)
  const name = functionName(source)
  expectModule(name.href)
  const call = (...args: readonly unknown[]): Promise<unknown> => new Promise((resolve, reject) => {
    start(name, args, options, { resolve, reject })
  })
  return call as AsyncForm<F>
}

function inline(source: Function): (...args: readonly unknown[]) => Promise<unknown> {
  if (source.constructor.name === 'AsyncFunction') throw new InvalidOption('the source of syncToAsync', 'a sync function', 'an async one')
  return async (...args) => source(...args) as unknown
}

function start(name: FunctionName, args: readonly unknown[], options: SyncToAsyncOptions, settle: Settle): void {
  const { signal, timeout, grace = 5, threadKey = null } = options
  if (signal?.aborted === true) return settle.reject(signal.reason)
  if (timeout === undefined && signal === undefined) {
    begin(name, args, threadKey, options.pool, grace, settle)
    return
  }
  let timer: NodeJS.Timeout | undefined
  const onAbort = (): void => cancel(signal?.reason)
  const over = (): void => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
  const cancel = begin(name, args, threadKey, options.pool, grace, {
    resolve: (value) => {
      over()
      settle.resolve(value)
    },
    reject: (error) => {
      over()
      settle.reject(error)
    },
  })
  if (signal !== undefined) {
    // Each call that is under way listens; Node would take more than ten for a leak.
    setMaxListeners(0, signal)
    signal.addEventListener('abort', onAbort, { once: true })
  }
  if (timeout !== undefined && timeout > 0) timer = setTimeout(() => cancel(new ThreadTimeout(name.name, timeout)), milliseconds(timeout))
}

/** Begins a call; returns what gives it up. */
function begin(name: FunctionName, args: readonly unknown[], key: string | null, given: ThreadPool | undefined, grace: number, settle: Settle): (error: unknown) => void {
  const parked = parkedThread()
  if (parked !== null) {
    const id = parked.call(name, args, currentContexts(), true, 0, settle)
    return (error) => {
      parked.forget(id)
      parked.abort(id, error)
      settle.reject(error)
    }
  }
  const pool = given ?? sharedPool()
  const job = pool.run(name, args, key, settle)
  return (error) => pool.cancel(job, error, grace)
}
