import type { Socket } from 'node:net'

export interface ResponseHeadRead {
  readonly status: number
  readonly headers: Headers
  readonly earlyHints: readonly string[]
}

/** Reads one HTTP/1.1 response from a socket, strictly: what is not framed as the RFC has it throws. */
export class ResponseReader {
  readonly #bytes: AsyncIterator<Buffer>
  readonly #method: string
  #buffer = Buffer.alloc(0)
  #head: ResponseHeadRead | null = null
  #trailers: Headers | null = null
  #parts: AsyncGenerator<Uint8Array, void, void> | null = null

  constructor(socket: Socket, method: string) {
    this.#bytes = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    this.#method = method
  }

  /** The final head, with the links of the early hints before it; `onInterim` hears of each response before it. */
  async head(onInterim?: (status: number) => void): Promise<ResponseHeadRead> {
    const earlyHints: string[] = []
    for (;;) {
      const lines = (await this.#section()).split('\r\n')
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(lines.shift() ?? '')?.[1])
      if (Number.isNaN(status)) throw new Error('not a status line')
      const headers = headersOf(lines)
      if (status >= 200) return (this.#head = { status, headers, earlyHints })
      if (status === 103) earlyHints.push(...lines.filter((line) => line.startsWith('link: ')).map((line) => line.slice(6)))
      onInterim?.(status)
    }
  }

  parts(): AsyncGenerator<Uint8Array, void, void> {
    return this.#parts ??= this.#readParts()
  }

  async trailers(): Promise<Headers> {
    for await (const _ of this.parts());
    return this.#trailers ?? new Headers()
  }

  async* #readParts(): AsyncGenerator<Uint8Array, void, void> {
    const head = this.#head
    if (head === null) throw new Error('parts() before head()')
    const { status, headers } = head
    if (this.#method === 'HEAD' || status === 204 || status === 304) return
    if (headers.get('transfer-encoding') === 'chunked') {
      for (;;) {
        const size = parseInt(await this.#line(), 16)
        if (Number.isNaN(size)) throw new Error('not a chunk size')
        if (size === 0) break
        for (let left = size; left > 0;) {
          const part = await this.#atMost(left)
          left -= part.length
          yield part
        }
        if (await this.#line() !== '') throw new Error('a chunk that is longer than its size')
      }
      const section = await this.#section(true)
      this.#trailers = headersOf(section === '' ? [] : section.split('\r\n'))
      return
    }
    const length = headers.get('content-length')
    if (length !== null) {
      for (let left = Number(length); left > 0;) {
        const part = await this.#atMost(left)
        left -= part.length
        yield part
      }
      return
    }
    for (;;) {
      if (this.#buffer.length > 0) yield await this.#atMost(this.#buffer.length)
      if (!await this.#more()) return
    }
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#bytes.next()
    if (done === true) return false
    this.#buffer = Buffer.concat([this.#buffer, value])
    return true
  }

  async #need(): Promise<void> {
    if (!await this.#more()) throw new Error('the connection ended within a message')
  }

  async #atMost(size: number): Promise<Buffer> {
    while (this.#buffer.length === 0) await this.#need()
    const part = this.#buffer.subarray(0, size)
    this.#buffer = this.#buffer.subarray(part.length)
    return part
  }

  async #line(): Promise<string> {
    return this.#until('\r\n')
  }

  /** Lines up to an empty one, without it. */
  async #section(mayBeEmpty = false): Promise<string> {
    if (mayBeEmpty) {
      while (this.#buffer.length < 2) await this.#need()
      if (this.#buffer.subarray(0, 2).toString() === '\r\n') {
        this.#buffer = this.#buffer.subarray(2)
        return ''
      }
    }
    return this.#until('\r\n\r\n')
  }

  async #until(end: string): Promise<string> {
    for (;;) {
      const at = this.#buffer.indexOf(end)
      if (at >= 0) {
        const text = this.#buffer.toString('latin1', 0, at)
        this.#buffer = this.#buffer.subarray(at + end.length)
        return text
      }
      await this.#need()
    }
  }
}

function headersOf(lines: readonly string[]): Headers {
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(': ')
    if (colon < 1) throw new Error(`not a header line: ${JSON.stringify(line)}`)
    headers.append(line.slice(0, colon), line.slice(colon + 2))
  }
  return headers
}
