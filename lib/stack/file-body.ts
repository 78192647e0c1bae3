import { statSync, type Stats } from 'node:fs'
import { basename } from 'node:path'
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

/** The value of `content-disposition` (RFC 6266): a name in ASCII for all, and the name as it is for those that know RFC 8187. */
export function contentDisposition(path: string, attachment: boolean): string {
  const kind = attachment ? 'attachment' : 'inline'
  const name = basename(path).replace(/[\0-\x1f\x7f]/g, '_')
  const plain = name.replace(/[^\x20-\x7e]/g, '_').replace(/["\\%]/g, '_')
  if (plain === name) return `${kind}; filename="${name}"`
  const extended = Buffer.from(name).toString('latin1').replace(/[^0-9A-Za-z!#$&+\-.^_`|~]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
  return `${kind}; filename="${plain}"; filename*=UTF-8''${extended}`
}
