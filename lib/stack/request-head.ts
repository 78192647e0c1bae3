import { isUtf8 } from 'node:buffer'
import { LazyHeaderList, type HeaderList, type HeaderPair } from '../contract/headers.ts'
import type { Address, HttpScope } from '../contract/scope.ts'
import type { Environ } from '../contract/wsgi.ts'

/** What a request says before its body. A scope has all of it. */
export interface RequestFields {
  readonly method: string
  /** The whole path, `rootPath` included, decoded. */
  readonly path: string
  readonly rawPath: string
  readonly queryString: string
  readonly rootPath: string
  readonly scheme: string
  readonly httpVersion: string
  readonly headers: HeaderList
  readonly client: Address | null
  readonly server: Address | null
}

/** The same as plain data, which can be cloned to a thread. */
export interface RequestHead extends Omit<RequestFields, 'headers'> {
  /** Names in lower case and values, in turn. */
  readonly headers: readonly string[]
}

/** Takes from a scope, or from another request, what can be cloned. */
export function requestHead(fields: RequestFields | HttpScope): RequestHead {
  const headers: string[] = []
  for (const pair of fields.headers) headers.push(pair[0], pair[1])
  return {
    method: fields.method,
    path: wholePath(fields),
    rawPath: fields.rawPath,
    queryString: fields.queryString,
    rootPath: fields.rootPath,
    scheme: fields.scheme,
    httpVersion: fields.httpVersion,
    headers,
    client: fields.client,
    server: fields.server,
  }
}

/** Undoes `requestHead`. */
export function requestFields(head: RequestHead): RequestFields {
  return { ...head, headers: new FlatHeaderList(head.headers) }
}

class FlatHeaderList extends LazyHeaderList {
  readonly #flat: readonly string[]

  constructor(flat: readonly string[]) {
    super()
    this.#flat = flat
  }

  protected override read(): readonly HeaderPair[] {
    const pairs: HeaderPair[] = []
    for (let i = 0; i < this.#flat.length; i += 2) pairs.push([this.#flat[i] ?? '', this.#flat[i + 1] ?? ''])
    return pairs
  }
}

/** The whole path. Bytes that are not UTF-8, which a scope loses, are percent-encoded again, as in Django. */
export function wholePath({ path, rawPath }: RequestFields): string {
  if (!path.includes('\ufffd')) return path
  const bytes = rawPath.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  // A layer beneath the stack may have put another path in place of the one that came.
  return Buffer.from(bytes, 'latin1').toString('utf8') === path ? textOf(bytes) : path
}

/** The path beneath `rootPath`: `/` at least. */
export function pathBeneath(path: string, rootPath: string): string {
  const root = rootPath.endsWith('/') ? rootPath.slice(0, -1) : rootPath
  if (root === '' || !path.startsWith(root)) return path === '' ? '/' : path
  const rest = path.slice(root.length)
  return rest === '' ? '/' : rest.startsWith('/') ? rest : path
}

/** Reads the head of a request from an environ of WSGI (PEP 3333). */
export function requestHeadFromEnviron(environ: Environ): RequestHead {
  const script = scriptName(environ)
  const info = text(environ.PATH_INFO) || '/'
  const root = withoutSlashes(script)
  const whole = root === '' && info === '*' ? info : `${root}/${info.startsWith('/') ? info.slice(1) : info}`
  return {
    method: text(environ.REQUEST_METHOD).toUpperCase() || 'GET',
    path: textOf(whole),
    rawPath: whole.replace(/[^\x21\x24\x26-\x3b\x3d\x40-\x5a\x5f\x61-\x7a\x7e]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`),
    queryString: text(environ.QUERY_STRING),
    rootPath: textOf(root),
    scheme: text(environ['wsgi.url_scheme']) || 'http',
    httpVersion: versionOf(text(environ.SERVER_PROTOCOL)),
    headers: environHeaders(environ),
    client: address(environ['REMOTE_ADDR'], environ['REMOTE_PORT']),
    server: address(environ.SERVER_NAME, environ.SERVER_PORT),
  }
}

/** Where the application is mounted, one character for each byte: behind a rewriting front server, from the path before that. */
function scriptName(environ: Environ): string {
  const url = (text(environ['SCRIPT_URL']) || text(environ['REDIRECT_URL'])).replace(/\/{2,}/g, '/')
  if (url === '') return text(environ.SCRIPT_NAME)
  const info = text(environ.PATH_INFO)
  return info !== '' && url.endsWith(info) ? url.slice(0, -info.length) : url
}

function withoutSlashes(path: string): string {
  let end = path.length
  while (path[end - 1] === '/') end--
  return path.slice(0, end)
}

function versionOf(protocol: string): string {
  const [, major = '1', minor = '1'] = /^HTTP\/([0-9])(?:\.([0-9]))?$/.exec(protocol) ?? []
  return major === '1' ? `1.${minor}` : major
}

function environHeaders(environ: Environ): string[] {
  const headers: string[] = []
  for (const key of Object.keys(environ)) {
    const value = environ[key]
    if (typeof value !== 'string') continue
    if (key.startsWith('HTTP_')) headers.push(key.slice(5).toLowerCase().replaceAll('_', '-'), value)
    else if ((key === 'CONTENT_TYPE' || key === 'CONTENT_LENGTH') && value !== '') headers.push(key.toLowerCase().replace('_', '-'), value)
  }
  return headers
}

function address(host: unknown, port: unknown): Address | null {
  if (text(host) === '') return null
  return [text(host), /^[0-9]+$/.test(text(port)) ? Number(text(port)) : null]
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** The Unicode text of bytes, one character each; those that are not UTF-8 are percent-encoded. */
function textOf(bytes: string): string {
  if (/^[\0-\x7f]*$/.test(bytes)) return bytes
  const buffer = Buffer.from(bytes, 'latin1')
  return isUtf8(buffer) ? buffer.toString('utf8') : repercented(buffer)
}

function repercented(bytes: Buffer): string {
  let made = ''
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at)
    made += length > 0 ? bytes.toString('utf8', at, at + length) : `%${(bytes[at] ?? 0).toString(16).toUpperCase()}`
    at += Math.max(1, length)
  }
  return made
}

/** How long the character is that begins here; 0 if none does. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  return at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)) ? length : 0
}
