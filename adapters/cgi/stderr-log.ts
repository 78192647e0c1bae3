import { StringDecoder } from 'node:string_decoder'

/** Characters of one line, and of all that one request may write. */
const LINE = 4096
const TOTAL = 65536

/** Gives what a program writes to stderr to a log: in lines, in bounds, and without characters that steer a terminal. */
export class StderrLog {
  readonly #name: string
  readonly #log: (line: string) => void
  readonly #decoder = new StringDecoder('utf8')
  #line = ''
  #left = TOTAL

  constructor(name: string, log: (line: string) => void) {
    this.#name = name
    this.#log = log
  }

  push(bytes: Buffer): void {
    if (this.#left > 0) this.#take(this.#decoder.write(bytes))
  }

  /** The program has ended. */
  end(): void {
    if (this.#left > 0) this.#take(this.#decoder.end())
    if (this.#line !== '') this.#write()
  }

  #take(text: string): void {
    const parts = text.slice(0, this.#left).split('\n')
    this.#left -= text.length
    for (const [index, part] of parts.entries()) {
      if (index > 0) this.#write()
      this.#line += part
      while (this.#line.length > LINE) this.#write(LINE)
    }
    if (this.#left > 0) return
    if (this.#line !== '') this.#write()
    this.#log(`${this.#name}: stderr has more than ${TOTAL} characters, the rest is dropped`)
  }

  #write(length = this.#line.length): void {
    const line = this.#line.slice(0, length).replace(/\r$/, '')
    this.#line = this.#line.slice(length)
    this.#log(`${this.#name}: ${printable(line)}`)
  }
}

/** A text without control characters. */
export function printable(text: string): string {
  return text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]/g, (each) => `\\x${each.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
