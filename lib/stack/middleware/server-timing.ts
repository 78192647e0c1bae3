import { InvalidOption } from '../../contract/errors.ts'
import { pass } from '../effects.ts'
import { neutral, type Layer } from '../layer.ts'
import type { HttpRequest, NeutralHttpRequest } from '../request.ts'

/** What `serverTiming` may be told. */
export interface ServerTimingOptions {
  /**
   * Whether responses tell. How long something took tells strangers whether a user, a record or a cached page is there, so
   * let it be for yourself: a function decides for each request. Default: whether the stack is in debug mode.
   */
  readonly enabled?: boolean | ((request: NeutralHttpRequest) => boolean) | undefined
}

/** One entry, as it stands in `request.state`. */
interface Entry {
  readonly name: string
  readonly duration: number | null
  readonly description: string
}

const KEY = 'serverTiming'
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * Tells browsers how long the response took, all layers beneath and the view, as `total`, and what `timing(request)` was
 * told, by Server-Timing (W3C Server Timing 3). Bodies that stream come later and are not counted. Without `enabled` it does nothing.
 */
export function serverTiming(options: ServerTimingOptions = {}): Layer {
  const { enabled } = options
  return neutral(function* serverTiming(request) {
    const tells = typeof enabled === 'function' ? enabled(request) : enabled ?? request.core.debug
    if (!tells) return yield* pass(request)
    request.state[KEY] = []
    const begun = performance.now()
    const response = yield* pass(request)
    const entries = [{ name: 'total', duration: performance.now() - begun, description: '' }, ...entriesOf(request) ?? []]
    response.headers.append('server-timing', entries.map(metric).join(', '))
    return response
  })
}

/** What layers and views tell `serverTiming` with. It does nothing where that layer is not above, or does not tell. */
export interface Timings {
  /**
   * Adds an entry: `name` is a token (RFC 9110 5.6.2), `duration` milliseconds. Characters that a header field cannot
   * have are `?` in `description`. Throws `InvalidOption`.
   */
  add(name: string, duration?: number | null, description?: string): void
  /** Begins to measure; what it gives ends that, once, and adds the entry. Throws `InvalidOption`. */
  start(name: string, description?: string): () => void
}

/** The timings of a request: `timing(request).add('db', 12.5)`, in any layer and in the view, on either side. */
export function timing(request: HttpRequest): Timings {
  const add: Timings['add'] = (name, duration = null, description = '') => {
    requireToken(name)
    if (duration !== null && !Number.isFinite(duration)) throw new InvalidOption('the duration of a timing', 'a number of milliseconds', duration)
    entriesOf(request)?.push({ name, duration, description: String(description) })
  }
  return {
    add,
    start(name, description) {
      requireToken(name)
      const begun = performance.now()
      let over = false
      return () => {
        if (!over) add(name, performance.now() - begun, description)
        over = true
      }
    },
  }
}

/** The state is another object on the other side, and after a change of sides, so it is looked up each time. */
function entriesOf({ state }: HttpRequest): Entry[] | null {
  const entries = state[KEY]
  return Array.isArray(entries) ? entries as Entry[] : null
}

function requireToken(name: string): void {
  if (typeof name !== 'string' || !TOKEN.test(name)) throw new InvalidOption('the name of a timing', 'a token (RFC 9110 5.6.2)', name)
}

function metric({ name, duration, description }: Entry): string {
  const quoted = description.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')
  return `${name}${duration === null ? '' : `;dur=${Number(duration.toFixed(3))}`}${quoted === '' ? '' : `;desc="${quoted}"`}`
}
