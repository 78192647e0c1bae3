/** Reads a form with files, `multipart/form-data` (RFC 7578), part by part, in bounded memory, by calls that block. */
import type { WsgiInput } from 'tsgi/adapters/wsgi'
import { HttpError } from './response.ts'

/** The bytes that are read at once, and the limits of what a part says of itself. */
const BLOCK = 16 * 1024
const HEAD_LIMIT = 8 * 1024
const FIELD_LIMIT = 16 * 1024
const PART_LIMIT = 20

/** One field of a form. */
export interface Part {
  readonly name: string
  /** Null for a field without a file; empty where no file was chosen. */
  readonly filename: string | null
  /** Its bytes, once; what is not read is skipped. */
  readonly blocks: Iterable<Uint8Array>
  /** The same as text. Throws an `HttpError` if it is long or no UTF-8. */
  text(): string
}

/** The boundary between the parts, null where this is another type. */
export function boundaryOf(contentType = ''): string | null {
  const [, quoted, plain] = /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)/is.exec(contentType) ?? []
  return quoted ?? plain ?? null
}

/** The parts, in order. Throws an `HttpError`: 400 for what is malformed or cut short, 413 for what is over a limit. */
export class Multipart implements Iterable<Part> {
  readonly #input: WsgiInput
  readonly #delimiter: Buffer
  readonly #tooLarge: string
  #left: number
  // The first delimiter stands at the start of a line too.
  #buffer: Buffer = Buffer.from('\r\n')

  constructor(input: WsgiInput, boundary: string, limit: number, tooLarge: string) {
    this.#input = input
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
    this.#left = limit
    this.#tooLarge = tooLarge
  }

  *[Symbol.iterator](): Generator<Part, void, void> {
    skip(this.#blocks())
    for (let count = 0; ; count++) {
      if (count > PART_LIMIT) throw malformed('has too many parts')
      while (this.#buffer.length < 2) this.#fill()
      if (this.#buffer.toString('latin1', 0, 2) === '--') return
      const part = this.#part()
      yield part
      skip(part.blocks)
    }
  }

  /** Reads the head of a part, from the end of the delimiter on. */
  #part(): Part {
    let end = this.#buffer.indexOf('\r\n\r\n')
    while (end < 0) {
      if (this.#buffer.length > HEAD_LIMIT) throw malformed('has a part with a long head')
      this.#fill()
      end = this.#buffer.indexOf('\r\n\r\n')
    }
    // White space may follow a delimiter (RFC 2046 5.1.1), and nothing else.
    const [padding = '', ...lines] = this.#buffer.toString('utf8', 0, end).split('\r\n')
    const disposition = lines.find((line) => /^content-disposition:/i.test(line))
    if (padding.trim() !== '' || disposition === undefined) throw malformed('has a part without a name')
    this.#buffer = this.#buffer.subarray(end + 4)
    const parameters = parametersOf(disposition)
    const name = parameters.get('name')
    if (name === undefined) throw malformed('has a part without a name')
    const source = this.#blocks()
    // Without `return`, so that a loop that is left early does not end the rest.
    const blocks = { [Symbol.iterator]: () => ({ next: () => source.next() }) }
    return { name, filename: parameters.get('filename') ?? null, blocks, text: () => textOf(blocks) }
  }

  /** The bytes up to the next delimiter, which is taken too. */
  *#blocks(): Generator<Uint8Array, void, void> {
    for (;;) {
      const end = this.#buffer.indexOf(this.#delimiter)
      // The last bytes may be the start of a delimiter.
      const sure = end < 0 ? Math.max(0, this.#buffer.length - this.#delimiter.length + 1) : end
      const block = this.#buffer.subarray(0, sure)
      this.#buffer = this.#buffer.subarray(end < 0 ? sure : end + this.#delimiter.length)
      if (block.length > 0) yield block
      if (end >= 0) return
      this.#fill()
    }
  }

  #fill(): void {
    const block = this.#input.read(BLOCK)
    if (block.length === 0) throw malformed('is cut short')
    this.#left -= block.length
    if (this.#left < 0) throw new HttpError(413, this.#tooLarge)
    this.#buffer = this.#buffer.length === 0 ? block : Buffer.concat([this.#buffer, block])
  }
}

/** Browsers write `%22` for a quote, and leave backslashes as they are (HTML's multipart/form-data encoding). */
function parametersOf(disposition: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  for (const [, name = '', quoted, plain] of disposition.matchAll(/;\s*([\w*-]+)=(?:"([^"]*)"|([^;\s]*))/g)) {
    parameters.set(name.toLowerCase(), (quoted ?? plain ?? '').replaceAll('%22', '"'))
  }
  return parameters
}

function textOf(blocks: Iterable<Uint8Array>): string {
  const all: Uint8Array[] = []
  let size = 0
  for (const block of blocks) {
    all.push(block)
    if ((size += block.length) > FIELD_LIMIT) throw new HttpError(413, 'A field of this form is too long.')
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(all))
  } catch {
    throw malformed('has a field that is not UTF-8')
  }
}

function skip(blocks: Iterable<Uint8Array>): void {
  for (const _ of blocks);
}

function malformed(how: string): HttpError {
  return new HttpError(400, `This form ${how}.`)
}
