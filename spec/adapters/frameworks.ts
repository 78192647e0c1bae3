/** Four frameworks: what is asked of an application of each, and how it listens on the framework's own server. */
import { serve as serveHono } from '@hono/node-server'
import express from 'express'
import fastify, { type FastifyInstance } from 'fastify'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { fromFetch } from '../../adapters/fetch/index.ts'
import { fromNode } from '../../adapters/node/index.ts'
import type { Application } from '../../lib/index.ts'
import { issue } from '../support/certificates.ts'
import type { TestContext } from '../support/suite.ts'
import { honoApp, koaApp, withRoutes } from './framework-apps.ts'
import { expressApp, upstreamListener } from './node/express-app.ts'
import { onNodeHttp, type Ask } from './node/hosts.ts'

export interface Framework {
  readonly name: string
  readonly asks: readonly Ask[]
  /** Whether its own server speaks HTTP/2. */
  readonly http2: boolean
  /** Listens on the framework's own server; gives the origin. With TLS over HTTP/2 too, where that server speaks it. */
  own(t: TestContext, tls: boolean): Promise<string>
  /** The same application for tsgi. */
  app(t: TestContext): Promise<Application>
}

const json = { 'content-type': 'application/json' }
const text = { 'content-type': 'text/plain' }

function gets(...paths: readonly string[]): Ask[] {
  return paths.map((path) => ({ path: `/${path}` }))
}

/** Asks that each of the smaller applications takes. */
const common: readonly Ask[] = [
  ...gets('text', 'json?a=1&a=%C3%A4', 'cookies', 'stream', 'buffer', 'large', 'empty', 'redirect', 'fails', 'crashes', 'none', 'deep/a%20b/c?x=y', 'sse'),
  { method: 'HEAD', path: '/text' },
  { method: 'DELETE', path: '/json' },
  { method: 'POST', path: '/json', headers: json, body: '{"grüße":[1,null]}' },
  { method: 'POST', path: '/json', headers: json, body: '{' },
  { method: 'POST', path: '/echo', headers: text, body: 'echoed '.repeat(20_000) },
  { method: 'POST', path: '/echo', headers: text, body: '' },
  { path: '/json', headers: { 'x-asked': 'yes', 'accept': 'text/x-special' } },
]

// ---- Express ----

const part = (name: string, content: string): string => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n${content}\r\n`
const upload = `${part('file"; filename="a.txt', 'Content-Type: text/plain\r\n\r\none')}${part('field', '\r\nvalue')}--b--\r\n`

const expressAsks: readonly Ask[] = [
  ...gets('text', 'json', 'buffer', 'status/404', 'status/204', 'empty/304', 'empty/404', 'redirect', 'jsonp?callback=f', 'cookies', 'latin1', 'no-type'),
  ...gets(...['implicit', 'explicit', 'flat', 'merged', 'length', 'flushed', 'late', 'bad', 'names'].map((name) => `head/${name}`)),
  ...gets('stream', 'corked', 'encodings', 'pipe', 'large', 'sse', 'after-end', 'strict', 'trailers', 'hints', 'interim', 'timeout', 'request?a=1&b=%C3%A4', 'socket'),
  ...gets('mounted/deep/a%2Fb?x=1', 'mounted/none', '%E0%A4%A', 'static/page.html', 'static/none.html', 'file', 'download', 'through/a?b=c', 'me', 'throws', 'next'),
  ...['text', 'stream', 'large'].map((path) => ({ method: 'HEAD', path: `/${path}` })),
  { path: '/format', headers: { accept: 'text/html' } },
  { path: '/format', headers: { accept: 'image/png' } },
  { path: '/compressed', headers: { 'accept-encoding': 'gzip' } },
  { path: '/compressed/stream', headers: { 'accept-encoding': 'gzip' } },
  { path: '/static/page.html', headers: { range: 'bytes=10-19' } },
  { method: 'OPTIONS', path: '/text' },
  { method: 'PATCH', path: '/nowhere' },
  { method: 'POST', path: '/echo', headers: text, body: 'echo '.repeat(50_000) },
  { method: 'POST', path: '/body/json', headers: json, body: '{"a":[1,{"b":"ä"}]}' },
  { method: 'POST', path: '/body/json', headers: json, body: '{"a":' },
  { method: 'POST', path: '/body/json', headers: json, body: JSON.stringify('x'.repeat(2000)) },
  { method: 'POST', path: '/body/form', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=1&b[c]=2&a=3' },
  { method: 'POST', path: '/body/raw', headers: { 'content-type': 'application/octet-stream' }, body: Buffer.from([0, 255, 1]) },
  { method: 'POST', path: '/upload', headers: { 'content-type': 'multipart/form-data; boundary=b' }, body: upload },
  { method: 'POST', path: '/through/post', headers: text, body: 'to upstream' },
  { method: 'POST', path: '/login', headers: json, body: '{"username":"ada","password":"wrong"}' },
  { method: 'POST', path: '/login', headers: json, body: '{"username":"ada","password":"secret"}' },
]

// ---- their own servers ----

function files(): { readonly cert: Buffer; readonly key: Buffer } {
  const { cert, key } = issue()
  return { cert: readFileSync(cert), key: readFileSync(key) }
}

/** Ends all connections of a server after the test, and then the server. */
function ends<S extends Server | Http2SecureServer>(t: TestContext, server: S): S {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket.once('close', () => sockets.delete(socket))))
  t.after(async () => {
    const closed = server.listening ? new Promise((resolve) => server.close(resolve)) : null
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return server
}

async function origin(server: Server | Http2SecureServer, tls: boolean): Promise<string> {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http${tls ? 's' : ''}://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A listener of node:http as one of node:http2: frameworks that take both do not say so in their types. */
function secure(listener: unknown): Http2SecureServer {
  return createSecureServer({ ...files(), allowHTTP1: true }, listener as (request: Http2ServerRequest, response: Http2ServerResponse) => void)
}

export const frameworks: readonly Framework[] = [
  {
    name: 'Express',
    asks: expressAsks,
    http2: false,
    own: async (t, tls) => {
      const app = expressApp(express, await onNodeHttp(t, upstreamListener))
      // It replaces the prototypes of requests, and so cannot be run by node:http2.
      return origin(ends(t, tls ? createTlsServer(files(), app) : createServer(app)), tls)
    },
    app: async (t) => fromNode(expressApp(express, await onNodeHttp(t, upstreamListener))),
  },
  {
    name: 'Koa',
    asks: common,
    http2: true,
    own: (t, tls) => origin(ends(t, tls ? secure(koaApp().callback()) : createServer(koaApp().callback() as RequestListener)), tls),
    app: async () => fromNode(koaApp()),
  },
  {
    name: 'Fastify',
    asks: common,
    http2: true,
    own: async (t, tls) => {
      const app = withRoutes(tls ? fastify({ http2: true, https: { ...files(), allowHTTP1: true } }) as unknown as FastifyInstance : fastify())
      ends(t, app.server)
      await app.listen({ host: '127.0.0.1', port: 0 })
      return origin(app.server, tls)
    },
    app: async () => fromNode(withRoutes(fastify())),
  },
  {
    name: 'Hono',
    asks: common,
    http2: true,
    own: (t, tls) => new Promise((resolve) => {
      const secured = { createServer: createSecureServer, serverOptions: { ...files(), allowHTTP1: true } }
      const server = serveHono({ fetch: honoApp().fetch, hostname: '127.0.0.1', port: 0, overrideGlobalObjects: false, ...(tls ? secured : {}) }, () => resolve(origin(server as Server, tls)))
      ends(t, server as Server)
    }),
    app: async () => fromFetch(honoApp()),
  },
]
