/** Bodies stream through listeners of node:http in bounded memory, both ways, and nothing stays behind. */
import express from 'express'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as assert from 'uvu/assert'
import { fromNode } from '../../../adapters/node/index.ts'
import type { HttpReceiveEvent } from '../../../lib/index.ts'
import { communicator, testClient } from '../../../lib/testing/index.ts'
import { httpScope } from '../../../lib/exchange/scope.ts'
import { headerList } from '../../../lib/contract/headers.ts'
import { deferred } from '../../support/deferred.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { askHttp1, onTsgi } from './hosts.ts'

const test = suite('streams of node listeners')
const PART = Buffer.alloc(65536, 'part of a large ')
const PARTS = 1024

function* parts(count = PARTS): Generator<Buffer> {
  for (let i = 0; i < count; i++) yield PART
}

const app = express()
app.post('/echo', (request, response) => void request.pipe(response))
app.post('/count', async (request, response) => {
  let count = 0
  for await (const chunk of request) count += (chunk as Buffer).length
  response.json(count)
})
app.get('/many', (_request, response) => void Readable.from(parts()).pipe(response))

for (const version of ['HTTP/1.1', 'HTTP/2'] as const) {
  test(`64 MiB go through Express and back over ${version}`, async (t) => {
    const url = await onTsgi(t, app)
    let request: NodeJS.WritableStream & NodeJS.EventEmitter
    let answered: Promise<NodeJS.ReadableStream>
    if (version === 'HTTP/2') {
      const session = connectHttp2(url)
      t.after(() => session.destroy())
      const stream = session.request({ ':method': 'POST', ':path': '/echo' })
      request = stream
      answered = once(stream, 'response').then(() => stream)
    } else {
      const message = httpRequest(`${url}/echo`, { method: 'POST', agent: false })
      request = message
      answered = once(message, 'response').then(([response]) => response as IncomingMessage)
    }
    const sent = pipeline(Readable.from(parts()), request)
    let count = 0
    const response = await answered
    response.on('data', (bytes: Buffer) => (count += PART.includes(bytes.subarray(0, 8)) ? bytes.length : 0))
    await Promise.all([sent, once(response, 'end')])
    assert.is(count, PARTS * PART.length)
  }, 60)
}

test('64 MiB are read in a loop, and 64 MiB are piped out', async (t) => {
  const url = await onTsgi(t, app)
  const request = httpRequest(`${url}/count`, { method: 'POST', agent: false })
  const answered = once(request, 'response')
  await pipeline(Readable.from(parts()), request)
  const [response] = await answered as [IncomingMessage]
  assert.is(String(await response.toArray().then((chunks) => Buffer.concat(chunks as Buffer[]))), String(PARTS * PART.length))
  const [many] = await once(httpRequest(`${url}/many`, { agent: false }).end(), 'response') as [IncomingMessage]
  let count = 0
  for await (const chunk of many) count += (chunk as Buffer).length
  assert.is(count, PARTS * PART.length)
}, 30)

async function raw(t: TestContext, url: string, text: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

test('a client that takes nothing holds the listener back: write says false, and drain waits', async (t) => {
  const stuck = deferred<number>()
  let response!: ServerResponse
  let written = 0
  const url = await onTsgi(t, ((_request, given) => {
    response = given
    const go = (): void => {
      while (response.write(PART)) written += PART.length
      written += PART.length
      const timer = setTimeout(() => stuck.resolve(written), 200)
      response.once('drain', () => {
        clearTimeout(timer)
        go()
      })
    }
    go()
  }) satisfies RequestListener)
  const socket = await raw(t, url, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  socket.pause()
  const at = await stuck.promise
  assert.ok(at < 32 * 1024 * 1024, `${at} bytes written`)
  assert.is(response.writableNeedDrain, true)
  assert.ok(response.writableLength > 0)
  const closed = once(response, 'close')
  socket.resetAndDestroy()
  await closed
  assert.equal([response.destroyed, response.writableFinished], [true, false])
})

test('a listener that does not read holds the client back', async (t) => {
  let request!: IncomingMessage
  const called = deferred()
  const url = await onTsgi(t, ((given, response) => {
    request = given
    given.on('end', () => response.end('read'))
    called.resolve()
  }) satisfies RequestListener)
  const socket = await raw(t, url, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${PARTS * PART.length}\r\n\r\n`)
  let stuck = false
  for (let i = 0; i < PARTS && !stuck; i++) stuck = !socket.write(PART) && await Promise.race([once(socket, 'drain').then(() => false), new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 300))])
  await called.promise
  assert.ok(stuck)
  assert.is(request.readableLength, 0)
  assert.ok(socket.bytesWritten < 32 * 1024 * 1024)
})

test('nothing is received before the listener reads', async () => {
  let request!: IncomingMessage
  const scope = httpScope({
    httpVersion: '1.1', method: 'POST', scheme: 'http', rawPath: '/', queryString: '', headers: headerList([['content-length', '3']]), client: null, server: null, extensions: {},
  }, '', {})
  const talk = communicator(fromNode(((given, response) => {
    request = given
    setTimeout(() => given.on('data', (chunk: Buffer) => response.end(chunk)), 20)
  }) satisfies RequestListener), scope)
  await new Promise((resolve) => setTimeout(resolve, 10))
  talk.sendInput({ type: 'http.request', body: Buffer.from('abc'), moreBody: false, trailers: null } satisfies HttpReceiveEvent)
  assert.is(request.readableLength, 0)
  assert.is((await talk.receiveOutput()).type, 'http.response.start')
  assert.equal(await talk.receiveOutput(), { type: 'http.response.body', body: Buffer.from('abc'), moreBody: false })
  await talk.wait()
})

test('100 Continue comes when the listener reads', async (t) => {
  let read!: () => void
  const url = await onTsgi(t, ((request, response) => {
    read = () => request.on('data', () => {}).on('end', () => response.end('read'))
  }) satisfies RequestListener)
  const socket = await raw(t, url, 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n')
  socket.setEncoding('latin1')
  assert.is(await Promise.race([once(socket, 'data').then(String), new Promise((resolve) => setTimeout(() => resolve('nothing'), 100))]), 'nothing')
  read()
  assert.is(String(await once(socket, 'data')), 'HTTP/1.1 100 Continue\r\n\r\n')
  socket.write('abc')
  assert.match(String(await once(socket, 'data')), /^HTTP\/1\.1 200 OK\r\n[^]*read$/)
})

test('an answer before the body is read is delivered, and the rest of the body is not waited for', async (t) => {
  const url = await onTsgi(t, ((_request, response) => response.writeHead(413).end('too large')) satisfies RequestListener)
  const answer = await askHttp1(url, { method: 'POST', path: '/', body: Buffer.alloc(20_000_000) })
  assert.equal([answer.status, answer.body], [413, 'too large'])
})

test('a body that is still read when the response ends comes whole', async (t) => {
  const whole = deferred<number>()
  const url = await onTsgi(t, ((request, response) => {
    let count = 0
    request.pipe(new Transform({
      transform(chunk: Buffer, _encoding, done) {
        count += chunk.length
        setImmediate(done)
      },
      flush(done) {
        whole.resolve(count)
        done()
      },
    })).resume()
    response.end('early')
  }) satisfies RequestListener)
  assert.is((await askHttp1(url, { method: 'POST', path: '/', body: Buffer.alloc(3_000_000) })).body, 'early')
  assert.is(await whole.promise, 3_000_000)
})

test('a body that is no longer read does not keep the response open', async (t) => {
  const url = await onTsgi(t, ((request, response) => {
    request.once('data', () => {
      request.pause()
      response.write('early')
      response.end()
    }).on('data', () => {})
  }) satisfies RequestListener)
  const socket = await raw(t, url, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc')
  let received = ''
  socket.setEncoding('latin1').on('data', (text: string) => (received += text))
  while (!received.endsWith('0\r\n\r\n')) await once(socket, 'data')
}, 5)

// ---- failures ----

const failures: readonly (readonly [string, RequestListener, number | string])[] = [
  ['throws', () => {
    throw new Error('thrown')
  }, 500],
  ['rejects', async () => {
    await null
    throw new Error('rejected')
  }, 500],
  ['throws after a part of its response', (_request, response) => {
    response.write('begun')
    setImmediate(() => response.destroy(new Error('broken')))
  }, 'ECONNRESET'],
  ['gives a status that there is not', (_request, response) => response.writeHead(700).end(), 500],
  ['gives two lengths', (_request, response) => response.writeHead(200, ['content-length', '1', 'content-length', '1'] as never).end('x'), 500],
  ['writes more than it announced', (_request, response) => response.writeHead(200, { 'content-length': 1 }).end('too long'), 500],
  ['writes less than it announced', (_request, response) => {
    response.writeHead(200, { 'content-length': 9 }).write('abc')
    setTimeout(() => response.end(), 10)
  }, 'ECONNRESET'],
]

for (const [name, listener, expected] of failures) {
  test(`a listener that ${name} harms no other request`, async (t) => {
    const url = await onTsgi(t, ((request, response) => request.url === '/' ? listener(request, response) : response.end('fine')) satisfies RequestListener)
    const answer = await askHttp1(url, { path: '/' }).catch((error: { code?: string }) => error.code)
    assert.is(typeof answer === 'object' ? answer.status : answer, expected)
    assert.is((await askHttp1(url, { path: '/other' })).body, 'fine')
  })
}

test('a listener that rejects after its response is heard of', async () => {
  const client = await testClient(fromNode((async (_request, response) => {
    response.end('fine')
    await null
    throw new Error('late')
  }) satisfies RequestListener))
  assert.is(await (await client.fetch('/')).text(), 'fine')
  assert.match(String(await client.close().catch(String)), /late/)
})

test('some thousands of requests leave nothing behind', async (t) => {
  const left = new Set<WeakRef<object>>()
  const kept = express()
  kept.use((request, response, next) => {
    left.add(new WeakRef(request)).add(new WeakRef(response))
    next()
  })
  kept.get('/', (_request, response) => void response.send('hello'))
  kept.get('/later', async (_request, response) => {
    await new Promise(setImmediate)
    response.send('later')
  })
  kept.post('/', (request, response) => void request.pipe(response))
  const client = await testClient(fromNode(kept))
  t.after(() => client.close())
  for (let i = 0; i < 3000; i++) {
    const response = await client.fetch(i % 3 === 1 ? '/later' : '/', i % 3 === 2 ? { method: 'POST', body: 'abc' } : {})
    await response.text()
  }
  assert.is(left.size, 6000)
  const collect = (globalThis as { gc?: () => void }).gc ?? gcFunction()
  for (let i = 0; i < 10; i++) {
    await new Promise(setImmediate)
    collect()
  }
  const alive = [...left].filter((each) => each.deref() !== undefined).length
  assert.ok(alive < 20, `${alive} are left`)
}, 30)

test.run()

/** The collector, which is hidden without `--expose-gc`. */
function gcFunction(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
