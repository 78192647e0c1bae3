import { InvalidOption } from '../../contract/errors.ts'
import { pass } from '../effects.ts'
import { neutral, type Layer } from '../layer.ts'
import type { NeutralHttpRequest } from '../request.ts'
import { HttpResponse } from '../response.ts'
import { addVary } from './vary.ts'

/** What `cors` is told. */
export interface CorsOptions {
  /**
   * Which pages may read answers: origins as browsers write them (`https://example.com`, `http://localhost:3000`), `'*'`
   * for all, or a function. `'null'`, the origin of sandboxed frames and files, is nobody in particular: it has to be in the
   * list by itself, and cannot be with `credentials`. There is no default.
   */
  readonly origins: '*' | readonly string[] | ((origin: string, request: NeutralHttpRequest) => boolean)
  /** Whether these pages may send cookies and read what they get for them. Excludes each `'*'`. Default: false. */
  readonly credentials?: boolean | undefined
  /** Methods beside GET, HEAD and POST, which need no leave (Fetch 2.2.1); or `'*'`. Default: none. */
  readonly methods?: '*' | readonly string[] | undefined
  /** Request header fields beside those that need no leave (Fetch 2.2.2); or `'*'`, which is all but `authorization`. Default: none. */
  readonly headers?: '*' | readonly string[] | undefined
  /** Response header fields that pages may read, beside those that all may (Fetch 2.2.6); or `'*'`. Default: none. */
  readonly exposedHeaders?: '*' | readonly string[] | undefined
  /** For how many seconds a browser may remember what a preflight said; browsers cap it. Default: what browsers do, 5 seconds (Fetch 3.2.3). */
  readonly maxAge?: number | undefined
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** An origin as it is serialized (RFC 6454 6.2), or `null`. */
const ORIGIN = /^(?:null|[a-z][a-z0-9+.-]*:\/\/[!-+.0->@-~-]+)$/

/**
 * Lets pages of other origins read answers, by the CORS protocol of the Fetch standard (3.2). Preflights are answered here,
 * with 204; all else is passed on, and what comes back, an error too, gets the fields. A request of an origin that may not
 * is answered like any other, but without them, so that the browser keeps the answer from its page: CORS is no protection
 * against requests. A response that says `access-control-allow-origin` itself stays as it is. Throws `InvalidOption`.
 */
export function cors(options: CorsOptions): Layer {
  const { origins, credentials = false, maxAge } = options
  const methods = list('methods', options.methods, credentials, ['GET', 'HEAD', 'POST'])
  const allowedHeaders = list('headers', options.headers, credentials)
  const exposed = list('exposedHeaders', options.exposedHeaders, credentials)
  if (maxAge !== undefined && (!Number.isSafeInteger(maxAge) || maxAge < 0)) throw new InvalidOption('maxAge', 'a whole number of seconds, 0 or more', maxAge)
  const allows = originCheck(origins, credentials)

  return neutral(function* cors(request) {
    const preflight = request.method === 'OPTIONS' && request.headers.has('origin') && request.headers.has('access-control-request-method')
    const response = preflight ? new HttpResponse(null, { status: 204 }) : yield* pass(request)
    const { headers } = response
    if (allows !== null) addVary(headers, 'Origin')
    if (preflight) addVary(headers, 'Access-Control-Request-Method', 'Access-Control-Request-Headers')
    const origin = allows === null ? '*' : allowed(request, allows)
    if (origin === null || headers.has('access-control-allow-origin')) return response
    headers.set('access-control-allow-origin', origin)
    if (credentials) headers.set('access-control-allow-credentials', 'true')
    if (!preflight) {
      if (exposed !== '') headers.set('access-control-expose-headers', exposed)
      return response
    }
    headers.set('access-control-allow-methods', methods)
    if (allowedHeaders !== '') headers.set('access-control-allow-headers', allowedHeaders)
    if (maxAge !== undefined) headers.set('access-control-max-age', String(maxAge))
    return response
  })
}

type OriginCheck = (origin: string, request: NeutralHttpRequest) => boolean

/** What decides about an origin; null where all may, and the answer is the same for all. */
function originCheck(origins: CorsOptions['origins'], credentials: boolean): OriginCheck | null {
  if (typeof origins === 'function') return origins
  if (origins === '*') {
    // Fetch 3.2.5: a browser does not take it for a request with credentials. To mirror any origin would undo the web's protection.
    if (credentials) throw new InvalidOption('origins with credentials', 'a list of origins or a function', origins)
    return null
  }
  if (!Array.isArray(origins)) throw new InvalidOption('origins', "a list of origins, a function, or '*'", origins)
  for (const origin of origins as readonly string[]) {
    if (typeof origin !== 'string' || !ORIGIN.test(origin) || !isSerialized(origin)) throw new InvalidOption('origins', 'origins as browsers write them: https://example.com, without a path, and without the port that is usual', origin)
    if (credentials && origin === 'null') throw new InvalidOption('origins with credentials', 'origins of somebody in particular', origin)
  }
  const known: ReadonlySet<string> = new Set(origins)
  return (origin) => known.has(origin)
}

/** An upper-case letter, a path or a usual port would never match. Schemes that are not the web's have no such rules. */
function isSerialized(origin: string): boolean {
  return !/^(?:https?|ftp|wss?):/.test(origin) || (URL.canParse(origin) && new URL(origin).origin === origin)
}

/** The origin of a request, if it may. */
function allowed(request: NeutralHttpRequest, allows: OriginCheck): string | null {
  const [origin, ...more] = request.headers.getAll('origin')
  return origin !== undefined && more.length === 0 && ORIGIN.test(origin) && allows(origin, request) ? origin : null
}

function list(option: string, given: '*' | readonly string[] | undefined, credentials: boolean, always: readonly string[] = []): string {
  if (given === '*') {
    // Fetch 3.2.5: for a request with credentials it is a method, or a field, of that name.
    if (credentials) throw new InvalidOption(`${option} with credentials`, 'a list', given)
    return given
  }
  const names: readonly unknown[] = given ?? []
  if (!Array.isArray(names)) throw new InvalidOption(option, "a list, or '*'", given)
  for (const name of names) if (typeof name !== 'string' || !TOKEN.test(name) || name === '*') throw new InvalidOption(option, 'tokens (RFC 9110 5.6.2)', name)
  return [...new Set([...always, ...names])].join(', ')
}
