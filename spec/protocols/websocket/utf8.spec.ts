import * as assert from 'uvu/assert'
import { application } from '../../../lib/index.ts'
import { rawServer } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'
import { BINARY, CONTINUATION, fragments, frame, openWebSocket, TEXT, turns } from '../../support/websocket-raw.ts'
import { assertFails, cut, echo } from './recorder.ts'

const test = suite('WebSocket: UTF-8 (RFC 6455 5.6, 8.1)')

const valid = [
  'Hello-µ@ßöäüàá-UTF-8!!', 'κόσμε', '日本語', '👩‍👩‍👧‍👦', '\0', '\u007f', '\u0080', '\u07ff', '\u0800', '\ud7ff', '\ue000',
  '\ufffd', '\ufffe', '\uffff', '\u{10000}', '\u{1fffe}', '\u{10ffff}', 'a\u0300', '\ufeffa', '\ufeff',
]

const invalid: readonly (readonly [string, readonly number[]])[] = [
  ['a lone continuation byte', [0x80]],
  ['a lone continuation byte, the last one', [0xbf]],
  ['a lone start of two', [0xc3]],
  ['a lone start of three', [0xe1, 0x80]],
  ['a lone start of four', [0xf1, 0x80, 0x80]],
  ['a start before ASCII', [0xc3, 0x61]],
  ['a start of three before ASCII', [0xe2, 0x82, 0x61]],
  ['too many continuation bytes', [0xc3, 0xa9, 0xa9]],
  ['overlong U+0000', [0xc0, 0x80]],
  ['overlong U+002F', [0xc0, 0xaf]],
  ['overlong U+007F', [0xc1, 0xbf]],
  ['overlong U+002F in three', [0xe0, 0x80, 0xaf]],
  ['overlong U+07FF', [0xe0, 0x9f, 0xbf]],
  ['overlong U+0000 in four', [0xf0, 0x80, 0x80, 0x80]],
  ['overlong U+FFFF', [0xf0, 0x8f, 0xbf, 0xbf]],
  ['the surrogate U+D800', [0xed, 0xa0, 0x80]],
  ['the surrogate U+DFFF', [0xed, 0xbf, 0xbf]],
  ['a pair of surrogates', [0xed, 0xa0, 0x81, 0xed, 0xb0, 0x80]],
  ['U+110000', [0xf4, 0x90, 0x80, 0x80]],
  ['a start of U+140000', [0xf5, 0x80, 0x80, 0x80]],
  ['a form of five', [0xf8, 0x88, 0x80, 0x80, 0x80]],
  ['a form of six', [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]],
  ['FE', [0xfe]],
  ['FF', [0xff]],
  ['a BOM of UTF-16', [0xff, 0xfe, 0x61, 0x00]],
]

test('5.6 valid text is delivered as it is, a BOM too, and comes back the same', async (t) => {
  const { seen, socket } = await echo(t)
  for (const text of valid) {
    socket.send(frame(TEXT, text))
    const { opcode, payload } = await socket.next()
    assert.is(opcode, TEXT)
    assert.equal(payload, Buffer.from(text))
    assert.is(seen.messages.pop(), text)
  }
})

test('5.6 valid text in two fragments and in two segments, cut at every byte', async (t) => {
  const { seen, socket } = await echo(t)
  for (const text of valid) {
    const bytes = Buffer.from(text)
    for (let at = 0; at <= bytes.length; at++) {
      socket.send(...fragments(TEXT, cut(bytes, at)))
      await socket.next()
      assert.is(seen.messages.pop(), text, `fragments at ${at}`)
      if (at === 0 || at === bytes.length) continue
      await socket.sendApart(cut(frame(TEXT, bytes), 6 + at))
      await socket.next()
      assert.is(seen.messages.pop(), text, `segments at ${at}`)
    }
  }
})

test('5.6 valid text in fragments of one byte, a segment each', async (t) => {
  const { seen, socket } = await echo(t)
  const text = 'κόσμε 日本 👋 \ufeff'
  await socket.sendApart(fragments(TEXT, Array.from(Buffer.from(text), (byte) => Uint8Array.of(byte))))
  await socket.next()
  assert.equal(seen.messages, [text])
})

for (const [what, sequence] of invalid) {
  const bytes = Buffer.from(sequence)
  test(`8.1 ${what}: 1007, alone, among text, in fragments, in segments`, async (t) => {
    await assertFails(t, frame(TEXT, bytes), 1007)
    // Beside long runs of ASCII, which a fast check may skip over.
    for (const [before, after] of [['a', ''], ['a'.repeat(31), 'b'.repeat(33)], ['é'.repeat(500), 'b'.repeat(70_000)]] as const) {
      await assertFails(t, frame(TEXT, Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)])), 1007)
    }
    for (let at = 0; at <= bytes.length; at++) {
      await assertFails(t, fragments(TEXT, cut(bytes, at)), 1007)
      if (at > 0 && at < bytes.length) await assertFails(t, cut(frame(TEXT, bytes), 6 + at), 1007)
    }
  }, 20)

  test(`8.1 ${what} in a binary message is nothing but bytes`, async (t) => {
    const { seen, socket } = await echo(t)
    socket.send(frame(BINARY, bytes), ...fragments(BINARY, [bytes, '']))
    assert.equal([await socket.next(), await socket.next()].map(({ payload }) => payload), [bytes, bytes])
    assert.equal(seen.messages, [bytes, bytes])
  })
}

test('8.1 text that ends within a character: 1007, though the next message would complete it', async (t) => {
  const euro = Buffer.from('€')
  await assertFails(t, [frame(TEXT, euro.subarray(0, 2)), frame(TEXT, euro.subarray(2))], 1007)
  await assertFails(t, [frame(TEXT, euro.subarray(0, 1), { fin: false }), frame(CONTINUATION, euro.subarray(1, 2))], 1007)
})

test('8.1 after valid messages, an invalid one: those are delivered, then 1007', async (t) => {
  await assertFails(t, Buffer.concat([frame(TEXT, 'é'), frame(TEXT, Uint8Array.of(0xc3))]), 1007, { messages: ['é'], echo: false })
})

test('8.1 with permessage-deflate on and a message that is not compressed: 1007 as well', async (t) => {
  await assertFails(t, frame(TEXT, Uint8Array.of(0xc3)), 1007, { options: { wsPerMessageDeflate: true }, fields: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } })
})

test('5.6 half a surrogate pair in the application\'s text: what leaves is UTF-8', async (t) => {
  const server = await rawServer(t, application({
    websocket: async (_scope, receive, send) => {
      await receive()
      await send({ type: 'websocket.accept' })
      await send({ type: 'websocket.send', text: 'a\ud800b' })
      await receive()
    },
  }))
  const socket = await openWebSocket(t, server.port)
  assert.equal((await socket.next()).payload, Buffer.from('a\ufffdb'))
  await turns()
})

test.run()
