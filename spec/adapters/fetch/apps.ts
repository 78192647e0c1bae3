/** One application, written for three frameworks and for none, that answers the same everywhere. */
import { createHash } from 'node:crypto'
import { H3, setCookie } from 'h3'
import { Hono } from 'hono'
import { setCookie as setHonoCookie } from 'hono/cookie'
import { streamSSE } from 'hono/streaming'
import { AutoRouter, type IRequest } from 'itty-router'
import type { FetchApplication, FetchHandler } from '../../../adapters/fetch/index.ts'

/** What hangs on the event streams: how many run, and a call for each that ends. */
export const streams = { open: 0, ended: (): void => {} }

const CHUNK = Buffer.alloc(65536, 'tsgi')

function download(megabytes: number): Response {
  let left = megabytes * 16
  return new Response(new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (left-- > 0) controller.enqueue(CHUNK)
      else controller.close()
    },
  }), { headers: { 'content-type': 'application/octet-stream' } })
}

async function digest(request: Request): Promise<Response> {
  const hash = createHash('sha256')
  for await (const chunk of request.body ?? []) hash.update(chunk)
  return new Response(hash.digest('hex'))
}

function events(request: Request): Response {
  streams.open++
  let timer: NodeJS.Timeout
  request.signal.addEventListener('abort', () => {
    clearInterval(timer)
    streams.open--
    streams.ended()
  })
  return new Response(new ReadableStream<Uint8Array>({
    start: (controller) => {
      timer = setInterval(() => controller.enqueue(Buffer.from('data: tick\n\n')), 5)
    },
    cancel: () => clearInterval(timer),
  }), { headers: { 'content-type': 'text/event-stream' } })
}

function cookies(): Response {
  return new Response('two', { headers: [['set-cookie', 'a=1; Path=/'], ['set-cookie', 'b=2; Path=/']] })
}

async function json(request: Request): Promise<Response> {
  return Response.json({ got: await request.json(), type: request.headers.get('content-type') })
}

const hono = new Hono()
hono.get('/', (c) => c.text('hello'))
hono.get('/users/:id', (c) => c.json({ id: c.req.param('id'), q: c.req.query('q') ?? null }))
hono.post('/json', async (c) => c.json({ got: await c.req.json<unknown>(), type: c.req.header('content-type') ?? null }))
hono.post('/digest', (c) => digest(c.req.raw))
hono.get('/download/:size', (c) => download(Number(c.req.param('size'))))
hono.get('/cookies', (c) => {
  setHonoCookie(c, 'a', '1')
  setHonoCookie(c, 'b', '2')
  return c.text('two')
})
hono.get('/events', (c) => {
  streams.open++
  return streamSSE(c, async (stream) => {
    let over = false
    stream.onAbort(() => {
      over = true
      streams.open--
      streams.ended()
    })
    while (!over) {
      await stream.writeSSE({ data: 'tick' })
      await stream.sleep(5)
    }
  })
})

const h3 = new H3()
h3.get('/', () => 'hello')
h3.get('/users/:id', (event) => ({ id: event.context.params?.['id'], q: event.url.searchParams.get('q') }))
h3.post('/json', (event) => json(event.req as unknown as Request))
h3.post('/digest', (event) => digest(event.req as unknown as Request))
h3.get('/download/:size', (event) => download(Number(event.context.params?.['size'])))
h3.get('/cookies', (event) => {
  setCookie(event, 'a', '1')
  setCookie(event, 'b', '2')
  return 'two'
})
h3.get('/events', (event) => events(event.req as unknown as Request))

const itty = AutoRouter()
itty
  .get('/', () => new Response('hello'))
  .get('/users/:id', ({ params, query }: IRequest) => ({ id: params['id'], q: query['q'] ?? null }))
  .post('/json', (request: IRequest) => json(request as unknown as Request))
  .post('/digest', (request: IRequest) => digest(request as unknown as Request))
  .get('/download/:size', ({ params }: IRequest) => download(Number(params['size'])))
  .get('/cookies', cookies)
  .get('/events', (request: IRequest) => events(request as unknown as Request))

const bare: FetchHandler = async (request) => {
  const { pathname, searchParams } = new URL(request.url)
  const [, first = '', second = ''] = pathname.split('/')
  switch (`${request.method} ${first}`) {
    case 'GET ': return new Response('hello')
    case 'GET users': return Response.json({ id: second, q: searchParams.get('q') })
    case 'POST json': return json(request)
    case 'POST digest': return digest(request)
    case 'GET download': return download(Number(second))
    case 'GET cookies': return cookies()
    case 'GET events': return events(request)
    default: return new Response('nothing', { status: 404 })
  }
}

export const apps: Readonly<Record<string, FetchHandler | FetchApplication>> = {
  hono: hono as FetchApplication, h3: h3 as unknown as FetchApplication, itty: itty as unknown as FetchApplication, bare,
}
