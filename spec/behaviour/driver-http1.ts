import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { serve } from '../../lib/server/server.ts'
import { authority } from '../support/certificates.ts'
import { collect } from '../support/collect.ts'
import { ResponseReader } from '../support/response-reader.ts'
import { drained, serverOptions } from './driver-support.ts'
import type { DriverRequest, DriverWebSocketRequest, Protocol } from './driver.ts'
import { WsClient } from './ws-client.ts'

/** HTTP/1.1, a connection for each request, written and read byte by byte; WebSockets by `ws`. */
function http1Protocol(name: string, secure: boolean): Protocol {
  return {
    name,
    httpVersion: '1.1',
    secure,
    hasWebSockets: true,
    hasServer: true,
    async open(app, options = {}) {
      const server = await serve(app, serverOptions(secure, options))
      const port = Number(new URL(server.url).port)
      const ca = secure ? readFileSync(authority().cert) : undefined
      const sockets = new Set<Socket>()
      const clients = new Set<WsClient>()
      const ask = (request: DriverWebSocketRequest): WsClient => {
        const client = new WsClient(server.url.replace('http', 'ws'), request, ca)
        clients.add(client)
        return client
      }
      const send = (request: DriverRequest): Socket => {
        const socket = ca === undefined ? connect({ port, host: '127.0.0.1' }) : tlsConnect({ port, host: '127.0.0.1', ca })
        socket.setNoDelay(true)
        socket.on('error', () => {})
        sockets.add(socket)
        void writeRequest(socket, request)
        return socket
      }
      return {
        async request(request) {
          const socket = send(request)
          const reader = new ResponseReader(socket, request.method ?? 'GET')
          const head = await reader.head(request.onInterim)
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
}

export const http1: Protocol = http1Protocol('HTTP/1.1', false)
export const http1Tls: Protocol = http1Protocol('HTTP/1.1 over TLS', true)

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
    socket.write(`0\r\n${(trailers ?? []).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`, 'latin1')
  }
}
