import { STATUS_CODES } from 'node:http'
import type { Readable, Writable } from 'node:stream'
import type { HttpExchange } from '../../exchange/http.ts'
import type { HttpTransport, ResponseHead } from '../../exchange/transport.ts'

/** How a response ended: `broken` for one that is not whole, `left` if nobody reads it. */
export type CgiOutcome = 'complete' | 'broken' | 'left'

/** Fields that mean something to a CGI server, or are its own: an application's go no further. */
const dropped: ReadonlySet<string> = new Set(['status', 'keep-alive', 'proxy-connection', 'te', 'upgrade'])

/** The transport of an exchange whose request comes by standard input, and whose response goes by standard output. */
export class CgiTransport implements HttpTransport {
  /** Resolves when the response is written, broken off, or of no use. */
  readonly done: Promise<CgiOutcome>
  readonly #stdin: Readable
  readonly #stdout: Writable
  #exchange: HttpExchange | null = null
  #unread: number
  #head: string | null = null
  #waiting = false
  #over = false
  #setDone!: (outcome: CgiOutcome) => void

  /** The body has `length` bytes: no more is read (RFC 3875 4.2). */
  constructor(stdin: Readable, stdout: Writable, length: number) {
    this.#stdin = stdin
    this.#stdout = stdout
    this.#unread = length
    this.done = new Promise((resolve) => (this.#setDone = resolve))
  }

  /** Binds the transport to its exchange, which is about to run. */
  begin(exchange: HttpExchange): void {
    this.#exchange = exchange
    this.#stdout.on('error', this.left).on('close', this.left)
    if (this.#unread > 0) this.#stdin.on('data', this.#read).on('end', this.left).on('error', this.left).on('close', this.left)
  }

  /** The client is gone: its body is cut short, the server reads no more, or says so. */
  left = (): void => this.#finish('left')

  /** The front server's own business. */
  inform(): void {}

  head(head: ResponseHead): void {
    this.#head = headText(head)
  }

  write(chunk: Uint8Array | string): boolean {
    return this.#over || this.#put(chunk)
  }

  end(chunk: Uint8Array | string): boolean {
    if (this.#over) return true
    const taken = this.#put(chunk)
    this.#stdout.write('', () => this.#finish('complete'))
    return taken
  }

  abort(): void {
    this.#finish('broken')
  }

  pause(): void {
    this.#stdin.pause()
  }

  resume(): void {
    if (this.#unread > 0 && !this.#over) this.#stdin.resume()
  }

  readonly #read = (bytes: Buffer): void => {
    const part = bytes.length > this.#unread ? bytes.subarray(0, this.#unread) : bytes
    this.#unread -= part.length
    if (this.#unread > 0) {
      this.#exchange?.body(part)
    } else {
      this.#stopReading()
      this.#exchange?.ended(part)
    }
  }

  /** Returns whether the bytes are no longer needed. */
  #put(chunk: Uint8Array | string): boolean {
    const stdout = this.#stdout
    const written = (): void => {
      if (!this.#waiting || stdout.writableLength > 0) return
      this.#waiting = false
      this.#exchange?.drained()
    }
    const head = this.#head
    this.#head = null
    // One write for both: each is a call of the system.
    const data = head === null ? chunk : Buffer.concat([Buffer.from(head, 'latin1'), typeof chunk === 'string' ? Buffer.from(chunk) : chunk])
    if (data.length > 0) stdout.write(data, written)
    this.#waiting = stdout.writableLength > 0
    return !this.#waiting
  }

  #stopReading(): void {
    this.#stdin.off('data', this.#read).off('end', this.left).off('error', this.left).off('close', this.left).pause()
  }

  #finish(outcome: CgiOutcome): void {
    if (this.#over) return
    this.#over = true
    this.#stopReading()
    // An error that comes later has nobody to tell.
    this.#stdout.off('error', this.left).off('close', this.left).on('error', ignore)
    if (outcome === 'left') this.#exchange?.gone()
    this.#exchange?.drained()
    this.#setDone(outcome)
  }
}

/** The head of a response as RFC 3875 6 has it. */
export function headText({ status, headers, contentLength, bodyless }: ResponseHead): string {
  let text = `Status: ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`
  let typed = false
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (dropped.has(name)) continue
    typed ||= name === 'content-type'
    text += `${name}: ${headers[i + 1] ?? ''}\r\n`
  }
  if (contentLength !== null) text += `content-length: ${contentLength}\r\n`
  // RFC 3875 6.3.1: a body must have a type. RFC 9110 8.3: this is what no type means.
  if (!typed && !bodyless && contentLength !== 0) text += 'content-type: application/octet-stream\r\n'
  return `${text}\r\n`
}

function ignore(): void {}
