/** Applications of three frameworks that have the same routes. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Hono } from 'hono'
import { setCookie } from 'hono/cookie'
import Koa from 'koa'
import { Readable } from 'node:stream'

/** A body that takes several writes, and compresses badly. */
const large = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index * index % 251))

// ---- Koa ----

/** An application of Koa. */
export function koaApp(): Koa {
  const app = new Koa()
  app.silent = true
  app.use(async (ctx, next) => {
    await next()
    ctx.set('x-after', String(ctx.status))
  })
  app.use(async (ctx) => {
    switch (`${ctx.method} ${ctx.path}`) {
      case 'GET /text':
      case 'HEAD /text':
        ctx.body = 'täxt'
        break
      case 'GET /json':
      case 'DELETE /json':
        ctx.body = { query: ctx.query, method: ctx.method, ip: ctx.ip, secure: ctx.secure, protocol: ctx.protocol, asked: ctx.get('x-asked'), special: ctx.accepts('text/x-special') }
        break
      case 'GET /cookies':
        ctx.cookies.set('a', '1').set('b', '2', { httpOnly: false })
        ctx.body = '<b>two</b>'
        break
      case 'GET /stream':
        ctx.type = 'text'
        ctx.body = Readable.from(['a', 'b', 'c'])
        break
      case 'GET /buffer':
        ctx.body = Buffer.from([1, 2, 254])
        break
      case 'GET /large':
        ctx.body = large
        break
      case 'GET /empty':
        ctx.status = 204
        break
      case 'GET /redirect':
        ctx.redirect('/text?from=redirect')
        break
      case 'GET /fails':
        return ctx.throw(409, 'conflict')
      case 'GET /crashes':
        throw new Error('hidden')
      case 'GET /sse':
        ctx.type = 'text/event-stream'
        ctx.body = Readable.from(['data: 1\n\n', 'data: 2\n\n'])
        break
      case 'POST /json':
        ctx.body = { got: JSON.parse(await new Response(Readable.toWeb(ctx.req) as ReadableStream).text()) as unknown, type: ctx.request.type }
        break
      case 'POST /echo':
        ctx.type = ctx.request.type
        ctx.body = ctx.req
        break
      default:
        if (ctx.path.startsWith('/deep/')) ctx.body = { path: ctx.path, url: ctx.url, search: ctx.search }
    }
  })
  return app
}

// ---- Fastify ----

/** Gives an application of Fastify its routes. */
export function withRoutes(app: FastifyInstance): FastifyInstance {
  app.get('/text', () => 'täxt')
  const tell = ({ query, method, ip, protocol, headers }: FastifyRequest): object => ({ query, method, ip, protocol, asked: headers['x-asked'] ?? null })
  app.get('/json', tell)
  app.delete('/json', tell)
  app.get('/cookies', (_request, reply) => reply.header('x-a', '1').header('set-cookie', ['a=1', 'b=2']).type('text/html').send('<b>two</b>'))
  app.get('/stream', (_request, reply) => reply.type('text/plain').send(Readable.from(['a', 'b', 'c'])))
  app.get('/buffer', (_request, reply) => reply.send(Buffer.from([1, 2, 254])))
  app.get('/large', (_request, reply) => reply.send(large))
  app.get('/empty', (_request, reply) => reply.code(204).send())
  app.get('/redirect', (_request, reply) => reply.redirect('/text?from=redirect'))
  app.get('/fails', () => {
    throw Object.assign(new Error('conflict'), { statusCode: 409 })
  })
  app.get('/crashes', () => {
    throw new Error('shown')
  })
  app.get('/deep/:name/*', (request) => ({ params: request.params, url: request.url, query: request.query }))
  app.get('/sse', (_request, reply) => reply.type('text/event-stream').send(Readable.from(['data: 1\n\n', 'data: 2\n\n'])))
  app.post('/json', (request) => ({ got: request.body, type: request.headers['content-type'] }))
  app.post('/echo', (request, reply) => reply.type('text/plain').send(request.body))
  return app
}

// ---- Hono ----

function streamOf(...parts: readonly string[]): ReadableStream {
  return Readable.toWeb(Readable.from(parts.map((each) => Buffer.from(each)))) as ReadableStream
}

/** An application of Hono. */
export function honoApp(): Hono {
  const app = new Hono()
  app.use(async (c, next) => {
    await next()
    c.header('x-after', String(c.res.status))
  })
  app.get('/text', (c) => c.text('täxt'))
  app.on(['GET', 'DELETE'], '/json', (c) => c.json({ query: c.req.queries(), method: c.req.method, scheme: c.req.url.split(':', 1)[0], asked: c.req.header('x-asked') ?? null, accept: c.req.header('accept') === 'text/x-special' }))
  app.get('/cookies', (c) => {
    setCookie(c, 'a', '1')
    setCookie(c, 'b', '2', { httpOnly: true })
    return c.html('<b>two</b>')
  })
  app.get('/stream', () => new Response(streamOf('a', 'b', 'c'), { headers: { 'content-type': 'text/plain' } }))
  // Where a body has no type, its own server says `text/plain`; a `Response` has none, and so it stays here.
  const bytes = { 'content-type': 'application/octet-stream' }
  app.get('/buffer', (c) => c.body(new Uint8Array([1, 2, 254]), 200, bytes))
  app.get('/large', (c) => c.body(new Uint8Array(large), 200, bytes))
  app.get('/empty', (c) => c.body(null, 204))
  app.get('/redirect', (c) => c.redirect('/text?from=redirect'))
  app.get('/fails', (c) => c.text('conflict', 409))
  app.get('/crashes', () => {
    throw new Error('hidden')
  })
  app.onError((_error, c) => c.text('failed', 500))
  app.get('/deep/:name/:rest', (c) => c.json({ params: c.req.param(), path: c.req.path, query: c.req.query() }))
  // Not by `streamSSE`: it sets `transfer-encoding`, with which its own server fails over HTTP/2.
  app.get('/sse', () => new Response(streamOf('data: 1\n\n', 'data: 2\n\n'), { headers: { 'content-type': 'text/event-stream' } }))
  app.post('/json', async (c) => c.json({ got: await c.req.json<unknown>(), type: c.req.header('content-type') ?? null }))
  app.post('/echo', (c) => new Response(c.req.raw.body, { headers: { 'content-type': 'text/plain' } }))
  return app
}
