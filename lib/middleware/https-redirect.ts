import type { Application } from '../contract/application.ts'
import { InvalidOption } from '../contract/errors.ts'
import type { HttpScope, WebSocketScope } from '../contract/scope.ts'

/** What `httpsRedirect` may be told. */
export interface HttpsRedirectOptions {
  /** The host to redirect to. Default: the one that was asked for. */
  readonly host?: string | undefined
  /** The port that serves TLS. Default: 443. */
  readonly port?: number | undefined
  /** 301, 302, 307 or 308. Default: 308, which keeps the method and the body. */
  readonly status?: number | undefined
}

/**
 * Sends clients that came without TLS to the same address with it. Requests over TLS and the lifespan pass through. A
 * WebSocket is refused with the same redirect where the server can do that, which few clients follow, else with 403.
 * Behind a proxy that ends TLS, `proxyHeaders` has to stand around it. Throws `InvalidOption`.
 */
export function httpsRedirect(app: Application, options: HttpsRedirectOptions = {}): Application {
  const { host, port = 443, status = 308 } = options
  if (host !== undefined && !/^(?:[\w.-]+|\[[\da-fA-F:.]+\])$/.test(host)) throw new InvalidOption('host', 'a host without a port', host)
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new InvalidOption('port', 'a whole number from 1 to 65535', port)
  if (![301, 302, 307, 308].includes(status)) throw new InvalidOption('status', '301, 302, 307 or 308', status)
  return async (scope, receive, send) => {
    if ((scope.type !== 'http' && scope.type !== 'websocket') || (scope.scheme !== 'http' && scope.scheme !== 'ws')) return app(scope, receive, send)
    const to = locationOf(scope, host, port)
    if (scope.type === 'http') {
      if (to === null) return answer('http', 400, [])
      return answer('http', status, [['location', `https${to}`]])
    }
    if (to === null || !('websocket.http.response' in scope.extensions)) return send({ type: 'websocket.close' })
    return answer('websocket.http', status, [['location', `wss${to}`]])

    async function answer(kind: 'http' | 'websocket.http', status: number, headers: readonly (readonly [string, string])[]): Promise<void> {
      await send({ type: `${kind}.response.start`, status, headers: [['content-type', 'text/plain; charset=utf-8'], ...headers] })
      await send({ type: `${kind}.response.body`, body: status === 400 ? 'Bad Request: no host to redirect to\n' : `Moved to ${headers[0]?.[1]}\n` })
    }
  }
}

/** What follows the scheme: `//host:port/path?query`. Null where nobody knows the host. */
function locationOf({ headers, rawPath, queryString }: HttpScope | WebSocketScope, host: string | undefined, port: number): string | null {
  const name = host ?? (headers.get('host') ?? '').replace(/:\d*$/, '')
  if (name === '') return null
  // A path that begins with two slashes stays a path; `*` is no address.
  return `://${name}${port === 443 ? '' : `:${port}`}${rawPath === '*' ? '/' : rawPath}${queryString === '' ? '' : `?${queryString}`}`
}
