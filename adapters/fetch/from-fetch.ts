import type { Application, HttpPart } from '../../lib/contract/application.ts'
import { InvalidOption, UnsupportedScope } from '../../lib/contract/errors.ts'
import { FetchRequest } from './request.ts'
import { sendResponse } from './response.ts'

/** Answers a request: what fetch-style frameworks call a handler. */
export type FetchHandler = (request: Request) => Response | Promise<Response>

/** An application of a framework: Hono, h3, itty-router, `export default { fetch }`. */
export interface FetchApplication {
  readonly fetch: FetchHandler
}

/**
 * Runs an application that takes a `Request` and gives a `Response`. It sees HTTP only, and has no lifespan.
 *
 * - `request.url` is the address beneath the place where the application is mounted; it is normalised, as every `URL` is.
 * - `request.signal` aborts when the client leaves, or the server gives up, before the response is complete; never on
 *   a normal end. Its `reason` is a `ClientDisconnected`.
 * - `request.body` is null where there is none. It fails with `ClientDisconnected` when it is cut short.
 * - The response's body goes out as it comes, no faster than the client reads. When the client leaves it is cancelled.
 * - Each Set-Cookie is a field of its own; `statusText` is dropped.
 * - What is no `Response`, or one that has been read, is an `InvalidResponse`; `Response.error()` is an `InvalidEvent`.
 */
export function fromFetch(handler: FetchHandler | FetchApplication): HttpPart
export function fromFetch(handler: FetchHandler | FetchApplication): Application {
  const handle = handlerOf(handler)
  return async (scope, receive, send) => {
    if (scope.type !== 'http') throw new UnsupportedScope(scope.type)
    await sendResponse(await handle(FetchRequest.for(scope, receive)), scope, send)
  }
}

function handlerOf(handler: FetchHandler | FetchApplication): FetchHandler {
  const { fetch } = Object(handler) as Partial<FetchApplication>
  if (typeof fetch === 'function') return (request) => fetch.call(handler as FetchApplication, request)
  if (typeof handler === 'function') return handler
  throw new InvalidOption('handler', 'a function, or an object with a function fetch', handler)
}
