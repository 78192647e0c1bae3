/** Sync and async functions that call each other. Threads import it and the loop does. */
import { isMainThread, threadId } from 'node:worker_threads'
import { asyncToSync, onThreads } from '../../../lib/threads/index.ts'
import { setTimeout as delay } from 'node:timers/promises'

/** A path down: the threads on which each level ran. */
export type Path = readonly string[]

const here = (kind: string): string => `${kind} ${isMainThread ? 'loop' : threadId}`

const loop = {
  down: asyncToSync<typeof asyncDown>(new URL('#asyncDown', import.meta.url)),
  fail: asyncToSync<typeof asyncFail>(new URL('#asyncFail', import.meta.url)),
  never: asyncToSync<typeof asyncNever>(new URL('#asyncNever', import.meta.url)),
  echo: asyncToSync<typeof asyncEcho>(new URL('#asyncEcho', import.meta.url)),
  hold: asyncToSync<typeof asyncHold>(new URL('#asyncHold', import.meta.url)),
  function: asyncToSync<typeof asyncFunction>(new URL('#asyncFunction', import.meta.url)),
  both: asyncToSync<typeof asyncBoth>(new URL('#asyncBoth', import.meta.url)),
  leave: asyncToSync<typeof asyncLeave>(new URL('#asyncLeave', import.meta.url)),
  exitBelow: asyncToSync<typeof asyncExitBelow>(new URL('#asyncExitBelow', import.meta.url)),
  survive: asyncToSync<typeof asyncSurvive>(new URL('#asyncSurvive', import.meta.url)),
  exit: asyncToSync<typeof asyncExit>(new URL('#asyncExit', import.meta.url)),
  collect: asyncToSync<typeof asyncCollect>(new URL('#asyncCollect', import.meta.url)),
}
const threads = onThreads<typeof import('./nest.ts')>(new URL(import.meta.url))

/** `levels` more: sync, async, sync, … */
export function syncDown(levels: number): Path {
  return [here('sync'), ...(levels > 0 ? loop.down(levels - 1) : [])]
}

export async function asyncDown(levels: number): Promise<Path> {
  await null
  return [here('async'), ...(levels > 0 ? await threads.syncDown(levels - 1) : [])]
}

export function syncAsk(value: unknown): unknown {
  return loop.echo(value)
}

export async function asyncEcho(value: unknown): Promise<unknown> {
  return value
}

export async function asyncFunction(): Promise<unknown> {
  return { save: [() => {}] }
}

export function syncFunction(): unknown {
  return loop.function()
}

export function syncFail(): unknown {
  return loop.fail()
}

export async function asyncFail(): Promise<never> {
  await null
  throw new RangeError('from the loop')
}

/** What became of the last `syncNever` of this thread. */
let ended = 'nothing'

/** Says so, and waits for what never comes. */
export function syncNever(words: Int32Array): unknown {
  ended = 'waiting'
  try {
    return loop.never(words)
  } catch (error) {
    ended = `${(error as Error).name}: ${(error as Error).message}`
    throw error
  }
}

export function lastEnd(): string {
  return ended
}

export async function asyncNever(words: Int32Array): Promise<never> {
  Atomics.add(words, 0, 1)
  return new Promise(() => {})
}

/** The same one level further down: sync, async, sync, async for ever. */
export function syncNeverBelow(words: Int32Array): unknown {
  return loop.hold(words)
}

export async function asyncHold(words: Int32Array): Promise<unknown> {
  return threads.syncNever(words)
}

/** Two calls at once beneath one parked thread. */
export function syncBoth(): readonly unknown[] {
  return loop.both()
}

export async function asyncBoth(): Promise<readonly unknown[]> {
  return Promise.all([threads.syncDown(0), threads.syncDown(2)])
}

let left: Promise<unknown> = Promise.resolve()

/** sync, async, sync, async: the innermost leaves work behind that the outer one waits for. */
export function syncLeave(): unknown {
  return loop.collect()
}

export async function asyncCollect(): Promise<unknown> {
  await threads.syncLeaving()
  return left
}

export function syncLeaving(): void {
  loop.leave()
}

export async function asyncLeave(): Promise<void> {
  left = new Promise((resolve) => setTimeout(resolve, 5)).then(() => threads.syncDown(0))
}

/** Goes on though it was woken. */
export function syncStubborn(words: Int32Array): never {
  for (;;) {
    try {
      loop.never(words)
    } catch {
      // It will not hear.
    }
  }
}

let outcome: Promise<unknown> = Promise.resolve()

/** How the last async function that makes a note of it has ended. */
export function asyncOutcome(): Promise<unknown> {
  return outcome
}

export function syncExitBelow(): unknown {
  return loop.exitBelow()
}

export async function asyncExitBelow(): Promise<unknown> {
  return outcome = threads.syncExit(5)
}

export function syncExit(code: number): never {
  process.exit(code)
}

/** Does not leave when it is woken. */
export function syncSurvive(words: Int32Array): unknown {
  try {
    return loop.survive(words)
  } catch {
    for (;;);
  }
}

/** Waits until the gate is open, whoever waits for it, and calls a sync function then. */
export async function asyncSurvive(words: Int32Array): Promise<unknown> {
  return outcome = (async () => {
    Atomics.add(words, 0, 1)
    while (Atomics.load(words, 1) === 0) await delay(2)
    return (await threads.syncDown(0))[0]
  })()
}

export function syncExitHelper(): unknown {
  return loop.exit()
}

export async function asyncExit(): Promise<never> {
  process.exit(6)
}
