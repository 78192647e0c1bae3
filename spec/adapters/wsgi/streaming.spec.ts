/** Bodies that stream, both ways, and wait for nobody that they need not wait for. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash } from 'node:crypto'
import { connect as connectHttp2 } from 'node:http2'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { fromWsgi } from '../../../adapters/wsgi/index.ts'
import type { Application } from '../../../lib/index.ts'
import { startProcess } from '../../support/command.ts'
import { rawServer } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'
import { both, inline, onThread, open, pool } from './modes.ts'
import { keepLog, Probe } from './probe.ts'

const test = suite('WSGI, streaming')

/** The same where requests come over sockets. */
function probed(app: Application, probe: Probe): Application {
  return (scope, receive, send) => probe.run(() => app(scope, receive, send))
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

test('each block arrives before the application is asked for the next one', async (t) => {
  const probe = new Probe()
  const { connect } = await rawServer(t, probed(onThread('gated'), probe))
  const socket = await connect()
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  for (let i = 0; i < 5; i++) {
    assert.not.match(await socket.until(`line ${i}\n`), new RegExp(`line ${i + 1}`))
    await probe.reached(i + 1)
    assert.is(probe.closes, 0)
    probe.open(i + 1)
  }
  await socket.until('\r\n0\r\n\r\n')
  await probe.closedTimes(1)
})

both(test, 'an upload of any size and in any pieces arrives whole', async (t, mode) => {
  const { client } = await open(t, mode === inline ? fromWsgi((await import('./apps.ts')).hashes, { bodyLimit: 0 }) : onThread('hashes'))
  for (const length of [0, 1, 1000, 65536, 262144, 262145, 3_000_000]) {
    const bytes = Buffer.alloc(length)
    for (let i = 0; i < length; i++) bytes[i] = i * 7 + (i >> 8)
    for (const size of [777, 65536, 1_000_000]) {
      const response = await client.fetch(`/?${size}`, { method: 'POST', body: bytes })
      assert.is(await response.text(), `${length} ${sha256(bytes)}`)
    }
    const pieces = async function* () {
      for (let at = 0; at < length; at += 100_001) yield bytes.subarray(at, at + 100_001)
    }
    assert.is(await (await client.fetch('/?50000', { method: 'POST', body: pieces() })).text(), `${length} ${sha256(bytes)}`)
  }
}, 30)

both(test, 'a big response arrives whole, and the application waits for a client that is slow', async (t, mode) => {
  const probe = new Probe()
  const total = 64 * 2 ** 20
  const { connect } = await rawServer(t, probed(mode('big'), probe))
  const socket = await connect()
  socket.socket.pause()
  socket.write(`GET /?${total} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  // It goes on until all that lies between is full, and no further.
  let [before, steps] = [-1, 0]
  while (steps === 0 || steps !== before) {
    await delay(50)
    ;[before, steps] = [steps, probe.steps]
  }
  assert.ok(steps < 500, `${steps} of 1024 blocks were made`)
  let length = 0
  const hash = createHash('sha256')
  let head = Buffer.alloc(0)
  socket.socket.removeAllListeners('data')
  await new Promise<void>((resolve, reject) => {
    socket.socket.on('data', (chunk: Buffer) => {
      let body = chunk
      if (length === 0) {
        head = Buffer.concat([head, chunk])
        const end = head.indexOf('\r\n\r\n')
        if (end < 0) return
        body = head.subarray(end + 4)
      }
      length += body.length
      hash.update(body)
    }).on('end', resolve).on('error', reject).resume()
  })
  const expected = createHash('sha256')
  for (let i = 0; i < 1024; i++) expected.update(Buffer.alloc(65536, i % 251))
  assert.equal([length, hash.digest('hex')], [total, expected.digest('hex')])
  await probe.closedTimes(1)
}, 30)

test('a thread with a slow client holds up nobody else', async (t) => {
  const probe = new Probe()
  const { connect } = await rawServer(t, probed(async (scope, receive, send) => {
    const app = scope.type === 'http' && scope.path === '/slow' ? onThread('big') : inline('writesOnly')
    return app(scope, receive, send)
  }, probe))
  const slow = await connect()
  slow.socket.pause()
  slow.write(`GET /slow?${64 * 2 ** 20} HTTP/1.1\r\nHost: a\r\n\r\n`)
  await probe.reached(8)
  for (let i = 0; i < 20; i++) {
    const other = await connect()
    other.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(await other.toEnd(), /written/)
  }
  slow.socket.destroy()
  await probe.closedTimes(1)
})

test('what was written before an error arrives before the response is broken off (on a thread)', async (t) => {
  const logged = keepLog(t)
  const { connect } = await rawServer(t, probed(onThread('throwsLater'), new Probe()))
  const socket = await connect()
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await socket.ended
  assert.match(socket.text, /^HTTP\/1\.1 200 .*one/s)
  assert.not.match(socket.text, /\r\n0\r\n\r\n$/)
  assert.match(String(logged), /RangeError: later/)
})

const upload = 'POST /QUERY HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n'

test('100 Continue is sent when the application first reads, not before (on a thread)', async (t) => {
  const probe = new Probe()
  const { connect } = await rawServer(t, probed(onThread('readsWhenTold'), probe))
  const socket = await connect()
  socket.write(upload.replace('QUERY', ''))
  await probe.reached(1)
  await delay(20)
  assert.is(socket.text, '')
  probe.open(1)
  assert.is(await socket.until('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n')
  socket.write('hello')
  assert.match(await socket.until('hello'), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
})

test('100 Continue is not sent for a body that is not read (on a thread)', async (t) => {
  const probe = new Probe()
  probe.open(1)
  const { connect } = await rawServer(t, probed(onThread('readsWhenTold'), probe))
  const socket = await connect()
  socket.write(upload.replace('QUERY', '?unread'))
  assert.match(await socket.until('unread'), /^HTTP\/1\.1 200 OK\r\n/)
})

test('100 Continue is sent before the application is called, unless its body is too long (inline)', async (t) => {
  const probe = new Probe()
  probe.open(1)
  const { connect } = await rawServer(t, probed(inline('readsWhenTold'), probe))
  const socket = await connect()
  socket.write(upload.replace('QUERY', ''))
  await socket.until('HTTP/1.1 100 Continue\r\n\r\n')
  assert.is(probe.steps, 0)
  socket.write('hello')
  assert.match(await socket.until('hello'), /HTTP\/1\.1 200 OK\r\n/)
  const long = await connect()
  long.write(upload.replace('QUERY', '').replace('Length: 5', 'Length: 2000000'))
  assert.match(await long.toEnd(), /^HTTP\/1\.1 413 /)
})

both(test, 'over HTTP/2, where a body needs no length: an upload, and a request without one', async (t, mode) => {
  const { port } = await rawServer(t, mode('hashes'))
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  t.after(() => session.close())
  for (const body of ['', 'x', 'y'.repeat(300_000)]) {
    const stream = session.request({ ':path': '/?1000', ':method': body === '' ? 'GET' : 'POST' })
    if (body !== '') stream.end(body)
    assert.is(await text(stream), `${body.length} ${sha256(body)}`)
  }
})

test('while a body streams, receive and send are called in the context of their request (on a thread)', async (t) => {
  const context = new AsyncLocalStorage<number>()
  const seen = new Set<number | undefined>()
  const app = onThread('gated')
  const body = onThread('hashes')
  const { client, probe } = await open(t, (scope, receive, send) => context.run(7, () => (scope.type === 'http' && scope.method === 'POST' ? body : app)(scope, () => {
    seen.add(context.getStore())
    return receive()
  }, (event) => {
    seen.add(context.getStore())
    return send(event)
  })))
  probe.open(9)
  assert.match(await (await client.fetch('/')).text(), /line 4\n$/)
  await (await client.fetch('/?1000', { method: 'POST', body: 'x'.repeat(300_000) })).text()
  assert.equal([...seen], [7])
})

test('a call that does not read its body, and answers in one piece, is one hop; so is one without a body', async (t) => {
  const probe = new Probe()
  probe.open(9)
  const { client } = await open(t, probed(onThread('readsWhenTold'), probe))
  const { hops } = pool.stats
  await (await client.fetch('/?unread', { method: 'POST', body: 'unread' })).text()
  await (await client.fetch('/')).text()
  assert.is(pool.stats.hops, hops + 2)
})

for (const name of ['inline', 'on a thread']) {
  test(`wsgi.errors writes whole lines to standard error (${name})`, async (t) => {
    const { ended } = startProcess(t, [fileURLToPath(new URL('./speaking.ts', import.meta.url)), name], { program: [process.execPath, '--conditions=source', '--import', 'tsx'] })
    const { stderr, stdout } = await ended
    assert.is(stderr, 'first line\nsecond line\nthird line\nfourth line, flushed\nthe rest')
    assert.is(stdout, `spoken ${JSON.stringify(name === 'inline' ? ['first line\n', 'second line\n', 'third line\n', 'fourth line, flushed', '\n', 'the rest'] : [])}\n`)
  })
}

test.run()
