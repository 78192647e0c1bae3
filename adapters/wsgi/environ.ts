import type { HttpScope } from '../../lib/contract/scope.ts'
import type { Environ, WsgiErrors, WsgiInput } from '../../lib/contract/wsgi.ts'
import { fileWrapper } from './file-wrapper.ts'
import { tlsVariables } from './tls-variables.ts'

/**
 * What an environ is made of: plain strings, which cross to a thread at little cost. In turn: method, rawPath, path,
 * queryString, rootPath, protocol, scheme, name and port of the server, address and port of the client (both empty if
 * not known); then the names and values of the header fields.
 */
export type EnvironParts = readonly string[]

/** The key under which an environ of a thread carries the number of its call on the loop. It survives `{ ...environ }`. */
export const loopCallKey: unique symbol = Symbol.for('tsgi.wsgi.loopCall')

/** How many parts come before the header fields. */
const FIXED = 11

const VERSION: readonly [1, 0] = Object.freeze([1, 0] as const)

/** Takes of a scope what its environ is made of. */
export function environParts(scope: HttpScope): EnvironParts {
  const { server, client } = scope
  const named = server !== null && server[1] !== null
  const host = named ? null : hostOf(scope)
  const parts = [
    scope.method,
    scope.rawPath,
    scope.path,
    scope.queryString,
    scope.rootPath,
    protocolOf(scope),
    scope.scheme,
    host === null ? serverName(server?.[0] ?? '') : host.name,
    host === null ? String(server?.[1]) : host.port,
    client === null || client[1] === null ? '' : client[0],
    client === null || client[1] === null ? '' : String(client[1]),
  ]
  for (const pair of scope.headers) parts.push(pair[0], pair[1])
  return parts
}

/** The variables of TLS: names and values in turn; null for a request that came without. */
export function environTls(scope: HttpScope): readonly string[] | null {
  return scope.scheme === 'https' ? tlsVariables(scope) : null
}

/** Makes an environ of a scope, for an application that runs inline. */
export function inlineEnviron(scope: HttpScope, input: WsgiInput, errors: WsgiErrors): Environ {
  const { server, client } = scope
  const named = server !== null && server[1] !== null
  const host = named ? null : hostOf(scope)
  const environ = makeEnviron(
    scope.method, scope.rawPath, scope.path, scope.queryString, scope.rootPath, protocolOf(scope), scope.scheme,
    host === null ? serverName(server?.[0] ?? '') : host.name,
    host === null ? String(server?.[1]) : host.port,
    input, errors, false,
  )
  if (client !== null && client[1] !== null) addClient(environ, client[0], String(client[1]))
  if (scope.scheme === 'https') addVariables(environ, tlsVariables(scope))
  for (const pair of scope.headers) addField(environ, pair[0], pair[1])
  return environ
}

/** Makes an environ of its parts, for an application that runs on a thread. */
export function threadEnviron(parts: EnvironParts, tls: readonly string[] | null, input: WsgiInput, errors: WsgiErrors): Environ {
  const [method = '', rawPath = '', path = '', queryString = '', rootPath = '', protocol = '', scheme = '', name = '', port = '', client = '', clientPort = ''] = parts
  const environ = makeEnviron(method, rawPath, path, queryString, rootPath, protocol, scheme, name, port, input, errors, true)
  if (client !== '') addClient(environ, client, clientPort)
  addVariables(environ, tls)
  for (let i = FIXED; i < parts.length; i += 2) addField(environ, parts[i] ?? '', parts[i + 1] ?? '')
  return environ
}

function makeEnviron(
  method: string, rawPath: string, path: string, queryString: string, rootPath: string, protocol: string, scheme: string,
  name: string, port: string, input: WsgiInput, errors: WsgiErrors, threads: boolean,
): Environ {
  const scriptName = rootPath === '' ? '' : scriptNameOf(rootPath)
  const target = bytesOf(queryString === '' ? rawPath : `${rawPath}?${queryString}`)
  const environ: Environ = {
    REQUEST_METHOD: method,
    SCRIPT_NAME: scriptName,
    PATH_INFO: pathInfo(rawPath, scriptName),
    QUERY_STRING: queryString,
    REQUEST_URI: target,
    RAW_URI: target,
    SERVER_NAME: name,
    SERVER_PORT: port,
    SERVER_PROTOCOL: protocol,
    SERVER_SOFTWARE: 'tsgi',
    GATEWAY_INTERFACE: 'CGI/1.1',
    'wsgi.version': VERSION,
    'wsgi.url_scheme': scheme,
    'wsgi.input': input,
    'wsgi.input_terminated': true,
    'wsgi.errors': errors,
    // A thread has a copy of the module of its own, as a process would.
    'wsgi.multithread': threads,
    'wsgi.multiprocess': threads,
    'wsgi.run_once': false,
    'wsgi.file_wrapper': fileWrapper,
    'tsgi.path': path,
  }
  if (scheme === 'https') environ['HTTPS'] = 'on'
  return environ
}

function addClient(environ: Environ, host: string, port: string): void {
  environ['REMOTE_ADDR'] = host
  environ['REMOTE_PORT'] = port
}

function addVariables(environ: Environ, variables: readonly string[] | null): void {
  if (variables !== null) for (let i = 0; i < variables.length; i += 2) environ[variables[i] ?? ''] = variables[i + 1]
}

function addField(environ: Environ, name: string, value: string): void {
  const key = variableOf(name)
  if (key === null) return
  const before = environ[key]
  environ[key] = before === undefined ? value : `${String(before)}${key === 'HTTP_COOKIE' ? '; ' : ','}${value}`
}

/** Names that were seen, up to this many: most requests have the same. */
const KNOWN_LIMIT = 2000
/** Null for fields that become no variable. */
const known = new Map<string, string | null>([
  ['content-type', 'CONTENT_TYPE'],
  ['content-length', 'CONTENT_LENGTH'],
  // CVE-2016-5385: HTTP_PROXY is taken for a setting by many libraries.
  ['proxy', null],
])

function variableOf(name: string): string | null {
  let found = known.get(name)
  if (found === undefined) {
    // CVE-2015-0219: `x_user` would pass for `x-user`, which a front server may vouch for.
    found = name.includes('_') ? null : `HTTP_${name.toUpperCase().replaceAll('-', '_')}`
    if (known.size < KNOWN_LIMIT) known.set(name, found)
  }
  return found
}

/** The bytes of a text, a character for each. */
function bytesOf(text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text).toString('latin1')
}

function protocolOf({ httpVersion }: HttpScope): string {
  return httpVersion === '1.1' ? 'HTTP/1.1' : httpVersion === '2' ? 'HTTP/2' : 'HTTP/1.0'
}

function scriptNameOf(rootPath: string): string {
  return bytesOf(rootPath.endsWith('/') ? rootPath.slice(0, -1) : rootPath)
}

/** The path beneath `scriptName`, decoded to bytes. */
function pathInfo(rawPath: string, scriptName: string): string {
  let path = bytesOf(rawPath)
  if (path.includes('%')) path = path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  if (scriptName === '' || !path.startsWith(scriptName)) return path
  const info = path.slice(scriptName.length)
  return info === '' || info.startsWith('/') ? info : path
}

/** The server by the name that the client used, for one that has no address with a port. */
function hostOf(scope: HttpScope): { readonly name: string; readonly port: string } {
  const [, name = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(?::([0-9]+))?$/.exec(scope.headers.get('host') ?? '') ?? []
  return { name: name === '' ? 'localhost' : name, port: port === '' ? scope.scheme === 'https' ? '443' : '80' : port }
}

/** RFC 3875 4.1.14: an address of IPv6 stands in brackets, as in a URL. */
function serverName(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
