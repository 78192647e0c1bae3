/** Files as bodies, and pushes, the same over every protocol. */
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import {
  application, ClientDisconnected, ContentLengthMismatch, FileError, InvalidEvent, UnexpectedEvent,
  type Application, type HttpApplication, type SendEvent,
} from '../../lib/index.ts'
import { deferred } from '../support/deferred.ts'
import type { TestContext } from '../support/suite.ts'
import { http2, http2Tls } from './driver-http2.ts'
import { protocols, protocolSuite, type Driver, type DriverRequest, type DriverResponse } from './drivers.ts'

const start = { type: 'http.response.start', status: 200 } as const
const done = { type: 'http.response.body' } as const

/** Bytes that show where they stand. */
const pattern = (size: number): Buffer => Buffer.from(Uint32Array.from({ length: Math.ceil(size / 4) }, (_, i) => i).buffer).subarray(0, size)
const large = pattern(1_000_003)

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tsgi-files-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

/** A file of `content` in a folder of its own. */
function file(t: TestContext, content: string | Uint8Array): string {
  const path = join(folder(t), 'file')
  writeFileSync(path, content)
  return path
}

/** How many descriptors of this process are open on `path`. */
function openOn(path: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false
    }
  }).length
}

/** Resolves when a condition holds; the test's own limit ends the wait. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

async function bytesOf(response: DriverResponse): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of response.parts) parts.push(part)
  return Buffer.concat(parts)
}

for (const protocol of protocols) {
  const test = protocolSuite(`files, ${protocol.name}`, protocol)

  async function open(t: TestContext, app: Application): Promise<Driver> {
    const driver = await protocol.open(app)
    t.after(() => driver.close())
    return driver
  }

  async function respond(t: TestContext, http: HttpApplication, request: DriverRequest = {}): Promise<DriverResponse> {
    return (await open(t, application({ http }))).request(request)
  }

  /** Sends the events; gives the response, and what `send` rejected with, once all are sent. */
  async function sending(t: TestContext, events: readonly SendEvent[], request?: DriverRequest): Promise<readonly [DriverResponse, Promise<readonly unknown[]>]> {
    const errors = deferred<readonly unknown[]>()
    const response = await respond(t, async (_scope, _receive, send) => {
      const found: unknown[] = []
      for (const event of events) await (send as (event: SendEvent) => Promise<void>)(event).catch((error: unknown) => found.push(error))
      errors.resolve(found)
    }, request)
    return [response, errors.promise]
  }

  test('pathsend sends a whole file, with its length', async (t) => {
    for (const content of [large, Buffer.from('small'), pattern(128 * 1024), pattern(128 * 1024 + 1), Buffer.alloc(0)]) {
      const path = file(t, content)
      const [response, sent] = await sending(t, [start, { type: 'http.response.pathsend', path }])
      assert.is(response.headers.get('content-length'), String(content.length))
      assert.ok(content.equals(await bytesOf(response)), `${content.length} bytes`)
      assert.equal(await sent, [])
      await until(() => openOn(path) === 0)
    }
  })

  test('pathsend to HEAD tells the length and sends nothing; to 204 and 304 neither', async (t) => {
    const path = file(t, large)
    const [head] = await sending(t, [start, { type: 'http.response.pathsend', path }], { method: 'HEAD' })
    assert.equal([head.status, head.headers.get('content-length'), (await bytesOf(head)).length], [200, String(large.length), 0])
    for (const status of [204, 304]) {
      const [none] = await sending(t, [{ ...start, status }, { type: 'http.response.pathsend', path }])
      assert.equal([none.status, none.headers.get('content-length'), (await bytesOf(none)).length], [status, null, 0])
    }
  })

  test('a file that cannot be sent is a FileError while nothing is out, and the application may go on', async (t) => {
    const place = folder(t)
    mkdirSync(join(place, 'folder'))
    execFileSync('mkfifo', [join(place, 'fifo')])
    for (const name of ['missing', 'folder', 'fifo', 'x'.repeat(300)]) {
      const path = join(place, name)
      const [response, sent] = await sending(t, [start, { type: 'http.response.pathsend', path }, { ...done, body: 'instead' }])
      assert.is(await response.text(), 'instead')
      const errors = await sent
      assert.is(errors.length, 1)
      assert.instance(errors[0], FileError)
      assert.is((errors[0] as FileError).file, path)
      assert.is((errors[0] as FileError).code, 'ERR_TSGI_FILE')
    }
  })

  test('a missing file that nobody catches is a 500', async (t) => {
    const response = await respond(t, async (_scope, _receive, send) => {
      await send(start)
      await send({ type: 'http.response.pathsend', path: '/none/such' })
    })
    assert.equal([response.status, await response.text()], [500, 'Internal Server Error'])
  })

  test('what pathsend and zerocopysend may not hold is an InvalidEvent that names it', async (t) => {
    const path = file(t, 'x')
    const fd = openSync(path, 'r')
    t.after(() => closeSync(fd))
    const bad: readonly [string, unknown][] = [
      ['path', { type: 'http.response.pathsend', path: 'relative' }],
      ['path', { type: 'http.response.pathsend', path: `${path}\0.txt` }],
      ['path', { type: 'http.response.pathsend' }],
      ['file', { type: 'http.response.zerocopysend' }],
      ['file', { type: 'http.response.zerocopysend', file: -1 }],
      ['file', { type: 'http.response.zerocopysend', file: path }],
      ['file', { type: 'http.response.zerocopysend', file: { fd: -1 } }],
      ['offset', { type: 'http.response.zerocopysend', file: fd, offset: -1 }],
      ['offset', { type: 'http.response.zerocopysend', file: fd, offset: 0.5 }],
      ['count', { type: 'http.response.zerocopysend', file: fd, count: '1' }],
      ['moreBody', { type: 'http.response.zerocopysend', file: fd, moreBody: 1 }],
    ]
    const [response, sent] = await sending(t, [start, ...bad.map(([, event]) => event as SendEvent), done])
    assert.is(response.status, 200)
    const errors = await sent
    assert.is(errors.length, bad.length)
    bad.forEach(([key], index) => {
      assert.instance(errors[index], InvalidEvent)
      assert.is((errors[index] as InvalidEvent).key, key)
    })
  })

  test('pathsend is the whole body: after a part of one it is refused', async (t) => {
    const path = file(t, 'x')
    const [response, sent] = await sending(t, [start, { ...done, body: 'a', moreBody: true }, { type: 'http.response.pathsend', path }, { ...done, body: 'b' }])
    assert.is(await response.text(), 'ab')
    const errors = await sent
    assert.is(errors.length, 1)
    assert.instance(errors[0], UnexpectedEvent)
  })

  test('a content-length that the file does not have is refused while nothing is out', async (t) => {
    const path = file(t, 'four')
    for (const length of ['3', '5']) {
      const [response, sent] = await sending(t, [{ ...start, headers: [['content-length', length]] }, { type: 'http.response.pathsend', path }, { ...done, body: 'x'.repeat(Number(length)) }])
      assert.is(await response.text(), 'x'.repeat(Number(length)))
      const errors = await sent
      assert.instance(errors[0], ContentLengthMismatch)
    }
  })

  test('zerocopysend sends parts of an open file, mixed with other parts, and leaves it open', async (t) => {
    const path = file(t, large)
    const handle = await openFile(path)
    t.after(() => handle.close())
    const [response, sent] = await sending(t, [
      start,
      { type: 'http.response.zerocopysend', file: handle, offset: 400_000, count: 300_000, moreBody: true },
      { ...done, body: '-', moreBody: true },
      { type: 'http.response.zerocopysend', file: handle.fd, offset: 5, count: 0, moreBody: true },
      { type: 'http.response.zerocopysend', file: handle.fd, offset: 10, count: 10, moreBody: true },
      { type: 'http.response.zerocopysend', file: handle, offset: 1_000_000 },
    ])
    const expected = Buffer.concat([large.subarray(400_000, 700_000), Buffer.from('-'), large.subarray(10, 20), large.subarray(1_000_000)])
    assert.ok(expected.equals(await bytesOf(response)))
    assert.equal(await sent, [])
    assert.is((await handle.stat()).size, large.length)
  })

  test('a single zerocopysend tells its length', async (t) => {
    const handle = await openFile(file(t, large))
    t.after(() => handle.close())
    for (const [part, size] of [[{ offset: 10, count: 20 }, 20], [{ offset: 999_999 }, 4], [{ offset: null, count: 7 }, 7]] as const) {
      const [response] = await sending(t, [start, { type: 'http.response.zerocopysend', file: handle, ...part }])
      assert.is(response.headers.get('content-length'), String(size))
      assert.is((await bytesOf(response)).length, size)
    }
  })

  test('without an offset it reads on from the current position, to the end without a count', async (t) => {
    const handle = await openFile(file(t, large))
    t.after(() => handle.close())
    const skipped = Buffer.alloc(10)
    await handle.read(skipped, 0, 10, null)
    const [response] = await sending(t, [
      start,
      { type: 'http.response.zerocopysend', file: handle, count: 5, moreBody: true },
      { type: 'http.response.zerocopysend', file: handle },
    ])
    assert.ok(large.subarray(10).equals(await bytesOf(response)))
  })

  test('a part that the file does not have is a FileError while nothing is out', async (t) => {
    const handle = await openFile(file(t, 'four'))
    t.after(() => handle.close())
    const [response, sent] = await sending(t, [
      start,
      { type: 'http.response.zerocopysend', file: handle, offset: 2, count: 3 },
      { type: 'http.response.zerocopysend', file: handle, offset: 5 },
      { type: 'http.response.zerocopysend', file: handle, offset: 4 },
    ])
    assert.is(await response.text(), '')
    const errors = await sent
    assert.is(errors.length, 2)
    for (const error of errors) assert.instance(error, FileError)
  })

  test('a file that shrinks under way breaks the response off', async (t) => {
    const path = file(t, '')
    const fd = openSync(path, 'r+')
    t.after(() => closeSync(fd))
    ftruncateSync(fd, 2 ** 28)
    const error = deferred<unknown>()
    const response = await respond(t, async (_scope, _receive, send) => {
      await send({ ...start, headers: [['content-length', String(2 ** 28)]] })
      await send({ type: 'http.response.pathsend', path }).catch((each: unknown) => error.resolve(each))
    })
    const parts = response.parts[Symbol.asyncIterator]()
    await parts.next()
    ftruncateSync(fd, 1000)
    const broken = await (async () => {
      for (let part = await parts.next(); part.done !== true; part = await parts.next());
    })().then(() => null, (each: unknown) => each)
    assert.instance(broken, Error)
    assert.instance(await error.promise, FileError)
  }, 20)

  test('a client that leaves ends the send, and the file is closed', async (t) => {
    const path = file(t, '')
    const fd = openSync(path, 'r+')
    ftruncateSync(fd, 2 ** 30)
    closeSync(fd)
    const error = deferred<unknown>()
    const response = await respond(t, async (_scope, _receive, send) => {
      await send(start)
      await send({ type: 'http.response.pathsend', path }).catch((each: unknown) => error.resolve(each))
    })
    await response.parts[Symbol.asyncIterator]().next()
    assert.is(openOn(path), 1)
    response.leave()
    assert.instance(await error.promise, ClientDisconnected)
    await until(() => openOn(path) === 0)
  })

  test('sends that are not awaited keep their order, and the end of the application waits for the file', async (t) => {
    const path = file(t, large)
    const handle = await openFile(path)
    t.after(() => handle.close())
    const response = await respond(t, async (_scope, _receive, send) => {
      void send(start)
      void send({ type: 'http.response.zerocopysend', file: handle, offset: 0, moreBody: true })
      void send({ ...done, body: '-between-', moreBody: true })
      void send({ type: 'http.response.zerocopysend', file: handle, offset: 1_000_000, moreBody: true })
      void send({ ...done, body: '-end' })
      await new Promise((resolve) => setImmediate(resolve))
    })
    assert.ok(Buffer.concat([large, Buffer.from('-between-'), large.subarray(1_000_000), Buffer.from('-end')]).equals(await bytesOf(response)))
    const forgotten = await respond(t, async (_scope, _receive, send) => {
      await send(start)
      void send({ type: 'http.response.pathsend', path })
    })
    assert.ok(large.equals(await bytesOf(forgotten)))
  })

  test('an application that throws while its file is sent breaks the response off and lets go of the file', async (t) => {
    const path = file(t, '')
    const fd = openSync(path, 'r+')
    ftruncateSync(fd, 2 ** 30)
    closeSync(fd)
    const go = deferred()
    const response = await respond(t, async (_scope, _receive, send) => {
      await send(start)
      void send({ type: 'http.response.pathsend', path })
      await go.promise
      throw new Error('boom')
    })
    const parts = response.parts[Symbol.asyncIterator]()
    await parts.next()
    go.resolve()
    const broken = await (async () => {
      for (let part = await parts.next(); part.done !== true; part = await parts.next());
    })().then(() => null, (each: unknown) => each)
    assert.instance(broken, Error)
    await until(() => openOn(path) === 0)
  })

  test('a file whose size is told by reading only goes out whole', async (t) => {
    const handle = await openFile('/proc/self/status')
    t.after(() => handle.close())
    const [response] = await sending(t, [start, { type: 'http.response.zerocopysend', file: handle }])
    assert.match(await response.text(), /^Name:[^]*\n$/)
  })

  test('http.response.push is refused where the scope does not offer it, and a bad one everywhere', async (t) => {
    const [response, sent] = await sending(t, [
      { type: 'http.response.push', path: 'style.css' }, { type: 'http.response.push', path: '/a', headers: [['bad name', '']] }, { type: 'http.response.push', path: '/a' }, start, { ...done, body: 'x' },
    ])
    assert.is(await response.text(), 'x')
    const errors = await sent
    assert.equal(errors.map((error) => (error as InvalidEvent).key), ['path', 'headers[0] name', ...(protocol === http2 || protocol === http2Tls ? [] : ['type'])])
  })

  test.run()
}
