import type { Application } from '../../lib/contract/application.ts'
import { headerList, type HeaderPair } from '../../lib/contract/headers.ts'
import type { Address } from '../../lib/contract/scope.ts'
import { fileExtensions } from '../../lib/exchange/extensions.ts'
import { HttpExchange } from '../../lib/exchange/http.ts'
import { LifespanExchange } from '../../lib/exchange/lifespan.ts'
import type { ExchangeObserver } from '../../lib/exchange/observer.ts'
import { ResponseTransport } from '../../lib/exchange/response-transport.ts'
import { httpScope, type HttpRequestHead } from '../../lib/exchange/scope.ts'
import type { ExchangeSettings } from '../../lib/exchange/settings.ts'

/** What `toFetch` may be told. */
export interface ToFetchOptions {
  /** Hears of every exchange. Default: one that writes what the application throws to the console. */
  readonly observer?: ExchangeObserver | undefined
}

/** An application as a function from `Request` to `Response`. */
export interface FetchFunction extends AsyncDisposable {
  (request: Request): Promise<Response>
  /** The function itself, for hosts that want an object: `export default toFetch(app)`. */
  readonly fetch: FetchFunction
  /** Runs the shutdown of the application's lifespan. Throws `LifespanFailed`. */
  close(): Promise<void>
}

/**
 * Makes of an application a function for hosts that speak `fetch`. The response is there once its head is; bodies
 * stream both ways, no faster than they are read. What the application throws is a 500 while there is no head, and
 * breaks the body off afterwards. The client is gone when the request's signal aborts or the body is cancelled.
 *
 * The lifespan starts with the first request; if that fails, each call is rejected with `LifespanFailed`. Such a host
 * tells nobody when it stops: call `close`. Early hints and trailers do not exist here, nor does the client's address.
 */
export function toFetch(app: Application, options: ToFetchOptions = {}): FetchFunction {
  const settings: ExchangeSettings = { observer: options.observer ?? logger, defaultHeaders: [], debug: false, messageQueue: Infinity }
  const lifespan = new LifespanExchange({ mode: 'auto', startup: 0, shutdown: 0, unsupported: () => {}, failed: (error) => console.error(error) })
  let started: Promise<void> | null = null

  const call = async (request: Request): Promise<Response> => {
    await (started ??= lifespan.startup(app))
    const { signal } = request
    signal.throwIfAborted()
    const transport = new ResponseTransport()
    const body = request.method === 'GET' || request.method === 'HEAD' ? null : request.body
    const scope = httpScope(headOf(request, body !== null), '', lifespan.state)
    const exchange = new HttpExchange(transport, settings, scope, { body: body !== null, expectContinue: false, trailers: false })
    transport.begin(exchange)
    const leave = (): void => transport.leave(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    const fed = transport.feed(exchange, body, null)
    void Promise.all([fed, transport.ended]).then(() => signal.removeEventListener('abort', leave))
    exchange.run(app)
    return transport.response
  }
  const close = async (): Promise<void> => {
    if (started === null) return
    await started
    await lifespan.shutdown()
  }
  const properties = { close, [Symbol.asyncDispose]: close }
  const fetch: FetchFunction = Object.assign(call, properties, { fetch: call as FetchFunction })
  return fetch
}

const logger: ExchangeObserver = {
  untimed: true,
  finished: ({ error }) => {
    if (error !== undefined) console.error(error)
  },
}

/** Makes of a request what a protocol would have read. */
function headOf(request: Request, hasBody: boolean): HttpRequestHead {
  const url = new URL(request.url)
  const secure = url.protocol === 'https:'
  const pairs: HeaderPair[] = [...request.headers]
  if (!request.headers.has('host')) pairs.unshift(['host', url.host])
  // So that the application can tell that there is a body, as on HTTP/1.1.
  if (hasBody && !request.headers.has('content-length') && !request.headers.has('transfer-encoding')) pairs.push(['transfer-encoding', 'chunked'])
  const server: Address = [url.hostname.replace(/^\[|\]$/g, ''), Number(url.port) || (secure ? 443 : 80)]
  return {
    httpVersion: '1.1',
    method: request.method,
    scheme: secure ? 'https' : 'http',
    rawPath: url.pathname,
    queryString: url.search.slice(1),
    headers: headerList(pairs),
    client: null,
    server,
    extensions: fileExtensions,
  }
}
