/** What goes over the socket of the chat: JSON, one object a message. */

/** How much of everything there may be; so the memory of the chat is bounded too. */
export interface Limits {
  /** Characters of a name. */
  readonly name: number
  /** Characters of a room's name. */
  readonly room: number
  /** Characters of a message. */
  readonly text: number
  /** Rooms. An empty one makes way for a new one. */
  readonly rooms: number
  /** Members of a room. */
  readonly members: number
  /** Messages that a room remembers. */
  readonly history: number
  /** Messages that may wait for one member to read. */
  readonly waiting: number
  /** Milliseconds from one message of a member to the next. */
  readonly pace: number
}

export const limits: Limits = { name: 24, room: 32, text: 500, rooms: 200, members: 100, history: 100, waiting: 64, pace: 50 }

/** From the page: it wants to be in a room. `key` is its secret: who comes back with it gets its name back. */
export interface Join {
  readonly type: 'join'
  readonly room: string
  readonly name: string
  readonly key: string
}

/** From the page: a message. `ref` comes back with it, so that the page knows its own. */
export interface Say {
  readonly type: 'say'
  readonly text: string
  readonly ref: string
}

/** To the page: a message of somebody. `at` is a time in milliseconds, and grows from each message of a room to the next. */
export interface Said {
  readonly type: 'said'
  readonly at: number
  readonly name: string
  readonly text: string
  readonly ref: string
}

/** To the page. `sorry` answers what could not be done, so after `join` it stands in place of `welcome`. */
export type Told =
  | { readonly type: 'welcome'; readonly room: string; readonly name: string; readonly members: readonly string[]; readonly history: readonly Said[] }
  | { readonly type: 'came' | 'left'; readonly name: string }
  | { readonly type: 'sorry'; readonly text: string }
  | Said

/** What cannot be done, in words for the one who asked. */
export class Sorry extends Error {}

/** More than any message of the page has, however its text is escaped. */
const LONGEST = 4096

/** Reads a message of a page, which may be anything; throws `Sorry`. */
export function parse(message: string | Uint8Array): Join | Say {
  if (message.length > LONGEST) throw new Sorry('That is too long.')
  const { type, room, name, key, text, ref } = parseObject(message)
  if (type === 'join' && isString(room) && isString(name) && isMark(key)) return { type, room, name, key }
  if (type === 'say' && isString(text) && isMark(ref)) return { type, text, ref }
  throw new Sorry('This chat does not understand that.')
}

function parseObject(message: string | Uint8Array): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(String(message))) as Record<string, unknown>
  } catch {
    return {}
  }
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

/** Whether this can be a `key` or a `ref`. */
function isMark(value: unknown): value is string {
  return isString(value) && value !== '' && value.length <= 40
}

/** A text as one line; throws `Sorry` if nothing is left, or too much. */
export function oneLine(what: string, text: string, limit: number): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim()
  if (looks(line) === '') throw new Sorry(`${what} is missing.`)
  if (line.length > limit) throw new Sorry(`${what} may have at most ${limit} characters.`)
  return line
}

/** The same for names that only differ in case, in width, or in what cannot be seen. */
export function looks(name: string): string {
  return name.normalize('NFKC').replace(/\p{Cf}/gu, '').toLowerCase()
}
