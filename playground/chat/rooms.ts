/** Who is where, and what was said. Nothing here waits: what one member is slow to read is no other member's concern. */
import type { Send, WebSocketSendEvent, WebSocketSendMessageEvent } from 'tsgi'
import { limits as defaults, looks, oneLine, Sorry, type Join, type Limits, type Said, type Told } from './wire.ts'

/** All rooms. They live in the memory of this process, and end with it. */
export class Rooms {
  readonly #rooms = new Map<string, Room>()
  readonly #limits: Limits

  constructor(limits: Limits = defaults) {
    this.#limits = limits
  }

  /** Lets somebody into a room, which is made if need be. Throws `Sorry`. */
  join({ room, name, key }: Join, send: Send<WebSocketSendEvent>): Member {
    const named = oneLine('The name', name, this.#limits.name)
    return this.#room(oneLine('The room', room, this.#limits.room)).join(named, key, send)
  }

  #room(name: string): Room {
    const found = this.#rooms.get(looks(name))
    if (found !== undefined) return found
    if (this.#rooms.size >= this.#limits.rooms) this.#makeWay()
    const room = new Room(name, this.#limits)
    this.#rooms.set(looks(name), room)
    return room
  }

  /** Forgets the oldest room that nobody is in. */
  #makeWay(): void {
    for (const [key, room] of this.#rooms) {
      if (room.empty) return void this.#rooms.delete(key)
    }
    throw new Sorry('All rooms are taken. Join one that is there, or come back later.')
  }
}

/** One room: its members, and the last messages for those who come later. */
export class Room {
  readonly #name: string
  readonly #limits: Limits
  readonly #members = new Map<string, Member>()
  readonly #history: Said[] = []
  #lastAt = 0

  constructor(name: string, limits: Limits) {
    this.#name = name
    this.#limits = limits
  }

  get empty(): boolean {
    return this.#members.size === 0
  }

  /** Lets somebody in. Throws `Sorry` if the name is taken, unless by a connection of the same page, which it takes over. */
  join(name: string, key: string, send: Send<WebSocketSendEvent>): Member {
    const before = this.#members.get(looks(name))
    if (before !== undefined && before.key !== key) throw new Sorry(`Somebody here is called ${before.name} already.`)
    if (before === undefined && this.#members.size >= this.#limits.members) throw new Sorry('This room is full.')

    const member = new Member(this, name, key, send, this.#limits.waiting)
    before?.close(4000, 'You are here by another connection.')
    this.#members.set(looks(name), member)
    const members = Array.from(this.#members.values(), (each) => each.name)
    member.tell(eventOf({ type: 'welcome', room: this.#name, name, members, history: this.#history }))
    if (before === undefined) this.#tellAll({ type: 'came', name }, member)
    return member
  }

  /** Tells all what a member says; nothing, if it is no member any more. Throws `Sorry`. */
  say(member: Member, text: string, ref: string): void {
    if (this.#members.get(looks(member.name)) !== member) return
    const line = oneLine('The message', text, this.#limits.text)
    // The time is also the order, even over a restart: a page that comes back shows what is later than its last.
    this.#lastAt = Math.max(Date.now(), this.#lastAt + 1)
    const said: Said = { type: 'said', at: this.#lastAt, name: member.name, text: line, ref }
    if (this.#history.push(said) > this.#limits.history) this.#history.shift()
    this.#tellAll(said)
  }

  /** Lets a member go, and tells the others; nothing, if it is no member any more. */
  leave(member: Member): void {
    if (this.#members.get(looks(member.name)) !== member) return
    this.#members.delete(looks(member.name))
    this.#tellAll({ type: 'left', name: member.name })
  }

  #tellAll(told: Told, except?: Member): void {
    // One event for all: the server frames it once, however many there are.
    const event = eventOf(told)
    const slow: Member[] = []
    for (const member of this.#members.values()) {
      if (member !== except && !member.tell(event)) slow.push(member)
    }
    for (const member of slow) {
      member.close(1013, 'You did not keep up.')
      this.leave(member)
    }
  }
}

/** Somebody in a room. */
export class Member {
  readonly name: string
  readonly key: string
  readonly #room: Room
  readonly #send: Send<WebSocketSendEvent>
  readonly #limit: number
  #waiting = 0

  constructor(room: Room, name: string, key: string, send: Send<WebSocketSendEvent>, limit: number) {
    this.#room = room
    this.name = name
    this.key = key
    this.#send = send
    this.#limit = limit
  }

  /** Says something to all in the room. Throws `Sorry`. */
  say(text: string, ref: string): void {
    this.#room.say(this, text, ref)
  }

  /** Leaves the room. */
  leave(): void {
    this.#room.leave(this)
  }

  /**
   * Hands an event to the server, and does not wait for the client to have room for it. Returns false, and sends
   * nothing, when too many wait already: without that limit, a client that stops reading would fill the memory.
   */
  tell(event: WebSocketSendMessageEvent): boolean {
    if (this.#waiting >= this.#limit) return false
    this.#waiting++
    this.#send(event).then(() => this.#waiting--, ignore)
    return true
  }

  close(code: number, reason: string): void {
    this.#send({ type: 'websocket.close', code, reason }).catch(ignore)
  }
}

/** What is told, as an event. */
export function eventOf(told: Told): WebSocketSendMessageEvent {
  return { type: 'websocket.send', text: JSON.stringify(told) }
}

/** `send` fails once the WebSocket is closed. Its messages end then, and so does the membership: that is enough. */
export function ignore(): void {}
