import type { Application, Receive, Send } from '../contract/application.ts'
import { InvalidOption, LifespanFailed, UnsupportedScope } from '../contract/errors.ts'
import type { LifespanScope, State } from '../contract/scope.ts'
import { PartLifespan } from './mount-lifespan.ts'
import { findRoute, readRoutes } from './mount-routes.ts'

/** The state of each part. */
type PartStates = ReadonlyMap<Application, State>

/**
 * Puts several applications side by side: HTTP and WebSockets go to the one whose route fits, the lifespan to all.
 *
 * - A key is `/prefix` or `host/prefix`; the empty prefix (`/`, or `host`) takes all paths. `/a` takes `/a` and
 *   `/a/…`, never `/ab`. It is compared with the decoded path beneath the present `rootPath`, but `%2F` is no
 *   separator: `/a%2Fb` is not beneath `/a`. Case counts. A malformed key is an `InvalidOption`.
 * - A host is compared without regard to case, and to the port unless the key has one. Routes with a host are tried
 *   before those without, longer prefixes before shorter ones.
 * - The part sees `rootPath` extended by its prefix; `path` and `rawPath` stay whole, because they contain it.
 * - Where nothing fits, `fallback` is called, `rootPath` as it was; without one the answer is 404, or 403 to a WebSocket.
 * - The lifespan: the parts start in the order of the keys, the fallback last, and shut down in reverse, an application
 *   that is mounted twice once. If one fails to start, those that have started shut down, and the whole has failed. A
 *   part that throws without asking for an event has no lifespan. Each part sees in its `scope.state` the state around
 *   it and its own, never another's.
 */
export function mount(routes: Readonly<Record<string, Application>>, fallback?: Application): Application {
  const ordered = readRoutes(routes)
  if (fallback !== undefined && typeof fallback !== 'function') throw new InvalidOption('fallback', 'an application', fallback)
  // Each once, by the first of its names.
  const parts = new Map<Application, string>()
  for (const [key, app] of Object.entries(routes)) if (!parts.has(app)) parts.set(app, key)
  if (fallback !== undefined && !parts.has(fallback)) parts.set(fallback, 'the fallback')
  // In the state, so that two servers of one mount do not mix theirs. A symbol of this mount's own: mounts may be nested.
  const statesKey = Symbol('tsgi.mount')

  return async (scope, receive, send) => {
    if (scope.type === 'lifespan') {
      return lifespan(parts, scope, receive, send, (states) => Object.assign(scope.state, { [statesKey]: states }))
    }
    if (scope.type !== 'http' && scope.type !== 'websocket') throw new UnsupportedScope((scope as { type: string }).type)
    const route = findRoute(ordered, scope)
    const app = route?.app ?? fallback
    if (app === undefined) return scope.type === 'http' ? notFound(send) : send({ type: 'websocket.close' })
    const states = (scope.state as { readonly [statesKey]?: PartStates })[statesKey]
    const state = states === undefined ? scope.state : { ...scope.state, ...states.get(app) }
    return app({ ...scope, rootPath: scope.rootPath + (route?.prefix ?? ''), state }, receive, send)
  }
}

async function notFound(send: Send): Promise<void> {
  await send({ type: 'http.response.start', status: 404, headers: [['content-type', 'text/plain; charset=utf-8']] })
  await send({ type: 'http.response.body', body: 'Not Found\n' })
}

async function lifespan(
  parts: ReadonlyMap<Application, string>, scope: LifespanScope, receive: Receive, send: Send, keep: (states: PartStates) => void,
): Promise<void> {
  const started: { readonly name: string; readonly part: PartLifespan }[] = []
  const states = new Map<Application, State>()
  await receive()
  for (const [app, name] of parts) {
    const part = new PartLifespan(app, scope.state)
    try {
      if (!await part.start(scope)) continue
    } catch (error) {
      const failure = new LifespanFailed(`${name}: ${messageOf(error)}`, { cause: error })
      const others = await stop(started)
      await send({ type: 'lifespan.startup.failed', message: [failure, ...others].map(messageOf).join('; ') })
      throw failure
    }
    started.push({ name, part })
    states.set(app, part.state)
  }
  // So that a server that insists on a lifespan (`on`) hears that there is none.
  if (started.length === 0) throw new UnsupportedScope('lifespan')
  keep(states)
  await send({ type: 'lifespan.startup.complete' })
  await receive()
  const failures = await stop(started)
  const [first] = failures
  if (first === undefined) return send({ type: 'lifespan.shutdown.complete' })
  await send({ type: 'lifespan.shutdown.failed', message: failures.map(messageOf).join('; ') })
  throw first
}

/** Shuts parts down, the last first, all of them whatever one does; gives what failed. */
async function stop(parts: readonly { readonly name: string; readonly part: PartLifespan }[]): Promise<readonly LifespanFailed[]> {
  const failures: LifespanFailed[] = []
  for (const { name, part } of parts.toReversed()) {
    try {
      await part.stop()
    } catch (error) {
      failures.push(new LifespanFailed(`${name}: ${messageOf(error)}`, { cause: error }))
    }
  }
  return failures
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
