import { randomUUID } from 'node:crypto'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Receive } from '../lib/contract/application.ts'
import { ClientDisconnected, TooLarge } from '../lib/contract/errors.ts'
import { behind } from '../lib/stack/temp-files.ts'

/** Bytes that are kept in memory; what is longer goes to a file. */
const MEMORY = 65536

/** A request's body that was read whole, since its length had to be known: its bytes, or the file that holds them. */
export interface SpooledBody {
  /** In bytes. */
  readonly length: number
  readonly bytes: Uint8Array | null
  /** It has no name, stands at its start, and is to be closed. */
  readonly file: FileHandle | null
}

/**
 * Reads a body to its end. Throws `TooLarge` if it has more than `limit` bytes, `ClientDisconnected` if its client leaves,
 * and what the system says if there is no room in `folder`.
 */
export async function spooledBody(receive: Receive, limit: number, folder: string): Promise<SpooledBody> {
  let length = 0
  let written = 0
  let waiting: Uint8Array[] = []
  let file: FileHandle | null = null
  try {
    for (let more = true; more;) {
      const event = await receive()
      if (event.type !== 'http.request') throw new ClientDisconnected('the client disconnected before its body was complete')
      more = event.moreBody
      length += event.body.length
      if (length > limit) throw new TooLarge(`a body of unknown length, of more than ${limit} bytes`)
      if (event.body.length > 0) waiting.push(event.body)
      if (length - written <= MEMORY && (more || file === null)) continue
      file ??= await unnamedFile(folder)
      await writeAll(file, waiting, written)
      written = length
      waiting = []
    }
  } catch (error) {
    await file?.close()
    throw error
  }
  return file === null ? { length, bytes: Buffer.concat(waiting, length), file } : { length, bytes: null, file }
}

/** A file that is gone when it is closed, or with the process. */
async function unnamedFile(folder: string): Promise<FileHandle> {
  const path = join(folder, `tsgi-${randomUUID()}`)
  const file = await open(path, 'wx+', 0o600)
  await unlink(path)
  return file
}

/** Writes at a position, so that a program, which shares the file's own, reads from the start. */
async function writeAll(file: FileHandle, parts: readonly Uint8Array[], position: number): Promise<void> {
  let rest = parts
  let at = position
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest, at)
    at += bytesWritten
    rest = behind(rest, bytesWritten)
  }
}
