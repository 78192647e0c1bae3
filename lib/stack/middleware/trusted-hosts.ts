import { isIPv6 } from 'node:net'
import { InvalidOption, SuspiciousOperation } from '../../contract/errors.ts'
import { pass } from '../effects.ts'
import { neutral, type Layer } from '../layer.ts'
import type { NeutralHttpRequest } from '../request.ts'

/** What `trustedHosts` may be told. */
export interface TrustedHostsOptions {
  /** Which requests may have any host, such as the health checks of a load balancer. Default: none. */
  readonly exempt?: ((request: NeutralHttpRequest) => boolean) | undefined
}

interface Host {
  /** In lower case, without a trailing dot; IPv6 in its canonical form, in brackets. */
  readonly name: string
  readonly port: number | null
}

interface Pattern extends Host {
  readonly itself: boolean
  readonly subdomains: boolean
}

/**
 * Answers only requests for hosts of a list; others are a `SuspiciousOperation`: 400. What is built of `request.host`
 * (links, redirects, cache keys) is then of your own hosts, as with ALLOWED_HOSTS of Django. A host of the list is
 *
 * - `example.com`, `127.0.0.1`, `[::1]`: itself;
 * - `*.example.com`: its subdomains; `.example.com`: both;
 * - any of them with `:8443`: on that port only; without one on all. What a request leaves out is 443 for https, else 80;
 * - `*`: all that are hosts.
 *
 * Case does not count (RFC 9110 4.2.3), nor the dot at the end of a name of DNS. Names are compared as they are sent: one
 * with other letters comes as `xn--…`, and is listed so. A request without Host has the address of the server (RFC 9112
 * 3.2 allows that to HTTP/1.0). Throws `InvalidOption`.
 */
export function trustedHosts(hosts: readonly string[], options: TrustedHostsOptions = {}): Layer {
  if (!Array.isArray(hosts) || hosts.length === 0) throw new InvalidOption('hosts', 'a list of hosts', hosts)
  const patterns = hosts.map(pattern)
  const { exempt } = options
  return neutral(function* trustedHosts(request) {
    if (exempt?.(request) !== true) requireTrusted(request, patterns)
    return yield* pass(request)
  })
}

function requireTrusted(request: NeutralHttpRequest, patterns: readonly (Pattern | '*')[]): void {
  const host = request.headers.getAll('host').length > 1 ? null : parse(request.host)
  if (host === null) throw new SuspiciousOperation('the host field is no host')
  const port = host.port ?? (request.scheme === 'https' ? 443 : 80)
  if (!patterns.some((each) => each === '*' || matches(each, host.name, port))) throw new SuspiciousOperation(`the host ${host.name} is not one of those that are answered`)
}

function matches({ name: wanted, port: wantedPort, itself, subdomains }: Pattern, name: string, port: number): boolean {
  if (wantedPort !== null && wantedPort !== port) return false
  return (itself && name === wanted) || (subdomains && name.endsWith(`.${wanted}`))
}

function pattern(given: string): Pattern | '*' {
  if (given === '*') return given
  const [, prefix = '', rest = ''] = /^(\*?\.)?(.*)$/s.exec(String(given)) ?? []
  const host = parse(rest)
  if (typeof given !== 'string' || host === null || (prefix !== '' && host.name.startsWith('['))) throw new InvalidOption('hosts', 'hosts such as example.com, .example.com, *.example.com, [::1], with a port or without', given)
  return { ...host, itself: prefix !== '*.', subdomains: prefix !== '' }
}

/** Reads `uri-host [ ":" port ]` (RFC 9110 7.2), as strict as Django: null for what is none. */
function parse(text: string): Host | null {
  const [, name = '', portText] = /^([a-z0-9_.-]+|\[[a-f0-9:.]+\])(?::([0-9]{1,5}))?$/i.exec(text) ?? []
  const port = portText === undefined ? null : Number(portText)
  if (name === '' || (port !== null && port > 65535)) return null
  if (name.startsWith('[')) return isIPv6(name.slice(1, -1)) ? { name: new URL(`http://${name}`).hostname, port } : null
  const bare = name.toLowerCase().replace(/\.$/, '')
  return bare.split('.').includes('') ? null : { name: bare, port }
}
