/** Finds the view for a path and a method. */
import type { Request } from './request.ts'
import { HttpError, redirect, type Response } from './response.ts'

/** Answers a request; the parameters are those of its route's path. */
export type View = (request: Request, ...parameters: number[]) => Response

/** A path, in which `:name` stands for a number, and its views by method. `GET` serves `HEAD` too. */
export interface Route {
  readonly path: string
  readonly views: { readonly GET?: View; readonly POST?: View }
}

/** Calls the view of the first route that fits. Throws an `HttpError` with 404 or 405. */
export function dispatch(routes: readonly Route[], request: Request): Response {
  // Where this is mounted as /book, the list is /book/.
  if (request.path === '') return redirect(request.url('/'), 307)
  for (const { path, views } of routes) {
    const match = pattern(path).exec(request.path)
    if (match === null) continue
    const { method } = request
    const view = method === 'GET' || method === 'HEAD' ? views.GET : method === 'POST' ? views.POST : undefined
    if (view !== undefined) return view(request, ...match.slice(1).map(Number))
    const allowed = [...views.GET === undefined ? [] : ['GET', 'HEAD'], ...views.POST === undefined ? [] : ['POST']]
    throw new HttpError(405, `This takes ${allowed.join(', ')} only.`, [['allow', allowed.join(', ')]])
  }
  throw new HttpError(404, 'No page of this book is here.')
}

const patterns = new Map<string, RegExp>()

function pattern(path: string): RegExp {
  let made = patterns.get(path)
  if (made === undefined) {
    made = new RegExp(`^${path.replaceAll('.', '\\.').replace(/:\w+/g, '([1-9]\\d{0,14})')}$`)
    patterns.set(path, made)
  }
  return made
}
