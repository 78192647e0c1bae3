import { InvalidOption } from '../../contract/errors.ts'
import { checkConditions } from '../../semantics/conditions.ts'
import { parseHttpDate } from '../../semantics/http-date.ts'
import { pass } from '../effects.ts'
import { neutral, type Layer } from '../layer.ts'
import type { HttpResponse, ResponseStream } from '../response.ts'
import { cacheDirectives } from './cache-control.ts'
import { etagOf } from './etag.ts'

/** What `conditional` may be told. */
export interface ConditionalOptions {
  /**
   * The entity tag that a response gets which has none, made of its bytes. A `weak` one stays right when the body is
   * compressed; with a `strong` one `if-match` can be answered. `false`: none. Default: `weak`.
   */
  readonly etag?: 'weak' | 'strong' | false | undefined
}

/** What describes a body that is not sent (RFC 9110 15.4.5). */
const OF_THE_BODY = ['content-type', 'content-length', 'content-encoding', 'content-language', 'content-range', 'content-disposition', 'accept-ranges']

/**
 * Answers a GET or HEAD whose conditions say so with 304, or 412, in place of the body (RFC 9110 13). It looks at responses
 * of status 200 only, by their `etag` and `last-modified`; one of bytes that has no `etag` gets one, unless it says
 * `no-store`. The view has run by then: this saves sending, not work. Conditions of other methods, such as `if-match` on a
 * PUT, are the view's, since they have to be looked at before anything is changed. Throws `InvalidOption`.
 */
export function conditional(options: ConditionalOptions = {}): Layer {
  const { etag = 'weak' } = options
  if (etag !== 'weak' && etag !== 'strong' && etag !== false) throw new InvalidOption('etag', "'weak', 'strong' or false", etag)

  return neutral(function* conditional(request) {
    const response = yield* pass(request)
    const { method } = request
    if (response.status !== 200 || (method !== 'GET' && method !== 'HEAD')) return response
    const { headers, stream } = response
    // The view may have left out what HEAD does not need.
    const whole = stream === null && (method === 'GET' || response.content.length > 0)
    if (etag !== false && whole && !headers.has('etag') && !cacheDirectives(headers).has('no-store')) headers.set('etag', etagOf(response.content, etag === 'weak'))
    const lastModified = headers.get('last-modified')
    const status = checkConditions(request.headers, { etag: headers.get('etag') ?? null, lastModified: lastModified === undefined ? null : parseHttpDate(lastModified) })
    if (status === null) return response
    if (stream !== null) abandon(stream)
    return status === 304 ? notModified(response) : failed(response)
  })
}

function notModified(response: HttpResponse): HttpResponse {
  response.content = null
  response.status = 304
  for (const name of OF_THE_BODY) response.headers.delete(name)
  return response
}

function failed(response: HttpResponse): HttpResponse {
  for (const name of [...OF_THE_BODY, 'etag', 'last-modified', 'expires']) response.headers.delete(name)
  response.headers.set('cache-control', 'no-store')
  response.headers.set('content-type', 'text/plain; charset=utf-8')
  response.content = '412 Precondition Failed\n'
  response.status = 412
  return response
}

/** Lets go of a stream that nobody iterates: one of Node, or of the web, holds on to its file or socket. */
function abandon(stream: ResponseStream): void {
  const { destroy, cancel } = stream as { readonly destroy?: unknown; readonly cancel?: unknown }
  if (typeof destroy === 'function') destroy.call(stream)
  else if (typeof cancel === 'function') void Promise.resolve(cancel.call(stream)).catch(() => {})
}
