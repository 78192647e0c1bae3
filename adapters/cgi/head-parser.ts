import { Violation } from './violation.ts'

/** The head of a program's response. */
export interface CgiHead {
  readonly status: number
  /** The fields for the client. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly contentLength: number | null
  /** Whether a body may follow: it has a type (RFC 3875 6.3.1). */
  readonly typed: boolean
  /** The path of a local redirect (RFC 3875 6.2.2); null for any other response. */
  readonly localRedirect: string | null
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const NOT_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/
const LF = 0x0a

/** RFC 3875 6.3.4: what concerns the connection to the client is the server's. */
const dropped: ReadonlySet<string> = new Set(['status', 'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade'])

/** Reads the head of a response, from bytes that may come in any pieces. Lines end with LF or CRLF. */
export class HeadParser {
  /** The head, once it is complete. */
  head: CgiHead | null = null
  readonly #limit: number
  readonly #nph: boolean
  #size = 0
  #line = ''
  #status: number | null = null
  #fields: (readonly [name: string, value: string])[] = []

  constructor(limit: number, nph: boolean) {
    this.#limit = limit
    this.#nph = nph
  }

  /** Whether no byte has come. */
  get empty(): boolean {
    return this.#size === 0
  }

  /** Takes bytes; returns those behind the head, null while it is not complete. Throws `Violation`. */
  push(bytes: Buffer): Buffer | null {
    let at = 0
    while (at < bytes.length) {
      const end = bytes.indexOf(LF, at)
      const stop = end < 0 ? bytes.length : end
      this.#size += stop - at + 1
      if (this.#size > this.#limit) throw new Violation(`its head is longer than ${this.#limit} bytes`)
      this.#line += bytes.toString('latin1', at, stop)
      at = stop + 1
      if (end < 0) break
      const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line
      this.#line = ''
      if (line !== '') {
        this.#take(line)
      } else if (this.#nph && this.#status !== null && this.#status < 200) {
        // An interim response, which the program has no need to send.
        this.#status = null
        this.#fields = []
      } else {
        this.head = this.#complete()
        return bytes.subarray(at)
      }
    }
    return null
  }

  #take(line: string): void {
    if (this.#nph && this.#status === null) {
      this.#status = statusOf(/^HTTP\/[0-9]\.[0-9] ([0-9]{3})(?: .*)?$/.exec(line)?.[1], line)
      if (this.#status === 101) throw new Violation('it has sent 101, which cannot be passed on')
      return
    }
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase()
    if (!TOKEN.test(name)) throw new Violation(`a line of its head is no field: ${shown(line)}`)
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')
    if (NOT_A_VALUE.test(value)) throw new Violation(`the field ${name} has a control character`)
    if (name === 'transfer-encoding') throw new Violation('it has set Transfer-Encoding, which is the server\'s')
    if (name === 'status' && !this.#nph) {
      if (this.#status !== null) throw new Violation('it has sent Status twice')
      this.#status = statusOf(/^([0-9]{3})(?: .*)?$/.exec(value)?.[1], value)
      if (this.#status < 200) throw new Violation(`it has sent the status ${this.#status}`)
    }
    this.#fields.push([name, value])
  }

  #complete(): CgiHead {
    const location = this.#only('location')
    const type = this.#only('content-type')
    const length = this.#only('content-length')
    if (this.#nph ? this.#status === null : this.#status === null && location === null && type === null) {
      throw new Violation(this.#nph ? 'its head has no status line' : 'its head has no Content-Type, Location or Status (RFC 3875 6.3)')
    }
    const contentLength = length === null ? null : /^[0-9]+$/.test(length) ? Number(length) : NaN
    if (contentLength !== null && !Number.isSafeInteger(contentLength)) throw new Violation(`its Content-Length is ${shown(length ?? '')}`)
    // RFC 3875 6.2.2: nothing but the one field; with others it is for the client.
    const local = location !== null && this.#fields.length === 1 && this.#status === null && /^\/(?!\/)[!"$-~]*$/.test(location)
    return {
      status: this.#status ?? (location === null ? 200 : 302),
      headers: this.#fields.filter(([name]) => !dropped.has(name)),
      contentLength,
      typed: type !== null || this.#nph,
      localRedirect: local ? location : null,
    }
  }

  /** The value of a field that may come once; null if there is none, or it is empty. */
  #only(wanted: string): string | null {
    const found = this.#fields.filter(([name]) => name === wanted)
    if (found.length > 1) throw new Violation(`it has sent ${wanted} twice`)
    return found[0]?.[1] || null
  }
}

function statusOf(digits: string | undefined, text: string): number {
  const status = Number(digits ?? NaN)
  if (!(status >= 100 && status <= 599)) throw new Violation(`no status: ${shown(text)}`)
  return status
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text)
}
