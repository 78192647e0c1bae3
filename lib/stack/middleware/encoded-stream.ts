import type { Gzip } from 'node:zlib'
import type { ResponseStream } from '../response.ts'
import { checkedPiece } from '../send-stream.ts'

const SLICE = 64 * 1024

type Step = IteratorResult<Uint8Array, undefined>

/**
 * A body whose pieces go through a transform of zlib, for async code. Each piece comes out before the next is asked for, so
 * no more than one is held. The transform is made when the body is iterated, and destroyed at its end, however that comes.
 */
export class EncodedStream implements AsyncIterable<Uint8Array> {
  readonly #pieces: ResponseStream
  readonly #make: () => Gzip
  #iterator: EncodedPieces | null = null

  constructor(pieces: ResponseStream, make: () => Gzip) {
    this.#pieces = pieces
    this.#make = make
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    const pieces = this.#pieces
    const source = Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]()
    return this.#iterator = new EncodedPieces(source, new Encoder(this.#make()))
  }

  /** Lets go of the transform, for a response that is over before its body is. */
  close(): void {
    this.#iterator?.close()
  }
}

/** Not a generator: `return` has to reach the source while that is waited for. */
class EncodedPieces implements AsyncIterator<Uint8Array, undefined> {
  readonly #source: Iterator<Uint8Array | string> | AsyncIterator<Uint8Array | string>
  readonly #encoder: Encoder
  /** What is left of the piece, and what was made of it. */
  #left: Uint8Array | null = null
  readonly #made: Uint8Array[] = []
  #over = false

  constructor(source: Iterator<Uint8Array | string> | AsyncIterator<Uint8Array | string>, encoder: Encoder) {
    this.#source = source
    this.#encoder = encoder
  }

  async next(): Promise<Step> {
    try {
      for (;;) {
        const made = this.#made.shift()
        if (made !== undefined) return { done: false, value: made }
        if (this.#over) return this.#ended()
        if (this.#left === null) {
          const step = await this.#source.next()
          if (this.#over) return this.#ended()
          if (step.done === true) {
            this.#over = true
            this.#made.push(...await this.#encoder.end())
            continue
          }
          const piece = checkedPiece(step.value)
          // It has the head of the response sent.
          if (piece.length === 0) return { done: false, value: new Uint8Array(0) }
          this.#left = typeof piece === 'string' ? Buffer.from(piece) : piece
        }
        const slice: Uint8Array = this.#left.subarray(0, SLICE)
        this.#left = slice.length < this.#left.length ? this.#left.subarray(SLICE) : null
        this.#made.push(...await this.#encoder.push(slice))
      }
    } catch (error) {
      this.#over = true
      this.close()
      throw error
    }
  }

  async return(): Promise<Step> {
    const over = this.#over
    this.#over = true
    this.close()
    if (!over) await this.#source.return?.()
    return { done: true, value: undefined }
  }

  close(): void {
    this.#made.length = 0
    this.#left = null
    this.#encoder.close()
  }

  #ended(): Step {
    this.close()
    return { done: true, value: undefined }
  }
}

/** A transform of zlib as two async calls. */
class Encoder {
  readonly #zlib: Gzip
  #made: Uint8Array[] = []
  #settle: ((error?: Error | null) => void) | null = null

  constructor(zlib: Gzip) {
    this.#zlib = zlib
    // A transform whose output is not taken stops taking input.
    zlib.on('readable', () => this.#take())
    zlib.on('end', () => this.#settle?.())
    zlib.on('error', (error) => this.#settle?.(error))
    zlib.on('close', () => this.#settle?.(new Error('the response is over')))
  }

  push(bytes: Uint8Array): Promise<Uint8Array[]> {
    return this.#wait(() => this.#zlib.write(bytes, (error) => this.#settle?.(error)))
  }

  end(): Promise<Uint8Array[]> {
    return this.#wait(() => this.#zlib.end())
  }

  close(): void {
    this.#zlib.destroy()
  }

  #wait(start: () => void): Promise<Uint8Array[]> {
    return new Promise((resolve, reject) => {
      this.#settle = (error) => {
        this.#settle = null
        if (error !== undefined && error !== null) return reject(error)
        this.#take()
        resolve(this.#made.splice(0))
      }
      start()
    })
  }

  #take(): void {
    for (let made = this.#zlib.read() as Buffer | null; made !== null; made = this.#zlib.read() as Buffer | null) this.#made.push(made)
  }
}
