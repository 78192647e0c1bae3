/** What an application under test tells its test, also from a thread: counts and notes in shared memory. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { shareContext } from '../../../lib/threads/context.ts'
import type { TestContext } from '../../support/suite.ts'

export interface Shared {
  readonly words: Int32Array
  readonly bytes: Uint8Array
}

export const probe: AsyncLocalStorage<Shared> = new AsyncLocalStorage()
shareContext('wsgi-probe', probe)

const CLOSES = 0
const STEPS = 1
const GATE = 2
const LENGTH = 3

function shared(): Shared {
  const store = probe.getStore()
  if (store === undefined) throw new Error('no probe')
  return store
}

/** In the application: its response was closed. */
export function closed(): void {
  Atomics.add(shared().words, CLOSES, 1)
}

/** In the application: it came to a point. */
export function step(): void {
  Atomics.add(shared().words, STEPS, 1)
}

/** In the application: it came to a point, and blocks there until the test lets it go on, so many times. */
export function pass(): void {
  const { words } = shared()
  const before = Atomics.add(words, STEPS, 1)
  for (;;) {
    const open = Atomics.load(words, GATE)
    if (open > before) return
    Atomics.wait(words, GATE, open)
  }
}

/** In the application: leaves a note. */
export function note(value: unknown): void {
  const { words, bytes } = shared()
  const text = Buffer.from(`${JSON.stringify(value) ?? 'undefined'}\n`)
  bytes.set(text, Atomics.add(words, LENGTH, text.length))
}

/** In the application: leaves a note of what a call throws. */
export function noteThrown(call: () => unknown): void {
  try {
    call()
    note('no error')
  } catch (error) {
    const { name, message, code } = error as Error & { code?: string }
    note([name, code ?? null, message])
  }
}

/** The test's side of one request. */
export class Probe {
  readonly shared: Shared = { words: new Int32Array(new SharedArrayBuffer(16)), bytes: new Uint8Array(new SharedArrayBuffer(65536)) }

  get closes(): number {
    return Atomics.load(this.shared.words, CLOSES)
  }

  get steps(): number {
    return Atomics.load(this.shared.words, STEPS)
  }

  /** Resolves when the application has come to so many points. */
  async reached(steps: number): Promise<void> {
    while (this.steps < steps) await delay(2)
  }

  /** Resolves when so many responses have been closed. */
  async closedTimes(closes: number): Promise<void> {
    while (this.closes < closes) await delay(2)
  }

  /** Lets the application pass so many times in all. */
  open(times: number): void {
    Atomics.store(this.shared.words, GATE, times)
    Atomics.notify(this.shared.words, GATE)
  }

  get notes(): unknown[] {
    const text = Buffer.from(this.shared.bytes.slice(0, Atomics.load(this.shared.words, LENGTH))).toString()
    return text.split('\n').slice(0, -1).map((line) => line === 'undefined' ? undefined : JSON.parse(line) as unknown)
  }

  run<T>(body: () => T): T {
    return probe.run(this.shared, body)
  }
}

/** Keeps what this thread writes to standard error, where servers log errors, until the test is over. */
export function keepLog(t: TestContext): readonly string[] {
  const { stderr } = process
  const { write } = stderr
  const logged: string[] = []
  stderr.write = ((text: string) => {
    logged.push(text)
    return true
  }) as typeof write
  t.after(() => (stderr.write = write))
  return logged
}
