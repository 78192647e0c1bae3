import * as assert from 'uvu/assert'
import type { WebSocketSendEvent } from '../../lib/index.ts'
import { Guest } from '../../playground/chat/guest.ts'
import { Rooms, type Member } from '../../playground/chat/rooms.ts'
import { limits, parse, Sorry, type Limits, type Told } from '../../playground/chat/wire.ts'
import { suite } from '../support/suite.ts'

const test = suite('playground chat rooms')

/** The server's side of a connection: it keeps what is sent. */
class Line {
  readonly events: WebSocketSendEvent[] = []
  /** Whether the client takes nothing. */
  stuck = false
  #resume: (() => void)[] = []

  readonly send = (event: WebSocketSendEvent): Promise<void> => {
    this.events.push(event)
    return this.stuck ? new Promise((resolve) => this.#resume.push(resolve)) : Promise.resolve()
  }

  /** The client takes all that waits, but no more. */
  async read(): Promise<void> {
    for (const resume of this.#resume.splice(0)) resume()
    await Promise.resolve()
  }

  get told(): Told[] {
    return this.events.flatMap((event) => (event.type === 'websocket.send' && typeof event.text === 'string' ? [JSON.parse(event.text) as Told] : []))
  }

  get last(): Told | undefined {
    return this.told.at(-1)
  }

  get closed(): number | null | undefined {
    return this.events.flatMap((event) => (event.type === 'websocket.close' ? [event.code] : []))[0]
  }

  /** What was said here, by whom. */
  get said(): string[] {
    return this.told.flatMap((told) => (told.type === 'said' ? [`${told.name}: ${told.text}`] : []))
  }
}

function enter(rooms: Rooms, name: string, room = 'tea', key = `key of ${name}`): { line: Line; member: Member } {
  const line = new Line()
  return { line, member: rooms.join({ type: 'join', room, name, key }, line.send) }
}

function sorry(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    assert.instance(error, Sorry)
    return (error as Sorry).message
  }
  throw new Error('nobody was sorry')
}

const small = (change: Partial<Limits>): Rooms => new Rooms({ ...limits, ...change })

test('a newcomer is told who is here and what was said, and the others that there is a newcomer', () => {
  const rooms = new Rooms()
  const ada = enter(rooms, 'Ada')
  assert.equal(ada.line.told, [{ type: 'welcome', room: 'tea', name: 'Ada', members: ['Ada'], history: [] }])
  ada.member.say('Hello?', 'r1')
  const ben = enter(rooms, 'Ben')
  const [welcome] = ben.line.told
  assert.ok(welcome?.type === 'welcome')
  assert.equal(welcome.members, ['Ada', 'Ben'])
  assert.equal(welcome.history.map(({ name, text, ref }) => [name, text, ref]), [['Ada', 'Hello?', 'r1']])
  assert.equal(ada.line.last, { type: 'came', name: 'Ben' })
  assert.is(ben.line.told.length, 1)
})

test('what one says all in the room get, the speaker too, as the very same event; other rooms get nothing', () => {
  const rooms = new Rooms()
  const [ada, ben, eve] = [enter(rooms, 'Ada'), enter(rooms, 'Ben'), enter(rooms, 'Eve', 'coffee')]
  ada.member.say('  two\n\tlines\u0007 ', 'r1')
  assert.equal(ben.line.said, ['Ada: two lines'])
  assert.is(ada.line.events.at(-1), ben.line.events.at(-1))
  assert.is(eve.line.told.length, 1)
})

test('who leaves is gone for the others, once, and is heard no more', () => {
  const rooms = new Rooms()
  const [ada, ben] = [enter(rooms, 'Ada'), enter(rooms, 'Ben')]
  ben.member.leave()
  ben.member.leave()
  ben.member.say('I am not here', 'r1')
  assert.equal(ada.line.told.slice(2), [{ type: 'left', name: 'Ben' }])
  const again = enter(rooms, 'Ben', 'tea', 'somebody else')
  assert.equal((again.line.told[0] as { members?: unknown }).members, ['Ada', 'Ben'])
})

test('a name is there once in a room, however it is written; in another room it is free', () => {
  const rooms = new Rooms()
  enter(rooms, 'Ada')
  for (const name of ['Ada', 'ada', ' ADA ', 'Ａda', 'A\u200bda']) {
    assert.is(sorry(() => enter(rooms, name, 'tea', 'other')), 'Somebody here is called Ada already.', name)
    assert.is(sorry(() => enter(rooms, name, 'TEA', 'other')), 'Somebody here is called Ada already.', name)
  }
  enter(rooms, 'Ada', 'coffee', 'other')
})

test('who comes back with the key takes over from the old connection, and nobody is told', () => {
  const rooms = new Rooms()
  const [ada, ben] = [enter(rooms, 'Ada'), enter(rooms, 'Ben')]
  const back = enter(rooms, 'Ben')
  assert.is(ben.line.closed, 4000)
  assert.equal((back.line.told[0] as { members?: unknown }).members, ['Ada', 'Ben'])
  ben.member.leave()
  assert.equal(ada.line.told.slice(1), [{ type: 'came', name: 'Ben' }])
  back.member.say('Here again', 'r1')
  assert.equal(ada.line.said, ['Ben: Here again'])
})

test('names and messages are bounded, and the answer says how', () => {
  const rooms = new Rooms()
  const { member } = enter(rooms, 'a'.repeat(24), 'b'.repeat(32))
  member.say('c'.repeat(500), 'r1')
  assert.is(sorry(() => enter(rooms, 'a'.repeat(25))), 'The name may have at most 24 characters.')
  assert.is(sorry(() => enter(rooms, 'Ada', 'b'.repeat(33))), 'The room may have at most 32 characters.')
  assert.is(sorry(() => member.say('c'.repeat(501), 'r2')), 'The message may have at most 500 characters.')
  for (const nothing of ['', ' \n ', '\u200b\u200d']) {
    assert.is(sorry(() => enter(rooms, nothing)), 'The name is missing.')
    assert.is(sorry(() => enter(rooms, 'Ada', nothing)), 'The room is missing.')
    assert.is(sorry(() => member.say(nothing, 'r3')), 'The message is missing.')
  }
})

test('a room remembers the last messages only, and their times grow, however fast they come', () => {
  const rooms = small({ history: 3 })
  const { line, member } = enter(rooms, 'Ada')
  for (const text of ['a', 'b', 'c', 'd', 'e']) member.say(text, text)
  const [welcome] = enter(rooms, 'Ben').line.told
  assert.ok(welcome?.type === 'welcome')
  assert.equal(welcome.history.map(({ text }) => text), ['c', 'd', 'e'])
  const times = line.told.flatMap((told) => (told.type === 'said' ? [told.at] : []))
  assert.equal(times, [...new Set(times)].sort((a, b) => a - b))
})

test('a full room takes nobody more, but somebody who comes back', () => {
  const rooms = small({ members: 2 })
  enter(rooms, 'Ada')
  const ben = enter(rooms, 'Ben')
  assert.is(sorry(() => enter(rooms, 'Eve')), 'This room is full.')
  enter(rooms, 'Ben')
  assert.is(ben.line.closed, 4000)
})

test('when there are too many rooms, one that nobody is in is forgotten; if there is none, nobody gets a new one', () => {
  const rooms = small({ rooms: 2 })
  const ada = enter(rooms, 'Ada', 'tea')
  ada.member.say('Hello', 'r1')
  ada.member.leave()
  enter(rooms, 'Ben', 'coffee')
  enter(rooms, 'Eve', 'water')
  assert.is(sorry(() => enter(rooms, 'Ada', 'tea')), 'All rooms are taken. Join one that is there, or come back later.')
  enter(rooms, 'Ada', 'water')
})

test('a member that takes nothing is closed with 1013 once too much waits for it; the others notice only that it left', async () => {
  const rooms = small({ waiting: 4 })
  const [ada, ben, slow] = [enter(rooms, 'Ada'), enter(rooms, 'Ben'), enter(rooms, 'Slow')]
  await Promise.resolve()
  slow.line.stuck = true
  for (const text of ['a', 'b', 'c', 'd', 'e', 'f']) {
    ada.member.say(text, text)
    await Promise.resolve()
  }
  assert.equal(slow.line.said, ['Ada: a', 'Ada: b', 'Ada: c', 'Ada: d'])
  assert.is(slow.line.closed, 1013)
  assert.is(slow.line.events.at(-1)?.type, 'websocket.close')
  assert.equal(ben.line.said, ['Ada: a', 'Ada: b', 'Ada: c', 'Ada: d', 'Ada: e', 'Ada: f'])
  assert.equal(ben.line.told.filter(({ type }) => type === 'left'), [{ type: 'left', name: 'Slow' }])
})

test('a member that is slow but reads stays', async () => {
  const rooms = small({ waiting: 4 })
  const [ada, slow] = [enter(rooms, 'Ada'), enter(rooms, 'Slow')]
  slow.line.stuck = true
  for (let i = 0; i < 40; i++) {
    ada.member.say(`${i}`, 'r')
    await slow.line.read()
  }
  assert.is(slow.line.said.length, 40)
  assert.is(slow.line.closed, undefined)
})

test('a connection whose send fails does no harm to the room', async () => {
  const rooms = new Rooms()
  const ada = enter(rooms, 'Ada')
  rooms.join({ type: 'join', room: 'tea', name: 'Gone', key: 'k' }, () => Promise.reject(new Error('gone')))
  ada.member.say('Hello', 'r1')
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(ada.line.said, ['Ada: Hello'])
})

test('whatever a page sends, it gets an answer in words', async () => {
  const line = new Line()
  const guest = new Guest(new Rooms(), line.send)
  const notUnderstood = 'This chat does not understand that.'
  for (const [message, text] of [
    ['', notUnderstood],
    ['null', notUnderstood],
    ['7', notUnderstood],
    ['[]', notUnderstood],
    ['{"type":"shout"}', notUnderstood],
    ['{"type":"join","room":"tea","name":7,"key":"k"}', notUnderstood],
    [JSON.stringify({ type: 'join', room: 'tea', name: 'Ada', key: 'k'.repeat(41) }), notUnderstood],
    ['{"type":"say","text":"hi"}', notUnderstood],
    [new Uint8Array([1, 2, 3]), notUnderstood],
    ['{"__proto__":{"type":"say"}}', notUnderstood],
    [' '.repeat(4097), 'That is too long.'],
    ['{"type":"say","text":"hi","ref":"r1"}', 'Join a room first.'],
    ['{"type":"join","room":"","name":"Ada","key":"k"}', 'The room is missing.'],
  ] as const) {
    await guest.hear(message)
    assert.equal(line.last, { type: 'sorry', text }, String(message).slice(0, 80))
  }
  await guest.hear('{"type":"join","room":"tea","name":"Ada","key":"k"}')
  assert.is(line.last?.type, 'welcome')
})

test('the longest message that the page can send is understood, however it is escaped', () => {
  const ref = 'r'.repeat(40)
  assert.equal(parse(JSON.stringify({ type: 'say', text: '\u0001'.repeat(limits.text), ref })), { type: 'say', text: '\u0001'.repeat(limits.text), ref })
})

test('who joins another room leaves the first', async () => {
  const rooms = new Rooms()
  const ada = enter(rooms, 'Ada')
  const guest = new Guest(rooms, new Line().send)
  await guest.hear('{"type":"join","room":"tea","name":"Ben","key":"k"}')
  await guest.hear('{"type":"join","room":"coffee","name":"Ben","key":"k"}')
  assert.equal(ada.line.told.slice(1), [{ type: 'came', name: 'Ben' }, { type: 'left', name: 'Ben' }])
})

test.run()
