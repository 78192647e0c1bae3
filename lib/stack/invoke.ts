import type { ActiveRequest } from './active.ts'
import type { Need } from './effects.ts'
import type { Mode } from './route.ts'
import type { Answer, Target } from './target.ts'

/** A part of the stack that is carried out in its own mode, wherever the rest is. */
export class Invoke implements Need<Answer> {
  readonly #active: ActiveRequest
  readonly #mode: Mode
  readonly #target: Target

  constructor(active: ActiveRequest, mode: Mode, target: Target) {
    this.#active = active
    this.#mode = mode
    this.#target = target
  }

  sync(): Answer {
    const { ways } = this.#active
    return this.#mode === 'sync' ? ways.hereSync(this.#active, this.#target) : ways.toLoop(this.#active, this.#target)
  }

  async(): Promise<Answer> {
    const { ways } = this.#active
    return this.#mode === 'async' ? ways.hereAsync(this.#active, this.#target) : ways.toThread(this.#active, this.#target)
  }
}
