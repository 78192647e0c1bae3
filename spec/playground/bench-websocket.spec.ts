import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import * as assert from 'uvu/assert'
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws'
import { MARKS, messageText } from '../../playground/bench/harness/websocket-connection.ts'
import { WebSocketLoad, type WebSocketOrders } from '../../playground/bench/harness/websocket-load.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('the load client of the websocket benchmark')
const SECONDS = 0.1
const everyText = Array.from({ length: MARKS }, (_, mark) => messageText(mark))

type Answer = (socket: WebSocket, text: string, count: number, server: WebSocketServer) => void

interface Served {
  readonly url: string
  readonly server: WebSocketServer
  /** The texts that came. */
  readonly received: string[]
}

const echo: Answer = (socket, text) => socket.send(text)

const toAll: Answer = (_socket, text, _count, server) => {
  for (const client of server.clients) client.send(text)
}

/** A server that answers the messages, of which it has had `count`, as `answer` does. */
async function serving(t: TestContext, answer: Answer, options: ServerOptions = {}): Promise<Served> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false, ...options })
  const received: string[] = []
  server.on('connection', (socket) => socket.on('message', (data) => {
    received.push(String(data))
    answer(socket, String(data), received.length, server)
  }))
  await once(server, 'listening')
  t.after(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server, received }
}

async function client(t: TestContext, url: string, orders: Partial<WebSocketOrders> = {}): Promise<WebSocketLoad> {
  const load = await WebSocketLoad.start({ url, connections: 3, pattern: 'echo', inFlight: 1, patience: 0.2, ...orders }, null)
  t.after(() => load.stop())
  return load
}

test('each echo is counted once, from one run to the next over the same connections', async (t) => {
  const { url, server, received } = await serving(t, echo)
  let connections = 0
  server.on('connection', () => connections++)
  const load = await client(t, url)
  for (let run = 0; run < 2; run++) {
    received.length = 0
    const messages = await load.run(SECONDS)
    assert.ok(messages > 3 * MARKS, `${messages} messages`)
    assert.is(messages, received.length)
    assert.equal([...new Set(received)].sort(), everyText)
  }
  assert.is(connections, 3)
})

test('with eight in flight, a connection sends eight messages, and the next eight once all have come back', async (t) => {
  const waiting = new Map<WebSocket, string[]>()
  const { url, received } = await serving(t, (socket, text) => {
    const texts = [...waiting.get(socket) ?? [], text]
    waiting.set(socket, texts)
    if (texts.length < 8) return
    waiting.delete(socket)
    for (const each of texts) socket.send(each)
  })
  const load = await client(t, url, { inFlight: 8 })
  assert.is(await load.run(SECONDS), received.length)
  assert.is(waiting.size, 0)
  assert.equal([...new Set(received)].sort(), everyText)
})

test('a broadcast is counted once for each connection that has it', async (t) => {
  const { url, received } = await serving(t, toAll)
  for (const inFlight of [1, 8]) {
    const load = await client(t, url, { pattern: 'broadcast', inFlight })
    for (let run = 0; run < 2; run++) {
      received.length = 0
      const messages = await load.run(SECONDS)
      assert.is(messages, 3 * received.length)
      assert.equal([...new Set(received)].sort(), everyText)
    }
    await load.stop()
  }
})

test('frames may come in pieces, and a ping is answered', async (t) => {
  const { url, server, received } = await serving(t, () => {})
  let pongs = 0
  server.on('connection', (socket, { socket: line }) => {
    line.setNoDelay(true)
    socket.on('pong', (data) => (pongs += String(data) === 'hi' ? 1 : 0))
    socket.on('message', (data) => {
      const bytes = Buffer.concat([Buffer.from('\x89\x02hi', 'latin1'), Buffer.from([0x81, 64]), data as Buffer])
      const at = received.length % bytes.length
      line.write(bytes.subarray(0, at))
      setImmediate(() => setImmediate(() => line.write(bytes.subarray(at))))
    })
  })
  const load = await client(t, url, { connections: 1 })
  await load.run(0.3)
  assert.ok(received.length > 68, `${received.length} messages`)
  assert.is(pongs, received.length)
})

const faults: readonly (readonly [rule: string, orders: Partial<WebSocketOrders>, answer: Answer, error: RegExp])[] = [
  ['an echo that is binary', {}, (socket, text) => socket.send(Buffer.from(text)), /a frame begins with 8240$/],
  ['an echo of another length', {}, (socket, text) => socket.send(`${text}!`), /a frame begins with 8141$/],
  ['an echo of an earlier message', {}, (socket) => socket.send(messageText(0)), /message 0 came, not 1$/],
  ['echoes in another order', { inFlight: 2 }, (socket, _text, count) => socket.send(messageText(count % 2)), /message 1 came, not 0$/],
  ['an echo that is missing', {}, (socket, text, count) => count !== 20 && socket.send(text), /messages of 1 out of 3 senders are missing 0\.2 seconds later$/],
  ['an echo that comes twice', { connections: 1 }, (socket, text, count) => {
    socket.send(text)
    if (count === 20) socket.send(text)
  }, /message 3 came, not 4$|not sent$/],
  ['a broadcast that one does not get', { pattern: 'broadcast' }, (socket, text, count, server) => {
    for (const each of server.clients) if (count !== 20 || each === socket) each.send(text)
  }, /messages of 1 out of 1 senders are missing 0\.2 seconds later$/],
  ['a broadcast that one gets twice', { pattern: 'broadcast' }, (socket, text, _count, server) => {
    socket.send(text)
    toAll(socket, text, 0, server)
  }, /a message came that was not sent$/],
  ['a close', {}, (socket) => socket.terminate(), /the server closed a connection$/],
]

for (const [rule, orders, answer, error] of faults) {
  test(`a run fails by ${rule}`, async (t) => {
    const { url } = await serving(t, answer)
    const load = await client(t, url, orders)
    assert.match((await rejection(load.run(SECONDS))).message, error)
    assert.match((await rejection(load.run(SECONDS))).message, error)
  })
}

test('connecting fails by a handshake that is refused', async (t) => {
  const { url } = await serving(t, echo, { verifyClient: () => false })
  assert.match((await rejection(client(t, url))).message, /the answer to the handshake was "HTTP\/1\.1 401/)
})

test('connecting fails where nothing listens', async (t) => {
  const { url, server } = await serving(t, echo)
  server.close()
  await once(server, 'close')
  assert.match((await rejection(client(t, url))).message, /ECONNREFUSED/)
})

test.run()
