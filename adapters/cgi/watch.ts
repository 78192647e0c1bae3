/** Ends what stands still: hears when nothing has moved for a time, while nobody else is waited for. */
export class Watch {
  readonly #timer: NodeJS.Timeout | undefined
  #held = 0

  /** No limit if `seconds` is 0. */
  constructor(seconds: number, late: () => void) {
    if (seconds === 0) return
    this.#timer = setTimeout(() => {
      if (this.#held > 0) this.#timer?.refresh()
      else late()
    }, seconds * 1000)
  }

  /** Something has moved. */
  touch(): void {
    this.#timer?.refresh()
  }

  /** The client is waited for. */
  async during<T>(promise: Promise<T>): Promise<T> {
    this.#held++
    try {
      return await promise
    } finally {
      this.#held--
      this.touch()
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
