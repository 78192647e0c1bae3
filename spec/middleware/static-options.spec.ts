import { throws } from 'node:assert/strict'
import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as assert from 'uvu/assert'
import { application, InvalidOption, UnsupportedScope, WebSocketRefused, type Application } from '../../lib/index.ts'
import { mount, staticFiles, type StaticFile, type StaticFilesOptions } from '../../lib/middleware/index.ts'
import { communicator, testClient } from '../../lib/testing/index.ts'
import { suite } from '../support/suite.ts'
import { staticFixture } from './static-fixture.ts'

const test = suite('static files, options')

const inner: Application = application({
  lifespan: async function* () {
    yield { started: true }
  },
  http: async (scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: `inner ${scope.method} ${scope.path} ${String(scope.state.started)}` })
  },
  websocket: async (_scope, _receive, send) => {
    await send({ type: 'websocket.accept' })
    await send({ type: 'websocket.send', text: 'inner' })
  },
})

test('what is not found, and other methods, go to the application, with WebSockets and the lifespan', async (t) => {
  const { root } = await staticFixture(t)
  await using client = await testClient(staticFiles(inner, { root }))
  const text = async (path: string, method = 'GET'): Promise<string> => (await client.fetch(path, { method })).text()
  assert.is(await text('/digits.txt'), '0123456789')
  for (const path of ['/none', '/bare', '/bare/', '/.secret', '/out.txt', '/fifo', '/digits.txt/']) assert.is(await text(path), `inner GET ${path} true`)
  for (const method of ['POST', 'OPTIONS', 'PUT']) assert.is(await text('/digits.txt', method), `inner ${method} /digits.txt true`)
  assert.is((await client.fetch('/docs')).status, 308)
  assert.is(await (await client.websocket('/digits.txt')).receive(), 'inner')
})

test('without an application a WebSocket is refused, and there is no lifespan', async (t) => {
  const { root } = await staticFixture(t)
  const app = staticFiles(null, { root })
  await using client = await testClient(app)
  const refused = await client.websocket('/digits.txt').then(() => null, (error: unknown) => error)
  assert.instance(refused, WebSocketRefused)
  assert.is((refused as WebSocketRefused).response.status, 403)
  const call = communicator(app, { type: 'lifespan', asgi: { version: '3.0', specVersion: '2.0' }, state: {} })
  const error = await call.wait().then(() => null, (thrown: unknown) => thrown)
  assert.instance(error, UnsupportedScope)
})

test('it may be mounted; the folder of the mount itself is redirected to its slash', async (t) => {
  const { root } = await staticFixture(t)
  await using client = await testClient(mount({ '/assets': staticFiles(null, { root }) }, inner))
  assert.is(await (await client.fetch('/assets/docs/guide.md')).text(), '# Guide\n')
  const redirect = await client.fetch('/assets?a=b')
  assert.equal([redirect.status, redirect.headers.get('location')], [308, './assets/?a=b'])
  assert.is(new URL(redirect.headers.get('location') ?? '', 'http://a/assets').pathname, '/assets/')
  assert.is(await (await client.fetch('/assets/')).text(), '<h1>home</h1>\n')
  assert.is((await client.fetch('/assets/../digits.txt')).status, 404)
})

test('a path that a layer around it has rewritten is the one that counts', async (t) => {
  const { root } = await staticFixture(t)
  const files = staticFiles(null, { root })
  await using client = await testClient((scope, receive, send) => files(scope.type === 'http' ? { ...scope, path: scope.queryString } : scope, receive, send))
  assert.is(await (await client.fetch('/anything?/digits.txt')).text(), '0123456789')
  assert.is(await (await client.fetch('/?/docs')).text(), '<h1>docs</h1>\n')
  for (const path of ['/x?/../secret.txt', '/x?/docs\\guide.md', '/x?digits.txt', '/x?/.secret', '/x%2fy?/digits.txt', '/../x?/digits.txt']) assert.is((await client.fetch(path)).status, 404, path)
})

test('the root may be a path, a relative path or a URL', async (t) => {
  const { root } = await staticFixture(t)
  for (const each of [root, `${root}/`, relative(process.cwd(), root), pathToFileURL(root), pathToFileURL(`${root}/`)]) {
    await using client = await testClient(staticFiles(null, { root: each }))
    assert.is((await client.fetch('/digits.txt')).status, 200, String(each))
  }
})

test('a root that is a link may be switched to another folder while it is served', async (t) => {
  const { folder } = await staticFixture(t)
  for (const name of ['one', 'two']) {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'name.txt'), name)
  }
  symlinkSync('one', join(folder, 'current'))
  await using client = await testClient(staticFiles(null, { root: join(folder, 'current') }))
  const text = async (): Promise<string> => (await client.fetch('/name.txt')).text()
  assert.is(await text(), 'one')
  symlinkSync('two', join(folder, 'next'))
  renameSync(join(folder, 'next'), join(folder, 'current'))
  assert.is(await text(), 'two')
  unlinkSync(join(folder, 'current'))
  assert.is(await text(), 'Not Found\n')
})

test('index names are tried in order; without any, folders are not found', async (t) => {
  const { root, write } = await staticFixture(t)
  write('bare/home.htm', 'home')
  await using client = await testClient(staticFiles(null, { root, index: ['home.htm', 'index.html'] }))
  assert.equal(await Promise.all(['/bare/', '/docs/'].map(async (path) => (await client.fetch(path)).text())), ['home', '<h1>docs</h1>\n'])
  await using without = await testClient(staticFiles(null, { root, index: [] }))
  for (const path of ['/', '/docs', '/docs/']) assert.is((await without.fetch(path)).status, 404, path)
})

test('dotfiles may be served; dot segments may not', async (t) => {
  const { root } = await staticFixture(t)
  await using client = await testClient(staticFiles(null, { root, dotfiles: true }))
  for (const path of ['/.secret', '/.git/config', '/...']) assert.is((await client.fetch(path)).status, 200, path)
  for (const path of ['/../secret.txt', '/.', '/..', '/docs/../.secret']) assert.is((await client.fetch(path)).status, 404, path)
})

test('types, encodings and the fields of caching may be chosen', async (t) => {
  const { root } = await staticFixture(t)
  const field = async (options: Partial<StaticFilesOptions>, path: string, name: string): Promise<string | null> => {
    await using client = await testClient(staticFiles(null, { root, ...options }))
    return (await client.fetch(path, { headers: { 'accept-encoding': 'br, gzip' } })).headers.get(name)
  }
  assert.is(await field({ types: { '.TXT': 'text/x-own', '': 'text/plain' } }, '/digits.txt', 'content-type'), 'text/x-own')
  assert.is(await field({ types: { '': 'text/plain' } }, '/noextension', 'content-type'), 'text/plain')
  assert.is(await field({ encodings: ['gzip', 'br'] }, '/app.js', 'content-encoding'), 'gzip')
  assert.is(await field({ encodings: [] }, '/app.js', 'content-encoding'), null)
  assert.is(await field({ encodings: [] }, '/app.js', 'vary'), null)
  assert.is(await field({ maxAge: 60 }, '/app.js', 'cache-control'), 'max-age=60')
  assert.is(await field({ maxAge: 31536000, immutable: true }, '/app.js', 'cache-control'), 'max-age=31536000, immutable')
  assert.is(await field({ cacheControl: 'private' }, '/app.js', 'cache-control'), 'private')
  assert.is(await field({ cacheControl: null }, '/app.js', 'cache-control'), null)
  assert.is(await field({ etag: false }, '/app.js', 'etag'), null)
  assert.is(await field({ lastModified: false }, '/app.js', 'last-modified'), null)
  assert.is(await field({ nosniff: false }, '/app.js', 'x-content-type-options'), null)
})

test('fields of a function of the file replace others and reach 206 and 304', async (t) => {
  const { root } = await staticFixture(t)
  const seen: StaticFile[] = []
  const headers = (file: StaticFile): readonly (readonly [string, string])[] => {
    seen.push(file)
    return [['Cache-Control', 'no-store'], ['vary', 'cookie'], ['content-language', 'en'], ['content-security-policy', "default-src 'none'"]]
  }
  await using client = await testClient(staticFiles(null, { root, headers }))
  const response = await client.fetch('/docs/')
  assert.equal(['cache-control', 'vary', 'content-language', 'content-type'].map((name) => response.headers.get(name)), ['no-store', 'accept-encoding, cookie', 'en', 'text/html; charset=utf-8'])
  assert.equal({ ...seen[0], modified: null }, { path: 'docs/index.html', size: 14, modified: null, contentType: 'text/html; charset=utf-8', encoding: null })
  assert.is(seen[0]?.modified.toISOString(), '2024-02-29T12:30:45.000Z')
  const part = await client.fetch('/docs/', { headers: { range: 'bytes=0-0' } })
  assert.equal([part.status, part.headers.get('content-language')], [206, 'en'])
  const unchanged = await client.fetch('/docs/', { headers: { 'if-none-match': '*' } })
  assert.equal([unchanged.status, ...['cache-control', 'content-security-policy', 'content-language'].map((name) => unchanged.headers.get(name))], [304, 'no-store', "default-src 'none'", null])
  await client.fetch('/app.js', { headers: { 'accept-encoding': 'br' } })
  assert.equal([seen.at(-1)?.path, seen.at(-1)?.encoding], ['app.js', 'br'])
  await using wrong = await testClient(staticFiles(null, { root, headers: () => [['ETag', '"a"']] }))
  const error = await wrong.fetch('/docs/').then(() => null, (thrown: unknown) => thrown)
  assert.instance(error, InvalidOption)
})

test('options that cannot be are refused at once', async (t) => {
  const { root } = await staticFixture(t)
  const wrong: readonly object[] = [
    {}, { root: '' }, { root: join(root, 'none') }, { root: join(root, 'digits.txt') }, { root: new URL('http://a/') }, { root: 7 }, { root: `${root}\0` },
    ...[{ index: 'index.html' }, { index: ['a/b'] }, { index: ['..'] }, { index: [''] }, { dotfiles: 'allow' }, { encodings: ['deflate'] }, { encodings: 'gzip' },
      { types: { a: 'text' } }, { types: { a: 'text/plain\r\nx: y' } }, { maxAge: -1 }, { maxAge: 1.5 }, { maxAge: '1d' }, { immutable: true }, { maxAge: 1, immutable: 1 },
      { cacheControl: '' }, { cacheControl: 'a\nb' }, { cacheControl: 'a', maxAge: 1 }, { etag: 'weak' }, { lastModified: 1 }, { nosniff: null }, { headers: [] }].map((each) => ({ root, ...each })),
  ]
  for (const options of wrong) throws(() => staticFiles(null, options as unknown as StaticFilesOptions), InvalidOption, JSON.stringify(options))
  throws(() => staticFiles(undefined as unknown as null, { root }), InvalidOption)
})

test.run()
