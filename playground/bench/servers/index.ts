import type { Contestant } from '../harness/workload.ts'

const program = (file: string): URL => new URL(file, import.meta.url)

/** Bare `node:http`. */
export const nodeHttp: Contestant = { name: 'node-http', program: program('node-http.mjs') }
/** `node:net` with a canned reply. */
export const floor: Contestant = { name: 'floor', program: program('floor.mjs') }
/** tsgi, compiled, through its public `serve`. */
export const tsgi: Contestant = { name: 'tsgi', program: program('tsgi.mjs'), package: 'tsgi' }
/** fastify with its own router. */
export const fastify: Contestant = { name: 'fastify', program: program('fastify.mjs'), package: 'fastify' }
/** A Hono application on `@hono/node-server`. */
export const hono: Contestant = { name: 'hono', program: program('hono.mjs'), package: '@hono/node-server' }
/** A fetch handler on srvx, with its fast response. */
export const srvx: Contestant = { name: 'srvx', program: program('srvx.mjs'), package: 'srvx' }
/** `ws` without compression. */
export const ws: Contestant = { name: 'ws', program: program('ws.mjs'), package: 'ws' }
/** tsgi with a WebSocket application. */
export const tsgiWebSocket: Contestant = { name: 'tsgi', program: program('tsgi-websocket.mjs'), package: 'tsgi' }
/** The servers of Node itself: `node:http2` by its `stream` event, and `node:https`. */
export const nodeHttp2: Contestant = { name: 'node', program: program('node-http2.mjs') }
/** `node:http2` by its compatibility API. */
export const nodeHttp2Compat: Contestant = { name: 'node-compat', program: program('node-http2-compat.mjs') }
/** tsgi with a sync application, on threads. */
export const tsgiWsgiThreads: Contestant = { name: 'wsgi-threads', program: program('tsgi-wsgi.mjs'), package: 'tsgi' }
/** tsgi with the same application, inline. */
export const tsgiWsgiInline: Contestant = { name: 'wsgi-inline', program: program('tsgi-wsgi-inline.mjs'), package: 'tsgi' }
/** tsgi with an async application, beside its sync ones. */
export const tsgiAsync: Contestant = { name: 'async', program: program('tsgi.mjs'), package: 'tsgi' }
/** uvicorn with a sync application, on Debian's Python. */
export const uvicornWsgi: Contestant = { name: 'uvicorn', program: program('uvicorn-wsgi.py'), command: '/usr/bin/python3' }
/** tsgi over HTTP/2, and over TLS. */
export const tsgiHttp2: Contestant = { name: 'tsgi', program: program('tsgi-http2.mjs'), package: 'tsgi' }
/** A Koa application with layers. */
export const koaLayers: Contestant = { name: 'koa', program: program('koa-layers.mjs'), package: 'koa' }
/** A Hono application with layers on `@hono/node-server`. */
export const honoLayers: Contestant = { name: 'hono', program: program('hono-layers.mjs'), package: 'hono' }
/** A stack of tsgi with neutral layers. */
export const tsgiStack: Contestant = { name: 'tsgi', program: program('tsgi-stack.mjs'), package: 'tsgi' }
/** An Express application on node:http. */
export const expressNode: Contestant = { name: 'express', program: program('express-node.mjs'), package: 'express' }
/** The same on tsgi. */
export const expressTsgi: Contestant = { name: 'express-tsgi', program: program('express-tsgi.mjs'), package: 'tsgi' }
/** A Hono application on srvx. */
export const honoSrvx: Contestant = { name: 'hono-srvx', program: program('hono-srvx.mjs'), package: 'srvx' }
/** The same on tsgi. */
export const honoTsgi: Contestant = { name: 'hono-tsgi', program: program('hono-tsgi.mjs'), package: 'tsgi' }
