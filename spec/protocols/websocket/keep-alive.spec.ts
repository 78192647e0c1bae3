import * as assert from 'uvu/assert'
import { application } from '../../../lib/index.ts'
import { pass, rawServer, rawSocket, seconds } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'
import { frame, handshake, PING, PONG, TEXT } from '../../support/websocket-raw.ts'
import { assertFailed, echo } from './recorder.ts'

const test = suite('WebSocket: pings of the server (RFC 6455 5.5.2)')

const pings = { wsPingInterval: 0.3, wsPingTimeout: 0.3 }

test('wsPingTimeout: a client that is silent after a ping is closed with 1011', async (t) => {
  const { seen, socket } = await echo(t, pings)
  const time = await seconds(socket.raw.ended)
  await assertFailed(socket, seen, 1011, { before: [PING] })
  assert.ok(time > 0.5 && time < 2, `after ${time} s`)
})

test('wsPingInterval: a client that answers stays, and its pongs are nothing for the application', async (t) => {
  const { seen, socket } = await echo(t, pings)
  for (let count = 0; count < 6; count++) {
    const { opcode, payload, masked } = await socket.next()
    assert.equal([opcode, masked], [PING, false])
    assert.ok(payload.length <= 125)
    socket.send(frame(PONG, payload))
  }
  socket.send(frame(TEXT, 'still here'))
  assert.is((await socket.next()).payload.toString(), 'still here')
  assert.equal([seen.messages, seen.disconnects], [['still here'], []])
})

test('the time limits of HTTP/1.1 are not those of an idle WebSocket', async (t) => {
  const limit = 0.2
  const { seen, socket } = await echo(t, { timeoutHead: limit, timeoutBody: limit, timeoutKeepAlive: limit, timeoutSend: limit, timeoutHalfClose: limit, limitRequests: 1 })
  await pass(1.5)
  socket.send(frame(TEXT, 'still here'))
  assert.is((await socket.next()).payload.toString(), 'still here')
  assert.equal(seen.disconnects, [])
})

test('a client that reads slowly, behind more than it has taken, is not taken for a silent one', async (t) => {
  let told = false
  const server = await rawServer(t, application({
    websocket: async (_scope, receive, send) => {
      await receive()
      await send({ type: 'websocket.accept' })
      const bytes = Buffer.alloc(65536)
      const pour = async (): Promise<void> => {
        for (;;) await send({ type: 'websocket.send', bytes })
      }
      pour().catch(() => {})
      await receive()
      told = true
    },
  }), pings)
  const { socket } = await rawSocket(t, { port: server.port, host: '127.0.0.1' })
  socket.removeAllListeners('data')
  let taken = 0
  socket.on('data', (chunk: Buffer) => {
    taken += chunk.length
    socket.pause()
    setTimeout(() => socket.resume(), 10)
  })
  socket.write(handshake())
  await pass(2.5)
  assert.is(told, false)
  assert.ok(taken > 1_000_000, `${taken} bytes taken`)
  socket.destroy()
})

test('wsPingInterval 0: no pings, and nobody is closed', async (t) => {
  const { seen, socket } = await echo(t, { wsPingInterval: 0, wsPingTimeout: 0.2 })
  await pass(1)
  assert.equal([socket.frames, socket.raw.ending, seen.disconnects], [[], null, []])
})

test.run()
