import bodyParser from 'body-parser'
import compression from 'compression'
import type express from 'express'
import type { Express, Request, Response } from 'express'
import session from 'express-session'
import httpProxy from 'http-proxy'
import { createReadStream } from 'node:fs'
import { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import morgan from 'morgan'
import multer from 'multer'
import passport from 'passport'
import { Strategy } from 'passport-local'
import serveStatic from 'serve-static'

const files = join(import.meta.dirname, 'files')
const page = join(files, 'page.html')
const longText = 'A line that compresses well.\n'.repeat(200)

/** An application that uses what Express and its middleware have; `lines` gets what morgan writes. */
export function expressApp(make: typeof express, upstream: string, lines: string[] = []): Express {
  const app = make()
  const proxy = httpProxy.createProxyServer({ target: upstream })
  proxy.on('error', (_error, _request, response) => (response as ServerResponse).writeHead(502).end('no upstream'))
  app.use(morgan(':method :url :status :res[content-length] HTTP/:http-version', { stream: { write: (line) => lines.push(line.trim()) } }))

  // Answers of every form.
  app.get('/text', (_request, response) => void response.send('plain text'))
  app.get('/json', (_request, response) => void response.json({ a: 1, ä: 'ö' }))
  app.get('/buffer', (_request, response) => void response.type('application/octet-stream').send(Buffer.from([0, 1, 254, 255])))
  app.get('/status/:code', (request, response) => void response.sendStatus(Number(request.params.code)))
  app.get('/empty/:code', (request, response) => void response.status(Number(request.params.code)).end())
  app.get('/redirect', (_request, response) => response.redirect(301, '/text?from=redirect'))
  app.get('/jsonp', (_request, response) => void response.jsonp({ a: 1 }))
  app.get('/format', (_request, response) => void response.format({ 'text/plain': () => response.send('text'), 'text/html': () => response.send('<b>html</b>') }))
  app.get('/cookies', (_request, response) => {
    response.cookie('a', '1', { httpOnly: true }).cookie('b', 'ü', { path: '/x' }).clearCookie('c')
    response.vary('Accept').links({ next: '/2' }).send('cookies')
  })
  app.get('/latin1', (_request, response) => void response.set('x-latin1', 'caf\u00e9').send(Buffer.from('x')))
  app.get('/no-type', (_request, response) => void response.end(Buffer.from('bytes')))

  // Heads.
  app.get('/head/implicit', (_request, response) => {
    response.statusCode = 202
    response.setHeader('X-Number', 7)
    response.setHeader('X-List', ['a', 'b'])
    response.end('implicit')
  })
  app.get('/head/explicit', (_request, response) => void response.writeHead(201, 'Made', { 'X-One': '1', 'Set-Cookie': ['a=1', 'b=2'], 'Content-Type': 'text/plain' }).end('explicit'))
  app.get('/head/flat', (_request, response) => {
    response.removeHeader('x-powered-by')
    response.writeHead(200, ['X-One', '1', 'X-Two', '2'] as never).end('flat')
  })
  app.get('/head/merged', (_request, response) => void response.set('x-one', 'set').set('x-two', 'set').writeHead(200, { 'X-One': 'given' }).end('merged'))
  app.get('/head/length', (_request, response) => void response.writeHead(200, { 'Content-Length': 6 }).end('length'))
  app.get('/head/flushed', (_request, response) => {
    response.flushHeaders()
    setTimeout(() => response.end('flushed'), 5)
  })
  app.get('/head/late', (_request, response) => {
    response.write('begun ')
    try {
      response.setHeader('x-late', '1')
    } catch (error) {
      response.end(codeOf(error))
    }
  })
  app.get('/head/bad', (_request, response) => {
    const codes = [
      () => response.setHeader('x-bad', 'a\nb'), () => response.setHeader('bad name', 'a'), () => response.setHeader('x-none', undefined as never),
      () => response.writeHead(99), () => response.writeHead(200, { 'x-bad': '\u0100' }), () => response.writeHead(200, 'a\nb'),
    ].map((wrong) => thrownBy(wrong))
    response.statusMessage = ''
    response.status(200).send(codes.join())
  })
  app.get('/head/names', (_request, response) => {
    response.setHeader('X-Camel', '1')
    response.appendHeader('x-more', '1')
    response.appendHeader('x-more', '2')
    response.json([response.getHeaderNames(), response.getHeader('x-camel'), response.hasHeader('X-CAMEL'), response.getHeaders(), response.headersSent])
  })

  // Streams.
  app.get('/stream', (_request, response) => {
    let count = 0
    const timer = setInterval(() => {
      response.write(`part ${count++}\n`)
      if (count === 4) {
        clearInterval(timer)
        response.end('the end')
      }
    }, 3)
  })
  app.get('/corked', (_request, response) => {
    response.cork()
    response.write('a')
    response.write(Buffer.from('b'))
    response.write('63', 'hex')
    response.write('ZA==', 'base64')
    response.uncork()
    response.end('e')
  })
  app.get('/encodings', (_request, response) => {
    response.write('ä', 'latin1')
    response.write('ä', 'utf8')
    response.end('ä', 'utf16le')
  })
  app.get('/pipe', (_request, response) => void createReadStream(page).pipe(response.type('html')))
  app.get('/large', (_request, response) => void response.send(Buffer.alloc(700_000, 'large ')))
  app.get('/sse', (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    response.write('data: 1\n\n')
    setTimeout(() => response.end('data: 2\n\n'), 3)
  })
  app.post('/echo', (request, response) => void request.pipe(response.type(request.get('content-type') ?? 'text')))
  app.get('/after-end', (_request, response) => {
    response.on('error', () => {})
    response.once('finish', () => response.write('late', (error) => lines.push(`after end: ${codeOf(error)}`)))
    response.end('ended')
  })
  app.get('/strict', (_request, response) => {
    response.strictContentLength = true
    response.writeHead(200, { 'content-length': 4 })
    const code = thrownBy(() => response.end('too long'))
    lines.push(`strict: ${code}`)
    response.end('four')
  })
  app.get('/trailers', (_request, response) => {
    response.writeHead(200, { 'Trailer': 'X-Sum', 'Content-Type': 'text/plain' })
    response.write('with ')
    response.addTrailers({ 'X-Sum': '42' })
    response.end('trailers')
  })
  app.post('/trailers', (request, response) => {
    request.resume().on('end', () => response.json([request.trailers, request.rawTrailers.map((each) => each.toLowerCase()), request.complete]))
  })
  app.get('/hints', (_request, response) => {
    response.writeEarlyHints({ link: ['</a.css>; rel=preload; as=style', '</b.js>; rel=preload; as=script'] }, () => response.send('hinted'))
  })
  app.get('/interim', (_request, response) => {
    response.writeContinue()
    response.writeProcessing()
    response.send('interim')
  })
  app.get('/timeout', (_request, response) => void response.setTimeout(5, () => response.status(503).send('too slow')))

  // What a request tells.
  app.all('/request', (request, response) => {
    const { method, url, originalUrl, path, query, hostname, protocol, secure, ip, headers, rawHeaders, headersDistinct, aborted, complete } = request
    const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()).filter((name) => name !== 'connection').sort()
    const answer = (): void => void response.json({
      method, url, originalUrl, path, query, hostname: hostname.length, protocol, secure, ip, aborted, complete, names,
      headers: without(headers), distinct: without(headersDistinct), type: request.is('text/*'), fresh: request.fresh, xhr: request.xhr,
      instances: [request instanceof IncomingMessage, response instanceof ServerResponse], same: response.socket === request.socket && request.connection === request.socket,
    })
    // A quick client has the last response before node:http hears so; until then this one waits for the socket.
    if (response.socket === null) response.once('socket', answer)
    else answer()
  })
  app.get('/socket', (request, response) => {
    const { socket } = request
    const heard: string[] = []
    const listener = (): void => void heard.push('close')
    socket.on('close', listener).once('error', listener).removeListener('close', listener)
    response.json([
      socket.remoteAddress, typeof socket.remotePort, socket.remoteFamily, socket.localAddress, typeof socket.localPort, (socket as { encrypted?: boolean }).encrypted,
      socket.writable, socket.readable, socket.destroyed, Object.keys(socket.address()).sort(), socket.setKeepAlive(true) === socket, socket.setNoDelay() === socket,
      socket.setTimeout(0) === socket, socket.ref() === socket, socket.unref() === socket, response.writableEnded, response.writableFinished, response.headersSent, response.finished,
      response.sendDate, response.statusMessage ?? null, heard,
    ])
  })
  app.get('/persists', (_request, response) => void response.json(response.shouldKeepAlive))
  const router = make.Router()
  router.get('/deep/:name', (request, response) => void response.json([request.baseUrl, request.url, request.originalUrl, request.params.name]))
  app.use('/mounted', router)

  // Bodies.
  app.post('/body/json', bodyParser.json({ limit: 1000 }), (request: Request, response: Response) => void response.json({ got: request.body as unknown }))
  app.post('/body/form', bodyParser.urlencoded({ extended: true }), (request: Request, response: Response) => void response.json(request.body))
  app.post('/body/raw', bodyParser.raw({ type: '*/*' }), (request: Request, response: Response) => void response.send(request.body))
  app.post('/body/text', bodyParser.text(), (request: Request, response: Response) => void response.send(request.body))
  const upload = multer({ storage: multer.memoryStorage(), limits: { fileSize: 5000 } })
  app.post('/upload', upload.array('file'), (request: Request, response: Response) => {
    const list = request.files as Express.Multer.File[]
    response.json({ fields: request.body as unknown, files: list.map(({ originalname, mimetype, size }) => [originalname, mimetype, size]) })
  })

  // Middleware.
  app.get('/compressed', compression(), (_request: Request, response: Response) => void response.type('text').send(longText))
  app.get('/compressed/stream', compression(), (_request: Request, response: Response) => {
    response.type('text').write(longText)
    response.end(longText)
  })
  app.use('/static', serveStatic(files, { lastModified: false, etag: true }))
  app.get('/file', (_request, response) => response.sendFile(page, { lastModified: false }))
  app.get('/download', (_request, response) => response.download(page, 'Seite für alle.html', { lastModified: false }))
  app.use('/through', (request, response) => proxy.web(request, response))
  let ids = 0
  const local = new passport.Passport()
  local.use(new Strategy((name, password, done) => done(null, password === 'secret' ? { name } : false)))
  local.serializeUser((user, done) => done(null, user))
  local.deserializeUser((user: object, done) => done(null, user as never))
  const sessions = [session({ secret: 'x', resave: false, saveUninitialized: false, genid: () => `id${ids++}` }), local.initialize(), local.session()]
  app.post('/login', ...sessions, bodyParser.json(), local.authenticate('local', { failWithError: true }), (request: Request, response: Response) => void response.json({ welcome: request.user }))
  app.get('/me', ...sessions, (request: Request, response: Response) => void response.json({ user: request.user ?? null, passport: request.isAuthenticated() }))

  // Failures.
  app.get('/throws', () => {
    throw Object.assign(new Error('thrown'), { status: 418, stack: 'thrown' })
  })
  app.get('/next', (_request, _response, next) => next(Object.assign(new Error('passed on'), { status: 503, stack: 'passed on' })))
  app.use((error: { status?: number; code?: string; message: string }, _request: Request, response: Response, next: (error: unknown) => void) => {
    if (response.headersSent) return next(error)
    response.status(error.status ?? 500).json({ failed: error.code ?? error.message })
  })
  return app
}

/** A server behind `http-proxy`. */
export function upstreamListener(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
    response.setHeader('Set-Cookie', ['u=1', 'v=2'])
    response.setHeader('X-Upstream', `${request.method} ${request.url}`)
    response.writeHead(chunks.length > 0 ? 201 : 200)
    response.write('from upstream: ')
    response.end(Buffer.concat(chunks))
  })
}

function codeOf(error: unknown): string {
  return (error as { code?: string } | null | undefined)?.code ?? String(error)
}

function thrownBy(run: () => unknown): string {
  try {
    run()
    return 'nothing'
  } catch (error) {
    return codeOf(error)
  }
}

/** Header fields that every client sends alike. */
function without(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'host' && name !== 'connection' && name !== 'transfer-encoding').sort(([a], [b]) => a < b ? -1 : 1))
}
