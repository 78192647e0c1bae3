/** The pictures: files in a folder beside the database. */
import { randomUUID } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { database } from './database.ts'
import { HttpError } from './response.ts'

/** In bytes. */
export const PICTURE_LIMIT: number = 2 * 2 ** 20

/** A picture that was stored. */
export interface Picture {
  /** Its name in the folder. */
  readonly file: string
  readonly type: string
  readonly size: number
}

/** What a file of each type begins with. What the browser says of a file is not believed. */
const types: readonly (readonly [string, RegExp])[] = [
  ['image/png', /^\x89PNG\r\n\x1a\n/],
  ['image/jpeg', /^\xff\xd8\xff/],
  ['image/gif', /^GIF8[79]a/],
  ['image/webp', /^RIFF.{4}WEBP/s],
]

/** Stores a picture block by block. Throws an `HttpError` if it is none: 415. */
export function storePicture(blocks: Iterable<Uint8Array>): Picture {
  const file = randomUUID()
  const path = join(database().pictures, file)
  const handle = openSync(path, 'wx', 0o600)
  let [start, size] = ['', 0]
  try {
    for (const block of blocks) {
      if (start.length < 12) start += Buffer.from(block).toString('latin1', 0, 12)
      for (let at = 0; at < block.length;) at += writeSync(handle, block, at)
      size += block.length
    }
    const type = types.find(([, magic]) => magic.test(start))?.[0]
    if (type === undefined) throw new HttpError(415, 'This file is no picture: a PNG, a JPEG, a GIF or a WebP is.')
    return { file, type, size }
  } catch (error) {
    removePicture(file)
    throw error
  } finally {
    closeSync(handle)
  }
}

export function removePicture(file: string): void {
  rmSync(join(database().pictures, file), { force: true })
}

/** A picture as the server's `wsgi.file_wrapper` takes it; null where the file is gone. */
export function openPicture(file: string): { readonly size: number; read(size: number): Uint8Array; close(): void } | null {
  let handle: number
  try {
    handle = openSync(join(database().pictures, file), 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  return {
    size: fstatSync(handle).size,
    read: (size) => {
      const block = Buffer.allocUnsafe(size)
      return block.subarray(0, readSync(handle, block, 0, size, null))
    },
    close: () => closeSync(handle),
  }
}
