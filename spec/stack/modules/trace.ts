/** What stacks under test tell their test, from whichever thread: notes in shared memory, in the order in which they were made. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { threadId } from 'node:worker_threads'
import { shareContext } from '../../../lib/threads/context.ts'

export interface Shared {
  readonly words: Int32Array
  readonly bytes: Uint8Array
}

/** What was noted, and the thread that noted it: 0 is the one of the event loop. */
export type Note = readonly [what: string, thread: number]

const storage: AsyncLocalStorage<Shared> = new AsyncLocalStorage()
shareContext('stack-trace', storage)

const LENGTH = 0
const GATE = 1
const LOCK = 2

/** Has one thread at a time touch the notes. Nobody holds the lock for longer than it takes to copy a few bytes. */
function locked<T>(words: Int32Array, body: () => T): T {
  while (Atomics.compareExchange(words, LOCK, 0, 1) !== 0);
  try {
    return body()
  } finally {
    Atomics.store(words, LOCK, 0)
  }
}

/** In the stack: leaves a note. */
export function note(what: string): void {
  const shared = storage.getStore()
  if (shared === undefined) return
  const text = Buffer.from(`${JSON.stringify([what, threadId])}\n`)
  locked(shared.words, () => shared.bytes.set(text, Atomics.add(shared.words, LENGTH, text.length)))
}

/** In the stack: blocks until the test opens the gate. */
export function gate(): void {
  const shared = storage.getStore()
  if (shared !== undefined) Atomics.wait(shared.words, GATE, 0)
}

/** The test's side. */
export class Trace {
  readonly #shared: Shared = { words: new Int32Array(new SharedArrayBuffer(12)), bytes: new Uint8Array(new SharedArrayBuffer(65536)) }

  /** The notes, in their order. */
  get notes(): Note[] {
    const { words, bytes } = this.#shared
    const text = locked(words, () => Buffer.from(bytes.slice(0, Atomics.load(words, LENGTH))).toString())
    return text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Note)
  }

  /** The same without the threads. */
  get events(): string[] {
    return this.notes.map(([what]) => what)
  }

  /** Resolves once something has been noted. */
  async noted(what: string): Promise<void> {
    while (!this.events.includes(what)) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Forgets all notes, and gives them. */
  take(): Note[] {
    const { notes } = this
    Atomics.store(this.#shared.words, LENGTH, 0)
    return notes
  }

  /** Lets whoever waits at the gate go on. */
  open(): void {
    Atomics.store(this.#shared.words, GATE, 1)
    Atomics.notify(this.#shared.words, GATE)
  }

  run<T>(body: () => T): T {
    return storage.run(this.#shared, body)
  }
}
