import { InvalidOption } from '../../contract/errors.ts'
import { acceptedCodings, type Coding } from '../../semantics/codings.ts'
import { weakened } from '../../semantics/entity-tag.ts'
import { either, pass } from '../effects.ts'
import { neutral, type Layer } from '../layer.ts'
import type { HttpResponse } from '../response.ts'
import type { ResponseHeaders } from '../response-headers.ts'
import { cacheDirectives } from './cache-control.ts'
import { canMake, encodeAsync, encoder, encodeSync } from './codings.ts'
import { EncodedStream } from './encoded-stream.ts'
import { gzipBlocks, isSync } from './gzip-blocks.ts'
import { addVary } from './vary.ts'

/** What `compression` may be told. */
export interface CompressionOptions {
  /** The codings that are offered, the preferred one first. Default: `br`, `zstd`, `gzip`; `zstd` is left out where Node has none (before 22.15). */
  readonly encodings?: readonly Coding[] | undefined
  /** The shortest body, in bytes, that is compressed. Default: 1024. */
  readonly minSize?: number | undefined
  /** Which media types, in lower case and without parameters. Default: text of all kinds, JSON, XML, JavaScript, SVG, WebAssembly, and formats like them. */
  readonly types?: RegExp | undefined
  /** How hard Brotli tries, 0 to 11 (RFC 7932). Default: 5. */
  readonly brotliQuality?: number | undefined
  /** How hard Zstandard tries, 1 to 22 (RFC 8878). Default: 3. */
  readonly zstdLevel?: number | undefined
  /** How hard gzip tries, 1 to 9 (RFC 1952). Default: 6. */
  readonly gzipLevel?: number | undefined
}

const ALL: readonly Coding[] = ['br', 'zstd', 'gzip']
const COMPRESSIBLE = /^(?:text\/.+|.+\+(?:json|xml|text|yaml)|application\/(?:json|x-ndjson|jsonl|javascript|ecmascript|x-javascript|xml|xml-dtd|wasm|rtf|sql|yaml|x-yaml|graphql|vnd\.ms-fontobject|x-www-form-urlencoded)|font\/(?:ttf|otf|sfnt|collection)|image\/(?:bmp|x-icon|vnd\.microsoft\.icon))$/
/** Up to here the event loop compresses by itself: to ask another thread would take longer. */
const SMALL = 8 * 1024

/**
 * Compresses bodies for clients that accept it (RFC 9110 12.5.3). A stream is compressed piece by piece, and each piece is
 * sent at once, server-sent events too; in sync mode, where Node has no streams, streams get gzip or nothing. What has a
 * `content-encoding`, `cache-control: no-transform` (RFC 9111 5.2.2.6), a digest or a part of something (206) stays as it
 * is. A strong `etag` becomes a weak one (RFC 9110 8.8.1), which `conditional`, beneath this layer, takes for the same.
 * Throws `InvalidOption`.
 */
export function compression(options: CompressionOptions = {}): Layer {
  const { encodings = ALL, minSize = 1024, types = COMPRESSIBLE } = options
  if (!Array.isArray(encodings) || encodings.some((coding) => !ALL.includes(coding))) throw new InvalidOption('encodings', `a list of ${ALL.join(', ')}`, encodings)
  if (!Number.isSafeInteger(minSize) || minSize < 0) throw new InvalidOption('minSize', 'a whole number of bytes, 0 or more', minSize)
  if (!(types instanceof RegExp)) throw new InvalidOption('types', 'a regular expression', types)
  const levels = {
    brotliQuality: level('brotliQuality', options.brotliQuality ?? 5, 0, 11),
    zstdLevel: level('zstdLevel', options.zstdLevel ?? 3, 1, 22),
    gzipLevel: level('gzipLevel', options.gzipLevel ?? 6, 1, 9),
  }
  const offered = encodings.filter(canMake)
  // A state between calls would come from these flags.
  const accepted = new RegExp(types.source, types.flags.replace(/[gy]/g, ''))

  return neutral(function* compression(request) {
    const response = yield* pass(request)
    const { headers } = response
    const fields = request.headers.getAll('accept-encoding')
    if (response.status === 304) {
      // What the 200 would have said of itself (RFC 9110 15.4.5); whether it would have been compressed is not known.
      addVary(headers, 'Accept-Encoding')
      if (chooseCoding(fields, offered) !== null) weaken(headers)
      return response
    }
    if (!isEligible(response, minSize, accepted)) return response
    addVary(headers, 'Accept-Encoding')
    const coding = chooseCoding(fields, offered)
    if (coding === null) return response

    const { stream } = response
    if (stream === null) {
      const { content } = response
      const encoded = content.length <= SMALL
        ? encodeSync(content, coding, levels)
        : yield* either(() => encodeSync(content, coding, levels), () => encodeAsync(content, coding, levels))
      if (encoded.length >= content.length) return response
      response.content = encoded
      return encodedAs(coding, response)
    }
    return yield* either(() => {
      const usable = isSync(stream) ? chooseCoding(fields, offered.filter((each) => each === 'gzip')) : null
      if (usable === null || !isSync(stream)) return response
      response.stream = gzipBlocks(stream, levels.gzipLevel)
      return encodedAs(usable, response)
    }, async () => {
      const encoded = new EncodedStream(stream, () => encoder(coding, levels))
      response.stream = encoded
      response.onClose(() => encoded.close())
      return encodedAs(coding, response)
    })
  })
}

/** The coding that a client likes best; null for none. */
function chooseCoding(fields: readonly string[], offered: readonly Coding[]): Coding | null {
  const [best = 'identity'] = acceptedCodings(fields, offered)
  return best === 'identity' ? null : best
}

function level(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new InvalidOption(name, `a whole number from ${least} to ${most}`, value)
}

/** Whether the body would be compressed, if the client accepts it. */
function isEligible(response: HttpResponse, minSize: number, types: RegExp): boolean {
  const { status, headers, streaming } = response
  if (status === 204 || status === 205 || status === 206) return false
  for (const name of ['content-encoding', 'content-range', 'content-digest', 'repr-digest', 'digest', 'content-md5']) if (headers.has(name)) return false
  if (cacheDirectives(headers).has('no-transform')) return false
  const [type = ''] = (headers.get('content-type') ?? '').split(';', 1)
  if (!types.test(type.trim().toLowerCase())) return false
  const size = streaming ? Number(headers.get('content-length') ?? Infinity) : response.content.length
  return size > 0 && size >= minSize
}

function encodedAs(coding: Coding, response: HttpResponse): HttpResponse {
  const { headers } = response
  headers.set('content-encoding', coding)
  // Ranges would be of what is encoded, which is made anew each time.
  headers.delete('accept-ranges')
  weaken(headers)
  return response
}

function weaken(headers: ResponseHeaders): void {
  const tag = headers.get('etag')
  if (tag !== undefined) headers.set('etag', weakened(tag))
}
