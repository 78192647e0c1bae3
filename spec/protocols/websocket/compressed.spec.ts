import { once } from 'node:events'
import { connect } from 'node:http2'
import { constants, createDeflateRaw, createInflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { rawServer } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'
import { BINARY, CLOSE, closeFrame, closeOf, CONTINUATION, frame, PING, PONG, takeFrames, TEXT, type Frame } from '../../support/websocket-raw.ts'
import { assertFails, cut, echo, recorder } from './recorder.ts'

const test = suite('WebSocket: compressed messages on the wire (RFC 7692)')

const options = { wsPerMessageDeflate: true }
const fields = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
const RSV1 = { rsv: 4 }

/** What a client sends for a message (RFC 7692 7.2.1). */
function compressed(message: string | Uint8Array): Buffer {
  return deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
}

/** The message of a frame, compressed or not. */
function messageOf({ rsv, payload }: Frame): string {
  if (rsv === 0) return payload.toString()
  return inflateRawSync(Buffer.concat([payload, Uint8Array.of(0, 0, 0xff, 0xff)]), { finishFlush: constants.Z_SYNC_FLUSH }).toString()
}

test('7.2.2 messages come whole, compressed or not, in order, and so do their echoes', async (t) => {
  const { seen, socket } = await echo(t, options, { 'Sec-WebSocket-Extensions': 'permessage-deflate; server_no_context_takeover' })
  const texts = ['a', 'b'.repeat(5000), 'c', 'd'.repeat(100), '', 'e'.repeat(70_000)]
  socket.send(...texts.map((text, index) => index % 2 === 0 ? frame(TEXT, compressed(text), RSV1) : frame(TEXT, text)))
  for (const text of texts) assert.is(messageOf(await socket.next()), text)
  assert.equal(seen.messages, texts)
})

test('7.2.3.2 the client keeps its window from message to message', async (t) => {
  const { seen, socket } = await echo(t, options, fields)
  const deflate = createDeflateRaw({ flush: constants.Z_SYNC_FLUSH })
  t.after(() => deflate.close())
  const text = 'the same words again and again, at some length'
  for (let count = 0; count < 3; count++) {
    deflate.write(text)
    const [data] = await once(deflate, 'data') as [Buffer]
    if (count > 0) assert.ok(data.length < 20, 'it refers back')
    socket.send(frame(TEXT, data.subarray(0, -4), RSV1))
    assert.is((await socket.next()).opcode, TEXT)
  }
  assert.equal(seen.messages, [text, text, text])
})

test('6.1 a compressed message in fragments, cut at every byte, with a ping between', async (t) => {
  const { seen, socket } = await echo(t, options, fields)
  const bytes = compressed('Hello, Hello, κόσμε')
  for (let at = 0; at <= bytes.length; at++) {
    const [first = bytes, second = bytes] = cut(bytes, at)
    socket.send(frame(TEXT, first, { fin: false, ...RSV1 }), frame(PING, 'p'), frame(CONTINUATION, second))
    assert.equal([(await socket.next()).opcode, (await socket.next()).opcode], [PONG, TEXT])
    assert.is(seen.messages.pop(), 'Hello, Hello, κόσμε')
  }
})

test('compressed messages and a close frame in one segment: the messages are delivered first', async (t) => {
  const { seen, socket } = await echo(t, options, fields, recorder({ echo: false }))
  socket.send(frame(TEXT, compressed('one'), RSV1), frame(BINARY, compressed('two'), RSV1), frame(TEXT, 'three'), closeFrame(4001))
  assert.equal((await socket.toEnd()).map((one) => [one.opcode, closeOf(one).code]), [[CLOSE, 4001]])
  await seen.returned
  assert.equal([seen.messages, seen.disconnects], [['one', Buffer.from('two'), 'three'], [{ code: 4001, reason: '' }]])
})

for (const [how, end] of [['FIN', 'end'], ['RST', 'resetAndDestroy']] as const) {
  test(`${how} while a message is being inflated: one disconnect, 1006`, async (t) => {
    const { seen, socket } = await echo(t, options, fields)
    socket.send(frame(TEXT, compressed('x'.repeat(10_000_000)), RSV1))
    socket.raw.socket[end]()
    await seen.returned
    assert.equal(seen.disconnects, [{ code: 1006, reason: '' }])
    await socket.raw.closed
  })
}

test('8.1 what a compressed text message inflates to must be UTF-8: 1007', async (t) => {
  for (const bytes of [[0xc3], [0xed, 0xa0, 0x80], [0x61, 0xff]]) {
    await assertFails(t, frame(TEXT, compressed(Uint8Array.from(bytes)), RSV1), 1007, { options, fields })
  }
})

test('7.2.2 what cannot be inflated: 1007', async (t) => {
  for (const bytes of [[0xff, 0xff, 0xff], [0x06], Array(50).fill(0xfe) as number[]]) {
    await assertFails(t, frame(BINARY, Uint8Array.from(bytes), RSV1), 1007, { options, fields })
  }
})

test('wsMaxSize holds for the frame and for what it inflates to: 1009', async (t) => {
  const how = { options: { ...options, wsMaxSize: 1000 }, fields }
  await assertFails(t, frame(BINARY, compressed(Buffer.alloc(1001)), RSV1), 1009, how)
  await assertFails(t, [frame(BINARY, compressed(Buffer.alloc(1001)), { fin: false, ...RSV1 }), frame(CONTINUATION)], 1009, how)
  await assertFails(t, frame(BINARY, '', { length: 1001, ...RSV1 }), 1009, how)
})

test('RFC 8441 5: over HTTP/2 it is agreed on and used in the same way, to the close', async (t) => {
  const seen = recorder()
  const { port } = await rawServer(t, seen.app, options)
  const session = connect(`http://127.0.0.1:${port}`)
  t.after(() => session.destroy())
  await once(session, 'remoteSettings')
  const stream = session.request({
    ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13', 'sec-websocket-extensions': 'permessage-deflate',
  }, { endStream: false })
  const [head] = await once(stream, 'response') as [Record<string, unknown>]
  assert.equal([head[':status'], head['sec-websocket-extensions']], [200, 'permessage-deflate; server_max_window_bits=12'])
  const texts = ['grüße '.repeat(20_000), 'again', 'grüße '.repeat(20_000)]
  for (const text of texts) stream.write(frame(TEXT, compressed(text), RSV1))
  const found: Frame[] = []
  let rest: Buffer = Buffer.alloc(0)
  let size = 0
  for await (const part of stream as AsyncIterable<Buffer>) {
    size += part.length
    rest = takeFrames(Buffer.concat([rest, part]), (each) => {
      if (found.push(each) === texts.length) stream.end(closeFrame(4001, 'done'))
    })
  }
  assert.equal(seen.messages, texts)
  assert.equal(found.map(({ opcode }) => opcode), [TEXT, TEXT, TEXT, CLOSE])
  assert.ok(size < 5000, `${size} bytes`)
  const inflate = createInflateRaw({ flush: constants.Z_SYNC_FLUSH })
  t.after(() => inflate.close())
  let inflated = ''
  inflate.setEncoding('utf8').on('data', (text: string) => (inflated += text))
  for (const { opcode, rsv, payload } of found) if (opcode === TEXT) inflate.write(rsv === 0 ? Buffer.alloc(0) : Buffer.concat([payload, Uint8Array.of(0, 0, 0xff, 0xff)]))
  await new Promise((resolve) => inflate.write(Buffer.alloc(0), resolve))
  assert.is(inflated, texts.filter((_, index) => found[index]?.rsv === 4).join(''))
  assert.equal(found.slice(0, 3).map(({ rsv }) => rsv), [4, 0, 4])
})

test.run()
