/** A real nginx in front of an application: `uwsgi_pass` and `proxy_pass`, over TCP and over a unix socket. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { rejects } from 'node:assert/strict'
import * as assert from 'uvu/assert'
import { application, bodyChunks, disconnectSignal, serve, type Application, type ExchangeOutcome } from '../../lib/index.ts'
import { rawClient } from '../support/raw-client.ts'
import { tempFolder } from '../support/command.ts'
import { deferred } from '../support/deferred.ts'
import { startNginx } from '../support/nginx.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('behind nginx')
const MEBIBYTE = 2 ** 20
const part = Buffer.alloc(MEBIBYTE, 'tsgi')

/** How nginx reaches the application. */
interface Way {
  readonly name: string
  readonly uwsgi: boolean
  readonly unix: boolean
}

const ways: readonly Way[] = [
  { name: 'uwsgi_pass over TCP', uwsgi: true, unix: false },
  { name: 'uwsgi_pass over a unix socket', uwsgi: true, unix: true },
  { name: 'proxy_pass over TCP', uwsgi: false, unix: false },
  { name: 'proxy_pass over a unix socket', uwsgi: false, unix: true },
]

/** Starts the application and nginx before it; `block` may use `$pass`, which stands for the directives that reach the application. */
async function front(t: TestContext, way: Way, app: Application, block = 'location / { $pass }', finished?: (outcome: ExchangeOutcome) => void): Promise<string> {
  const path = join(tempFolder(t).path, 'app.sock')
  const bind = way.unix ? `${way.uwsgi ? 'uwsgi' : 'unix'}:${path}` : `${way.uwsgi ? 'uwsgi' : 'http'}://127.0.0.1:0`
  const server = await serve(app, { bind: [bind], accessLog: false, logLevel: 'error', ...(finished === undefined ? {} : { observer: { finished } }) })
  t.after(() => server.close({ timeout: 0.5 }))
  assert.ok(way.unix ? server.url === bind : server.url.startsWith(bind.slice(0, -1)), server.url)
  const place = way.unix ? `unix:${path}` : server.url.slice(server.url.indexOf('//') + 2)
  const directives = way.uwsgi
    ? `include /etc/nginx/uwsgi_params; uwsgi_pass ${place}; uwsgi_buffering off; uwsgi_request_buffering off;`
    : `proxy_pass http://${place}${way.unix ? ':' : ''}; proxy_http_version 1.1; proxy_set_header Host $host; proxy_buffering off; proxy_request_buffering off;`
  return startNginx(t, block.replaceAll('$pass', directives))
}

const teller = application({
  http: async (scope, receive, send) => {
    const hash = createHash('sha256')
    let size = 0
    for await (const chunk of bodyChunks(receive)) {
      size += chunk.length
      hash.update(chunk)
    }
    const { method, path, rawPath, rootPath, queryString, scheme, client, server, httpVersion } = scope
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'application/json'], ['x-a', '1'], ['x-a', '2'], ['set-cookie', 'a=1'], ['set-cookie', 'b=2']] })
    await send({ type: 'http.response.body', body: JSON.stringify({ method, path, rawPath, rootPath, queryString, scheme, client, server, httpVersion, size, sum: hash.digest('hex'), headers: [...scope.headers] }) })
  },
})

interface Told {
  readonly method: string
  readonly path: string
  readonly rawPath: string
  readonly rootPath: string
  readonly queryString: string
  readonly scheme: string
  readonly client: readonly [string, number] | null
  readonly server: readonly [string, number] | null
  readonly httpVersion: string
  readonly size: number
  readonly sum: string
  readonly headers: readonly (readonly [string, string])[]
}

const tell = async (url: string, init?: RequestInit): Promise<Told> => await (await fetch(url, init)).json() as Told

test.needing(['nginx'], () => {
  for (const way of ways) {
    test(`${way.name}: the application sees the request as the client sent it`, async (t) => {
      const url = await front(t, way, teller)
      const told = await tell(`${url}/a%20b/%C3%A4%2Fx?q=%20&r`, { headers: { 'X-Own': 'café', cookie: 'a=1' } })
      assert.equal([told.method, told.path, told.rawPath, told.rootPath, told.queryString], ['GET', '/a b/ä/x', '/a%20b/%C3%A4%2Fx', '', 'q=%20&r'])
      const field = (name: string): string | undefined => told.headers.find(([each]) => each === name)?.[1]
      assert.equal([field('x-own'), field('cookie'), field('content-length')], ['caf\xe9', 'a=1', undefined])
      assert.is(told.headers[0]?.[0], 'host')
      if (way.uwsgi) {
        assert.is(told.client?.[0], '127.0.0.1')
        assert.equal(told.server, ['front.test', Number(new URL(url).port)])
        assert.is(told.scheme, 'http')
      }
      const response = await fetch(url, { method: 'POST', body: 'abc' })
      const posted = await response.json() as Told
      assert.equal([posted.method, posted.size, response.headers.get('x-a'), response.headers.getSetCookie()], ['POST', 3, '1, 2', ['a=1', 'b=2']])
    }, 20)

    test(`${way.name}: 64 MiB go each way, with content-length and in chunks`, async (t) => {
      const url = await front(t, way, application({
        http: async (scope, receive, send) => {
          const headers: [string, string][] = scope.path === '/length' ? [['content-length', String(64 * MEBIBYTE)]] : []
          if (scope.method === 'POST') return teller(scope, receive, send as Parameters<typeof teller>[2])
          await send({ type: 'http.response.start', status: 200, headers })
          for (let i = 0; i < 64; i++) await send({ type: 'http.response.body', body: part, moreBody: true })
          await send({ type: 'http.response.body' })
        },
      }))
      const sum = createHash('sha256')
      for (let i = 0; i < 64; i++) sum.update(part)
      const expected = sum.digest('hex')
      for (const length of [String(64 * MEBIBYTE), null]) {
        const body = (async function* () {
          for (let i = 0; i < 64; i++) yield part
        })()
        const init = { method: 'POST', body, duplex: 'half', headers: length === null ? {} : { 'content-length': length } }
        const told = await tell(url, init as unknown as RequestInit)
        assert.equal([told.size, told.sum], [64 * MEBIBYTE, expected], `${length}`)
      }
      for (const path of ['/length', '/open']) {
        const hash = createHash('sha256')
        for await (const chunk of (await fetch(url + path)).body ?? []) hash.update(chunk)
        assert.is(hash.digest('hex'), expected, path)
      }
    }, 60)

    test(`${way.name}: events come one by one, and the application hears that the client has left`, async (t) => {
      const go = deferred()
      const left = deferred()
      const url = await front(t, way, application({
        http: async (scope, _receive, send) => {
          disconnectSignal(scope).addEventListener('abort', () => left.resolve())
          await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/event-stream']] })
          await send({ type: 'http.response.body', body: 'data: 1\n\n', moreBody: true })
          await go.promise
          await send({ type: 'http.response.body', body: 'data: 2\n\n', moreBody: true })
          await left.promise
        },
      }))
      const controller = new AbortController()
      const response = await fetch(url, { signal: controller.signal })
      const reader = response.body?.getReader()
      assert.is(Buffer.from((await reader?.read())?.value ?? []).toString(), 'data: 1\n\n')
      go.resolve()
      assert.is(Buffer.from((await reader?.read())?.value ?? []).toString(), 'data: 2\n\n')
      controller.abort()
      await left.promise
    }, 20)

    test(`${way.name}: HEAD, 204, 304 and a redirect keep their framing`, async (t) => {
      const url = await front(t, way, application({
        http: async (scope, _receive, send) => {
          const status = Number(scope.path.slice(1))
          await send({ type: 'http.response.start', status, headers: status === 302 ? [['location', '/next']] : [['etag', '"a"']] })
          await send({ type: 'http.response.body', body: status === 200 ? 'hello' : '' })
        },
      }))
      const head = await fetch(`${url}/200`, { method: 'HEAD' })
      assert.equal([head.status, head.headers.get('content-length'), await head.text()], [200, '5', ''])
      for (const status of [204, 304]) {
        const response = await fetch(`${url}/${status}`)
        assert.equal([response.status, response.headers.get('etag'), await response.text()], [status, '"a"', ''])
      }
      const moved = await fetch(`${url}/302`, { redirect: 'manual' })
      assert.equal([moved.status, new URL(moved.headers.get('location') ?? '', url).pathname], [302, '/next'])
    }, 20)

    test(`${way.name}: a failure before the head is a 500, one after it never passes for a whole response`, async (t) => {
      const url = await front(t, way, application({
        http: async (scope, _receive, send) => {
          if (scope.path === '/early') throw new Error('expected by this test')
          const headers: [string, string][] = scope.path === '/length' ? [['content-length', '10']] : []
          await send({ type: 'http.response.start', status: 200, headers })
          await send({ type: 'http.response.body', body: 'part', moreBody: true })
          throw new Error('expected by this test')
        },
      }))
      assert.is((await fetch(`${url}/early`)).status, 500)
      await rejects(async () => (await fetch(`${url}/length`)).text())
      // On a unix socket nothing but content-length shows that a response was cut short: look at uwsgi.md.
      if (!(way.uwsgi && way.unix)) await rejects(async () => (await fetch(`${url}/open`)).text())
    }, 20)

    test(`${way.name}: an early answer to a large upload is delivered`, async (t) => {
      const url = await front(t, way, application({
        http: async (_scope, receive, send) => {
          await receive()
          await send({ type: 'http.response.start', status: 413 })
          await send({ type: 'http.response.body', body: 'too much' })
        },
      }))
      const client = await rawClient(t, { port: Number(new URL(url).port) })
      client.send(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${2 ** 30}\r\n\r\n`)
      for (let i = 0; i < 16 && !client.received.includes('413'); i++) {
        if (!client.socket.write(part)) await Promise.race([once(client.socket, 'drain'), client.until(/413/)])
      }
      await client.until(/^HTTP\/1\.1 413 [\s\S]*too much/)
    }, 20)

    test(`${way.name}: a header name with an underscore does not reach the application`, async (t) => {
      const url = await front(t, way, teller)
      const client = await rawClient(t, { port: Number(new URL(url).port) })
      client.send('GET / HTTP/1.1\r\nhost: a\r\nx_user: evil\r\nx-user: good\r\nconnection: close\r\n\r\n')
      await client.ended
      assert.not.match(client.received, 'evil')
      assert.match(client.received, '["x-user","good"]')
    })
  }

  const [uwsgi] = ways as [Way]

  test('uwsgi_pass: SCRIPT_NAME is the root path, with modifier 30 and PATH_INFO as nginx sends it', async (t) => {
    const url = await front(t, uwsgi, teller, 'location /shop/ { uwsgi_param SCRIPT_NAME /shop; uwsgi_modifier1 30; $pass }')
    const told = await tell(`${url}/shop/a%2Fb/%C3%A4?x`)
    assert.equal([told.rootPath, told.path, told.rawPath, told.queryString], ['/shop', '/shop/a/b/ä', '/shop/a%2Fb/%C3%A4', 'x'])
  })

  test('uwsgi_pass: a path that nginx has resolved or rewritten comes as nginx means it', async (t) => {
    const url = await front(t, uwsgi, teller, 'location /old/ { rewrite ^/old/(.*)$ "/new/$1 x?y=1" break; $pass } location / { $pass }')
    const ask = async (target: string): Promise<Told> => {
      const client = await rawClient(t, { port: Number(new URL(url).port) })
      client.send(`GET ${target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`)
      const [, body = ''] = await client.until(/\r\n(\{.*\})/)
      return JSON.parse(body) as Told
    }
    const rewritten = await ask('/old/a')
    assert.equal([rewritten.path, rewritten.rawPath, rewritten.queryString], ['/new/a x', '/new/a%20x', 'y=1'])
    assert.is((await ask('/admin/../public')).rawPath, '/public')
    assert.is((await ask('//a///b')).rawPath, '/a/b')
    assert.is((await ask('/a%2Fb')).rawPath, '/a%2Fb')
  })

  test('uwsgi_pass: what is refused is answered through nginx', async (t) => {
    const url = await front(t, uwsgi, teller, 'large_client_header_buffers 4 64k; location / { $pass }')
    assert.is((await fetch(url, { headers: { 'x-big': 'x'.repeat(30_000) } })).status, 431)
    assert.is((await fetch(`${url}/${'x'.repeat(9000)}`)).status, 414)
  })
})

test.run()
