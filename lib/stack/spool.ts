import type { Reading } from './body.ts'
import { ByteBuilder } from './byte-builder.ts'
import type { TempFile, TempFiles } from './temp-files.ts'
import { UploadedFile } from './uploaded-file.ts'

/** The memory that the files of a form share. */
export interface FileMemory {
  left: number
}

/** Bytes that are written at once: fewer calls of the system make it faster. */
const WRITE = 256 * 1024
/** Pieces that are written at once: a client that sends bytes one by one would make a list of them huge. */
const PIECES = 64

/** A file that is being read: in memory while that lasts, then on disk. */
export class Spool {
  readonly #memory: FileMemory
  readonly #temp: TempFiles
  readonly #folder: string
  readonly #bytes = new ByteBuilder()
  #size = 0
  #file: TempFile | null = null
  #waiting: Uint8Array[] = []
  #waitingSize = 0

  constructor(memory: FileMemory, temp: TempFiles, folder: string) {
    this.#memory = memory
    this.#temp = temp
    this.#folder = folder
  }

  /** How many bytes there are. */
  get size(): number {
    return this.#size
  }

  *write(bytes: Uint8Array): Reading<void> {
    this.#size += bytes.length
    if (this.#file === null) {
      if (bytes.length <= this.#memory.left) {
        this.#memory.left -= bytes.length
        this.#bytes.push(bytes)
        return
      }
      this.#memory.left += this.#bytes.length
      this.#file = yield* this.#temp.create(this.#folder)
      this.#wait(this.#bytes.take())
    }
    this.#wait(bytes)
    if (this.#waitingSize >= WRITE || this.#waiting.length >= PIECES) yield* this.#flush(this.#file)
  }

  *end(name: string, filename: string, contentType: string): Reading<UploadedFile> {
    const file = this.#file
    const size = this.#size
    if (file === null) {
      // A copy, which does not keep the whole chunk that it came in.
      return new UploadedFile({ name, filename, contentType, size, path: null, temporary: false, bytes: Buffer.from(this.#bytes.take()) })
    }
    yield* this.#flush(file)
    yield* file.close()
    return new UploadedFile({ name, filename, contentType, size, path: file.path, temporary: true, bytes: null })
  }

  #wait(bytes: Uint8Array): void {
    this.#waiting.push(bytes)
    this.#waitingSize += bytes.length
  }

  *#flush(file: TempFile): Reading<void> {
    const parts = this.#waiting
    this.#waiting = []
    this.#waitingSize = 0
    yield* file.write(parts)
  }
}
