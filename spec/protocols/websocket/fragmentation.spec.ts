import * as assert from 'uvu/assert'
import { suite } from '../../support/suite.ts'
import { BINARY, CLOSE, closeFrame, closeOf, CONTINUATION, fragments, frame, PING, PONG, TEXT, turns } from '../../support/websocket-raw.ts'
import { assertFails, echo } from './recorder.ts'

const test = suite('WebSocket: fragmentation (RFC 6455 5.4)')

/** The documented bound of empty fragments in one message. */
const EMPTY_FRAGMENTS = 16384

const first = (opcode: number, payload: string | Uint8Array = ''): Buffer => frame(opcode, payload, { fin: false })
const middle = (payload: string | Uint8Array = ''): Buffer => frame(CONTINUATION, payload, { fin: false })
const last = (payload: string | Uint8Array = ''): Buffer => frame(CONTINUATION, payload)

for (const apart of [false, true]) {
  test(`a message in 2, 3 and 5 fragments is one message, ${apart ? 'a segment each' : 'all in one segment'}`, async (t) => {
    const { seen, socket } = await echo(t)
    for (const parts of [['Hel', 'lo'], ['H', 'ell', 'o'], ['H', 'e', 'l', 'l', 'o'], ['', 'Hello'], ['Hello', ''], ['', '', 'Hello', '']]) {
      for (const opcode of [TEXT, BINARY]) {
        const frames = fragments(opcode, parts)
        if (apart) await socket.sendApart(frames)
        else socket.send(...frames)
        const { payload, ...rest } = await socket.next()
        assert.is(payload.toString(), 'Hello')
        assert.equal(rest, { fin: true, rsv: 0, opcode, masked: false, lengthBits: 7 })
      }
    }
    assert.is(seen.messages.length, 12)
    assert.equal(seen.messages.map(String), Array<string>(12).fill('Hello'))
  })
}

test('a message of empty fragments only is an empty message', async (t) => {
  const { seen, socket } = await echo(t)
  socket.send(first(TEXT), middle(), last())
  assert.is((await socket.next()).payload.length, 0)
  assert.equal(seen.messages, [''])
})

test('control frames between fragments: each ping is answered at once, the message comes whole', async (t) => {
  const { seen, socket } = await echo(t)
  socket.send(first(TEXT, 'a'), frame(PING, '1'), middle('b'), frame(PONG, 'x'), frame(PING, '2'))
  for (const wanted of ['1', '2']) {
    const { opcode, payload } = await socket.next()
    assert.equal([opcode, payload.toString()], [PONG, wanted])
  }
  assert.equal(seen.messages, [])
  socket.send(frame(PING, '3'), last('c'))
  assert.equal([(await socket.next()).opcode, (await socket.next()).payload.toString()], [PONG, 'abc'])
  assert.equal(seen.messages, ['abc'])
})

test('a close frame between fragments closes; the message that was begun is not delivered', async (t) => {
  const { seen, socket } = await echo(t)
  socket.send(first(TEXT, 'a'), closeFrame(4000), last('b'))
  const frames = await socket.toEnd()
  assert.equal(frames.map((one) => [one.opcode, closeOf(one).code]), [[CLOSE, 4000]])
  await seen.returned
  assert.equal([seen.messages, seen.disconnects.map(({ code }) => code)], [[], [4000]])
})

for (const [what, bytes] of [
  ['that ends a message', last('a')],
  ['that goes on', middle('a')],
  ['that is empty', last()],
] as const) {
  test(`a continuation ${what} without a start: 1002`, async (t) => {
    await assertFails(t, bytes, 1002)
  })
}

test('a continuation after a whole message, or after a message in fragments: 1002', async (t) => {
  await assertFails(t, [frame(TEXT, 'a'), last('b')], 1002, { messages: ['a'], before: [TEXT] })
  await assertFails(t, [first(TEXT, 'a'), last('b'), last('c')], 1002, { messages: ['ab'], before: [TEXT] })
  await assertFails(t, [frame(PING, 'a'), last('b')], 1002, { before: [PONG] })
})

for (const [name, opcode] of [['text', TEXT], ['binary', BINARY]] as const) {
  test(`a new ${name} frame inside a fragmented message: 1002`, async (t) => {
    for (const start of [TEXT, BINARY]) {
      await assertFails(t, [first(start, 'a'), frame(opcode, 'b')], 1002)
      await assertFails(t, [first(start, 'a'), first(opcode, 'b')], 1002)
      await assertFails(t, [first(start), middle(), frame(PING), frame(opcode)], 1002, { before: [PONG] })
    }
  })
}

test(`${EMPTY_FRAGMENTS} empty fragments in one message are fine, in each of two messages`, async (t) => {
  const { seen, socket } = await echo(t)
  const message = Buffer.concat([first(TEXT), ...Array.from({ length: EMPTY_FRAGMENTS - 1 }, () => middle()), last('a')])
  socket.send(message, message)
  for (let count = 0; count < 2; count++) assert.is((await socket.next()).payload.toString(), 'a')
  assert.equal(seen.messages, ['a', 'a'])
})

test(`more than ${EMPTY_FRAGMENTS} empty fragments in one message: 1008`, async (t) => {
  await assertFails(t, Buffer.concat([first(TEXT), ...Array.from({ length: EMPTY_FRAGMENTS }, () => middle())]), 1008)
  const mixed = Array.from({ length: EMPTY_FRAGMENTS + 1 }, () => middle())
  await assertFails(t, Buffer.concat([first(BINARY, 'a'), ...mixed]), 1008)
})

test('empty fragments without end: cut', async (t) => {
  const { seen, socket } = await echo(t)
  const part = Buffer.concat(Array.from({ length: 1000 }, () => middle()))
  socket.send(first(TEXT))
  let sent = 0
  for (; sent < 500 && socket.raw.ending === null; sent++) {
    socket.send(part)
    await turns(1)
  }
  assert.ok(sent < 100, `${sent},000 were taken`)
  await seen.returned
  assert.equal(seen.disconnects.map(({ code }) => code), [1008])
})

for (const [name, opcode] of [['text', TEXT], ['binary', BINARY]] as const) {
  test(`a ${name} message of 100,000 fragments of one byte, within wsMaxSize, is delivered`, async (t) => {
    const { seen, socket } = await echo(t)
    const message = Buffer.alloc(100_000, 'abcdefg')
    socket.send(Buffer.concat(Array.from(message, (byte, index) => frame(index === 0 ? opcode : CONTINUATION, Uint8Array.of(byte), { fin: index === message.length - 1 }))))
    const { opcode: came, payload } = await socket.next()
    assert.is(came, opcode)
    assert.ok(payload.equals(message))
    assert.ok(Buffer.from(seen.messages[0] ?? '').equals(message))
  }, 20)
}

test('fragments that together are over wsMaxSize: 1009, at the header that passes it', async (t) => {
  const options = { wsMaxSize: 1000 }
  const part = Buffer.alloc(500, 'a')
  await assertFails(t, [first(TEXT, part), middle(part), middle('b')], 1009, { options })
  await assertFails(t, [first(TEXT, part), middle(part), frame(CONTINUATION, '', { length: 1 })], 1009, { options })
  await assertFails(t, [first(BINARY, part), frame(CONTINUATION, '', { length: 501 })], 1009, { options })
  await assertFails(t, Buffer.concat([first(TEXT), ...Array.from({ length: 1001 }, () => middle('a'))]), 1009, { options })
})

test('fragments that together are exactly wsMaxSize are a message, and each message is counted by itself', async (t) => {
  const { socket } = await echo(t, { wsMaxSize: 1000 })
  const part = Buffer.alloc(500, 'a')
  socket.send(...fragments(TEXT, [part, '', part]), ...fragments(BINARY, [part, part]), frame(TEXT, 'a'.repeat(1000)))
  for (let count = 0; count < 3; count++) assert.is((await socket.next()).payload.length, 1000)
})

test.run()
