import { AsyncLocalStorage } from 'node:async_hooks'
import { InvalidOption } from '../contract/errors.ts'
import type { Contexts } from './protocol.ts'

const shared = new Map<string, AsyncLocalStorage<unknown>>()

/**
 * Has the store of an AsyncLocalStorage cross to threads and back to the loop, as a clone: what a call changes in it is
 * not seen by its caller. Call it in a module that both sides import: AsyncLocalStorages cannot be listed, so the name
 * tells which is which. Throws `InvalidOption` when another storage has the name already.
 */
export function shareContext<T>(name: string, storage: AsyncLocalStorage<T>): void {
  const other = shared.get(name)
  if (other !== undefined && other !== storage) throw new InvalidOption('the name of a shared context', 'given once', name)
  shared.set(name, storage as AsyncLocalStorage<unknown>)
}

/** The stores that cross with a call that is made now; null for none. */
export function currentContexts(): Contexts | null {
  let contexts: Record<string, unknown> | null = null
  for (const [name, storage] of shared) {
    const store = storage.getStore()
    if (store === undefined) continue
    contexts ??= {}
    contexts[name] = store
  }
  return contexts
}

/** Runs `body` with stores that came from another thread. */
export function withContexts<T>(contexts: Contexts | null, body: () => T): T {
  if (contexts === null) return body()
  let run = body
  for (const [name, store] of Object.entries(contexts)) {
    const storage = shared.get(name)
    const inner = run
    if (storage !== undefined) run = () => storage.run(store, inner)
  }
  return run()
}
