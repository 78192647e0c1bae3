import { PassedTwice } from '../contract/errors.ts'
import type { ActiveRequest } from './active.ts'
import { answer } from './answer.ts'
import { checked } from './checked.ts'
import { Pass, type Need, type Neutral } from './effects.ts'
import { Invoke } from './invoke.ts'
import type { PlannedLayer } from './plan.ts'
import type { HttpResponse } from './response.ts'
import type { Mode } from './route.ts'

/** A neutral generator that is under way. */
interface Frame {
  readonly code: Neutral<HttpResponse>
  readonly index: number
  readonly name: string
  passed: boolean
}

/**
 * One way down the layers of a stack and up again, in one mode. What has to be waited for comes out as a `Need`, and goes
 * back in by `resume` or `fail`: so sync and async mode share all but the waiting. Every layer gets a response from the
 * one beneath it, never an error.
 */
export class Run {
  readonly #active: ActiveRequest
  readonly #mode: Mode
  readonly #frames: Frame[] = []
  /** Whether what is waited for is the response of layers beneath, not the work of the innermost frame. */
  #beneath = false
  #response: HttpResponse | null = null

  constructor(active: ActiveRequest, mode: Mode) {
    this.#active = active
    this.#mode = mode
  }

  /** The response, once there is nothing to be waited for. */
  get response(): HttpResponse {
    return this.#response as HttpResponse // asked for only then
  }

  /** Goes down from a layer. Gives what has to be waited for; null at the end. */
  start(from: number): Need | null {
    return this.#enter(from)
  }

  resume(value: unknown): Need | null {
    if (!this.#beneath) return this.#step(value, false)
    this.#beneath = false
    return this.#up(value as HttpResponse)
  }

  fail(error: unknown): Need | null {
    if (!this.#beneath) return this.#step(error, true)
    this.#beneath = false
    return this.#up(this.#active.failed(error))
  }

  #enter(from: number): Need | null {
    const active = this.#active
    const { layers } = active.plan
    for (let index = from; ; index++) {
      const planned = layers[index]
      if (planned === undefined) {
        if (this.#mode !== active.plan.inner) return this.#cross(index)
        this.#frames.push({ code: answer(active), index, name: '', passed: true })
        return this.#step(undefined, false)
      }
      if (planned.mode !== this.#mode) return this.#cross(index)
      const { neutral } = planned.layer
      if (neutral !== null) {
        if (neutral.process === undefined) continue
        let code: Neutral<HttpResponse>
        try {
          code = neutral.process(active.neutral)
        } catch (error) {
          return this.#up(active.failed(error))
        }
        this.#frames.push({ code, index, name: planned.name, passed: false })
        return this.#step(undefined, false)
      }
      if (this.#mode === 'async') {
        const { async } = planned.layer
        if (async?.process === undefined) continue
        this.#beneath = true
        return new AsyncLayer(active, planned, index)
      }
      const { sync } = planned.layer
      if (sync?.process === undefined) continue
      return this.#up(throughSync(active, planned, index))
    }
  }

  #cross(index: number): Need {
    this.#beneath = true
    return new Invoke(this.#active, this.#mode === 'async' ? 'sync' : 'async', { type: 'layers', from: index })
  }

  /** Gives a response to the innermost frame, if there is one. */
  #up(response: HttpResponse): Need | null {
    if (this.#frames.length > 0) return this.#step(response, false)
    this.#response = response
    return null
  }

  /** Lets the innermost frame go on, and those around it, until something has to be waited for. */
  #step(given: unknown, failed: boolean): Need | null {
    const frames = this.#frames
    let value = given
    let throws = failed
    for (;;) {
      const frame = frames.at(-1)
      if (frame === undefined) {
        this.#response = value as HttpResponse
        return null
      }
      try {
        const step = throws ? frame.code.throw(value) : frame.code.next(value)
        throws = false
        if (step.done !== true) {
          const need = step.value
          if (!(need instanceof Pass)) return need
          if (!frame.passed) {
            frame.passed = true
            return this.#enter(frame.index + 1)
          }
          value = new PassedTwice(frame.name)
          throws = true
          continue
        }
        value = checked(frame.name, step.value)
      } catch (error) {
        throws = false
        value = this.#active.failed(error)
      }
      frames.pop()
    }
  }
}

/** The call of an async layer, from async mode. */
class AsyncLayer implements Need<HttpResponse> {
  readonly #active: ActiveRequest
  readonly #planned: PlannedLayer
  readonly #index: number

  constructor(active: ActiveRequest, planned: PlannedLayer, index: number) {
    this.#active = active
    this.#planned = planned
    this.#index = index
  }

  sync(): never {
    throw new Error('an async layer is not run in sync mode')
  }

  async async(): Promise<HttpResponse> {
    const active = this.#active
    const { layer, name } = this.#planned
    let passed = false
    const next = (): Promise<HttpResponse> => {
      if (passed) return Promise.reject(new PassedTwice(name))
      passed = true
      return runAsync(active, this.#index + 1)
    }
    return checked(name, await layer.async?.process?.(active.async, next))
  }
}

/** Runs a sync layer, from sync mode. */
function throughSync(active: ActiveRequest, { layer, name }: PlannedLayer, index: number): HttpResponse {
  let passed = false
  const next = (): HttpResponse => {
    if (passed) throw new PassedTwice(name)
    passed = true
    return runSync(active, index + 1)
  }
  try {
    return checked(name, layer.sync?.process?.(active.sync, next))
  } catch (error) {
    return active.failed(error)
  }
}

/** The answer of the layers from one on, blocking. */
export function runSync(active: ActiveRequest, from: number): HttpResponse {
  const run = new Run(active, 'sync')
  let need = run.start(from)
  while (need !== null) {
    let value: unknown
    try {
      value = need.sync()
    } catch (error) {
      need = run.fail(error)
      continue
    }
    need = run.resume(value)
  }
  return run.response
}

/** The same, awaiting. */
export async function runAsync(active: ActiveRequest, from: number): Promise<HttpResponse> {
  const run = new Run(active, 'async')
  let need = run.start(from)
  while (need !== null) {
    let value: unknown
    try {
      value = await need.async()
    } catch (error) {
      need = run.fail(error)
      continue
    }
    need = run.resume(value)
  }
  return run.response
}
