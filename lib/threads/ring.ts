import { setImmediate as immediate } from 'node:timers/promises'
import { ClientDisconnected, InvalidOption } from '../contract/errors.ts'

/**
 * A stream of bytes from one thread to another, through a ring in shared memory: one writer, one reader, each blocking
 * or awaiting as its thread can. Memory stays what the ring has; who is ahead waits for the other.
 */
export type RingMemory = SharedArrayBuffer

/** Bytes of a ring where no other number is given. */
const CAPACITY = 256 * 1024
/** Most bytes that one `read` gives, so that an event loop is not held up. */
const READ = 64 * 1024

/** Calls in a row that may go through without a wait. */
const STREAK = 16

// Words, each on a cache line of its own: where the writer and the reader are (both run on for ever, and wrap), how often
// each has done something that the other may wait for, and whether more may come.
const HEAD = 0
const TAIL = 16
const WRITER_TURN = 32
const READER_TURN = 48
const STATE = 64
const CONTROL_BYTES = 80 * 4

const OPEN = 0
const ENDED = 1
const CUT = 2
const CANCELLED = 3

/** Makes a ring of so many bytes, a power of two. */
export function ringMemory(capacity: number = CAPACITY): RingMemory {
  if (!Number.isInteger(Math.log2(capacity)) || capacity < 2 || capacity > 2 ** 30) throw new InvalidOption('the capacity of a ring', 'a power of two from 2 to 2^30', capacity)
  return new SharedArrayBuffer(CONTROL_BYTES + capacity)
}

/** What both ends have. */
abstract class RingEnd {
  protected readonly words: Int32Array
  protected readonly data: Uint8Array
  #streak = 0

  constructor(memory: RingMemory) {
    this.words = new Int32Array(memory, 0, CONTROL_BYTES / 4)
    this.data = new Uint8Array(memory, CONTROL_BYTES)
  }

  /** Whether so much went through without a wait that the event loop should have its turn. */
  protected mustYield(): boolean {
    this.#streak = (this.#streak + 1) % STREAK
    return this.#streak === 0
  }

  protected waited(): void {
    this.#streak = 0
  }

  /** Bytes that have been written and not read. */
  protected get filled(): number {
    return (Atomics.load(this.words, HEAD) - Atomics.load(this.words, TAIL)) | 0
  }

  protected get state(): number {
    return Atomics.load(this.words, STATE)
  }

  /** Tells whoever waits for this end that it should look again. */
  protected turn(word: number): void {
    Atomics.add(this.words, word, 1)
    Atomics.notify(this.words, word)
  }

  /** Gives the stream another state, if it is open or has ended only, and tells whoever waits, at either end. */
  protected leave(state: number): void {
    if (Atomics.compareExchange(this.words, STATE, OPEN, state) === ENDED && state !== ENDED) Atomics.compareExchange(this.words, STATE, ENDED, state)
    this.turn(WRITER_TURN)
    this.turn(READER_TURN)
  }
}

/** The end that writes. */
export class RingWriter extends RingEnd {
  /** Writes all bytes, and blocks while the ring is full. Throws `ClientDisconnected` when the reader has left. */
  writeSync(bytes: Uint8Array): void {
    let at = 0
    for (;;) {
      const turn = Atomics.load(this.words, READER_TURN)
      at = this.#put(bytes, at)
      if (at === bytes.length) return
      Atomics.wait(this.words, READER_TURN, turn)
    }
  }

  /** Writes all bytes; resolves when they are in the ring. They may be changed then. Rejects with `ClientDisconnected`. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.mustYield()) await immediate()
    let at = 0
    for (;;) {
      const turn = Atomics.load(this.words, READER_TURN)
      at = this.#put(bytes, at)
      if (at === bytes.length) return
      await turned(this.words, READER_TURN, turn)
      this.waited()
    }
  }

  /** The stream is complete. */
  end(): void {
    this.leave(ENDED)
  }

  /** The stream ends before it is complete: the reader gets what was written, then an error. */
  cut(): void {
    this.leave(CUT)
  }

  /** Writes as much as there is room for; returns how far it got. */
  #put(bytes: Uint8Array, from: number): number {
    if (this.state !== OPEN) throw new ClientDisconnected('nobody reads this stream any more')
    const { data } = this
    const length = Math.min(bytes.length - from, data.length - this.filled)
    if (length <= 0) return from
    const head = Atomics.load(this.words, HEAD)
    const start = head & (data.length - 1)
    const first = Math.min(length, data.length - start)
    data.set(bytes.subarray(from, from + first), start)
    if (first < length) data.set(bytes.subarray(from + first, from + length), 0)
    Atomics.store(this.words, HEAD, (head + length) | 0)
    this.turn(WRITER_TURN)
    return from + length
  }
}

/** The end that reads. */
export class RingReader extends RingEnd {
  /** At most `most` bytes, in memory of their own; blocks while there are none. Null at the end. Throws `ClientDisconnected` when the stream was cut short. */
  readSync(most: number = READ): Buffer | null {
    for (;;) {
      const turn = Atomics.load(this.words, WRITER_TURN)
      const bytes = this.#take(most)
      if (bytes !== undefined) return bytes
      Atomics.wait(this.words, WRITER_TURN, turn)
    }
  }

  /** The same without blocking. */
  async read(most: number = READ): Promise<Buffer | null> {
    if (this.mustYield()) await immediate()
    for (;;) {
      const turn = Atomics.load(this.words, WRITER_TURN)
      const bytes = this.#take(most)
      if (bytes !== undefined) return bytes
      await turned(this.words, WRITER_TURN, turn)
      this.waited()
    }
  }

  /** Reads no more: the writer gets an error. */
  cancel(): void {
    this.leave(CANCELLED)
  }

  /** Undefined while there is nothing to take, and more may come. */
  #take(most: number): Buffer | null | undefined {
    const { data } = this
    // Before the bytes are looked at: what was written before the end is read before it.
    const { state } = this
    const length = Math.min(most, this.filled)
    if (length === 0) {
      if (state === OPEN) return undefined
      if (state === ENDED) return null
      throw new ClientDisconnected('the stream was cut short')
    }
    const tail = Atomics.load(this.words, TAIL)
    const start = tail & (data.length - 1)
    const first = Math.min(length, data.length - start)
    const bytes = Buffer.allocUnsafeSlow(length)
    bytes.set(data.subarray(start, start + first))
    if (first < length) bytes.set(data.subarray(0, length - first), first)
    Atomics.store(this.words, TAIL, (tail + length) | 0)
    this.turn(READER_TURN)
    return bytes
  }
}

/** `Atomics.waitAsync`, which the types of this version of JavaScript do not have. */
interface AsyncAtomics {
  waitAsync(words: Int32Array, index: number, value: number): { readonly async: boolean; readonly value: Promise<string> | string }
}

let waits = 0
let timer: NodeJS.Timeout | null = null

/** Resolves when a word is no longer `value`. Such a wait does not keep a process alive by itself, so a timer does. */
async function turned(words: Int32Array, index: number, value: number): Promise<void> {
  const { value: woken } = (Atomics as unknown as AsyncAtomics).waitAsync(words, index, value)
  if (typeof woken === 'string') return
  if (waits++ === 0) timer = setInterval(() => {}, 2 ** 30)
  try {
    await woken
  } finally {
    if (--waits === 0 && timer !== null) clearInterval(timer)
  }
}
