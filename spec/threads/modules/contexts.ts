/** Stores that cross to threads. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { asyncToSync, onThreads, shareContext } from '../../../lib/threads/index.ts'

export const user: AsyncLocalStorage<{ name: string; tags?: unknown[] }> = new AsyncLocalStorage()
export const locale: AsyncLocalStorage<string> = new AsyncLocalStorage()
export const secret: AsyncLocalStorage<string> = new AsyncLocalStorage()
shareContext('user', user)
shareContext('locale', locale)

export type Seen = readonly [user: string | undefined, locale: string | undefined, secret: string | undefined]

export function seen(): Seen {
  return [user.getStore()?.name, locale.getStore(), secret.getStore()]
}

/** Changes what it was given. */
export function rename(name: string): Seen {
  const store = user.getStore()
  if (store !== undefined) store.name = name
  return seen()
}

export async function asyncSeen(): Promise<Seen> {
  await null
  return seen()
}

const onLoop = {
  asyncSeen: asyncToSync<typeof asyncSeen>(new URL('#asyncSeen', import.meta.url)),
  asyncBeneath: asyncToSync<typeof asyncBeneath>(new URL('#asyncBeneath', import.meta.url)),
}
const onThread = onThreads<typeof import('./contexts.ts')>(new URL(import.meta.url))

/** On the thread, back on the loop, and beneath, where the locale is another. */
export function around(): readonly [Seen, Seen, Seen] {
  return [seen(), onLoop.asyncSeen(), locale.run('fr', () => onLoop.asyncBeneath())]
}

export async function asyncBeneath(): Promise<Seen> {
  return onThread.seen()
}

/** Asks the loop with a store that cannot cross. */
export function askWithFunction(): unknown {
  return user.run({ name: 'x', tags: [() => {}] }, () => onLoop.asyncSeen())
}
