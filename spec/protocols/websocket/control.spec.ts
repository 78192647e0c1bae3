import * as assert from 'uvu/assert'
import { application } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { rawServer, rawSocket } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'
import { CLOSE, closeFrame, closeOf, closePayload, CONTINUATION, frame, handshake, openWebSocket, PING, PONG, RawWebSocket, TEXT, turns } from '../../support/websocket-raw.ts'
import { assertFails, echo, recorder } from './recorder.ts'

const test = suite('WebSocket: control frames (RFC 6455 5.5)')

const names = [['close', CLOSE], ['ping', PING], ['pong', PONG]] as const

test('5.5.3 a ping is answered by a pong with the same payload, whatever its bytes and its length', async (t) => {
  const { seen, socket } = await echo(t)
  for (const payload of [Buffer.alloc(0), Buffer.from('a'), Buffer.from([0xff, 0, 0xc0, 0x80]), Buffer.alloc(124, 1), Buffer.alloc(125, 2)]) {
    socket.send(frame(PING, payload))
    const { payload: came, ...rest } = await socket.next()
    assert.equal(came, payload)
    assert.equal(rest, { fin: true, rsv: 0, opcode: PONG, masked: false, lengthBits: 7 })
  }
  assert.equal(seen.messages, [])
})

test('5.5.3 pings in one segment are answered in order', async (t) => {
  const { socket } = await echo(t)
  socket.send(...Array.from({ length: 50 }, (_, index) => frame(PING, String(index))))
  for (let index = 0; index < 50; index++) {
    const { opcode, payload } = await socket.next()
    assert.equal([opcode, payload.toString()], [PONG, String(index)])
  }
})

test('5.5.2 a ping is answered while the application is busy with a message', async (t) => {
  const gate = deferred()
  const server = await rawServer(t, application({
    websocket: async (_scope, receive, send) => {
      await receive()
      await send({ type: 'websocket.accept' })
      await receive()
      await gate.promise
      await send({ type: 'websocket.send', text: 'done' })
      await receive()
    },
  }))
  const socket = await openWebSocket(t, server.port)
  socket.send(frame(TEXT, 'work'), frame(PING, 'there?'))
  assert.equal((await socket.next()).payload.toString(), 'there?')
  gate.resolve()
  assert.equal((await socket.next()).payload.toString(), 'done')
})

test('5.5.2 a ping in the handshake\'s segment is answered after accept', async (t) => {
  const gate = deferred()
  const asked = deferred()
  const server = await rawServer(t, recorder({ before: () => (asked.resolve(), gate.promise) }).app)
  const socket = new RawWebSocket(await rawSocket(t, { port: server.port, host: '127.0.0.1' }))
  socket.raw.write(Buffer.concat([Buffer.from(handshake()), frame(PING, 'early')]))
  await asked.promise
  await turns(5)
  assert.is(socket.raw.length, 0)
  gate.resolve()
  const { opcode, payload } = await socket.next()
  assert.equal([opcode, payload.toString()], [PONG, 'early'])
})

test('5.5.2 a ping while a fragmented message is open is answered before the message ends', async (t) => {
  const { seen, socket } = await echo(t)
  socket.send(frame(TEXT, 'a', { fin: false }), frame(PING, 'p'))
  assert.is((await socket.next()).payload.toString(), 'p')
  assert.equal(seen.messages, [])
  socket.send(frame(CONTINUATION, 'b'))
  assert.is((await socket.next()).payload.toString(), 'ab')
})

test('5.5.3 a pong that nobody asked for is ignored, of any payload', async (t) => {
  const { seen, socket } = await echo(t)
  socket.send(frame(PONG), frame(PONG, 'a'), frame(PONG, Buffer.alloc(125, 0xff)), frame(TEXT, 'next'))
  const { opcode, payload } = await socket.next()
  assert.equal([opcode, payload.toString()], [TEXT, 'next'])
  assert.equal(seen.messages, ['next'])
})

for (const [name, opcode] of names) {
  test(`5.5 a ${name} of more than 125 bytes: 1002, before its payload`, async (t) => {
    for (const length of [126, 127, 65535, 65536, 2 ** 40]) await assertFails(t, frame(opcode, '', { length }), 1002)
    await assertFails(t, frame(opcode, opcode === CLOSE ? closePayload(1000, 'a'.repeat(124)) : 'a'.repeat(126)), 1002)
  })

  test(`5.5 a ${name} with its length in 16 or 64 bits: 1002`, async (t) => {
    for (const lengthBits of [16, 64] as const) await assertFails(t, frame(opcode, closePayload(1000), { lengthBits }), 1002)
  })

  test(`5.5 a fragmented ${name}: 1002`, async (t) => {
    await assertFails(t, frame(opcode, closePayload(1000), { fin: false }), 1002)
    await assertFails(t, frame(opcode, '', { fin: false }), 1002)
    await assertFails(t, [frame(TEXT, 'a', { fin: false }), frame(opcode, closePayload(1000), { fin: false })], 1002)
  })
}

test('5.5.1 a ping after the client\'s close frame is not answered', async (t) => {
  const { seen, socket } = await echo(t)
  socket.send(closeFrame(1000), frame(PING, 'late'))
  const frames = await socket.toEnd()
  assert.equal(frames.map((one) => [one.opcode, closeOf(one).code]), [[CLOSE, 1000]])
  await seen.returned
  assert.equal(seen.disconnects.map(({ code }) => code), [1000])
})

test.run()
