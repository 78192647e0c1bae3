import * as assert from 'uvu/assert'
import type { Application } from '../../lib/contract/application.ts'
import { disconnectSignal, exchangeKey } from '../../lib/contract/disconnect.ts'
import { InvalidOption } from '../../lib/contract/errors.ts'
import { headerList, LazyHeaderList, type HeaderPair } from '../../lib/contract/headers.ts'
import type { Address, HttpScope, LifespanScope, Scope, WebSocketScope } from '../../lib/contract/scope.ts'
import { forwardedScope, proxyHeaders } from '../../lib/middleware/index.ts'
import { suite } from '../support/suite.ts'

const test = suite('proxy headers')

const PROXY: Address = ['127.0.0.1', 40000]

function httpScope(headers: Iterable<HeaderPair>, changes: Partial<HttpScope> = {}): HttpScope {
  return {
    type: 'http', asgi: { version: '3.0', specVersion: '2.5' }, httpVersion: '1.1', method: 'GET', scheme: 'http', path: '/', rawPath: '/',
    queryString: '', rootPath: '', headers: headerList(headers), client: PROXY, server: ['10.0.0.9', 8000], state: {}, extensions: {}, ...changes,
  }
}

function webSocketScope(headers: Iterable<HeaderPair>, changes: Partial<WebSocketScope> = {}): WebSocketScope {
  const { method, ...shared } = httpScope(headers)
  return { ...shared, type: 'websocket', httpVersion: '1.1', scheme: 'ws', subprotocols: ['chat'], ...changes }
}

/** What the application sees of a request from 127.0.0.1 with these headers. */
function seen(headers: Iterable<HeaderPair>, allow: string | readonly string[] = '127.0.0.1', changes: Partial<HttpScope> = {}): HttpScope {
  return forwardedScope(allow)(httpScope(headers, changes))
}

const forwardedFor = (...lines: string[]): HeaderPair[] => lines.map((line) => ['x-forwarded-for', line])
const forwarded = (...lines: string[]): HeaderPair[] => lines.map((line) => ['forwarded', line])
const hostOf = (scope: HttpScope) => scope.headers.getAll('host').join('|')

test('an untrusted peer changes nothing: its scope comes back as it is', () => {
  const rewrite = forwardedScope('127.0.0.1')
  const headers: HeaderPair[] = [
    ['host', 'example.com'], ['x-forwarded-for', '127.0.0.1'], ['x-forwarded-proto', 'https'], ['x-forwarded-host', 'evil.example'],
    ['x-forwarded-port', '443'], ['forwarded', 'for=127.0.0.1;proto=https;host=evil.example'],
  ]
  for (const client of [['203.0.113.7', 5], ['::1', 5], ['testclient', 5], ['', 5], null] as const) {
    const scope = httpScope(headers, { client })
    assert.is(rewrite(scope), scope, String(client))
  }
})

test('the headers of an untrusted peer are not even read', () => {
  class Unread extends LazyHeaderList {
    protected override read(): readonly HeaderPair[] {
      throw new Error('read')
    }
  }
  const scope = httpScope([], { client: ['203.0.113.7', 5], headers: new Unread() })
  assert.is(forwardedScope('127.0.0.1')(scope), scope)
  assert.throws(() => forwardedScope('*')(scope), /^read$/)
})

test('a trusted peer that says nothing, nothing new, or nothing valid, gets its scope back as it is', () => {
  const rows: readonly HeaderPair[][] = [
    [],
    [['host', 'example.com'], ['x-forwarded', 'for=1.2.3.4'], ['x-real-ip', '1.2.3.4'], ['x-forwarded-prefix', '/a'], ['via', '1.1 proxy']],
    [['x-forwarded-for', ''], ['x-forwarded-for', ' , '], ['x-forwarded-proto', ''], ['x-forwarded-host', ''], ['x-forwarded-port', ','], ['forwarded', ' , ']],
    [['host', 'example.com'], ['x-forwarded-host', 'example.com'], ['x-forwarded-proto', 'http']],
    [['x-forwarded-for', '127.0.0.1:40000'], ['x-forwarded-port', '8000']],
    [['x-forwarded-proto', 'gopher'], ['x-forwarded-host', 'a b'], ['x-forwarded-port', '0'], ['forwarded', 'proto=ftp;host="<x>"']],
  ]
  const rewrite = forwardedScope('127.0.0.1')
  for (const headers of rows) {
    const scope = httpScope(headers)
    assert.is(rewrite(scope), scope, JSON.stringify(headers))
  }
})

test('a changed scope is a copy with every key, and the scope of the server stays as it was', () => {
  const scope = httpScope([['host', 'internal'], ['x-forwarded-for', '203.0.113.7'], ['x-forwarded-proto', 'https'], ['x-forwarded-host', 'example.com'], ['x-forwarded-port', '443'], ['accept', '*/*']])
  const before = { ...scope }
  const after = forwardedScope('127.0.0.1')(scope)
  assert.is.not(after, scope)
  assert.equal({ ...scope }, before)
  assert.equal(Object.keys(after), Object.keys(scope))
  assert.equal(after.client, ['203.0.113.7', 0])
  assert.is(after.scheme, 'https')
  assert.equal(after.server, ['10.0.0.9', 443])
  assert.equal([...after.headers].filter(([name]) => !name.startsWith('x-')), [['host', 'example.com'], ['accept', '*/*']])
  assert.is(after.state, scope.state)
})

test('the copy keeps the exchange: disconnectSignal finds the same signal', () => {
  const { signal } = new AbortController()
  const scope = { ...httpScope(forwardedFor('203.0.113.7')), [exchangeKey]: { disconnectSignal: signal } }
  const after = forwardedScope('127.0.0.1')(scope)
  assert.is.not(after, scope)
  assert.is(disconnectSignal(after), signal)
})

test('proxyHeaders trusts 127.0.0.1 unless told otherwise, and passes receive and send on', async () => {
  const calls: { scope: Scope; rest: unknown[] }[] = []
  const inner: Application = async (scope, ...rest) => void calls.push({ scope, rest })
  const receive = async () => ({ type: 'http.disconnect' }) as const
  const send = async () => {}
  const near = httpScope(forwardedFor('203.0.113.7'))
  const far = httpScope(forwardedFor('203.0.113.7'), { client: ['192.168.0.1', 5] })
  await proxyHeaders(inner)(near, receive, send)
  await proxyHeaders(inner)(far, receive, send)
  await proxyHeaders(inner, { forwardedAllowIps: ['192.168.0.0/16'] })(far, receive, send)
  assert.equal(calls.map(({ scope }) => (scope as HttpScope).client?.[0]), ['203.0.113.7', '192.168.0.1', '203.0.113.7'])
  for (const { rest } of calls) assert.equal(rest, [receive, send])
})

test('proxyHeaders passes a lifespan scope, and one that it does not know, through as it is', async () => {
  const scopes: Scope[] = []
  const app = proxyHeaders(async (scope) => void scopes.push(scope), { forwardedAllowIps: '*' })
  const lifespan: LifespanScope = { type: 'lifespan', asgi: { version: '3.0', specVersion: '2.0' }, state: {} }
  const other = { type: 'mqtt' } as unknown as Scope
  for (const scope of [lifespan, other]) await app(scope, async () => ({ type: 'lifespan.startup' }), async () => {})
  assert.is(scopes[0], lifespan)
  assert.is(scopes[1], other)
})

test('a malformed entry fails when the middleware is made, not at the first request', () => {
  for (const entry of ['10.0.0.0/40', '300.1.1.1']) {
    const named = (error: unknown) => error instanceof InvalidOption && error.message.includes(`found "${entry}"`)
    assert.throws(() => proxyHeaders(async () => {}, { forwardedAllowIps: `127.0.0.1,${entry}` }), named)
    assert.throws(() => forwardedScope([entry]), named)
  }
})

test('the client is the first address from the right that is not trusted', () => {
  const rows: readonly (readonly [allow: string, lines: readonly string[], client: string])[] = [
    // One proxy.
    ['127.0.0.1', ['203.0.113.7'], '203.0.113.7'],
    // What a client wrote itself stands to the left of what the proxy saw.
    ['127.0.0.1', ['10.0.0.1, 203.0.113.7'], '203.0.113.7'],
    ['127.0.0.1', ['127.0.0.1, 203.0.113.7'], '203.0.113.7'],
    ['127.0.0.1', ['127.0.0.1', '203.0.113.7'], '203.0.113.7'],
    ['127.0.0.1', ['garbage, "', '203.0.113.7'], '203.0.113.7'],
    // Two proxies, 10.0.0.5 before 127.0.0.1.
    ['127.0.0.1,10.0.0.0/8', ['203.0.113.7, 10.0.0.5'], '203.0.113.7'],
    ['127.0.0.1,10.0.0.0/8', ['6.6.6.6, 203.0.113.7, 10.0.0.5'], '203.0.113.7'],
    ['127.0.0.1,10.0.0.0/8', ['10.0.0.1, 203.0.113.7', '10.0.0.5'], '203.0.113.7'],
    ['127.0.0.1,10.0.0.0/8', ['6.6.6.6', '203.0.113.7', '10.0.0.5', '127.0.0.1'], '203.0.113.7'],
    ['127.0.0.1,2001:db8::/32', ['203.0.113.7, 2001:db8::5'], '203.0.113.7'],
    ['127.0.0.1,10.0.0.0/8', ['203.0.113.7, ::ffff:10.0.0.5'], '203.0.113.7'],
    // The second proxy is not trusted: it is the client, and its word does not count.
    ['127.0.0.1', ['203.0.113.7, 10.0.0.5'], '10.0.0.5'],
    // All trusted.
    ['127.0.0.1,10.0.0.0/8', ['10.0.0.1, 10.0.0.5'], '10.0.0.1'],
    // Everybody trusted.
    ['*', ['6.6.6.6, 203.0.113.7, 10.0.0.5'], '6.6.6.6'],
    ['*', ['6.6.6.6', '203.0.113.7'], '6.6.6.6'],
    ['*', [',, 6.6.6.6, garbage'], '6.6.6.6'],
    // Empty items are no items.
    ['127.0.0.1', ['203.0.113.7,,', ' '], '203.0.113.7'],
    // A literal on the list.
    ['127.0.0.1,_edge', ['203.0.113.7, _edge:_port'], '203.0.113.7'],
    ['127.0.0.1,unix', ['203.0.113.7, unix:'], '203.0.113.7'],
  ]
  for (const [allow, lines, client] of rows) assert.equal(seen(forwardedFor(...lines), allow).client, [client, 0], `${allow} ${lines.join(' + ')}`)
})

test('a peer on a unix socket is believed if `unix` is trusted', () => {
  const changes = { client: null, server: ['/run/app.sock', null] as const }
  assert.equal(seen(forwardedFor('203.0.113.7'), 'unix', changes).client, ['203.0.113.7', 0])
  assert.equal(seen(forwardedFor('203.0.113.7'), '*', changes).client, ['203.0.113.7', 0])
  assert.is(seen(forwardedFor('203.0.113.7'), '127.0.0.1', changes).client, null)
})

test('each form of an item of X-Forwarded-For becomes an address, or null', () => {
  const rows: readonly (readonly [string, Address | null])[] = [
    ['1.2.3.4', ['1.2.3.4', 0]],
    ['1.2.3.4:5678', ['1.2.3.4', 5678]],
    ['1.2.3.4:0', ['1.2.3.4', 0]],
    ['1.2.3.4:65535', ['1.2.3.4', 65535]],
    ['1.2.3.4:_port', ['1.2.3.4', 0]],
    ['[2001:db8::1]', ['2001:db8::1', 0]],
    ['[2001:db8::1]:5678', ['2001:db8::1', 5678]],
    ['2001:db8::1', ['2001:db8::1', 0]],
    ['2001:DB8:0::1', ['2001:db8::1', 0]],
    ['::ffff:1.2.3.4', ['1.2.3.4', 0]],
    ['[::ffff:1.2.3.4]:5678', ['1.2.3.4', 5678]],
    [' \t1.2.3.4\t ', ['1.2.3.4', 0]],
    ['"1.2.3.4"', ['1.2.3.4', 0]],
    ['"[2001:db8::1]:5678"', ['2001:db8::1', 5678]],
    ['unknown', null],
    ['_hidden', null],
    ['_hidden:80', null],
    ['unix:', null],
    ['localhost', null],
    ['localhost:80', null],
    ['example.com', null],
    ['example.com:80', null],
    ['-', null],
    ['*', null],
    ['1.2.3.4:', null],
    ['1.2.3.4:99999', null],
    ['1.2.3.4:123456', null],
    ['1.2.3.4:abc', null],
    ['1.2.3.4:-1', null],
    ['1.2.3.4:5:6', null],
    ['1.2.3.4 5.6.7.8', null],
    ['1.2.3.4/32', null],
    ['1.2.3', null],
    ['01.2.3.4', null],
    ['0x7f.1', null],
    ['2130706433', null],
    ['300.1.1.1', null],
    ['\xa01.2.3.4', null],
    ['[::1', null],
    ['[::1]x', null],
    ['[::1]:', null],
    ['[::1]:99999', null],
    ['::1]', null],
    ['[]', null],
    ['[1.2.3.4]', null],
    ['fe80::1%eth0', null],
    ['[fe80::1%eth0]:80', null],
    [':80', null],
    [':', null],
    ['"', null],
    ['""', null],
    ['"1.2.3.4', null],
    ['""1.2.3.4""', null],
    ['<script>', null],
  ]
  for (const [item, client] of rows) assert.equal(seen(forwardedFor(item)).client, client, item)
})

test('an item that is no address ends the walk: the client is null, and nothing to its left is believed', () => {
  for (const item of ['unknown', '_hidden', 'localhost', 'garbage!', '1.2.3.4:99999', 'fe80::1%eth0', '""']) {
    assert.is(seen(forwardedFor(`10.0.0.1, ${item}`)).client, null, item)
    assert.is(seen(forwardedFor('203.0.113.7', item, '10.0.0.5'), '127.0.0.1,10.0.0.0/8').client, null, item)
    assert.is(seen(forwardedFor(`${item}, 203.0.113.7`), '*').client, null, item)
  }
})

test('a malformed form of a trusted address is not trusted', () => {
  const forms = ['127.0.0.1:', '127.0.0.1:99999', '127.0.0.1:abc', '"127.0.0.1', '127.1', '0127.0.0.1', '[127.0.0.1]', '127.0.0.1%lo', '127.0.0.1/8', '[::1', '[::1]x', '::1%lo', '\xa0127.0.0.1']
  for (const form of forms) assert.is(seen(forwardedFor(`203.0.113.7, ${form}`), '127.0.0.0/8,::1').client, null, form)
  for (const form of ['127.0.0.1:80', '"127.0.0.1"', '::ffff:127.0.0.1', '[::1]:80', '0::1']) {
    assert.equal(seen(forwardedFor(`203.0.113.7, ${form}`), '127.0.0.0/8,::1').client, ['203.0.113.7', 0], form)
  }
})

test('the last X-Forwarded-Proto is the scheme; what is not http or https is ignored', () => {
  const rows: readonly (readonly [readonly string[], string])[] = [
    [['https'], 'https'], [['http'], 'http'], [['HTTPS'], 'https'], [[' https '], 'https'],
    [['http', 'https'], 'https'], [['https', 'http'], 'http'], [['https, http'], 'http'], [['http,https'], 'https'], [['https,'], 'https'],
    [['wss'], 'http'], [['ftp'], 'http'], [['https, ftp'], 'http'], [['on'], 'http'], [['"https"'], 'http'], [['https;'], 'http'], [['javascript'], 'http'],
  ]
  for (const [lines, scheme] of rows) assert.is(seen(lines.map((line) => ['x-forwarded-proto', line])).scheme, scheme, lines.join(' + '))
  assert.is(seen([['x-forwarded-proto', 'http']], '127.0.0.1', { scheme: 'https' }).scheme, 'http')
})

test('a WebSocket gets ws or wss', () => {
  const rewrite = forwardedScope('127.0.0.1')
  for (const [value, scheme] of [['https', 'wss'], ['wss', 'wss'], ['WSS', 'wss'], ['http', 'ws'], ['ws', 'ws'], ['ftp', 'ws']] as const) {
    const after = rewrite(webSocketScope([['x-forwarded-proto', value], ['x-forwarded-for', '203.0.113.7']]))
    assert.is(after.scheme, scheme, value)
    assert.equal(after.client, ['203.0.113.7', 0])
    assert.equal(after.subprotocols, ['chat'])
    assert.is(rewrite(webSocketScope(forwarded(`for=203.0.113.7;proto=${value}`))).scheme, scheme, value)
  }
  assert.is(rewrite(webSocketScope([['x-forwarded-proto', 'http']], { scheme: 'wss' })).scheme, 'ws')
})

test('the last X-Forwarded-Host replaces host and comes first', () => {
  const after = seen([['accept', '*/*'], ['host', 'internal'], ['x-forwarded-host', 'evil.example, a.example'], ['x-forwarded-host', 'Example.com:8443']])
  assert.equal([...after.headers].slice(0, 2), [['host', 'Example.com:8443'], ['accept', '*/*']])
  assert.is(hostOf(after), 'Example.com:8443')
  assert.is(after.headers.length, 4)
  assert.is(hostOf(seen([['x-forwarded-host', 'example.com']])), 'example.com')
})

test('an X-Forwarded-Host that is no host is ignored, and no other takes its place', () => {
  const bad = [
    'a b', 'a/b', 'user@example.com', 'http://example.com', 'example.com:', 'example.com:0', 'example.com:99999', 'example.com:abc', 'a:1:2', ':80', '[::1', '::1',
    '[1.2.3.4]', '[fe80::1%25eth0]', '[]', "a'b", 'a"b', '<script>', 'ex%61mple.com', 'exämple.com', 'a?b', 'a#b', 'a;b', '*',
  ]
  for (const host of bad) {
    assert.is(hostOf(seen([['host', 'internal'], ['x-forwarded-host', host]])), 'internal', host)
    assert.is(hostOf(seen([['host', 'internal'], ['x-forwarded-host', `example.com, ${host}`]])), 'internal', host)
  }
  for (const host of ['example.com', 'my_host', 'xn--exmple-cua.com', 'example.com.', '1.2.3.4:80', '[::1]', '[2001:db8::1]:8443']) {
    assert.is(hostOf(seen([['host', 'internal'], ['x-forwarded-host', host]])), host)
  }
})

test('X-Forwarded-Port is the port of the server; the last counts, and what is no port is ignored', () => {
  const rows: readonly (readonly [readonly string[], number])[] = [
    [['443'], 443], [['8443, 443'], 443], [['8443', '443'], 443], [[' 65535 '], 65535],
    [['0'], 8000], [['65536'], 8000], [['-1'], 8000], [['4 43'], 8000], [['443, x'], 8000], [['0x1bb'], 8000], [['4.43e2'], 8000],
  ]
  for (const [lines, port] of rows) assert.equal(seen(lines.map((line) => ['x-forwarded-port', line])).server, ['10.0.0.9', port], lines.join(' + '))
})

test('a server on a unix socket, or without an address, gets no port', () => {
  for (const server of [['/run/app.sock', null], null] as const) {
    const scope = httpScope([['x-forwarded-port', '443']], { server })
    assert.is(forwardedScope('127.0.0.1')(scope), scope)
  }
})

test('X-Forwarded-Port is appended to an X-Forwarded-Host without a port, but not 80 or 443, and never to host', () => {
  const rows: readonly (readonly [host: string | null, port: string, proto: string, seen: string])[] = [
    ['example.com', '8443', 'https', 'example.com:8443'],
    ['example.com', '8080', 'http', 'example.com:8080'],
    ['[2001:db8::1]', '8443', 'https', '[2001:db8::1]:8443'],
    ['example.com', '443', 'https', 'example.com'],
    ['example.com', '80', 'http', 'example.com'],
    // The front proxy speaks https, the one behind it says its own port.
    ['example.com', '80', 'https', 'example.com'],
    ['example.com:9000', '8443', 'https', 'example.com:9000'],
    ['[2001:db8::1]:9000', '8443', 'https', '[2001:db8::1]:9000'],
    ['example.com', '99999', 'https', 'example.com'],
    ['a b', '8443', 'https', 'internal'],
    [null, '8443', 'https', 'internal'],
  ]
  for (const [host, port, proto, expected] of rows) {
    const headers: HeaderPair[] = [['host', 'internal'], ['x-forwarded-port', port], ['x-forwarded-proto', proto]]
    if (host !== null) headers.push(['x-forwarded-host', host])
    assert.is(hostOf(seen(headers)), expected, `${host} ${port} ${proto}`)
  }
})

test('Forwarded names the client as X-Forwarded-For does, from the right (RFC 7239 5.2, 6)', () => {
  const rows: readonly (readonly [allow: string, lines: readonly string[], client: Address | null])[] = [
    ['127.0.0.1', ['for=203.0.113.7'], ['203.0.113.7', 0]],
    ['127.0.0.1', ['For="203.0.113.7:5678"'], ['203.0.113.7', 5678]],
    ['127.0.0.1', ['for="203.0.113.7:_port"'], ['203.0.113.7', 0]],
    ['127.0.0.1', ['for="[2001:db8::1]"'], ['2001:db8::1', 0]],
    ['127.0.0.1', ['for="[2001:db8::1]:5678"'], ['2001:db8::1', 5678]],
    ['127.0.0.1', ['for="[::ffff:1.2.3.4]"'], ['1.2.3.4', 0]],
    ['127.0.0.1', ['for=127.0.0.1, for=203.0.113.7'], ['203.0.113.7', 0]],
    ['127.0.0.1', ['for=127.0.0.1', 'for=203.0.113.7;by=_x'], ['203.0.113.7', 0]],
    ['127.0.0.1,10.0.0.0/8', ['for=6.6.6.6, for=203.0.113.7', 'for=10.0.0.5'], ['203.0.113.7', 0]],
    ['127.0.0.1,10.0.0.0/8', ['for=10.0.0.1, for=10.0.0.5'], ['10.0.0.1', 0]],
    ['127.0.0.1,_edge', ['for=203.0.113.7, for=_edge'], ['203.0.113.7', 0]],
    ['127.0.0.1,unix', ['for=203.0.113.7, for="unix:"'], ['203.0.113.7', 0]],
    ['*', ['for=6.6.6.6, for=203.0.113.7'], ['6.6.6.6', 0]],
    ['127.0.0.1', ['for=unknown'], null],
    ['127.0.0.1', ['for=_hidden'], null],
    ['127.0.0.1', ['for=10.0.0.1, for=unknown'], null],
    ['127.0.0.1', ['for=10.0.0.1, for=_other'], null],
    ['127.0.0.1', ['for=10.0.0.1, proto=https'], null],
    ['127.0.0.1', ['for="2001:db8::1"'], null],
    ['127.0.0.1', ['for="[203.0.113.7]"'], null],
    ['127.0.0.1', ['for="203.0.113.7:"'], null],
    ['127.0.0.1', ['for="203.0.113.7:99999"'], null],
    ['127.0.0.1', ['for="\\"203.0.113.7\\""'], null],
    ['127.0.0.1', ['for=" 203.0.113.7"'], null],
    ['127.0.0.1', ['for=example.com'], null],
    ['127.0.0.1', ['for=""'], null],
  ]
  for (const [allow, lines, client] of rows) assert.equal(seen(forwarded(...lines), allow).client, client, `${allow} ${lines.join(' + ')}`)
})

test('proto and host come from the element that names the client: the outermost trusted proxy wrote it', () => {
  const chain = ['for=6.6.6.6;proto=gopher;host=evil.example, for=203.0.113.7;proto=https;host=example.com', 'for=10.0.0.5;proto=http;host=internal2']
  const host: HeaderPair = ['host', 'internal']
  const two = seen([host, ...forwarded(...chain)], '127.0.0.1,10.0.0.0/8')
  assert.equal([two.client?.[0], two.scheme, hostOf(two)], ['203.0.113.7', 'https', 'example.com'])
  const one = seen([host, ...forwarded(...chain)])
  assert.equal([one.client?.[0], one.scheme, hostOf(one)], ['10.0.0.5', 'http', 'internal2'])
  const silent = seen([host, ...forwarded('for=203.0.113.7, for=10.0.0.5;proto=https;host=internal2')], '127.0.0.1,10.0.0.0/8')
  assert.equal([silent.client?.[0], silent.scheme, hostOf(silent)], ['203.0.113.7', 'http', 'internal'])
  const everybody = seen([host, ...forwarded('for=6.6.6.6;proto=https;host="a.example:8443", for=203.0.113.7;host=b.example')], '*')
  assert.equal([everybody.client?.[0], everybody.scheme, hostOf(everybody)], ['6.6.6.6', 'https', 'a.example:8443'])
})

test('a proxy that hides the client is still believed about the scheme and the host', () => {
  const after = seen([['host', 'internal'], ...forwarded('for=10.0.0.1;proto=http;host=evil.example, for=unknown;proto=https;host=example.com')])
  assert.equal([after.client, after.scheme, hostOf(after)], [null, 'https', 'example.com'])
})

test('where no element has a `for`, the client stays, and the last element counts', () => {
  const after = seen([['host', 'internal'], ...forwarded('proto=http;host=evil.example, proto=https;host=example.com')])
  assert.equal([after.client, after.scheme, hostOf(after)], [PROXY, 'https', 'example.com'])
})

test('a proto or host of Forwarded that is not valid is ignored', () => {
  const after = seen([['host', 'internal'], ...forwarded('for=203.0.113.7;proto=ftp;host="a b"')])
  assert.equal([after.client?.[0], after.scheme, hostOf(after)], ['203.0.113.7', 'http', 'internal'])
})

test('nothing of a malformed Forwarded is believed, and its sender does not pass for the proxy', () => {
  const lines = ['for=10.0.0.1, for="203.0.113.7', 'for=203.0.113.7;proto=https;host=example.com;;x', 'for=2001:db8::1;proto=https', '203.0.113.7']
  for (const line of lines) {
    const after = seen([['host', 'internal'], ...forwarded(line)])
    assert.equal([after.client, after.scheme, hostOf(after)], [null, 'http', 'internal'], line)
  }
})

test('a malformed line of Forwarded does not spoil the line that the proxy added after it', () => {
  for (const line of ['for=127.0.0.1;x="', 'for=127.0.0.1;x="a\\', '"', 'x']) {
    const after = seen([['host', 'internal'], ...forwarded(line, 'for=203.0.113.7;proto=https;host="example.com:8443"')])
    assert.equal([after.client?.[0], after.scheme, hostOf(after)], ['203.0.113.7', 'https', 'example.com:8443'], line)
  }
})

test('where Forwarded and X-Forwarded-For name the same client, each adds what the other does not tell', () => {
  const after = seen([
    ['host', 'internal'], ...forwarded('for="203.0.113.7:5678";host=example.com'), ...forwardedFor('203.0.113.7'), ['x-forwarded-proto', 'https'], ['x-forwarded-port', '443'],
  ])
  assert.equal([after.client, after.scheme, hostOf(after), after.server], [['203.0.113.7', 5678], 'https', 'example.com', ['10.0.0.9', 443]])
  assert.equal(seen([...forwarded('for=203.0.113.7'), ...forwardedFor('203.0.113.7:5678')]).client, ['203.0.113.7', 5678])
  assert.is(hostOf(seen([['host', 'internal'], ...forwarded('host=EXAMPLE.com'), ['x-forwarded-host', 'example.com']])), 'example.com')
})

test('a client cannot get past a proxy that sets one family of headers by sending the other', () => {
  const attacks: readonly HeaderPair[][] = [
    [...forwardedFor('203.0.113.7'), ...forwarded('for=10.0.0.1')],
    [...forwardedFor('203.0.113.7'), ...forwarded('for=127.0.0.1')],
    [...forwardedFor('203.0.113.7'), ...forwarded('for=unknown')],
    [...forwardedFor('203.0.113.7'), ...forwarded('"')],
    [...forwardedFor('10.0.0.1'), ...forwarded('for=203.0.113.7')],
    [...forwardedFor('garbage'), ...forwarded('for=203.0.113.7')],
    [...forwardedFor('10.0.0.1'), ...forwarded('for="x, for=203.0.113.7')],
  ]
  for (const headers of attacks) assert.is(seen(headers).client, null, JSON.stringify(headers))
  for (const [proto, other] of [['http', 'https'], ['https', 'http']]) {
    assert.is(seen([...forwardedFor('203.0.113.7'), ['x-forwarded-proto', `${proto}`], ...forwarded(`for=203.0.113.7;proto=${other}`)]).scheme, 'http')
  }
  assert.is(hostOf(seen([['host', 'internal'], ['x-forwarded-host', 'example.com'], ...forwarded('for=203.0.113.7;host=evil.example')])), 'internal')
})

test('hostile lists take time in proportion to their length', () => {
  const long = 200_000
  const rows = [','.repeat(long), ' '.repeat(long) + 'x', 'x' + ' '.repeat(long) + 'x', '['.repeat(long), ':'.repeat(long), '"'.repeat(long), '1.2.3.4,'.repeat(long / 8)]
  const began = performance.now()
  for (const row of rows) {
    for (const name of ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'forwarded']) seen([[name, row]], '127.0.0.1,1.2.3.0/24')
  }
  assert.ok(performance.now() - began < 3000)
})

test.run()
