/** What became of one request. Times are in milliseconds. */
export interface Taken {
  readonly allowed: boolean
  /** How many requests more would be let through now. */
  readonly remaining: number
  /** How long until the next one would be let through; 0 if that is now. */
  readonly retryAfter: number
  /** How long until all of the limit is there again. */
  readonly reset: number
}

/**
 * The Generic Cell Rate Algorithm, in its form of virtual scheduling (ITU-T I.371, annex A): for each key it keeps one
 * number, the theoretical arrival time (TAT), when a client that sends at the even rate would send next. `limit` requests
 * may come at once, and then one every `window / limit`.
 *
 * At most `maxKeys` keys are kept, in two generations: a key that is seen is of the young one. When that is half of
 * `maxKeys`, or a window old, it becomes the old one, and the old one is dropped. Who has not been seen for a window has
 * all of the limit again, so nothing is lost but by too many keys. (To look for the oldest key of one Map would be slow:
 * V8 walks past all that were deleted.)
 */
export class Gcra {
  readonly #interval: number
  readonly #window: number
  readonly #half: number
  #young = new Map<string, number>()
  #old: ReadonlyMap<string, number> = new Map()
  #begun = 0

  /** `window` in milliseconds. */
  constructor(limit: number, window: number, maxKeys: number) {
    this.#interval = window / limit
    this.#window = window
    this.#half = Math.floor(maxKeys / 2)
  }

  /** How many keys are kept; those of both generations count twice. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** Counts a request of a key at a time of a clock that does not go back. */
  take(key: string, now: number): Taken {
    const before = Math.max(this.#young.get(key) ?? this.#old.get(key) ?? now, now)
    const next = before + this.#interval
    // Sums of fractions are not exact: a thousandth of a request is let off.
    const allowed = next - now <= this.#window + this.#interval / 1000
    const arrival = allowed ? next : before
    if (now - this.#begun >= this.#window || (this.#young.size >= this.#half && !this.#young.has(key))) this.#age(now)
    this.#young.set(key, arrival)
    const free = this.#window - (arrival - now)
    return {
      allowed,
      remaining: Math.max(0, Math.floor(free / this.#interval + 0.001)),
      retryAfter: Math.max(0, this.#interval - free),
      reset: arrival - now,
    }
  }

  #age(now: number): void {
    this.#old = this.#young
    this.#young = new Map()
    this.#begun = now
  }
}
