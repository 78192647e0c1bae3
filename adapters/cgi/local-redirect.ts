import type { Receive } from '../../lib/contract/application.ts'
import { headerList } from '../../lib/contract/headers.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'
import { decodePath } from '../../lib/exchange/scope.ts'

/** How often one request may be redirected. */
const LIMIT = 10

/** The key under which a scope has the number of its redirects. */
const countKey: unique symbol = Symbol('redirects')

/** Fields of a body, which a redirected request has not. */
const ofBody: ReadonlySet<string> = new Set(['content-length', 'content-type', 'content-encoding', 'transfer-encoding', 'expect'])

/** The request for a local path that takes the place of another one (RFC 3875 6.2.2); null if there have been too many. */
export function redirected(scope: HttpScope, location: string, receive: Receive): { readonly scope: HttpScope; readonly receive: Receive } | null {
  const count = ((scope as { readonly [countKey]?: number })[countKey] ?? 0) + 1
  if (count > LIMIT) return null
  const mark = location.indexOf('?')
  const rawPath = mark < 0 ? location : location.slice(0, mark)
  const next = {
    ...scope,
    method: scope.method === 'HEAD' ? 'HEAD' : 'GET',
    rawPath,
    path: decodePath(rawPath),
    queryString: mark < 0 ? '' : location.slice(mark + 1),
    rootPath: '',
    headers: headerList([...scope.headers].filter(([name]) => !ofBody.has(name))),
    [countKey]: count,
  }
  let asked = false
  return {
    scope: next,
    async receive() {
      if (!asked) {
        asked = true
        return { type: 'http.request', body: new Uint8Array(0), moreBody: false, trailers: null }
      }
      // The rest of the body that the first request had.
      for (;;) {
        const event = await receive()
        if (event.type !== 'http.request') return event
      }
    },
  }
}
