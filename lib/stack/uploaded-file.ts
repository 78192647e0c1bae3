import { chmodSync, copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { chmod, copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises'
import type { Reading } from './body.ts'
import { asBuffer } from './byte-builder.ts'
import { either, runAsync, runSync } from './effects.ts'
import { blocks, blocksSync } from './file-blocks.ts'
import { decodeUtf8 } from './text.ts'

/** A file as plain data, which can be cloned to a thread. */
export interface FileParts {
  readonly name: string
  readonly filename: string
  readonly contentType: string
  readonly size: number
  /** Where it is on disk; null if it is in memory. */
  readonly path: string | null
  /** Whether the file on disk is deleted with the request. */
  readonly temporary: boolean
  /** What it holds; null if it is on disk. */
  readonly bytes: Uint8Array | null
}

/** What files that are saved may be read by: all users, as for other files. */
const MODE = 0o644

/** A file of a form. A large one is on disk until its request is over. */
export class UploadedFile {
  /** The name of the form's field. */
  readonly name: string
  /** The name that the client gave it, without folders; may be empty. The client chooses it: never make a path of it alone. */
  readonly filename: string
  /** The media type that the client gave it, `application/octet-stream` if none. */
  readonly contentType: string
  /** In bytes. */
  readonly size: number

  readonly #bytes: Buffer | null
  #path: string | null
  #temporary: boolean
  #moved: ((from: string) => void) | null = null

  constructor(parts: FileParts) {
    this.name = parts.name
    this.filename = parts.filename
    this.contentType = parts.contentType
    this.size = parts.size
    this.#path = parts.path
    this.#temporary = parts.temporary
    this.#bytes = parts.bytes === null ? null : asBuffer(parts.bytes)
  }

  /** Where it is on disk; null if it is in memory. */
  get path(): string | null {
    return this.#path
  }

  /** What it holds, all at once. */
  bytes(): Promise<Buffer> {
    return runAsync(this.#read())
  }

  /** The same, blocking. */
  bytesSync(): Buffer {
    return runSync(this.#read())
  }

  /** What it holds, as text. Rejects with `BadRequest` if that is not UTF-8. */
  async text(): Promise<string> {
    return decodeUtf8(await this.bytes(), `file ${this.filename}`)
  }

  /** The same, blocking. */
  textSync(): string {
    return decodeUtf8(this.bytesSync(), `file ${this.filename}`)
  }

  /** What it holds, block by block. */
  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    if (this.#path !== null) yield* blocks(this.#path, this.size)
    else if (this.#bytes !== null && this.size > 0) yield this.#bytes
  }

  /** The same, blocking. */
  *chunksSync(): Generator<Uint8Array, void, void> {
    if (this.#path !== null) yield* blocksSync(this.#path, this.size)
    else if (this.#bytes !== null && this.size > 0) yield this.#bytes
  }

  /** Saves it, over what is there. A file that is on disk is moved, where that can be done. */
  saveTo(path: string): Promise<void> {
    return runAsync(this.#save(path))
  }

  /** The same, blocking. */
  saveToSync(path: string): void {
    runSync(this.#save(path))
  }

  /** What can be cloned. */
  parts(): FileParts {
    const { name, filename, contentType, size } = this
    return { name, filename, contentType, size, path: this.#path, temporary: this.#temporary, bytes: this.#bytes }
  }

  /** Has a function know when the file has left its place on disk. Internal. */
  onMoved(moved: (from: string) => void): void {
    this.#moved = moved
  }

  #read(): Reading<Buffer> {
    const path = this.#path
    const bytes = this.#bytes ?? EMPTY
    return path === null ? either(() => bytes, async () => bytes) : either(() => readFileSync(path), () => readFile(path))
  }

  *#save(to: string): Reading<void> {
    const from = this.#path
    const bytes = this.#bytes ?? EMPTY
    if (from === null) return yield* either(() => writeFileSync(to, bytes, { mode: MODE }), () => writeFile(to, bytes, { mode: MODE }))
    if (!this.#temporary) return yield* either(() => copyFileSync(from, to), () => copyFile(from, to))
    try {
      yield* either(() => renameSync(from, to), () => rename(from, to))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
      yield* either(() => copyFileSync(from, to), () => copyFile(from, to))
      yield* either(() => rmSync(from, { force: true }), () => rm(from, { force: true }))
    }
    this.#path = to
    this.#temporary = false
    this.#moved?.(from)
    yield* either(() => chmodSync(to, MODE), () => chmod(to, MODE))
  }
}

const EMPTY = Buffer.alloc(0)

/** Undoes `parts` of a file. */
export function fileFrom(parts: FileParts): UploadedFile {
  return new UploadedFile(parts)
}
