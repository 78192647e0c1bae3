import * as assert from 'uvu/assert'
import { application, type WebSocketAcceptEvent, type WebSocketScope } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { occurrences, rawServer, rawSocket } from '../../support/raw-socket.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { ACCEPT, fieldsOf, frame, handshake, KEY, openWebSocket, RawWebSocket, TEXT, turns, type Fields } from '../../support/websocket-raw.ts'
import { recorder } from './recorder.ts'

const test = suite('WebSocket: the handshake (RFC 6455 4, 9.1, 10.2)')

const bare = { dateHeader: false }

test('4.2.2 the answer to the RFC\'s example: 101, Upgrade, Connection, the accept value, and nothing that was not asked for', async (t) => {
  const server = await rawServer(t, recorder().app, bare)
  const socket = await openWebSocket(t, server.port)
  assert.match(socket.head, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
  const { upgrade, connection, ...rest } = fieldsOf(socket.head)
  assert.is(upgrade?.toLowerCase(), 'websocket')
  assert.is(connection?.toLowerCase(), 'upgrade')
  assert.equal(rest, { 'sec-websocket-accept': ACCEPT })
})

test('4.2.2 nothing is written before the application has accepted', async (t) => {
  const gate = deferred()
  const asked = deferred()
  const server = await rawServer(t, recorder({ before: () => (asked.resolve(), gate.promise) }).app, bare)
  const socket = new RawWebSocket(await rawSocket(t, { port: server.port, host: '127.0.0.1' }))
  socket.raw.write(handshake())
  await asked.promise
  await turns(10)
  assert.is(socket.raw.length, 0)
  gate.resolve()
  assert.match(await socket.opened(), /^HTTP\/1\.1 101 /)
})

test('4.2.1 a handshake in two segments, cut at every byte, opens', async (t) => {
  const server = await rawServer(t, recorder().app, bare)
  const text = handshake()
  for (let at = 1; at < text.length; at++) {
    const socket = new RawWebSocket(await rawSocket(t, { port: server.port, host: '127.0.0.1' }))
    await socket.sendApart([Buffer.from(text.slice(0, at)), Buffer.from(text.slice(at))])
    assert.is(fieldsOf(await socket.opened())['sec-websocket-accept'], ACCEPT, `cut at ${at}`)
    socket.raw.socket.destroy()
  }
}, 20)

const opens: readonly (readonly [string, Fields])[] = [
  ['Upgrade: WebSocket', { Upgrade: 'WebSocket' }],
  ['Upgrade: WEBSOCKET', { Upgrade: 'WEBSOCKET' }],
  ['Upgrade: h2c, websocket', { Upgrade: 'h2c, websocket' }],
  ['Upgrade in two fields', { Upgrade: ['h2c', 'websocket'] }],
  ['Connection: UPGRADE', { Connection: 'UPGRADE' }],
  ['Connection: keep-alive, Upgrade', { Connection: 'keep-alive, Upgrade' }],
  ['Connection: upgrade ,keep-alive', { Connection: 'upgrade ,keep-alive' }],
  ['Connection in two fields', { Connection: ['keep-alive', 'Upgrade'] }],
  ['field names in lower case', { 'Sec-WebSocket-Key': null, 'sec-websocket-key': KEY, 'Upgrade': null, 'upgrade': 'websocket' }],
  ['white space around values', { 'Sec-WebSocket-Key': `  ${KEY}\t`, 'Sec-WebSocket-Version': ' 13 ' }],
  ['Content-Length: 0', { 'Content-Length': '0' }],
]
for (const [what, fields] of opens) {
  test(`4.2.1 opens: ${what}`, async (t) => {
    const server = await rawServer(t, recorder().app, bare)
    assert.is(fieldsOf((await openWebSocket(t, server.port, fields)).head)['sec-websocket-accept'], ACCEPT)
  })
}

/** What an application's scope says, and the answer when it accepts so. */
async function accepted(t: TestContext, accept: Omit<WebSocketAcceptEvent, 'type'>, fields: Fields, options = {}): Promise<{ scope: WebSocketScope; answer: Record<string, string> }> {
  const seen = deferred<WebSocketScope>()
  const server = await rawServer(t, application({
    websocket: async (scope, receive, send) => {
      seen.resolve(scope)
      await receive()
      await send({ type: 'websocket.accept', ...accept })
      await receive()
    },
  }), { ...bare, ...options })
  const { head } = await openWebSocket(t, server.port, fields)
  return { scope: await seen.promise, answer: fieldsOf(head) }
}

test('4.1 subprotocols are offered in order, in one field or more, and tokens are case-sensitive', async (t) => {
  const { scope, answer } = await accepted(t, {}, { 'Sec-WebSocket-Protocol': ['chat,Chat', ' v1.x.y\t, !#$'] })
  assert.equal(scope.subprotocols, ['chat', 'Chat', 'v1.x.y', '!#$'])
  assert.is(answer['sec-websocket-protocol'], undefined)
})

test('4.2.2 the answer names the subprotocol that the application took, and has its headers', async (t) => {
  const { answer } = await accepted(t, { subprotocol: 'superchat', headers: [['x-room', '7']] }, { 'Sec-WebSocket-Protocol': 'chat, superchat' })
  assert.is(answer['sec-websocket-protocol'], 'superchat')
  assert.is(answer['x-room'], '7')
})

for (const options of [{}, { wsPerMessageDeflate: true }]) {
  const deflate = options.wsPerMessageDeflate === true ? ', deflate on' : ''
  test(`9.1 extensions that the server does not know are not in the answer${deflate}`, async (t) => {
    const { answer } = await accepted(t, {}, { 'Sec-WebSocket-Extensions': ['foo, bar; a=1; b; c="d"', 'x-webkit-deflate-frame'] }, options)
    assert.is(answer['sec-websocket-extensions'], undefined)
  })
}

test('9.1 permessage-deflate is in the answer only if the option is on and the client offers it', async (t) => {
  const offer = { 'Sec-WebSocket-Extensions': 'foo, permessage-deflate; client_max_window_bits' }
  assert.is((await accepted(t, {}, offer)).answer['sec-websocket-extensions'], undefined)
  assert.is((await accepted(t, {}, {}, { wsPerMessageDeflate: true })).answer['sec-websocket-extensions'], undefined)
  assert.match((await accepted(t, {}, offer, { wsPerMessageDeflate: true })).answer['sec-websocket-extensions'] ?? '', /^permessage-deflate(?:;|$)/)
})

for (const [what, fields] of [
  ['Upgrade: websocket without Connection', { Connection: null }],
  ['Upgrade: websocket with Connection: keep-alive', { Connection: 'keep-alive' }],
  ['Connection: upgrade without Upgrade', { Upgrade: null }],
  ['an upgrade to h2c', { Upgrade: 'h2c' }],
  ['an upgrade to websockets', { Upgrade: 'websockets' }],
  ['a handshake without both', { Connection: null, Upgrade: null }],
] as const) {
  test(`4.2.1 ${what} is plain HTTP`, async (t) => {
    const seen = recorder()
    const server = await rawServer(t, seen.app, bare)
    const answer = await server.exchange(handshake(fields) + 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.is(occurrences(answer, 'HTTP/1.1 200 OK\r\n'), 2)
    assert.is(occurrences(answer, 'plain HTTP'), 2)
    assert.is(seen.calls(), 0)
  })
}

test('4.2.2 a handshake after requests on the same connection, in one segment', async (t) => {
  const server = await rawServer(t, recorder().app, bare)
  const socket = await server.connect()
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2) + handshake())
  const text = await socket.until(ACCEPT)
  assert.is(occurrences(text, 'plain HTTP'), 2)
  assert.ok(text.lastIndexOf('plain HTTP') < text.indexOf('HTTP/1.1 101 '))
})

test('4.1 bytes in the handshake\'s segment are kept, and delivered after accept', async (t) => {
  const gate = deferred()
  const asked = deferred()
  const seen = recorder({ before: () => (asked.resolve(), gate.promise) })
  const server = await rawServer(t, seen.app, bare)
  const socket = new RawWebSocket(await rawSocket(t, { port: server.port, host: '127.0.0.1' }))
  const early = frame(TEXT, 'early')
  socket.raw.write(Buffer.concat([Buffer.from(handshake()), frame(TEXT, 'first'), early.subarray(0, 7)]))
  await asked.promise
  socket.send(early.subarray(7), frame(TEXT, 'third'))
  await turns(10)
  assert.equal([seen.messages, socket.raw.length], [[], 0])
  gate.resolve()
  await socket.opened()
  for (const text of ['first', 'early', 'third']) assert.is((await socket.next()).payload.toString(), text)
})

const wsOrigins = ['https://good.example', 'http://localhost:3000']

test('10.2 with wsOrigins, a listed Origin opens; without, any does', async (t) => {
  for (const origin of wsOrigins) await accepted(t, {}, { Origin: origin }, { wsOrigins })
  for (const origin of ['https://evil', 'null', null]) await accepted(t, {}, { Origin: origin })
})

test.run()
