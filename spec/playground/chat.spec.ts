import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { serve } from '../../lib/index.ts'
import { chat } from '../../playground/chat/app.ts'
import { limits, type Told } from '../../playground/chat/wire.ts'
import showcase from '../../playground/showcase/app.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { openSocket, refusal } from './socket.ts'
import { start } from './support.ts'

const test = suite('playground chat')

/** Somebody in a room, by a connection without a page. */
interface Person {
  say(text: string): void
  /** The next thing that this connection is told; null once it is closed. */
  next(): Promise<Told | null>
  /** Waits until this is told. */
  until(wanted: (told: Told) => boolean): Promise<void>
  pause(): void
  resume(): void
  readonly closed: Promise<number>
}

async function enter(t: TestContext, url: string, name: string, room = 'tea'): Promise<Person> {
  const socket = await openSocket(t, `${url.replace('http', 'ws')}/socket`)
  const next = async (): Promise<Told | null> => {
    const message = await socket.next()
    return message === null ? null : JSON.parse(String(message)) as Told
  }
  socket.send(JSON.stringify({ type: 'join', room, name, key: `key of ${name}` }))
  assert.is((await next())?.type, 'welcome', name)
  return {
    next,
    until: async (wanted) => {
      for (let told = await next(); told !== null; told = await next()) if (wanted(told)) return
      throw new Error('closed')
    },
    say: (text) => socket.send(JSON.stringify({ type: 'say', text, ref: text.slice(0, 10) })),
    pause: () => socket.raw.pause(),
    resume: () => socket.raw.resume(),
    closed: socket.closed,
  }
}

const saidBy = (name: string, text: string) => (told: Told): boolean => told.type === 'said' && told.name === name && told.text === text

test('the page lets nobody write more than the rooms take', () => {
  const page = readFileSync(new URL('../../playground/chat/page/index.html', import.meta.url), 'utf8')
  for (const [field, limit] of [['room', limits.room], ['name', limits.name], ['text', limits.text]] as const) {
    assert.match(page, new RegExp(`<input name="${field}" maxlength="${limit}"`))
  }
})

test('the page comes with a policy that runs no script but its own', async (t) => {
  const response = await fetch(await start(t, chat()))
  assert.is(response.headers.get('content-type'), 'text/html; charset=utf-8')
  assert.is(response.headers.get('content-security-policy'), 'default-src \'self\'; img-src data:')
})

test('mounted, the page without its slash leads to the one with it; what is not there is a 404', async (t) => {
  const url = await start(t, showcase)
  const response = await fetch(`${url}/chat`, { redirect: 'manual' })
  assert.is(response.status, 307)
  assert.is(response.headers.get('location'), '/chat/')
  assert.is((await fetch(`${url}/chat`)).url, `${url}/chat/`)
  assert.is((await fetch(`${url}/chat/nothing`)).status, 404)
})

test('the WebSocket is at /socket, and refused elsewhere', async (t) => {
  const url = (await start(t, chat())).replace('http', 'ws')
  assert.is(await refusal(t, url), 403)
  assert.is(await refusal(t, `${url}/chat/socket`), 403)
})

test('people in one room hear each other and see who comes and goes; another room is another world', async (t) => {
  const url = await start(t, chat())
  const ada = await enter(t, url, 'Ada')
  const eve = await enter(t, url, 'Eve', 'coffee')
  const ben = await enter(t, url, 'Ben')
  assert.equal(await ada.next(), { type: 'came', name: 'Ben' })
  ben.say('Grüße')
  for (const person of [ada, ben]) {
    const told = await person.next()
    assert.ok(told !== null && saidBy('Ben', 'Grüße')(told))
  }
  eve.say('Nobody here')
  const told = await eve.next()
  assert.ok(told !== null && saidBy('Eve', 'Nobody here')(told))
})

test('a client that floods is held back: its messages go out at the pace of the room', async (t) => {
  const url = await start(t, chat({ ...limits, pace: 20 }))
  const [ada, ben] = [await enter(t, url, 'Ada'), await enter(t, url, 'Ben')]
  const started = performance.now()
  for (let i = 0; i < 500; i++) ada.say(`${i}`)
  await ben.until(saidBy('Ada', '20'))
  const took = performance.now() - started
  assert.ok(took > 19 * 20, `20 messages in ${took} ms`)
})

test('a client that does not read is closed with 1013, and holds nobody up', async (t) => {
  const url = await start(t, chat({ ...limits, text: 3500, pace: 0 }))
  const [ada, ben, slow] = [await enter(t, url, 'Ada'), await enter(t, url, 'Ben'), await enter(t, url, 'Slow')]
  slow.pause()
  let said = 0
  let left = false
  const leaves = ada.until((told) => told.type === 'left' && told.name === 'Slow').then(() => (left = true))
  while (!left) {
    const text = `${++said} `.padEnd(3500, 'x')
    ada.say(text)
    await ben.until(saidBy('Ada', text))
  }
  await leaves
  slow.resume()
  assert.is(await slow.closed, 1013)
}, 30)

test('when the server stops, everybody is closed with 1012', async (t) => {
  const server = await serve(chat(), { port: 0, accessLog: false })
  t.after(() => server.close())
  const [ada, ben] = [await enter(t, server.url, 'Ada'), await enter(t, server.url, 'Ben')]
  await server.close()
  assert.equal(await Promise.all([ada.closed, ben.closed]), [1012, 1012])
})

test.run()
