import type { Socket } from 'node:net'
import { Timed, type TimerWheel } from '../timer-wheel.ts'

/** Seconds between two looks at what the client has taken, at most. */
const LOOK = 1

/** What `net` counts: bytes handed to the kernel are those written less those that its queue still holds. */
interface WritingHandle {
  readonly bytesWritten: number
  readonly writeQueueSize: number
}

/** Cuts a client off that takes nothing of what was written; the timer of a socket would count its reads as well. */
export class SendWatch extends Timed {
  readonly #socket: Socket
  readonly #wheel: TimerWheel
  readonly #limit: number
  readonly #interval: number
  readonly #cut: () => void
  #taken = 0
  #idle = 0
  #lookedAt = 0
  #watching = false

  /** Calls `cut` when the client has taken nothing for `limit` seconds between `start` and `stop`. */
  constructor(socket: Socket, wheel: TimerWheel, limit: number, cut: () => void) {
    super()
    this.#socket = socket
    this.#wheel = wheel
    this.#limit = limit
    this.#interval = Math.min(LOOK, limit / 4)
    this.#cut = cut
  }

  /** The socket is full. */
  start(): void {
    if (this.#watching) return
    this.#watching = true
    this.#idle = 0
    this.#taken = takenOf(this.#socket)
    this.#look()
  }

  /** Nothing waits for the client any more. */
  stop(): void {
    this.#watching = false
    this.dueTurn = 0
  }

  override expired(): void {
    const taken = takenOf(this.#socket)
    // A loop that was blocked looks late: that is not held against the client.
    const passed = Math.min((performance.now() - this.#lookedAt) / 1000, 2 * this.#interval)
    this.#idle = taken === this.#taken ? this.#idle + passed : 0
    this.#taken = taken
    if (this.#idle >= this.#limit) this.#cut()
    else this.#look()
  }

  #look(): void {
    this.#lookedAt = performance.now()
    this.#wheel.set(this, this.#interval)
  }
}

function takenOf(socket: Socket): number {
  const handle = (socket as { _handle?: WritingHandle | null })._handle
  return handle === null || handle === undefined ? -1 : handle.bytesWritten - handle.writeQueueSize
}
