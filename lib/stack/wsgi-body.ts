import { asBuffer } from './byte-builder.ts'
import { checkedPiece } from './send-stream.ts'

/** The body of a response as WSGI has it. */
export class WsgiBody implements Iterable<Uint8Array> {
  readonly #pieces: Iterable<Uint8Array | string>
  readonly #closed: () => void
  #iterator: Iterator<Uint8Array | string> | null = null

  constructor(pieces: Iterable<Uint8Array | string>, closed: () => void) {
    this.#pieces = pieces
    this.#closed = closed
  }

  *[Symbol.iterator](): Generator<Uint8Array, void, void> {
    const iterator = this.#pieces[Symbol.iterator]()
    this.#iterator = iterator
    for (let step = this.#step(iterator); step.done !== true; step = this.#step(iterator)) {
      const piece = checkedPiece(step.value)
      yield typeof piece === 'string' ? Buffer.from(piece) : asBuffer(piece)
    }
  }

  /** Ends the pieces, if they are not at their end, and the response; a second time it does nothing. */
  close(): void {
    const iterator = this.#iterator
    this.#iterator = null
    try {
      iterator?.return?.()
    } finally {
      this.#closed()
    }
  }

  #step(iterator: Iterator<Uint8Array | string>): IteratorResult<Uint8Array | string, unknown> {
    // What fails, or is at its end, is not asked to return.
    this.#iterator = null
    const step = iterator.next()
    if (step.done !== true) this.#iterator = iterator
    return step
  }
}
