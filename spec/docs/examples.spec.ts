/** The code of the documents is type-checked and run, and does what the text beside it says. */
import { rejects } from 'node:assert/strict'
import { createHash, scryptSync } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { gunzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { fromWsgi } from '../../adapters/wsgi/index.ts'
import { proxyHeaders } from '../../lib/middleware/index.ts'
import { application, serve, UnsupportedScope, WebSocketRefused, type Application, type HttpScope, type Server } from '../../lib/index.ts'
import { testClient, type TestClient, type TestClientOptions } from '../../lib/testing/index.ts'
import { serveCommand, startProcess } from '../support/command.ts'
import { Examples } from '../support/docs-examples.ts'
import { codeBlocks, document, root } from '../support/docs-markdown.ts'
import { rawClient } from '../support/raw-client.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('the code of the documents')
const examples = new Examples()
process.on('exit', () => examples.remove())
// A thread has the variables that there were when it started.
process.env['SESSION_KEYS'] = 'k'.repeat(32)

/** The examples that a test below has run. */
const run = new Set<string>()

async function open(t: TestContext, label: string, options?: TestClientOptions): Promise<TestClient> {
  run.add(label)
  const client = await testClient(await examples.application(label), options)
  t.after(() => client.close())
  return client
}

/** What `console.log` printed while `body` ran. */
async function printed(body: () => Promise<unknown>): Promise<readonly string[]> {
  const lines: string[] = []
  const { log } = console
  console.log = (...values: unknown[]) => lines.push(values.join(' '))
  try {
    await body()
  } finally {
    console.log = log
  }
  return lines
}

test('every TypeScript block is an example with a label of its own', () => {
  assert.equal(examples.faults, [])
  assert.ok(examples.labels.length > 15)
})

test('all examples pass the type check', async () => {
  assert.is(await examples.typeErrors(), '')
}, 30)

test('README: both forms of the hello world answer the same', async (t) => {
  for (const label of ['README/hello/app.ts', 'README/bare/app.ts']) {
    const response = await (await open(t, label)).fetch('/')
    assert.is(response.status, 200, label)
    assert.is(response.headers.get('content-type'), 'text/plain')
    assert.is(await response.text(), 'Hello, world!\n')
  }
})

test('README: a WebSocket greets, and a password is hashed on a thread', async (t) => {
  const socket = await (await open(t, 'README/greeter/app.ts')).websocket('/')
  await socket.send('Ada')
  assert.is(await socket.receive(), 'Hello, Ada!')
  run.add('README/password/hash.ts')
  const response = await (await open(t, 'README/password/app.ts')).fetch('/', { method: 'POST', body: 'secret' })
  assert.match(await response.text(), /^[0-9a-f]{64}$/)
})

test('README: applications of several models answer side by side', async (t) => {
  run.add('README/models/legacy.ts')
  const client = await open(t, 'README/models/app.ts')
  for (const [path, text] of [['/legacy/a', 'Hello from /a\n'], ['/express', 'Hello from Express\n'], ['/fetch/b', 'Hello from /b\n']]) {
    assert.is(await (await client.fetch(path ?? '')).text(), text)
  }
})

test('README: a stack answers by an async view, and by one on a thread', async (t) => {
  const client = await open(t, 'README/site/app.ts')
  const shown = await printed(async () => {
    const greeting = await client.fetch('/greet')
    assert.equal([await greeting.json(), greeting.headers.get('x-content-type-options'), greeting.headers.has('x-request-id')], [{ hello: 'world' }, 'nosniff', true])
    assert.is(await (await client.fetch('/badge/Ada')).text(), `${scryptSync('Ada', 'salt', 8).toString('hex')}\n`)
  })
  assert.equal(shown, ['GET /greet 200', 'GET /badge/Ada 200'])
})

test('README: a body is read up to its limit', async (t) => {
  const client = await open(t, 'README/body/app.ts')
  const response = await client.fetch('/', { method: 'POST', body: '{"name":"Ada"}' })
  assert.equal(await response.json(), { hello: 'Ada' })
  const tooLarge = await client.fetch('/', { method: 'POST', body: Buffer.alloc(1024 * 1024 + 1) })
  assert.is(tooLarge.status, 413)
})

test('README: a streamed body comes whole', async (t) => {
  const text = await (await (await open(t, 'README/stream/app.ts')).fetch('/')).text()
  const lines = text.split('\n')
  assert.equal([lines.length, lines[0], lines[999]], [1001, 'line 1', 'line 1000'])
})

test('README: an event stream sends its first event at once and ends when the client leaves', async (t) => {
  const client = await open(t, 'README/sse/app.ts')
  const response = await client.fetch('/')
  assert.is(response.headers.get('content-type'), 'text/event-stream')
  const reader = response.body?.getReader()
  const first = await reader?.read()
  assert.match(Buffer.from(first?.value ?? []).toString(), /^data: \d{4}-.*\n\n$/)
  await reader?.cancel()
  await client.close()
})

test('README: what the lifespan yields is the state, and what follows runs at the end', async (t) => {
  const client = await open(t, 'README/state/app.ts')
  const response = await client.fetch('/', { method: 'PUT', body: 'remember' })
  assert.is(response.status, 201)
  const folder = await response.text()
  assert.is(readFileSync(join(folder, 'note'), 'utf8'), 'remember')
  await client.close()
  assert.is(existsSync(folder), false)
})

test('README: the test passes', async () => {
  run.add('README/hello/app.test.ts')
  await examples.load('README/hello/app.test.ts')
})

test('README: the embedded server answers and stops', async () => {
  run.add('README/hello/server.ts')
  assert.equal(await printed(() => examples.load('README/hello/server.ts')), ['200 Hello, world!\n'])
})

test('README: `npm start` serves the showcase, `npm start -- app.ts` that application', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly scripts: Record<string, string> }
  assert.is(scripts['start'], 'exec node --conditions=source --import tsx playground/start.ts') // what `serveCommand` runs
  const [showcase, own] = await Promise.all([serveCommand(t, []), serveCommand(t, [examples.path('README/hello/app.ts')])])
  const page = await fetch(showcase.url)
  assert.is(page.headers.get('content-type'), 'text/html; charset=utf-8')
  assert.match(await page.text(), /playground\/hello\.ts/)
  assert.is(await (await fetch(own.url)).text(), 'Hello, world!\n')
  for (const running of [showcase, own]) running.kill('SIGTERM')
  assert.equal((await Promise.all([showcase.ended, own.ended])).map(({ code }) => code), [0, 0])
}, 20)

test('README: with the headers of the nginx block, nothing that a client writes is believed', async (t) => {
  const [nginx] = codeBlocks(document('README.md')).filter(({ language }) => language === 'nginx')
  const variables: Readonly<Record<string, string>> = { $scheme: 'https', $host: 'shop.example', $server_port: '443' }
  const settings = [...(nginx?.code ?? '').matchAll(/proxy_set_header (\S+) (\S+);/g)]
  assert.ok(settings.length > 4)
  const seen: HttpScope[] = []
  const app: Application = proxyHeaders(application({
    http: async (scope, _receive, send) => {
      seen.push(scope)
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body' })
    },
  }))
  const client = await testClient(app)
  t.after(() => client.close())
  const forged: readonly Readonly<Record<string, string>>[] = [
    {},
    { 'forwarded': 'for=9.9.9.9;proto=http;host=evil.example' },
    { 'forwarded': 'for=' },
    { 'x-forwarded-for': '9.9.9.9' },
    { 'x-forwarded-proto': 'http', 'x-forwarded-host': 'evil.example', 'x-forwarded-port': '1' },
  ]
  for (const headers of forged) {
    const passed: Record<string, string> = { host: '127.0.0.1:8000', ...headers }
    for (const [, name = '', value = ''] of settings) {
      const field = name.toLowerCase()
      // nginx appends the peer to what the client sent, and leaves a header out that is set to the empty string.
      if (value === '$proxy_add_x_forwarded_for') passed[field] = [headers[field], '5.6.7.8'].filter((each) => each !== undefined).join(', ')
      else if (value === '""') delete passed[field]
      else passed[field] = variables[value] ?? value
    }
    await client.fetch('/', { headers: passed })
    const scope = seen.pop()
    assert.equal([scope?.client, scope?.scheme, scope?.headers.get('host')], [['5.6.7.8', 0], 'https', 'shop.example'], JSON.stringify(headers))
  }
})

test('application.md: parts, bare function, signal, middleware', async (t) => {
  const parts = await open(t, 'application/parts/app.ts')
  assert.match(await (await parts.fetch('/')).text(), /^up since \d{4}-\d\d-\d\dT.*Z\n$/)
  const bare = await open(t, 'application/bare/app.ts')
  assert.is(await (await bare.fetch('/a%20b')).text(), 'you asked for /a b\n')
  const other = await examples.application('application/bare/app.ts')
  await rejects(() => other({ type: 'lifespan', asgi: { version: '3.0', specVersion: '2.0' }, state: {} }, () => Promise.reject(), async () => {}), UnsupportedScope)
  const middleware = await open(t, 'application/middleware/app.ts')
  assert.is((await middleware.fetch('/')).headers.get('x-frame-options'), 'DENY')
  const signal = await open(t, 'application/signal/app.ts')
  assert.is(await (await signal.fetch('/')).text(), 'late, but here\n')
})

test('application.md: an application that hears that its client left goes unlogged', async (t) => {
  const controller = new AbortController()
  const outcomes: unknown[] = []
  const client = await open(t, 'application/signal/app.ts', {
    observer: { started: () => controller.abort(), finished: ({ error, disconnected }) => outcomes.push([error, disconnected]) },
  })
  await rejects(client.fetch('/', { signal: controller.signal }), { name: 'AbortError' })
  await client.close()
  assert.equal(outcomes, [[undefined, true]])
})

test('application.md: the signature is that of the contract', () => {
  run.add('application/signature/signature.ts')
  const shown = readFileSync(examples.path('application/signature/signature.ts'), 'utf8').trim().split('\n').at(-1) ?? ''
  assert.ok(readFileSync(join(root, 'lib/contract/application.ts'), 'utf8').includes(`\n${shown}\n`), shown)
})

test('http.md: a body is answered part by part', async (t) => {
  const client = await open(t, 'http/upper/app.ts')
  async function* parts(): AsyncGenerator<Uint8Array, void, void> {
    yield Buffer.from('caf')
    yield Buffer.from([0xc3])
    yield Buffer.from([0xa9])
  }
  assert.is(await (await client.fetch('/', { method: 'POST', body: parts() })).text(), 'CAFÉ')
})

test('lifespan.md: the generator and the events by hand', async (t) => {
  const client = await open(t, 'lifespan/generator/app.ts')
  const { counter } = await examples.load('lifespan/generator/app.ts') as { readonly counter: { readonly open: boolean } }
  assert.is(await (await client.fetch('/')).text(), '1')
  assert.is(await (await client.fetch('/')).text(), '2')
  assert.is(counter.open, true)
  await client.close()
  assert.is(counter.open, false)
  const byHand = await open(t, 'lifespan/events/app.ts')
  assert.is(await (await byHand.fetch('/')).text(), 'hello\n')
})

test('websocket.md: an echo, and a loop over messages', async (t) => {
  const echo = await (await open(t, 'websocket/echo/app.ts')).websocket('/')
  await echo.send('hello')
  assert.is(await echo.receive(), 'hello')
  const shout = await (await open(t, 'websocket/shout/app.ts')).websocket('/')
  await shout.send('hello')
  assert.is(await shout.receive(), 'HELLO')
})

test('websocket.md: one event for everybody', async (t) => {
  const client = await open(t, 'websocket/everybody/app.ts')
  const [first, second] = [await client.websocket('/'), await client.websocket('/')]
  await first.send('good morning')
  assert.equal([await first.receive(), await second.receive()], ['good morning', 'good morning'])
})

test('extensions.md: a WebSocket is refused with a response', async (t) => {
  const client = await open(t, 'extensions/refusal/app.ts')
  const refused = await client.websocket('/').then(() => null, (error: unknown) => error)
  assert.instance(refused, WebSocketRefused)
  const { response } = refused as WebSocketRefused
  assert.equal([response.status, response.headers.get('www-authenticate'), await response.text()], [401, 'Bearer', 'Log in first.\n'])
  const allowed = await client.websocket('/', { headers: { authorization: 'Bearer x' } })
  assert.is(await allowed.receive(), 'welcome')
})

test('extensions.md: an early hint, and a digest in the trailers', async (t) => {
  const hint = await (await open(t, 'extensions/hint/app.ts')).fetch('/')
  assert.equal(hint.earlyHints, ['</style.css>; rel=preload; as=style'])
  const response = await (await open(t, 'extensions/trailers/app.ts')).fetch('/', { method: 'POST', body: 'abc' })
  assert.is(await response.text(), 'abc')
  assert.is((await response.trailers).get('x-sha256'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})

test('extensions.md: a file, and a part of one', async (t) => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const report = await (await open(t, 'extensions/report/app.ts')).fetch('/')
  assert.equal([report.headers.get('content-length'), await report.text()], [String(Buffer.byteLength(readme)), readme])
  assert.is(await (await (await open(t, 'extensions/part/app.ts')).fetch('/')).text(), `${readme.slice(2, 6)} begins with #\n`)
})

test('static.md: files of a folder, pages for the rest, and files that never change', async (t) => {
  for (const [name, text] of [['files/public/site.css', 'a {}'], ['assets/dist/index.html', '<p>home</p>'], ['assets/dist/assets/app-1a2b.js', 'app()']] as const) {
    mkdirSync(dirname(examples.path(`static/${name}`)), { recursive: true })
    writeFileSync(examples.path(`static/${name}`), text)
  }
  const files = await open(t, 'static/files/app.ts')
  const css = await files.fetch('/site.css')
  assert.equal([css.headers.get('content-type'), await css.text()], ['text/css; charset=utf-8', 'a {}'])
  assert.is(await (await files.fetch('/about')).text(), 'a page for /about\n')
  const assets = await open(t, 'static/assets/app.ts')
  assert.is((await assets.fetch('/assets/app-1a2b.js')).headers.get('cache-control'), 'max-age=31536000, immutable')
  const home = await assets.fetch('/')
  assert.equal([home.headers.get('content-security-policy'), await home.text()], ["default-src 'self'", '<p>home</p>'])
})

test('errors.md: after a refused event the application goes on', async (t) => {
  const response = await (await open(t, 'errors/handling/app.ts')).fetch('/')
  assert.equal([response.status, await response.text()], [200, 'ok'])
})

test('options.md: the options reach the server', async (t) => {
  run.add('options/serve/server.ts')
  const { server } = await examples.load('options/serve/server.ts') as { readonly server: Server }
  t.after(() => server.close())
  const response = await fetch(server.url)
  assert.equal([response.headers.get('x-frame-options'), response.headers.get('referrer-policy')], ['DENY', 'no-referrer'])
  assert.is(await response.text(), 'Hello, world!\n')
})

test('tls.md: several names are options, and an application knows its client by name', async (t) => {
  run.add('tls/names/server.ts')
  const { start } = await examples.load('tls/names/server.ts') as { readonly start: () => Promise<Server> }
  await rejects(start(), { code: 'ERR_TSGI_TLS', message: 'cannot read the certificate /etc/tls/example.com.pem: no such file' })
  const response = await (await open(t, 'tls/client/app.ts')).fetch('/')
  assert.equal([response.status, await response.text()], [403, 'who are you?\n'])
  const plain = await new Promise<HttpScope>((resolve) => {
    void testClient(async (scope) => void (scope.type === 'http' && resolve(scope)), { raiseApplicationErrors: false }).then((client) => client.fetch('/'))
  })
  const scope: HttpScope = { ...plain, extensions: { tls: { serverCert: null, clientCertChain: ['…'], clientCertName: 'CN=ann', clientCertError: null, tlsVersion: 0x0304, cipherSuite: 0x1301 } } }
  const sent: unknown[] = []
  await (await examples.application('tls/client/app.ts'))(scope, () => new Promise(() => {}), async (event) => void sent.push(event))
  assert.equal(sent.map((event) => (event as { status?: number; body?: string }).status ?? (event as { body?: string }).body), [200, 'hello, CN=ann\n'])
})

test('threads.md: a function on a thread, a pool, both ways, a shared context', async (t) => {
  for (const label of ['report/report.ts', 'pool/report.ts', 'nested/legacy.ts', 'nested/prices.ts', 'context/user.ts']) run.add(`threads/${label}`) // on threads
  const response = await (await open(t, 'threads/report/app.ts')).fetch('/secret')
  assert.is(await response.text(), scryptSync('/secret', 'salt', 32).toString('hex'))
  const show = async (label: string): Promise<readonly string[]> => {
    run.add(label)
    return printed(() => examples.load(label))
  }
  assert.equal(await show('threads/nested/main.ts'), ['9'])
  assert.equal(await show('threads/context/main.ts'), ['hello, Ada'])
  const shown = /\/\/ (\{ threads.*)/.exec(readFileSync(examples.path('threads/pool/pool.ts'), 'utf8'))?.[1]
  run.add('threads/pool/pool.ts')
  const logged: unknown[] = []
  const { log } = console
  console.log = (value: unknown) => logged.push(value)
  try {
    await examples.load('threads/pool/pool.ts')
  } finally {
    console.log = log
  }
  assert.equal(logged.map((value) => inspect(value)), [shown])
}, 30)

test('wsgi.md: a sync application on a thread and inline, a body that streams in, one that streams out', async (t) => {
  for (const label of ['hello/hello.ts', 'upload/upload.ts', 'lines/lines.ts']) run.add(`wsgi/${label}`)
  const response = await (await open(t, 'wsgi/hello/app.ts')).fetch('/Ada')
  assert.equal([response.status, response.headers.get('content-length'), await response.text()], [200, '12', 'Hello, Ada!\n'])
  const tea = await open(t, 'wsgi/inline/app.ts')
  const brewed = await tea.fetch('/', { method: 'BREW' })
  assert.equal([brewed.status, await brewed.text()], [418, 'BREW is not tea\n'])
  assert.is((await tea.fetch('/', { method: 'POST', body: 'x'.repeat(4097) })).status, 413)
  const uploaded = await (await open(t, 'wsgi/upload/app.ts')).fetch('/', { method: 'POST', body: 'abc'.repeat(100_000) })
  assert.is(await uploaded.text(), createHash('sha256').update('abc'.repeat(100_000)).digest('hex'))
  const client = await open(t, 'wsgi/lines/app.ts')
  assert.equal(await printed(async () => assert.is(await (await client.fetch('/')).text(), 'line 1\nline 2\nline 3\n')), ['closed'])
})

test('wsgi.md: an async application as a sync callable, on a thread', async (t) => {
  for (const label of ['wsgi/under/callable.ts', 'wsgi/under/app.ts']) run.add(label) // on a thread, and on the loop that owns it
  const client = await testClient(fromWsgi(pathToFileURL(examples.path('wsgi/under/callable.ts'))))
  t.after(() => client.close())
  const response = await client.fetch('/a%2Fb')
  assert.equal([response.headers.get('content-type'), await response.text()], ['text/plain', 'hello, /a/b\n'])
  const call = await examples.load('wsgi/under/callable.ts') as { readonly default: (environ: object) => unknown }
  assert.throws(() => call.default({ REQUEST_METHOD: 'GET' }), (error: Error) => error.name === 'WouldDeadlock')
})

test('mount.md: each request goes to the longest prefix, with a state of its own', async (t) => {
  const client = await open(t, 'mount/mount/app.ts')
  const table = [['/shop/cart', 'shop: /cart\n'], ['/shop/admin', 'admin: \n'], ['/shopping', 'the rest: /shopping\n'], ['http://API.example.com:81/v1/x', 'api: /x\n']] as const
  for (const [path, text] of table) assert.is(await (await client.fetch(path)).text(), text)
})

test('fetch.md: a fetch handler answers, and an application is one', async (t) => {
  const client = await open(t, 'fetch/hello/app.ts')
  const response = await client.fetch('/a')
  assert.equal([response.headers.getSetCookie(), await response.text()], [['a=1', 'b=2'], 'Hello from /a, 127.0.0.1!\n'])
  assert.is(await (await client.fetch('/', { method: 'POST', body: 'echo' })).text(), 'echo')
  for (const label of ['fetch/other/app.ts', 'fetch/other/handler.ts']) run.add(label)
  assert.equal(await printed(() => examples.load('fetch/other/handler.ts')), ['200 Hello from /there\n'])
})

test('node.md: Express answers, upgrades are taken over, and an application runs inside Express', async (t) => {
  assert.is(await (await (await open(t, 'node/hello/app.ts')).fetch('/')).text(), 'Hello from /\n')
  run.add('node/upgrades/app.ts')
  const server = await serve(await examples.application('node/upgrades/app.ts'), { port: 0, accessLog: false })
  t.after(() => server.close())
  assert.is(await (await fetch(server.url)).text(), 'a page\n')
  const client = await rawClient(t, { port: Number(new URL(server.url).port) })
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n')
  await client.ended
  assert.match(client.received, /^HTTP\/1\.1 101 [^]*upgrade: own\r\n\r\nhello$/)
  run.add('node/inside/server.ts')
  assert.equal(await printed(() => examples.load('node/inside/server.ts')), ['200 Hello, world!\n'])
})

test('cgi.md: a program answers, git answers where it is mounted, and an application is a program', async (t) => {
  assert.is(await (await (await open(t, 'cgi/hello/app.ts')).fetch('/there')).text(), 'Hello from /there\n')
  assert.is((await (await open(t, 'cgi/git/app.ts')).fetch('/git/none.git/info/refs?service=git-upload-pack')).status, 404)
  run.add('cgi/program/app.cgi.ts')
  const env = { GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET', PATH_INFO: '/there' }
  const { code, stdout } = await startProcess(t, [examples.path('cgi/program/app.cgi.ts')], { program: [process.execPath, '--conditions=source', '--import', 'tsx'], env }).ended
  assert.equal([code, stdout], [0, 'Status: 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 18\r\n\r\nHello from /there\n'])
})

test('stack.md: three kinds of layer, hooks, a stream that is wrapped, settings, and no stack', async (t) => {
  const shop = await open(t, 'stack/shop/app.ts')
  const greeting = await shop.fetch('/greet/Bob', { headers: { cookie: 'user=Ada' } })
  assert.match(greeting.headers.get('server-timing') ?? '', /^app;dur=[0-9.]+$/)
  assert.is(await greeting.text(), 'Ada greets Bob\n')
  assert.is((await shop.fetch('/greet/Bob', { headers: { cookie: 'user=mallory' } })).status, 403)
  assert.is(await (await shop.fetch('/upload', { method: 'POST', body: 'four' })).text(), '{"bytes":4}')
  const { stack } = await examples.load('stack/shop/app.ts') as { readonly stack: { describe(): string } }
  assert.is(/```text\n([^]*?)\n```/.exec(document('spec/stack.md').text)?.[1], stack.describe())
  run.add('stack/whole/app.ts')
  const whole = await printed(async () => {
    await using client = await testClient(await examples.application('stack/whole/app.ts'))
    assert.is((await client.fetch('/upload', { method: 'POST', body: 'four' })).status, 200)
  })
  assert.equal(whole, ['open', 'closed'])
  const hooks = await open(t, 'stack/hooks/app.ts')
  assert.is((await hooks.fetch('/hello/admin')).headers.get('location'), '/login')
  assert.is(await (await hooks.fetch('/hello/Ada')).text(), 'Ada at Example\n')
  assert.is((await hooks.fetch('/far')).status, 422)
  const lines = await open(t, 'stack/lines/app.ts')
  assert.equal(await printed(async () => assert.is(await (await lines.fetch('/')).text(), 'LINE 1\nLINE 2\nLINE 3\n')), ['closed'])
  for (const name of ['settings', 'layers', 'views']) run.add(`stack/settings/${name}.ts`) // by their places
  const settings = await open(t, 'stack/settings/app.ts')
  assert.is((await settings.fetch('/hello/Ada')).status, 401)
  assert.is(await (await settings.fetch('/hello/Ada', { headers: { authorization: 'x' } })).text(), 'hello, Ada\n')
  const raw = await open(t, 'stack/raw/app.ts')
  assert.match(await (await raw.fetch('/', { method: 'POST', body: 'hi' })).text(), /"sent":"hi"/)
}, 30)

test('layers.md: a shop behind its layers, a page with a nonce, a login that is limited', async (t) => {
  const shop = await open(t, 'layers/shop/app.ts')
  const ask = (path: string, headers: Record<string, string> = {}, body?: string): Promise<Response> => shop.fetch(path, { headers: { host: 'shop.example', ...headers }, ...(body === undefined ? {} : { method: 'POST', body }) })
  const home = await ask('/', { 'x-show-timing': 'please', 'origin': 'https://shop.example' })
  assert.is(await home.text(), `request ${home.headers.get('x-request-id')}\n`)
  assert.match(home.headers.get('server-timing') ?? '', /^total;dur=[\d.]+, prices;dur=[\d.]+$/)
  assert.equal(['access-control-allow-origin', 'x-frame-options', 'ratelimit-policy', 'ratelimit'].map((name) => home.headers.get(name)), ['https://shop.example', 'SAMEORIGIN', '"default";q=100;w=60', '"default";r=99;t=1'])
  assert.equal([(await ask('/')).headers.get('server-timing'), (await ask('/', { host: 'evil.com' })).status, (await ask('/upload', {}, 'x'.repeat(65_537))).status], [null, 400, 413])
  assert.equal(await (await ask('/upload', {}, 'x'.repeat(65_536))).json(), { bytes: 65_536 })
  const page = await (await open(t, 'layers/nonce/app.ts')).fetch('/')
  const nonce = /'nonce-(\S+)'/.exec(page.headers.get('content-security-policy') ?? '')?.[1]
  assert.is(Buffer.from(nonce ?? '', 'base64').length, 16)
  assert.ok((await page.text()).includes(`<script nonce="${nonce}">`))
  const login = await open(t, 'layers/login/app.ts')
  const tries: unknown[] = []
  for (let i = 0; i < 4; i++) tries.push((await login.fetch('/login', { method: 'POST' })).status)
  assert.equal(tries, [401, 401, 401, 429])
  assert.equal(await (await login.fetch('/login', { method: 'POST' })).json(), { error: 'too many tries', seconds: 20 })
  assert.is((await login.fetch('/')).status, 200)
}, 30)

test('sessions.md: a log-in and a log-out, links that are signed, ids that are over, and tokens without a session', async (t) => {
  const login = await open(t, 'sessions/login/app.ts')
  const page = async (): Promise<string> => (await login.fetch('/')).text()
  const token = (html: string): string => /name="csrfToken" value="([^"]+)"/.exec(html)?.[1] ?? ''
  const first = token(await page())
  assert.is((await login.fetch('/login', { method: 'POST' })).status, 403)
  assert.is((await login.fetch('/login', { method: 'POST', body: new URLSearchParams({ csrfToken: first }) })).status, 303)
  const inside = await page()
  assert.match(inside, /Hello, Ann!/)
  assert.is((await login.fetch('/logout', { method: 'POST', body: new URLSearchParams({ csrfToken: first }) })).status, 403)
  assert.is((await login.fetch('/logout', { method: 'POST', body: new URLSearchParams({ csrfToken: token(inside) }) })).status, 303)
  assert.match(await page(), /Hello, stranger!/)

  const shown = /```text\n(ann@[^]*?)\n```/.exec(document('spec/sessions.md').text)?.[1]?.split('\n')
  run.add('sessions/links/main.ts')
  assert.equal(await printed(() => examples.load('sessions/links/main.ts')), shown)

  const revoking = await open(t, 'sessions/revoking/app.ts')
  await revoking.fetch('/login')
  const cookie = `session=${revoking.cookies.get('session')}`
  await revoking.fetch('/logout')
  assert.is(await (await revoking.fetch('/', { headers: { cookie } })).text(), 'nobody\n')

  const own = await open(t, 'sessions/cookie/app.ts')
  const { token: given } = await (await own.fetch('/token')).json() as { token: string }
  assert.is(await (await own.fetch('/save', { method: 'POST', headers: { 'x-csrf-token': given } })).text(), 'saved\n')
  own.cookies.set('sid', 'another')
  assert.is((await own.fetch('/save', { method: 'POST', headers: { 'x-csrf-token': given } })).status, 403)
}, 30)

test('caching.md: a page and a stream that are compressed, and a page that the client has', async (t) => {
  const client = await open(t, 'caching/both/app.ts')
  const page = await client.fetch('/page', { headers: { 'accept-encoding': 'br' } })
  assert.equal([page.headers.get('content-encoding'), page.headers.get('vary')], ['br', 'Accept-Encoding'])
  assert.is((await page.arrayBuffer()).byteLength < 200, true)
  assert.is((await client.fetch('/page', { headers: { 'accept-encoding': 'br', 'if-none-match': page.headers.get('etag') ?? '' } })).status, 304)
  const lines = Buffer.from(await (await client.fetch('/lines', { headers: { 'accept-encoding': 'gzip' } })).arrayBuffer())
  assert.is(gunzipSync(lines).toString(), 'line 1\nline 2\nline 3\n')
})

test('uwsgi.md: without an upstream the answer is 502', async (t) => {
  const client = await open(t, 'uwsgi/forward/app.ts', { raiseApplicationErrors: false })
  assert.is((await client.fetch('/')).status, 502)
})

test('moving-to-async.md: each step answers like the one before, and shows its changes of mode', async (t) => {
  for (const name of ['users', 'layers', 'views', 'timing', 'session', 'step-1']) run.add(`moving-to-async/shop/${name}.ts`) // by the steps, or on threads
  const shown = codeBlocks(document('spec/moving-to-async.md')).filter(({ language }) => language === 'text').map(({ code }) => code.trimEnd())
  const [first, ...clients] = [
    await testClient(fromWsgi(pathToFileURL(examples.path('moving-to-async/shop/step-1.ts')))),
    ...await Promise.all([2, 3, 5].map((step) => open(t, `moving-to-async/shop/step-${step}.ts`))),
  ]
  t.after(() => first?.close())
  const described = await Promise.all([1, 2, 3, 5].map(async (step) => {
    const { stack } = await examples.load(`moving-to-async/shop/step-${step}.ts`) as { readonly stack: { describe(mode: string): string } }
    return stack.describe(step === 1 ? 'sync' : 'async')
  }))
  assert.equal(described, shown)
  const badge = `${scryptSync('Ada', 'salt', 8).toString('hex')}\n`
  for (const client of [first, ...clients]) {
    const ask = async (path: string): Promise<Response | undefined> => client?.fetch(path, { headers: { cookie: 'user=1' } })
    const greeting = await ask('/greet')
    assert.match(greeting?.headers.get('server-timing') ?? '', /^app;dur=[0-9.]+$/)
    assert.equal([await greeting?.text(), await (await ask('/badge'))?.text()], ['hello, Ada\n', badge])
  }
  const told = await Promise.all(['/greet', '/badge'].map(async (path) => (await clients.at(-1)?.fetch(path))?.headers.get('x-ran-on')))
  const [, lines = ''] = /```http\n([^]*?)```/.exec(document('spec/moving-to-async.md').text) ?? []
  assert.equal(told.map((line) => `x-ran-on: ${line?.replace(/thread \d+/, 'thread 2')}\n`).join(''), lines)
}, 30)

test('no example is left out', () => {
  assert.equal(examples.labels.filter((label) => !run.has(label)), [])
})

test.run()
