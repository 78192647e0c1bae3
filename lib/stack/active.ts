import { responseTo } from './convert.ts'
import type { Plan } from './plan.ts'
import { asyncRequest, neutralRequest, syncRequest, type AsyncHttpRequest, type NeutralHttpRequest, type SyncHttpRequest } from './request.ts'
import type { RequestCore } from './request-core.ts'
import type { HttpResponse } from './response.ts'
import { thisThread, type RanOn } from './ran-on.ts'
import type { Mode, Params, Route } from './route.ts'
import type { LoadedStack } from './loaded.ts'
import type { Answer, Target } from './target.ts'

/** How targets are carried out: here, and where the other mode is. */
export interface Ways {
  hereSync(active: ActiveRequest, target: Target): Answer
  hereAsync(active: ActiveRequest, target: Target): Promise<Answer>
  /** From the event loop, by code that blocks. */
  toThread(active: ActiveRequest, target: Target): Promise<Answer>
  /** From code that blocks, on the event loop. */
  toLoop(active: ActiveRequest, target: Target): Answer
  /** The request is over, which async code answers: what the other side has of it may go. */
  endedAsync(active: ActiveRequest): Promise<void>
  /** The same of one that sync code answers. */
  endedSync(active: ActiveRequest): void
}

/** A request on its way through a stack. */
export class ActiveRequest {
  readonly stack: LoadedStack
  readonly plan: Plan
  readonly core: RequestCore
  readonly ways: Ways
  /** Where its layers and its view ran; null unless the stack is in debug mode. */
  ranOn: RanOn | null
  /** Which of the routes matched; -1 before that. */
  #route = -1

  constructor(stack: LoadedStack, plan: Plan, core: RequestCore, ways: Ways) {
    this.stack = stack
    this.plan = plan
    this.core = core
    core.debug = stack.debug
    this.ways = ways
    this.ranOn = stack.debug ? [] : null
  }

  get sync(): SyncHttpRequest {
    return syncRequest(this.core)
  }

  get async(): AsyncHttpRequest {
    return asyncRequest(this.core)
  }

  get neutral(): NeutralHttpRequest {
    return neutralRequest(this.core)
  }

  get routeIndex(): number {
    return this.#route
  }

  /** The route that matched. */
  get route(): Route {
    return this.stack.routes[this.#route] as Route // asked for once it has been found
  }

  found(route: number, params: Params): void {
    this.#route = route
    this.core.params = params
  }

  /** Notes that a layer runs here in a mode, or the view: that comes behind the last layer. */
  runs(index: number, mode: Mode): void {
    if (this.ranOn !== null) this.ranOn[index] ??= thisThread(this, mode)
  }

  /** What an error turns into, wherever it comes from. */
  failed(error: unknown): HttpResponse {
    return responseTo(this, error)
  }
}
