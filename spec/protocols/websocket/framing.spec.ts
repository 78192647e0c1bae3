import * as assert from 'uvu/assert'
import { rawServer } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'
import { BINARY, CLOSE, closePayload, CONTINUATION, frame, openWebSocket, PING, PONG, TEXT } from '../../support/websocket-raw.ts'
import { assertFails, cut, echo, recorder } from './recorder.ts'

const test = suite('WebSocket: framing (RFC 6455 5.1, 5.2, 5.3)')

const opcodes = { continuation: CONTINUATION, text: TEXT, binary: BINARY, close: CLOSE, ping: PING, pong: PONG } as const
const deflate = { options: { wsPerMessageDeflate: true }, fields: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } }

test('5.2 a text message is a string, a binary one bytes; the echo is not masked, has no reserved bits, and is whole', async (t) => {
  const { seen, socket } = await echo(t)
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
  socket.send(frame(TEXT, 'Hello'), frame(BINARY, bytes), frame(TEXT), frame(BINARY))
  for (const [opcode, payload] of [[TEXT, Buffer.from('Hello')], [BINARY, Buffer.from(bytes)], [TEXT, Buffer.alloc(0)], [BINARY, Buffer.alloc(0)]] as const) {
    const { payload: came, lengthBits, ...rest } = await socket.next()
    assert.equal(rest, { fin: true, rsv: 0, opcode, masked: false })
    assert.equal(came, payload)
    assert.is(lengthBits, payload.length < 126 ? 7 : 16)
  }
  assert.equal(seen.messages, ['Hello', Buffer.from(bytes), '', Buffer.alloc(0)])
})

for (const mask of [[0, 0, 0, 0], [255, 255, 255, 255], [1, 2, 3, 4], [0x80, 0, 0x7f, 1]]) {
  test(`5.3 masking key ${mask.join(' ')}: every length to 70 and every start of a segment`, async (t) => {
    const { socket } = await echo(t)
    const bytes = Buffer.from(Array.from({ length: 70 }, (_, index) => index * 37 & 255))
    const key = Uint8Array.from(mask)
    for (let length = 0; length <= bytes.length; length++) {
      const payload = bytes.subarray(0, length)
      await socket.sendApart(cut(frame(BINARY, payload, { mask: key }), 6 + length % 17))
      assert.equal((await socket.next()).payload, payload)
    }
  })
}

for (const [name, opcode] of Object.entries(opcodes)) {
  test(`5.1 a ${name} frame that is not masked: 1002`, async (t) => {
    await assertFails(t, frame(opcode, opcode === CLOSE ? closePayload(1000) : 'ab', { mask: null }), 1002)
  })
}

test('5.1 an empty frame that is not masked: 1002', async (t) => {
  await assertFails(t, frame(TEXT, '', { mask: null }), 1002)
})

for (const rsv of [1, 2, 3, 4, 5, 6, 7]) {
  test(`5.2 reserved bits ${rsv.toString(2).padStart(3, '0')} without an extension: 1002`, async (t) => {
    for (const opcode of [TEXT, BINARY, PING, PONG]) await assertFails(t, frame(opcode, 'ab', { rsv }), 1002)
    await assertFails(t, frame(CLOSE, closePayload(1000), { rsv }), 1002)
    await assertFails(t, [frame(TEXT, 'ab', { fin: false }), frame(CONTINUATION, 'ab', { rsv })], 1002)
  })
  if (rsv === 4) continue
  test(`5.2 reserved bits ${rsv.toString(2).padStart(3, '0')} with permessage-deflate: 1002`, async (t) => {
    for (const opcode of [TEXT, BINARY, PING, PONG]) await assertFails(t, frame(opcode, 'ab', { rsv }), 1002, deflate)
  })
}

test('RFC 7692 6.1: RSV1 on a control frame or a continuation, with permessage-deflate: 1002', async (t) => {
  for (const opcode of [PING, PONG]) await assertFails(t, frame(opcode, 'ab', { rsv: 4 }), 1002, deflate)
  await assertFails(t, frame(CLOSE, closePayload(1000), { rsv: 4 }), 1002, deflate)
  await assertFails(t, [frame(TEXT, 'ab', { fin: false }), frame(CONTINUATION, 'ab', { rsv: 4 })], 1002, deflate)
})

for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  test(`5.2 reserved opcode ${opcode}: 1002, whole, as a fragment, empty, and inside a fragmented message`, async (t) => {
    await assertFails(t, frame(opcode, 'ab'), 1002)
    await assertFails(t, frame(opcode, 'ab', { fin: false }), 1002)
    await assertFails(t, frame(opcode), 1002)
    await assertFails(t, [frame(TEXT, 'ab', { fin: false }), frame(opcode, 'ab')], 1002)
  })
}

for (const length of [0, 1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 2 ** 20]) {
  test(`5.2 a message of ${length} bytes comes back, its length in as few bits as can be`, async (t) => {
    const { seen, socket } = await echo(t)
    const bytes = Buffer.alloc(length, 'tsgi')
    socket.send(frame(BINARY, bytes), frame(TEXT, bytes))
    const [binary, text] = [await socket.next(), await socket.next()]
    assert.equal([binary.opcode, text.opcode], [BINARY, TEXT])
    assert.ok(binary.payload.equals(bytes) && text.payload.equals(bytes))
    assert.is(binary.lengthBits, length < 126 ? 7 : length < 65536 ? 16 : 64)
    assert.is(text.lengthBits, binary.lengthBits)
    assert.equal(seen.messages.map((message) => [typeof message, message.length]), [['object', length], ['string', length]])
  })
}

for (const [length, lengthBits] of [[0, 16], [1, 16], [125, 16], [0, 64], [125, 64], [126, 64], [65535, 64]] as const) {
  test(`5.2 a length of ${length} in ${lengthBits} bits is not minimal: 1002`, async (t) => {
    for (const opcode of [TEXT, BINARY]) await assertFails(t, frame(opcode, 'a'.repeat(length), { lengthBits }), 1002)
    await assertFails(t, [frame(TEXT, 'ab', { fin: false }), frame(CONTINUATION, 'a'.repeat(length), { lengthBits })], 1002)
  })
}

test('5.2 a 64-bit length with its top bit set: 1002, before any payload', async (t) => {
  for (const length of [2n ** 63n, 2n ** 63n + 5n, 2n ** 64n - 1n]) await assertFails(t, frame(BINARY, '', { length }), 1002)
})

test('a length over wsMaxSize: 1009, before any payload (RFC 6455 7.4.1)', async (t) => {
  const options = { wsMaxSize: 1000 }
  for (const length of [1001, 65535, 65536, 2 ** 32, 2n ** 53n, 2n ** 63n - 1n]) {
    for (const opcode of [TEXT, BINARY]) await assertFails(t, frame(opcode, '', { length }), 1009, { options })
  }
  await assertFails(t, frame(BINARY, '', { length: 16777217 }), 1009)
})

test('a message of exactly wsMaxSize is delivered, and one of a byte more is not', async (t) => {
  for (const wsMaxSize of [1, 125, 126, 1000, 65535, 65536]) {
    const bytes = Buffer.alloc(wsMaxSize, 'a')
    const how = { options: { wsMaxSize }, messages: [bytes], before: [BINARY] }
    await assertFails(t, [frame(BINARY, bytes), frame(BINARY, Buffer.alloc(wsMaxSize + 1))], 1009, how)
  }
})

test('5.2 every cut of every small frame: two segments are one frame', async (t) => {
  const server = await rawServer(t, recorder().app)
  const socket = await openWebSocket(t, server.port)
  const cases = [frame(TEXT, 'Hello'), frame(TEXT), frame(BINARY, Uint8Array.of(0, 255)), frame(BINARY, Buffer.alloc(126, 7)), frame(BINARY, 'Hello', { mask: Uint8Array.of(0, 0, 0, 0) }), frame(PING, 'Hello')]
  const answers = [['Hello', TEXT], ['', TEXT], ['\0\xff', BINARY], ['\x07'.repeat(126), BINARY], ['Hello', BINARY], ['Hello', PONG]] as const
  for (const [index, bytes] of cases.entries()) {
    for (let at = 1; at < bytes.length; at++) {
      await socket.sendApart(cut(bytes, at))
      const { opcode, payload } = await socket.next()
      assert.equal([payload.toString('latin1'), opcode], answers[index], `frame ${index} cut at ${at}`)
    }
  }
})

test('5.2 a byte in each segment', async (t) => {
  const { seen, socket } = await echo(t)
  const bytes = Buffer.concat([frame(TEXT, 'Hel', { fin: false }), frame(PING, 'a'), frame(CONTINUATION, 'lo'), frame(BINARY, Buffer.alloc(126, 7))])
  await socket.sendApart(Array.from(bytes, (byte) => Uint8Array.of(byte)))
  const came = [await socket.next(), await socket.next(), await socket.next()]
  assert.equal(came.map(({ opcode }) => opcode), [PONG, TEXT, BINARY])
  assert.equal(seen.messages, ['Hello', Buffer.alloc(126, 7)])
})

test('5.2 every cut of frames that fail: the same code', async (t) => {
  for (const [bytes, code] of [
    [frame(TEXT, 'ab', { mask: null }), 1002],
    [frame(3, 'ab'), 1002],
    [frame(TEXT, 'ab', { rsv: 2 }), 1002],
    [frame(TEXT, 'ab', { lengthBits: 16 }), 1002],
    [frame(BINARY, '', { length: 2n ** 63n }), 1002],
    [frame(PING, '', { length: 126 }), 1002],
    [frame(CONTINUATION, 'ab'), 1002],
    [frame(BINARY, '', { length: 2 ** 30 }), 1009],
    [frame(TEXT, Uint8Array.of(0xc0, 0x80)), 1007],
    [frame(CLOSE, 'a'), 1002],
  ] as const) {
    for (let at = 1; at < bytes.length; at++) await assertFails(t, cut(bytes, at), code)
  }
}, 30)

test('messages before a frame that fails, in the same segment, are delivered first; nothing after it is', async (t) => {
  const bytes = Buffer.concat([frame(TEXT, 'one'), frame(BINARY, 'two'), frame(3, 'ab'), frame(TEXT, 'three')])
  await assertFails(t, bytes, 1002, { messages: ['one', Buffer.from('two')], echo: false })
})

test('1,000 messages in one segment come back in order', async (t) => {
  const { socket } = await echo(t)
  socket.send(...Array.from({ length: 1000 }, (_, index) => frame(TEXT, String(index))))
  for (let index = 0; index < 1000; index++) assert.is((await socket.next()).payload.toString(), String(index))
})

test.run()
