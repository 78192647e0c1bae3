/**
 * Everything of node:http that is not documented and that this adapter uses or overrides, in one place;
 * spec/adapters/node/internals.spec.ts holds each on the running version of Node (20, 22, 24 and 26 were read).
 *
 * - `IncomingMessage#_addHeaderLines(flat, length)`: gives a request its raw fields, or its raw trailers once `complete`.
 * - `IncomingMessage#_consuming`, `#_dump()`: whether anybody reads the body; reading it to nowhere.
 * - `IncomingMessage#_read()` calls `socket.resume()` while `socket.readable`, and nothing else of the socket.
 * - `ServerResponse#_storeHeader(firstLine, headers)`: every head, explicit or implicit, comes to it once. It is the one
 *   method that is overridden, as an own property, so that it survives a change of prototype.
 * - `_header`, `_headerSent`: that there is a head, and that no text of it is to be put before the body.
 * - `_contentLength`, `_removedContLen`, `_hasBody`, `_trailer`: what Node knows of the body and the trailers.
 * - `_closed`: whether `close` has been emitted.
 * - the symbols `kOutHeaders` (fields as name in lower case to `[name, value]`) and `kNeedDrain`.
 * - the event `prefinish`: `end()` has written everything.
 * - Of the socket, a response uses `_httpMessage`, `_hadError`, `writable`, `destroyed`, `errored`, `cork`, `uncork`,
 *   `writableCorked`, `writableLength`, `write`, `on`, `removeListener`, `setTimeout`, `destroy`, and sets
 *   `_writableState.corked` when it ends. See request-socket.ts.
 */
import { IncomingMessage, ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http'
import type { Socket } from 'node:net'
import type { HeaderPair } from '../../lib/contract/headers.ts'

/** A response's head, as Node would frame it. */
export interface OutgoingHead {
  readonly status: number
  readonly headers: readonly HeaderPair[]
  /** Whether there is a body whose length is not announced. */
  readonly unsized: boolean
  /** Whether trailers are there or announced. */
  readonly trailers: boolean
}

/** What lies beneath a response in place of a socket. */
export interface ResponseSink {
  /** The head is decided. */
  takeHead(head: OutgoingHead): void
}

/** The undocumented side of `IncomingMessage`. */
interface IncomingInternals {
  _consuming: boolean
  _addHeaderLines(flat: readonly string[], length: number): void
  _dump(): void
}

/** The undocumented side of `ServerResponse`. */
interface OutgoingInternals {
  _header: string | null
  _headerSent: boolean
  _contentLength: number | null
  readonly _removedContLen: boolean
  readonly _hasBody: boolean
  readonly _trailer: string
  _closed: boolean
  _storeHeader(firstLine: string, headers: HeadGiven): void
}

type FieldValue = string | number | readonly string[]
type HeadGiven = Record<string, FieldValue> | readonly FieldValue[] | readonly (readonly [string, FieldValue])[] | null | undefined
type OutHeaders = Record<string, readonly [name: string, value: FieldValue]>

const specimen = new ServerResponse(new IncomingMessage(null as unknown as Socket))
const symbols = Object.getOwnPropertySymbols(specimen)

/** Where a response keeps the fields that were set one by one. */
export const outHeadersKey: symbol | undefined = symbols.find((symbol) => symbol.description === 'kOutHeaders')
/** Where a response keeps that `drain` is owed. */
export const needDrainKey: symbol | undefined = symbols.find((symbol) => symbol.description === 'kNeedDrain')

const storeHeaderOfNode = (ServerResponse.prototype as unknown as OutgoingInternals)._storeHeader

/** Makes a request. `fields` has names and values in turn. */
export function makeRequest(socket: Socket, method: string, url: string, fields: readonly string[]): IncomingMessage {
  const request = new IncomingMessage(socket)
  request.method = method
  request.url = url
  ;(request as { upgrade?: boolean }).upgrade = false
  ;(request as unknown as IncomingInternals)._addHeaderLines(fields, fields.length)
  return request
}

/** Sets the version that a request shows. */
export function setVersion(request: IncomingMessage, major: number, minor: number): void {
  request.httpVersionMajor = major
  request.httpVersionMinor = minor
  request.httpVersion = `${major}.${minor}`
}

/** Makes the response to `request`, with `sink` beneath it. */
export function makeResponse(request: IncomingMessage, sink: ResponseSink): ServerResponse {
  const response = new ServerResponse(request)
  ;(response as unknown as OutgoingInternals)._storeHeader = storeHeader
  response.assignSocket(sink as unknown as Socket)
  return response
}

/** The body of `request` is complete, with these trailers, names and values in turn. */
export function completeRequest(request: IncomingMessage, trailers: readonly string[] | null): void {
  request.complete = true
  if (trailers !== null) (request as unknown as IncomingInternals)._addHeaderLines(trailers, trailers.length)
  request.push(null)
}

/** Whether anybody has begun to read the body. */
export function isConsumed(request: IncomingMessage): boolean {
  return (request as unknown as IncomingInternals)._consuming
}

/** Reads the body to nowhere, as node:http does with what nobody has read when the response is finished. */
export function dumpRequest(request: IncomingMessage): void {
  ;(request as unknown as IncomingInternals)._dump()
}

/** Emits `drain` if it is owed. */
export function drainResponse(response: ServerResponse): void {
  const owed = response as unknown as Record<symbol, boolean>
  if (needDrainKey === undefined || response.writableEnded || owed[needDrainKey] !== true) return
  owed[needDrainKey] = false
  response.emit('drain')
}

/** Emits `close`, once. */
export function closeResponse(response: ServerResponse): void {
  const internals = response as unknown as OutgoingInternals
  if (internals._closed) return
  response.destroyed = true
  internals._closed = true
  response.emit('close')
}

/** The trailers that were given, names and values in turn. */
export function trailersOf(response: ServerResponse): HeaderPair[] {
  const pairs: HeaderPair[] = []
  for (const line of (response as unknown as OutgoingInternals)._trailer.split('\r\n')) {
    const colon = line.indexOf(': ')
    if (colon > 0) pairs.push([line.slice(0, colon), line.slice(colon + 2)])
  }
  return pairs
}

/** Hands the head to what lies beneath, in place of making its text. Frames as `_storeHeader` of Node does. */
function storeHeader(this: ServerResponse & OutgoingInternals, firstLine: string, given: HeadGiven): void {
  const sink = this.socket as Partial<ResponseSink> | null
  // The response was moved to a socket of somebody else's.
  if (sink?.takeHead === undefined) return storeHeaderOfNode.call(this, firstLine, given)
  const fields = new Fields()
  const set = outHeadersKey === undefined ? undefined : (this as unknown as Record<symbol, unknown>)[outHeadersKey]
  if (given !== null && given !== undefined) {
    if (given === set) fields.addSet(given as unknown as OutHeaders)
    else fields.addGiven(given)
  }
  if (fields.length !== null) this._contentLength = fields.length
  const sized = fields.length !== null
  if (!sized && !fields.coded && this._hasBody && !fields.trailer && !this._removedContLen && typeof this._contentLength === 'number') {
    fields.pairs.push(['content-length', String(this._contentLength)])
    fields.length = this._contentLength
  }
  const unsized = this._hasBody && fields.length === null
  if (fields.trailer && !unsized) throw Object.assign(new Error('Trailers are invalid with this transfer encoding'), { code: 'ERR_HTTP_TRAILER_INVALID' })
  if (!this.shouldKeepAlive) fields.pairs.push(['connection', 'close'])
  this._header = firstLine
  this._headerSent = true
  sink.takeHead({ status: this.statusCode, headers: fields.pairs, unsized, trailers: fields.trailer || this._trailer !== '' })
}

/** The fields of a head, and what they say of its framing. */
class Fields {
  readonly pairs: HeaderPair[] = []
  length: number | null = null
  coded = false
  trailer = false

  /** Fields that were set one by one, and checked then. */
  addSet(headers: OutHeaders): void {
    for (const name in headers) {
      const value = headers[name]?.[1]
      if (typeof value === 'string') this.#add(name, value)
      else if (Array.isArray(value)) for (const each of value as readonly unknown[]) this.#add(name, String(each))
      else this.#add(name, String(value))
    }
  }

  /** What `writeHead` was given: an object, pairs, or names and values in turn. */
  addGiven(headers: NonNullable<HeadGiven>): void {
    if (!Array.isArray(headers)) {
      for (const [name, value] of Object.entries(headers)) this.#addChecked(name, value as FieldValue)
    } else if (Array.isArray(headers[0])) {
      for (const [name, value] of headers as readonly (readonly [string, FieldValue])[]) this.#addChecked(name, value)
    } else {
      if (headers.length % 2 !== 0) throw Object.assign(new TypeError("The argument 'headers' is invalid"), { code: 'ERR_INVALID_ARG_VALUE' })
      for (let i = 0; i < headers.length; i += 2) this.#addChecked(headers[i] as string, headers[i + 1] as FieldValue)
    }
  }

  #addChecked(name: string, value: FieldValue): void {
    validateHeaderName(name)
    for (const each of Array.isArray(value) ? value as readonly string[] : [value as string]) {
      validateHeaderValue(name, each)
      this.#add(name.toLowerCase(), String(each))
    }
  }

  #add(name: string, value: string): void {
    switch (name) {
      case 'content-length':
        this.length = Number(value)
        break
      case 'transfer-encoding':
        this.coded = true
        return
      case 'trailer':
        this.trailer = true
        break
    }
    this.pairs.push([name, value])
  }
}
