import { isIP, isIPv6 } from 'node:net'
import { headerList, type HeaderPair } from '../contract/headers.ts'
import type { Address } from '../contract/scope.ts'
import type { HttpRequestHead } from '../exchange/scope.ts'
import { isAuthority } from './host.ts'
import { bad, Refusal } from './refusal.ts'

/** What a front server says of a request: the variables of RFC 3875 4.1, and how to read its path. */
export interface GatewayVariables {
  /** Names and values in turn, one character per byte. Of a name that comes twice the last one counts. */
  readonly variables: readonly string[]
  /** 0: PATH_INFO lies beneath SCRIPT_NAME. 30: it begins with it. */
  readonly modifier1: 0 | 30
}

/** A request that may be served. */
export interface GatewayRequest {
  /** What its scope is made of, without extensions; `rawPath` lies beneath `rootPath`. */
  readonly head: Omit<HttpRequestHead, 'extensions'>
  /** Where the front server has mounted the application, encoded; null if it does not say. */
  readonly rootPath: string | null
  /** Bytes of the body. */
  readonly contentLength: number
}

/** The limits of a request; Infinity for none. */
export interface RequestLimits {
  /** Bytes of REQUEST_URI. */
  readonly target: number
  /** Header fields. */
  readonly fields: number
}

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Z]+$/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const NOT_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/
const QUERY = /^[!"$-~]*$/

/** Fields that are not passed on: CONTENT_* are said of their own. */
const dropped: ReadonlySet<string> = new Set(['content-length', 'content-type'])

/** Makes a request of its variables, or says why it is not served. `server` is the address that the front server has connected to. */
export function readRequest({ modifier1, variables }: GatewayVariables, server: Address | null, limits: RequestLimits): GatewayRequest | Refusal {
  const values = new Map<string, string>()
  const fields: HeaderPair[] = []
  let host: string | null = null
  let coded = false
  for (let i = 0; i < variables.length; i += 2) {
    const name = variables[i] ?? ''
    const value = variables[i + 1] ?? ''
    if (!name.startsWith('HTTP_')) {
      if (name === 'CONTENT_LENGTH' && values.has(name) && values.get(name) !== value) return bad('CONTENT_LENGTH is given twice')
      values.set(name, value)
      continue
    }
    const field = name.slice(5).toLowerCase().replaceAll('_', '-')
    if (!TOKEN.test(field)) return bad('a field name is not a token (RFC 9110 5.1)')
    if (NOT_A_VALUE.test(value)) return bad('a control character in a field value (RFC 9110 5.5)')
    if (field === 'host') {
      if (host !== null) return bad('a second Host (RFC 9112 3.2)')
      host = trimmed(value)
      if (host !== '' && !isAuthority(host)) return bad('Host is not a host and port (RFC 9112 3.2)')
    } else if (field === 'transfer-encoding') {
      coded = true
    } else if (!dropped.has(field)) {
      fields.push([field, trimmed(value)])
    }
    if (fields.length > limits.fields) return new Refusal(431, `more than ${limits.fields} header fields`)
  }
  const get = (name: string): string => values.get(name) ?? ''

  const method = get('REQUEST_METHOD')
  if (method === '') return bad('no REQUEST_METHOD')
  if (!TOKEN.test(method)) return bad('REQUEST_METHOD is not a token (RFC 9110 9.1)')
  if (!METHOD.test(method)) return new Refusal(501, 'methods are case-sensitive, and those served here are upper case (RFC 9110 9.1)')
  if (method === 'CONNECT') return new Refusal(501, 'CONNECT is not served here')
  const contentLength = get('CONTENT_LENGTH') === '' ? 0 : /^[0-9]+$/.test(get('CONTENT_LENGTH')) ? Number(get('CONTENT_LENGTH')) : NaN
  if (!Number.isSafeInteger(contentLength)) return bad('CONTENT_LENGTH is not one number (RFC 3875 4.1.2)')
  // The body's coding is the front server's to take away, as it must say its length (RFC 3875 4.1.2, 4.2).
  if (get('CONTENT_LENGTH') === '' && coded) return new Refusal(411, 'a body in chunks, and no CONTENT_LENGTH (RFC 3875 4.1.2)')
  if (NOT_A_VALUE.test(get('CONTENT_TYPE'))) return bad('a control character in CONTENT_TYPE')
  if (get('REQUEST_URI').length > limits.target) return new Refusal(414, `a REQUEST_URI of more than ${limits.target} bytes`)
  const place = readPath(modifier1, values, method)
  if (place instanceof Refusal) return place

  const headers: HeaderPair[] = []
  if (host !== null) headers.push(['host', host])
  const type = trimmed(get('CONTENT_TYPE'))
  if (type !== '') headers.push(['content-type', type])
  if (get('CONTENT_LENGTH') !== '') headers.push(['content-length', get('CONTENT_LENGTH')])
  return {
    head: {
      httpVersion: versionOf(get('SERVER_PROTOCOL')),
      method,
      scheme: schemeOf(get),
      rawPath: place.rawPath,
      queryString: place.queryString,
      headers: headerList([...headers, ...fields]),
      client: isIP(get('REMOTE_ADDR')) === 0 ? null : [get('REMOTE_ADDR'), portOf(get('REMOTE_PORT')) ?? 0],
      server: serverOf(get) ?? server,
    },
    rootPath: place.rootPath,
    contentLength,
  }
}

interface Place {
  readonly rawPath: string
  readonly queryString: string
  readonly rootPath: string | null
}

/**
 * The path as the client wrote it (REQUEST_URI), where that is the path that the front server means; else the one that
 * it means (SCRIPT_NAME and PATH_INFO), encoded: it may have resolved `..`, or rewritten the path by rules of its own.
 */
function readPath(modifier1: number, values: ReadonlyMap<string, string>, method: string): Place | Refusal {
  const uri = (values.get('REQUEST_URI') ?? '').replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?]*/, '')
  const mark = uri.indexOf('?')
  const written = mark < 0 ? uri : uri.slice(0, mark)
  const queryString = values.get('QUERY_STRING') ?? (mark < 0 ? '' : uri.slice(mark + 1))
  if (!QUERY.test(queryString)) return bad('QUERY_STRING has a character that no query can have (RFC 3986 3.4)')
  const script = (values.get('SCRIPT_NAME') ?? '').replace(/\/$/, '')
  if (script !== '' && !script.startsWith('/')) return bad('SCRIPT_NAME does not begin with / (RFC 3875 4.1.13)')
  let info = values.get('PATH_INFO') ?? ''
  if (method === 'OPTIONS' && (written === '*' || (written === '' && info === '*'))) return { rawPath: '*', queryString, rootPath: null }
  if (info !== '' && !info.startsWith('/')) return bad('PATH_INFO does not begin with / (RFC 3875 4.1.5)')
  if (modifier1 === 30 && script !== '' && (info === script || info.startsWith(`${script}/`))) info = info.slice(script.length)
  const root = encodePath(script)
  const rootPath = root === '' ? null : root
  const told = info !== '' || script !== ''
  if (written === '' || !/^\/[!"$->@-~]*$/.test(written)) {
    return told ? { rawPath: encodePath(info), queryString, rootPath } : bad('neither REQUEST_URI nor PATH_INFO is a path')
  }
  if (!told) return { rawPath: written, queryString, rootPath }
  const same = written.startsWith(root) && decodeBytes(written) === script + info
  return { rawPath: same ? written.slice(root.length) : encodePath(info), queryString, rootPath }
}

/** The bytes of a path with those encoded that cannot stand in one (RFC 3986 3.3). */
function encodePath(path: string): string {
  return path.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

function decodeBytes(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}

function versionOf(protocol: string): '1.0' | '1.1' | '2' {
  if (protocol === 'HTTP/1.0') return '1.0'
  return protocol === 'HTTP/2.0' || protocol === 'HTTP/2' ? '2' : '1.1'
}

function schemeOf(get: (name: string) => string): 'http' | 'https' {
  const scheme = (get('UWSGI_SCHEME') || get('REQUEST_SCHEME')).toLowerCase()
  if (scheme === 'http' || scheme === 'https') return scheme
  return /^(?:on|1)$/i.test(get('HTTPS')) ? 'https' : 'http'
}

/** `_` is how nginx calls a server that has no name. Some take the name from the client. */
function serverOf(get: (name: string) => string): Address | null {
  const name = get('SERVER_NAME').replace(/^\[(.*)\]$/, '$1')
  const host = name !== '_' && isHost(name) ? name : get('SERVER_ADDR')
  const port = portOf(get('SERVER_PORT'))
  return host === '' || port === null ? null : [host, port]
}

function isHost(name: string): boolean {
  return isIPv6(name) || (!name.includes(':') && isAuthority(name))
}

/** Without the white space around it (RFC 9110 5.5). */
function trimmed(value: string): string {
  return value.replace(/^[ \t]+|[ \t]+$/g, '')
}

function portOf(text: string): number | null {
  return /^[0-9]{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : null
}
