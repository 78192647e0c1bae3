import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Application, HttpPart, Receive, Send } from '../../lib/contract/application.ts'
import { InvalidOption } from '../../lib/contract/errors.ts'
import type { SendEvent } from '../../lib/contract/events.ts'
import type { HttpScope, WebSocketScope } from '../../lib/contract/scope.ts'
import { makeRequest, setVersion } from './internals.ts'
import { listenerSource, sourceOf, type ListenerSource } from './listener.ts'
import { NodeExchange, type NodeListener } from './node-exchange.ts'
import { requestFields, wholeUrl } from './request-fields.ts'

/** A listener for `upgrade` of node:http: it answers on the socket itself. `head` is what came behind the request. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** What `fromNode` runs: a listener, an application of a framework for node:http, or an `http.Server` that does not listen. */
export type NodeTarget = NodeListener | HttpServer | object

export interface FromNodeOptions {
  /**
   * Takes upgrades over, WebSockets among them, on HTTP/1.1. Default: the `upgrade` listeners of the `http.Server`, if the
   * target is one.
   */
  readonly upgrade?: UpgradeListener
}

/**
 * Makes an application of a `(req, res)` listener for node:http: a function, an application of Express, Koa, Fastify,
 * Connect, Polka or Hapi, or an `http.Server` that does not listen, such as one that socket.io is attached to.
 */
export function fromNode(target: NodeTarget, options?: FromNodeOptions): HttpPart
export function fromNode(target: NodeTarget, options: FromNodeOptions = {}): Application {
  const source = listenerSource(target) ?? (typeof target === 'function' ? sourceOf(target as NodeListener) : null)
  if (source === null) {
    throw new InvalidOption('the target of fromNode', 'a (req, res) listener, an application of Express, Koa, Fastify, Connect, Polka or Hapi, or an http.Server', target)
  }
  const { listener, server } = source
  const begin = onceReady(source)
  const takesUpgrades = (): boolean => options.upgrade !== undefined || (server !== null && server.listenerCount('upgrade') > 0)
  const upgrade: UpgradeListener = options.upgrade ?? ((request, socket, head) => void server?.emit('upgrade', request, socket, head))
  const serve = (scope: HttpScope | WebSocketScope, receive: Receive, send: Send): Promise<void> => {
    if (scope.extensions['tsgi.upgrade'] !== undefined && takesUpgrades()) return send({ type: 'tsgi.upgrade', take: (socket, head) => takeOver(scope, socket, head, upgrade) })
    const exchange = new NodeExchange(scope, receive, scope.type === 'http' ? send : refusing(send), server)
    return exchange.run(server !== null && expectsContinue(scope, server) ? (request, response) => server.emit('checkContinue', request, response) : listener)
  }
  return (scope, receive, send) => {
    if (scope.type === 'lifespan') return live(source, begin, receive, send)
    const starting = begin()
    return starting === null ? serve(scope, receive, send) : starting.then(() => serve(scope, receive, send))
  }
}

/** Gives the promise to await before a request is served, null once it is kept. */
function onceReady({ ready }: ListenerSource): () => Promise<unknown> | null {
  let done = ready === null
  let starting: Promise<unknown> | null = null
  return () => {
    if (done || ready === null) return null
    starting ??= Promise.resolve(ready()).then(() => {
      done = true
    })
    return starting
  }
}

async function live(source: ListenerSource, begin: () => Promise<unknown> | null, receive: Receive, send: Send): Promise<void> {
  await receive()
  try {
    await begin()
  } catch (error) {
    await send({ type: 'lifespan.startup.failed', message: messageOf(error) })
    throw error
  }
  await send({ type: 'lifespan.startup.complete' })
  await receive()
  try {
    await source.close?.()
  } catch (error) {
    await send({ type: 'lifespan.shutdown.failed', message: messageOf(error) })
    throw error
  }
  await send({ type: 'lifespan.shutdown.complete' })
}

function takeOver(scope: HttpScope | WebSocketScope, socket: Duplex, head: Uint8Array, upgrade: UpgradeListener): void {
  const { url, flat } = requestFields(scope)
  const request = makeRequest(socket as Socket, scope.type === 'http' ? scope.method : 'GET', url, flat)
  setVersion(request, 1, 1)
  request.complete = true
  Object.assign(request, { upgrade: true }, scope.rootPath === '' ? null : { originalUrl: wholeUrl(scope), baseUrl: scope.rootPath })
  upgrade(request, socket, Buffer.isBuffer(head) ? head : Buffer.from(head))
}

function expectsContinue(scope: HttpScope | WebSocketScope, server: HttpServer): boolean {
  return server.listenerCount('checkContinue') > 0 && scope.httpVersion !== '1.0' && scope.headers.get('expect')?.toLowerCase() === '100-continue'
}

/** Where nobody takes upgrades, a WebSocket is a request like any other, and what answers it refuses it. */
function refusing(send: Send): Send {
  return (event: SendEvent) => {
    switch (event.type) {
      case 'http.response.start':
        return send({ type: 'websocket.http.response.start', status: event.status, headers: event.headers })
      case 'http.response.body':
        return send({ type: 'websocket.http.response.body', body: event.body, moreBody: event.moreBody })
      default:
        return send(event)
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
