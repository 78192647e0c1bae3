import { request } from 'node:http'
import * as assert from 'uvu/assert'
import type { HttpScope } from '../../lib/index.ts'
import { staticFiles } from '../../lib/middleware/index.ts'
import { testClient, type TestClient } from '../../lib/testing/index.ts'
import { rawServer } from '../support/raw-socket.ts'
import { suite } from '../support/suite.ts'
import { staticFixture } from './static-fixture.ts'
import { table, type Expected, type Row } from './static-table.ts'

const test = suite('static files, request by request')

/** An answer, its body as Latin-1. */
interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

type Ask = (method: string, path: string, headers: Row[3]) => Promise<Answer>

/** Compares an answer with what it must be; gives what is wrong. */
function differences(method: string, { status, headers, body }: Answer, expected: Expected): readonly string[] {
  const wrong: string[] = []
  const compare = (what: string, found: string | null, wanted: string | RegExp | null): void => {
    if (wanted instanceof RegExp ? found === null || !wanted.test(found) : found !== wanted) wrong.push(`${what} is ${JSON.stringify(found)}, not ${String(wanted)}`)
  }
  compare('the status', String(status), String(expected.status))
  for (const [name, wanted] of Object.entries(expected.headers ?? {})) compare(name, headers.get(name), wanted)
  if (expected.body !== undefined) compare('the body', body, method === 'HEAD' ? '' : expected.body)
  // RFC 9110 8.6
  const length = headers.get('content-length')
  if (method !== 'HEAD' && status !== 304) compare('the length', String(body.length), length)
  if (expected.parts !== undefined) compare('the parts', JSON.stringify(partsOf(headers.get('content-type') ?? '', body)), JSON.stringify(expected.parts))
  return wrong
}

/** Reads a multipart body strictly (RFC 2046 5.1.1). */
function partsOf(type: string, body: string): readonly (readonly [string, string])[] {
  const boundary = /boundary=([\w-]+)$/.exec(type)?.[1] ?? ''
  const [first, ...others] = `\r\n${body}`.split(`\r\n--${boundary}`)
  if (first !== '' || others.pop() !== '--\r\n') throw new Error(`not a multipart body: ${JSON.stringify(body)}`)
  return others.map((each) => {
    const found = /^\r\ncontent-type: text\/plain; charset=utf-8\r\ncontent-range: ([^\r]+)\r\n\r\n([^]*)$/.exec(each)
    if (found === null) throw new Error(`not a part: ${JSON.stringify(each)}`)
    return [found[1] ?? '', found[2] ?? '']
  })
}

async function checkAll(ask: Ask): Promise<void> {
  const tag = (await ask('HEAD', '/digits.txt', [])).headers.get('etag') ?? ''
  assert.match(tag, /^"[\w-]+"$/)
  const rows = table(tag)
  assert.ok(rows.length > 150)
  assert.is(new Set(rows.map(([name]) => name)).size, rows.length)
  const wrong: string[] = []
  for (const [name, method, path, headers, expected] of rows) {
    const found = differences(method, await ask(method, path, headers), expected)
    if (found.length > 0) wrong.push(`${name}: ${found.join('; ')}`)
  }
  assert.equal(wrong, [])
}

function asking(client: TestClient): Ask {
  return async (method, path, headers) => {
    const response = await client.fetch(path, { method, headers })
    return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()).toString('latin1') }
  }
}

for (const [how, extensionsOf] of [['as the server sends files', ({ extensions }: HttpScope) => extensions], ['where the server sends no files itself', () => ({})]] as const) {
  test(`over a socket of HTTP/1.1, every request of the table, ${how}`, async (t) => {
    const { root } = await staticFixture(t)
    const files = staticFiles(null, { root })
    const server = await rawServer(t, (scope, receive, send) => files(scope.type === 'http' ? { ...scope, extensions: extensionsOf(scope) } : scope, receive, send), { limitRequestLine: 16384 })
    await checkAll(async (method, path, fields) => {
      const lines = [...fields, ...(method === 'POST' || method === 'PUT' ? [['content-length', '0'] as const] : [])].map(([name, value]) => `${name}: ${value}\r\n`)
      const text = await server.exchange(`${method} ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${lines.join('')}\r\n`)
      const end = text.indexOf('\r\n\r\n')
      const [status = '', ...head] = text.slice(0, end).split('\r\n')
      return { status: Number(status.split(' ')[1]), headers: new Headers(head.map((line) => line.split(/: (.*)/s, 2) as [string, string])), body: text.slice(end + 4) }
    })
  }, 60)
}

test('in process, every request of the table', async (t) => {
  const { root } = await staticFixture(t)
  await using client = await testClient(staticFiles(null, { root }))
  await checkAll(asking(client))
}, 60)

test('mounted beneath a root path, the same', async (t) => {
  const { root } = await staticFixture(t)
  await using client = await testClient(staticFiles(null, { root }), { rootPath: '/gr%C3%BC%C3%9Fe/x' })
  await checkAll(asking(client))
}, 60)

test('what a client of node:http gets is the file', async (t) => {
  const { root, write } = await staticFixture(t)
  const content = Buffer.alloc(1_000_003, 'seven7.')
  write('large.bin', content)
  const { port } = await rawServer(t, staticFiles(null, { root }))
  const body = await new Promise<Buffer>((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: '/large.bin' }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part)).on('end', () => resolve(Buffer.concat(parts)))
    }).on('error', reject).end()
  })
  assert.ok(body.equals(content))
})

test.run()
