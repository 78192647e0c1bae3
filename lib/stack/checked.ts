import { InvalidResponse, WrongMode } from '../contract/errors.ts'
import type { ActiveRequest } from './active.ts'
import { tellRanOn } from './ran-on.ts'
import { HttpResponse, TemplateResponse } from './response.ts'
import type { Mode } from './route.ts'

/** The value, if it is a response. Throws `InvalidResponse`. */
export function checked(what: string, value: unknown): HttpResponse {
  if (value instanceof HttpResponse) return value
  throw Object.assign(new InvalidResponse(`what ${what} gives`, 'an HttpResponse', value), { givenBy: what })
}

/** Whether `checked` threw an error, here or on another thread: nobody is asked to answer that in place of the view. */
export function isOfCheck(error: unknown): boolean {
  return typeof (Object(error) as { readonly givenBy?: unknown }).givenBy === 'string'
}

/** The same for what may give none, to let the request go on. */
export function checkedHook(what: string, value: unknown): HttpResponse | undefined {
  return value === undefined || value === null ? undefined : checked(what, value)
}

/** The same for a response that is yet to be rendered. */
export function checkedTemplate(what: string, value: unknown): TemplateResponse {
  if (value instanceof TemplateResponse) return value
  throw new InvalidResponse(`what ${what} gives`, 'a TemplateResponse', value)
}

/** The response that a stack answers with: one that cannot be sent is an error like any other. */
export function outgoing(active: ActiveRequest, response: HttpResponse): HttpResponse {
  const ready = readied(active, response)
  if (active.ranOn !== null) tellRanOn(ready, active, active.ranOn)
  return ready
}

function readied(active: ActiveRequest, response: HttpResponse): HttpResponse {
  try {
    if (response instanceof TemplateResponse && !response.isRendered) throw new InvalidResponse('a template response that a layer answers with', 'rendered: only those of views and hooks are rendered for them', response)
    return sendable(response, active.plan.home)
  } catch (error) {
    return active.failed(error)
  }
}

/** A response that the caller of a stack can send. Throws `InvalidResponse` and `WrongMode`. */
export function sendable(response: HttpResponse, home: Mode): HttpResponse {
  if (response.closed) throw new InvalidResponse('what the stack answers with', 'a response of this request', 'one that was sent before')
  if (home === 'async' || response.stream === null || Symbol.iterator in response.stream) return response
  throw new WrongMode('an async iterable that is a body', 'sync')
}
