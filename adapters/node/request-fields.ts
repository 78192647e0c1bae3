import { hasBody } from '../../lib/contract/disconnect.ts'
import type { HttpScope, WebSocketScope } from '../../lib/contract/scope.ts'
import { pathBeneath } from '../path-beneath.ts'

/** A request as node:http has it, read from a scope. */
export interface RequestFields {
  /** The path beneath `rootPath`, and the query. */
  readonly url: string
  /** Names and values in turn. */
  readonly flat: readonly string[]
  /** Whether a body may follow. */
  readonly body: boolean
  /** Whether the client asks for the connection to end. */
  readonly close: boolean
}

/** What a request says, for `IncomingMessage`. */
export function requestFields(scope: HttpScope | WebSocketScope): RequestFields {
  const flat: string[] = []
  let sized = false
  let coded = false
  let close = scope.httpVersion === '1.0'
  for (const [name, value] of scope.headers) {
    flat.push(name, value)
    if (name === 'content-length') sized = true
    else if (name === 'transfer-encoding') coded = true
    else if (name === 'connection') close = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(value) || (close && !/keep-alive/i.test(value))
  }
  const body = scope.type === 'http' && (hasBody(scope) ?? (sized || coded || scope.httpVersion === '2'))
  // body-parser and others know a body by these fields, which HTTP/2 can do without.
  if (body && !sized && !coded) flat.push('transfer-encoding', 'chunked')
  return { url: withQuery(pathBeneath(scope), scope.queryString), flat, body, close }
}

/** The URL with `rootPath`, for `originalUrl`. */
export function wholeUrl(scope: HttpScope | WebSocketScope): string {
  return withQuery(scope.rawPath, scope.queryString)
}

function withQuery(path: string, query: string): string {
  return query === '' ? path : `${path}?${query}`
}
