/** What views ask of a request, of whichever kind they are. */
import { HttpError } from 'tsgi'
import type { HttpRequest } from 'tsgi/stack'

/** The address of a path beneath where the site is mounted. */
export function urlOf(request: HttpRequest, path: string): string {
  return rootOf(request) + path
}

/** Where the site is mounted, percent-encoded. */
export function rootOf({ rootPath }: HttpRequest): string {
  return rootPath.split('/').map(encodeURIComponent).join('/')
}

/** The method, one of those that a view takes; HEAD counts as GET. Throws an `HttpError` of 405. */
export function methodOf<M extends 'GET' | 'POST'>(request: HttpRequest, allowed: readonly M[]): M {
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const found = allowed.find((each) => each === method)
  if (found === undefined) throw new MethodNotAllowed(allowed)
  return found
}

/** A method that a view does not take. Its own properties cross threads with it. */
export class MethodNotAllowed extends HttpError {
  readonly allowed: string

  constructor(allowed: readonly string[]) {
    super(405, 'the view takes other methods')
    this.allowed = allowed.flatMap((method) => method === 'GET' ? ['GET', 'HEAD'] : [method]).join(', ')
  }
}

/** The number that a text is; 0 where it is none. */
export function numberOf(text: string): number {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : 0
}
