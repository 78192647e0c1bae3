import { InvalidOption } from '../contract/errors.ts'
import type { Neutral } from './effects.ts'
import type { AsyncHttpRequest, NeutralHttpRequest, SyncHttpRequest } from './request.ts'
import type { HttpResponse } from './response.ts'

/** What a pattern's names matched, decoded. */
export type Params = Readonly<Record<string, string>>

export type SyncView = (request: SyncHttpRequest, params: Params) => HttpResponse
export type AsyncView = (request: AsyncHttpRequest, params: Params) => Promise<HttpResponse>
export type NeutralView = (request: NeutralHttpRequest, params: Params) => Neutral<HttpResponse>
export type View = SyncView | AsyncView | NeutralView

/** How code runs: blocking its thread, or on the event loop. */
export type Mode = 'sync' | 'async'

/** A pattern and the view that answers what it matches. */
export interface Route {
  readonly pattern: string
  readonly view: View
  /** How the view runs; null for a neutral one. */
  readonly mode: Mode | null
  readonly matches: RegExp
}

/**
 * A route: `/posts/:id` matches one segment as `id`, `/files/*path` all the rest as `path`. The first of a stack's routes
 * that matches answers. An `async function` is an async view, a `function*` a neutral one, any other a sync one; `mode`
 * says so where a compiler hides it. Throws `InvalidOption`.
 */
export function route(pattern: string, view: AsyncView, mode?: 'async'): Route
export function route(pattern: string, view: SyncView, mode?: 'sync'): Route
export function route(pattern: string, view: NeutralView, mode?: 'neutral'): Route
export function route(pattern: string, view: View, mode?: Mode | 'neutral'): Route
export function route(pattern: string, view: View, mode?: Mode | 'neutral'): Route {
  if (typeof pattern !== 'string' || !pattern.startsWith('/')) throw new InvalidOption('the pattern of a route', 'a string that begins with /', pattern)
  if (typeof view !== 'function') throw new InvalidOption(`the view of ${pattern}`, 'a function', view)
  const found = mode ?? modeOf(view)
  return { pattern, view, mode: found === 'neutral' ? null : found, matches: expression(pattern) }
}

/** What the pattern's names match in a path; null where it does not match. */
export function match(route: Route, path: string): Params | null {
  return route.matches.exec(path)?.groups ?? (route.pattern === path ? {} : null)
}

function modeOf(view: Function): Mode | 'neutral' {
  const { name } = view.constructor
  return name === 'AsyncFunction' ? 'async' : name === 'GeneratorFunction' ? 'neutral' : 'sync'
}

function expression(pattern: string): RegExp {
  const names = new Set<string>()
  const source = pattern.split('/').map((segment, index, all) => {
    const [, kind, name] = /^([:*])([A-Za-z_]\w*)$/.exec(segment) ?? []
    if (kind === undefined || name === undefined) {
      if (/^[:*]/.test(segment)) throw new InvalidOption(`${segment} in the route ${pattern}`, 'a name after : or *', segment)
      return segment.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
    }
    if (names.has(name)) throw new InvalidOption(`${segment} in the route ${pattern}`, 'the only one of its name', segment)
    if (kind === '*' && index < all.length - 1) throw new InvalidOption(`${segment} in the route ${pattern}`, 'the last segment', segment)
    names.add(name)
    return kind === '*' ? `(?<${name}>.*)` : `(?<${name}>[^/]+)`
  }).join('/')
  return new RegExp(`^${source}$`, 's')
}
