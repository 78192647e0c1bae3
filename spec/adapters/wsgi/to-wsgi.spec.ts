/** An async application under a WSGI host, which blocks its thread. */
import { createHash, randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { toWsgi } from '../../../adapters/wsgi/to-wsgi.ts'
import { wsgiRequest } from '../../../adapters/wsgi/to-wsgi-request.ts'
import { LoadFailed, WouldDeadlock } from '../../../lib/index.ts'
import type { Environ } from '../../../lib/contract/wsgi.ts'
import { syncToAsync, ThreadPool, type AsyncForm } from '../../../lib/threads/index.ts'
import { RingReader, ringMemory, RingWriter } from '../../../lib/threads/ring.ts'
import { rejection } from '../../support/rejection.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { inWorker } from '../../threads/in-worker.ts'
import { clear } from './async-apps.ts'
import type { HostRequest, HostResponse } from './host.ts'

type Host = AsyncForm<typeof import('./host.ts').host>
const hostModule = new URL('./host.ts', import.meta.url)
const test = suite('an async application under a sync host')

function open(t: TestContext, threads = 1): { readonly pool: ThreadPool; readonly host: Host } {
  const pool = new ThreadPool({ threads })
  t.after(() => pool.close())
  return { pool, host: hostIn(pool) }
}

function hostIn(pool: ThreadPool): Host {
  return syncToAsync<typeof import('./host.ts').host>(new URL('#host', hostModule), { pool })
}

/** A host on a thread that tests share. */
const host = hostIn(new ThreadPool({ threads: 1 }))

const body = ({ written, returned }: HostResponse): string => [...written, ...returned].join('')

function asked(answer: { status?: number; headers?: [string, string][]; body?: string }, environ: Record<string, string> = {}): HostRequest {
  return { app: 'answer', environ: { QUERY_STRING: encodeURIComponent(JSON.stringify(answer)), ...environ } }
}

test('an environ becomes a scope', async () => {
  const answer = body(await host({
    app: 'scope',
    environ: {
      REQUEST_METHOD: 'POST', SCRIPT_NAME: '/\xc3\xa4', PATH_INFO: '/b c', QUERY_STRING: 'x=\xff y', CONTENT_TYPE: 'text/plain', CONTENT_LENGTH: '0',
      SERVER_NAME: 'example.org', SERVER_PORT: '8080', SERVER_PROTOCOL: 'HTTP/1.0', REMOTE_ADDR: '192.0.2.1', REMOTE_PORT: '50000',
      HTTP_HOST: 'example.org:8080', HTTP_X_TWO_WORDS: '1, 2', 'wsgi.url_scheme': 'https',
    },
  }))
  assert.equal(JSON.parse(Buffer.from(answer, 'latin1').toString()), {
    type: 'http', httpVersion: '1.0', method: 'POST', scheme: 'https', path: '/ä/b c', rawPath: '/%C3%A4/b%20c', queryString: 'x=%FF%20y', rootPath: '/ä',
    client: ['192.0.2.1', 50000], server: ['example.org', 8080],
    headers: [['content-type', 'text/plain'], ['content-length', '0'], ['host', 'example.org:8080'], ['x-two-words', '1, 2']],
    extensions: { 'http.response.zerocopysend': {}, 'http.response.pathsend': {} }, state: {},
  })
})

test('the raw path is that of the request line where it agrees with the decoded one, else it is encoded', () => {
  const rows: readonly (readonly [environ: Partial<Environ>, rawPath: string])[] = [
    [{ PATH_INFO: '/a/b', REQUEST_URI: '/a%2Fb?c=/d' }, '/a%2Fb'],
    [{ SCRIPT_NAME: '/a', PATH_INFO: '/b', RAW_URI: '/%61/b' }, '/%61/b'],
    [{ PATH_INFO: '/a', REQUEST_URI: 'http://example.org/a#b' }, '/a'],
    [{ PATH_INFO: '/changed', REQUEST_URI: '/a' }, '/changed'],
    [{ PATH_INFO: '/100%/\xff?#' }, '/100%25/%FF%3F%23'],
    [{ PATH_INFO: '/-._~!$&\'()*+,;=:@' }, '/-._~!$&\'()*+,;=:@'],
    [{ SCRIPT_NAME: '/mounted', PATH_INFO: '' }, '/mounted'],
    [{ PATH_INFO: '' }, '/'],
    [{ PATH_INFO: '*', REQUEST_URI: '*' }, '*'],
  ]
  for (const [environ, rawPath] of rows) assert.is(wsgiRequest({ REQUEST_METHOD: 'GET', SCRIPT_NAME: '', ...environ } as Environ).rawPath, rawPath, JSON.stringify(environ))
})

test('fields that a host gives twice, or that a length makes void, come once (RFC 9112 6.3)', () => {
  const { headers, contentLength } = wsgiRequest({ REQUEST_METHOD: 'POST', CONTENT_LENGTH: '3', HTTP_CONTENT_LENGTH: '4', CONTENT_TYPE: '', HTTP_CONTENT_TYPE: 'a/b', HTTP_TRANSFER_ENCODING: 'chunked' } as unknown as Environ)
  assert.equal([headers, contentLength], [['content-length', '3'], 3])
  assert.equal(wsgiRequest({ REQUEST_METHOD: 'POST', CONTENT_LENGTH: '', HTTP_TRANSFER_ENCODING: 'chunked' } as unknown as Environ).headers, ['transfer-encoding', 'chunked'])
})

test('a response in one piece is one block, with its length', async () => {
  const { status, headers, written, returned, heads } = await host(asked({ headers: [['X-Name', 'a\tb']], body: 'hello' }))
  assert.equal([status, headers, written, returned, heads], ['200 OK', [['x-name', 'a b'], ['content-length', '5']], [], ['hello'], 1])
})

test('a repeated field stays repeated, and fields of the connection are left out', async () => {
  const { headers } = await host(asked({ headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['connection', 'close'], ['keep-alive', 'x'], ['transfer-encoding', 'chunked'], ['upgrade', 'x']] }))
  assert.equal(headers, [['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['content-length', '0']])
})

test('a status that has no reason is given one', async () => {
  assert.is((await host(asked({ status: 299 }))).status, '299 Unknown')
  assert.is((await host(asked({ status: 418 }))).status, '418 I\'m a Teapot')
})

test('HEAD, 204 and 304 have no body, and the length that they may have', async () => {
  const head = await host(asked({ body: 'hello' }, { REQUEST_METHOD: 'HEAD' }))
  assert.equal([head.headers, body(head)], [[['content-length', '5']], ''])
  for (const status of [204, 304]) {
    const empty = await host(asked({ status, body: 'hello' }))
    assert.equal([empty.headers, body(empty)], [[], ''], String(status))
  }
})

test('a method with a lower-case letter is refused', async () => {
  assert.is((await host({ app: 'scope', environ: { REQUEST_METHOD: 'get' } })).status, '501 Not Implemented')
})

test('the body is read when the application asks for it, and no further', async () => {
  const parts = ['one', 'two', 'three']
  assert.is((await host({ ...asked({}), body: parts })).reads, 0)
  const one = await host({ app: 'takesOne', body: parts })
  assert.equal([one.reads, body(one)], [1, 'one'])
  assert.is((await host({ app: 'takesOne', environ: { CONTENT_LENGTH: '0' } })).reads, 0)
  // What has a length is not read beyond it.
  const whole = await host({ app: 'echo', body: ['one', 'two'], environ: { CONTENT_LENGTH: '6' } })
  assert.equal([whole.reads, body(whole)], [2, 'onetwo'])
})

test('megabytes are echoed unchanged, while neither side holds more than some blocks', async () => {
  const [input, output] = [ringMemory(), ringMemory()]
  const done = host({ app: 'echo', body: input, output })
  const [sent, received] = [createHash('sha1'), createHash('sha1')]
  const writing = (async () => {
    const writer = new RingWriter(input)
    for (let i = 0; i < 128; i++) {
      const block = randomBytes(1 + (i * 7919) % 131072)
      sent.update(block)
      await writer.write(block)
    }
    writer.end()
  })()
  const reader = new RingReader(output)
  let bytes = 0
  for (let block; (block = await reader.read()) !== null; bytes += block.length) received.update(block)
  await writing
  const { thrown, heads } = await done
  assert.equal([thrown, heads], [null, 1])
  assert.ok(bytes > 4 * 1024 * 1024)
  assert.is(received.digest('hex'), sent.digest('hex'))
}, 30)

test('no block of either side waits for the next', async () => {
  const [input, output] = [ringMemory(), ringMemory()]
  const done = host({ app: 'echo', body: input, output })
  const [writer, reader] = [new RingWriter(input), new RingReader(output)]
  for (const block of ['one', 'two', 'three']) {
    await writer.write(Buffer.from(block))
    assert.is(String(await reader.read()), block)
  }
  writer.end()
  assert.is(await reader.read(), null)
  await done
})

test('a host that writes slowly holds the application back', async () => {
  const stage = clear()
  const permits = new Int32Array(new SharedArrayBuffer(4))
  const output = ringMemory()
  const done = host({ app: 'endless', permits, output, leaves: 5 })
  const permit = (): void => {
    Atomics.add(permits, 0, 1)
    Atomics.notify(permits, 0)
  }
  const reader = new RingReader(output)
  for (let i = 0; i < 5; i++) {
    permit()
    await reader.read()
    assert.ok(stage.sends <= i + 3, `${stage.sends} sends after ${i + 1} blocks`)
  }
  await done
})

test('a client that leaves is a disconnect to the application, and the host gets its own error back', async () => {
  const stage = clear()
  const { thrown, own, written } = await host({ app: 'endless', leaves: 3 })
  assert.equal([own, thrown?.message], [true, 'the client has left'])
  assert.is(written.length, 3)
  assert.equal(await stage.told.promise, ['ClientDisconnected', 'http.disconnect', true])
})

test('an input that fails is a disconnect to the application, and the host gets its own error back', async () => {
  const stage = clear()
  const { thrown, own } = await host({ app: 'reads', failing: 'read' })
  assert.equal([own, thrown?.message], [true, 'the body is too large'])
  assert.equal(await stage.told.promise, ['http.disconnect', true])
})

test('an input that ends before its length is a disconnect', async () => {
  const stage = clear()
  const { thrown } = await host({ app: 'reads', body: ['abc'], environ: { CONTENT_LENGTH: '5' } })
  assert.match(thrown?.message ?? '', /2 bytes before CONTENT_LENGTH/)
  assert.equal(await stage.told.promise, ['http.disconnect', true])
})

test('a head that the host refuses is its own error', async () => {
  for (const app of ['failsAfter', 'takesOne']) assert.equal([(await host({ app, failing: 'head' })).own], [true], app)
})

test('a host that gives the call up is a disconnect to an application that waits', async (t) => {
  const stage = clear()
  const { pool } = open(t)
  const controller = new AbortController()
  const call = syncToAsync<typeof import('./host.ts').host>(new URL('#host', hostModule), { pool, signal: controller.signal })({ app: 'silent' })
  await stage.gate.promise
  controller.abort(new Error('given up'))
  assert.is((await rejection(call)).message, 'given up')
  assert.equal(await stage.told.promise, ['http.disconnect', true])
})

test('a host whose thread ends is a disconnect to the application', async (t) => {
  const stage = clear()
  assert.is((await rejection(open(t).host({ app: 'endless', dies: 2 }))).name, 'ThreadDied')
  assert.equal(await stage.told.promise, ['ClientDisconnected', 'http.disconnect', true])
})

test('an application that fails before its head is a 500, and the log has the error', async () => {
  const found = await host({ app: 'failsBefore', environ: { PATH_INFO: '/there' } })
  assert.equal([found.status, body(found)], ['500 Internal Server Error', 'Internal Server Error'])
  assert.match(found.errors, /^GET \/there: the application failed\nRangeError: before the head\n +at .*async-apps\.ts/)
})

test('an application that fails after its head throws in the host', async () => {
  const { thrown, written, errors } = await host({ app: 'failsAfter' })
  assert.equal([thrown, written, errors], [{ name: 'RangeError', message: 'after the head' }, ['some'], ''])
})

test('the callable returns when the response is complete, though the application goes on', async () => {
  const stage = clear()
  assert.is(body(await host({ app: 'goesOn' })), 'done')
  stage.gate.resolve()
  assert.is(await stage.told.promise, 'went on')
})

test('an application that waits for the body can answer without it, where the host waits parked', async () => {
  const { thrown, written, returned } = await host({ app: 'answersEarly', parksReading: true })
  assert.equal([thrown, [...written, ...returned].join('')], [null, 'abcd'])
})

test('sync functions of the application run on the thread of the host: one is enough', async (t) => {
  const { host, pool } = open(t)
  const found = body(await host({ app: 'callsSync' }))
  assert.match(found, /^-(\d+),\1,\1$/)
  assert.is(pool.stats.hops, 1)
  const all = await Promise.all(Array.from({ length: 200 }, () => host({ app: 'callsSync' })))
  for (const each of all) assert.is(body(each), found)
}, 30)

test('an application may send for another request', async (t) => {
  const { host } = open(t, 2)
  const both = await Promise.all([host({ app: 'meets' }), host({ app: 'meets' })])
  assert.equal(both.map(body), ['to all;bye', 'to all;bye'])
})

test('the lifespan starts once, with the first request, and its state is in each scope', async (t) => {
  const stage = clear()
  const { host } = open(t, 2)
  stage.refuseStart = true
  assert.is((await host({ app: 'lives' })).thrown?.name, 'LifespanFailed')
  stage.refuseStart = false
  const states = await Promise.all([1, 2, 3].map(async () => JSON.parse(body(await host({ app: 'lives' }))) as { starts: number; place: number }))
  assert.equal(states.map(({ starts }) => starts), [1, 1, 1])
})

test('in a Worker of the user\'s own a helper thread runs the application', async (t) => {
  const found = await inWorker(t, hostModule, 'return [nest.host({ app: "loopThread" }), nest.host({ app: "callsSync" }), nest.host({ app: "echo", body: ["a", "b"] }), require("node:worker_threads").threadId]') as [HostResponse, HostResponse, HostResponse, number]
  const [loop, sync, echo, own] = found
  assert.match(body(loop), /^loop \d+$/)
  assert.is.not(body(loop), `loop ${own}`)
  assert.is(body(sync) + sync.errors, `-${own},${own},${own}`)
  assert.is(body(echo), 'ab')
}, 30)

test('on the main thread a call throws WouldDeadlock at once, and a module that is not there LoadFailed', () => {
  const app = toWsgi(new URL('./async-apps.ts#echo', import.meta.url))
  assert.throws(() => app({ REQUEST_METHOD: 'GET' } as Environ, () => () => {}), (error: unknown) => error instanceof WouldDeadlock)
  assert.throws(() => toWsgi(new URL('./nowhere.ts', import.meta.url)), (error: unknown) => error instanceof LoadFailed)
})

test.run()
