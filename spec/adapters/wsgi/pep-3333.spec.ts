/** The rules of PEP 3333 for servers, each held inline and on a thread. */
import * as assert from 'uvu/assert'
import { fromWsgi } from '../../../adapters/wsgi/index.ts'
import { InvalidOption, LoadFailed, UnsupportedScope, WsgiError } from '../../../lib/index.ts'
import type { TestClient } from '../../../lib/testing/index.ts'
import { ThreadPool } from '../../../lib/threads/index.ts'
import { rejection } from '../../support/rejection.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import * as apps from './apps.ts'
import { both, inline, onThread, open, pool, type AppName, type Mode } from './modes.ts'

const test = suite('WSGI (PEP 3333)')

type Pairs = readonly (readonly [name: string, value: string])[]

/** The query by which a test tells its application something. */
function query(value: unknown): string {
  return `/?${encodeURIComponent(JSON.stringify(value))}`
}

async function text(t: TestContext, mode: Mode, name: AppName, path = '/'): Promise<string> {
  return (await (await open(t, mode(name))).client.fetch(path)).text()
}

/** The error that a request fails with before its head is out; on a server it is a 500. */
async function failure(client: TestClient, path = '/'): Promise<Error & { code?: string }> {
  return rejection(client.fetch(path))
}

async function broken(t: TestContext, mode: Mode, name: AppName, message: RegExp, path = '/'): Promise<void> {
  const { client } = await open(t, mode(name))
  const error = await failure(client, path)
  assert.instance(error, WsgiError)
  assert.is(error.code, 'ERR_TSGI_WSGI')
  assert.match(error.message, message)
  assert.match(error.message, /\(PEP 3333\)$/)
}

function ownPool(t: TestContext): ThreadPool {
  const made = new ThreadPool({ threads: 1 })
  t.after(() => made.close())
  return made
}

// ---- environ ----

both(test, 'environ is a plain object that the application may change', async (t, mode) => {
  const environ = JSON.parse(await text(t, mode, 'environ')) as Record<string, unknown>
  assert.equal([environ['added'], 'REMOTE_ADDR' in environ], ['GET', false])
})

both(test, 'environ has the variables that must be there, and those of WSGI', async (t, mode) => {
  const environ = JSON.parse(await text(t, mode, 'environ', '/a?b')) as Record<string, unknown>
  for (const key of ['REQUEST_METHOD', 'SERVER_NAME', 'SERVER_PORT', 'SERVER_PROTOCOL']) assert.match(String(environ[key]), /./, key)
  assert.equal([environ['SCRIPT_NAME'], environ['PATH_INFO'], environ['QUERY_STRING']], ['', '/a', 'b'])
  assert.equal([environ['wsgi.version'], environ['wsgi.url_scheme'], environ['wsgi.run_once']], [[1, 0], 'http', false])
  assert.equal([environ['wsgi.multithread'], environ['wsgi.multiprocess']], mode === inline ? [false, false] : [true, true])
  assert.is(environ['wsgi.file_wrapper'], 'a function')
  assert.equal(['CONTENT_TYPE' in environ, 'CONTENT_LENGTH' in environ], [false, false])
})

both(test, 'the variables are native strings; the streams have their methods', async (t, mode) => {
  const { client } = await open(t, mode('everyType'), { rootPath: '/mounted' })
  const response = await client.fetch('/caf%C3%A9?q=%C3%A9', { headers: { 'x-latin': '\xe9' } })
  const [input, errors, plain, native] = await response.json() as unknown[]
  assert.equal([input, errors], [['function', 'function', 'function', 'function'], ['function', 'function', 'function']])
  assert.equal([plain, native], [true, true])
})

// ---- wsgi.input ----

const body = 'one\ntwo\n\nfour'
const reads: readonly (readonly [calls: readonly (readonly [string, ...number[]])[], results: readonly unknown[]])[] = [
  [[['read', 2], ['read', 5], ['read', 100], ['read', 1]], ['on', 'e\ntwo', '\n\nfour', '']],
  [[['read'], ['read'], ['read', 1]], [body, '', '']],
  [[['read', -1]], [body]],
  [[['read', 0], ['read', 3]], ['', 'one']],
  [[['read1', 1], ['read1', 1], ['read1', 0], ['read', 2]], ['o', 'n', '', 'e\n']],
  [[['read'], ['read1', 5], ['read1']], [body, '', '']],
  [[['readline'], ['readline'], ['readline'], ['readline'], ['readline']], ['one\n', 'two\n', '\n', 'four', '']],
  [[['readline', 2], ['readline', 2], ['readline', 0], ['readline', 100]], ['on', 'e\n', '', 'two\n']],
  [[['readlines'], ['readlines']], [['one\n', 'two\n', '\n', 'four'], []]],
  [[['readlines', 5], ['read']], [['one\n', 'two\n'], '\nfour']],
  [[['readlines', 4], ['read', 1]], [['one\n'], 't']],
  [[['readlines', 0]], [['one\n', 'two\n', '\n', 'four']]],
  [[['read', 5], ['iterate'], ['readline']], ['one\nt', ['wo\n', '\n', 'four'], '']],
]

both(test, 'wsgi.input: read, readline, readlines and iteration, over a body in any pieces; its end reads as no bytes', async (t, mode) => {
  const { client } = await open(t, mode('reads'))
  for (const [calls, results] of reads) {
    const whole = await client.fetch(query(calls), { method: 'POST', body })
    assert.equal(await whole.json(), results, JSON.stringify(calls))
    for (const size of [1, 3, 4]) {
      const pieces = async function* () {
        for (let at = 0; at < body.length; at += size) yield body.slice(at, at + size)
      }
      const streamed = await client.fetch(query(calls), { method: 'POST', body: pieces() })
      assert.equal(await streamed.json(), results, `${JSON.stringify(calls)} in pieces of ${size}`)
    }
  }
}, 20)

both(test, 'wsgi.input: a request without a body reads as an empty one', async (t, mode) => {
  const { client } = await open(t, mode('reads'))
  const calls = [['read'], ['read', 5], ['readline'], ['readlines'], ['iterate']]
  for (const method of ['GET', 'POST']) assert.equal(await (await client.fetch(query(calls), { method })).json(), ['', '', '', [], []])
})

both(test, 'wsgi.input: a size that is no whole number is an error', async (t, mode) => {
  await broken(t, mode, 'reads', /wsgi\.input\.read: the size must be a whole number, found 1\.5/, query([['read', 1.5]]))
})

// ---- startResponse ----

both(test, 'startResponse: the status and the headers must be right, checked at once', async (t, mode) => {
  const wrong: readonly (readonly [status: string, headers: Pairs, message: RegExp])[] = [
    ...['200', '200 ', '200OK', '200  OK', ' 200 OK', '200 OK ', '20 OK', '2000 OK', '200 OK\r\n', '200 O\nK', '200 O\0K', '200\tOK', '200 OK\x7f', '200 \u20ac', 'OK', '', '100 Continue', '600 Odd', '+20 OK'].map((status) => [status, [], /startResponse: the status must be/] as const),
    ...['', 'a b', 'a:', 'a\n', 'a\0', 'caf\xe9', '(a)'].map((name) => ['200 OK', [[name, 'x']] as Pairs, /name must be a token/] as const),
    ...['a\r\nb: c', 'a\n', 'a\tb', '\0', '\x7f', '\x1b[0m'].map((value) => ['200 OK', [['a', value]] as Pairs, /must have no control characters/] as const),
    ['200 OK', [['a', '\u20ac']], /value must be a string of one-byte characters/],
    ...['Connection', 'keep-alive', 'Proxy-Authenticate', 'Proxy-Authorization', 'TE', 'Trailer', 'Trailers', 'Transfer-Encoding', 'Upgrade'].map((name) => ['200 OK', [[name, 'x']] as Pairs, /hop-by-hop/] as const),
    ...['-1', '1.5', 'x', '1, 1', ''].map((length) => ['200 OK', [['Content-Length', length]] as Pairs, /content-length|whole number/i] as const),
    ['200 OK', [['content-type', 'a/b'], ['Content-Type', 'a/c']], /the only content-type/],
  ]
  const { client, probe } = await open(t, mode('heads'))
  const response = await client.fetch(query(wrong.map(([status, headers]) => [status, headers])))
  assert.is(await response.text(), 'refused')
  const { notes } = probe
  assert.is(notes.length, wrong.length)
  for (const [index, [status, headers, message]] of wrong.entries()) {
    const [name, code, said] = notes[index] as string[]
    assert.equal([name, code], ['WsgiError', 'ERR_TSGI_WSGI'], JSON.stringify([status, headers]))
    assert.match(said ?? '', message)
    assert.match(said ?? '', /\(PEP 3333\)$/)
  }
})

both(test, 'startResponse: the headers are an array of pairs of strings, the status is a string', async (t, mode) => {
  const { client, probe } = await open(t, mode('headsOfOtherTypes'))
  assert.is(await (await client.fetch('/')).text(), 'refused')
  assert.is(probe.notes.length, 15)
  for (const note of probe.notes) assert.match(String(note), /^WsgiError,ERR_TSGI_WSGI,startResponse: (?:the headers|a header|the name and the value|the status) .*\(PEP 3333\)$/)
})

both(test, 'startResponse: right ones go out as they are', async (t, mode) => {
  const right: readonly (readonly [string, Pairs, number])[] = [
    ['200 OK', [['X-Latin', 'caf\xe9'], ['x-empty', '']], 200],
    ['404 Not Found', [['x', 'a, b']], 404],
    ['299 \xc9t\xe9', [], 299],
    ['302 Found', [['location', '/elsewhere'], ['set-cookie', 'a=1'], ['Set-Cookie', 'b=2']], 302],
  ]
  for (const [status, headers, expected] of right) {
    const { client } = await open(t, mode('head'))
    const response = await client.fetch(query([status, headers]))
    assert.equal([response.status, response.headers.get('content-length')], [expected, '0'])
    for (const [name, value] of headers) assert.ok(response.headers.get(name)?.includes(value), name)
    assert.is(response.headers.getSetCookie().length, expected === 302 ? 2 : 0)
  }
})

both(test, 'startResponse: a second call without excInfo is an error', async (t, mode) => {
  await broken(t, mode, 'startsTwice', /startResponse was called a second time without excInfo/)
})

both(test, 'startResponse: with excInfo, before the head is out, replaces all of the head', async (t, mode) => {
  const { client } = await open(t, mode('replacesHead'))
  const response = await client.fetch('/')
  assert.equal([response.status, await response.text()], [500, 'an error page'])
  assert.equal([response.headers.get('x-first'), response.headers.get('x-second')], [null, '2'])
})

both(test, 'startResponse: with excInfo, after the head is out, throws it, and the response is broken off', async (t, mode) => {
  const { client } = await open(t, mode('failsLate'))
  const response = await client.fetch('/')
  const error = await rejection(response.text())
  assert.instance(error, RangeError)
  assert.is(error.message, 'went wrong')
})

both(test, 'startResponse: the response is broken off also where the application traps that error', async (t, mode) => {
  const { client, probe } = await open(t, mode('trapsLate'))
  const error = await rejection((await client.fetch('/')).text())
  assert.is(error.message, 'went wrong')
  assert.equal(probe.notes, [['RangeError', null, 'went wrong']])
})

both(test, 'startResponse: what write() has sent counts as the head being out', async (t, mode) => {
  const { client, probe } = await open(t, mode('writesThenFails'))
  const response = await client.fetch('/')
  assert.is(response.status, 200)
  assert.is((await rejection(response.text())).message, 'went wrong')
  assert.equal(probe.notes, [['RangeError', null, 'went wrong']])
})

both(test, 'startResponse may be called in the first step of the iteration', async (t, mode) => {
  const response = await (await open(t, mode('startsInFirstStep'))).client.fetch('/')
  assert.equal([response.status, await response.text()], [202, 'ab'])
})

both(test, 'startResponse must be called before the first block, and before the end', async (t, mode) => {
  for (const name of ['startsAfterBlock', 'neverStarts', 'neverStartsEmpty', 'neverStartsGenerator'] as const) await broken(t, mode, name, /must call startResponse before/)
})

// ---- the body ----

both(test, 'the head goes out at the end where there is no block', async (t, mode) => {
  const response = await (await open(t, mode('closesEmpty'))).client.fetch('/')
  assert.equal([response.status, response.headers.get('content-length'), await response.text()], [200, '0', ''])
})

test('the head waits for the first block that is not empty (on a thread)', async (t) => {
  const { client, probe } = await open(t, onThread('holdsHead'))
  let answered = false
  const fetched = client.fetch('/').then((response) => {
    answered = true
    return response
  })
  await probe.reached(1)
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.is(answered, false)
  probe.open(1)
  assert.is(await (await fetched).text(), 'block')
})

test('the first call of write() sends the head, be it with an empty block (on a thread)', async (t) => {
  const { client, probe } = await open(t, onThread('writesNothing'), { raiseApplicationErrors: false })
  const response = await client.fetch('/')
  await probe.reached(1)
  probe.open(1)
  assert.is(response.status, 200)
  assert.match((await rejection(response.text())).message, /broken off/)
  assert.equal(probe.notes, [['Error', null, 'too late']])
})

both(test, 'write() sends before what is returned, and may be given memory that changes later', async (t, mode) => {
  const response = await (await open(t, mode('writes'))).client.fetch('/')
  assert.equal([response.headers.get('content-length'), await response.text()], [null, 'one two three four'])
})

both(test, 'write() alone makes a body', async (t, mode) => {
  assert.is(await text(t, mode, 'writesOnly'), 'written')
})

both(test, 'write() past the content-length is an error, of which nothing is sent', async (t, mode) => {
  const { client, probe } = await open(t, mode('writesTooMuch'))
  assert.is(await (await client.fetch('/')).text(), '12345')
  assert.match(String(probe.notes), /^WsgiError,ERR_TSGI_WSGI,write\(\): 6 bytes are more than the content-length, 5 /)
})

both(test, 'write() takes bytes and strings only', async (t, mode) => {
  const { client, probe } = await open(t, mode('writesOther'))
  assert.is(await (await client.fetch('/')).text(), 'x')
  assert.is(probe.notes.length, 6)
  for (const note of probe.notes) assert.match(String(note), /the argument of write\(\) must be a Uint8Array or a string/)
})

both(test, 'write, startResponse and the input work no more when their request is over', async (t, mode) => {
  const { client, probe } = await open(t, mode('usesLate'))
  await (await client.fetch('/')).text()
  await (await client.fetch('/')).text()
  assert.equal(probe.notes.map((each) => (each as string[])[2]), ['write() was called', 'startResponse was called', 'wsgi.input was read'].map((what) => `${what} after its request was over (PEP 3333)`))
})

both(test, 'blocks are bytes or strings, which are UTF-8; a bare one counts as one block', async (t, mode) => {
  const { client } = await open(t, mode('blocks'))
  for (const form of ['array', 'bytes', 'generator', 'bare', 'bare bytes']) {
    const response = await client.fetch(query({ array: ['caf\xe9 ', '', '\u20ac'], form }))
    assert.is(await response.text(), 'caf\xe9 \u20ac', form)
    assert.is(response.headers.get('content-length'), form === 'generator' ? null : '9', form)
  }
})

both(test, 'one block alone has its length as Content-Length, however long it is', async (t, mode) => {
  const { client } = await open(t, mode('large'))
  for (const length of [0, 1, 65536, 65537, 3_000_000]) {
    const response = await client.fetch(`/?${length}`)
    assert.equal([response.headers.get('content-length'), (await response.arrayBuffer()).byteLength], [String(length), length])
  }
  const closing = (await open(t, mode('closesArray'))).client
  assert.is((await closing.fetch('/')).headers.get('content-length'), '9')
})

both(test, 'no more is sent than the Content-Length says', async (t, mode) => {
  const { client } = await open(t, mode('blocks'))
  for (const form of ['array', 'bytes', 'generator', 'bare', 'bare bytes']) {
    for (const length of [0, 1, 3, 4, 6]) {
      const response = await client.fetch(query({ array: ['ab', 'cd', 'ef'], headers: [['content-length', String(length)]], form }))
      assert.equal([response.headers.get('content-length'), await response.text()], [String(length), 'abcdef'.slice(0, length)], `${form} ${length}`)
    }
  }
})

both(test, 'the iteration stops when the Content-Length is reached', async (t, mode) => {
  const { client, probe } = await open(t, mode('endless'))
  assert.is(await (await client.fetch('/?12')).text(), 'abcdeabcdeab')
  await probe.closedTimes(1)
  assert.equal([probe.steps, probe.closes], [3, 1])
})

both(test, 'less than the Content-Length says breaks the response off', async (t, mode) => {
  const { client } = await open(t, mode('blocks'))
  const response = await client.fetch(query({ array: ['ab', 'cd'], headers: [['content-length', '5']], form: 'generator' }))
  const late = await rejection(response.text())
  assert.equal([late.code, late.message], ['ERR_TSGI_CONTENT_LENGTH', 'content-length is 5, but the body has only 4 bytes'])
  const early = await failure(client, query({ array: ['ab', 'cd'], headers: [['content-length', '5']], form: 'array' }))
  assert.is(early.code, 'ERR_TSGI_CONTENT_LENGTH')
})

both(test, 'HEAD, 204 and 304 have no body, whatever the application returns', async (t, mode) => {
  const { client } = await open(t, mode('blocks'))
  for (const form of ['array', 'generator', 'bare']) {
    const head = await client.fetch(query({ array: ['abc'], form }), { method: 'HEAD' })
    assert.equal([head.status, head.headers.get('content-length'), await head.text()], [200, form === 'generator' ? null : '3', ''])
    for (const status of ['204 No Content', '304 Not Modified']) {
      const response = await client.fetch(query({ array: ['abc'], status, form }))
      assert.equal([response.headers.get('content-length'), await response.text()], [null, ''])
    }
    const announced = await client.fetch(query({ array: [], headers: [['content-length', '10']], form }), { method: 'HEAD' })
    assert.equal([announced.headers.get('content-length'), await announced.text()], ['10', ''])
  }
})

both(test, 'what is no iterable of bytes or strings is an error', async (t, mode) => {
  for (let index = 0; index < apps.countOfOthers(); index++) {
    await broken(t, mode, 'returnsOther', /must return an iterable of blocks|a block of the body must be a Uint8Array or a string/, `/?${index}`)
  }
})

both(test, 'an async function is an error that says so', async (t, mode) => {
  await broken(t, mode, 'returnsPromise', /found a promise: it is an async function/)
  await broken(t, mode, 'returnsAsyncGenerator', /found an async iterable, and WSGI is for sync ones/)
  assert.throws(() => fromWsgi((async () => []) as never), (error: Error) => error instanceof InvalidOption && /a sync function/.test(error.message))
})

// ---- close() ----

const closings: readonly (readonly [name: AppName, path: string, outcome: string])[] = [
  ['closes', '/', 'one two three'],
  ['closes', '/?4', 'one '],
  ['closes', '/?0', ''],
  ['closes', '/?99', 'ERR_TSGI_CONTENT_LENGTH'],
  ['closesEmpty', '/', ''],
  ['closesArray', '/', 'all of it'],
  ['closesAfterError', '/', 'RangeError: in the midst'],
  ['closesUnstarted', '/', 'ERR_TSGI_WSGI'],
  ['closesUniterable', '/', 'ERR_TSGI_WSGI'],
  ['endless', '/?7', 'abcdeab'],
]

both(test, 'close() is called once, whatever the outcome', async (t, mode) => {
  for (const [name, path, outcome] of closings) {
    const { client, probe } = await open(t, mode(name))
    let found: string
    try {
      found = await (await client.fetch(path)).text()
    } catch (error) {
      const { code, name: kind, message } = error as Error & { code?: string }
      found = code ?? `${kind}: ${message}`
    }
    assert.is(found, outcome, name)
    await probe.closedTimes(1)
    // A request behind it: the first call is over, on its thread too.
    await (await client.fetch('/?0', { method: 'HEAD' }).catch(() => null))?.text().catch(() => '')
    await probe.closedTimes(2)
    assert.is(probe.closes, 2, name)
  }
}, 20)

both(test, 'what close() throws is an error of the application, after its response', async (t, mode) => {
  const { client, probe } = await open(t, mode('closesBadly'))
  assert.is(await (await client.fetch('/')).text(), 'all of it')
  const error = await rejection(client.close())
  assert.equal([error.message, probe.closes], ['in close', 1])
})

// ---- wsgi.file_wrapper ----

both(test, 'wsgi.file_wrapper: from where the file stands to its end, by read(), and closes the file', async (t, mode) => {
  const rows: readonly (readonly [blockSize: number | null, headers: readonly (readonly string[])[], body: string, sizes: readonly number[]])[] = [
    [null, [], '0123456789', [8192, 8192]],
    [4, [], '0123456789', [4, 4, 4, 4]],
    [4, [['content-length', '6']], '012345', [4, 4]],
  ]
  for (const [blockSize, headers, expected, sizes] of rows) {
    const { client, probe } = await open(t, mode('file'))
    assert.is(await (await client.fetch(query([blockSize, headers]))).text(), expected)
    await probe.closedTimes(1)
    assert.equal([probe.notes, probe.closes], [['wrapped', ...sizes], 1])
  }
})

both(test, 'wsgi.file_wrapper: one that is not returned reads nothing; arguments are checked', async (t, mode) => {
  const { client, probe } = await open(t, mode('fileUnused'))
  assert.is(await (await client.fetch('/')).text(), 'something else')
  assert.equal([probe.notes.length, probe.closes], [2, 0])
  for (const note of probe.notes) assert.match(String(note), /wsgi\.file_wrapper/)
})

// ---- errors ----

both(test, 'an error before the head is a 500, and is told whole', async (t, mode) => {
  const { client } = await open(t, mode('throwsAtOnce'))
  const error = await failure(client)
  assert.instance(error, RangeError)
  assert.equal([error.message, error.code], ['at once', 'E_APP'])
  const server = await open(t, mode('throwsAtOnce'), { raiseApplicationErrors: false })
  const response = await server.client.fetch('/')
  assert.equal([response.status, await response.text()], [500, 'Internal Server Error'])
})

both(test, 'an error after the head breaks the response off', async (t, mode) => {
  const { client } = await open(t, mode('throwsLater'))
  const response = await client.fetch('/')
  assert.is(response.status, 200)
  assert.equal((await rejection(response.text())).message, 'later')
})

test('a thread that ends is a 500, or breaks the response off', async (t) => {
  const { client } = await open(t, onThread('exits'))
  assert.is((await failure(client)).code, 'ERR_TSGI_THREAD_DIED')
  const response = await client.fetch('/?later')
  assert.is((await rejection(response.text())).code, 'ERR_TSGI_THREAD_DIED')
  assert.is(await text(t, onThread, 'writesOnly'), 'written')
})

// ---- what is no rule of PEP 3333 ----

both(test, 'only HTTP is served', async (t, mode) => {
  const { client } = await open(t, mode('writesOnly'))
  assert.instance(await rejection(client.websocket('/')), UnsupportedScope)
  const calls: unknown[] = []
  const scope = { type: 'lifespan', asgi: { version: '3.0', specVersion: '2.0' }, state: {} } as const
  assert.instance(await rejection(mode('writesOnly')(scope, () => new Promise(() => {}), async (event) => void calls.push(event))), UnsupportedScope)
  assert.equal(calls, [])
})

test('inline, a body has a limit, and a longer one is answered with 413', async (t) => {
  const { client } = await open(t, fromWsgi(apps.hashes, { bodyLimit: 1000 }))
  const pieces = async function* (length: number) {
    for (let at = 0; at < length; at += 100) yield Buffer.alloc(Math.min(100, length - at))
  }
  for (const made of [(length: number) => Buffer.alloc(length), pieces]) {
    assert.match(await (await client.fetch('/?99', { method: 'POST', body: made(1000) })).text(), /^1000 /)
    const refused = await client.fetch('/?99', { method: 'POST', body: made(1001) })
    assert.equal([refused.status, refused.headers.get('content-type'), await refused.text()], [413, 'text/plain; charset=utf-8', 'Content Too Large\n'])
  }
  const { client: byDefault } = await open(t, inline('hashes'))
  assert.equal((await byDefault.fetch('/?99999', { method: 'POST', body: Buffer.alloc(1048577) })).status, 413)
  const { client: unlimited } = await open(t, fromWsgi(apps.hashes, { bodyLimit: 0 }))
  assert.match(await (await unlimited.fetch('/?99999', { method: 'POST', body: Buffer.alloc(1048577) })).text(), /^1048577 /)
})

test('options and references are checked early', async (t) => {
  for (const bodyLimit of [-1, 1.5, NaN, '1' as never]) assert.throws(() => fromWsgi(apps.writesOnly, { bodyLimit }), (error: Error) => error instanceof InvalidOption)
  for (const source of [null, undefined, 'app.js', {}]) assert.throws(() => fromWsgi(source as never), (error: Error) => error instanceof InvalidOption)
  assert.throws(() => fromWsgi(new URL('./missing.js', import.meta.url)), (error: Error) => error instanceof LoadFailed && /missing\.js: no such file/.test(error.message))
  const { client } = await open(t, fromWsgi(new URL('./apps.js#missing', import.meta.url), { pool }))
  const error = await failure(client)
  assert.instance(error, LoadFailed)
  assert.match(error.message, /export "missing" is missing/)
})

test('a module may wait at its top; one that cannot be loaded fails the request, and says why', async (t) => {
  // Threads load the modules that they know of when they start.
  const late = fromWsgi(new URL('./late-app.js', import.meta.url), { pool: ownPool(t) })
  assert.is(await (await (await open(t, late)).client.fetch('/')).text(), 'opened')
  const own = ownPool(t)
  for (let i = 0; i < 2; i++) {
    const error = await failure((await open(t, fromWsgi(new URL('./broken-app.js', import.meta.url), { pool: own }))).client)
    assert.instance(error, LoadFailed)
    assert.match(error.message, /broken-app\.ts: cannot be loaded for its export "default": .*no database/)
  }
})

test.run()
