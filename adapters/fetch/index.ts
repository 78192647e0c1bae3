import type { HttpScope } from '../../lib/contract/scope.ts'
import { FetchRequest } from './request.ts'

export { fromFetch, type FetchApplication, type FetchHandler } from './from-fetch.ts'
export { toFetch, type FetchFunction, type ToFetchOptions } from './to-fetch.ts'

/**
 * The scope behind a request that `fromFetch` made: the client's address, the state of the lifespan, the extensions.
 * Undefined for any other request, a copy (`new Request(request)`, `request.clone()`) too.
 */
export function scopeOf(request: Request): HttpScope | undefined {
  return FetchRequest.scopeOf(request)
}
