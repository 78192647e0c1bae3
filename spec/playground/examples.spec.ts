import { createHash } from 'node:crypto'
import { once } from 'node:events'
import * as assert from 'uvu/assert'
import echo from '../../playground/echo.ts'
import hello from '../../playground/hello.ts'
import upload, { uploads } from '../../playground/upload.ts'
import websocketEcho from '../../playground/websocket-echo.ts'
import { suite } from '../support/suite.ts'
import { openSocket } from './socket.ts'
import { firstOutcome, MEGABYTE, megabytes, RawClient, start } from './support.ts'

const test = suite('playground examples')

test('hello answers every request with its text', async (t) => {
  const response = await fetch(await start(t, hello))
  assert.is(response.headers.get('content-type'), 'text/plain; charset=utf-8')
  assert.is(await response.text(), 'Hello, world!\n')
})

test('echo sends a body back, with its type, for every method that can have one', async (t) => {
  const url = await start(t, echo)
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
    const response = await fetch(url, { method, body: 'grüße', headers: { 'content-type': 'text/x-test' } })
    assert.is(await response.text(), 'grüße', method)
    assert.is(response.headers.get('content-type'), 'text/x-test', method)
  }
  const empty = await fetch(url, { method: 'POST' })
  assert.is(empty.status, 200)
  assert.is(await empty.text(), '')
})

test('echo tells a GET without a body how to use it', async (t) => {
  const url = await start(t, echo)
  assert.ok((await (await fetch(`${url}/a%20b`)).text()).includes(`${url}/a%20b`))
  const head = await fetch(url, { method: 'HEAD' })
  assert.is(head.status, 200)
  assert.is(await head.text(), '')
})

test('echo sends each part back before the next one has come', async (t) => {
  const client = new RawClient(t, await start(t, echo), 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
  for (const word of ['first', 'second', 'third']) {
    client.socket.write(`${word.length.toString(16)}\r\n${word}\r\n`)
    await client.until(`\r\n${word}\r\n`)
  }
  client.socket.write('0\r\n\r\n')
  await client.until('\r\n0\r\n\r\n')
})

test('echo sends request trailers back as response trailers, without those that may not stand there', async (t) => {
  const client = new RawClient(t, await start(t, echo), 'POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n'
    + '2\r\nhi\r\n0\r\nX-Sum: 12\r\nVary: a\r\nX-More: 34\r\n\r\n')
  await client.until('\r\n0\r\nx-sum: 12\r\nx-more: 34\r\n\r\n')
})

test('echo holds back a client that writes and does not read, and loses nothing', async (t) => {
  const { socket } = new RawClient(t, await start(t, echo), `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${64 * MEGABYTE}\r\n\r\n`)
  socket.removeAllListeners('data').pause()
  const memory = { peak: 0 }
  globalThis.gc?.()
  const before = process.memoryUsage().arrayBuffers
  let written = 0
  let stalled!: () => void
  const stall = new Promise<void>((resolve) => (stalled = resolve))
  let timer = setTimeout(stalled, 1000)
  const writing = (async () => {
    for await (const part of megabytes(64, memory)) {
      if (!socket.write(part)) await once(socket, 'drain')
      written++
      clearTimeout(timer)
      timer = setTimeout(stalled, 500)
    }
  })()
  await stall
  assert.ok(written < 64, `${written} megabytes were taken`)
  let read = 0
  let last = ''
  socket.on('data', (text: string) => {
    read += text.length
    last = (last + text).slice(-7)
  }).resume()
  await writing
  clearTimeout(timer)
  while (!last.endsWith('\r\n0\r\n\r\n')) await once(socket, 'data')
  assert.ok(read > 64 * MEGABYTE)
  assert.ok(memory.peak - before < 32 * MEGABYTE, `${(memory.peak - before) / MEGABYTE} megabytes in buffers`)
}, 30)

test('upload answers size and SHA-256 of a raw body, in bounded memory', async (t) => {
  const url = await start(t, upload)
  const hash = createHash('sha256')
  for await (const part of megabytes(64, { peak: 0 })) hash.update(part)
  const expected = { size: 64 * MEGABYTE, sha256: hash.digest('hex') }
  for (const framing of [`Content-Length: ${64 * MEGABYTE}`, 'Transfer-Encoding: chunked']) {
    const client = new RawClient(t, url, `PUT / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`)
    const memory = { peak: 0 }
    globalThis.gc?.()
    const before = process.memoryUsage().arrayBuffers
    for await (const part of megabytes(64, memory)) {
      if (framing.includes('chunked')) client.socket.write(`${part.length.toString(16)}\r\n`)
      if (!client.socket.write(part)) await once(client.socket, 'drain')
      if (framing.includes('chunked')) client.socket.write('\r\n')
    }
    if (framing.includes('chunked')) client.socket.write('0\r\n\r\n')
    await client.until('}\n')
    assert.equal(JSON.parse(client.text.slice(client.text.indexOf('{'))), expected, framing)
    assert.ok(memory.peak - before < 16 * MEGABYTE, `${(memory.peak - before) / MEGABYTE} megabytes in buffers`)
  }
}, 30)

test('upload shows a page, and takes no other method', async (t) => {
  const url = await start(t, upload)
  assert.match(await (await fetch(url)).text(), /<input type="file"/)
  const wrong = await fetch(url, { method: 'DELETE' })
  assert.is(wrong.status, 405)
  assert.is(wrong.headers.get('allow'), 'GET, HEAD, POST, PUT')
})

test('upload refuses a Content-Length over the limit before a byte of the body is sent', async (t) => {
  const client = new RawClient(t, await start(t, uploads(1000)), 'PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n')
  await once(client.socket, 'end')
  assert.match(client.text, /^HTTP\/1\.1 413 /)
  assert.match(client.text, /The limit is 1000 bytes\.\n$/)
})

test('upload refuses a body without a length once it is over the limit, while it comes', async (t) => {
  const client = new RawClient(t, await start(t, uploads(1000)), 'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
  client.socket.write(`3e8\r\n${'a'.repeat(1000)}\r\n`)
  client.socket.write('1\r\nb\r\n')
  await client.until('The limit is 1000 bytes.\n')
  assert.match(client.text, /^HTTP\/1\.1 413 /)
})

test('upload delivers the refusal to a client that goes on sending', async (t) => {
  const client = new RawClient(t, await start(t, uploads(1000)), `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${8 * MEGABYTE}\r\n\r\n`)
  for await (const part of megabytes(8, { peak: 0 })) if (!client.socket.write(part)) await once(client.socket, 'drain')
  await client.until('The limit is 1000 bytes.\n')
  assert.match(client.text, /^HTTP\/1\.1 413 /)
})

test('upload ends quietly when its client leaves in the middle', async (t) => {
  const { outcome, options } = firstOutcome()
  const client = new RawClient(t, await start(t, upload, options), 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc')
  await once(client.socket, 'connect')
  client.socket.end()
  const { disconnected, error } = await outcome
  assert.is(disconnected, true)
  assert.is(error, undefined)
})

test('websocket-echo sends each message back, text as text and bytes as bytes, in order', async (t) => {
  const socket = await openSocket(t, (await start(t, websocketEcho)).replace('http', 'ws'))
  const sent = ['Grüße', '', new Uint8Array([0, 255, 7]), new Uint8Array(0), 'a'.repeat(100_000), new Uint8Array(100_000).fill(3)]
  for (const message of sent) socket.send(message)
  for (const message of sent) {
    const back = await socket.next()
    if (typeof message === 'string') assert.is(back, message)
    else assert.equal(new Uint8Array(back as Buffer), message)
  }
  socket.raw.close(4321)
  assert.is(await socket.closed, 4321)
})

test('websocket-echo tells a GET how to use it', async (t) => {
  const url = await start(t, websocketEcho)
  assert.ok((await (await fetch(`${url}/a%20b`)).text()).includes(`new WebSocket('${url.replace('http', 'ws')}/a%20b')`))
})

test.run()
