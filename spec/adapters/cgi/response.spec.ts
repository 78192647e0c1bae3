/** What becomes of a CGI program's output (RFC 3875 6). */
import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { fromCgi, type FromCgiOptions } from '../../../adapters/cgi/index.ts'
import { HeadParser } from '../../../adapters/cgi/head-parser.ts'
import { application, type Application } from '../../../lib/index.ts'
import { collect } from '../../support/collect.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { client, node, shell, type Made } from './programs.ts'

const test = suite('CGI, the response of a program')

/** A program that prints a text, byte by byte the same. */
function prints(t: TestContext, text: string, name?: string): Made {
  return shell(t, `printf '%b' '${text.replaceAll('\\', '\\\\').replaceAll("'", "'\\''").replaceAll('\r', '\\r').replaceAll('\n', '\\n').replaceAll('\0', '\\0000')}'`, name)
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

async function answer(t: TestContext, text: string, options: FromCgiOptions = {}, method = 'GET', name?: string): Promise<Answer & { readonly logged: readonly string[] }> {
  const made = prints(t, text, name)
  const response = await (await client(t, made, options)).fetch('/path', { method })
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text(), logged: made.logged }
}

test('RFC 3875 6.2.1: a document: its type, its fields, its body; 200 where it gives no status', async (t) => {
  const { status, headers, body } = await answer(t, 'Content-Type: text/plain\nX-One:  1 \nx-two: a\nX-Two: b\n\nbody\nof two lines\n')
  assert.equal([status, headers, body], [200, { 'content-type': 'text/plain', 'x-one': '1', 'x-two': 'a, b' }, 'body\nof two lines\n'])
})

test('RFC 3875 6.3.3: Status sets the status, with a reason or without, and is no field of the response', async (t) => {
  for (const [line, expected] of [['404 Not Found', 404], ['201', 201], ['599 ', 599], ['200 OK', 200]] as const) {
    const { status, headers } = await answer(t, `Status: ${line}\nContent-Type: a/b\n\nx`)
    assert.equal([status, headers], [expected, { 'content-type': 'a/b' }], line)
  }
  assert.equal((await answer(t, 'Status: 204 No\n\n')).status, 204)
})

test('RFC 3875 6.3: lines end with LF or with CRLF, in any mixture', async (t) => {
  for (const text of ['Content-Type: a/b\r\nX-A: 1\r\n\r\nx\r\n', 'Content-Type: a/b\nX-A: 1\r\n\nx\r\n', 'Content-Type: a/b\r\nX-A: 1\n\r\nx\r\n']) {
    const { headers, body } = await answer(t, text)
    assert.equal([headers, body], [{ 'content-type': 'a/b', 'x-a': '1' }, 'x\r\n'])
  }
})

test('a head may come in pieces of any size', () => {
  const text = 'Status: 404 No\r\nContent-Type: a/b\nX-A: \xe9\r\n\r\nbody'
  for (let size = 1; size <= text.length; size++) {
    const parser = new HeadParser(1000, false)
    let rest = ''
    for (let at = 0; at < text.length; at += size) {
      const bytes = Buffer.from(text.slice(at, at + size), 'latin1')
      rest += parser.head === null ? parser.push(bytes)?.toString() ?? '' : bytes.toString()
    }
    assert.equal([parser.head?.status, parser.head?.headers, rest], [404, [['content-type', 'a/b'], ['x-a', '\xe9']], 'body'], `pieces of ${size}`)
  }
})

test('a head that is none is a 502, and the log says why', async (t) => {
  const rows: readonly (readonly [string, RegExp])[] = [
    ['', /ended with code 0 without a response/],
    ['hello', /ended with code 0 within its head/],
    ['Content-Type: a/b\n', /within its head/],
    ['\n', /no Content-Type, Location or Status \(RFC 3875 6.3\)/],
    ['\n\nbody', /no Content-Type/],
    ['X-Only: 1\n\nbody', /no Content-Type/],
    ['no colon\n\n', /a line of its head is no field: "no colon"/],
    ['HTTP/1.1 200 OK\nContent-Type: a/b\n\nx', /is no field: "HTTP\/1.1 200 OK"/],
    ['Content-Type : a/b\n\nx', /is no field/],
    ['Content-Type: a/b\n X-Folded: 1\n\nx', /is no field/],
    [': x\n\n', /is no field/],
    ['Content-Type: a/b\nX-A: 1\rX-B: 2\n\nx', /the field x-a has a control character/],
    ['Content-Type: a\0b\n\nx', /the field content-type has a control character/],
    ['Content-Type: a/b\nContent-Type: a/b\n\nx', /sent content-type twice/],
    ['Location: /a\nLocation: /b\n\n', /sent location twice/],
    ['Status: 200\nStatus: 404\nContent-Type: a/b\n\nx', /sent Status twice/],
    ['Status: OK\nContent-Type: a/b\n\nx', /no status: "OK"/],
    ['Status: 099 No\nContent-Type: a/b\n\nx', /no status/],
    ['Status: 600 No\nContent-Type: a/b\n\nx', /no status/],
    ['Status: 2000\nContent-Type: a/b\n\nx', /no status/],
    ['Status: 103 Hints\nContent-Type: a/b\n\nx', /sent the status 103/],
    ['Content-Type: a/b\nContent-Length: x\n\nx', /its Content-Length is "x"/],
    ['Content-Type: a/b\nContent-Length: 1\nContent-Length: 1\n\nx', /sent content-length twice/],
    ['Content-Type: a/b\nContent-Length: 99999999999999999999\n\nx', /its Content-Length is/],
    ['Content-Type: a/b\nTransfer-Encoding: chunked\n\n0\r\n\r\n', /Transfer-Encoding/],
    ['Content-Type: a/b\nETag: "a"\nETag: "b"\n\nx', /its head cannot be sent: .*etag/],
    ['Status: 200\n\nbody without a type', /has a body, but no Content-Type \(RFC 3875 6.3.1\)/],
  ]
  for (const [text, reason] of rows) {
    const { status, body, logged } = await answer(t, text)
    assert.equal([status, body], [502, 'Bad Gateway\n'], JSON.stringify(text))
    assert.is(logged.length, 1, JSON.stringify(text))
    assert.match(logged[0] ?? '', /^program: GET \/path: /)
    assert.match(logged[0] ?? '', reason)
  }
}, 30)

test('a head of more bytes than the limit is a 502: no more is kept', async (t) => {
  const fits = `Content-Type: a/b\nX-A: ${'a'.repeat(74)}\n\n`
  assert.is((await answer(t, fits, { headLimit: fits.length })).status, 200)
  const { status, logged } = await answer(t, fits, { headLimit: fits.length - 1 })
  assert.is(status, 502)
  assert.match(logged[0] ?? '', /its head is longer than 98 bytes/)
  const endless = shell(t, 'yes')
  assert.is((await (await client(t, endless)).fetch('/')).status, 502)
  const noLine = shell(t, 'tr "\\\\0" a < /dev/zero')
  assert.is((await (await client(t, noLine)).fetch('/')).status, 502)
})

test('RFC 3875 6.3.4: fields of the connection are the server\'s: dropped', async (t) => {
  const { headers } = await answer(t, 'Content-Type: a/b\nConnection: close\nKeep-Alive: 5\nUpgrade: x\nTrailer: y\nX-Kept: 1\n\nx')
  assert.equal(headers, { 'content-type': 'a/b', 'x-kept': '1' })
})

test('RFC 3875 6.2.3, 6.2.4: a Location sends the client elsewhere: 302, with a document or without', async (t) => {
  assert.equal(await bare(answer(t, 'Location: http://a.example/b?c\n\n')), [302, { location: 'http://a.example/b?c', 'content-length': '0' }, ''])
  assert.equal(await bare(answer(t, 'Location: /b\nSet-Cookie: a=1\n\n')), [302, { location: '/b', 'set-cookie': 'a=1', 'content-length': '0' }, ''])
  assert.equal(await bare(answer(t, 'Status: 303 See\nLocation: /b\nContent-Type: text/plain\n\nthere')), [303, { location: '/b', 'content-type': 'text/plain' }, 'there'])
  assert.equal(await bare(answer(t, 'Status: 201 Made\nLocation: /b\n\n')), [201, { location: '/b', 'content-length': '0' }, ''])
  assert.equal(await bare(answer(t, 'Location: //b.example/c\n\n')), [302, { location: '//b.example/c', 'content-length': '0' }, ''])
})

test('RFC 3875 6.2.2: a Location that is a path, and nothing else, is answered by the option localRedirect, as a GET without a body', async (t) => {
  const inner: Application = application({
    http: async (scope, receive, send) => {
      const event = await receive()
      const body = JSON.stringify([scope.method, scope.path, scope.rawPath, scope.queryString, scope.rootPath, scope.headers.get('content-type') ?? null, scope.headers.get('x-kept'), event.type === 'http.request' && event.body.length === 0 && !event.moreBody])
      await send({ type: 'http.response.start', status: 203 })
      await send({ type: 'http.response.body', body })
      assert.is((await receive()).type, 'http.disconnect')
    },
  })
  const made = prints(t, 'Location: /c%20d?e=f\n\n')
  const redirecting = await client(t, made, { localRedirect: inner }, '/root')
  for (const method of ['POST', 'GET']) {
    const response = await redirecting.fetch('/a', { method, headers: { 'content-type': 'a/b', 'x-kept': '1' }, ...(method === 'POST' ? { body: 'x'.repeat(200_000) } : {}) })
    assert.is(response.status, 203)
    assert.equal(await response.json(), ['GET', '/c d', '/c%20d', 'e=f', '', null, '1', true])
  }
  assert.equal(await bare(answer(t, 'Location: /b\n\n')), [302, { location: '/b', 'content-length': '0' }, ''])
})

test('local redirects in a circle end with a 502', async (t) => {
  const made = prints(t, 'Location: /b\n\n')
  const app: Application = fromCgi(made.file, { log: (line) => made.logged.push(line), concurrency: 1, localRedirect: (scope, receive, send) => app(scope, receive, send) })
  const opened = await client(t, made, { localRedirect: app })
  assert.is((await opened.fetch('/')).status, 502)
  assert.match(made.logged.join(), /local redirects go on and on/)
})

test('RFC 3875 4.3.3: HEAD has no body, whatever the program prints, and it may take its time to end', async (t) => {
  assert.equal(await bare(answer(t, 'Content-Type: a/b\nContent-Length: 5\n\nhello', {}, 'HEAD')), [200, { 'content-type': 'a/b', 'content-length': '5' }, ''])
  assert.equal(await bare(answer(t, 'Content-Type: a/b\nContent-Length: 5\n\n', {}, 'HEAD')), [200, { 'content-type': 'a/b', 'content-length': '5' }, ''])
  assert.equal(await bare(answer(t, 'Content-Type: a/b\n\nhello', {}, 'HEAD')), [200, { 'content-type': 'a/b' }, ''])
  assert.equal(await bare(answer(t, 'Status: 304 No\nETag: "a"\nContent-Length: 5\n\n')), [304, { etag: '"a"', 'content-length': '5' }, ''])
})

test('RFC 3875 5: a program whose name begins with nph- writes a whole HTTP response', async (t) => {
  assert.equal(await bare(answer(t, 'HTTP/1.1 404 Not There\r\nX-A: 1\r\nStatus: 200\r\nConnection: close\r\n\r\nbody', {}, 'GET', 'nph-program')), [404, { 'x-a': '1' }, 'body'])
  assert.equal(await bare(answer(t, 'HTTP/1.0 200\n\nbody', { nph: true })), [200, {}, 'body'])
  assert.equal(await bare(answer(t, 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 201 Made\r\nX-A: 1\r\n\r\n', { nph: true })), [201, { 'x-a': '1' }, ''])
  for (const text of ['Content-Type: a/b\n\nx', '\n\n', 'HTTP/1.1 2000 No\n\n', 'HTTP/1.1 101 No\n\n', 'HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\r\n\r\n', 'ICY 200 OK\n\n']) {
    assert.is((await answer(t, text, { nph: true })).status, 502, text)
  }
  assert.is((await answer(t, 'Content-Type: a/b\n\nx', { nph: false }, 'GET', 'nph-program')).status, 200)
})

test('the head goes out before the body has come, and each part of the body when it comes', async (t) => {
  const made = shell(t, `printf 'Content-Type: text/event-stream\\n\\n'; while read line; do printf 'data: %s\\n\\n' "$line"; done`)
  let next!: (text: string | null) => void
  const lines = (async function* () {
    for (;;) {
      const text = await new Promise<string | null>((resolve) => (next = resolve))
      if (text === null) return
      yield Buffer.from(text)
    }
  })()
  const opened = await client(t, made)
  const response = await opened.fetch('/', { method: 'POST', body: lines, headers: { 'content-length': '8' } })
  const parts = response.body?.getReader()
  for (const line of ['one', 'two']) {
    next(`${line}\n`)
    assert.is(Buffer.from((await parts?.read())?.value ?? []).toString(), `data: ${line}\n\n`)
  }
  assert.is((await parts?.read())?.done, true)
})

test('a program that answers without reading its input is none the worse for it', async (t) => {
  const made = shell(t, `printf 'Status: 413 No\\nContent-Type: a/b\\n\\nno'`)
  const opened = await client(t, made)
  const sizes = [10, 100_000, 5_000_000]
  for (const size of sizes) {
    const response = await opened.fetch('/', { method: 'POST', body: Buffer.alloc(size) })
    assert.equal([response.status, await response.text()], [413, 'no'])
  }
  assert.equal(made.logged, [])
})

test('what is sent is what was printed, every byte of it, in both directions', async (t) => {
  const made = shell(t, `printf 'Content-Type: application/octet-stream\\n\\n'; cat`)
  const bytes = Buffer.from(Uint8Array.from({ length: 700_000 }, (_, i) => i * 7))
  const opened = await client(t, made)
  const whole = Buffer.from(await (await opened.fetch('/', { method: 'POST', body: bytes })).arrayBuffer())
  assert.ok(whole.equals(bytes))
  const chunked = (async function* () {
    for (let at = 0; at < bytes.length; at += 7777) yield bytes.subarray(at, at + 7777)
  })()
  const response = await opened.fetch('/', { method: 'POST', body: chunked })
  assert.ok(Buffer.concat(await collect(response.body as unknown as AsyncIterable<Uint8Array>)).equals(bytes))
})

test('a client that does not read holds the program back', async (t) => {
  const made = node(t, `
    process.stdout.write('Content-Type: a/b\\n\\n')
    const part = Buffer.alloc(65536)
    let count = 0
    const more = () => {
      if (++count > 400) return
      require('fs').writeFileSync(process.argv[2], String(count))
      process.stdout.write(part, more)
    }
    more()`)
  const counter = made.folder.write('count', '0')
  const opened = await client(t, made, { args: [counter] })
  const response = await opened.fetch('/')
  let before = -1
  for (let now = 0; now !== before || now === 0;) {
    before = now
    await new Promise((resolve) => setTimeout(resolve, 200))
    now = Number(readFileSync(counter, 'utf8'))
  }
  assert.ok(before < 200, `${before} parts of 64 KiB were taken while nobody read`)
  let size = 0
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) size += part.length
  assert.is(size, 400 * 65536)
})

async function bare(answered: Promise<Answer>): Promise<unknown> {
  const { status, headers, body } = await answered
  return [status, headers, body]
}

test.run()
