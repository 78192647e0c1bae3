import type { Receive } from '../contract/application.ts'
import { BodyConsumed, ClientDisconnected, TooLarge, WrongMode } from '../contract/errors.ts'
import type { Environ, WsgiInput } from '../contract/wsgi.ts'
import type { HttpReceiveEvent } from '../contract/events.ts'
import { ByteBuilder } from './byte-builder.ts'
import { either, type Need } from './effects.ts'
import { isOver } from './limits.ts'
import { Once } from './once.ts'

/** Neutral code that reads: `runSync` and `runAsync` run it. */
export type Reading<T> = Generator<Need, T, unknown>

/** Where the bytes of a body come from. `WrongMode` is what a form throws that the source does not have. */
export interface BodySource {
  /** The next bytes, at least one; null at the end. Throws `ClientDisconnected` if the body is cut short. */
  readSync(): Uint8Array | null
  /** The same, awaiting. */
  read(): Promise<Uint8Array | null>
}

const BLOCK = 64 * 1024

/** The body that `receive` gives. */
export class ReceiveSource implements BodySource {
  readonly #receive: Receive<HttpReceiveEvent> | Receive
  #ended = false

  constructor(receive: Receive<HttpReceiveEvent> | Receive) {
    this.#receive = receive
  }

  readSync(): never {
    throw new WrongMode('the body of a request that came by receive', 'sync')
  }

  async read(): Promise<Uint8Array | null> {
    while (!this.#ended) {
      const event = await this.#receive()
      if (event.type !== 'http.request') throw new ClientDisconnected('the client disconnected before its body was complete')
      this.#ended = !event.moreBody
      if (event.body.length > 0) return event.body
    }
    return null
  }
}

/** The body that `wsgi.input` gives. */
export class WsgiSource implements BodySource {
  readonly #input: WsgiInput
  /** What the client has announced and not sent yet; Infinity if only the input knows where the body ends. */
  #left: number
  /** Whether the input says by itself where the body ends. */
  readonly #terminated: boolean

  constructor(environ: Environ) {
    const length = environ.CONTENT_LENGTH ?? ''
    this.#input = environ['wsgi.input']
    this.#terminated = environ['wsgi.input_terminated'] === true
    // As in Django, a bad length is 0.
    this.#left = length === '' && this.#terminated ? Infinity : /^[0-9]+$/.test(length) ? Number(length) : 0
  }

  readSync(): Uint8Array | null {
    if (this.#left === 0) return null
    const bytes = this.#input.read(Math.min(BLOCK, this.#left))
    if (bytes.length > 0) {
      this.#left -= bytes.length
      return bytes
    }
    if (this.#left !== Infinity) throw new ClientDisconnected('the client disconnected before its body was complete')
    this.#left = 0
    return null
  }

  async read(): Promise<never> {
    throw new WrongMode('the body of a request that came by wsgi.input', 'async')
  }
}

/** A body that is there already. */
export class BytesSource implements BodySource {
  #bytes: Uint8Array | null

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes.length === 0 ? null : bytes
  }

  readSync(): Uint8Array | null {
    const bytes = this.#bytes
    this.#bytes = null
    return bytes
  }

  async read(): Promise<Uint8Array | null> {
    return this.readSync()
  }
}

/** The chunks of a body, for neutral code: `yield* chunks.next()` until it gives null. */
export interface ChunkReader {
  /** The next bytes, null at the end. */
  next(): Reading<Uint8Array | null>
}

/** How much of a body has been read on this side, and how much may be, however it is read; 0 is no limit. */
export interface BodyCount {
  bodyTaken: number
  readonly bodyLimit: number
}

/** The body of a request, read once, and kept if it was read whole. */
export class RequestBody {
  readonly #source: BodySource
  readonly #count: BodyCount
  readonly #whole = new Once<Buffer>()
  /** The reader that streams it. */
  #streamed: ChunkReader | null = null

  constructor(source: BodySource, count: BodyCount) {
    this.#source = source
    this.#count = count
  }

  /** The whole body, if it has been read. */
  get cached(): Buffer | null {
    return this.#whole.value
  }

  /** Takes a body that was read elsewhere. */
  adopt(bytes: Buffer): void {
    this.#whole.set(bytes)
    this.#streamed = null
  }

  /** The whole body. `announced` is its `content-length`. */
  *bytes(limit: number, announced: number | null): Reading<Buffer> {
    if (this.#streamed !== null) throw new BodyConsumed()
    return yield* this.#whole.get(() => this.#readWhole(limit, announced))
  }

  /** Its chunks: those that come, or the whole again if it has been read. */
  chunks(): ChunkReader {
    let ended = false
    const body = this
    const reader: ChunkReader = {
      *next() {
        if (ended) return null
        if (body.#streamed === null && (body.#whole.running || body.#whole.settled)) {
          const whole = yield* body.#whole.get(() => { throw new BodyConsumed() })
          ended = true
          return whole.length === 0 ? null : whole
        }
        const chunk = yield* body.#next(reader)
        ended = chunk === null
        return chunk
      },
    }
    return reader
  }

  *#next(reader: ChunkReader): Reading<Uint8Array | null> {
    const first = this.#streamed === null
    this.#streamed ??= reader
    if (this.#streamed !== reader) throw new BodyConsumed()
    try {
      return yield* this.#read()
    } catch (error) {
      // Nothing was taken, so that code of the other mode may read it still.
      if (first && error instanceof WrongMode) this.#streamed = null
      throw error
    }
  }

  *#read(): Reading<Uint8Array | null> {
    const count = this.#count
    requireWithin(count)
    const bytes = yield* either(() => this.#source.readSync(), () => this.#source.read())
    if (bytes !== null) {
      count.bodyTaken += bytes.length
      requireWithin(count)
    }
    return bytes
  }

  *#readWhole(limit: number, announced: number | null): Reading<Buffer> {
    if (announced !== null && isOver(announced, limit)) throw tooLarge(limit)
    const bytes = new ByteBuilder()
    for (let chunk = yield* this.#read(); chunk !== null; chunk = yield* this.#read()) {
      if (isOver(bytes.length + chunk.length, limit)) throw tooLarge(limit)
      bytes.push(chunk)
    }
    return bytes.take()
  }
}

function requireWithin({ bodyTaken, bodyLimit }: BodyCount): void {
  if (isOver(bodyTaken, bodyLimit)) throw new TooLarge(`the body has more than ${bodyLimit} bytes (layer bodyLimit)`)
}

function tooLarge(limit: number): TooLarge {
  return new TooLarge(`the body has more than ${limit} bytes (limit bodySize)`)
}
