import type { Application } from '../contract/application.ts'
import { InvalidOption } from '../contract/errors.ts'
import type { HttpScope, WebSocketScope } from '../contract/scope.ts'

/** Where an application is mounted. */
export interface Route {
  /** In lower case, perhaps with a port; empty for any host. */
  readonly host: string
  /** Begins with `/` and does not end with it, or is empty. */
  readonly prefix: string
  readonly app: Application
}

const HOST = /^(?:\[[\da-f:.]+\]|[^\s/\\?#@:[\]]+)(?::\d{1,5})?$/
// A prefix is compared with the decoded path. An empty, `.` or `..` segment would be in no sane one.
const PREFIX = /^(?:\/(?!\.{1,2}(?:\/|$))[^\s/\\?#%]+)*$/

const EXPECTED = 'routes like "/prefix" or "host/prefix", decoded, without empty or dot segments, each once, to applications'

/** Reads the routes in the order in which they are tried: hosts with a port, hosts, any host; the longest prefix first. */
export function readRoutes(routes: Readonly<Record<string, Application>>): readonly Route[] {
  if (typeof routes !== 'object' || routes === null) throw new InvalidOption('routes', EXPECTED, routes)
  const read = Object.entries(routes).map(([key, app]) => readRoute(key, app))
  const seen = new Set<string>()
  for (const { host, prefix } of read) {
    if (seen.has(host + prefix)) throw new InvalidOption('routes', EXPECTED, `${host}${prefix} twice`)
    seen.add(host + prefix)
  }
  return read.sort((one, other) => rank(one) - rank(other) || other.prefix.length - one.prefix.length)
}

/** The application for a request and its prefix; undefined if none fits. */
export function findRoute(routes: readonly Route[], scope: HttpScope | WebSocketScope): Route | undefined {
  const { path, rootPath } = scope
  const beneath = path.startsWith(rootPath) ? path.slice(rootPath.length) : path
  const segments = wholeSegments(scope.rawPath)
  let hosts: readonly string[] | null = null
  return routes.find(({ host, prefix }) => {
    if (prefix !== '' && !(beneath.startsWith(prefix) && (beneath.length === prefix.length || beneath[prefix.length] === '/'))) return false
    if (segments < Infinity && prefix !== '' && slashes(rootPath + prefix) > segments) return false
    return host === '' || (hosts ??= hostsOf(scope)).includes(host)
  })
}

function readRoute(key: string, app: Application): Route {
  const slash = key.indexOf('/')
  const host = (slash < 0 ? key : key.slice(0, slash)).toLowerCase()
  const prefix = (slash < 0 ? '' : key.slice(slash)).replace(/\/$/, '')
  if ((host !== '' && !HOST.test(host)) || !PREFIX.test(prefix)) throw new InvalidOption('routes', EXPECTED, key)
  if (typeof app !== 'function') throw new InvalidOption(`routes[${JSON.stringify(key)}]`, 'an application', app)
  return { host, prefix, app }
}

function rank({ host }: Route): number {
  if (host === '') return 2
  return hasPort(host) ? 0 : 1
}

function hasPort(host: string): boolean {
  return /:\d+$/.test(host)
}

/** The host that was asked for, with its port and without. */
function hostsOf({ headers, scheme }: HttpScope | WebSocketScope): readonly string[] {
  const host = (headers.get('host') ?? '').toLowerCase()
  const name = host.replace(/:\d*$/, '').replace(/\.$/, '')
  const port = /:(\d+)$/.exec(host)?.[1] ?? (scheme === 'https' || scheme === 'wss' ? '443' : '80')
  return [`${name}:${port}`, name]
}

/**
 * How many segments of a path end before the first `%2F`. That is no separator (RFC 3986 2.2), though it decodes to
 * one: what comes before it is a part of a segment, and no prefix ends there.
 */
function wholeSegments(rawPath: string): number {
  if (!rawPath.includes('%')) return Infinity
  const encoded = /%2f/i.exec(rawPath)
  return encoded === null ? Infinity : slashes(rawPath.slice(0, encoded.index)) - 1
}

function slashes(path: string): number {
  return path.split('/').length - 1
}
