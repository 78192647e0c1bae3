/** What an environ says of a request, in ASGI's words and in a form that crosses to the loop. */
import type { Environ } from '../../lib/contract/wsgi.ts'
import type { Address } from '../../lib/contract/scope.ts'

/** The head of a request as an environ has it. */
export interface WsgiRequest {
  readonly method: string
  readonly scheme: string
  readonly httpVersion: '1.0' | '1.1' | '2'
  /** The whole path, `SCRIPT_NAME` included, percent-encoded. */
  readonly rawPath: string
  readonly rootPath: string
  readonly queryString: string
  /** Names (lower case) and values in turn. */
  readonly headers: readonly string[]
  readonly client: Address | null
  readonly server: Address | null
  /** Bytes of the body; null where the host does not say, and the end of `wsgi.input` tells. */
  readonly contentLength: number | null
}

/** Reads an environ. */
export function wsgiRequest(environ: Environ): WsgiRequest {
  const contentLength = contentLengthOf(environ)
  return {
    method: environ.REQUEST_METHOD,
    scheme: environ['wsgi.url_scheme'] || 'http',
    httpVersion: httpVersionOf(environ.SERVER_PROTOCOL),
    rawPath: rawPathOf(environ),
    rootPath: Buffer.from(environ.SCRIPT_NAME ?? '', 'latin1').toString('utf8'),
    queryString: (environ.QUERY_STRING ?? '').replace(NOT_ASCII, escape),
    headers: headersOf(environ, contentLength),
    client: address(environ['REMOTE_ADDR'], environ['REMOTE_PORT']),
    server: address(environ.SERVER_NAME, environ.SERVER_PORT),
    contentLength,
  }
}

// RFC 3986 3.3: what may stand in a path.
const NOT_PATH = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g
const NOT_ASCII = /[^!-~]/g

/** A character, which stands for a byte, as an escape. */
function escape(character: string): string {
  return `%${(character.charCodeAt(0) & 0xff).toString(16).toUpperCase().padStart(2, '0')}`
}

/**
 * The path as it stood in the request line, where the host tells and no middleware has changed the decoded one since.
 * An encoded slash is seen only there.
 */
function rawPathOf(environ: Environ): string {
  const decoded = (environ.SCRIPT_NAME ?? '') + (environ.PATH_INFO ?? '')
  for (const target of [environ['REQUEST_URI'], environ['RAW_URI']]) {
    if (typeof target !== 'string' || !/^[!-~]+$/.test(target)) continue
    const path = target.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/, '').replace(/[?#].*/, '')
    if (path !== '' && percentDecoded(path) === decoded) return path
  }
  return decoded.replace(NOT_PATH, escape) || '/'
}

function percentDecoded(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}

function contentLengthOf({ CONTENT_LENGTH: length }: Environ): number | null {
  return typeof length === 'string' && /^[0-9]+$/.test(length) ? Number(length) : null
}

function headersOf(environ: Environ, contentLength: number | null): string[] {
  const headers: string[] = []
  for (const [key, value] of Object.entries(environ)) {
    if (typeof value !== 'string') continue
    if (key === 'CONTENT_TYPE') {
      if (value !== '') headers.push('content-type', value)
    } else if (key === 'CONTENT_LENGTH') {
      if (contentLength !== null) headers.push('content-length', value)
    } else if (key.startsWith('HTTP_')) {
      const name = key.slice(5).toLowerCase().replaceAll('_', '-')
      // Some hosts give these twice. RFC 9112 6.3: what has a length is not framed by a coding.
      if (name === 'content-type' || name === 'content-length' || (name === 'transfer-encoding' && contentLength !== null)) continue
      headers.push(name, value)
    }
  }
  return headers
}

function httpVersionOf(protocol: unknown): '1.0' | '1.1' | '2' {
  if (protocol === 'HTTP/1.0') return '1.0'
  return protocol === 'HTTP/2' || protocol === 'HTTP/2.0' ? '2' : '1.1'
}

function address(host: unknown, port: unknown): Address | null {
  if (typeof host !== 'string' || host === '') return null
  // RFC 3875 4.1.14: an address of IPv6 may stand in brackets.
  return [host.replace(/^\[(.*)\]$/, '$1'), /^[0-9]+$/.test(String(port)) ? Number(port) : null]
}
