import { statSync, type Stats } from 'node:fs'
import { basename, extname } from 'node:path'
import { NotFound } from '../contract/errors.ts'
import { blocks, blocksSync } from './file-blocks.ts'

/** A file as the body of a response, in either mode: opened when it is iterated, closed however that ends. */
export class FileBody implements Iterable<Uint8Array>, AsyncIterable<Uint8Array> {
  readonly path: string
  /** In bytes. */
  readonly size: number
  readonly modified: Date

  /** Throws `NotFound` at once if there is no such file. */
  constructor(path: string) {
    const stats = statsOf(path)
    this.path = path
    this.size = stats.size
    this.modified = stats.mtime
  }

  [Symbol.iterator](): Generator<Uint8Array, void, void> {
    return blocksSync(this.path, this.size)
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    return blocks(this.path, this.size)
  }
}

/** What a path that a client gave may fail with: no such file, not a folder, too long, a NUL in it. */
const missing: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ERR_INVALID_ARG_VALUE'])

function statsOf(path: string): Stats {
  let stats: Stats
  try {
    stats = statSync(path)
  } catch (error) {
    if (missing.has((error as NodeJS.ErrnoException).code)) throw new NotFound('there is no such file', { cause: error })
    throw error
  }
  if (!stats.isFile()) throw new NotFound(`what is there is no file: ${JSON.stringify(path)}`)
  return stats
}

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8', htm: 'text/html; charset=utf-8', css: 'text/css; charset=utf-8', txt: 'text/plain; charset=utf-8',
  csv: 'text/csv; charset=utf-8', md: 'text/markdown; charset=utf-8', js: 'text/javascript; charset=utf-8', mjs: 'text/javascript; charset=utf-8',
  ics: 'text/calendar; charset=utf-8', vtt: 'text/vtt; charset=utf-8', xml: 'application/xml', xhtml: 'application/xhtml+xml', atom: 'application/atom+xml', rss: 'application/rss+xml',
  json: 'application/json', map: 'application/json', jsonld: 'application/ld+json', webmanifest: 'application/manifest+json', wasm: 'application/wasm', pdf: 'application/pdf',
  zip: 'application/zip', gz: 'application/gzip', tar: 'application/x-tar', '7z': 'application/x-7z-compressed', epub: 'application/epub+zip', rtf: 'application/rtf',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation', odt: 'application/vnd.oasis.opendocument.text', ods: 'application/vnd.oasis.opendocument.spreadsheet',
  png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp', avif: 'image/avif', svg: 'image/svg+xml', ico: 'image/x-icon', bmp: 'image/bmp', tiff: 'image/tiff',
  mp3: 'audio/mpeg', m4a: 'audio/mp4', ogg: 'audio/ogg', oga: 'audio/ogg', opus: 'audio/ogg', wav: 'audio/wav', flac: 'audio/flac',
  mp4: 'video/mp4', webm: 'video/webm', ogv: 'video/ogg', mov: 'video/quicktime', mpeg: 'video/mpeg',
  woff: 'font/woff', woff2: 'font/woff2', ttf: 'font/ttf', otf: 'font/otf',
}

/** The media type of a file, by the end of its name. */
export function contentTypeOf(path: string): string {
  const extension = extname(path).slice(1).toLowerCase()
  return Object.hasOwn(types, extension) ? types[extension] ?? UNKNOWN : UNKNOWN
}

const UNKNOWN = 'application/octet-stream'

/** The value of `content-disposition` (RFC 6266): a name in ASCII for all, and the name as it is for those that know RFC 8187. */
export function contentDisposition(path: string, attachment: boolean): string {
  const kind = attachment ? 'attachment' : 'inline'
  const name = basename(path).replace(/[\0-\x1f\x7f]/g, '_')
  const plain = name.replace(/[^\x20-\x7e]/g, '_').replace(/["\\%]/g, '_')
  if (plain === name) return `${kind}; filename="${name}"`
  const extended = Buffer.from(name).toString('latin1').replace(/[^0-9A-Za-z!#$&+\-.^_`|~]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
  return `${kind}; filename="${plain}"; filename*=UTF-8''${extended}`
}
