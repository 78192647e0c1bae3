/** What became of a request at the gate. */
export type Entry = 'in' | 'full' | 'late' | 'gone'

/** Lets so many in at a time; others wait in order. */
export class Gate {
  readonly #limit: number
  readonly #queueLimit: number
  readonly #waiting = new Set<() => void>()
  #inside = 0

  constructor(limit: number, queueLimit: number) {
    this.#limit = limit
    this.#queueLimit = queueLimit
  }

  /** Whether nobody may even wait. */
  get full(): boolean {
    return this.#inside >= this.#limit && this.#waiting.size >= this.#queueLimit
  }

  /** Resolves with `in` once there is room: `leave` must follow. Gives up after so many seconds (0: never), and when the signal aborts. */
  async enter(signal: AbortSignal, seconds: number): Promise<Entry> {
    if (signal.aborted) return 'gone'
    if (this.#inside < this.#limit) {
      this.#inside++
      return 'in'
    }
    if (this.full) return 'full'
    return new Promise((resolve) => {
      const settle = (entry: Entry): void => {
        this.#waiting.delete(admit)
        clearTimeout(timer)
        signal.removeEventListener('abort', gone)
        resolve(entry)
      }
      const admit = (): void => settle('in')
      const gone = (): void => settle('gone')
      const timer = seconds === 0 ? undefined : setTimeout(() => settle('late'), seconds * 1000)
      signal.addEventListener('abort', gone, { once: true })
      this.#waiting.add(admit)
    })
  }

  /** Makes room for the next. */
  leave(): void {
    const [next] = this.#waiting
    // The place goes from one to the other.
    if (next === undefined) this.#inside--
    else next()
  }
}
