/** The site in both modes, as the command serves it, and somebody who visits it and keeps what came byte by byte. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, deflateSync, gunzipSync } from 'node:zlib'
import type { Mode } from '../../lib/stack/route.ts'
import { serveCommand, type Serving } from '../support/command.ts'
import type { TestContext } from '../support/suite.ts'

export const modes: readonly Mode[] = ['async', 'sync']

export interface Site extends Serving {
  readonly mode: Mode
  /** Where it keeps its data. */
  readonly data: string
}

/** Starts the site, with data of its own, in one mode. `folder` is that of the modules `async.ts` and `sync.ts`. */
export async function startSite(t: TestContext, mode: Mode, folder = 'playground/site', env: Readonly<Record<string, string>> = { SITE_DEBUG: '1' }, options: readonly string[] = []): Promise<Site> {
  const data = mkdtempSync(join(tmpdir(), 'tsgi-site-spec-'))
  t.after(() => rmSync(data, { recursive: true, force: true }))
  const args = [`${folder}/${mode}.ts`, ...mode === 'sync' ? ['--interface', 'wsgi', '--threads', '2'] : [], ...options]
  const serving = await serveCommand(t, args, { env: { SITE_DATA: data, ...env } })
  return Object.assign(serving, { mode, data })
}

/** Both at once. */
export function startBoth(t: TestContext, folder?: string): Promise<Site[]> {
  return Promise.all(modes.map((mode) => startSite(t, mode, folder)))
}

/** A part of a form with files. */
export type FormPart = readonly [name: string, value: string | Uint8Array, filename?: string]

/** A request. What is a function is made of what the visitor has seen. */
export interface Asked {
  readonly method?: string
  readonly path: string | ((seen: Seen) => string)
  readonly headers?: Readonly<Record<string, string>> | ((seen: Seen) => Readonly<Record<string, string>>)
  readonly form?: Readonly<Record<string, string>>
  readonly parts?: readonly FormPart[]
  readonly json?: unknown
  readonly body?: string | Uint8Array
  /** Sends the body in chunks, without a length. */
  readonly chunked?: boolean
  /** Whether a form, or JSON, goes without the token that goes with it otherwise. */
  readonly token?: false | string
  /** Sends this in place of the cookies; the answer is forgotten. */
  readonly cookie?: string
}

/** What a visitor remembers. */
export interface Seen {
  readonly token: string
  /** The last answer's. */
  readonly etag: string
  readonly modified: string
  /** The address of the last picture. */
  readonly picture: string
}

export interface Answer {
  readonly status: number
  readonly reason: string
  /** Names and values in their order. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  field(name: string): string | null
}

/** Somebody with cookies. */
export class Visitor {
  readonly cookies: Map<string, string> = new Map()
  seen: Seen = { token: '', etag: '', modified: '', picture: '' }
  readonly #site: Pick<Serving, 'port'>

  constructor(site: Pick<Serving, 'port'>) {
    this.#site = site
  }

  async ask(asked: Asked): Promise<Answer> {
    const { token = this.seen.token, cookie } = asked
    const { type, body } = bodyOf(asked, token === false ? null : token)
    const given = typeof asked.headers === 'function' ? asked.headers(this.seen) : asked.headers
    const cookies = cookie ?? [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const sent = httpRequest({
      port: this.#site.port,
      host: '127.0.0.1',
      agent: false,
      method: asked.method ?? (body === null ? 'GET' : 'POST'),
      path: typeof asked.path === 'function' ? asked.path(this.seen) : asked.path,
      headers: {
        host: 'localhost',
        ...cookies === '' ? {} : { cookie: cookies },
        ...type === null ? {} : { 'content-type': type },
        ...asked.json === undefined || token === false ? {} : { 'x-csrf-token': token },
        ...body === null ? {} : asked.chunked === true ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(body.length) },
        ...given,
      },
    })
    // Who is refused early may not be able to send the rest.
    sent.on('error', () => {})
    sent.end(body ?? undefined)
    const [response] = await once(sent, 'response') as [IncomingMessage]
    const blocks: Buffer[] = []
    for await (const block of response) blocks.push(block as Buffer)
    const answer = answerOf(response, Buffer.concat(blocks))
    if (cookie === undefined) this.#remember(answer)
    return answer
  }

  #remember(answer: Answer): void {
    for (const [name, value] of answer.fields) {
      if (name !== 'set-cookie') continue
      const [, key = '', text = ''] = /^([^=]+)=([^;]*)/.exec(value) ?? []
      if (text === '') this.cookies.delete(key)
      else this.cookies.set(key, text)
    }
    const text = decoded(answer).toString()
    this.seen = {
      token: /name="csrfToken" value="([^"]+)"/.exec(text)?.[1] ?? this.seen.token,
      etag: answer.field('etag') ?? this.seen.etag,
      modified: answer.field('last-modified') ?? this.seen.modified,
      picture: /"(\/pictures\/[^"]+)"/.exec(text)?.[1] ?? this.seen.picture,
    }
  }
}

function answerOf(response: IncomingMessage, body: Buffer): Answer {
  const { rawHeaders } = response
  const fields = Array.from({ length: rawHeaders.length / 2 }, (_, index) => [rawHeaders[2 * index] ?? '', rawHeaders[2 * index + 1] ?? ''] as const)
  return {
    status: response.statusCode ?? 0,
    reason: response.statusMessage ?? '',
    fields,
    body,
    field: (name) => fields.find(([each]) => each === name)?.[1] ?? null,
  }
}

/** The body without its coding. */
export function decoded({ body, field }: Answer): Buffer {
  if (body.length === 0) return body
  switch (field('content-encoding')) {
    case 'gzip':
      return gunzipSync(body)
    case 'br':
      return brotliDecompressSync(body)
    default:
      return body
  }
}

function bodyOf({ form, parts, json, body }: Asked, token: string | null): { readonly type: string | null; readonly body: Buffer | null } {
  if (form !== undefined) return { type: 'application/x-www-form-urlencoded', body: Buffer.from(new URLSearchParams({ ...token === null ? {} : { csrfToken: token }, ...form }).toString()) }
  if (parts !== undefined) return { type: 'multipart/form-data; boundary=----edge', body: multipart('----edge', token === null ? parts : [['csrfToken', token], ...parts]) }
  if (json !== undefined) return { type: 'application/json', body: Buffer.from(JSON.stringify(json)) }
  return { type: null, body: body === undefined ? null : Buffer.from(body) }
}

/** The body of a form with files. */
function multipart(boundary: string, parts: readonly FormPart[]): Buffer {
  const all = parts.flatMap(([name, value, filename]) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename.replaceAll('"', '%22')}"\r\nContent-Type: application/octet-stream`}\r\n\r\n`,
    value,
    '\r\n',
  ])
  return Buffer.concat([...all, `--${boundary}--\r\n`].map((each) => Buffer.from(each)))
}

/** A picture of hills under a sky, as PNG. */
export function landscape(width: number, height: number): Buffer {
  const rows: Buffer[] = []
  for (let y = 0; y < height; y++) {
    const row = Buffer.alloc(1 + 3 * width)
    for (let x = 0; x < width; x++) row.set(colour(x / width, y / height), 1 + 3 * x)
    rows.push(row)
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', head), chunk('IDAT', deflateSync(Buffer.concat(rows))), chunk('IEND', Buffer.alloc(0))])
}

function colour(x: number, y: number): readonly number[] {
  const far = 0.52 + 0.08 * Math.sin(5 * x + 1)
  const near = 0.72 + 0.09 * Math.sin(7 * x + 4)
  if (y > near) return [58, 104 - 40 * (y - near), 62]
  if (y > far) return [120, 158, 112]
  if (Math.hypot((x - 0.72) * 1.8, y - 0.28) < 0.1) return [255, 238, 180]
  return [150 + 90 * y, 196 + 20 * y, 226 - 20 * y]
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data])
  const made = Buffer.alloc(body.length + 8)
  made.writeUInt32BE(data.length, 0)
  made.set(body, 4)
  made.writeUInt32BE(crc32(body), body.length + 4)
  return made
}

/** RFC 1952 8. */
function crc32(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
