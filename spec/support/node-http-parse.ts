import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { Duplex } from 'node:stream'
import type { HeaderPair } from '../../lib/contract/headers.ts'

/** A request as node:http reads it. */
export interface NodeRequest {
  readonly method: string
  readonly target: string
  readonly version: string
  readonly headers: readonly HeaderPair[]
  readonly body: string
  readonly trailers: readonly HeaderPair[]
  readonly keepAlive: boolean
}

/** What node:http reads from one connection's bytes. */
export interface NodeReading {
  /** The requests that are complete, up to one that ends the connection. */
  readonly requests: readonly NodeRequest[]
  /** Why it refused the next one; null if it did not. */
  readonly refusal: string | null
  /** Whether the last complete request ends the connection. */
  readonly closed: boolean
}

type Event = { request: IncomingMessage; response: ServerResponse } | { refusal: string }

/**
 * Reads bytes with the parser of node:http, at once and without a socket: a server gets a stream as its connection,
 * and one `data` event. Requests are kept unanswered, so that each is read whatever came of those before it.
 */
export function nodeHttpReader(): (bytes: Buffer) => NodeReading {
  let events: Event[] = []
  const refuse = (refusal: string): void => void events.push({ refusal })
  const keep = (request: IncomingMessage, response: ServerResponse): void => void events.push({ request, response })
  // Nothing is answered here, so a head is one that Node itself writes (400 for a request without Host).
  class Refusing extends ServerResponse {
    override writeHead(status: number): this {
      refuse(String(status))
      return this
    }

    override end(): this {
      return this
    }
  }
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, IncomingMessage, ServerResponse: Refusing })
  server.on('request', keep)
  server.on('checkContinue', keep)
  server.on('checkExpectation', () => refuse('417'))
  server.on('clientError', (error: NodeJS.ErrnoException) => refuse(error.code ?? error.message))
  return (bytes) => {
    events = []
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    server.emit('connection', stream)
    stream.emit('data', bytes)
    if (stream.destroyed) refuse('destroyed')
    const reading = readingOf(events)
    stream.destroy()
    return reading
  }
}

function readingOf(events: readonly Event[]): NodeReading {
  const requests: NodeRequest[] = []
  for (const event of events) {
    if ('refusal' in event) return { requests, refusal: event.refusal, closed: false }
    const { request, response } = event
    if (!request.complete) continue
    requests.push({
      method: request.method ?? '',
      target: request.url ?? '',
      version: request.httpVersion,
      headers: inPairs(request.rawHeaders),
      body: bodyOf(request),
      trailers: inPairs(request.rawTrailers),
      keepAlive: response.shouldKeepAlive,
    })
    if (!response.shouldKeepAlive) return { requests, refusal: null, closed: true }
  }
  return { requests, refusal: null, closed: false }
}

/** What has been read of a body; Node 26 gives it chunk by chunk, those before in one piece. */
function bodyOf(request: IncomingMessage): string {
  let body = ''
  for (let chunk = request.read() as Buffer | null; chunk !== null; chunk = request.read() as Buffer | null) body += chunk.toString('latin1')
  return body
}

function inPairs(list: readonly string[]): readonly HeaderPair[] {
  const pairs: HeaderPair[] = []
  for (let i = 0; i < list.length; i += 2) pairs.push([(list[i] ?? '').toLowerCase(), list[i + 1] ?? ''])
  return pairs
}
