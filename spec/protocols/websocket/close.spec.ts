import * as assert from 'uvu/assert'
import { application, type Receive, type Send, type WebSocketReceiveEvent, type WebSocketSendEvent } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { pass, rawServer, type RawServer } from '../../support/raw-socket.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { BINARY, CLOSE, closeFrame, closeOf, closePayload, frame, openWebSocket, TEXT, turns, type RawWebSocket } from '../../support/websocket-raw.ts'
import { assertFails, echo, recorder, type Disconnect } from './recorder.ts'

const test = suite('WebSocket: closing (RFC 6455 5.5.1, 7)')

/** Demands a clean close with that code on both sides; the server's FIN comes first (7.1.1). */
async function assertCloses(t: TestContext, bytes: Uint8Array, code: number, reason = ''): Promise<void> {
  const { seen, socket } = await echo(t)
  socket.send(bytes)
  const frames = await socket.toEnd()
  assert.equal(frames.map((one) => [one.opcode, closeOf(one).code]), [[CLOSE, code]])
  await socket.raw.closed
  assert.is(socket.raw.reset, false)
  await seen.returned
  assert.equal(seen.disconnects, [{ code, reason }])
}

for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
  test(`7.4 the client closes with ${code}: the code comes back, then FIN; the application is told code and reason`, async (t) => {
    await assertCloses(t, closeFrame(code, 'tschüß'), code, 'tschüß')
  })
}

test('5.5.1 a close frame without a code: an empty close frame comes back, the application is told 1005', async (t) => {
  const { seen, socket } = await echo(t)
  socket.send(closeFrame())
  const frames = await socket.toEnd()
  assert.equal(frames.map(({ opcode, payload }) => [opcode, payload.length]), [[CLOSE, 0]])
  await seen.returned
  assert.equal(seen.disconnects, [{ code: 1005, reason: '' }])
})

test('5.5.1 a close frame with the longest reason, 123 bytes', async (t) => {
  await assertCloses(t, closeFrame(4000, 'a'.repeat(123)), 4000, 'a'.repeat(123))
})

for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65535]) {
  test(`7.4 a close frame with ${code}: 1002`, async (t) => {
    await assertFails(t, closeFrame(code), 1002)
    await assertFails(t, closeFrame(code, 'why'), 1002)
  })
}

test('5.5.1 a close frame with a payload of one byte: 1002', async (t) => {
  await assertFails(t, frame(CLOSE, Uint8Array.of(3)), 1002)
})

for (const [what, bytes] of [['a lone start', [0xc3]], ['an overlong form', [0x61, 0xc0, 0xaf]], ['a surrogate', [0xed, 0xa0, 0x80]], ['a value over U+10FFFF', [0xf4, 0x90, 0x80, 0x80]]] as const) {
  test(`8.1 a close reason with ${what}: 1007`, async (t) => {
    await assertFails(t, frame(CLOSE, closePayload(1000, Uint8Array.from(bytes))), 1007)
  })
}

test('messages that came before a close frame, in its segment, are delivered before the disconnect', async (t) => {
  const gate = deferred()
  const seen: (string | number)[] = []
  const returned = deferred()
  const server = await rawServer(t, application({
    websocket: async (_scope, receive, send) => {
      await receive()
      await send({ type: 'websocket.accept' })
      await gate.promise
      for (;;) {
        const event = await receive()
        if (event.type === 'websocket.receive') seen.push(event.text ?? '')
        if (event.type !== 'websocket.disconnect') continue
        seen.push(event.code)
        return returned.resolve()
      }
    },
  }))
  const socket = await openWebSocket(t, server.port)
  socket.send(frame(TEXT, 'one'), frame(TEXT, 'two'), frame(TEXT, 'three'), closeFrame(4001))
  assert.equal((await socket.toEnd()).map((one) => closeOf(one).code), [4001])
  gate.resolve()
  await returned.promise
  assert.equal(seen, ['one', 'two', 'three', 4001])
})

test('5.5.1 what comes after a close frame is ignored: messages, a second close frame, bytes that are no frame', async (t) => {
  for (const after of [frame(TEXT, 'late'), closeFrame(4002), Buffer.alloc(50, 0xff), frame(BINARY, '', { length: 2n ** 63n })]) {
    for (const apart of [false, true]) {
      const { seen, socket } = await echo(t)
      const parts = [closeFrame(4001, 'bye'), after]
      await socket.sendApart(apart ? parts : [Buffer.concat(parts)])
      assert.equal((await socket.toEnd()).map((one) => [one.opcode, closeOf(one).code]), [[CLOSE, 4001]])
      await socket.raw.closed
      await seen.returned
      assert.equal([seen.messages, seen.disconnects], [[], [{ code: 4001, reason: 'bye' }]])
    }
  }
})

// ---- the server begins ----

type WebSocketPart = (receive: Receive<WebSocketReceiveEvent>, send: Send<WebSocketSendEvent>) => Promise<void>

/** A server whose application accepts and then does `part`, and a client. */
async function accepting(t: TestContext, part: WebSocketPart): Promise<{ socket: RawWebSocket; server: RawServer }> {
  const server = await rawServer(t, application({
    websocket: async (_scope, receive, send) => {
      await receive()
      await send({ type: 'websocket.accept' })
      await part(receive, send)
    },
  }))
  return { socket: await openWebSocket(t, server.port), server }
}

for (const [what, answer, told] of [
  ['the same code', closeFrame(4001), { code: 4001, reason: '' }],
  ['another code and a reason', closeFrame(4002, 'as you like'), { code: 4002, reason: 'as you like' }],
  ['no code', closeFrame(), { code: 1005, reason: '' }],
] as const) {
  test(`7.1.2 the application closes, the client answers with ${what}: FIN only then, and the application is told the client's code`, async (t) => {
    const disconnect = deferred<Disconnect>()
    const { socket } = await accepting(t, async (receive, send) => {
      await send({ type: 'websocket.close', code: 4001, reason: 'bye' })
      const event = await receive()
      if (event.type === 'websocket.disconnect') disconnect.resolve({ code: event.code, reason: event.reason })
      else disconnect.reject(new Error(event.type))
    })
    assert.equal(closeOf(await socket.next()), { code: 4001, reason: 'bye' })
    await turns(20)
    assert.is(socket.raw.ending, null)
    socket.send(answer)
    assert.equal(await socket.toEnd(), [])
    assert.equal(await disconnect.promise, told)
  })
}

test('7.1.4 the application closes, the client only sends a FIN: 1006', async (t) => {
  const disconnect = deferred<number>()
  const { socket } = await accepting(t, async (receive, send) => {
    await send({ type: 'websocket.close', code: 4001 })
    const event = await receive()
    if (event.type === 'websocket.disconnect') disconnect.resolve(event.code)
  })
  await socket.next()
  socket.raw.end()
  assert.is(await disconnect.promise, 1006)
  await socket.raw.closed
})

test('5.5.1 messages that cross the server\'s close frame do no harm', async (t) => {
  const { socket } = await accepting(t, (_receive, send) => send({ type: 'websocket.close', code: 4001 }))
  assert.is(closeOf(await socket.next()).code, 4001)
  socket.send(frame(TEXT, 'crossed'), frame(BINARY, Buffer.alloc(1000)))
  await turns()
  socket.send(closeFrame(4001))
  assert.equal(await socket.toEnd(), [])
})

for (const count of [10, 5000]) {
  for (const [what, code, last] of [
    ['closes', 4001, { type: 'websocket.close', code: 4001 }],
    ['returns', 1000, null],
  ] as const) {
    test(`7.1.2 the application ${what} with ${count} messages unread: the client's close frame behind them is read`, async (t) => {
      const gate = deferred()
      const { socket } = await accepting(t, async (_receive, send) => {
        await gate.promise
        if (last !== null) await send(last)
      })
      socket.send(...Array.from({ length: count }, () => frame(TEXT, 'unread'.repeat(20))))
      await turns(20)
      gate.resolve()
      assert.is(closeOf(await socket.next()).code, code)
      socket.send(closeFrame(code))
      assert.equal(await socket.toEnd(), [])
    }, 5)
  }
}

test('7.4.1 the application closes without a code: 1000', async (t) => {
  const { socket } = await accepting(t, (_receive, send) => send({ type: 'websocket.close' }))
  assert.equal(closeOf(await socket.next()), { code: 1000, reason: '' })
})

for (const [what, code, part] of [
  ['returns', 1000, async () => {}],
  ['crashes', 1011, () => Promise.reject(new Error('a crash on purpose'))],
] as const) {
  test(`7.4.1 the application ${what}: ${code}, and FIN after the client's answer`, async (t) => {
    const { socket } = await accepting(t, async (_receive, send) => {
      await send({ type: 'websocket.send', text: 'last words' })
      await part()
    })
    assert.is((await socket.next()).payload.toString(), 'last words')
    assert.is(closeOf(await socket.next()).code, code)
    await turns(20)
    assert.is(socket.raw.ending, null)
    socket.send(closeFrame(code))
    assert.equal(await socket.toEnd(), [])
  })
}

test('7.4.1 the server stops: 1012, and it has stopped when the clients have answered', async (t) => {
  const seen = recorder()
  const server = await rawServer(t, seen.app)
  const sockets = [await openWebSocket(t, server.port), await openWebSocket(t, server.port), await openWebSocket(t, server.port)]
  const closed = server.server.close({ timeout: 5 })
  for (const socket of sockets) {
    assert.is(closeOf(await socket.next()).code, 1012)
    socket.send(closeFrame(1012))
    assert.equal(await socket.toEnd(), [])
  }
  await closed
  assert.equal(seen.disconnects.map(({ code }) => code), [1012, 1012, 1012])
})

test('7.4.1 the server stops while an application leaves messages unreceived: the answer to 1012 is read all the same', async (t) => {
  const stuck = deferred()
  t.after(() => stuck.resolve())
  const server = await rawServer(t, application({
    websocket: async (_scope, receive, send) => {
      await receive()
      await send({ type: 'websocket.accept' })
      await stuck.promise
      await receive()
    },
  }), { wsMaxQueue: 4 })
  const socket = await openWebSocket(t, server.port)
  for (let count = 0; count < 40; count++) socket.send(frame(TEXT, 'a'.repeat(100)))
  await pass(0.1)
  const closed = server.server.close({ timeout: 9 })
  assert.is(closeOf(await socket.next()).code, 1012)
  socket.send(closeFrame(1012))
  assert.equal(await socket.toEnd(), [])
  stuck.resolve()
  await closed
}, 5)

// ---- the line goes dead ----

const begun = [
  ['between messages', frame(TEXT, 'a')],
  ['within a frame', frame(TEXT, 'abc').subarray(0, 8)],
  ['within a header', frame(TEXT, 'abc').subarray(0, 1)],
  ['within a fragmented message', frame(TEXT, 'a', { fin: false })],
] as const
for (const [when, bytes] of begun) {
  for (const [how, end] of [['FIN', (socket: RawWebSocket) => socket.raw.end()], ['RST', (socket: RawWebSocket) => socket.raw.socket.resetAndDestroy()]] as const) {
    test(`7.1.5 ${how} ${when}, without a close frame: the application is told 1006, once`, async (t) => {
      const { seen, socket } = await echo(t)
      await socket.sendApart([bytes])
      end(socket)
      await seen.returned
      assert.equal(seen.disconnects, [{ code: 1006, reason: '' }])
      await socket.raw.closed
      // 7.1.7: a line that is dead gets no close code of its own.
      if (how === 'FIN') assert.equal(socket.frames.filter(({ opcode }) => opcode === CLOSE).map(({ payload }) => payload.length), [])
    })
  }
}

test.run()
