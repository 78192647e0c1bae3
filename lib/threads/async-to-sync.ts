import { isMainThread, MessageChannel } from 'node:worker_threads'
import { WouldDeadlock } from '../contract/errors.ts'
import { functionName, type ModuleRef } from './module.ts'
import { ThreadEnd } from './parked.ts'
import { WORDS } from './protocol.ts'
import { expectModule, startThread } from './start-thread.ts'

/** The sync form of an async function. */
export type SyncForm<F> = F extends (...args: infer A) => infer R ? (...args: A) => Awaited<R> : never

/** Where async functions run for this thread. */
let owner: ThreadEnd | null = null
/** Whether this thread runs async functions for others, and so must not wait for them. */
let isLoop: boolean = isMainThread

/** Says that this thread runs calls for a loop, which runs async functions for it. */
export function setOwner(end: ThreadEnd): void {
  owner = end
}

/** Says that this thread runs async functions for another. */
export function setLoop(): void {
  isLoop = true
}

/**
 * Gives the sync form of an async function that lives in a module: a call blocks its thread until the function has
 * settled on the event loop that owns the call. On a thread that no loop of ours owns, such as a Worker of your own, a
 * helper thread runs it. Arguments and result are cloned.
 *
 * Throws `LoadFailed` where there is no such module. Calls throw what the function throws, `LoadFailed`, `NotCloneable`,
 * and at once `WouldDeadlock` on the main thread: there, await the function.
 */
export function asyncToSync<F>(source: ModuleRef): SyncForm<F> {
  const name = functionName(source)
  // Threads of a pool have no use for the module: it may be the program itself, which must not run there again.
  if (!isMainThread) expectModule(name.href)
  const call = (...args: readonly unknown[]): unknown => {
    if (owner === null && isLoop) throw new WouldDeadlock(name.name)
    if (owner === null || owner.over) owner = helper()
    return owner.ask(name, args)
  }
  return call as SyncForm<F>
}

/** Starts a thread whose loop runs async functions for this one. */
function helper(): ThreadEnd {
  const { port1, port2 } = new MessageChannel()
  const words = new Int32Array(new SharedArrayBuffer(4 * WORDS))
  startThread('helper', port2, words).unref()
  const end = new ThreadEnd(port1, words)
  port1.unref()
  return end
}
