import { rejects } from 'node:assert/strict'
import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { UpstreamFailed } from '../../../lib/contract/errors.ts'
import { deferred } from '../../support/deferred.ts'
import { rawClient } from '../../support/raw-client.ts'
import { pass, seconds } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'
import { answering, front, upstream } from './upstream.ts'

const test = suite('fromUwsgi: responses')
const OK = 'HTTP/1.1 200 OK\r\n'

test('a response of any form comes through', async (t) => {
  const rows: readonly (readonly [string, number, string])[] = [
    [`${OK}Content-Length: 3\r\n\r\nabc`, 200, 'abc'],
    [`${OK}Content-Length: 3\r\n\r\nabcdef`, 200, 'abc'],
    [`${OK}\r\nabc`, 200, 'abc'],
    ['HTTP/1.0 404 Not Found\r\nX: y\r\n\r\nno', 404, 'no'],
    ['HTTP/2 200 OK\r\n\r\nx', 200, 'x'],
    ['HTTP/2.0 200 OK\r\n\r\nx', 200, 'x'],
    ['HTTP/1.1 299\r\n\r\nx', 299, 'x'],
    ['HTTP/1.1 200 \r\n\r\nx', 200, 'x'],
    ['Status: 201 Created\r\nContent-Type: text/plain\r\n\r\nmade', 201, 'made'],
    ['Content-Type: text/plain\r\nStatus: 503\r\n\r\n', 503, ''],
    [`${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n`, 200, 'abcde'],
    [`${OK}Content-Length: 0\r\n\r\n`, 200, ''],
    ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx', 200, 'x'],
  ]
  for (const [bytes, status, body] of rows) {
    const { url, outcomes, ended } = await front(t, (await answering(t, bytes)).address)
    const response = await fetch(url)
    assert.equal([response.status, await response.text()], [status, body], bytes)
    await ended(1)
    assert.is(outcomes[0]?.error, undefined, bytes)
  }
})

test('a head may come byte by byte', async (t) => {
  const bytes = `${OK}X-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`
  const { address } = await upstream(t, async ({ socket }) => {
    for (const byte of bytes) {
      socket.write(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    socket.end()
  })
  const response = await fetch((await front(t, address)).url)
  assert.equal([response.headers.get('x-a'), await response.text()], ['1', 'abc'])
})

test('RFC 9110 7.6.1: fields of the upstream\'s connection are dropped, those that Connection names too; the rest is kept', async (t) => {
  const head = 'Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nTrailer: x\r\nProxy-Connection: x\r\nStatus: 404\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Latin: caf\xe9\r\nServer: up\r\n'
  const { url } = await front(t, (await answering(t, `${OK}${head}Content-Length: 0\r\n\r\n`)).address)
  const response = await fetch(url)
  assert.is(response.status, 200)
  assert.equal([...response.headers.keys()].filter((name) => !['date', 'connection', 'keep-alive'].includes(name)), ['content-length', 'server', 'set-cookie', 'set-cookie', 'x-latin'])
  assert.is(response.headers.get('x-latin'), 'caf\xe9')
})

test('HEAD, 204 and 304 have no body, whatever their fields say', async (t) => {
  const rows: readonly (readonly [string, number, string | null])[] = [['HEAD', 200, '5'], ['GET', 304, '5'], ['GET', 204, null]]
  for (const [method, status, length] of rows) {
    const { url } = await front(t, (await answering(t, `HTTP/1.1 ${status} x\r\nContent-Length: 5\r\n\r\n`)).address)
    const response = await fetch(url, { method })
    assert.equal([response.status, response.headers.get('content-length'), await response.text()], [status, length, ''])
  }
})

test('garbage is a 502 that says nothing of itself, and its reason is in the log', async (t) => {
  const rows: readonly (readonly [string, RegExp])[] = [
    ['', /without an answer/],
    ['garbage', /without an answer|malformed/],
    ['garbage\r\n\r\n', /not a token/],
    ['HTTP/1.1 200 OK\r\n', /without an answer/],
    ['HTTP/x.1 200 OK\r\n\r\n', /status line/],
    ['HTTP/1.1 20 OK\r\n\r\n', /status line/],
    ['HTTP/1.1 999 OK\r\n\r\n', /status of 999/],
    ['HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n', /101/],
    ['HTTP/1.1 200 OK\n\nabc', /without an answer|status line/],
    [`${OK}X: a\nY: b\r\n\r\n`, /bare LF/],
    [`${OK}X : a\r\n\r\n`, /white space/],
    [`${OK} X: a\r\n\r\n`, /white space/],
    [`${OK}X: \0\r\n\r\n`, /control character/],
    ['Content-Type: text/plain\r\n\r\nno status', /neither a status line nor/],
    ['Status: 200\r\nStatus: 200\r\n\r\n', /neither a status line nor/],
    [`${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`, /second Content-Length/],
    [`${OK}Content-Length: x\r\n\r\n`, /not one number/],
    [`${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, /beside/],
    [`${OK}Transfer-Encoding: gzip\r\n\r\n`, /coding/],
    [`${OK}Location: /a\r\nLocation: /b\r\n\r\n`, /fields that no response/],
    [`${OK}${'X: y\r\n'.repeat(201)}\r\n`, /more than 200/],
    [`${OK}X: ${'x'.repeat(70_000)}\r\n\r\n`, /more than 65536/],
    ['\x16\x03\x01garbage\0\xff', /./],
    ['HTTP/1.1 100 Continue\r\n\r\n'.repeat(101), /more than 100 interim/],
  ]
  for (const [bytes, reason] of rows) {
    const { url, outcomes, ended } = await front(t, (await answering(t, bytes)).address)
    const response = await fetch(url)
    assert.equal([response.status, await response.text()], [502, 'Bad Gateway\n'], JSON.stringify(bytes.slice(0, 80)))
    await ended(1)
    assert.instance(outcomes[0]?.error, UpstreamFailed)
    assert.match(String(outcomes[0]?.error), reason, JSON.stringify(bytes.slice(0, 80)))
  }
}, 30)

test('a response that is cut short is torn down, never a whole one', async (t) => {
  const rows: readonly string[] = [
    `${OK}Content-Length: 10\r\n\r\nabc`,
    `${OK}Content-Length: 10\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nabc`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\nxyz`,
  ]
  for (const bytes of rows) {
    const { url, outcomes, ended } = await front(t, (await answering(t, bytes)).address)
    const response = await fetch(url).catch(() => null)
    if (response !== null && response.status !== 502) await rejects(response.text())
    await ended(1)
    assert.instance(outcomes[0]?.error, UpstreamFailed, bytes)
  }
})

test('a response that is reset is torn down, also where its last bytes come with the reset', async (t) => {
  for (const wait of [0, 50]) {
    const { address } = await upstream(t, async ({ socket }) => {
      socket.write(`${OK}\r\npart`)
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      socket.resetAndDestroy()
    })
    const { url, outcomes, ended } = await front(t, address)
    const response = await fetch(url).catch(() => null)
    if (response !== null && response.status !== 502) await rejects(response.text())
    await ended(1)
    assert.instance(outcomes[0]?.error, UpstreamFailed, `${wait}`)
  }
})

test('one that is silent is a 504 after `readTimeout`; one that falls silent within its response is torn down', async (t) => {
  const silent = await front(t, (await upstream(t, () => {})).address, { readTimeout: 0.4 })
  let response: Response | null = null
  const time = await seconds((async () => (response = await fetch(silent.url)))())
  assert.equal([(response as Response | null)?.status, await (response as Response | null)?.text()], [504, 'Gateway Timeout\n'])
  assert.ok(time >= 0.39 && time < 2, `${time}`)
  const stalls = await front(t, (await upstream(t, ({ socket }) => socket.write(`${OK}Content-Length: 9\r\n\r\nabc`))).address, { readTimeout: 0.4 })
  const half = await fetch(stalls.url)
  await rejects(half.text())
  await stalls.ended(1)
  assert.is((stalls.outcomes[0]?.error as UpstreamFailed).status, 504)
})

test('the time in which the client is waited for does not count', async (t) => {
  const { address } = await upstream(t, async ({ socket, variables, rest }) => {
    let left = Number(variables.get('CONTENT_LENGTH')) - rest.length
    socket.on('data', (bytes: Buffer) => {
      left -= bytes.length
      if (left === 0) socket.end(`${OK}\r\nwhole`)
    })
  })
  const { url } = await front(t, address, { readTimeout: 0.3 })
  const client = await rawClient(t, { port: Number(new URL(url).port) })
  client.send('POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 6\r\n\r\nabc')
  await pass(0.7)
  client.send('def')
  await client.until(/^HTTP\/1\.1 200 [\s\S]*whole/)
})

test('early hints are passed on', async (t) => {
  const { address } = await answering(t, `HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b>\r\n\r\n${OK}Content-Length: 1\r\n\r\nx`)
  const { url } = await front(t, address)
  const client = await rawClient(t, { port: Number(new URL(url).port) })
  client.send('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
  await client.until(/^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a\.css>; rel=preload\r\nlink: <\/b>\r\n\r\nHTTP\/1\.1 200 /)
})

test('parts come as they are sent, the head before all', async (t) => {
  const go = deferred()
  const { address } = await upstream(t, async ({ socket }) => {
    socket.write(`${OK}Content-Type: text/event-stream\r\n\r\n`)
    await go.promise
    socket.write('data: 1\n\n')
  })
  const { url } = await front(t, address)
  const response = await fetch(url)
  go.resolve()
  const reader = response.body?.getReader()
  assert.is(Buffer.from((await reader?.read())?.value ?? []).toString(), 'data: 1\n\n')
  await reader?.cancel()
})

test('an early answer to an upload is delivered, and the upload is not read to its end', async (t) => {
  const { address } = await upstream(t, ({ socket }) => {
    socket.pause()
    socket.end(`HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo much`)
  })
  const { url } = await front(t, address)
  const client = await rawClient(t, { port: Number(new URL(url).port) })
  client.send(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${2 ** 30}\r\n\r\n`)
  for (let i = 0; i < 32 && !client.received.includes('413'); i++) {
    if (!client.socket.write(Buffer.alloc(65536))) await Promise.race([once(client.socket, 'drain'), client.until(/413/)])
  }
  await client.until(/^HTTP\/1\.1 413 [\s\S]*too much/)
})

test('a client that leaves closes the upstream\'s connection, at every stage', async (t) => {
  const stages: readonly ((socket: import('node:net').Socket) => unknown)[] = [() => {}, (socket) => socket.write(`${OK}\r\npart`), (socket) => socket.write('HTTP/1.1 200')]
  for (const stage of stages) {
    const came = deferred()
    const closed = deferred()
    const { address } = await upstream(t, ({ socket }) => {
      socket.on('close', () => closed.resolve()).on('end', () => socket.end())
      socket.resume()
      stage(socket)
      came.resolve()
    })
    const { url, ended, outcomes } = await front(t, address, {})
    const controller = new AbortController()
    const response = fetch(url, { method: 'POST', body: 'x', signal: controller.signal }).then((each) => each.text()).catch(() => {})
    await came.promise
    await pass(0.05)
    controller.abort()
    await response
    await closed.promise
    await ended(1)
    assert.equal([outcomes[0]?.disconnected, outcomes[0]?.error], [true, undefined])
  }
}, 30)

test.run()
