import { createHash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { InvalidOption } from '../../contract/errors.ts'
import { async, type Layer } from '../layer.ts'
import type { AsyncHttpRequest, HttpRequest } from '../request.ts'
import { HttpResponse } from '../response.ts'
import { Gcra } from './gcra.ts'

/** What `rateLimit` is told. */
export interface RateLimitOptions {
  /** How many requests of one key may come within the window, all at once if they like. */
  readonly limit: number
  /** In seconds. */
  readonly window: number
  /** Whom requests count for; null for nobody: they are not limited. Default: `clientKey`. */
  readonly key?: ((request: AsyncHttpRequest) => string | null | Promise<string | null>) | undefined
  /** What the header fields call the limit, where there are several. Default: `default`. */
  readonly name?: string | undefined
  /** How many keys are kept. Beyond that the one that was not seen for the longest begins anew. Default: 100,000, about 20 MB. */
  readonly maxKeys?: number | undefined
  /** Whether responses tell what is left. Default: true. */
  readonly headers?: boolean | undefined
  /** Makes the answer in place of a line of text; its status and `retry-after` are set. `seconds` is how long to wait. */
  readonly response?: ((request: AsyncHttpRequest, seconds: number) => HttpResponse) | undefined
}

/**
 * Lets so many requests of a client through and answers others with 429 (RFC 6585 4) and `retry-after` (RFC 9110 10.2.3),
 * by the algorithm GCRA: a burst of the whole limit, and then the even rate; no window that a client could straddle.
 * Responses tell what is left by `ratelimit-policy` and `ratelimit` (draft-ietf-httpapi-ratelimit-headers-10).
 *
 * It is an async layer, so that all threads of a process count in one place, its event loop; other processes count for
 * themselves. Throws `InvalidOption`.
 */
export function rateLimit(options: RateLimitOptions): Layer {
  const { limit, window, key = clientKey, name = 'default', maxKeys = 100_000, headers = true, response: refusal = plain } = options
  if (!Number.isSafeInteger(limit) || limit < 1) throw new InvalidOption('limit', 'a whole number of requests, 1 or more', limit)
  if (typeof window !== 'number' || !Number.isFinite(window) || window <= 0) throw new InvalidOption('window', 'a number of seconds, more than 0', window)
  if (!Number.isSafeInteger(maxKeys) || maxKeys < 2) throw new InvalidOption('maxKeys', 'a whole number, 2 or more', maxKeys)
  if (typeof name !== 'string' || !/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(name)) throw new InvalidOption('name', 'printable ASCII without quotes and backslashes', name)
  const policy = `"${name}";q=${limit};w=${Math.ceil(window)}`
  const counts = new Gcra(limit, window * 1000, maxKeys)

  return async(async function rateLimit(request, next) {
    const whom = await key(request)
    if (whom === null) return next(request)
    const taken = counts.take(bounded(whom), performance.now())
    const response = taken.allowed ? await next(request) : refused(refusal, request, seconds(taken.retryAfter))
    if (headers) {
      response.headers.append('ratelimit-policy', policy)
      response.headers.append('ratelimit', `"${name}";r=${taken.remaining};t=${seconds(taken.reset)}`)
    }
    return response
  })
}

/**
 * The address of the client: of IPv6 the first 64 bits, since each client has all of the rest (RFC 4291 2.5.1). Behind a
 * proxy that is the client only with `proxyHeaders`, else all share one.
 */
export function clientKey({ client }: HttpRequest): string {
  if (client === null) return 'unknown'
  const [text = ''] = client[0].split('%')
  if (!isIPv6(text)) return client[0]
  // The canonical form shortens the longest run of zeros, and writes IPv4 as two groups.
  const [head = '', tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last]
  if (groups.slice(0, 6).join() !== '0,0,0,0,0,ffff') return `${groups.slice(0, 4).join(':')}::/64`
  return groups.slice(6).flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]).join('.')
}

/** A key may be made of what a client sends: long ones must not fill the memory. */
function bounded(key: string): string {
  return key.length <= 64 ? key : createHash('sha256').update(key).digest('base64')
}

function seconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000)
}

function plain(_request: AsyncHttpRequest, wait: number): HttpResponse {
  return HttpResponse.text(`429 Too Many Requests: try again in ${wait} s\n`)
}

function refused(make: NonNullable<RateLimitOptions['response']>, request: AsyncHttpRequest, wait: number): HttpResponse {
  const response = make(request, wait)
  response.status = 429
  response.headers.set('retry-after', String(wait))
  return response
}
