import { rejects } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { fromUwsgi } from '../../../adapters/uwsgi/index.ts'
import { UpstreamFailed } from '../../../lib/contract/errors.ts'
import { InvalidOption, UnsupportedScope } from '../../../lib/index.ts'
import { mount } from '../../../lib/middleware/index.ts'
import { testClient } from '../../../lib/testing/index.ts'
import { tempFolder } from '../../support/command.ts'
import { deferred } from '../../support/deferred.ts'
import { freePort } from '../../support/nginx.ts'
import { rawClient } from '../../support/raw-client.ts'
import { suite } from '../../support/suite.ts'
import { answering, front, upstream, type Came, type Upstream } from './upstream.ts'

const test = suite('fromUwsgi: requests')
const OK = 'HTTP/1.1 200 OK\r\n'

test('the variables are those of nginx\'s uwsgi_params, with SCRIPT_NAME and PATH_INFO by the root path', async (t) => {
  const came = deferred<Came>()
  const { address } = await upstream(t, (each) => {
    came.resolve(each)
    each.socket.end(`${OK}\r\n`)
  })
  const { url } = await front(t, address, {}, (app) => mount({ '/shop': app }))
  const client = await rawClient(t, { port: Number(new URL(url).port) })
  client.send('POST /shop/a%2Fb/%C3%A4?x=%20 HTTP/1.1\r\nHost: x.test\r\nX-A: 1\r\nX-A: 2\r\nx_a: evil\r\nX_User: evil\r\nProxy: evil\r\nTE: trailers\r\nConnection: close, X-Hop, Host\r\nX-Hop: 1\r\nCookie: a=1\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc')
  await client.ended
  const { variables, modifier1 } = await came.promise
  const port = new URL(url).port
  assert.is(modifier1, 0)
  const expected = {
    REQUEST_METHOD: 'POST', SCRIPT_NAME: '/shop', PATH_INFO: '/a/b/\xc3\xa4', QUERY_STRING: 'x=%20', REQUEST_URI: '/shop/a%2Fb/%C3%A4?x=%20',
    CONTENT_TYPE: 'text/plain', CONTENT_LENGTH: '3', SERVER_PROTOCOL: 'HTTP/1.1', SERVER_NAME: '127.0.0.1', SERVER_PORT: port,
    REMOTE_ADDR: '127.0.0.1', REQUEST_SCHEME: 'http', UWSGI_SCHEME: 'http', GATEWAY_INTERFACE: 'CGI/1.1',
    HTTP_HOST: 'x.test', HTTP_X_A: '1,2', HTTP_COOKIE: 'a=1',
  }
  for (const [name, value] of Object.entries(expected)) assert.is(variables.get(name), value, name)
  for (const name of ['HTTP_PROXY', 'HTTP_X_USER', 'HTTP_TE', 'HTTP_CONNECTION', 'HTTP_X_HOP', 'HTTPS', 'HTTP_CONTENT_LENGTH']) assert.is(variables.has(name), false, name)
  assert.equal([...variables.keys()].filter((name) => !/^[A-Z_]+$/.test(name)), [])
})

test('modifier 30 has PATH_INFO begin with SCRIPT_NAME; a request without a body has an empty CONTENT_LENGTH', async (t) => {
  const came = deferred<Came>()
  const { address } = await upstream(t, (each) => {
    came.resolve(each)
    each.socket.end(`${OK}\r\n`)
  })
  const { url } = await front(t, address, { modifier1: 30 }, (app) => mount({ '/shop': app }))
  await (await fetch(`${url}/shop/x`)).text()
  const { variables, modifier1 } = await came.promise
  assert.equal([modifier1, variables.get('SCRIPT_NAME'), variables.get('PATH_INFO'), variables.get('CONTENT_LENGTH')], [30, '/shop', '/shop/x', ''])
})

test('a head that no packet can hold is a 431, and nobody is asked', async (t) => {
  const up = await answering(t, `${OK}\r\n`)
  const client = await testClient(fromUwsgi(up.address))
  t.after(() => client.close())
  assert.is((await client.fetch('/', { headers: { x: 'y'.repeat(65_500) } })).status, 431)
  assert.is(up.connections, 0)
})

/** Answers with the length and the sum of a body. */
const summing = ({ socket, variables, rest }: Came): void => {
  const hash = createHash('sha256')
  const length = Number(variables.get('CONTENT_LENGTH'))
  let left = length
  const take = (bytes: Buffer): void => {
    hash.update(bytes)
    left -= bytes.length
    if (left === 0) socket.end(`${OK}\r\n${length} ${hash.digest('hex')}`)
  }
  socket.on('data', take)
  take(rest)
}

test('a body of unknown length is kept first: in memory while it is small, then in a file that is gone afterwards', async (t) => {
  const { address } = await upstream(t, summing)
  const { url } = await front(t, address)
  for (const size of [0, 1, 65_535, 65_536, 65_537, 1_000_000, 20_000_000]) {
    const bytes = Buffer.alloc(size, 'tsgi')
    const body = (async function* () {
      for (let at = 0; at < size; at += 50_000) yield bytes.subarray(at, at + 50_000)
    })()
    const response = await fetch(url, { method: 'POST', body, duplex: 'half' } as unknown as RequestInit)
    assert.is(await response.text(), `${size} ${createHash('sha256').update(bytes).digest('hex')}`)
  }
  assert.equal(readdirSync(tmpdir()).filter((name) => /^tsgi-[0-9a-f]{8}-[0-9a-f-]{27}$/.test(name)), [])
}, 20)

test('such a body over `spoolLimit` is a 413, and nobody is asked', async (t) => {
  const up = await answering(t, `${OK}\r\n`)
  const { url } = await front(t, up.address, { spoolLimit: 100_000 })
  const client = await rawClient(t, { port: Number(new URL(url).port) })
  client.send(`POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n30d40\r\n${'x'.repeat(200_000)}\r\n`)
  await client.until(/^HTTP\/1\.1 413 /)
  assert.is(up.connections, 0)
})

test('a body is held back by an upstream that does not read', async (t) => {
  const go = deferred()
  const { address } = await upstream(t, async (came) => {
    came.socket.pause()
    await go.promise
    summing(came)
    came.socket.resume()
  })
  const { url } = await front(t, address)
  const part = Buffer.alloc(2 ** 20)
  let sent = 0
  const body = (async function* () {
    for (; sent < 64; sent++) yield part
  })()
  const response = fetch(url, { method: 'POST', body, duplex: 'half', headers: { 'content-length': String(64 * part.length) } } as unknown as RequestInit)
  for (let before = -1; before !== sent;) {
    before = sent
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.ok(sent < 40, `${sent} MiB were taken`)
  go.resolve()
  assert.match(await (await response).text(), /^67108864 /)
}, 20)

test('an upload that is broken off closes the upstream\'s connection before its length', async (t) => {
  let received = 0
  const closed = deferred()
  const came = deferred()
  const { address } = await upstream(t, ({ socket, rest }) => {
    received += rest.length
    socket.on('data', (bytes: Buffer) => (received += bytes.length)).on('end', () => socket.end()).on('close', () => closed.resolve())
    came.resolve()
  })
  const { url, outcomes, ended } = await front(t, address)
  const client = await rawClient(t, { port: Number(new URL(url).port) })
  client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc')
  await came.promise
  client.socket.destroy()
  await closed.promise
  await ended(1)
  assert.ok(received <= 3)
  assert.is(outcomes[0]?.disconnected, true)
})

// ---- several upstreams ----

test('of several the least busy one is asked, and those that are as busy in turn', async (t) => {
  const waiting: (() => void)[] = []
  const held = await upstream(t, ({ socket }) => waiting.push(() => socket.end(`${OK}\r\nheld`)))
  const quick: Upstream[] = [await answering(t, `${OK}\r\nquick`), await answering(t, `${OK}\r\nquick`)]
  const { url, ended } = await front(t, [held, ...quick].map(({ address }) => address))
  const first = Promise.all([fetch(url), fetch(url), fetch(url)])
  first.catch(() => {})
  while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve))
  for (let i = 0; i < 20; i++) {
    // The two that came with the one that is held, and those of this loop.
    await ended(2 + i)
    assert.is(await (await fetch(url)).text(), 'quick')
  }
  assert.is(held.connections, 1)
  const shares = quick.map(({ connections }) => connections)
  assert.ok(Math.min(...shares) >= 8, shares.join())
  for (const go of waiting) go()
  await Promise.all((await first).map((each) => each.text()))
})

test('one that is down is left alone for `failTimeout`, and nobody notices', async (t) => {
  const port = await freePort()
  const up = await answering(t, `${OK}\r\nup`)
  const { url, outcomes } = await front(t, [`127.0.0.1:${port}`, up.address], { failTimeout: 0.5 })
  for (let i = 0; i < 4; i++) assert.is(await (await fetch(url)).text(), 'up')
  let asked = 0
  const back = createServer((socket) => {
    asked++
    socket.once('data', () => socket.end(`${OK}\r\nback`))
  }).listen(port, '127.0.0.1')
  await once(back, 'listening')
  t.after(() => back.close())
  assert.is(await (await fetch(url)).text(), 'up')
  assert.is(asked, 0)
  await new Promise((resolve) => setTimeout(resolve, 600))
  const texts = []
  for (let i = 0; i < 4; i++) texts.push(await (await fetch(url)).text())
  assert.ok(texts.includes('back') && texts.includes('up'), texts.join())
  assert.is(outcomes.every(({ error }) => error === undefined), true)
})

test('all down: 502, after each was tried; as soon as one is back it is asked', async (t) => {
  const ports = [await freePort(), await freePort()]
  const { url, outcomes, ended } = await front(t, ports.map((port) => `uwsgi://127.0.0.1:${port}`), { failTimeout: 60 })
  assert.is((await fetch(url)).status, 502)
  await ended(1)
  const [outcome] = outcomes
  assert.instance(outcome?.error, UpstreamFailed)
  for (const port of ports) assert.match(String((outcome?.error as Error).cause), new RegExp(`${port}`))
  const back = createServer((socket) => socket.once('data', () => socket.end(`${OK}\r\nback`))).listen(ports[1], '127.0.0.1')
  await once(back, 'listening')
  t.after(() => back.close())
  assert.is(await (await fetch(url)).text(), 'back')
})

test('one that breaks off, or answers nonsense, is left alone for `failTimeout` too; one that is merely slow is not', async (t) => {
  for (const answer of ['', 'nonsense\r\n\r\n']) {
    const bad = await answering(t, answer)
    const good = await answering(t, `${OK}\r\ngood`)
    const { url } = await front(t, [bad.address, good.address], { failTimeout: 60 })
    const statuses = []
    for (let i = 0; i < 5; i++) statuses.push((await fetch(url)).status)
    assert.equal(statuses, [502, 200, 200, 200, 200], answer)
    assert.is(bad.connections, 1)
  }
  let first = true
  const slow = await upstream(t, ({ socket }) => {
    if (!first) socket.end(`${OK}\r\nslow`)
    first = false
  })
  const { url } = await front(t, [slow.address, (await answering(t, `${OK}\r\ngood`)).address], { failTimeout: 60, readTimeout: 0.2 })
  const seen = []
  for (let i = 0; i < 4; i++) seen.push(await (await fetch(url)).text())
  assert.equal(seen, ['Gateway Timeout\n', 'good', 'slow', 'good'])
})

test('what was sent is never sent again: an upstream that closes without an answer is a 502', async (t) => {
  const both = [await answering(t, ''), await answering(t, '')]
  const { url } = await front(t, both.map(({ address }) => address))
  assert.is((await fetch(url, { method: 'POST', body: 'x' })).status, 502)
  assert.is((both[0]?.connections ?? 0) + (both[1]?.connections ?? 0), 1)
})

test('addresses: TCP and unix, in each form; anything else is an InvalidOption', async (t) => {
  const path = join(tempFolder(t).path, 'up.sock')
  const unix = await upstream(t, ({ socket }) => socket.end(`${OK}\r\nunix`), path)
  const tcp = await answering(t, `${OK}\r\ntcp`)
  for (const [address, text] of [[`uwsgi:${path}`, 'unix'], [`unix:${path}`, 'unix'], [`unix://${path}`, 'unix'], [unix.address, 'unix'], [tcp.address, 'tcp'], [`uwsgi://${tcp.address}`, 'tcp']] as const) {
    assert.is(await (await fetch((await front(t, address)).url)).text(), text, address)
  }
  for (const wrong of ['', 'x', ':1', 'a:0', 'a:65536', 'http://a:1', 'uwsgi://a', 'uwsgi:x', 'unix:x', 'a:1/x', '::1:80', [], ['a:1', '']]) {
    assert.throws(() => fromUwsgi(wrong), (error: Error) => error instanceof InvalidOption, JSON.stringify(wrong))
  }
  for (const options of [{ readTimeout: -1 }, { connectTimeout: NaN }, { modifier1: 256 }, { modifier1: 0.5 }, { nonsense: 1 }]) {
    assert.throws(() => fromUwsgi('a:1', options as object), (error: Error) => error instanceof InvalidOption, JSON.stringify(options))
  }
})

test('it has HTTP only: a WebSocket and a lifespan are UnsupportedScope', async () => {
  for (const type of ['websocket', 'lifespan']) {
    await rejects(fromUwsgi('a:1')({ type } as never, null as never, null as never), UnsupportedScope)
  }
})

test('1,000 requests and 200 clients that vanish leave no connection and no descriptor', async (t) => {
  const up = await upstream(t, ({ socket, variables }) => {
    socket.on('end', () => socket.end())
    if (variables.get('PATH_INFO') !== '/wait') socket.end(`${OK}\r\n${'x'.repeat(1000)}`)
  })
  const { url, ended } = await front(t, up.address)
  await (await fetch(url)).text()
  const descriptors = (): number => readdirSync('/proc/self/fd').length
  const before = descriptors()
  for (let i = 0; i < 50; i++) await Promise.all(Array.from({ length: 20 }, async () => (await fetch(url)).text()))
  const controllers = Array.from({ length: 200 }, () => new AbortController())
  const vanishing = controllers.map(({ signal }) => fetch(`${url}/wait`, { signal }).catch(() => {}))
  while (up.connections < 1201) await new Promise((resolve) => setImmediate(resolve))
  for (const controller of controllers) controller.abort()
  await Promise.all(vanishing)
  await ended(1201)
  while (up.open.size > 0) await new Promise((resolve) => setImmediate(resolve))
  // The client keeps some connections alive.
  assert.ok(descriptors() <= before + 45, `${before} before, ${descriptors()} after`)
}, 30)

test.run()
