import { functionName, type ModuleRef } from './module.ts'
import { expectModule } from './start-thread.ts'
import { syncToAsync, type AsyncForm, type SyncToAsyncOptions } from './sync-to-async.ts'

/** The functions of a module in their async forms. */
export type OnThreads<M> = { readonly [K in keyof M as M[K] extends (...args: never[]) => unknown ? K : never]: AsyncForm<M[K]> } & {
  /** The same with other options. */
  $with(options: SyncToAsyncOptions): OnThreads<M>
}

/**
 * Gives the functions of a module so that each call runs on a thread:
 * `onThreads<typeof import('./legacy.js')>(new URL('./legacy.js', import.meta.url)).render(page)`.
 * What is thrown, and with what calls reject: see `syncToAsync`. An export that is missing rejects with `LoadFailed`.
 */
export function onThreads<M>(module: ModuleRef, options: SyncToAsyncOptions = {}): OnThreads<M> {
  const made = new Map<string, unknown>()
  const functionOf = (name: string): unknown => {
    const ref = new URL(module)
    ref.hash = encodeURIComponent(name)
    return syncToAsync(ref, options)
  }
  expectModule(functionName(module).href) // a module that is not there fails now
  return new Proxy({}, {
    get(_, key) {
      // A promise must not take it for another.
      if (typeof key !== 'string' || key === 'then') return undefined
      if (!made.has(key)) made.set(key, key === '$with' ? (others: SyncToAsyncOptions) => onThreads<M>(module, { ...options, ...others }) : functionOf(key))
      return made.get(key)
    },
  }) as OnThreads<M>
}
