import * as assert from 'uvu/assert'
import { BadRequest, BodyConsumed, ClientDisconnected, InvalidOption, SuspiciousOperation, TooLarge, UnsupportedMediaType, WrongMode } from '../../lib/contract/errors.ts'
import { exchangeKey } from '../../lib/contract/disconnect.ts'
import { headerList, type HeaderPair } from '../../lib/contract/headers.ts'
import { BytesSource } from '../../lib/stack/body.ts'
import { RequestCore } from '../../lib/stack/request-core.ts'
import { requestFields, requestHead, requestHeadFromEnviron } from '../../lib/stack/request-head.ts'
import { asyncRequest, HttpRequest, neutralRequest, syncRequest } from '../../lib/stack/request.ts'
import { rejection } from '../support/rejection.ts'
import { suite } from '../support/suite.ts'
import { environOf, onEachFace, scopeOf } from './faces.ts'

const test = suite('stack/request')
const never = (): Promise<never> => Promise.reject(new Error('not to be called'))

test('the data of a scope: path whole, pathInfo beneath rootPath, query and cookies decoded', () => {
  const request = HttpRequest.from(scopeOf({
    method: 'PUT', path: '/app/ä b', rawPath: '/app/%C3%A4%20b', rootPath: '/app', queryString: 'a=1&a=2&b=%C3%A4', scheme: 'https', client: ['10.0.0.1', 99], server: ['h', 443],
    headers: headerList([['host', 'Example.org:8000'], ['cookie', 'a=1; b=2'], ['cookie', 'c=3'], ['content-type', 'Text/Plain; Charset="UTF-8"'], ['content-length', '12']]),
  }), never)
  assert.is(request.method, 'PUT')
  assert.is(request.path, '/app/ä b')
  assert.is(request.pathInfo, '/ä b')
  assert.is(request.rawPath, '/app/%C3%A4%20b')
  assert.equal(request.query.getAll('a'), ['1', '2'])
  assert.is(request.query.get('b'), 'ä')
  assert.equal([...request.cookies], [['a', '1'], ['b', '2'], ['c', '3']])
  assert.is(request.host, 'example.org:8000')
  assert.is(request.scheme, 'https')
  assert.equal(request.client, ['10.0.0.1', 99])
  assert.is(request.contentType, 'text/plain')
  assert.is(request.charset, 'utf-8')
  assert.is(request.contentLength, 12)
  assert.equal(request.state, {})
  assert.equal(request.params, {})
})

test('pathInfo is cut at a whole segment, and is never empty', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['/app', '/app', '/'], ['/app/', '/app', '/'], ['/app/x', '/app/', '/x'], ['/apple', '/app', '/apple'], ['/x', '', '/x'], ['', '', '/'], ['*', '', '*'], ['//x', '', '//x'],
  ]
  for (const [path, rootPath, expected] of rows) assert.is(HttpRequest.from(scopeOf({ path, rawPath: path, rootPath }), never).pathInfo, expected, `${path} beneath ${rootPath}`)
})

test('bytes of a path that are not UTF-8 are percent-encoded again, in both modes', () => {
  assert.is(HttpRequest.from(scopeOf({ path: '/\ufffdä', rawPath: '/%ff%C3%A4' }), never).path, '/%FFä')
  assert.is(HttpRequest.fromEnviron(environOf({ PATH_INFO: '/\xff\xc3\xa4' })).path, '/%FFä')
  assert.is(HttpRequest.from(scopeOf({ path: '/\ufffd', rawPath: '/other' }), never).path, '/\ufffd')
  assert.is(HttpRequest.from(scopeOf({ path: '/\ufffd', rawPath: '/%EF%BF%BD' }), never).path, '/\ufffd')
})

test('the head of an environ: Latin-1 to UTF-8, SCRIPT_NAME without its last slash, an empty PATH_INFO is /', () => {
  const head = (given: Parameters<typeof environOf>[0]) => requestHeadFromEnviron(environOf(given))
  assert.is(head({ PATH_INFO: '' }).path, '/')
  assert.is(head({ SCRIPT_NAME: '/app/', PATH_INFO: '/x' }).path, '/app/x')
  assert.is(head({ SCRIPT_NAME: '/app', PATH_INFO: '' }).path, '/app/')
  assert.is(head({ SCRIPT_NAME: '/app/', PATH_INFO: '/x' }).rootPath, '/app')
  assert.is(head({ PATH_INFO: '//x' }).path, '//x')
  assert.is(head({ PATH_INFO: '*' }).path, '*')
  assert.is(head({ SCRIPT_NAME: '/\xc3\xa4', PATH_INFO: '/\xc3\xb6 ?' }).path, '/ä/ö ?')
  assert.is(head({ SCRIPT_NAME: '/\xc3\xa4', PATH_INFO: '/\xc3\xb6 ?' }).rawPath, '/%C3%A4/%C3%B6%20%3F')
  assert.is(head({ SCRIPT_URL: '//old///x', PATH_INFO: '/x' }).rootPath, '/old')
  assert.is(head({ SCRIPT_NAME: '/s', REDIRECT_URL: '/r/x', PATH_INFO: '/x' }).path, '/r/x')
  assert.is(head({ REQUEST_METHOD: 'post' }).method, 'POST')
  for (const [protocol, version] of [['HTTP/1.0', '1.0'], ['HTTP/1.1', '1.1'], ['HTTP/2', '2'], ['HTTP/2.0', '2'], ['?', '1.1']] as const) assert.is(head({ SERVER_PROTOCOL: protocol }).httpVersion, version)
  assert.equal(head({ HTTP_X_A: '1', CONTENT_TYPE: 'text/plain', CONTENT_LENGTH: '', HTTPS: 'on' }).headers, ['x-a', '1', 'content-type', 'text/plain'])
  assert.equal(head({ REMOTE_ADDR: '10.0.0.1', REMOTE_PORT: '77' }).client, ['10.0.0.1', 77])
  assert.is(head({}).client, null)
  assert.equal(head({}).server, ['localhost', 80])
})

test('a head can be cloned, and a request made of it is the same', () => {
  const scope = scopeOf({ path: '/ä', rawPath: '/%C3%A4', headers: headerList([['A', '1'], ['a', '2']]), client: ['::1', 1] })
  const head = structuredClone(requestHead(scope))
  const core = new RequestCore(requestFields(head), new BytesSource(Buffer.from('x')))
  assert.equal(core.fields.headers.getAll('a'), ['1', '2'])
  assert.equal(core.head, head)
  assert.is(syncRequest(core).path, '/ä')
})

test('the host is that of the Host field, else the address of the server; what is no host is refused with 400', () => {
  const host = (value: string | null, server: readonly [string, number | null] | null = null): string =>
    HttpRequest.from(scopeOf({ headers: headerList(value === null ? [] : [['host', value]]), server }), never).host
  assert.is(host('[::1]:80'), '[::1]:80')
  assert.is(host(null, ['1.2.3.4', 8000]), '1.2.3.4:8000')
  assert.is(host(null, ['::1', 80]), '[::1]')
  assert.is(host(null, ['/run/x.sock', null]), 'localhost')
  for (const bad of ['a b', 'a@b', 'a/b', 'a:b', 'a?x', '<x>', 'a,b', 'a:123456']) assert.throws(() => host(bad), (error: unknown) => error instanceof SuspiciousOperation && error.status === 400, bad)
})

onEachFace(test, 'the body as bytes, text and JSON, however it is cut', async (ask) => {
  const text = '{"a": "ä"}'
  const whole = Buffer.from(text)
  for (let at = 0; at <= whole.length; at++) {
    const asked = ask({ body: [whole.subarray(0, at), '', whole.subarray(at)] })
    assert.is((await asked.bytes()).toString(), text)
    assert.is(await asked.text(), text)
    assert.equal(await asked.json(), { a: 'ä' })
  }
  assert.is((await ask({}).bytes()).length, 0)
  assert.is(await ask({ body: Array.from({ length: 5000 }, () => 'ab') }).text(), 'ab'.repeat(5000))
})

onEachFace(test, 'the body is read once: all faces share it', async (ask) => {
  const asked = ask({ body: ['a', 'b'] })
  const bytes = await asked.bytes()
  assert.is(await asked.bytes(), bytes)
  const { core } = asked.request
  assert.is(core.cachedBytes, bytes)
  assert.is(await asyncRequest(core).bytes(), bytes)
  assert.is(syncRequest(core).bytes(), bytes)
  assert.is(asyncRequest(core), asyncRequest(core))
  assert.is(neutralRequest(core).core, core)
})

onEachFace(test, 'chunks come as the client sends them, and again after bytes()', async (ask) => {
  assert.equal(await ask({ body: ['ab', '', 'c'] }).chunks(), ['ab', 'c'])
  assert.equal(await ask({}).chunks(), [])
  const asked = ask({ body: ['ab', 'c'] })
  await asked.bytes()
  assert.equal(await asked.chunks(), ['abc'])
  assert.equal(await asked.chunks(), ['abc'])
})

onEachFace(test, 'a body that was streamed cannot be read again (BodyConsumed)', async (ask) => {
  const asked = ask({ body: ['ab', 'c'], headers: [['content-type', 'application/x-www-form-urlencoded']] })
  await asked.chunks()
  for (const again of [() => asked.bytes(), () => asked.text(), () => asked.form(), () => asked.chunks()]) assert.instance(await rejection(again()), BodyConsumed)
})

test('a body of which some chunks were read cannot be read whole (BodyConsumed)', async () => {
  const request = HttpRequest.fromEnviron(environOf({ CONTENT_LENGTH: '2', 'wsgi.input': { read: () => Buffer.from('a') } as never }))
  for (const chunk of request.chunks()) {
    assert.is(Buffer.from(chunk).toString(), 'a')
    break
  }
  assert.throws(() => request.bytes(), (error: unknown) => error instanceof BodyConsumed)
})

onEachFace(test, 'a body that is cut short is ClientDisconnected, again and again, never a shorter body', async (ask) => {
  const form: HeaderPair = ['content-type', 'multipart/form-data; boundary=b']
  for (const headers of [[], [form]]) {
    const asked = ask({ headers, body: ['--b\r\n'], cut: true })
    const read = headers.length === 0 ? () => asked.bytes() : () => asked.form()
    assert.instance(await rejection(read()), ClientDisconnected)
    assert.instance(await rejection(read()), ClientDisconnected)
  }
  assert.instance(await rejection(ask({ body: ['a'], cut: true }).chunks()), ClientDisconnected)
})

test('an input that ends before its CONTENT_LENGTH is cut short; a bad length is 0; no more than the length is read', () => {
  const input = (text: string) => {
    let rest = Buffer.from(text)
    return { read(size: number) { const got = rest.subarray(0, size); rest = rest.subarray(size); return got } } as never
  }
  assert.throws(() => HttpRequest.fromEnviron(environOf({ CONTENT_LENGTH: '5', 'wsgi.input': input('abc') })).bytes(), (error: unknown) => error instanceof ClientDisconnected)
  assert.is(HttpRequest.fromEnviron(environOf({ CONTENT_LENGTH: '-5', 'wsgi.input': input('abc') })).text(), '')
  assert.is(HttpRequest.fromEnviron(environOf({ 'wsgi.input': input('abc') })).text(), '')
  assert.is(HttpRequest.fromEnviron(environOf({ CONTENT_LENGTH: '2', 'wsgi.input': input('abc') })).text(), 'ab')
  assert.is(HttpRequest.fromEnviron(environOf({ 'wsgi.input': input('abc'), 'wsgi.input_terminated': true })).text(), 'abc')
})

onEachFace(test, 'a body over bodySize is TooLarge (413): by its length before a byte is read, else as soon as it is', async (ask) => {
  const announced = ask({ headers: [['content-length', '11']], body: ['01234567890'], limits: { bodySize: 10 } })
  const error = await rejection(announced.bytes())
  assert.instance(error, TooLarge)
  assert.is((error as TooLarge).status, 413)
  assert.is(announced.taken(), 0)
  const chunked = ask({ body: ['012345', '67890', 'x', 'y'], limits: { bodySize: 10 } })
  assert.instance(await rejection(chunked.text()), TooLarge)
  assert.is(chunked.taken(), 2)
  assert.instance(await rejection(chunked.json()), TooLarge)
  assert.is((await ask({ body: ['01234', '56789'], limits: { bodySize: 10 } }).bytes()).length, 10)
  assert.is((await ask({ body: [Buffer.alloc(3_000_000)], limits: { bodySize: 0 } }).bytes()).length, 3_000_000)
  assert.instance(await rejection(ask({ body: [Buffer.alloc(3_000_000)] }).bytes()), TooLarge)
  // Chunks have no limit: they take no memory.
  assert.is((await ask({ body: ['012345', '67890'], limits: { bodySize: 10 } }).chunks()).join(''), '01234567890')
})

onEachFace(test, 'bad JSON, and text that is not in its charset, is BadRequest (400); a charset that is not known is 415', async (ask) => {
  for (const body of ['', '{', '{"a":1}x', Buffer.from([0x22, 0xff, 0x22])]) {
    const error = await rejection(ask({ body: [body] }).json())
    assert.instance(error, BadRequest)
    assert.is((error as BadRequest).status, 400)
  }
  const latin1 = { headers: [['content-type', 'text/plain; charset=ISO-8859-1']] as const, body: [Buffer.from('ä', 'latin1')] }
  assert.is(await ask(latin1).text(), 'ä')
  assert.instance(await rejection(ask({ body: [Buffer.from([0xc0, 0x80])] }).text()), BadRequest)
  assert.instance(await rejection(ask({ headers: [['content-type', 'text/plain; charset=utf-16le']], body: [Buffer.from([0x00, 0xd8])] }).text()), BadRequest)
  assert.instance(await rejection(ask({ headers: [['content-type', 'text/plain; charset=klingon']], body: ['x'] }).text()), UnsupportedMediaType)
  assert.is(await ask({ body: ['\ufeffx'] }).text(), 'x')
})

test('reads that are under way at the same time share one', async () => {
  let receives = 0
  const request = HttpRequest.from(scopeOf({ headers: headerList([['content-type', 'application/x-www-form-urlencoded']]) }), async () => {
    await new Promise((resolve) => setImmediate(resolve))
    return { type: 'http.request', body: Buffer.from('a'), moreBody: ++receives < 3, trailers: null }
  })
  const [first, second, text, form, other] = await Promise.all([request.bytes(), request.bytes(), request.text(), request.form(), request.form()])
  assert.is(first, second)
  assert.is(text, 'aaa')
  assert.equal(form.entries(), [['aaa', '']])
  assert.is(form, other)
  assert.is(receives, 3)
})

test('the other mode than that of the source is WrongMode, and spoils nothing', async () => {
  const request = HttpRequest.from(scopeOf(), async () => ({ type: 'http.request', body: Buffer.from('a'), moreBody: false, trailers: null }))
  const sync = syncRequest(request.core)
  assert.throws(() => sync.bytes(), (error: unknown) => error instanceof WrongMode)
  assert.throws(() => [...sync.chunks()], (error: unknown) => error instanceof WrongMode)
  assert.is(await request.text(), 'a')
  assert.is(sync.text(), 'a')
  const other = HttpRequest.fromEnviron(environOf({ CONTENT_LENGTH: '1', 'wsgi.input': { read: () => Buffer.from('a') } as never }))
  assert.instance(await rejection(asyncRequest(other.core).bytes()), WrongMode)
  assert.is(other.text(), 'a')
})

test('the signal is that of the scope, and for another request one that never aborts', () => {
  const controller = new AbortController()
  const scope = { ...scopeOf(), [exchangeKey]: { disconnectSignal: controller.signal } }
  assert.is(HttpRequest.from(scope, never).signal, controller.signal)
  const core = new RequestCore(scopeOf(), new BytesSource(Buffer.alloc(0)))
  assert.is(core.signal, core.signal)
  assert.not.ok(core.signal.aborted)
})

test('a limit that is no size is InvalidOption', () => {
  for (const limits of [{ bodySize: -1 }, { formFields: 1.5 }, { tempFolder: 1 as never }]) assert.throws(() => HttpRequest.from(scopeOf(), never, limits), (error: unknown) => error instanceof InvalidOption)
})

test.run()
