import { randomUUID } from 'node:crypto'
import { InvalidOption } from '../../contract/errors.ts'
import { pass } from '../effects.ts'
import { neutral, type Layer } from '../layer.ts'
import type { NeutralHttpRequest } from '../request.ts'

/** What `requestId` may be told. */
export interface RequestIdOptions {
  /**
   * Whether the id that a request brings is taken: true only behind a proxy that sets it or drops it, since else any client
   * can write its own into your logs. A function decides for each request. Default: false.
   */
  readonly trusted?: boolean | ((request: NeutralHttpRequest) => boolean) | undefined
  /** The header field. Default: `x-request-id`. */
  readonly header?: string | undefined
  /** Makes an id of one of the forms that are taken. Default: a random UUID (RFC 9562 5.4). */
  readonly make?: (() => string) | undefined
}

/** What logs, URLs and header fields can have as it is. */
const WELL_FORMED = /^[A-Za-z0-9._~+/=:@-]{1,128}$/

/**
 * Gives each request an id: `request.state.requestId` for all beneath, and a header field of the response. No RFC defines
 * the field; proxies agree on its name. An id that comes is taken where it is trusted, stands there once and has 1 to 128
 * letters, digits and `._~+/=:@-`. Throws `InvalidOption`.
 */
export function requestId(options: RequestIdOptions = {}): Layer {
  const { trusted = false, header = 'x-request-id', make = randomUUID } = options
  if (typeof header !== 'string' || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(header)) throw new InvalidOption('header', 'the name of a header field (RFC 9110 5.1)', header)
  return neutral(function* requestId(request) {
    const id = incoming(request, header, trusted) ?? checked(make())
    request.state['requestId'] = id
    const response = yield* pass(request)
    response.headers.set(header, id)
    return response
  })
}

function incoming(request: NeutralHttpRequest, header: string, trusted: NonNullable<RequestIdOptions['trusted']>): string | null {
  const [id, ...more] = request.headers.getAll(header)
  if (id === undefined || more.length > 0 || !WELL_FORMED.test(id)) return null
  return (typeof trusted === 'function' ? trusted(request) : trusted) ? id : null
}

function checked(id: string): string {
  if (typeof id !== 'string' || !WELL_FORMED.test(id)) throw new InvalidOption('what make gives', '1 to 128 letters, digits and ._~+/=:@-', id)
  return id
}
