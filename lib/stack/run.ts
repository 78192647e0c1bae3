import { InvalidResponse, PassedTwice } from '../contract/errors.ts'
import type { ActiveRequest } from './active.ts'
import { answer } from './answer.ts'
import { checked } from './checked.ts'
import { Pass, type Need, type Neutral } from './effects.ts'
import { Invoke } from './invoke.ts'
import type { PlannedLayer } from './plan.ts'
import { HttpResponse } from './response.ts'
import type { Mode } from './route.ts'

/** A neutral generator that is under way: that of a layer, or what is beneath all of them. */
class Frame {
  readonly code: Neutral<HttpResponse>
  readonly index: number
  passed: boolean

  constructor(code: Neutral<HttpResponse>, index: number, passed: boolean) {
    this.code = code
    this.index = index
    this.passed = passed
  }
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
    const given = this.#enter(from)
    return given instanceof Frame ? this.#go(undefined, false) : this.#up(given)
  }

  resume(value: unknown): Need | null {
    this.#beneath = false
    return this.#go(value, false)
  }

  fail(error: unknown): Need | null {
    if (!this.#beneath) return this.#go(error, true)
    this.#beneath = false
    return this.#go(this.#active.failed(error), false)
  }

  /** A response, or a need, that came without a frame. */
  #up(given: HttpResponse | Need): Need | null {
    return given instanceof HttpResponse ? this.#go(given, false) : given
  }

  /** Goes down to the next layer that has to be run: gives its frame, its response, or what has to be waited for. */
  #enter(from: number): Frame | HttpResponse | Need {
    const active = this.#active
    const mode = this.#mode
    const { layers, inner } = active.plan
    for (let index = from; ; index++) {
      const planned = layers[index]
      if (planned === undefined) return mode === inner ? this.#push(answer(active), index, true) : this.#cross(index)
      if (planned.mode !== mode) return this.#cross(index)
      const { neutral, sync, async } = planned.layer
      if (neutral !== null) {
        if (neutral.process === undefined) continue
        active.runs(index, mode)
        try {
          return this.#push(neutral.process(active.neutral), index, false)
        } catch (error) {
          return active.failed(error)
        }
      }
      if (mode === 'async') {
        if (async?.process === undefined) continue
        active.runs(index, mode)
        this.#beneath = true
        return new AsyncLayer(active, planned, index)
      }
      if (sync?.process !== undefined) return throughSync(active, planned, index)
    }
  }

  #push(code: Neutral<HttpResponse>, index: number, passed: boolean): Frame {
    const frame = new Frame(code, index, passed)
    this.#frames.push(frame)
    return frame
  }

  #cross(index: number): Need {
    this.#beneath = true
    return new Invoke(this.#active, this.#mode === 'async' ? 'sync' : 'async', { type: 'layers', from: index })
  }

  /** Lets the innermost frame go on, and those around it, until something has to be waited for. */
  #go(given: unknown, failed: boolean): Need | null {
    const active = this.#active
    const frames = this.#frames
    let value = given
    let throws = failed
    while (frames.length > 0) {
      const frame = frames[frames.length - 1] as Frame // there is one
      try {
        const step = throws ? frame.code.throw(value) : frame.code.next(value)
        throws = false
        if (step.done !== true) {
          const need = step.value
          if (!(need instanceof Pass)) {
            if (typeof (need as Partial<Need> | undefined)?.[this.#mode] === 'function') return need
            value = new InvalidResponse(`what ${this.#nameOf(frame)} yields`, 'what pass, either or a method of the request gives, by yield*', need)
            throws = true
            continue
          }
          if (frame.passed) {
            value = new PassedTwice(this.#nameOf(frame))
            throws = true
            continue
          }
          frame.passed = true
          const beneath = this.#enter(frame.index + 1)
          if (beneath instanceof Frame) value = undefined
          else if (beneath instanceof HttpResponse) value = beneath
          else return beneath
          continue
        }
        value = step.value instanceof HttpResponse ? step.value : checked(this.#nameOf(frame), step.value)
      } catch (error) {
        throws = false
        value = active.failed(error)
      }
      frames.pop()
    }
    this.#response = value as HttpResponse
    return null
  }

  #nameOf({ index }: Frame): string {
    const { plan, routeIndex, route } = this.#active
    return plan.layers[index]?.name ?? (routeIndex < 0 ? 'the stack' : `the view of ${route.pattern}`)
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
  active.runs(index, 'sync')
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
