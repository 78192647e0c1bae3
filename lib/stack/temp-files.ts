import { randomUUID } from 'node:crypto'
import { closeSync, openSync, rmSync, writevSync } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BodyConsumed } from '../contract/errors.ts'
import type { Reading } from './body.ts'
import { either } from './effects.ts'

/** The temporary files of one request. */
export class TempFiles {
  readonly #paths = new Set<string>()
  readonly #open = new Set<TempFile>()
  #over = false

  /** Whether there is nothing to be deleted. */
  get idle(): boolean {
    return this.#paths.size === 0 && this.#open.size === 0
  }

  /** Makes no more files. */
  end(): void {
    this.#over = true
  }

  /** Opens a new file that only this user may read. */
  *create(folder: string): Reading<TempFile> {
    if (this.#over) throw requestOver()
    const path = join(folder === '' ? tmpdir() : folder, `tsgi-${randomUUID()}`)
    const handle = yield* either<number | FileHandle>(() => openSync(path, 'wx', 0o600), () => open(path, 'wx', 0o600))
    this.#paths.add(path)
    const file = new TempFile(path, handle, () => { this.#open.delete(file) })
    this.#open.add(file)
    if (!this.#over) return file
    // The request ended while the file was opened.
    yield* this.remove()
    throw requestOver()
  }

  /** Makes a file that is there this request's, to be deleted with it. */
  adopt(path: string): void {
    this.#paths.add(path)
  }

  /** Gives a file away: it is not deleted with the request. */
  release(path: string): void {
    this.#paths.delete(path)
  }

  /** Deletes the files; more may come. */
  *remove(): Reading<void> {
    for (const file of this.#open) yield* file.close()
    const paths = [...this.#paths]
    this.#paths.clear()
    for (const path of paths) yield* either(() => rmSync(path, { force: true }), () => rm(path, { force: true }))
  }
}

/** A temporary file that is written, in either mode. */
export class TempFile {
  readonly path: string
  readonly #handle: number | FileHandle
  readonly #closed: () => void
  #over = false

  constructor(path: string, handle: number | FileHandle, closed: () => void) {
    this.path = path
    this.#handle = handle
    this.#closed = closed
  }

  /** Appends bytes. */
  *write(parts: readonly Uint8Array[]): Reading<void> {
    let rest = parts
    while (rest.length > 0) {
      if (this.#over) throw requestOver()
      const now = rest
      const written = yield* either(() => this.#writeSync(now), () => this.#write(now))
      rest = behind(now, written)
    }
  }

  /** Ends the writing; a second time it does nothing. */
  *close(): Reading<void> {
    if (this.#over) return
    this.#over = true
    this.#closed()
    const handle = this.#handle
    yield* either(
      () => { if (typeof handle === 'number') closeSync(handle); else void handle.close().catch(() => {}) },
      async () => typeof handle === 'number' ? closeSync(handle) : handle.close(),
    )
  }

  #writeSync(parts: readonly Uint8Array[]): number {
    return writevSync(typeof this.#handle === 'number' ? this.#handle : this.#handle.fd, parts)
  }

  async #write(parts: readonly Uint8Array[]): Promise<number> {
    if (typeof this.#handle === 'number') return this.#writeSync(parts)
    const { bytesWritten } = await this.#handle.writev(parts)
    return bytesWritten
  }
}

/** What is left of some parts after so many bytes. */
export function behind(parts: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let skipped = written
  for (const [index, part] of parts.entries()) {
    if (skipped < part.length) return [part.subarray(skipped), ...parts.slice(index + 1)]
    skipped -= part.length
  }
  return []
}

function requestOver(): BodyConsumed {
  return new BodyConsumed('the body was read after its request was over, expected it to be read before')
}
