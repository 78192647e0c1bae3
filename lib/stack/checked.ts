import { InvalidResponse } from '../contract/errors.ts'
import { HttpResponse, TemplateResponse } from './response.ts'

/** The value, if it is a response. Throws `InvalidResponse`. */
export function checked(what: string, value: unknown): HttpResponse {
  if (value instanceof HttpResponse) return value
  throw new InvalidResponse(`what ${what} gives`, 'an HttpResponse', value)
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
