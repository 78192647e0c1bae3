import * as assert from 'uvu/assert'
import { occurrences, rawServer } from '../../support/raw-socket.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { fieldsOf, handshake, KEY } from '../../support/websocket-raw.ts'
import { recorder } from './recorder.ts'

const test = suite('WebSocket: refused handshakes (RFC 6455 4, 9.1, 10.2)')

const bare = { dateHeader: false }

/** Demands a refusal: that status, in text, once, then FIN; no application is called. */
async function assertRefused(t: TestContext, status: number, text: string, options = {}): Promise<Record<string, string>> {
  const seen = recorder()
  const server = await rawServer(t, seen.app, { ...bare, ...options })
  const answer = await server.exchange(text)
  const fields = fieldsOf(answer)
  assert.is(answer.slice(0, 13), `HTTP/1.1 ${status} `)
  assert.match(fields['content-type'] ?? '', /^text\/plain\b/)
  assert.ok(fields['connection']?.split(/, */).includes('close'))
  const body = answer.slice(answer.indexOf('\r\n\r\n') + 4)
  assert.is(fields['content-length'], String(body.length))
  assert.match(body, new RegExp(`^${status} .*: .+\n$`))
  assert.is(seen.calls(), 0)
  return fields
}

for (const version of [null, '12', '14', '8', '0', '013', '1', '130', '', 'x', '+13', '13, 8', ['13', '13'], ['13', '8']]) {
  test(`4.4 version ${JSON.stringify(version)}: 426 that names version 13`, async (t) => {
    const fields = await assertRefused(t, 426, handshake({ 'Sec-WebSocket-Version': version }))
    assert.is(fields['sec-websocket-version'], '13')
    // RFC 9110 7.8: who sends Upgrade names it in Connection.
    assert.equal([fields['upgrade'], fields['connection']?.includes('upgrade')], ['websocket', true])
  })
}

const bytes = (length: number): string => Buffer.alloc(length, 7).toString('base64')
const keys: readonly (readonly [string, string | readonly string[] | null])[] = [
  ['absent', null],
  ['empty', ''],
  ['of 15 bytes', bytes(15)],
  ['of 17 bytes', bytes(17)],
  ['of 24 bytes', bytes(24)],
  ['without padding', KEY.slice(0, -2)],
  ['with half of its padding', KEY.slice(0, -1)],
  ['with too much padding', `${KEY}=`],
  ['with a space in it', KEY.replace('h', ' ')],
  ['with a character that base64 has not', KEY.replace('h', '!')],
  ['of base64url', 'dGhlIHNhbXBsZSBub2-_ZQ=='],
  ['twice in one field', `${KEY}, ${KEY}`],
  ['in two fields', [KEY, bytes(16)]],
  ['in two equal fields', [KEY, KEY]],
]
for (const [what, key] of keys) {
  test(`4.2.1 a key ${what}: 400`, async (t) => {
    await assertRefused(t, 400, handshake({ 'Sec-WebSocket-Key': key }))
  })
}

for (const [what, text] of [
  ['a POST', handshake({}, 'POST / HTTP/1.1')],
  ['an OPTIONS', handshake({}, 'OPTIONS / HTTP/1.1')],
  ['HTTP/1.0', handshake({}, 'GET / HTTP/1.0')],
  ['no Host', handshake({ Host: null })],
  ['two Hosts', handshake({ Host: ['a', 'b'] })],
  ['a body with Content-Length', `${handshake({ 'Content-Length': '5' })}hello`],
  ['a chunked body', `${handshake({ 'Transfer-Encoding': 'chunked' })}5\r\nhello\r\n0\r\n\r\n`],
  ['an empty chunked body', `${handshake({ 'Transfer-Encoding': 'chunked' })}0\r\n\r\n`],
] as const) {
  test(`4.1 ${what}: 400`, async (t) => {
    await assertRefused(t, 400, text)
  })
}

test('4.1 a HEAD: 400', async (t) => {
  const seen = recorder()
  const server = await rawServer(t, seen.app, bare)
  // RFC 9110 9.3.2: whether content follows is not for this test to say.
  assert.match(await server.exchange(handshake({}, 'HEAD / HTTP/1.1')), /^HTTP\/1\.1 400 /)
  assert.is(seen.calls(), 0)
})

for (const [what, value] of [
  ['nothing', ''],
  ['a space within a token', 'chat room'],
  ['a character that no token has', 'chat/1'],
  ['a parameter', 'chat;v=1'],
  ['a quoted string', '"chat"'],
  ['a token twice', 'chat, superchat, chat'],
  ['a token twice, in two fields', ['chat', 'chat']],
] as const) {
  test(`4.1 Sec-WebSocket-Protocol with ${what}: 400`, async (t) => {
    await assertRefused(t, 400, handshake({ 'Sec-WebSocket-Protocol': value }))
  })
}

for (const options of [{}, { wsPerMessageDeflate: true }]) {
  const deflate = options.wsPerMessageDeflate === true ? ', deflate on' : ''
  for (const value of ['', ';', 'foo;', 'foo bar', '=1', 'foo; =1', 'foo; a b', 'foo; a=', 'foo; a="', 'foo; a="b c"', 'foo; a=b=c', 'foo/1', 'permessage-deflate; client_max_window_bits="']) {
    test(`9.1 Sec-WebSocket-Extensions: ${JSON.stringify(value)}: 400${deflate}`, async (t) => {
      await assertRefused(t, 400, handshake({ 'Sec-WebSocket-Extensions': value }), options)
    })
  }
}

test('4.2.2 nothing after a refused handshake is read as a request', async (t) => {
  const server = await rawServer(t, recorder().app, bare)
  const answer = await server.exchange(handshake({ 'Sec-WebSocket-Key': null }) + 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.is(occurrences(answer, 'HTTP/1.1 '), 1)
})

const wsOrigins = ['https://good.example', 'http://localhost:3000']
for (const origin of [null, '', 'null', 'http://good.example', 'https://good.example:8443', 'https://good.example.evil', 'https://evil', 'https://good.example/', 'https://good.example, https://evil', ['https://evil', 'https://good.example'], ['https://good.example', 'https://evil']]) {
  test(`10.2 with wsOrigins, Origin ${JSON.stringify(origin)}: 403`, async (t) => {
    await assertRefused(t, 403, handshake({ Origin: origin }), { wsOrigins })
  })
}

test.run()
