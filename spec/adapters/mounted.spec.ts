/** Applications of every model side by side on one server: each is told in its own words where it stands. */
import express from 'express'
import fastify, { type FastifyInstance } from 'fastify'
import { Hono } from 'hono'
import { deepEqual } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http'
import { connect } from 'node:http2'
import type { Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { fromFetch, scopeOf } from '../../adapters/fetch/index.ts'
import { fromNode } from '../../adapters/node/index.ts'
import { fromWsgi } from '../../adapters/wsgi/index.ts'
import { application, serve, type Application } from '../../lib/index.ts'
import { mount } from '../../lib/middleware/index.ts'
import type { DriverResponse, DriverWebSocket } from '../behaviour/driver.ts'
import { WsClient } from '../behaviour/ws-client.ts'
import { wsOverStream } from '../behaviour/ws-over-stream.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { wsgi } from './mounted-apps.ts'
import { askHttp1, askHttp2 } from './node/hosts.ts'

const test = suite('mounted side by side')

const tellNode: RequestListener = (request, response) => {
  response.end(JSON.stringify(placeOf(request)))
}

/** Where a listener of node:http stands. */
function placeOf(request: IncomingMessage): Record<string, unknown> {
  const { url, originalUrl, baseUrl } = request as { readonly url?: string; readonly originalUrl?: string; readonly baseUrl?: string }
  return { url, originalUrl, baseUrl }
}

function expressApp(): object {
  const deep = express.Router().get('/:name', (request, response) => void response.json({ ...placeOf(request), path: request.path, name: request.params['name'] }))
  return express().use('/deep', deep).get('/closed', (_request, response) => void response.sendStatus(403)).use((request, response) => void response.json({ ...placeOf(request), path: request.path }))
}

function honoApp(): Hono {
  const app = new Hono()
  app.get('/users/:id', (c) => c.json({ url: urlOf(c.req.raw), path: c.req.path, id: c.req.param('id') }))
  return app
}

function urlOf(request: Request): string {
  return request.url.replace(/^http:\/\/[^/]*/, '')
}

const tellFetch = (request: Request): Response => {
  const { rootPath, path } = scopeOf(request) ?? {}
  return Response.json({ url: urlOf(request), rootPath, path })
}

const tellAsync: Application = application({
  http: async ({ rootPath, path, rawPath, queryString }, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: JSON.stringify({ rootPath, path, rawPath, queryString }) })
  },
  websocket: async ({ rootPath, path, httpVersion }, receive, send) => {
    await receive()
    await send({ type: 'websocket.accept' })
    const event = await receive()
    await send({ type: 'websocket.send', text: JSON.stringify({ rootPath, path, httpVersion, heard: event.type === 'websocket.receive' ? event.text : null }) })
    await send({ type: 'websocket.close' })
  },
})

/** A server of node:http that takes upgrades. */
function upgrading(): ReturnType<typeof createServer> {
  return createServer(tellNode).on('upgrade', (request: IncomingMessage, socket: Socket) => {
    socket.end(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: own\r\n\r\n${JSON.stringify(placeOf(request))}`)
  })
}

const parts = (): Readonly<Record<string, Application>> => ({
  '/wsgi': fromWsgi(wsgi),
  '/thread': fromWsgi(new URL('./mounted-apps.js#wsgi', import.meta.url)),
  '/node': fromNode(upgrading()),
  '/express': fromNode(expressApp()),
  '/fetch': fromFetch(tellFetch),
  '/hono': fromFetch(honoApp()),
  '/async': tellAsync,
})

async function open(t: TestContext, rootPath: string): Promise<string> {
  const server = await serve(mount({ ...parts(), '/in/grüße': mount(parts()) }, fromNode(tellNode)), { port: 0, rootPath, accessLog: false, logLevel: 'error' })
  t.after(() => server.close({ timeout: 1 }))
  return server.url
}

/** What each part tells of a path beneath `root`, the path at which it stands, as it is written in the request. */
function expected(root: string): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const decoded = decodeURIComponent(root)
  const bytes = Buffer.from(decoded).toString('latin1')
  const wsgiPlace = (path: string): Record<string, unknown> => ({ SCRIPT_NAME: bytes + path, PATH_INFO: '/a b/\u00c3\u00a4', QUERY_STRING: 'q=%20', REQUEST_URI: `${root}${path}/a%20b/%C3%A4?q=%20`, path: `${decoded}${path}/a b/ä` })
  return {
    '/wsgi/a%20b/%C3%A4?q=%20': wsgiPlace('/wsgi'),
    '/thread/a%20b/%C3%A4?q=%20': wsgiPlace('/thread'),
    '/node/a%20b/%C3%A4?q=%20': { url: '/a%20b/%C3%A4?q=%20', originalUrl: `${root}/node/a%20b/%C3%A4?q=%20`, baseUrl: `${decoded}/node` },
    '/node': { url: '/', originalUrl: `${root}/node`, baseUrl: `${decoded}/node` },
    '/express/deep/a%20b?q': { url: '/a%20b?q', originalUrl: `${root}/express/deep/a%20b?q`, baseUrl: `${decoded}/express/deep`, path: '/a%20b', name: 'a b' },
    '/express/?q': { url: '/?q', originalUrl: `${root}/express/?q`, baseUrl: `${decoded}/express`, path: '/' },
    '/fetch/a%20b/%C3%A4?q=%20': { url: '/a%20b/%C3%A4?q=%20', rootPath: `${decoded}/fetch`, path: `${decoded}/fetch/a b/ä` },
    '/hono/users/a%20b?q=1': { url: '/users/a%20b?q=1', path: '/users/a b', id: 'a b' },
    '/async/a%20b/%C3%A4?q=%20': { rootPath: `${decoded}/async`, path: `${decoded}/async/a b/ä`, rawPath: `${root}/async/a%20b/%C3%A4`, queryString: 'q=%20' },
  }
}

for (const rootPath of ['', '/root']) {
  for (const [nesting, within] of [['mounted', ''], ['mounted in a mount', '/in/gr%C3%BC%C3%9Fe']] as const) {
    for (const [version, ask] of [['HTTP/1.1', askHttp1], ['HTTP/2', askHttp2]] as const) {
      test(`each part, ${nesting}, beneath the root path '${rootPath}', over ${version}, knows its place`, async (t) => {
        const url = await open(t, rootPath)
        for (const [path, place] of Object.entries(expected(rootPath + within))) {
          const { status, body } = await ask(url, { path: within + path })
          deepEqual([status, JSON.parse(status === 200 ? Buffer.from(body, 'latin1').toString() : 'null')], [200, place], within + path)
        }
      }, 20)
    }
  }

  test(`what no part takes goes to the fallback, which stands at the root path '${rootPath}' itself`, async (t) => {
    const { body } = await askHttp1(await open(t, rootPath), { path: '/nodes?q' })
    deepEqual(JSON.parse(body), rootPath === '' ? { url: '/nodes?q' } : { url: '/nodes?q', originalUrl: '/root/nodes?q', baseUrl: '/root' })
  })

  test(`WebSockets over HTTP/1.1 and HTTP/2 find the async part beneath '${rootPath}'; the others refuse them`, async (t) => {
    const url = await open(t, rootPath)
    for (const [version, dial] of [['1.1', dialHttp1], ['2', dialHttp2]] as const) {
      for (const [within, decoded] of [['', ''], ['/in/gr%C3%BC%C3%9Fe', '/in/grüße']] as const) {
        const socket = await dial(t, url, `${within}/async/talk?q`) as DriverWebSocket
        await socket.send('hello')
        deepEqual(JSON.parse(String(await socket.receive())), { rootPath: `${rootPath}${decoded}/async`, path: `${rootPath}${decoded}/async/talk`, httpVersion: version, heard: 'hello' })
        assert.is((await socket.closed).code, 1000)
      }
      for (const path of ['/wsgi', '/thread', '/fetch', '/hono']) {
        const refused = await dial(t, url, path) as DriverResponse
        assert.is(refused.status, 500, `${path} over ${version}`)
      }
      // A listener of node:http takes it for a request, and what it answers refuses it.
      assert.is((await dial(t, url, '/express/closed') as DriverResponse).status, 403)
    }
  }, 20)

  test(`an upgrade finds the listener of node:http beneath '${rootPath}'`, async (t) => {
    const url = await open(t, rootPath)
    const request = httpRequest(`${url}/in/gr%C3%BC%C3%9Fe/node/up?q`, { headers: { connection: 'upgrade', upgrade: 'own' }, agent: false }).end()
    const [, socket, head] = await once(request, 'upgrade') as [IncomingMessage, Socket, Buffer]
    let text = head.toString()
    for await (const chunk of socket) text += String(chunk)
    deepEqual(JSON.parse(text), { url: '/up?q', originalUrl: `${rootPath}/in/gr%C3%BC%C3%9Fe/node/up?q`, baseUrl: `${rootPath}/in/grüße/node` })
  })
}

async function dialHttp1(t: TestContext, url: string, path: string): Promise<DriverWebSocket | DriverResponse> {
  const client = new WsClient(url.replace('http', 'ws'), { path })
  t.after(() => client.leave())
  return client.answer
}

/** RFC 8441. */
async function dialHttp2(t: TestContext, url: string, path: string): Promise<DriverWebSocket | DriverResponse> {
  const session = connect(url)
  t.after(() => session.destroy())
  await once(session, 'remoteSettings')
  const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': path, 'sec-websocket-version': '13' }, { endStream: false })
  const [fields, , raw] = await once(stream, 'response') as [Record<string, unknown>, number, string[]]
  if (fields[':status'] === 200 && !('content-length' in fields)) return wsOverStream(stream, raw, () => stream.close(8))
  stream.close()
  return { status: Number(fields[':status']) } as DriverResponse
}

// ---- lifespan ----

/** An application that has a lifespan and shows its state. */
function lives(name: string, log: string[]): Application {
  return application<{ readonly name: string }>({
    lifespan: async function* () {
      log.push(`${name} starts`)
      yield { name }
      log.push(`${name} stops`)
    },
    http: async (scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: JSON.stringify(scope.state) })
    },
  })
}

function fastifyApp(log: string[]): FastifyInstance {
  const app = fastify()
  app.addHook('onReady', async () => void log.push('fastify starts'))
  app.addHook('onClose', async () => void log.push('fastify stops'))
  app.get('/', () => 'fastify')
  return app
}

/** Writes down that the lifespan comes to an application, and which event it takes. */
function heard(name: string, log: string[], app: Application): Application {
  return async (scope, receive, send) => {
    if (scope.type !== 'lifespan') return app(scope, receive, send)
    log.push(`${name} is called`)
    await app(scope, async () => {
      const event = await receive()
      log.push(`${name} ${event.type}`)
      return event
    }, send)
  }
}

test('the lifespan comes to every part in order, and ends in reverse; one that has none serves all the same', async (t) => {
  const log: string[] = []
  const server = createServer(tellNode).on('close', () => log.push('node stops'))
  const app = mount({
    '/wsgi': heard('wsgi', log, fromWsgi(wsgi)),
    '/fastify': heard('fastify', log, fromNode(fastifyApp(log))),
    '/fetch': heard('fetch', log, fromFetch(tellFetch)),
    '/in': heard('in', log, mount({ '/node': heard('node', log, fromNode(server)), '/async': lives('inner', log), '/thread': fromWsgi(new URL('./mounted-apps.js#wsgi', import.meta.url)) })),
    '/async': lives('async', log),
  })
  const running = await serve(app, { port: 0, lifespan: 'on', accessLog: false, logLevel: 'error' })
  t.after(() => running.close({ timeout: 1 }))
  deepEqual(log.splice(0), [
    'wsgi is called',
    'fastify is called', 'fastify lifespan.startup', 'fastify starts',
    'fetch is called',
    'in is called', 'in lifespan.startup', 'node is called', 'node lifespan.startup', 'inner starts',
    'async starts',
  ])
  for (const [path, wanted] of [['/fastify/', 'fastify'], ['/async', '{"name":"async"}'], ['/in/async', '{"name":"inner"}']] as const) {
    assert.is((await askHttp1(running.url, { path })).body, wanted)
  }
  for (const path of ['/wsgi', '/fetch', '/in/node', '/in/thread']) assert.is((await askHttp2(running.url, { path })).status, 200, path)
  await running.close()
  deepEqual(log, [
    'async stops',
    'in lifespan.shutdown', 'inner stops', 'node lifespan.shutdown', 'node stops',
    'fastify lifespan.shutdown', 'fastify stops',
  ])
})

test.run()
