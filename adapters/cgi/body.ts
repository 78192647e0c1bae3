import { randomUUID } from 'node:crypto'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Receive } from '../../lib/contract/application.ts'
import { hasBody } from '../../lib/contract/disconnect.ts'
import { ClientDisconnected } from '../../lib/contract/errors.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'
import { behind } from '../../lib/stack/temp-files.ts'
import { mayHaveBody } from '../wsgi/body.ts'
import type { CgiSettings } from './options.ts'

/** A request's body as a program gets it. */
export interface ProgramBody {
  /** Null if there is none. */
  readonly length: number | null
  /** Its bytes, where they are in memory; null where they are to be received, or are in the file. */
  readonly bytes: Uint8Array | null
  readonly file: FileHandle | null
}

/** Bytes that are kept in memory before there is a file. */
const MEMORY = 65536

const none: ProgramBody = { length: null, bytes: null, file: null }

/** Finds out how long the body is (RFC 3875 4.1.2), for which it may have to be read. A number is the status to answer with. */
export async function programBody(settings: CgiSettings, scope: HttpScope, receive: Receive): Promise<ProgramBody | number> {
  const announced = scope.headers.get('content-length')
  if (announced !== undefined && /^[0-9]+$/.test(announced)) {
    const length = Number(announced)
    return length === 0 ? none : { length, bytes: null, file: null }
  }
  if (!(hasBody(scope) ?? mayHaveBody(scope, undefined, scope.headers.get('transfer-encoding')))) return none
  return settings.spool ? spooled(settings, receive) : 411
}

/** Reads a body of unknown length: into memory, and into a file if it is longer. */
async function spooled({ spoolLimit, spoolFolder }: CgiSettings, receive: Receive): Promise<ProgramBody | number> {
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
      if (length > spoolLimit) {
        await file?.close()
        return 413
      }
      if (event.body.length > 0) waiting.push(event.body)
      if (length - written <= MEMORY && (more || file === null)) continue
      file ??= await unnamedFile(spoolFolder)
      await writeAll(file, waiting, written)
      written = length
      waiting = []
    }
  } catch (error) {
    await file?.close()
    throw error
  }
  if (length === 0) return none
  return file === null ? { length, bytes: Buffer.concat(waiting, length), file } : { length, bytes: null, file }
}

/** A file without a name, which is gone when it is closed. */
async function unnamedFile(folder: string): Promise<FileHandle> {
  const path = join(folder, `tsgi-${randomUUID()}`)
  const file = await open(path, 'wx+', 0o600)
  await unlink(path)
  return file
}

/** Writes at a position, so that the program, which shares the file's own, reads from the start. */
async function writeAll(file: FileHandle, parts: readonly Uint8Array[], position: number): Promise<void> {
  let rest = parts
  let at = position
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest, at)
    at += bytesWritten
    rest = behind(rest, bytesWritten)
  }
}
