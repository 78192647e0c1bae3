import { TooLarge } from '../contract/errors.ts'
import type { ChunkReader, Reading } from './body.ts'
import { ByteBuilder } from './byte-builder.ts'
import { Form } from './form.ts'
import { isOver, type RequestLimits } from './limits.ts'
import { MultipartParser } from './multipart.ts'
import { requireFormCharset, type PartHead } from './part-head.ts'
import { Spool, type FileMemory } from './spool.ts'
import type { TempFiles } from './temp-files.ts'
import { decodeUtf8 } from './text.ts'
import type { UploadedFile } from './uploaded-file.ts'

/** Reads a multipart form, in memory that the limits bound. What it has put on disk is deleted if it fails. */
export function* readMultipart(chunks: ChunkReader, boundary: string | undefined, limits: RequestLimits, temp: TempFiles): Reading<Form> {
  const parser = new MultipartParser(boundary, limits.partHeaders)
  const reader = new FormReader(limits, temp)
  try {
    for (let chunk = yield* chunks.next(); chunk !== null; chunk = yield* chunks.next()) {
      for (const event of parser.push(chunk)) {
        if (event.type === 'data') yield* reader.data(event.bytes)
        else if (event.type === 'part') reader.part(event.head)
        else yield* reader.end()
      }
    }
    parser.finish()
    return reader.form()
  } catch (error) {
    yield* temp.remove()
    throw error
  }
}

/** Makes a form of the parts that are found. */
class FormReader {
  readonly #limits: RequestLimits
  readonly #temp: TempFiles
  readonly #memory: FileMemory
  readonly #entries: (readonly [string, string])[] = []
  readonly #files: UploadedFile[] = []
  /** Bytes of names and text fields so far. */
  #textSize = 0
  #fileCount = 0
  #head: PartHead = { name: '', filename: null, contentType: '' }
  /** The text field, or the file, that is being read. */
  #text: ByteBuilder | null = null
  #file: Spool | null = null

  constructor(limits: RequestLimits, temp: TempFiles) {
    this.#limits = limits
    this.#temp = temp
    this.#memory = { left: limits.fileMemory }
  }

  part(head: PartHead): void {
    const { formFields, formFiles, tempFolder } = this.#limits
    this.#head = head
    this.#count(Buffer.byteLength(head.name) + Buffer.byteLength(head.filename ?? ''))
    if (head.filename === null) {
      if (isOver(this.#entries.length + 1, formFields)) throw new TooLarge(`the form has more than ${formFields} fields (limit formFields)`)
      this.#text = new ByteBuilder()
    } else {
      if (isOver(++this.#fileCount, formFiles)) throw new TooLarge(`the form has more than ${formFiles} files (limit formFiles)`)
      this.#file = new Spool(this.#memory, this.#temp, tempFolder)
    }
  }

  *data(bytes: Uint8Array): Reading<void> {
    const { fieldSize, fileSize } = this.#limits
    if (this.#text !== null) {
      this.#count(bytes.length)
      if (isOver(this.#text.length + bytes.length, fieldSize)) throw new TooLarge(`a field of the form has more than ${fieldSize} bytes (limit fieldSize)`)
      this.#text.push(bytes)
    } else if (this.#file !== null) {
      if (isOver(this.#file.size + bytes.length, fileSize)) throw new TooLarge(`a file of the form has more than ${fileSize} bytes (limit fileSize)`)
      yield* this.#file.write(bytes)
    }
  }

  *end(): Reading<void> {
    const { name, filename, contentType } = this.#head
    if (this.#text !== null) {
      const value = decodeUtf8Exactly(this.#text.take(), name)
      // RFC 7578 4.6.
      if (name === '_charset_') requireFormCharset(value)
      this.#entries.push([name, value])
      this.#text = null
    } else if (this.#file !== null) {
      const file = this.#file
      this.#file = null
      // What browsers send for an input where no file was chosen.
      if (filename === '' && file.size === 0) this.#fileCount--
      else this.#files.push(yield* file.end(name, filename ?? '', contentType === '' ? 'application/octet-stream' : contentType))
    }
  }

  form(): Form {
    return new Form(this.#entries, this.#files)
  }

  #count(size: number): void {
    this.#textSize += size
    if (isOver(this.#textSize, this.#limits.bodySize)) throw new TooLarge(`the fields of the form have more than ${this.#limits.bodySize} bytes (limit bodySize)`)
  }
}

/** A byte order mark is part of a field. */
function decodeUtf8Exactly(bytes: Buffer, name: string): string {
  decodeUtf8(bytes, `field ${JSON.stringify(name)} of the form`)
  return bytes.toString('utf8')
}
