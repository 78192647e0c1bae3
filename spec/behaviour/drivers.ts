/** The ways to call an application that the behaviour suite runs over: each gives the same view of a response. */
import { connect, type Socket } from 'node:net'
import type { Application } from '../../lib/contract/application.ts'
import { serve } from '../../lib/server/server.ts'
import { testClient } from '../../lib/testing/client.ts'
import { collect } from '../support/collect.ts'
import { ResponseReader } from '../support/response-reader.ts'

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

export interface Driver {
  request(request: DriverRequest): Promise<DriverResponse>
  /** Sends a request and goes away at once without waiting for its response. */
  requestAndLeave(request: DriverRequest, when: Promise<unknown>): Promise<void>
  close(): Promise<void>
}

export interface Protocol {
  readonly name: string
  readonly httpVersion: '1.1' | '2'
  open(app: Application, options?: { readonly rootPath?: string }): Promise<Driver>
}

export const inProcess: Protocol = {
  name: 'in-process',
  httpVersion: '1.1',
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
      close: () => client.close(),
    }
  },
}

export const http1: Protocol = {
  name: 'HTTP/1.1',
  httpVersion: '1.1',
  async open(app, options = {}) {
    const server = await serve(app, { port: 0, accessLog: false, logLevel: 'error', ...options })
    const { port } = new URL(server.url)
    const sockets = new Set<Socket>()
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
      async close() {
        for (const socket of sockets) socket.destroy()
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
