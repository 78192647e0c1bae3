import type { Send } from '../contract/application.ts'
import { InvalidOption } from '../contract/errors.ts'
import type { HeaderPair } from '../contract/headers.ts'
import type { HttpScope } from '../contract/scope.ts'
import type { Coding } from '../semantics/codings.ts'
import { checkConditions } from '../semantics/conditions.ts'
import { typeOf } from '../semantics/media-types.ts'
import { isSettled, rangeCounts } from './static-conditions.ts'
import type { OpenFile } from './static-folder.ts'
import type { StaticSettings } from './static-options.ts'
import { readRanges, type ByteRange } from './static-range.ts'
import { ByteRanges, contentRange, sendPart, sendText } from './static-send.ts'

/** What was chosen to be sent. */
export interface Chosen {
  readonly file: OpenFile
  /** Of the file without a coding, beneath the root. */
  readonly path: string
  readonly encoding: Coding | null
}

const SECOND = 1_000_000_000n

/** What only the file itself can say. */
const OWN: ReadonlySet<string> = new Set(['accept-ranges', 'content-encoding', 'content-length', 'content-range', 'etag', 'last-modified', 'transfer-encoding'])
/** What a 304 leaves out (RFC 9110 15.4.5): it describes a content that is not there. */
const OF_CONTENT: ReadonlySet<string> = new Set(['content-type', 'content-encoding', 'content-language', 'content-disposition', 'x-content-type-options'])

/** Answers a GET or HEAD with a file: its conditions, its ranges, its bytes. */
export async function sendFile(scope: HttpScope, send: Send, settings: StaticSettings, { file, path, encoding }: Chosen): Promise<void> {
  const { size, modified } = file
  const now = BigInt(Date.now()) * 1_000_000n
  const settled = isSettled(modified, now)
  const etag = settings.etag ? `${settled ? '' : 'W/'}"${size.toString(36)}-${modified.toString(36)}${encoding === null ? '' : `-${encoding}`}"` : null
  // RFC 9110 8.8.2.1: never later than the response.
  const lastModified = settings.lastModified ? Number((modified < now ? modified : now) / SECOND) : null
  const validators = { etag, lastModified }

  const own: HeaderPair[] = []
  if (etag !== null) own.push(['etag', etag])
  if (lastModified !== null) own.push(['last-modified', new Date(lastModified * 1000).toUTCString()])
  if (encoding !== null) own.push(['content-encoding', encoding])
  const fields = fieldsOf(settings, { file, path, encoding })
  const whole: readonly HeaderPair[] = [...own, ...fields]

  const condition = checkConditions(scope.headers, validators)
  if (condition === 412) return sendText(send, 412, 'Precondition Failed')
  if (condition === 304) {
    await send({ type: 'http.response.start', status: 304, headers: whole.filter(([name]) => !OF_CONTENT.has(name)) })
    return send({ type: 'http.response.body' })
  }

  const all = { start: 0, end: size }
  const zeroCopy = 'http.response.zerocopysend' in scope.extensions
  const start = (status: 200 | 206, headers: readonly HeaderPair[], length: number): Promise<void> =>
    send({ type: 'http.response.start', status, headers: [...headers, ['accept-ranges', 'bytes'], ['content-length', String(length)]] })

  const ranges = scope.method === 'GET' && rangeCounts(scope.headers, validators, settled) ? rangesOf(scope, size) : null
  if (ranges?.length === 0) return sendText(send, 416, 'Range Not Satisfiable', [['content-range', `bytes */${size}`]])
  const [range, ...others] = ranges ?? []
  if (range !== undefined && others.length === 0) {
    await start(206, [...whole, ['content-range', contentRange(range, size)]], range.end - range.start)
    return sendPart(send, file, range, zeroCopy, false)
  }
  // A multipart body is not in the coding of its parts, so that no field could say what it is.
  if (range !== undefined && encoding === null) {
    const parts = new ByteRanges(ranges ?? [], size, fields.find(([name]) => name === 'content-type')?.[1] ?? '')
    await start(206, whole.map(([name, value]) => [name, name === 'content-type' ? parts.contentType : value]), parts.length)
    return parts.send(send, file, zeroCopy)
  }
  await start(200, whole, size)
  // To HEAD nothing of the file is sent (RFC 9110 9.3.2).
  return scope.method === 'HEAD' ? send({ type: 'http.response.body' }) : sendPart(send, file, all, zeroCopy, false)
}

function rangesOf({ headers }: HttpScope, size: number): readonly ByteRange[] | null {
  const [value, ...others] = headers.getAll('range')
  return value === undefined || others.length > 0 ? null : readRanges(value, size)
}

/** The fields that depend on the options: names in lower case, the content type among them. */
function fieldsOf(settings: StaticSettings, { file, path, encoding }: Chosen): readonly HeaderPair[] {
  const contentType = typeOf(path, settings.types)
  const fields: HeaderPair[] = [['content-type', contentType]]
  if (settings.cacheControl !== null) fields.push(['cache-control', settings.cacheControl])
  if (settings.encodings.length > 0) fields.push(['vary', 'accept-encoding'])
  if (settings.nosniff) fields.push(['x-content-type-options', 'nosniff'])
  if (settings.headers === null) return fields
  const modified = new Date(Number(file.modified / 1_000_000n))
  const further = Array.from(settings.headers({ path, size: file.size, modified, contentType, encoding }), ([name, value]): HeaderPair => [name.toLowerCase(), value])
  const wrong = further.find(([name]) => OWN.has(name))
  if (wrong !== undefined) throw new InvalidOption('headers', 'a function that leaves what describes the bytes alone', wrong[0])
  const replaced = new Set(further.map(([name]) => name))
  return [...fields.filter(([name]) => name === 'vary' || !replaced.has(name)), ...further]
}
