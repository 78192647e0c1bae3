import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2'
import { serve } from '../../lib/server/server.ts'
import { authority } from '../support/certificates.ts'
import { drained, serverOptions } from './driver-support.ts'
import type { DriverRequest, DriverResponse, DriverWebSocket, DriverWebSocketRequest, Protocol } from './driver.ts'
import { wsOverStream } from './ws-over-stream.ts'

/** HTTP/2 by Node's client: the streams of one connection. Without TLS by prior knowledge, on the port of HTTP/1.1. */
function http2Protocol(name: string, secure: boolean): Protocol {
  return {
    name,
    httpVersion: '2',
    secure,
    hasWebSockets: true,
    hasServer: true,
    async open(app, options = {}) {
      const server = await serve(app, serverOptions(secure, options))
      const session = connect(server.url, secure ? { ca: readFileSync(authority().cert) } : {})
      session.on('error', () => {})
      return {
        request(request) {
          const controller = new AbortController()
          return responseTo(send(session, request, controller.signal), request, controller)
        },
        async requestAndLeave(request, when) {
          const controller = new AbortController()
          send(session, request, controller.signal)
          await when
          controller.abort()
        },
        async websocket(request) {
          const controller = new AbortController()
          return webSocketFor(await extendedConnect(session, request, secure, controller.signal), controller)
        },
        async websocketAndLeave(request, when) {
          const controller = new AbortController()
          await extendedConnect(session, request, secure, controller.signal)
          await when
          controller.abort()
        },
        stop: () => server.close(),
        async close() {
          session.destroy()
          await server.close()
        },
      }
    },
  }
}

export const http2: Protocol = http2Protocol('HTTP/2', false)
export const http2Tls: Protocol = http2Protocol('HTTP/2 over TLS', true)

/** Codes by which a stream may be reset. */
const NAMES: Readonly<Record<number, string>> = {
  [constants.NGHTTP2_INTERNAL_ERROR]: 'NGHTTP2_INTERNAL_ERROR',
  [constants.NGHTTP2_CANCEL]: 'NGHTTP2_CANCEL',
}

/** The signal resets the stream with CANCEL; `close` would end the body first, as if it were whole. */
function send(session: ClientHttp2Session, request: DriverRequest, signal: AbortSignal): ClientHttp2Stream {
  const { method = 'GET', path = '/', headers = [], body, trailers } = request
  const fields: OutgoingHttpHeaders = { ':method': method, ':path': path, ':authority': 'localhost', te: 'trailers' }
  const whole = typeof body === 'string' || body instanceof Uint8Array
  if (whole) fields['content-length'] = Buffer.byteLength(body)
  addFields(fields, headers)
  const stream = session.request(fields, { endStream: body === undefined, waitForTrailers: trailers !== undefined, signal })
  stream.on('error', () => {})
  if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(addFields({}, trailers)))
  if (whole) stream.end(body)
  else if (body !== undefined) void writeParts(stream, body)
  return stream
}

/** Asks for a WebSocket (RFC 8441 4), once the server has said that it has them. */
async function extendedConnect(session: ClientHttp2Session, request: DriverWebSocketRequest, secure: boolean, signal: AbortSignal): Promise<ClientHttp2Stream> {
  const { path = '/', headers = [], subprotocols = [] } = request
  if (session.remoteSettings?.enableConnectProtocol !== true) await once(session, 'remoteSettings')
  const fields: OutgoingHttpHeaders = {
    ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': secure ? 'https' : 'http', ':path': path, ':authority': 'localhost', 'sec-websocket-version': '13',
  }
  if (subprotocols.length > 0) fields['sec-websocket-protocol'] = subprotocols.join(', ')
  const stream = session.request(addFields(fields, headers), { endStream: false, signal })
  stream.on('error', () => {})
  return stream
}

/** The WebSocket, or the response in its place. */
function webSocketFor(stream: ClientHttp2Stream, controller: AbortController): Promise<DriverWebSocket | DriverResponse> {
  const refusal = responseTo(stream, {}, controller)
  return new Promise((resolve, reject) => {
    refusal.then((response) => { if (response.status !== 200) resolve(response) }, reject)
    const listen = stream.on.bind(stream) as (name: string, listener: (fields: { ':status': number }, flags: number, raw: readonly string[]) => void) => void
    listen('response', ({ ':status': status }, _flags, raw) => {
      if (status === 200) resolve(wsOverStream(stream, raw, () => controller.abort()))
    })
  })
}

function addFields(fields: OutgoingHttpHeaders, headers: Iterable<readonly [string, string]>): OutgoingHttpHeaders {
  for (const [name, value] of headers) {
    const before = fields[name.toLowerCase()]
    fields[name.toLowerCase()] = before === undefined ? value : [...(Array.isArray(before) ? before : [String(before)]), value]
  }
  return fields
}

async function writeParts(stream: ClientHttp2Stream, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of body) {
    if (stream.closed || stream.destroyed) return
    if (!stream.write(chunk)) await drained(stream)
  }
  if (!stream.closed && !stream.destroyed) stream.end()
}

function responseTo(stream: ClientHttp2Stream, { method, onInterim }: DriverRequest, controller: AbortController): Promise<DriverResponse> {
  const earlyHints: string[] = []
  let trailers = new Headers()
  // Node's types lack the names and values in turn, which alone show what came.
  const listen = stream.on.bind(stream) as (name: string, listener: (fields: { ':status': number }, flags: number, raw: readonly string[]) => void) => void
  listen('headers', ({ ':status': status }, _flags, raw) => {
    if (status === 103) earlyHints.push(...valuesOf(raw, 'link'))
    onInterim?.(status)
  })
  listen('trailers', (_fields, _flags, raw) => (trailers = headersOf(raw)))
  const over = new Promise<void>((resolve) => stream.on('end', resolve).on('close', resolve))
  return new Promise((resolve, reject) => {
    stream.on('close', () => reject(new Error(`no response: the stream was reset with ${stream.rstCode}`)))
    listen('response', ({ ':status': status }, _flags, raw) => {
      const headers = headersOf(raw)
      const parts = partsOf(stream, method === 'HEAD' || status === 304 ? null : headers.get('content-length'))
      resolve({
        status,
        headers,
        earlyHints,
        parts,
        async text() {
          const all: Uint8Array[] = []
          for await (const part of parts) all.push(part)
          return Buffer.concat(all).toString()
        },
        async trailers() {
          for await (const _ of parts);
          await over
          return trailers
        },
        leave: () => controller.abort(),
      })
    })
  })
}

/** The parts of a body; throws unless it ends as it should. Node 24's own iterator takes a body that came at once for cut short. */
async function* partsOf(stream: ClientHttp2Stream, length: string | null): AsyncGenerator<Uint8Array, void, void> {
  let size = 0
  for (;;) {
    const chunk = stream.read() as Uint8Array | null
    if (chunk !== null) {
      size += chunk.length
      yield chunk
    } else if (stream.readableEnded || stream.destroyed) {
      break
    } else {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          stream.off('readable', go).off('end', go).off('close', go)
          resolve()
        }
        stream.on('readable', go).on('end', go).on('close', go)
      })
    }
  }
  if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw new Error(`the stream was reset with ${NAMES[stream.rstCode] ?? stream.rstCode}`)
  if (!stream.readableEnded) throw new Error('the stream was closed before its end')
  if (length !== null && size !== Number(length)) throw new Error(`${size} bytes of ${length}`)
}

function valuesOf(raw: readonly string[], name: string): string[] {
  return raw.filter((_, index) => index % 2 === 1 && raw[index - 1] === name)
}

function headersOf(raw: readonly string[]): Headers {
  const headers = new Headers()
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? ''
    if (!name.startsWith(':')) headers.append(name, raw[i + 1] ?? '')
  }
  return headers
}
