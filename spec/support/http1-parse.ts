import type { HeaderList, HeaderPair } from '../../lib/contract/headers.ts'
import { ChunkedParser, type ChunkedLimits } from '../../lib/protocols/http1/chunked-parser.ts'
import { Refusal } from '../../lib/protocols/refusal.ts'
import { RequestParser, type HeadLimits, type RequestHead } from '../../lib/protocols/http1/request-parser.ts'

/** A request as the parsers read it. Texts are Latin-1, one character a byte. */
export interface ReadRequest {
  method: string
  rawPath: string
  queryString: string
  version: string
  headers: readonly HeaderPair[]
  body: string
  trailers: readonly HeaderPair[]
  keepAlive: boolean
  expectContinue: boolean
  /** Whether the client takes trailers. */
  takesTrailers: boolean
}

/** What is read from one connection's bytes. */
export interface Reading {
  /** The requests that are complete. */
  readonly requests: readonly ReadRequest[]
  /** The one whose head is complete and whose body is not. */
  readonly partial: ReadRequest | null
  /**
   * The status of the refusal that ended it; `open` when nothing of a further request came, `incomplete` when a part
   * of one came, `closed` after a request that ends the connection.
   */
  readonly end: number | 'open' | 'incomplete' | 'closed'
  /** Why it was refused; empty if it was not. */
  readonly reason: string
  /** Where each complete request ends in the bytes. */
  readonly ends: readonly number[]
}

/** How bytes are read; the defaults are those of the server. */
export interface ParseOptions {
  readonly limits?: Partial<HeadLimits>
  readonly chunked?: Partial<ChunkedLimits>
  readonly scheme?: 'http' | 'https'
}

const HEAD_LIMITS: HeadLimits = { head: 16384, requestLine: 8192, fields: 100 }
const CHUNKED_LIMITS: ChunkedLimits = { trailers: 16384, fields: 100 }
// Bytes that the parsers must not look at: they would end a line, a head and a body too early.
const AROUND = Buffer.from('\r\n0\r\n\r\n')

/**
 * Reads bytes as a connection does, in pieces that end at `cuts`. What a piece leaves over is moved to another place
 * in memory for the next one, with other bytes before and after it.
 */
export function parseHttp1(bytes: Buffer, cuts: Iterable<number> = [], options: ParseOptions = {}): Reading {
  const reader = new Reader(options)
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    if (!reader.read(bytes.subarray(from, cut))) break
    from = cut
  }
  return reader.result()
}

class Reader {
  readonly #parser: RequestParser
  readonly #chunkedLimits: ChunkedLimits
  readonly #requests: ReadRequest[] = []
  readonly #ends: number[] = []
  #left: Buffer = Buffer.alloc(0)
  #used = 0
  #partial: ReadRequest | null = null
  #parts: Buffer[] = []
  #bodyLeft = 0
  #chunked: ChunkedParser | null = null
  #refusal: Refusal | null = null
  #closed = false

  constructor({ limits, chunked, scheme = 'http' }: ParseOptions) {
    this.#parser = new RequestParser({ ...HEAD_LIMITS, ...limits }, scheme)
    this.#chunkedLimits = { ...CHUNKED_LIMITS, ...chunked }
  }

  /** Returns whether more may follow. */
  read(piece: Buffer): boolean {
    const length = this.#left.length + piece.length
    // A piece that stands alone is left where it is, as a socket's read is.
    const moved = this.#left.length > 0
    const input = moved ? Buffer.concat([AROUND, this.#left, piece, AROUND]) : piece
    let at = moved ? AROUND.length : 0
    const end = at + length
    while (at < end && !this.#closed && this.#refusal === null) {
      const before = at
      at = this.#partial === null ? this.#readHead(input, at, end) : this.#readBody(this.#partial, input, at, end)
      this.#used += at - before
      if (this.#partial !== null && this.#chunked === null && this.#bodyLeft === 0) this.#complete(this.#partial)
      if (at === before) break
    }
    this.#left = input.subarray(at, end)
    return !this.#closed && this.#refusal === null
  }

  result(): Reading {
    const partial = this.#partial === null ? null : { ...this.#partial, body: this.#body() }
    const incomplete = partial !== null || this.#left.length > 0
    return {
      requests: this.#requests,
      partial,
      end: this.#refusal?.status ?? (this.#closed ? 'closed' : incomplete ? 'incomplete' : 'open'),
      reason: this.#refusal?.reason ?? '',
      ends: this.#ends,
    }
  }

  #readHead(input: Buffer, at: number, end: number): number {
    const head = this.#parser.parse(input, at, end)
    if (head === null) return at
    if (head instanceof Refusal) {
      this.#refusal = head
      return at
    }
    const used = this.#parser.length
    this.#parser.next()
    this.#partial = asRead(head)
    this.#parts = []
    this.#bodyLeft = head.contentLength
    this.#chunked = head.chunked ? new ChunkedParser(this.#chunkedLimits) : null
    return at + used
  }

  #readBody(request: ReadRequest, input: Buffer, at: number, end: number): number {
    const chunked = this.#chunked
    if (chunked === null) {
      const to = Math.min(end, at + this.#bodyLeft)
      this.#parts.push(Buffer.from(input.subarray(at, to)))
      this.#bodyLeft -= to - at
      return to
    }
    const to = chunked.parse(input, at, end, (from, until) => this.#parts.push(Buffer.from(input.subarray(from, until))))
    this.#refusal = chunked.refusal
    if (chunked.done) {
      request.trailers = pairs(chunked.trailers)
      this.#chunked = null
    }
    return to
  }

  #complete(request: ReadRequest): void {
    this.#requests.push({ ...request, body: this.#body() })
    this.#ends.push(this.#used)
    this.#partial = null
    this.#closed = !request.keepAlive
  }

  #body(): string {
    return Buffer.concat(this.#parts).toString('latin1')
  }
}

function asRead(head: RequestHead): ReadRequest {
  return {
    method: head.method,
    rawPath: head.rawPath,
    queryString: head.queryString,
    version: head.httpVersion,
    headers: pairs(head.headers),
    body: '',
    trailers: [],
    keepAlive: head.keepAlive,
    expectContinue: head.expectContinue,
    takesTrailers: head.trailers,
  }
}

function pairs(list: HeaderList | null): readonly HeaderPair[] {
  return list === null ? [] : [...list]
}
