import type { HttpResponse } from './response.ts'
import type { NeutralHttpRequest } from './request.ts'

/** Work that has a form for each mode; who drives a neutral generator carries one of them out. */
export interface Need<T = unknown> {
  sync(): T
  async(): Promise<T>
}

/** What `either` yields. */
export class Either<T = unknown> implements Need<T> {
  readonly sync: () => T
  readonly async: () => Promise<T>

  constructor(sync: () => T, async: () => Promise<T>) {
    this.sync = sync
    this.async = async
  }
}

/**
 * What a neutral layer yields to have the layers beneath answer: an iterator that gives itself, and then what it is
 * resumed with. There is one for all, since nothing is to be remembered: a generator for each `pass` of each layer would
 * cost more than all else that a layer costs.
 */
export class Pass implements Iterable<Pass>, Iterator<Pass, HttpResponse, HttpResponse | undefined> {
  readonly #given: IteratorYieldResult<Pass> = { done: false, value: this }
  readonly #taken: { done: true; value: HttpResponse | null } = { done: true, value: null }

  next(response?: HttpResponse): IteratorResult<Pass, HttpResponse> {
    if (response === undefined) return this.#given
    const taken = this.#taken
    taken.value = response
    return taken as IteratorReturnResult<HttpResponse>
  }

  throw(error: unknown): never {
    throw error
  }

  [Symbol.iterator](): this {
    return this
  }
}

/** The only one. */
export const PASS: Pass = new Pass()

/** Code that runs in either mode; its caller writes `yield*` where async code writes `await`. */
export type Neutral<T> = Generator<Need | Pass, T, unknown>

/** Work with a form for each mode: `const text = yield* either(() => readFileSync(p, 'utf8'), () => readFile(p, 'utf8'))`. */
export function* either<T>(sync: () => T, async: () => Promise<T>): Generator<Need<T>, T, unknown> {
  return (yield new Either(sync, async)) as T
}

/** Has the layers beneath answer: `const response = yield* pass(request)`. A layer can do that once for each request. */
export function pass(_request: NeutralHttpRequest): Generator<Pass, HttpResponse, unknown> {
  return PASS as Iterable<Pass> as Generator<Pass, HttpResponse, unknown>
}

/** Runs neutral code that passes nothing on, blocking. */
export function runSync<T>(code: Generator<Need, T, unknown>): T {
  let step = code.next()
  while (step.done !== true) {
    let value: unknown
    try {
      value = step.value.sync()
    } catch (error) {
      step = code.throw(error)
      continue
    }
    step = code.next(value)
  }
  return step.value
}

/** The same, awaiting. */
export async function runAsync<T>(code: Generator<Need, T, unknown>): Promise<T> {
  let step = code.next()
  while (step.done !== true) {
    let value: unknown
    try {
      value = await step.value.async()
    } catch (error) {
      step = code.throw(error)
      continue
    }
    step = code.next(value)
  }
  return step.value
}
