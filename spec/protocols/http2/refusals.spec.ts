import * as assert from 'uvu/assert'
import type { Application, HttpScope } from '../../../lib/index.ts'
import type { Field } from '../../support/http2-hpack.ts'
import { http2Raw, NO_ERROR, request, PROTOCOL_ERROR, DATA, END_STREAM, frame, type Fields, type Answer } from '../../support/http2-raw.ts'
import { rawServer } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

const test = suite('HTTP/2 requests that are refused')

function field(answer: Answer, name: string): string | undefined {
  return answer.headers.find(([each]) => each === name)?.[1]
}

function many(count: number, more: Fields = {}): Fields {
  return { ...Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, 'y'])), ...more }
}

/** Keeps the scopes, and answers what it was asked for. */
function recording(): { scopes: HttpScope[]; app: Application } {
  const scopes: HttpScope[] = []
  return {
    scopes,
    app: async (scope, _receive, send) => {
      if (scope.type !== 'http') throw new Error('HTTP only')
      scopes.push(scope)
      await send({ type: 'http.response.start', status: 200, headers: [] })
      await send({ type: 'http.response.body', body: `${scope.method} ${scope.rawPath}?${scope.queryString}` })
    },
  }
}

for (const [rule, status, fields] of [
  ['plain CONNECT (RFC 9113 8.5)', 501, { ':method': 'CONNECT', ':scheme': null, ':path': null, ':authority': 'a:443' }],
  ['a host that is not :authority (RFC 9113 8.3.1)', 400, { host: 'other' }],
  ['a host of another port', 400, { ':authority': 'a:80', host: 'a:81' }],
  ['userinfo in :authority (RFC 9113 8.3.1)', 400, { ':authority': 'user@localhost' }],
  ['userinfo in host', 400, { ':authority': null, host: 'user:secret@localhost' }],
  ['an :authority that is a list', 400, { ':authority': 'a,b' }],
  ['an :authority with a port that is none', 400, { ':authority': 'a:65536' }],
  ['a method in lower case (RFC 9110 9.1)', 501, { ':method': 'get' }],
  ['a method with one lower-case letter', 501, { ':method': 'GeT' }],
  ['a :path with #', 400, { ':path': '/a#b' }],
  ['more fields than limitHeaders', 431, many(101)],
  ['more fields than limitHeaders, cookies being one', 431, many(100, { cookie: ['a=1', 'b=2', 'c=3'] })],
  ['a target longer than limitRequestLine', 414, { ':path': `/${'x'.repeat(8192)}` }],
  ['an expectation that cannot be met (RFC 9110 10.1.1)', 417, { expect: 'the-impossible' }],
  ['an expectation beside 100-continue', 417, { expect: '100-continue, more' }],
  ['two fields of expect', 417, { expect: ['100-continue', '100-continue'] }],
] as const) {
  test(`${rule}: ${status} before the application`, async (t) => {
    const { app, scopes } = recording()
    const { port } = await rawServer(t, app)
    const client = await http2Raw(t, port)
    const answer = await client.ask(1, fields as Fields)
    if (rule.startsWith('userinfo') && answer.reset !== null) {
      // nghttp2 of later versions of Node sees to these itself.
      assert.equal([answer.status, scopes], [0, []])
      return
    }
    assert.is(answer.status, status)
    assert.is(field(answer, 'content-type'), 'text/plain; charset=utf-8')
    assert.match(answer.body, new RegExp(`^${status} [A-Z][^:]*: [^\\n]+\\n$`))
    assert.is(Number(field(answer, 'content-length')), answer.body.length)
    assert.is(answer.ended, true)
    assert.equal(scopes, [])
    const next = await client.ask(3)
    assert.is(next.status, 200, 'the connection goes on')
  })
}

// nghttp2 refuses some of these itself, by an error of the stream (RFC 9113 8.1.1); the rest is ours, by a status.
for (const [rule, fields] of [
  [':protocol for something that is not served (RFC 8441 4)', { ':method': 'CONNECT', ':protocol': 'connect-udp' }],
  [':protocol beside GET', { ':protocol': 'websocket' }],
  ['no :authority and no host', { ':authority': null }],
  ['an empty :authority', { ':authority': '' }],
  ['a :path with a space', { ':path': '/a b' }],
  ['a :path with a control character', { ':path': '/a\x01' }],
  ['a :path with a character that is not ASCII', { ':path': '/\xe9' }],
  ['a host twice', { host: ['localhost', 'localhost'] }],
  ['an :authority with a path', { ':authority': 'a/b' }],
  ['a host that is empty, and no :authority', { ':authority': null, host: '' }],
  ['a :path that does not begin with /', { ':path': 'a' }],
  ['a :path with an authority', { ':path': 'http://localhost/a' }],
  ['* with GET', { ':path': '*' }],
  ['* with something after it', { ':method': 'OPTIONS', ':path': '*?a' }],
  ['an empty :path', { ':path': '' }],
  ['no :path', { ':path': null }],
  ['no :method', { ':method': null }],
  ['no :scheme', { ':scheme': null }],
  ['a method that is no token', { ':method': 'G T' }],
  ['an empty method', { ':method': '' }],
  ['OPTIONS without a path or *', { ':method': 'OPTIONS', ':path': '?x' }],
] as const) {
  test(`${rule}: refused before the application`, async (t) => {
    const { app, scopes } = recording()
    const { port } = await rawServer(t, app)
    const client = await http2Raw(t, port)
    const answer = await client.ask(1, fields as Fields)
    assert.ok(answer.reset === PROTOCOL_ERROR || answer.status === 400 || answer.status === 501, `status ${answer.status}, reset ${answer.reset}`)
    assert.equal(scopes, [])
    assert.is((await client.ask(3)).status, 200, 'the connection goes on')
  })
}

for (const [rule, fields, wanted] of [
  ['a host that is :authority', { host: 'localhost' }, [['host', 'localhost']]],
  ['a host that differs in case only', { host: 'LOCALHOST' }, [['host', 'localhost']]],
  ['host in place of :authority (RFC 9113 8.3.1)', { ':authority': null, a: 'b', host: 'h:1' }, [['host', 'h:1'], ['a', 'b']]],
  [':authority comes first, as host', { a: 'b' }, [['host', 'localhost'], ['a', 'b']]],
  ['cookies in crumbs are joined (RFC 9113 8.2.3)', { cookie: ['a=1', 'b=2'], x: 'y' }, [['host', 'localhost'], ['cookie', 'a=1; b=2'], ['x', 'y']]],
] as const) {
  test(`served: ${rule}`, async (t) => {
    const { app, scopes } = recording()
    const { port } = await rawServer(t, app)
    const client = await http2Raw(t, port)
    assert.is((await client.ask(1, fields as Fields)).status, 200)
    assert.equal([...scopes[0]?.headers ?? []], wanted as unknown as Field[])
  })
}

test('as many fields as limitHeaders, as long a target as limitRequestLine: served; any number of cookies is one field', async (t) => {
  const { app } = recording()
  const { port } = await rawServer(t, app)
  const client = await http2Raw(t, port)
  assert.is((await client.ask(1, many(100))).status, 200)
  assert.is((await client.ask(3, many(99, { cookie: Array.from({ length: 500 }, (_, index) => `c${index}=1`) }))).status, 200)
  assert.is((await client.ask(5, { ':path': `/${'x'.repeat(8191)}` })).status, 200)
  assert.is((await client.ask(7, { ':method': 'OPTIONS', ':path': '*' })).body, 'OPTIONS *?')
})

test('limitHeaders and limitRequestLine of one\'s own; 0 for none', async (t) => {
  const { app } = recording()
  const strict = await http2Raw(t, (await rawServer(t, app, { limitHeaders: 3, limitRequestLine: 10 })).port)
  assert.is((await strict.ask(1, many(3))).status, 200)
  assert.is((await strict.ask(3, many(4))).status, 431)
  assert.is((await strict.ask(5, { ':path': '/123456789' })).status, 200)
  assert.is((await strict.ask(7, { ':path': '/1234567890' })).status, 414)
  const lax = await http2Raw(t, (await rawServer(t, app, { limitHeaders: 0, limitRequestLine: 0 })).port)
  assert.is((await lax.ask(1, many(700))).status, 200)
  assert.is((await lax.ask(3, { ':path': `/${'x'.repeat(15000)}` })).status, 200)
})

test('a header list over h2MaxHeaderList is refused, and the next request served', async (t) => {
  const { app, scopes } = recording()
  const { port } = await rawServer(t, app, { h2MaxHeaderList: 2000 })
  const client = await http2Raw(t, port)
  // The limit holds once the client has agreed to it; before, it is 64 KiB.
  await client.ping()
  const answer = await client.ask(1, { a: 'x'.repeat(2000) })
  assert.ok(answer.reset !== null || answer.status === 431, `status ${answer.status}, reset ${answer.reset}`)
  assert.equal(scopes, [])
  assert.is((await client.ask(3, { a: 'x'.repeat(1500) })).status, 200)
})

test('a refused request whose body is still coming: the whole answer, then RST_STREAM NO_ERROR (RFC 9113 8.1)', async (t) => {
  const { app } = recording()
  const { port } = await rawServer(t, app)
  const client = await http2Raw(t, port)
  client.write(request(1, { ':method': 'post' }, 0), frame(DATA, 0, 1, 'x'.repeat(1000)))
  await client.until(() => client.answer(1).reset !== null)
  const { status, ended, reset, body } = client.answer(1)
  assert.equal([status, ended, reset], [501, true, NO_ERROR])
  assert.match(body, /^501 /)
  client.write(frame(DATA, END_STREAM, 1, 'late'))
  assert.is((await client.ask(3)).status, 200)
})

test('a refused HEAD has no body (RFC 9110 9.3.2)', async (t) => {
  const { app } = recording()
  const { port } = await rawServer(t, app)
  const client = await http2Raw(t, port)
  const { status, body, ended } = await client.ask(1, { ':method': 'HEAD', host: 'other' })
  assert.equal([status, body, ended], [400, '', true])
})

test.run()
