/** The tables of the documents that people wrote by hand agree with the types and with what the server does. */
import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { connect, type OutgoingHttpHeaders } from 'node:http2'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { serve, type Application } from '../../lib/index.ts'
import { testClient } from '../../lib/testing/index.ts'
import { contractEvents, scopeKeys, type Key } from '../support/docs-contract.ts'
import { codeSpans, document, root, tables, type Document, type Table } from '../support/docs-markdown.ts'
import { rawClient } from '../support/raw-client.ts'
import { suite } from '../support/suite.ts'

const test = suite('the contract in words')

const pages = ['http', 'lifespan', 'websocket', 'extensions'].map((name) => document(`spec/${name}.md`))

function tableUnder(document: Document, heading: string): Table | undefined {
  return tables(document).find((table) => table.heading === heading && table.columns[0] === 'key')
}

function firstColumn(table: Table | undefined): readonly string[] {
  return (table?.rows ?? []).map(([cell = '']) => codeSpans(cell)[0] ?? '')
}

test('every event is written down with every key, and says of each whether it is required', () => {
  const wrong: string[] = []
  const events = contractEvents()
  assert.ok(events.size > 20)
  for (const [type, all] of events) {
    const keys = all.filter(({ name }) => name !== 'type')
    const page = pages.find(({ text }) => text.includes(`\n### \`${type}\`\n`))
    if (page === undefined) {
      wrong.push(`${type} is nowhere`)
      continue
    }
    const table = tableUnder(page, `\`${type}\``)
    if (firstColumn(table).join() !== keys.map(({ name }) => name).join()) wrong.push(`${page.path}: ${type} has the keys ${keys.map(({ name }) => name).join(', ')}`)
    if (table?.columns[2] !== 'default') continue
    for (const [index, row] of table.rows.entries()) if ((row[2] === 'required') === keys[index]?.optional) wrong.push(`${page.path}: ${type}, ${row[0]}: ${row[2]}`)
  }
  assert.equal(wrong, [])
})

test('no event is written down that the contract does not have', () => {
  const events = contractEvents()
  const headings = pages.flatMap(({ text }) => [...text.matchAll(/^### `([^`]+)`$/gm)].map(([, type = '']) => type))
  assert.equal(headings.filter((type) => !events.has(type)), [])
  assert.is(new Set(headings).size, headings.length)
})

test('every scope is written down with every key', () => {
  const [http, lifespan, websocket, extensions] = pages as [Document, Document, Document, Document]
  const rows: readonly (readonly [Document, string, readonly Key[]])[] = [
    [http, 'The HTTP scope', scopeKeys('HttpScope')],
    [lifespan, 'The lifespan scope', scopeKeys('LifespanScope')],
    [websocket, 'The WebSocket scope', scopeKeys('WebSocketScope')],
    [extensions, '`tls`', scopeKeys('TlsExtension')],
  ]
  for (const [page, heading, keys] of rows) {
    assert.ok(keys.length > 2, heading)
    assert.equal([...firstColumn(tableUnder(page, heading))].sort(), keys.map(({ name }) => name).sort(), heading)
  }
})

test('the names for people who come from ASGI follow the one rule, and are keys of the contract', () => {
  const source = ['scope.ts', 'events.ts'].map((file) => readFileSync(join(root, 'lib/contract', file), 'utf8')).join('')
  const known = new Set([...source.matchAll(/readonly (\w+)\??:/g)].map(([, key = '']) => key))
  const camel = [...known].filter((key) => /[A-Z]/.test(key))
  const table = tables(document('spec/application.md')).find(({ columns }) => columns[0] === 'ASGI')
  const rows = (table?.rows ?? []).map((row) => row.map((cell) => codeSpans(cell)[0] ?? ''))
  for (const [asgi = '', ours] of rows) assert.is(asgi.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), ours)
  assert.equal(rows.map(([, ours]) => ours).sort(), camel.sort())
})

test('the extensions are offered where the table says so', async (t) => {
  /** What the scopes of one way to call an application offer together, one for HTTP and one for WebSocket. */
  let offers: string[] = []
  const app: Application = async (scope, _receive, send) => {
    if (scope.type === 'lifespan') throw new Error('no lifespan')
    offers.push(...Object.keys(scope.extensions))
    if (scope.type === 'websocket') return send({ type: 'websocket.close' })
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body' })
  }
  const client = await testClient(app)
  t.after(() => client.close())
  const server = await serve(app, { port: 0, accessLog: false })
  t.after(() => server.close())
  const raw = async (request: string): Promise<void> => {
    const socket = await rawClient(t, { port: Number(new URL(server.url).port) })
    socket.send(`${request}\r\nHost: a\r\n`)
    socket.send('Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
    await socket.ended
    assert.match(socket.received, /^HTTP\/1\.1 (?:200|403) /)
    socket.socket.end()
  }
  const ways: readonly (() => Promise<unknown>)[] = [
    () => overHttp2(server.url),
    async () => {
      await raw('GET / HTTP/1.1\r\nConnection: close')
      await raw('GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket')
    },
    () => raw('GET / HTTP/1.0'),
    async () => {
      await client.fetch('/')
      await client.websocket('/').catch(() => {})
    },
  ]

  const [offered] = tables(document('spec/extensions.md'))
  assert.equal(offered?.columns, ['extension', 'HTTP/2', 'HTTP/1.1', 'HTTP/1.0', 'test client'])
  for (const [index, way] of ways.entries()) {
    offers = []
    await way()
    const said = offered?.rows.filter((row) => row[index + 1] === 'yes').map(([name = '']) => codeSpans(name)[0])
    assert.equal(offers.sort(), said?.sort(), offered?.columns[index + 1])
  }
  const all = (offered?.rows ?? []).map(([name = '']) => codeSpans(name)[0]).concat('tls')
  assert.equal(all.sort(), scopeKeys('Extensions').map(({ name }) => name).sort())
})

/** A request and a WebSocket over HTTP/2 with prior knowledge. */
async function overHttp2(url: string): Promise<void> {
  const session = connect(url)
  const failed = new Promise<never>((_, reject) => session.on('error', reject))
  const send = (fields: OutgoingHttpHeaders): Promise<void> => new Promise((resolve) => {
    session.request(fields, { endStream: fields[':method'] !== 'CONNECT' }).on('error', () => {}).on('close', resolve).resume()
  })
  await Promise.race([failed, once(session, 'remoteSettings')])
  await Promise.race([failed, send({ ':path': '/' })])
  await Promise.race([failed, send({ ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': '/', ':authority': 'a', 'sec-websocket-version': '13' })])
  await new Promise<void>((resolve) => session.close(resolve))
}

test.run()
