import { rejects } from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import * as zlib from 'node:zlib'
import * as assert from 'uvu/assert'
import { serve } from '../../../lib/index.ts'
import { HttpResponse, neutral, pass, route, Stack } from '../../../lib/stack/index.ts'
import { compression, type CompressionOptions } from '../../../lib/stack/middleware/index.ts'
import { acceptedCodings, type Coding } from '../../../lib/semantics/codings.ts'
import { EncodedStream } from '../../../lib/stack/middleware/encoded-stream.ts'
import { gzipBlocks } from '../../../lib/stack/middleware/gzip-blocks.ts'
import { testClient } from '../../../lib/testing/index.ts'
import { openBrowser } from '../../playground/browser.ts'
import { issue } from '../../support/certificates.ts'
import { suite } from '../../support/suite.ts'
import { runProgram } from '../../support/tls-server.ts'
import { applicationOf, idle, modes } from '../both-modes.ts'
import { Trace } from '../modules/trace.ts'
import { ask, inBothModes, type Told } from './keeping.ts'

const test = suite('compression')
const zstd = zlib as unknown as { readonly zstdDecompressSync?: (bytes: Buffer) => Buffer }
const hasZstd = zstd.zstdDecompressSync !== undefined
const TEXT = 'compress me, '.repeat(1000)
const PIECES = 'piece 0, grün\npiece 1, grün\npiece 2, grün\n'
const fields = (...given: readonly string[]): string => given.map((field) => `&field=${encodeURIComponent(field)}`).join('')

function decoded({ bytes, headers }: Told): string {
  switch (headers.get('content-encoding')) {
    case 'br': return zlib.brotliDecompressSync(bytes).toString()
    case 'gzip': return zlib.gunzipSync(bytes).toString()
    case 'zstd': return zstd.zstdDecompressSync?.(bytes).toString() ?? ''
    default: return bytes.toString()
  }
}

const accept = (codings: string): { readonly headers: Record<string, string> } => ({ headers: { 'accept-encoding': codings } })

/** The coding that a client likes best; null for none. */
function best(lines: readonly string[], offered: readonly Coding[]): Coding | null {
  const [first = 'identity'] = acceptedCodings(lines, offered)
  return first === 'identity' ? null : first
}

test('accept-encoding: weights, *, identity, and what is malformed (RFC 9110 12.5.3)', () => {
  const rows: readonly (readonly [string, Coding | null])[] = [
    ['gzip', 'gzip'], ['gzip, deflate, br, zstd', 'br'], ['gzip, zstd', 'zstd'], ['GZip', 'gzip'], ['x-gzip', 'gzip'], ['', null], ['deflate', null], ['identity', null], ['*', 'br'],
    ['*;q=0', null], ['gzip;q=0', null], ['br;q=0, *', 'zstd'], ['gzip;q=1.0, br;q=0.5', 'gzip'], ['gzip;q=0.5, br;q=0.50', 'br'], ['gzip;q=0.001', 'gzip'], ['gzip; q=0.5 ,br ; q=0.6', 'br'],
    ['identity;q=0.5, gzip;q=0.4', null], ['identity;q=0.4, gzip;q=0.5', 'gzip'], ['identity;q=0, *;q=0', null], ['identity;q=0', null], ['gzip;q=0.5, identity', null], ['gzip;q=0.5, *;q=0.1', 'gzip'],
    ['gzip;q=2', null], ['gzip;q=-1', null], ['gzip;q=0.1234', null], ['gzip;q=', null], ['gzip;q', null], ['gzip;x=1', null], ['gzip;q=1;x=1', null], [';q=1', null], ['gzip gzip', null],
    ['gzip;q=0, gzip', null], [',, gzip ,,', 'gzip'], ['gzip;Q=0.5', 'gzip'], ['gzip,'.repeat(5000), 'gzip'],
  ]
  for (const [field, found] of rows) assert.is(best([field], ['br', 'zstd', 'gzip']), found, field.slice(0, 80))
  assert.is(best([], ['br', 'gzip']), null)
  assert.is(best(['gzip;q=0.5', 'br;q=0.4'], ['br', 'gzip']), 'gzip')
  assert.is(best(['gzip, br'], ['gzip', 'br']), 'gzip')
  assert.is(best(['gzip'], []), null)
})

inBothModes(test, 'a body of bytes is compressed in what the client likes best, with its length', async (opened) => {
  for (const kind of ['sync', 'async']) {
    for (const [codings, coding] of [['br', 'br'], ['gzip', 'gzip'], ['gzip, br', 'br'], ['gzip, br;q=0.9', 'gzip'], ...(hasZstd ? [['zstd', 'zstd']] : [])] as const) {
      for (const times of [100, 1000]) {
        const told = await ask(opened, 'compression', `/made/${kind}?times=${times}`, accept(codings))
        assert.equal([told.headers.get('content-encoding'), decoded(told), told.headers.get('vary')], [coding, 'compress me, '.repeat(times), 'Accept-Encoding'])
        assert.is(told.headers.get('content-length'), String(told.bytes.length))
        assert.ok(told.bytes.length < 200)
      }
    }
  }
})

inBothModes(test, 'who accepts nothing of it gets the body as it is, told apart by vary', async (opened) => {
  for (const codings of ['', 'identity', 'deflate', 'br;q=0, gzip;q=0', 'identity;q=0']) {
    const told = await ask(opened, 'compression', `/made/sync?a${fields('vary:Origin')}`, accept(codings))
    assert.equal([told.text, told.headers.get('content-encoding'), told.headers.get('vary'), told.headers.get('content-length')], [TEXT, null, 'Origin, Accept-Encoding', String(TEXT.length)])
  }
  assert.is((await ask(opened, 'compression', '/made/sync')).text, TEXT)
})

inBothModes(test, 'vary is added to, not replaced', async (opened) => {
  for (const [given, found] of [['Cookie', 'Cookie, Accept-Encoding'], ['*', '*'], ['accept-encoding', 'accept-encoding'], ['a, Accept-Encoding , b', 'a, Accept-Encoding , b']] as const) {
    assert.is((await ask(opened, 'compression', `/made/async?a${fields(`vary:${given}`)}`, accept('br'))).headers.get('vary'), found)
  }
})

inBothModes(test, 'what must not or need not be compressed stays as it is', async (opened) => {
  const rows = [
    'times=50', 'type=image/png', 'type=application/octet-stream', 'type=video/mp4', 'type=', 'status=204&empty', 'status=205&empty', 'status=206', 'empty', fields('content-encoding:gzip'), fields('content-encoding:identity'),
    fields('cache-control:max-age=5, No-Transform'), fields('content-range:bytes 0-1/2'), fields('content-digest:sha-256=:AA==:'), fields('repr-digest:sha-256=:AA==:'), fields('content-md5:AA=='),
  ]
  for (const row of rows) {
    const plain = await ask(opened, 'none', `/made/sync?${row}`)
    const told = await ask(opened, 'compression', `/made/sync?${row}`, accept('br, gzip'))
    assert.equal([told.text, told.status, [...told.headers]], [plain.text, plain.status, [...plain.headers]], row)
  }
})

inBothModes(test, 'text, JSON, XML, scripts and pictures that are text are compressed, errors too', async (opened) => {
  for (const type of ['text/html; charset=utf-8', 'TEXT/CSS', 'application/json', 'application/problem+json', 'image/svg+xml', 'application/javascript', 'text/javascript', 'application/wasm', 'font/ttf', 'application/xhtml+xml;a=b']) {
    assert.is((await ask(opened, 'compression', `/made/async?type=${encodeURIComponent(type)}`, accept('br'))).headers.get('content-encoding'), 'br', type)
  }
  for (const status of [201, 400, 404, 500]) assert.is(decoded(await ask(opened, 'compression', `/made/async?status=${status}`, accept('br'))), TEXT)
})

inBothModes(test, 'options: the codings, the smallest size, the types; and what would grow is not compressed', async (opened) => {
  const told = await ask(opened, 'gzip', '/made/sync?type=image/png&times=10', accept('br, gzip'))
  assert.equal([told.headers.get('content-encoding'), decoded(told)], ['gzip', 'compress me, '.repeat(10)])
  // A regular expression with the flag g would match every other time.
  for (let i = 0; i < 3; i++) assert.is((await ask(opened, 'gzip', '/made/sync?type=image/png', accept('gzip'))).headers.get('content-encoding'), 'gzip')
  assert.is((await ask(opened, 'gzip', '/made/sync', accept('gzip'))).headers.get('content-encoding'), null)
  const short = await ask(opened, 'gzip', '/made/sync?type=image/png&times=1', accept('gzip'))
  assert.equal([short.headers.get('content-encoding'), short.headers.get('vary'), short.text], [null, 'Accept-Encoding', 'compress me, '])
})

inBothModes(test, 'HEAD has the fields of GET and no body', async (opened) => {
  for (const path of ['/made/sync', '/made/async']) {
    const get = await ask(opened, 'compression', path, accept('br'))
    const head = await ask(opened, 'compression', path, { method: 'HEAD', ...accept('br') })
    assert.equal([head.bytes.length, [...head.headers]], [0, [...get.headers]])
  }
  assert.is((await ask(opened, 'compression', '/stream/async', { method: 'HEAD', ...accept('gzip') })).headers.get('content-encoding'), 'gzip')
})

inBothModes(test, 'a strong tag becomes weak, which conditional takes for the same; a 304 says what the 200 did', async (opened) => {
  const url = `/made/sync?a${fields('etag:"v1"', 'accept-ranges:bytes')}`
  const told = await ask(opened, 'compression', url, accept('br'))
  assert.equal([told.headers.get('etag'), told.headers.get('accept-ranges')], ['W/"v1"', null])
  assert.is((await ask(opened, 'compression', url)).headers.get('etag'), '"v1"')
  for (const stack of ['both', 'upside']) {
    for (const path of [url, '/made/async']) {
      const first = await ask(opened, stack, path, accept('gzip'))
      const etag = first.headers.get('etag') ?? ''
      assert.match(etag, /^W\/"/)
      for (const tag of [etag, etag.slice(2)]) {
        const again = await ask(opened, stack, path, { headers: { 'accept-encoding': 'gzip', 'if-none-match': tag } })
        assert.equal([again.status, again.bytes.length, again.headers.get('etag'), again.headers.get('vary'), again.headers.get('content-encoding')], [304, 0, etag, 'Accept-Encoding', null], `${stack} ${path}`)
      }
    }
  }
})

inBothModes(test, 'a stream of either side is compressed; in sync mode by gzip alone', async (opened) => {
  for (const stack of ['compression', 'wrapped', 'unwrapped']) {
    for (const path of ['/stream/sync', '/stream/async', '/stream/sync?count=0', '/stream/async?count=40&size=100000']) {
      opened.trace.take()
      const plain = await ask(opened, 'none', path)
      await opened.trace.noted('closed')
      for (const codings of ['gzip', 'br, gzip', 'br', ...(hasZstd ? ['zstd'] : [])]) {
        opened.trace.take()
        const told = await ask(opened, stack, path, accept(codings))
        const inSync = stack === 'wrapped' ? 'sync' : stack === 'unwrapped' ? 'async' : opened.mode
        const [first = ''] = codings.split(',')
        assert.is(told.headers.get('content-encoding'), inSync === 'async' ? first : codings.includes('gzip') ? 'gzip' : null, `${stack} ${path} ${codings}`)
        assert.is(decoded(told), plain.text)
        assert.is(told.headers.get('vary'), 'Accept-Encoding')
        if (told.headers.has('content-encoding')) assert.is(told.headers.get('content-length'), null)
        await opened.trace.noted('closed')
        const events = opened.trace.events.filter((event) => !event.startsWith('piece'))
        assert.equal(events, ['whole', 'over', 'closed'], `${stack} ${path} ${codings}`)
      }
    }
  }
  assert.is((await ask(opened, 'none', '/stream/sync')).text, PIECES)
}, 60)

inBothModes(test, 'each piece is sent at once: the client has it before the next is made; server-sent events too', async (opened) => {
  for (const path of ['/stream/sync?count=1000000&size=1000&type=text/event-stream', '/stream/async?count=1000000&size=1000']) {
    const controller = new AbortController()
    opened.trace.take()
    const response = await opened.client.fetch(path, { headers: { 'x-stack': 'compression', 'accept-encoding': 'gzip' }, signal: controller.signal })
    assert.is(response.headers.get('content-encoding'), 'gzip')
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    const gunzip = zlib.createGunzip()
    let length = 0
    gunzip.on('data', (chunk: Buffer) => { length += chunk.length })
    while (length < 1000) {
      const { value } = await reader.read()
      await new Promise((resolve) => gunzip.write(value ?? Buffer.alloc(0), resolve))
    }
    const made = opened.trace.events.filter((event) => event.startsWith('piece')).length
    assert.ok(made < 2000, `${made} pieces were made before the client had one`)
    // The client leaves, and the source is told.
    controller.abort()
    await reader.cancel().catch(() => {})
    await opened.trace.noted('over')
    await opened.trace.noted('closed')
    assert.not.ok(opened.trace.events.includes('whole'))
    gunzip.destroy()
    await idle(opened.pool)
  }
}, 30)

inBothModes(test, 'a stream that fails tears the response down, and is closed', async (opened) => {
  for (const path of ['/stream/sync?fails=1', '/stream/async?fails=1']) {
    for (const codings of ['br, gzip', 'gzip']) {
      opened.trace.take()
      const response = await opened.client.fetch(path, { headers: { 'x-stack': 'compression', 'accept-encoding': codings } })
      const cut = await response.arrayBuffer().then(() => false, () => true)
      assert.ok(cut, path)
      await opened.trace.noted('closed')
      assert.equal(opened.trace.events.filter((event) => event === 'over').length, 1)
    }
  }
})

test('the transform is destroyed however the body ends: whole, by an error, by a client that left, and by close alone', async () => {
  const made: zlib.Gzip[] = []
  const make = (): zlib.Gzip => {
    const gzip = zlib.createGzip({ flush: zlib.constants.Z_SYNC_FLUSH })
    made.push(gzip)
    return gzip
  }
  const closed = async (): Promise<boolean> => {
    const [gzip] = made.splice(0)
    return gzip !== undefined && (gzip.closed || new Promise((resolve) => gzip.once('close', () => resolve(true))))
  }
  assert.is(new EncodedStream(['a'], make) && made.length, 0)
  for await (const _ of new EncodedStream(['a', 'b'], make));
  assert.ok(await closed())
  await rejects((async () => {
    for await (const _ of new EncodedStream((function* () { yield 'a'; throw new Error('the source') })(), make));
  })(), { message: 'the source' })
  assert.ok(await closed())
  await rejects((async () => {
    for await (const _ of new EncodedStream(['a', 5 as unknown as string], make));
  })(), { code: 'ERR_TSGI_INVALID_RESPONSE' })
  assert.ok(await closed())
  for await (const _ of new EncodedStream(['a', 'b'], make)) break
  assert.ok(await closed())

  // While the source is waited for: it is told at once, and what waits ends.
  let returned = false
  let go: (step: IteratorResult<string>) => void = () => {}
  const waiting: AsyncIterable<string> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise((resolve) => { go = resolve }), return: async () => { returned = true; return { done: true, value: undefined } } }) }
  const iterator = new EncodedStream(waiting, make)[Symbol.asyncIterator]()
  const next = iterator.next()
  await iterator.return?.()
  assert.ok(returned)
  assert.ok(await closed())
  go({ done: false, value: 'late' })
  assert.equal(await next, { done: true, value: undefined })

  // While zlib is at work.
  const busy = new EncodedStream([Buffer.alloc(60_000, 'x')], make)
  const working = busy[Symbol.asyncIterator]().next()
  busy.close()
  await working.catch(() => {})
  assert.ok(await closed())
})

test('a client that leaves ends a source that waits for ever, at once, and its transform', async (t) => {
  const { app } = await applicationOf('../middleware/modules/keeping', 'async')
  for (const codings of ['br', 'gzip']) {
    const trace = new Trace()
    const client = await testClient((scope, receive, send) => trace.run(() => app(scope, receive, send)), { lifespan: false, raiseApplicationErrors: false })
    t.after(() => client.close())
    const controller = new AbortController()
    const response = await client.fetch('/endless', { headers: { 'x-stack': 'compression', 'accept-encoding': codings }, signal: controller.signal })
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    controller.abort()
    await reader.cancel().catch(() => {})
    await trace.noted('returned')
    await trace.noted('closed')
  }
})

test('a transform is made when the body is asked for, not before, and a source of Node is destroyed with it', async (t) => {
  const source = new PassThrough()
  let closed = false
  source.on('close', () => { closed = true })
  const stack = new Stack({
    middleware: [neutral(function* replaces(request) {
      const response = yield* pass(request)
      if (request.path === '/replaced') return HttpResponse.text('another')
      return response
    }), compression()],
    routes: [
      route('/replaced', async () => new HttpResponse((async function* () { yield 'x' })(), { contentType: 'text/plain' })),
      route('/node', async () => new HttpResponse(source, { contentType: 'text/plain' })),
    ],
  })
  const client = await testClient(stack.toAsync(), { raiseApplicationErrors: false })
  t.after(() => client.close())
  assert.is(await (await client.fetch('/replaced', accept('gzip'))).text(), 'another')
  source.write('first')
  const controller = new AbortController()
  const response = await client.fetch('/node', { ...accept('gzip'), signal: controller.signal })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const { value } = await reader.read()
  assert.is(zlib.gunzipSync(value ?? Buffer.alloc(0), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).toString(), 'first')
  source.end('last')
  const rest: Uint8Array[] = []
  for (let step = await reader.read(); !step.done; step = await reader.read()) rest.push(step.value)
  assert.is(zlib.gunzipSync(Buffer.concat([value ?? Buffer.alloc(0), ...rest])).toString(), 'firstlast')
  assert.ok(closed)
})

test('a stream is compressed in bounded memory: a piece of many megabytes goes through in slices', async (t) => {
  const size = 64 * 1024 * 1024
  const big = Buffer.alloc(size)
  for (let i = 0; i < size; i += 4) big.writeUInt32LE((i * 2654435761) % 2 ** 32, i)
  let asked = 0
  const stack = new Stack({
    middleware: [compression({ gzipLevel: 1 })],
    routes: [route('/', async () => new HttpResponse((async function* () {
      asked++
      yield big
      asked++
    })(), { contentType: 'text/plain' }))],
  })
  const client = await testClient(stack.toAsync(), { raiseApplicationErrors: false })
  t.after(() => client.close())
  const controller = new AbortController()
  const response = await client.fetch('/', { ...accept('gzip'), signal: controller.signal })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  await reader.read()
  const before = process.memoryUsage()
  await new Promise((resolve) => setTimeout(resolve, 200))
  const after = process.memoryUsage()
  assert.ok(after.arrayBuffers - before.arrayBuffers + after.external - before.external < 8 * 1024 * 1024)
  assert.is(asked, 1)
  controller.abort()
  await reader.cancel().catch(() => {})
}, 30)

test('gzip by blocks is one member (RFC 1952 2.2) with the text before as a dictionary, whatever the pieces are', () => {
  const given: readonly (readonly (string | Uint8Array)[])[] = [
    [], [''], ['', ''], ['a'], ['a', '', 'b'], ['grün', Buffer.from('🌱')], Array.from({ length: 3000 }, (_, i) => `line ${i % 7}\n`), [Buffer.alloc(1_000_000, 'abcdefg'), 'end'],
    ['x'.repeat(32 * 1024), 'x'.repeat(32 * 1024 + 1), 'y'.repeat(128 * 1024), 'x'.repeat(200_000)],
  ]
  for (const pieces of given) {
    const blocks = [...gzipBlocks(pieces, 6)]
    const bytes = Buffer.concat(blocks)
    const text = Buffer.concat(pieces.map((piece) => Buffer.from(piece)))
    assert.ok(zlib.gunzipSync(bytes).equals(text))
    // A decoder that stops after the first member has it all: nothing is left over.
    const raw = zlib.inflateRawSync(bytes.subarray(10, -8))
    assert.ok(raw.equals(text))
    assert.is(bytes.readUInt32LE(bytes.length - 4), text.length)
  }
  const same = 'the very same text, again and again and again'.repeat(20)
  const [, second = Buffer.alloc(0)] = [...gzipBlocks([same, same], 6)]
  assert.ok(second.length < 30, `${second.length}`)
})

test('options that cannot be are an InvalidOption that names them', () => {
  const rows: readonly (readonly [CompressionOptions, RegExp])[] = [
    [{ encodings: ['deflate' as 'gzip'] }, /^encodings must/], [{ encodings: 'gzip' as unknown as Coding[] }, /^encodings must/], [{ minSize: -1 }, /^minSize must/], [{ minSize: 1.5 }, /^minSize must/],
    [{ types: 'text/html' as unknown as RegExp }, /^types must/], [{ brotliQuality: 12 }, /^brotliQuality must/], [{ zstdLevel: 0 }, /^zstdLevel must/], [{ gzipLevel: 10 }, /^gzipLevel must/], [{ gzipLevel: 0 }, /^gzipLevel must/],
  ]
  for (const [options, message] of rows) assert.throws(() => compression(options), message)
})

test.needing(['curl'], () => {
  test('curl --compressed has the text, of bytes and of streams, in both modes', async (t) => {
    for (const mode of modes) {
      const { app } = await applicationOf('../middleware/modules/keeping', mode)
      const server = await serve(app, { port: 0, accessLog: false })
      t.after(() => server.close())
      for (const [path, text] of [['/made/sync', TEXT], ['/stream/sync', PIECES], ['/stream/async', PIECES]] as const) {
        const { code, stdout, stderr } = await runProgram('curl', ['-sS', '--compressed', '-H', 'x-stack: compression', '-D', '-', `${server.url}${path}`])
        assert.is(code, 0, stderr)
        const [head = '', ...body] = stdout.split('\r\n\r\n')
        assert.match(head, /^content-encoding: (?:br|zstd|gzip)\r?$/m)
        assert.is(body.join('\r\n\r\n'), text)
      }
    }
  }, 20)
})

test.needing(['chromium', 'openssl'], () => {
  test('Chromium over TLS: br for a page, each coding for streams as they come, and gzip by blocks is read to its end', async (t) => {
    const { cert, key } = issue()
    for (const mode of modes) {
      const { app } = await applicationOf('../middleware/modules/keeping', mode)
      const server = await serve(async (scope, receive, send) => {
        if (scope.type === 'http' && scope.path === '/') {
          await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/html']] })
          return send({ type: 'http.response.body', body: '<!doctype html><link rel="icon" href="data:,">' })
        }
        await app(scope, receive, send)
      }, { bind: ['https://127.0.0.1:0'], tlsCert: cert, tlsKey: key, accessLog: false, logLevel: 'error' })
      t.after(() => server.close({ timeout: 1 }))
      const browser = await openBrowser(t, { ignoreHTTPSErrors: true })
      const page = browser.pages()[0] ?? await browser.newPage()
      await page.goto(server.url)
      const seen = await page.evaluate(`(async () => {
        const found = {}
        for (const path of ['/made/sync', '/made/async', '/stream/sync', '/stream/async', '/stream/sync?count=30&size=100000']) {
          const response = await fetch(path, { headers: { 'x-stack': 'compression' } })
          found[path] = [response.headers.get('content-encoding'), (await response.text()).length]
        }
        return found
      })()`) as Record<string, readonly [string, number]>
      const stream = mode === 'async' ? 'br' : 'gzip'
      assert.equal(seen, {
        '/made/sync': ['br', TEXT.length], '/made/async': ['br', TEXT.length], '/stream/sync': [stream, PIECES.length], '/stream/async': [stream, PIECES.length], '/stream/sync?count=30&size=100000': [stream, 3_000_000],
      })
    }
  }, 60)
})

test.run()
