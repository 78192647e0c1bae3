import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Application } from '../../lib/contract/application.ts'
import type { Extensions } from '../../lib/contract/scope.ts'
import { fileExtensions } from '../../lib/exchange/extensions.ts'
import { HttpExchange } from '../../lib/exchange/http.ts'
import { LifespanExchange } from '../../lib/exchange/lifespan.ts'
import { httpScope, webSocketScope } from '../../lib/exchange/scope.ts'
import type { ExchangeSettings } from '../../lib/exchange/settings.ts'
import { WebSocketExchange } from '../../lib/exchange/websocket.ts'
import { readUpgrade } from '../../lib/protocols/http1/websocket-upgrade.ts'
import { refusalText } from '../../lib/protocols/http1/serializer.ts'
import { Refusal } from '../../lib/protocols/refusal.ts'
import { TimerWheel } from '../../lib/protocols/timer-wheel.ts'
import { WebSocketSession } from '../../lib/protocols/websocket/session.ts'
import type { WebSocketSettings } from '../../lib/protocols/websocket/settings.ts'
import { nodeHead } from './node-scope.ts'
import { NodeTransport } from './node-transport.ts'
import { responseOn, SocketLine } from './socket-line.ts'

export interface ToNodeOptions {
  /** Hears what the application throws, and why it does not start or stop. Default: writes it to stderr. */
  readonly onError?: (error: unknown) => void
}

/** A tsgi application inside a server of node:http. */
export interface NodeMount {
  /** For `http.createServer`, `app.use` of Express and the like, and the compatibility API of node:http2. */
  listener(request: IncomingMessage, response: ServerResponse): void
  /** For the event `upgrade`: WebSockets, on HTTP/1.1. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Serves all requests and upgrades of a server; the application starts at once, and shuts down when the server is closed. */
  attach(server: HttpServer): void
}

const none = Object.freeze({})
const http11: Extensions = Object.freeze({ 'http.response.early_hint': none, 'http.response.trailers': none, 'tsgi.request.trailers': none, ...fileExtensions })
const upgradable: Extensions = Object.freeze({ ...http11, 'tsgi.upgrade': none })
const webSocket: Extensions = Object.freeze({ 'websocket.http.response': none, 'tsgi.upgrade': none })

/**
 * Mounts a tsgi application, WebSockets included, in a server that exists already. What a framework has cut off the path
 * becomes `rootPath`. The application's lifespan starts with `attach`, or else with the first request.
 */
export function toNode(app: Application, options: ToNodeOptions = {}): NodeMount {
  const onError = options.onError ?? ((error: unknown) => console.error(error))
  const lifespan = new LifespanExchange({ mode: 'auto', startup: 60, shutdown: 60, unsupported: () => {}, failed: onError })
  const exchangeSettings: ExchangeSettings = {
    observer: {
      untimed: true,
      finished: ({ error }) => {
        if (error !== undefined) onError(error)
      },
    },
    defaultHeaders: [],
    debug: false,
    messageQueue: 32,
  }
  const webSocketSettings: WebSocketSettings = {
    wheel: new TimerWheel(), maxSize: 16 * 1024 * 1024, pingInterval: 20, pingTimeout: 20, deflate: false, origins: null, failed: () => {},
  }
  let started = false
  let starting: Promise<void> | null = null
  const start = (): Promise<void> => starting ??= lifespan.startup(app).then(() => {
    started = true
  })

  /** Runs `serve` once the application has started, `refuse` if it has not. */
  const whenStarted = (serve: () => void, refuse: () => void): void => {
    if (started) return serve()
    start().then(serve, (error: unknown) => {
      onError(error)
      refuse()
    })
  }

  const run = (request: IncomingMessage, response: ServerResponse, expectContinue: boolean, connection: { socket: Duplex; head: Buffer } | null): void => {
    const { httpVersion } = request
    const { head, rootPath } = nodeHead(request, httpVersion === '1.0' ? fileExtensions : connection === null ? http11 : upgradable)
    const scope = httpScope(head, rootPath, lifespan.state)
    const body = connection === null && !request.readableEnded
    const transport = new NodeTransport(request, response, connection)
    const trailers = httpVersion !== '1.0' && head.headers.getAll('te').some((value) => /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i.test(value))
    const exchange = new HttpExchange(transport, exchangeSettings, scope, { body, expectContinue, trailers })
    transport.begin(exchange, body ? exchange : null)
    // The client may have left while the application started.
    if (response.destroyed) exchange.gone()
    exchange.run(app)
  }

  const listen = (request: IncomingMessage, response: ServerResponse, expectContinue: boolean): void => {
    whenStarted(() => run(request, response, expectContinue, null), () => {
      response.statusCode = 500
      response.end('Internal Server Error')
    })
  }

  const runWebSocket = (request: IncomingMessage, socket: Duplex, bytes: Buffer): void => {
    const { head, rootPath } = nodeHead(request, webSocket)
    const { httpVersion, method, headers } = head
    const chunked = headers.has('transfer-encoding')
    const upgrade = readUpgrade({ httpVersion, method, headers, chunked, contentLength: Number(headers.get('content-length') ?? 0) }, webSocketSettings)
    if (upgrade instanceof Refusal) {
      socket.end(refusalText(upgrade.status, upgrade.reason, true), 'latin1')
      return
    }
    const { handshake, key } = upgrade
    const scope = webSocketScope({
      ...head, httpVersion: '1.1', scheme: head.scheme === 'http' ? 'ws' : 'wss', subprotocols: handshake.subprotocols,
    }, rootPath, lifespan.state)
    // The exchange of a refused WebSocket hears of its transport as that of an HTTP request would.
    const refuse = (): NodeTransport => {
      const transport = new NodeTransport(request, responseOn(request, socket))
      transport.begin(exchange, null)
      return transport
    }
    const session = new WebSocketSession(new SocketLine(socket, bytes, key, refuse), webSocketSettings, handshake)
    const exchange = new WebSocketExchange(session, exchangeSettings, scope)
    session.begin(exchange)
    if (socket.destroyed) exchange.gone()
    socket.once('close', () => exchange.gone())
    exchange.run(app)
  }

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // node:http has let go of the socket: what goes wrong on it is heard of by `close`.
    socket.on('error', () => {})
    whenStarted(() => {
      if (/(?:^|,)[ \t]*websocket[ \t]*(?:,|$)/i.test(request.headers.upgrade ?? '')) runWebSocket(request, socket, head)
      else run(request, responseOn(request, socket), false, { socket, head })
    }, () => socket.end(refusalText(500, 'the application has not started', true), 'latin1'))
  }

  const listener = (request: IncomingMessage, response: ServerResponse): void => listen(request, response, false)
  return {
    listener,
    upgrade,
    attach: (server) => {
      server.on('request', listener)
      server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => listen(request, response, true))
      server.on('upgrade', upgrade)
      server.on('close', () => lifespan.shutdown().catch(onError))
      start().catch((error: unknown) => {
        onError(error)
        server.emit('error', error)
      })
    },
  }
}
