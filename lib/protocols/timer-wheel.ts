/** Milliseconds between two turns of the wheel, and so the precision of every deadline. */
const TURN = 100
const SLOTS = 1024
/** Turns made at once: a timer that is a little late catches up; what a blocked loop is behind by is nobody's fault. */
const MOST_TURNS = 2

/** Something that may come to its deadline; the wheel keeps its two fields. */
export abstract class Timed {
  /** The turn at which it is due; 0 when it has no deadline. The wheel's own. */
  dueTurn = 0
  /** The turn at which the wheel looks at it next; 0 when it is not in the wheel. The wheel's own. */
  lookTurn = 0

  /** The deadline has come. */
  abstract expired(): void
}

/**
 * Deadlines of many connections on one interval timer. Setting a later deadline, the common case, is one assignment:
 * the entry stays in its slot and is moved when the wheel gets there.
 * A loop that was blocked makes the wheel late, not the clients.
 */
export class TimerWheel {
  readonly #slots: (Set<Timed> | null)[] = new Array<Set<Timed> | null>(SLOTS).fill(null)
  #turn = 1
  #size = 0
  #nextTurnAt = 0
  #timer: NodeJS.Timeout | null = null

  /** Gives `entry` a deadline, in seconds from now, in place of any other; 0 seconds for none. */
  set(entry: Timed, seconds: number): void {
    if (seconds === 0) {
      entry.dueTurn = 0
      return
    }
    // One turn more, since this one has begun already: never early.
    const due = this.#turn + Math.ceil((seconds * 1000) / TURN) + 1
    entry.dueTurn = due
    if (entry.lookTurn !== 0) {
      if (entry.lookTurn <= due) return
      this.#slots[entry.lookTurn % SLOTS]?.delete(entry)
      this.#size--
    }
    this.#place(entry, due)
  }

  /** Forgets `entry` altogether. */
  remove(entry: Timed): void {
    entry.dueTurn = 0
    if (entry.lookTurn === 0) return
    this.#slots[entry.lookTurn % SLOTS]?.delete(entry)
    entry.lookTurn = 0
    if (--this.#size === 0) this.#rest()
  }

  #place(entry: Timed, due: number): void {
    const look = Math.min(due, this.#turn + SLOTS - 1)
    entry.lookTurn = look
    const slot = look % SLOTS
    const entries = this.#slots[slot] ?? new Set()
    this.#slots[slot] = entries
    entries.add(entry)
    this.#size++
    if (this.#timer === null) {
      this.#nextTurnAt = performance.now() + TURN
      // After a poll of the sockets: what came while the loop was blocked is read before anyone is cut off.
      this.#timer = setInterval(() => setImmediate(() => this.#advance()), TURN).unref()
    }
  }

  #advance(): void {
    const now = performance.now()
    for (let turns = 0; turns < MOST_TURNS && this.#nextTurnAt <= now; turns++) {
      this.#nextTurnAt += TURN
      this.#turnOnce()
    }
    if (this.#nextTurnAt <= now) this.#nextTurnAt = now + TURN
    if (this.#size === 0) this.#rest()
  }

  #turnOnce(): void {
    const turn = ++this.#turn
    const entries = this.#slots[turn % SLOTS]
    if (entries === null || entries === undefined) return
    this.#slots[turn % SLOTS] = null
    for (const entry of entries) {
      // An entry that expired before may have moved or removed this one.
      if (entry.lookTurn !== turn) continue
      this.#size--
      entry.lookTurn = 0
      if (entry.dueTurn === 0) continue
      if (entry.dueTurn > turn) {
        this.#place(entry, entry.dueTurn)
      } else {
        entry.dueTurn = 0
        entry.expired()
      }
    }
  }

  /** An empty wheel stands still. */
  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }
}
