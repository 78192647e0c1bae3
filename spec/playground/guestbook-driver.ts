/** Calls a WSGI application without a server, as somebody who keeps cookies. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Environ, WsgiApplication, WsgiFile } from 'tsgi/adapters/wsgi'
import type { TestContext } from '../support/suite.ts'

/** A response, complete. */
export interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
  readonly text: string
  /** How many blocks the body came in. */
  readonly blocks: number
}

/** A part of a form with files. */
export type FormPart = readonly [name: string, value: string | Uint8Array, filename?: string]

/** Gives the guestbook a database of its own for a test. */
export function ownDatabase(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tsgi-guestbook-spec-'))
  const before = process.env['GUESTBOOK_DB']
  const path = join(folder, 'book.sqlite')
  process.env['GUESTBOOK_DB'] = path
  t.after(() => {
    if (before === undefined) delete process.env['GUESTBOOK_DB']
    else process.env['GUESTBOOK_DB'] = before
    rmSync(folder, { recursive: true, force: true })
  })
  return path
}

/** The smallest PNG. */
export const png: Buffer = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgaPhfDwADQAH/7KBzvAAAAABJRU5ErkJggg==', 'base64')

/** Signs the book; gives the path of the entry. */
export function sign(visitor: Visitor, name: string, message: string): string {
  const answer = visitor.post('/sign', { csrf: visitor.token('/sign'), name, message })
  if (answer.status !== 303) throw new Error(`not signed: ${answer.text}`)
  return answer.headers.get('location') ?? ''
}

/** Somebody who reads pages and sends forms. */
export class Visitor {
  cookie: string | null = null
  readonly #app: WsgiApplication
  readonly #root: string

  /** `root` is where the application is mounted, in bytes. */
  constructor(app: WsgiApplication, root = '') {
    this.#app = app
    this.#root = root
  }

  /** One request; `target` is a path beneath the root, percent-encoded, and perhaps a query. */
  request(method: string, target: string, type: string | null = null, body: Uint8Array | string = '', changes: Partial<Environ> = {}): Answer {
    const [path = '', query = ''] = target.split(/\?(.*)/s)
    const bytes = Buffer.from(body)
    const environ: Environ = {
      REQUEST_METHOD: method,
      SCRIPT_NAME: this.#root,
      PATH_INFO: path.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
      QUERY_STRING: query,
      SERVER_NAME: 'localhost',
      SERVER_PORT: '80',
      SERVER_PROTOCOL: 'HTTP/1.1',
      ...type === null ? {} : { CONTENT_TYPE: type, CONTENT_LENGTH: String(bytes.length) },
      ...this.cookie === null ? {} : { HTTP_COOKIE: `other=1; ${this.cookie}` },
      'wsgi.version': [1, 0],
      'wsgi.url_scheme': 'http',
      'wsgi.input': inputOf(bytes),
      'wsgi.input_terminated': true,
      'wsgi.errors': { write() {}, writelines() {}, flush() {} },
      'wsgi.multithread': true,
      'wsgi.multiprocess': false,
      'wsgi.run_once': false,
      'wsgi.file_wrapper': fileWrapper,
      'tsgi.path': '',
      ...changes,
    }
    return this.#call(environ)
  }

  get(target: string): Answer {
    return this.request('GET', target)
  }

  /** Sends a form. */
  post(target: string, fields: Readonly<Record<string, string>>): Answer {
    return this.request('POST', target, 'application/x-www-form-urlencoded', new URLSearchParams(fields).toString())
  }

  /** Sends a form with files. */
  upload(target: string, parts: readonly FormPart[]): Answer {
    return this.request('POST', target, 'multipart/form-data; boundary=----edge', multipart('----edge', parts))
  }

  /** The token in the form on a page. */
  token(target: string): string {
    return /name="csrf" value="([^"]+)"/.exec(this.get(target).text)?.[1] ?? ''
  }

  #call(environ: Environ): Answer {
    let status = 0
    let pairs: readonly (readonly [string, string])[] = []
    const body = this.#app(environ, (line, headers) => {
      if (!/^\d{3} [A-Z][ -~]+$/.test(line)) throw new Error(`no status: ${line}`)
      for (const [name, value] of headers) if (!/^[a-z-]+$/.test(name) || !/^[\x20-\x7e]*$/.test(value)) throw new Error(`no header: ${name}: ${value}`)
      status = Number(line.slice(0, 3))
      pairs = headers
      return () => {}
    })
    const blocks = typeof body === 'string' || body instanceof Uint8Array ? [body] : [...body]
    if (typeof body === 'object' && 'close' in body) body.close?.()
    const set = pairs.find(([name]) => name === 'set-cookie')?.[1]
    if (set !== undefined) this.cookie = set.replace(/;.*/, '')
    const whole = Buffer.concat(blocks.map((block) => Buffer.from(block)))
    return { status, headers: new Map(pairs), body: whole, text: whole.toString(), blocks: blocks.length }
  }
}

/** The body of a form with files. */
export function multipart(boundary: string, parts: readonly FormPart[]): Buffer {
  const all = parts.flatMap(([name, value, filename]) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"\r\nContent-Type: application/octet-stream`}\r\n\r\n`,
    value,
    '\r\n',
  ])
  return Buffer.concat([...all, `--${boundary}--\r\n`].map((each) => Buffer.from(each)))
}

function inputOf(bytes: Buffer): Environ['wsgi.input'] {
  let at = 0
  const read = (size = -1): Buffer => {
    const from = at
    at = size < 0 ? bytes.length : Math.min(bytes.length, at + size)
    return bytes.subarray(from, at)
  }
  const refuse = (): never => { throw new Error('the guestbook reads by size') }
  return { read, readline: refuse, readlines: refuse, [Symbol.iterator]: refuse }
}

function fileWrapper(file: WsgiFile, blockSize = 8192): Iterable<Uint8Array> & { close(): void } {
  return {
    *[Symbol.iterator]() {
      for (let block = Buffer.from(file.read(blockSize)); block.length > 0; block = Buffer.from(file.read(blockSize))) yield block
    },
    close: () => file.close?.(),
  }
}
