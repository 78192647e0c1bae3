import { NotFound } from '../contract/errors.ts'
import type { ActiveRequest } from './active.ts'
import { checked, checkedHook, checkedTemplate, isOfCheck } from './checked.ts'
import type { Neutral } from './effects.ts'
import { Invoke } from './invoke.ts'
import type { PlannedLayer } from './plan.ts'
import { TemplateResponse, type HttpResponse } from './response.ts'
import { match, type NeutralView } from './route.ts'

/** What is beneath the last layer: finds the view and calls it, with the hooks of all layers around it. */
export function* answer(active: ActiveRequest): Neutral<HttpResponse> {
  resolve(active)
  const { hooks } = active.stack
  let response: HttpResponse | undefined
  if (hooks.processView.length > 0) response = yield* viewHooks(active)
  if (response === undefined) {
    let value: unknown
    try {
      const { mode, view } = active.route
      if (mode === null) active.runs(active.plan.layers.length, active.plan.inner)
      value = mode === null
        ? yield* (view as NeutralView)(active.neutral, active.core.params)
        : yield new Invoke(active, mode, { type: 'view' })
    } catch (error) {
      if (isOfCheck(error)) throw error
      value = yield* exceptionHooks(active, error)
    }
    response = checked(`the view of ${active.route.pattern}`, value)
  }
  return response instanceof TemplateResponse && !response.isRendered ? yield* rendered(active, response) : response
}

function resolve(active: ActiveRequest): void {
  const { routes } = active.stack
  const path = active.core.pathInfo
  for (let index = 0; index < routes.length; index++) {
    const route = routes[index]
    const params = route === undefined ? null : match(route, path)
    if (params === null) continue
    active.found(index, params)
    return
  }
  throw new NotFound(`nothing is at ${path}`)
}

function* viewHooks(active: ActiveRequest): Neutral<HttpResponse | undefined> {
  for (const index of active.stack.hooks.processView) {
    const planned = hookOf(active, index)
    const { neutral } = planned.layer
    const value = neutral === null
      ? yield new Invoke(active, planned.mode, { type: 'processView', layer: index })
      : yield* neutral.processView?.(active.neutral, active.route.view, active.core.params) ?? nothing()
    const response = checkedHook(`${planned.name}.processView`, value)
    if (response !== undefined) return response
  }
  return undefined
}

/** What a hook answers an error with; throws the error if none does. */
function* exceptionHooks(active: ActiveRequest, error: unknown): Neutral<HttpResponse> {
  for (const index of active.stack.hooks.processException) {
    const planned = hookOf(active, index)
    const { neutral } = planned.layer
    const value = neutral === null
      ? yield new Invoke(active, planned.mode, { type: 'processException', layer: index, error })
      : yield* neutral.processException?.(active.neutral, error) ?? nothing()
    const response = checkedHook(`${planned.name}.processException`, value)
    if (response !== undefined) return response
  }
  throw error
}

/** A response with its content; the hooks may change how it is made, or give another. */
function* rendered(active: ActiveRequest, given: TemplateResponse): Neutral<HttpResponse> {
  let response = given
  for (const index of active.stack.hooks.processTemplateResponse) {
    const planned = hookOf(active, index)
    const { neutral } = planned.layer
    const value = neutral === null
      ? yield new Invoke(active, planned.mode, { type: 'processTemplateResponse', layer: index, response })
      : yield* neutral.processTemplateResponse?.(active.neutral, response) ?? nothing()
    response = checkedTemplate(`${planned.name}.processTemplateResponse`, value)
  }
  try {
    yield* response.rendering()
  } catch (error) {
    return yield* exceptionHooks(active, error)
  }
  return response
}

function* nothing(): Neutral<undefined> {
  return undefined
}

function hookOf(active: ActiveRequest, index: number): PlannedLayer {
  const planned = active.plan.layers[index] as PlannedLayer // the lists of hooks are made of these layers
  // Neutral hooks run here; others are carried out in their mode.
  if (planned.layer.neutral !== null) active.runs(index, active.plan.inner)
  return planned
}
