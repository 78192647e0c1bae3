/** Applications of Koa, Fastify, Polka, Connect, and bare listeners answer on tsgi as on their own servers. */
import connect from 'connect'
import fastify, { type FastifyInstance } from 'fastify'
import Koa from 'koa'
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer, IncomingMessage, ServerResponse, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import polka from 'polka'
import * as assert from 'uvu/assert'
import { fromNode, nodeListener } from '../../../adapters/node/index.ts'
import { testClient } from '../../../lib/testing/index.ts'
import { rejection } from '../../support/rejection.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { askHttp1, askHttp2, onNodeHttp, onTsgi, type Answer, type Ask } from './hosts.ts'

const test = suite('frameworks')

/** Asks both hosts, over both protocols. */
async function compare(t: TestContext, listener: RequestListener, target: object, asks: readonly Ask[]): Promise<void> {
  const there = await onNodeHttp(t, listener)
  const here = await onTsgi(t, target)
  for (const each of asks) {
    const expected = await askHttp1(there, each)
    for (const [name, ask] of [['HTTP/1.1', askHttp1], ['HTTP/2', askHttp2]] as const) {
      const found = await ask(here, each).catch((error: unknown) => String(error))
      assert.equal(found, expected, `${each.method ?? 'GET'} ${each.path} over ${name}`)
    }
  }
}

function koaApp(): Koa {
  const app = new Koa()
  app.silent = true
  app.use(async (ctx, next) => {
    await next()
    ctx.set('x-after', String(ctx.status))
  })
  app.use(async (ctx) => {
    switch (ctx.path) {
      case '/text':
        ctx.body = 'text'
        break
      case '/json':
        ctx.cookies.set('a', '1')
        ctx.body = { query: ctx.query, method: ctx.method, ip: ctx.ip, secure: ctx.secure, type: ctx.request.type, fresh: ctx.fresh, host: ctx.hostname.length }
        break
      case '/stream':
        ctx.type = 'text'
        ctx.body = Readable.from(['a', 'b', 'c'])
        break
      case '/buffer':
        ctx.body = Buffer.from([1, 2, 3])
        break
      case '/echo':
        ctx.body = ctx.req
        break
      case '/empty':
        ctx.status = 204
        break
      case '/redirect':
        ctx.redirect('/text')
        break
      case '/raw':
        ctx.respond = false
        ctx.res.end('raw')
        break
      case '/fails':
        ctx.throw(409, 'conflict')
        break
      case '/crashes':
        throw new Error('hidden')
    }
  })
  return app
}

test('Koa', async (t) => {
  await compare(t, koaApp().callback() as RequestListener, koaApp(), [
    ...['text', 'json?a=1&a=2', 'stream', 'buffer', 'empty', 'redirect', 'raw', 'fails', 'crashes'].map((path) => ({ path: `/${path}` })),
    { method: 'HEAD', path: '/text' },
    { method: 'HEAD', path: '/stream' },
    { method: 'POST', path: '/echo', body: 'echoed', headers: { 'content-type': 'text/plain' } },
  ])
})

test('Koa on HTTP/2 words a 404 as on node:http2: there are no reason phrases', async (t) => {
  const server = createHttp2Server(koaApp().callback() as unknown as (request: Http2ServerRequest, response: Http2ServerResponse) => void)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => new Promise((resolve) => server.close(resolve)))
  const expected = await askHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { path: '/none' })
  const here = await onTsgi(t, koaApp())
  assert.equal(await askHttp2(here, { path: '/none' }), expected)
  assert.is(expected.body, '404')
  assert.is((await askHttp1(here, { path: '/none' })).body, 'Not Found')
})

function fastifyApp(): FastifyInstance {
  const app = fastify({ forceCloseConnections: true })
  app.get('/text', () => 'text')
  app.get('/json', async (request, reply) => reply.header('x-a', '1').header('set-cookie', ['a=1', 'b=2']).send({ query: request.query, ip: request.ip, protocol: request.protocol }))
  app.get('/stream', (_request, reply) => reply.type('text/plain').send(Readable.from(['a', 'b'])))
  app.get('/buffer', (_request, reply) => reply.send(Buffer.from('bytes')))
  app.get('/redirect', (_request, reply) => reply.redirect('/text'))
  app.get('/hijacked', (_request, reply) => {
    reply.hijack()
    reply.raw.end('raw')
  })
  app.get('/throws', () => {
    throw new Error('thrown')
  })
  app.get('/trailers', (_request, reply) => {
    reply.trailer('x-sum', async () => '42')
    return reply.send('with trailers')
  })
  app.post('/json', (request) => ({ got: request.body }))
  app.delete('/thing', () => ({ deleted: true }))
  app.post('/stream', (request, reply) => reply.send(request.raw))
  app.addContentTypeParser('text/x-stream', (_request, _payload, done) => done(null))
  return app
}

test('Fastify, which gets ready by itself', async (t) => {
  const there = fastifyApp()
  await there.ready()
  t.after(() => there.close())
  const here = fastifyApp()
  t.after(() => here.close())
  const json = { 'content-type': 'application/json' }
  await compare(t, (request, response) => there.routing(request, response), here, [
    ...['text', 'json?a=1', 'stream', 'buffer', 'redirect', 'hijacked', 'throws', 'none'].map((path) => ({ path: `/${path}` })),
    { path: '/trailers', headers: { te: 'trailers' } },
    { method: 'HEAD', path: '/text' },
    { method: 'DELETE', path: '/thing' },
    { method: 'POST', path: '/json', headers: json, body: '{"a":1}' },
    { method: 'POST', path: '/json', headers: json, body: '{' },
    { method: 'POST', path: '/stream', headers: { 'content-type': 'text/x-stream' }, body: 'streamed '.repeat(9000) },
  ])
})

test('Fastify starts and closes with the lifespan, and its failure is that of the start', async () => {
  const heard: string[] = []
  const app = fastify()
  app.addHook('onReady', async () => void heard.push('ready'))
  app.addHook('onClose', async () => void heard.push('close'))
  app.get('/', () => 'here')
  const client = await testClient(fromNode(app))
  assert.equal(heard, ['ready'])
  assert.is(await (await client.fetch('/')).text(), 'here')
  await client.close()
  assert.equal(heard, ['ready', 'close'])
  const broken = fastify()
  broken.register(async () => {
    throw new Error('no plugin')
  })
  assert.match(String(await rejection(testClient(fromNode(broken)))), /no plugin/)
})

test('Polka and Connect', async (t) => {
  const withPolka = (): object => polka()
    .use((request, _response, next) => {
      Object.assign(request, { seen: 'yes' })
      next()
    })
    .get('/a/:b', (request, response) => void response.end(JSON.stringify([request.params, request.query, request.path, request.originalUrl, (request as { seen?: string }).seen])))
    .post('/echo', (request, response) => void request.pipe(response))
  await compare(t, nodeListener(withPolka()) as RequestListener, withPolka(), [
    { path: '/a/x?y=1' }, { path: '/none' }, { method: 'POST', path: '/echo', body: 'echoed' },
  ])
  const withConnect = connect()
  withConnect.use('/mounted', (request, response) => void response.end(`${request.url} of ${request.originalUrl}`))
  withConnect.use('/throws', () => {
    throw Object.assign(new Error('thrown'), { status: 400, stack: 'thrown' })
  })
  await compare(t, withConnect, withConnect, [{ path: '/mounted/a?b' }, { path: '/mounted' }, { path: '/none' }])
})

test('a bare listener, and an http.Server that does not listen', async (t) => {
  const listener: RequestListener = (request, response) => {
    response.setHeader('x-type', [request instanceof IncomingMessage, response instanceof ServerResponse].join())
    response.end(`${request.method} ${request.url}`)
  }
  await compare(t, listener, listener, [{ path: '/a?b' }, { method: 'OPTIONS', path: '/' }])
  const server = createServer(listener)
  await compare(t, listener, server, [{ path: '/a?b' }])
})

test('an http.Server with listeners for checkContinue gets that event', async (t) => {
  const make = (): ReturnType<typeof createServer> => createServer((_request, response) => response.end('request')).on('checkContinue', (request, response) => {
    response.writeContinue()
    request.resume().on('end', () => response.end('checked'))
  })
  const here = await onTsgi(t, make())
  const answer = await askHttp1(here, { method: 'POST', path: '/', headers: { expect: '100-continue' }, body: 'abc' })
  assert.is(answer.body, 'checked')
  assert.is((await askHttp1(here, { method: 'POST', path: '/', body: 'abc' })).body, 'request')
})

test('what is an application is seen by its parts', () => {
  assert.type(nodeListener(polka()), 'function')
  assert.type(nodeListener(connect()), 'function')
  assert.type(nodeListener(new Koa()), 'function')
  assert.type(nodeListener(fastify()), 'function')
  assert.type(nodeListener(createServer()), 'function')
  assert.type(nodeListener({ listener: createServer() }), 'function')
  for (const other of [null, undefined, 1, 'x', {}, [], () => {}, { fetch: () => {} }, { callback: 1 }]) assert.is(nodeListener(other), null)
  assert.throws(() => fromNode({}), (error: { code?: string; message: string }) => error.code === 'ERR_TSGI_INVALID_OPTION' && error.message.includes('Express, Koa, Fastify'))
})

/** An answer over each protocol of a listener that is mounted at `/root`. */
async function mounted(listener: RequestListener, path: string, t: TestContext): Promise<Answer> {
  return askHttp1(await onTsgi(t, listener, { rootPath: '/root' }), { path })
}

test('beneath a root path a listener sees the rest, and the whole as originalUrl', async (t) => {
  const tell: RequestListener = (request, response) => void response.end(JSON.stringify([request.url, (request as { originalUrl?: string }).originalUrl, (request as { baseUrl?: string }).baseUrl]))
  assert.is((await mounted(tell, '/a?b=c', t)).body, '["/a?b=c","/root/a?b=c","/root"]')
  assert.is((await mounted(tell, '/', t)).body, '["/","/root/","/root"]')
})

test.run()
