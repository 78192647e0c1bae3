/** Functions that specs call on threads. */
import { threadId } from 'node:worker_threads'

let calls = 0

export function add(a: number, b: number): number {
  return a + b
}

export function echo(value: unknown): unknown {
  return value
}

/** The number of the thread, and how often this copy of the module was asked for it. */
export function where(): readonly [thread: number, calls: number] {
  return [threadId, ++calls]
}

/** Blocks, and gives the number of the thread. */
export function sleep(ms: number): number {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  return threadId
}

/** Passes a gate: says that it is there, and blocks until the gate is open. Gives the number of the thread. */
export function pass(words: Int32Array): number {
  Atomics.add(words, 0, 1)
  while (Atomics.load(words, 1) === 0) Atomics.wait(words, 1, 0)
  return threadId
}

/** Adds a number to a list in shared memory: how many there are, then the numbers. */
export function note(list: Int32Array, value: number): number {
  list[Atomics.add(list, 0, 1) + 1] = value
  return threadId
}

export function exit(code: number): never {
  process.exit(code)
}

/** Passes the gate, then ends the thread. */
export function exitAt(words: Int32Array): never {
  pass(words)
  process.exit(4)
}

/** Returns, and fails the thread a little later. */
export function failLater(message: string): void {
  setTimeout(() => {
    throw new Error(message)
  }, 1)
}

/**
 * Takes memory until there is none, in small pieces: of large ones, a Worker of Node 24 that has no memory left ends the
 * whole process, and one of Node 26 never ends.
 */
export function exhaust(): never {
  let kept: unknown = null
  for (;;) kept = { kept, more: [1, 2, 3, 4, 5, 6, 7, 8] }
}

export default function half(n: number): number {
  return n / 2
}
