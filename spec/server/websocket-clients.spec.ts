/** Other people's WebSocket clients: what they send and hear. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { application, serve, type WebSocketReceiveEvent, type WebSocketScope } from '../../lib/index.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('WebSocket clients')
const run = promisify(execFile)

interface Seen {
  scope: WebSocketScope | null
  readonly disconnects: WebSocketReceiveEvent[]
}

/** A server that echoes, and closes with 4321 when told to; returns its URL. */
async function echoServer(t: TestContext, seen: Seen, deflate: boolean): Promise<string> {
  const app = application({
    websocket: async (scope, receive, send) => {
      seen.scope = scope
      for (;;) {
        const event = await receive()
        if (event.type === 'websocket.connect') await send({ type: 'websocket.accept', subprotocol: scope.subprotocols.includes('echo') ? 'echo' : null })
        else if (event.type === 'websocket.disconnect') return void seen.disconnects.push(event)
        else if (event.text === 'close, please') await send({ type: 'websocket.close', code: 4321, reason: 'as you wish' })
        else await send({ type: 'websocket.send', text: event.text, bytes: event.bytes })
      }
    },
  })
  const server = await serve(app, { port: 0, accessLog: false, logLevel: 'error', wsPerMessageDeflate: deflate })
  t.after(() => server.close())
  return server.url.replace('http', 'ws')
}

/** Echoes of text, bytes, emptiness and length; then closes by the client, and by the server. Prints what it found. */
const nodeClient = `
const url = process.argv[1]
const opened = (socket) => new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = (event) => reject(event.error ?? new Error('refused')) })
const message = (socket) => new Promise((resolve) => { socket.onmessage = ({ data }) => resolve(data) })
const closed = (socket) => new Promise((resolve) => { socket.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]) })
const socket = new WebSocket(url, ['other', 'echo'])
socket.binaryType = 'arraybuffer'
await opened(socket)
const found = [socket.protocol]
for (const text of ['hello', '', 'gr\\u00fc\\u00dfe \\ud83d\\ude00', 'x'.repeat(70000)]) {
  const answer = message(socket)
  socket.send(text)
  found.push(await answer === text)
}
const bytes = Uint8Array.from({ length: 200000 }, (_, at) => at % 251)
const answer = message(socket)
socket.send(bytes)
found.push(Buffer.from(await answer).equals(bytes))
let end = closed(socket)
socket.close(4000, 'bye')
found.push(await end)
const other = new WebSocket(url)
await opened(other)
end = closed(other)
other.send('close, please')
found.push(await end)
console.log(JSON.stringify(found))
`

const pythonClient = `
import asyncio, json, sys, websockets
async def main(url):
    found = []
    async with websockets.connect(url, subprotocols=['other', 'echo']) as socket:
        found.append(socket.subprotocol)
        for text in ['hello', '', 'gr\\u00fc\\u00dfe \\U0001f600', 'x' * 70000]:
            await socket.send(text)
            found.append(await socket.recv() == text)
        data = bytes(at % 251 for at in range(200000))
        await socket.send([data[:1000], data[1000:1001], data[1001:]])
        found.append(await socket.recv() == data)
        await (await socket.ping())
        await socket.close(4000, 'bye')
        found.append([socket.close_code, socket.close_reason, True])
    socket = await websockets.connect(url)
    await socket.send('close, please')
    try:
        await socket.recv()
    except websockets.ConnectionClosed as error:
        found.append([error.rcvd.code, error.rcvd.reason, True])
    print(json.dumps(found))
asyncio.run(main(sys.argv[1]))
`

const expected = ['echo', true, true, true, true, true, [4000, 'bye', true], [4321, 'as you wish', true]]
// Debian's, whatever else is called so.
const python = '/usr/bin/python3'
// Node has WebSocket behind a flag up to version 21.
const nodeFlags = typeof WebSocket === 'undefined' ? ['--experimental-websocket', '--no-warnings'] : []

for (const deflate of [false, true]) {
  const how = deflate ? ', compressed' : ''

  test(`Node's own WebSocket${how}`, async (t) => {
    const seen: Seen = { scope: null, disconnects: [] }
    const url = await echoServer(t, seen, deflate)
    const { stdout } = await run(process.execPath, [...nodeFlags, '--input-type=module', '-e', nodeClient, url])
    assert.equal(JSON.parse(stdout), expected)
    // Its answer to a close has the code only.
    assert.equal(seen.disconnects, [
      { type: 'websocket.disconnect', code: 4000, reason: 'bye' },
      { type: 'websocket.disconnect', code: 4321, reason: '' },
    ])
  }, 20)

  test.needing([`${python}:websockets`], () => {
    test(`Python's websockets${how}`, async (t) => {
      const seen: Seen = { scope: null, disconnects: [] }
      const url = await echoServer(t, seen, deflate)
      const { stdout } = await run(python, ['-c', pythonClient, url])
      assert.equal(JSON.parse(stdout), expected)
      assert.equal(seen.scope?.headers.get('sec-websocket-extensions')?.startsWith('permessage-deflate'), true)
      assert.equal(seen.disconnects, [
        { type: 'websocket.disconnect', code: 4000, reason: 'bye' },
        { type: 'websocket.disconnect', code: 4321, reason: 'as you wish' },
      ])
    }, 20)
  })
}

test.run()
