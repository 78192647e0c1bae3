/** Entries that are added between two renewals, at least. */
const RENEW_EVERY = 64

/**
 * A Map whose entries come and go with the calls. Each table that a Map has outgrown points to its next one: once a table
 * is old, the collector takes all that follow it, and what is in them, for living until a full collection. So the Map
 * begins anew now and then.
 */
export class TransientMap<Key, Value> {
  #entries = new Map<Key, Value>()
  #left = RENEW_EVERY

  get(key: Key): Value | undefined {
    return this.#entries.get(key)
  }

  set(key: Key, value: Value): void {
    if (--this.#left === 0) {
      this.#entries = new Map(this.#entries)
      this.#left = RENEW_EVERY + 4 * this.#entries.size
    }
    this.#entries.set(key, value)
  }

  delete(key: Key): boolean {
    return this.#entries.delete(key)
  }

  /** Takes all entries out, in the order in which they came, and gives their values. */
  drain(): readonly Value[] {
    const values = [...this.#entries.values()]
    this.#entries.clear()
    return values
  }
}
