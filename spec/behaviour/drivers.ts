/** The ways to call an application that the behaviour suite runs over: each gives the same view of a response. */
import { connect, type Socket } from 'node:net'
import type { Application } from '../../lib/contract/application.ts'
import { WebSocketRefused } from '../../lib/contract/errors.ts'
import type { ExchangeObserver } from '../../lib/exchange/observer.ts'
import { serve } from '../../lib/server/server.ts'
import { testClient } from '../../lib/testing/client.ts'
import { collect } from '../support/collect.ts'
import { ResponseReader } from '../support/response-reader.ts'
import { WsClient } from './ws-client.ts'

export interface DriverRequest {
  readonly method?: string
  readonly path?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>
  readonly trailers?: readonly (readonly [string, string])[]
}

export interface DriverResponse {
  readonly status: number
  readonly headers: Headers
  readonly earlyHints: readonly string[]
  /** The parts of the body as they come; throws when the body is broken off. */
  readonly parts: AsyncIterable<Uint8Array>
  /** The whole body as text; throws when the body is broken off. */
  text(): Promise<string>
  /** Resolves when the body is complete. */
  trailers(): Promise<Headers>
  /** The client goes away. */
  leave(): void
}

export interface DriverWebSocketRequest {
  readonly path?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly subprotocols?: readonly string[]
}

export type Message = string | Uint8Array

export interface DriverWebSocket {
  readonly subprotocol: string | null
  readonly headers: Headers
  /** The names of the fields as they came. */
  readonly names: readonly string[]
  /** Resolves when the client has got rid of the message. */
  send(message: Message): Promise<void>
  /** The next message; null once the WebSocket is closed. The client reads no further ahead than some 64 KiB. */
  receive(): Promise<Message | null>
  /** How the WebSocket was closed, as the client sees it. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
  /** The client closes after what it sent. */
  close(code?: number, reason?: string): void
  /** The client is gone without a word. */
  leave(): void
}

export interface Driver {
  request(request: DriverRequest): Promise<DriverResponse>
  /** Sends a request and goes away at once without waiting for its response. */
  requestAndLeave(request: DriverRequest, when: Promise<unknown>): Promise<void>
  /** Asks for a WebSocket; gives the response if it is refused. */
  websocket(request: DriverWebSocketRequest): Promise<DriverWebSocket | DriverResponse>
  /** Asks for a WebSocket and goes away at once without waiting for an answer. */
  websocketAndLeave(request: DriverWebSocketRequest, when: Promise<unknown>): Promise<void>
  /** Stops the server, where there is one. */
  stop?(): Promise<void>
  close(): Promise<void>
}

export interface DriverOptions {
  readonly rootPath?: string
  readonly observer?: ExchangeObserver
}

export interface Protocol {
  readonly name: string
  readonly httpVersion: '1.1' | '2'
  /** Whether there is a server, which can be stopped. */
  readonly hasServer: boolean
  open(app: Application, options?: DriverOptions): Promise<Driver>
}

export const inProcess: Protocol = {
  name: 'in-process',
  httpVersion: '1.1',
  hasServer: false,
  async open(app, options = {}) {
    const client = await testClient(app, { raiseApplicationErrors: false, ...options })
    const fetch = async (request: DriverRequest, signal: AbortSignal): Promise<DriverResponse> => {
      const { path = '/', ...init } = request
      const response = await client.fetch(path, { ...init, signal })
      return {
        status: response.status,
        headers: response.headers,
        earlyHints: response.earlyHints,
        parts: response.body ?? (async function* () {})(),
        text: () => response.text(),
        trailers: () => response.trailers,
        leave: () => {},
      }
    }
    return {
      async request(request) {
        const controller = new AbortController()
        return { ...await fetch(request, controller.signal), leave: () => controller.abort() }
      },
      async requestAndLeave(request, when) {
        const controller = new AbortController()
        void when.then(() => controller.abort())
        await fetch(request, controller.signal).catch(() => {})
      },
      async websocket({ path = '/', ...init }) {
        const controller = new AbortController()
        try {
          const socket = await client.websocket(path, { ...init, signal: controller.signal })
          const messages = socket[Symbol.asyncIterator]()
          return {
            subprotocol: socket.subprotocol,
            headers: socket.headers,
            names: [...socket.headers.keys()],
            closed: socket.closed,
            send: (message) => socket.send(message),
            receive: async () => (await messages.next()).value ?? null,
            close: (code, reason) => void socket.close(code, reason),
            leave: () => controller.abort(),
          }
        } catch (error) {
          if (!(error instanceof WebSocketRefused)) throw error
          const { response } = error
          return {
            status: response.status,
            headers: response.headers,
            earlyHints: [],
            parts: response.body ?? (async function* () {})(),
            text: () => response.text(),
            trailers: async () => new Headers(),
            leave: () => controller.abort(),
          }
        }
      },
      async websocketAndLeave({ path = '/', ...init }, when) {
        const controller = new AbortController()
        void when.then(() => controller.abort())
        await client.websocket(path, { ...init, signal: controller.signal }).catch(() => {})
      },
      close: () => client.close(),
    }
  },
}

export const http1: Protocol = {
  name: 'HTTP/1.1',
  httpVersion: '1.1',
  hasServer: true,
  async open(app, options = {}) {
    const server = await serve(app, { port: 0, accessLog: false, logLevel: 'error', ...options })
    const { port } = new URL(server.url)
    const sockets = new Set<Socket>()
    const clients = new Set<WsClient>()
    const ask = (request: DriverWebSocketRequest): WsClient => {
      const client = new WsClient(server.url.replace('http:', 'ws:'), request)
      clients.add(client)
      return client
    }
    const send = (request: DriverRequest): Socket => {
      const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true })
      socket.on('error', () => {})
      sockets.add(socket)
      void writeRequest(socket, request)
      return socket
    }
    return {
      async request(request) {
        const socket = send(request)
        const reader = new ResponseReader(socket, request.method ?? 'GET')
        const head = await reader.head()
        return {
          ...head,
          parts: reader.parts(),
          text: async () => Buffer.concat(await collect(reader.parts())).toString(),
          trailers: () => reader.trailers(),
          leave: () => socket.destroy(),
        }
      },
      async requestAndLeave(request, when) {
        const socket = send(request)
        await when
        socket.destroy()
      },
      websocket: (request) => ask(request).answer,
      async websocketAndLeave(request, when) {
        const client = ask(request)
        await when
        client.leave()
      },
      stop: () => server.close(),
      async close() {
        for (const socket of sockets) socket.destroy()
        for (const client of clients) client.leave()
        await server.close()
      },
    }
  },
}

async function writeRequest(socket: Socket, { method = 'GET', path = '/', headers = [], body, trailers }: DriverRequest): Promise<void> {
  let head = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nte: trailers\r\n`
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`
  if (body === undefined) {
    socket.write(`${head}\r\n`, 'latin1')
  } else if (typeof body === 'string' || body instanceof Uint8Array) {
    socket.write(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n`, 'latin1')
    socket.write(body)
  } else {
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n`, 'latin1')
    for await (const chunk of body) {
      if (socket.destroyed) return
      const room = socket.write(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]))
      if (!room) await drained(socket)
    }
    socket.write(`0\r\n${(trailers ?? []).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done)
      resolve()
    }
    socket.on('drain', done).on('close', done)
  })
}

/** Every protocol that there is; later ones join here. */
export const protocols: readonly Protocol[] = [inProcess, http1]
