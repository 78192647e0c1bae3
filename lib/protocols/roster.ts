/** Something that may stand in a roster. */
export interface Placed {
  /** Its place; the roster's own. */
  place: number
}

/**
 * A set whose members come and go all the time. Each table that a Set has outgrown points to its next one; once a table
 * is old, the collector takes all that follow it, and their members, for living until a full collection.
 */
export class Roster<Member extends Placed> {
  readonly #members: Member[] = []

  get size(): number {
    return this.#members.length
  }

  /** The members of this moment. */
  get all(): readonly Member[] {
    return [...this.#members]
  }

  /** Adds what is in no roster. */
  add(member: Member): void {
    member.place = this.#members.push(member) - 1
  }

  /** Takes out a member; what is none is left alone. */
  delete(member: Member): void {
    const members = this.#members
    const { place } = member
    if (members[place] !== member) return
    const last = members.pop()
    if (last === undefined || last === member) return
    last.place = place
    members[place] = last
  }
}
