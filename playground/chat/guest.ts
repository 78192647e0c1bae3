/** One connection to the chat: what its page asks for is done, or answered with a polite no. */
import type { Send, WebSocketSendEvent } from 'tsgi'
import { eventOf, ignore, type Member, type Rooms } from './rooms.ts'
import { parse, Sorry } from './wire.ts'

export class Guest {
  readonly #rooms: Rooms
  readonly #send: Send<WebSocketSendEvent>
  #member: Member | null = null

  constructor(rooms: Rooms, send: Send<WebSocketSendEvent>) {
    this.#rooms = rooms
    this.#send = send
  }

  /** Takes a message from the page, which may be anything. */
  async hear(message: string | Uint8Array): Promise<void> {
    try {
      const asked = parse(message)
      if (asked.type === 'join') {
        this.leave()
        this.#member = this.#rooms.join(asked, this.#send)
      } else if (this.#member === null) {
        throw new Sorry('Join a room first.')
      } else {
        this.#member.say(asked.text, asked.ref)
      }
    } catch (error) {
      if (!(error instanceof Sorry)) throw error
      await this.#send(eventOf({ type: 'sorry', text: error.message })).catch(ignore)
    }
  }

  /** Leaves the room, if in one. */
  leave(): void {
    this.#member?.leave()
    this.#member = null
  }
}
