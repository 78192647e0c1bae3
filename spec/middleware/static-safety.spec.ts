import fs, { readdirSync, readlinkSync, renameSync, rmSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { rejects } from 'node:assert/strict'
import { once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { ClientDisconnected, type Application, type HttpScope, type SendEvent } from '../../lib/index.ts'
import { headerList } from '../../lib/contract/headers.ts'
import { staticFiles } from '../../lib/middleware/index.ts'
import { StaticFolder } from '../../lib/middleware/static-folder.ts'
import { wantedPath } from '../../lib/middleware/static-path.ts'
import { testClient } from '../../lib/testing/index.ts'
import { rawServer } from '../support/raw-socket.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { staticFixture } from './static-fixture.ts'

const test = suite('static files, safety')

/** How many descriptors of this process are open for files beneath a folder. */
function openBeneath(folder: string): number {
  return readdirSync('/proc/self/fd').filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith(`${folder}/`)
    } catch {
      return false
    }
  }).length
}

/** Replaces a function of node:fs/promises for the time of a test. */
function replaced<K extends 'open' | 'stat' | 'realpath'>(t: TestContext, name: K, make: (original: typeof fs.promises[K]) => (...args: Parameters<typeof fs.promises[K]>) => Promise<unknown>): void {
  const original = fs.promises[name]
  Object.assign(fs.promises, { [name]: make(original) })
  syncBuiltinESMExports()
  t.after(() => {
    Object.assign(fs.promises, { [name]: original })
    syncBuiltinESMExports()
  })
}

function failing(code: string): () => Promise<never> {
  return () => Promise.reject(Object.assign(new Error(code), { code }))
}

function scopeOf(path: string, options: { readonly headers?: Record<string, string>; readonly method?: string; readonly zeroCopy?: boolean } = {}): HttpScope {
  return {
    type: 'http', asgi: { version: '3.0', specVersion: '2.5' }, httpVersion: '1.1', method: options.method ?? 'GET', scheme: 'http', path, rawPath: path, queryString: '', rootPath: '',
    headers: headerList(Object.entries(options.headers ?? {})), client: null, server: null, state: {},
    extensions: options.zeroCopy === true ? { 'http.response.zerocopysend': {} } : {},
  }
}

/** The application, with the extensions of the server or with none. */
function served(root: string, extensions: boolean): Application {
  const files = staticFiles(null, { root })
  return extensions ? files : (scope, receive, send) => files(scope.type === 'http' ? { ...scope, extensions: {} } : scope, receive, send)
}

const never = (): Promise<never> => new Promise(() => {})

for (const descriptors of [true, false]) {
  const way = descriptors ? 'by its descriptor' : 'by asking for the path again'

  test(`a path that leads elsewhere once it was looked at is not served (${way})`, async (t) => {
    const { folder, root } = await staticFixture(t)
    const files = new StaticFolder(root, descriptors)
    const path = join(root, 'digits.txt')
    replaced(t, 'open', (open) => async (...args) => {
      unlinkSync(path)
      symlinkSync('../secret.txt', path)
      return open(...args)
    })
    assert.is(await files.open(['digits.txt']), null)
    assert.is(openBeneath(folder), 0)
  })

  test(`a file that is replaced while it is opened is one of the two (${way})`, async (t) => {
    const { root, write } = await staticFixture(t)
    const files = new StaticFolder(root, descriptors)
    const path = write('page.txt', 'old')
    replaced(t, 'open', (open) => async (...args) => {
      const handle = await open(...args)
      if (args[0] === path) {
        writeFileSync(`${path}.new`, 'newer')
        renameSync(`${path}.new`, path)
        Object.assign(fs.promises, { open })
        syncBuiltinESMExports()
      }
      return handle
    })
    const file = await files.open(['page.txt'])
    if (file === null || file === 'folder') throw new Error('not found')
    t.after(() => file.handle.close())
    const content = await file.handle.readFile('utf8')
    assert.is(content, descriptors ? 'old' : 'newer')
    assert.is(file.size, content.length)
  })

  test(`a fifo that takes the place of a file is not waited for (${way})`, async (t) => {
    const { root } = await staticFixture(t)
    const files = new StaticFolder(root, descriptors)
    replaced(t, 'open', (open) => async (...args) => {
      renameSync(join(root, 'fifo'), join(root, 'digits.txt'))
      return open(...args)
    })
    assert.is(await files.open(['digits.txt']), null)
    assert.is(openBeneath(root), 0)
  })

  test(`links are followed within the root and not out of it (${way})`, async (t) => {
    const { root } = await staticFixture(t)
    const files = new StaticFolder(root, descriptors)
    for (const segments of [['inside.txt'], ['docs-too', 'guide.md']]) {
      const file = await files.open(segments)
      if (file === null || file === 'folder') throw new Error(`${segments.join('/')} was not found`)
      await file.handle.close()
    }
    for (const segments of [['out.txt'], ['out-absolute.txt'], ['out', 'secret.txt'], ['beside', 'secret.txt'], ['loop'], ['dangling'], ['fifo'], ['socket']]) assert.is(await files.open(segments), null, segments.join('/'))
    assert.is(openBeneath(root), 0)
  })
}

test('links that are switched to and fro all the time never give a file of elsewhere', async (t) => {
  const { root, write } = await staticFixture(t)
  write('inside/secret.txt', 'public\n')
  const path = join(root, 'flips')
  symlinkSync('inside', path)
  const app = staticFiles(null, { root })
  let running = true
  const flipping = (async () => {
    for (let turn = 0; running; turn++) {
      await fs.promises.symlink(turn % 2 === 0 ? '../outside' : 'inside', `${path}.next`)
      await fs.promises.rename(`${path}.next`, path)
    }
  })()
  const seen = new Map<string, number>()
  await using client = await testClient(app)
  for (let count = 0; count < 2000; count++) {
    const text = await (await client.fetch('/flips/secret.txt')).text()
    seen.set(text, (seen.get(text) ?? 0) + 1)
  }
  running = false
  await flipping
  assert.equal([...seen.keys()].sort(), ['Not Found\n', 'public\n'])
}, 30)

test('what may not be read is not found, what cannot be read is an error, too many open files are a 503', async (t) => {
  const { root } = await staticFixture(t)
  await using client = await testClient(staticFiles(null, { root }), { raiseApplicationErrors: false })
  for (const [code, status] of [['EACCES', 404], ['EPERM', 404], ['ENAMETOOLONG', 404], ['EMFILE', 503], ['ENFILE', 503], ['EIO', 500]] as const) {
    for (const name of ['open', 'stat'] as const) {
      const cleaners: (() => unknown)[] = []
      replaced({ after: (clean) => cleaners.push(clean) }, name, () => failing(code))
      const { status: found } = await client.fetch('/digits.txt')
      for (const clean of cleaners) clean()
      assert.is(found, status, `${code} of ${name}`)
    }
  }
  assert.is((await client.fetch('/digits.txt')).status, 200)
})

if (process.getuid?.() === 0) {
  test.skip('a file without the right to read it is not found', 'root may read everything')
} else {
  test('a file without the right to read it is not found', async (t) => {
    const { root } = await staticFixture(t)
    await using client = await testClient(staticFiles(null, { root }))
    assert.is((await client.fetch('/unreadable.txt')).status, 404)
  })
}

test('too many open files do not make the application answer', async (t) => {
  const { root } = await staticFixture(t)
  let called = false
  await using client = await testClient(staticFiles(async (scope) => { called ||= scope.type === 'http' }, { root }))
  replaced(t, 'open', () => failing('EMFILE'))
  const response = await client.fetch('/digits.txt')
  assert.equal([response.status, response.headers.get('retry-after'), called], [503, '1', false])
})

test('names that Windows takes for something else are not found there', () => {
  const wanted = (path: string, windows: boolean): boolean => wantedPath({ path, rawPath: path, rootPath: '' }, false, windows) !== null
  for (const name of ['C:', 'a.txt:stream', 'a.txt::$DATA', 'nul', 'NUL.txt', 'con', 'Com1', 'lpt9.log', 'aux.', 'a.txt.', 'GIT~1', 'a?b', 'a*', 'a|b', 'a<b', 'conin$']) {
    assert.not.ok(wanted(`/docs/${name}`, true), name)
  }
  for (const name of ['a.txt', 'null', 'console.log', 'com', 'com10', 'a~b', 'nul-value.js']) assert.ok(wanted(`/docs/${name}`, true), name)
  for (const name of ['a:b', 'nul', 'a~1', 'a?b']) assert.ok(wanted(`/docs/${name}`, false), name)
  assert.not.ok(wantedPath({ path: '/a ', rawPath: '/a%20', rootPath: '' }, false, true))
})

test('with http.response.zerocopysend the server gets the opened file, which is open until send has settled', async (t) => {
  const { root } = await staticFixture(t)
  const app = staticFiles(null, { root })
  /** Calls the application; gives the events, with what the file held while it was sent. */
  const events = async (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<readonly unknown[]> => {
    const list: unknown[] = []
    await app(scopeOf(path, { headers, method, zeroCopy: true }), never, async (event: SendEvent) => {
      if (event.type === 'http.response.start') return void list.push(event.status)
      if (event.type !== 'http.response.zerocopysend') return void list.push(event)
      await new Promise((resolve) => setImmediate(resolve))
      const { file, offset = 0, count = 0, moreBody } = event
      const bytes = Buffer.alloc(count ?? 0)
      const length = fs.readSync(typeof file === 'number' ? file : file.fd, bytes, 0, bytes.length, offset)
      list.push([offset, count, moreBody, bytes.subarray(0, length).toString()])
    })
    assert.is(openBeneath(root), 0)
    return list
  }
  assert.equal(await events('/digits.txt'), [200, [0, 10, false, '0123456789']])
  assert.equal(await events('/digits.txt', { range: 'bytes=3-5' }), [206, [3, 3, false, '345']])
  assert.equal(await events('/empty.txt'), [200, { type: 'http.response.body', moreBody: false }])
  assert.equal(await events('/digits.txt', {}, 'HEAD'), [200, { type: 'http.response.body' }])
  const several = await events('/digits.txt', { range: 'bytes=0-0,8-9' })
  assert.equal([several.length, several[0], several[2], several[4]], [6, 206, [0, 1, true, '0'], [8, 2, true, '89']])
  assert.equal((several[5] as { moreBody?: boolean }).moreBody, undefined)
})

for (const zeroCopy of [true, false]) {
  const way = zeroCopy ? 'by zero copy' : 'in blocks'

  test(`nothing stays open, whatever the answer and whatever send throws (${way})`, async (t) => {
    const { root, write } = await staticFixture(t)
    write('large.bin', Buffer.alloc(300_000))
    const app = staticFiles(null, { root })
    const tag = '*'
    const asks: readonly (readonly [string, Record<string, string>, string?])[] = [
      ['/large.bin', {}], ['/large.bin', {}, 'HEAD'], ['/large.bin', { 'if-none-match': tag }], ['/large.bin', { 'if-match': '"x"' }], ['/large.bin', { range: 'bytes=9999999-' }],
      ['/large.bin', { range: 'bytes=0-9,20-29,100000-' }], ['/app.js', { 'accept-encoding': 'br' }], ['/digits.txt', { 'accept-encoding': 'identity;q=0' }], ['/docs', {}], ['/docs/', {}],
      ['/digits.txt/', {}], ['/digits.txt', {}, 'POST'], ['/fifo', {}],
    ]
    for (const [path, headers, method] of asks) {
      for (let failAt = 0; failAt < 8; failAt++) {
        let count = 0
        await app(scopeOf(path, { headers, zeroCopy, ...(method === undefined ? {} : { method }) }), never, async () => {
          if (count++ === failAt) throw new ClientDisconnected()
        }).catch((error: unknown) => assert.instance(error, ClientDisconnected))
        assert.is(openBeneath(root), 0, `${path} ${JSON.stringify(headers)} ${failAt}`)
      }
    }
  })

  test(`300 downloads that are broken off leave no descriptor (${way})`, async (t) => {
    const { root, write } = await staticFixture(t)
    write('large.bin', Buffer.alloc(20_000_000, 'large'))
    let finished = 0
    let wake = (): void => {}
    const { connect } = await rawServer(t, served(root, zeroCopy), { observer: { finished: () => { finished++; wake() } } })
    let most = 0
    for (let round = 0; round < 30; round++) {
      await Promise.all(Array.from({ length: 10 }, async (_, index) => {
        const socket = await connect()
        socket.write(`GET /large.bin HTTP/1.1\r\nhost: a\r\n${index % 2 === 0 ? '' : 'range: bytes=5-,1-2\r\n'}\r\n`)
        await socket.untilLength(1000)
        most = Math.max(most, openBeneath(root))
        if (index % 3 === 0) socket.socket.destroy()
        else socket.socket.resetAndDestroy()
        await once(socket.socket, 'close')
      }))
    }
    while (finished < 300) await new Promise<void>((resolve) => { wake = resolve })
    assert.ok(most > 0, 'the measure sees open files')
    assert.is(openBeneath(root), 0)
  }, 60)

  test(`a file that becomes shorter while it is sent breaks the answer off (RFC 9112 8) (${way})`, async (t) => {
    const { root, write } = await staticFixture(t)
    const path = write('large.bin', Buffer.alloc(20_000_000, 'large'))
    let failure: unknown
    let wake = (): void => {}
    const finished = new Promise<void>((resolve) => { wake = resolve })
    const { connect } = await rawServer(t, served(root, zeroCopy), { observer: { finished: ({ error }) => { failure = error; wake() } } })
    const socket = await connect()
    socket.socket.pause()
    socket.write('GET /large.bin HTTP/1.1\r\nhost: a\r\n\r\n')
    await once(socket.socket, 'readable')
    truncateSync(path, 1_000_000)
    socket.socket.resume()
    await Promise.all([socket.ended, finished])
    assert.ok(socket.length < 20_000_000)
    assert.is((failure as { readonly code?: string }).code, 'ERR_TSGI_FILE')
    assert.is(openBeneath(root), 0)
  })
}

test('a file that is deleted while it is sent is sent whole', async (t) => {
  const { root, write } = await staticFixture(t)
  const path = write('large.bin', Buffer.alloc(2_000_000, 'large'))
  const { connect } = await rawServer(t, staticFiles(null, { root }))
  const socket = await connect()
  socket.socket.pause()
  socket.write('GET /large.bin HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
  await once(socket.socket, 'readable')
  rmSync(path)
  socket.socket.resume()
  const text = await socket.toEnd()
  assert.is(text.length - text.indexOf('\r\n\r\n') - 4, 2_000_000)
})

test('a folder that is served needs no more memory for a large file than for a small one', async (t) => {
  const { root, write } = await staticFixture(t)
  const path = write('large.bin', '')
  truncateSync(path, 200_000_000)
  const app = staticFiles(null, { root })
  let largest = 0
  let sum = 0
  await app(scopeOf('/large.bin'), never, async (event) => {
    if (event.type !== 'http.response.body' || !(event.body instanceof Uint8Array)) return
    largest = Math.max(largest, event.body.byteLength)
    sum += event.body.byteLength
  })
  assert.equal([largest, sum], [65536, 200_000_000])
})

test('a rejected send is what the application throws', async (t) => {
  const { root } = await staticFixture(t)
  const left = new ClientDisconnected()
  await rejects(staticFiles(null, { root })(scopeOf('/digits.txt'), never, () => Promise.reject(left)), (error) => error === left)
})

test.run()
