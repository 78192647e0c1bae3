import { connect, type Socket } from 'node:net'
import { fromUwsgi } from '../../adapters/uwsgi/index.ts'
import { serve } from '../../lib/server/server.ts'
import { collect } from '../support/collect.ts'
import { ResponseReader } from '../support/response-reader.ts'
import { packet, requestVariables } from '../support/uwsgi.ts'
import { http2 } from './driver-http2.ts'
import { drained } from './driver-support.ts'
import type { DriverRequest, Protocol } from './driver.ts'

const noTrailers = 'uwsgi has no trailers'
const moreBuffers = 'the figures are those of one connection, here are two'
const noTrailersToLack = 'one of its responses lacks its trailers only, which nobody sees without trailers'
const noInterim = 'uwsgi has no interim responses'

const cannot: Readonly<Record<string, string>> = {
  'request trailers come with the last http.request, and never among the headers': noTrailers,
  'trailers that were announced go out after the body': noTrailers,
  'trailers go both ways, repeated ones too': noTrailers,
  'trailers that were announced and are none, or have no body before them': noTrailers,
  'RFC 9110 5.3: fields that are lists may be repeated in trailers, whatever they are': noTrailers,
  'framing, routing and authentication fields in trailers are refused (RFC 9110 6.5.1)': noTrailers,
  'early hints go out before the start, and after it while the head is held; a late one is ignored': noInterim,
  'an application that fails after the head breaks the response off': noTrailersToLack,
  '100 Continue goes out when the application first receives, once, and not before': noInterim,
}

const noWebSocket = (): Promise<never> => Promise.reject(new Error('no WebSocket over uwsgi'))

/** A packet for each request, written and read byte by byte. A body in parts has to say its size. */
export const uwsgi: Protocol = {
  name: 'uwsgi',
  httpVersion: '1.1',
  secure: false,
  hasWebSockets: false,
  hasServer: true,
  cannot,
  async open(app, options = {}) {
    const server = await serve(app, { bind: ['uwsgi://127.0.0.1:0'], accessLog: false, logLevel: 'error', ...options })
    const { port } = new URL(server.url)
    const sockets = new Set<Socket>()
    const send = (request: DriverRequest): Socket => {
      const socket = connect({ port: Number(port), host: '127.0.0.1' })
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
      websocket: noWebSocket,
      websocketAndLeave: noWebSocket,
      stop: () => server.close(),
      async close() {
        for (const socket of sockets) socket.destroy()
        await server.close()
      },
    }
  },
}

/** HTTP/2 to a server that forwards by `fromUwsgi` to one that speaks uwsgi. */
export const fromUwsgiToUwsgi: Protocol = {
  name: 'HTTP/2 and fromUwsgi to uwsgi',
  httpVersion: '2',
  secure: false,
  hasWebSockets: false,
  hasServer: true,
  cannot: {
    ...cannot,
    'headers are an iterable of pairs in order, with lower-case names, and find by any case': 'repeated fields are merged into one variable (RFC 3875 4.1.18)',
    'an application that answers without receiving sends no 100 Continue': 'a body that says its length is sent on as it comes',
    'RFC 9113 8.2.2: fields of a connection are dropped, in interim responses and trailers too': noTrailers,
    'an application that does not receive holds its own client only': moreBuffers,
    'a client that does not read holds its own response only': moreBuffers,
  },
  async open(app, options = {}) {
    const back = await serve(app, { bind: ['uwsgi://127.0.0.1:0'], accessLog: false, logLevel: 'error', ...options })
    const front = await http2.open(fromUwsgi(back.url))
    const sized = (request: DriverRequest): DriverRequest => {
      const { size, headers = [] } = request
      return size === undefined ? request : { ...request, headers: [...headers, ['content-length', String(size)]] }
    }
    return {
      ...front,
      request: (request) => front.request(sized(request)),
      requestAndLeave: (request, when) => front.requestAndLeave(sized(request), when),
      async stop() {
        await Promise.all([front.stop?.(), back.close()])
      },
      async close() {
        await front.close()
        await back.close()
      },
    }
  },
}

async function writeRequest(socket: Socket, { method = 'GET', path = '/', headers = [], body, size }: DriverRequest): Promise<void> {
  const whole = typeof body === 'string' || body instanceof Uint8Array
  const contentLength = whole ? Buffer.byteLength(body) : size
  if (body !== undefined && contentLength === undefined) throw new Error('a body over uwsgi must say its length')
  socket.write(packet(requestVariables({ method, path, headers, ...(contentLength === undefined ? {} : { contentLength }) })))
  if (whole) {
    socket.write(body)
  } else if (body !== undefined) {
    for await (const part of body) {
      if (socket.destroyed) return
      if (!socket.write(part)) await drained(socket)
    }
  }
}
