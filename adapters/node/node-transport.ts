import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { HeaderList } from '../../lib/contract/headers.ts'
import type { HttpTransport, ResponseHead, TakeConnection } from '../../lib/exchange/transport.ts'
import { fieldList } from './node-scope.ts'

/** Fields of a connection: node:http writes its own, and HTTP/2 has none (RFC 9113 8.2.2). */
const connectionFields: ReadonlySet<string> = new Set(['connection', 'http2-settings', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

/** Who hears of what the client does. */
export interface TransportOwner {
  drained(): void
  gone(): void
}

/** Who takes the request's body. */
export interface BodyTaker {
  body(chunk: Uint8Array): void
  ended(last: Uint8Array | undefined, trailers: HeaderList | null): void
}

/** A request and response of node:http, or of the compatibility API of node:http2, as the transport of an exchange. */
export class NodeTransport implements HttpTransport {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #http2: boolean
  /** The connection, where it may be taken over. */
  readonly #connection: { readonly socket: Duplex; readonly head: Buffer } | null
  #exchange: TransportOwner | null = null
  #head: ResponseHead | null = null

  constructor(request: IncomingMessage, response: ServerResponse, connection: { readonly socket: Duplex; readonly head: Buffer } | null = null) {
    this.#request = request
    this.#response = response
    this.#http2 = request.httpVersionMajor >= 2
    this.#connection = connection
  }

  /** Binds the transport to its exchange, which is about to run. */
  begin(exchange: TransportOwner, body: BodyTaker | null): void {
    this.#exchange = exchange
    const request = this.#request
    const response = this.#response
    response.on('drain', () => exchange.drained())
    response.on('close', () => {
      exchange.gone()
      exchange.drained()
    })
    response.on('error', () => {})
    if (body === null) return
    request.on('data', (chunk: Buffer) => body.body(chunk))
    request.on('end', () => body.ended(undefined, fieldList(request.rawTrailers)))
    request.on('error', () => {})
  }

  inform(status: 100 | 103, headers: readonly string[]): void {
    if (this.#request.httpVersion === '1.0') return
    if (status === 100) return this.#response.writeContinue()
    const link = headers.filter((_, index) => index % 2 === 1)
    if (link.length > 0) this.#response.writeEarlyHints({ link })
  }

  head(head: ResponseHead): void {
    this.#head = head
  }

  write(chunk: Uint8Array | string): boolean {
    this.#writeHead()
    const response = this.#response
    if (chunk.length > 0) return response.write(this.#bytes(chunk))
    response.flushHeaders()
    return !response.writableNeedDrain
  }

  end(chunk: Uint8Array | string, trailers: readonly string[] | null): boolean {
    this.#writeHead()
    const response = this.#response
    if (trailers !== null && trailers.length > 0) response.addTrailers(joinedFields(trailers))
    if (chunk.length === 0 || typeof chunk === 'string') {
      response.end(this.#bytes(chunk))
      return true
    }
    response.end(chunk, () => this.#exchange?.drained())
    return false
  }

  abort(): void {
    // RFC 9113 7: INTERNAL_ERROR.
    if (this.#http2) (this.#response as unknown as Http2ServerResponse).stream.close(2)
    else this.#response.destroy()
  }

  pause(): void {
    this.#request.pause()
  }

  resume(): void {
    this.#request.resume()
  }

  takeOver(take: TakeConnection): void {
    const connection = this.#connection
    if (connection === null) return
    this.#response.detachSocket(connection.socket as never)
    take(connection.socket, connection.head)
  }

  /** node:http2 garbles strings that are written one after the other in one turn (seen in 20.20). */
  #bytes(chunk: Uint8Array | string): Uint8Array | string {
    return this.#http2 && typeof chunk === 'string' ? Buffer.from(chunk) : chunk
  }

  #writeHead(): void {
    const head = this.#head
    if (head === null) return
    this.#head = null
    const response = this.#response
    const { headers } = head
    const fields = new Map<string, string[]>()
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] ?? ''
      const value = headers[i + 1] ?? ''
      if (connectionFields.has(name)) continue
      const values = fields.get(name)
      if (values === undefined) fields.set(name, [value])
      else values.push(value)
    }
    if (head.contentLength !== null) fields.set('content-length', [String(head.contentLength)])
    if (head.close && !this.#http2) fields.set('connection', ['close'])
    for (const [name, values] of fields) {
      // Lists mean the same joined (RFC 9110 5.3), and node:http2 wants some of them so.
      response.setHeader(name, values.length === 1 ? values[0] ?? '' : name === 'set-cookie' || !this.#http2 ? values : values.join(', '))
    }
    response.writeHead(head.status)
  }
}

function joinedFields(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {}
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] ?? ''
    const value = flat[i + 1] ?? ''
    fields[name] = name in fields ? `${fields[name]}, ${value}` : value
  }
  return fields
}
