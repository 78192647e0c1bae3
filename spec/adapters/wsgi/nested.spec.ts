/** `toWsgi` over `fromWsgi`, and the other way round: as if neither were there, and on one thread. */
import { createHash, randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { fromWsgi } from '../../../adapters/wsgi/from-wsgi.ts'
import { testClient, type TestClient } from '../../../lib/testing/index.ts'
import { syncToAsync, ThreadPool, type AsyncForm } from '../../../lib/threads/index.ts'
import { RingReader, ringMemory, RingWriter } from '../../../lib/threads/ring.ts'
import { deferred } from '../../support/deferred.ts'
import { rejection } from '../../support/rejection.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { clear } from './async-apps.ts'
import type { HostResponse } from './host.ts'

type Host = typeof import('./host.ts').host
const test = suite('sync and async applications, nested')
/** What deadlocks is ended, so that the other tests go on. */
const limits = { timeout: 8, grace: 0 }

function pool(t: TestContext): ThreadPool {
  const made = new ThreadPool({ threads: 1 })
  t.after(() => made.close())
  return made
}

function hostIn(own: ThreadPool): AsyncForm<Host> {
  return syncToAsync<Host>(new URL('./host.ts#host', import.meta.url), { pool: own, ...limits })
}

async function client(t: TestContext, name: string): Promise<TestClient> {
  const app = fromWsgi(new URL(`./round-apps.ts#${name}`, import.meta.url), { pool: pool(t) })
  const made = await testClient(app, { raiseApplicationErrors: false })
  t.after(() => made.close())
  return made
}

const body = ({ written, returned }: HostResponse): string => [...written, ...returned].join('')
const digest = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex')

test('toWsgi over fromWsgi: the sync application runs on the thread of the host, one is enough', async (t) => {
  const own = pool(t)
  const host = hostIn(own)
  const place = body(await host({ app: 'callsSync' })).split(',')[1]
  assert.is(body(await host({ app: 'syncWhere', environ: { PATH_INFO: '/here' } })), `${place} /here`)
  assert.is(own.stats.hops, 2)
})

test('toWsgi over fromWsgi streams a long response', async (t) => {
  const found = await hostIn(pool(t))({ app: 'syncLong' })
  assert.is(body(found).length, 1024 * 1024)
  assert.is(body(found).charCodeAt(255 * 4096), 255)
  assert.is(found.status, '200 OK')
}, 20)

test('toWsgi over fromWsgi streams megabytes both ways', async (t) => {
  const whole = randomBytes(4 * 1024 * 1024)
  const [input, output] = [ringMemory(), ringMemory()]
  const done = hostIn(pool(t))({ app: 'syncEcho', environ: { REQUEST_METHOD: 'POST' }, body: input, output })
  done.catch(() => {
    new RingReader(output).cancel()
    new RingWriter(output).cut()
    new RingReader(input).cancel()
  })
  const writing = (async () => {
    const writer = new RingWriter(input)
    for (let at = 0; at < whole.length; at += 65536) await writer.write(whole.subarray(at, at + 65536))
    writer.end()
  })()
  writing.catch(() => {})
  const parts: Buffer[] = []
  const reader = new RingReader(output)
  for (let block; (block = await reader.read()) !== null;) parts.push(block)
  await writing
  assert.is((await done).thrown, null)
  assert.is(digest(Buffer.concat(parts)), digest(whole))
}, 20)

test('fromWsgi over toWsgi: the scope comes back, and so does the head', async (t) => {
  const found = await (await (await client(t, 'scope')).fetch('/a%20b/%C3%A4?c=%20d', { headers: { 'x-two': 'words' } })).json() as Record<string, unknown>
  const { path, rawPath, queryString, method, scheme, httpVersion, client: from, headers } = found
  assert.equal([path, rawPath, queryString, method, scheme, httpVersion], ['/a b/ä', '/a%20b/%C3%A4', 'c=%20d', 'GET', 'http', '1.1'])
  assert.equal(from, ['127.0.0.1', 50000])
  assert.equal(headers, [['host', 'localhost'], ['x-two', 'words'], ['te', 'trailers']])
  const response = await (await client(t, 'answer')).fetch(`/?${encodeURIComponent(JSON.stringify({ status: 404, headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2']], body: 'gone' }))}`)
  assert.equal([response.status, response.headers.getSetCookie(), response.headers.get('content-length'), await response.text()], [404, ['a=1', 'b=2'], '4', 'gone'])
})

test('fromWsgi over toWsgi streams megabytes both ways, and no block of the response waits for the next', async (t) => {
  const whole = randomBytes(4 * 1024 * 1024)
  const response = await (await client(t, 'echo')).fetch('/', { method: 'POST', body: whole })
  assert.is(digest(new Uint8Array(await response.arrayBuffer())), digest(whole))
  const stage = clear()
  const parts = await (await client(t, 'twoParts')).fetch('/')
  const reader = parts.body?.getReader()
  assert.is(Buffer.from((await reader?.read())?.value ?? []).toString(), 'one')
  stage.gate.resolve()
  assert.is(Buffer.from((await reader?.read())?.value ?? []).toString(), 'two')
}, 20)

test('fromWsgi over toWsgi: a client that leaves is a disconnect to the application', async (t) => {
  const stage = clear()
  const response = await (await client(t, 'endless')).fetch('/')
  await response.body?.cancel()
  assert.equal(await stage.told.promise, ['ClientDisconnected', 'http.disconnect', true])
})

test('fromWsgi over toWsgi: the head of a stream goes out before its first data, and a client that leaves is told to an application that is silent', async (t) => {
  const stage = clear()
  const own = pool(t)
  const made = await testClient(fromWsgi(new URL('./round-apps.ts#silent', import.meta.url), { pool: own }))
  t.after(() => made.close())
  const response = await made.fetch('/')
  assert.is(response.status, 200)
  assert.is(own.stats.busy, 1)
  await response.body?.cancel()
  assert.equal(await stage.told.promise, ['http.disconnect', true])
  await syncToAsync<typeof import('./sync-work.ts').where>(new URL('./sync-work.ts#where', import.meta.url), { pool: own })()
  assert.is(own.stats.busy, 0)
})

test('fromWsgi over toWsgi: the body comes block by block, as the client sends it', async (t) => {
  const blocks = ['one', 'two', 'three']
  const came = blocks.map(() => deferred<void>())
  async function* body(): AsyncGenerator<Uint8Array, void, void> {
    for (const [at, block] of blocks.entries()) {
      yield Buffer.from(block)
      await came[at]?.promise
    }
  }
  const response = await (await client(t, 'echo')).fetch('/', { method: 'POST', body: body() })
  const reader = response.body?.getReader()
  for (const [at, block] of blocks.entries()) {
    assert.is(Buffer.from((await reader?.read())?.value ?? []).toString(), block)
    came[at]?.resolve()
  }
})

test('an encoded slash survives both ways', async (t) => {
  const { rawPath, queryString } = await (await (await client(t, 'scope')).fetch('/a%2Fb%20c?d=%2F')).json() as { readonly rawPath: string; readonly queryString: string }
  assert.equal([rawPath, queryString], ['/a%2Fb%20c', 'd=%2F'])
})

test('fromWsgi over toWsgi: a failure before the head is a 500, one after it breaks the response off', async (t) => {
  const before = await (await client(t, 'failsBefore')).fetch('/')
  assert.equal([before.status, await before.text()], [500, 'Internal Server Error'])
  const after = await (await client(t, 'failsAfter')).fetch('/')
  assert.is(after.status, 200)
  assert.match((await rejection(after.text())).message, /broken off/)
})

test('toWsgi and fromWsgi, twice each, on one thread', async (t) => {
  const parts = Array.from({ length: 16 }, () => randomBytes(32768).toString('hex'))
  const found = await hostIn(pool(t))({ app: 'twice', environ: { REQUEST_METHOD: 'POST' }, body: parts })
  assert.is(found.thrown, null)
  assert.is(digest(Buffer.from(body(found))), digest(Buffer.from(parts.join(''))))
}, 20)

test.run()
