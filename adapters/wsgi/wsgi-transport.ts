import { AsyncResource } from 'node:async_hooks'
import { STATUS_CODES } from 'node:http'
import { ClientDisconnected } from '../../lib/contract/errors.ts'
import type { HttpScope, WebSocketScope } from '../../lib/contract/scope.ts'
import type { HttpExchange } from '../../lib/exchange/http.ts'
import { asyncResourceOptions } from '../../lib/exchange/settings.ts'
import type { HttpTransport, ResponseHead } from '../../lib/exchange/transport.ts'
import { syncToAsync, type AsyncForm } from '../../lib/threads/index.ts'
import { alone, type WsgiHead } from './to-wsgi-host.ts'

type Host = typeof import('./to-wsgi-host.ts')

/**
 * What is left of a response when it is complete: a head that has not been given yet, the last block, and what to log;
 * or which function of the host has thrown.
 */
export type WsgiAnswer = readonly [head: WsgiHead | null, block: Uint8Array | null, errors: string] | 'read failed' | 'write failed'

interface Settle {
  resolve(answer: WsgiAnswer): void
  reject(error: unknown): void
}

/** Most bytes of the request's body to read at a time, and of small parts of the response to write in one. */
const BLOCK = 65536
const EMPTY = new Uint8Array(0)
const hostModule = new URL('./to-wsgi-host.js', import.meta.url)
const inputRef = new URL('#readInput', hostModule)
const respond = syncToAsync<Host['respond']>(new URL('#respond', hostModule))

/** Exchanges whose error a host has been told. */
const told = new WeakSet<object>()

/**
 * The transport of an exchange whose client is a WSGI host. The host's thread is parked in one call for as long as the
 * response takes, and what the host must do is called beneath it: one write at a time, and a read only when the
 * application waits for the body. A read may be beneath a write, never above one, so that none waits for the other.
 */
export class WsgiTransport implements HttpTransport {
  readonly #id: string
  readonly #settle: Settle
  /** That of the call: whoever sends or receives may be at work for another thread, or for none. */
  readonly #context = new AsyncResource('TSGI_WSGI', asyncResourceOptions)
  #exchange!: HttpExchange

  // The request's side.
  #unread: number | null
  #ended: boolean
  #wanted = 0
  #reading = false
  #readInput: AsyncForm<Host['readInput']> | null = null
  #stopReading: AbortController | null = null

  // The response's side.
  #head: WsgiHead | null = null
  #waiting: Uint8Array[] = []
  #writing = false
  #complete = false
  #over = false

  /** For the call `id`, whose body has `length` bytes, if that is known. */
  constructor(id: string, length: number | null, settle: Settle) {
    this.#id = id
    this.#unread = length
    this.#ended = length === 0
    this.#settle = settle
  }

  /** Whether a host has been told of the error of an exchange. */
  static hasTold(exchange: object): boolean {
    return told.has(exchange)
  }

  /** Binds the transport to its exchange, which is about to run. */
  begin(exchange: HttpExchange): void {
    this.#exchange = exchange
  }

  /** The application has called `receive`. */
  wanted(): void {
    if (this.#ended || this.#exchange.complete) return
    this.#wanted++
    this.#advance()
  }

  /** The host has left the call. */
  left(): void {
    this.#gone(() => this.#settle.reject(new ClientDisconnected('the host has given the request up')))
  }

  /** A host answers `Expect` by itself, when its input is read, and knows no early hints. */
  inform(): void {}

  head(head: ResponseHead): void {
    this.#head = wsgiHead(head)
  }

  write(chunk: Uint8Array | string): boolean {
    if (this.#over) return true
    // An empty block has the head go out.
    if (chunk.length > 0 || this.#head !== null) this.#waiting.push(bytesOf(chunk))
    this.#advance()
    return this.#waiting.length === 0
  }

  end(chunk: Uint8Array | string): boolean {
    if (this.#over) return true
    if (chunk.length > 0) this.#waiting.push(bytesOf(chunk))
    this.#complete = true
    this.#advance()
    return false
  }

  abort(reason: unknown): void {
    if (this.#over) return
    told.add(this.#exchange)
    this.#finish()
    this.#settle.reject(reason)
  }

  // The body is read when the application waits for it, so that none is ever ahead.
  pause(): void {}
  resume(): void {}

  #advance(): void {
    if (this.#over) return
    if (this.#complete) {
      // To stop a read stops what runs above it.
      if (!this.#reading || !this.#writing) this.#answer()
      return
    }
    if (this.#writing) return
    if (this.#wanted > 0 && !this.#reading && !this.#ended) void this.#read()
    if (this.#waiting.length > 0) void this.#write()
  }

  async #read(): Promise<void> {
    this.#reading = true
    this.#stopReading ??= new AbortController()
    const readInput = this.#readInput ??= syncToAsync<Host['readInput']>(inputRef, { signal: this.#stopReading.signal })
    const exchange = this.#exchange
    let bytes: Uint8Array
    try {
      bytes = await this.#context.runInAsyncScope(() => readInput(this.#id, Math.min(BLOCK, this.#unread ?? BLOCK)))
    } catch {
      return this.#gone(() => this.#settle.resolve('read failed'))
    }
    this.#reading = false
    this.#wanted--
    if (this.#unread !== null) {
      if (bytes.length === 0) return this.#gone(() => this.#settle.reject(new ClientDisconnected(`wsgi.input has ended ${this.#unread} bytes before CONTENT_LENGTH says`)))
      this.#unread = Math.max(0, this.#unread - bytes.length)
    }
    this.#ended = bytes.length === 0 || this.#unread === 0
    if (this.#ended) exchange.ended(bytes)
    else exchange.body(bytes)
    this.#advance()
  }

  async #write(): Promise<void> {
    const exchange = this.#exchange
    const head = this.#head
    const block = joined(this.#waiting, BLOCK)
    this.#head = null
    this.#writing = true
    try {
      await this.#context.runInAsyncScope(() => respond(this.#id, head, block))
    } catch {
      return this.#gone(() => this.#settle.resolve('write failed'))
    }
    this.#writing = false
    this.#advance()
    if (this.#waiting.length === 0 && !this.#complete) exchange.drained()
  }

  /** Gives the rest of the response to the thread, which goes on with it. */
  #answer(): void {
    const exchange = this.#exchange
    const { error, scope } = exchange
    if (error !== undefined) told.add(exchange)
    const block = joined(this.#waiting, Infinity)
    this.#settle.resolve([this.#head, block.length === 0 ? null : block, error === undefined ? '' : `${failureText(scope, error)}\n`])
    this.#finish()
    // The bytes are cloned soon, not yet.
    setImmediate(() => exchange.drained())
  }

  /** The host can take no more of the response. */
  #gone(settle: () => void): void {
    if (this.#over) return
    this.#finish()
    this.#exchange.gone()
    // An application that waits for its last block to be taken.
    this.#exchange.drained()
    settle()
  }

  #finish(): void {
    this.#over = true
    this.#waiting = []
    if (this.#reading) this.#stopReading?.abort()
  }
}

/** What a log says of an application that has failed: one line, then where. */
export function failureText(scope: HttpScope | WebSocketScope, error: unknown): string {
  const method = scope.type === 'http' ? scope.method : 'WEBSOCKET'
  const where = error instanceof Error ? error.stack ?? String(error) : String(error)
  return `${method} ${scope.rawPath}: the application failed\n${where}`
}

// RFC 2616 13.5.1, which PEP 3333 has in mind: fields of the connection, which a host may refuse. The exchange drops the others.
const hopByHop: ReadonlySet<string> = new Set(['keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'trailers', 'upgrade'])

function wsgiHead({ status, headers, contentLength }: ResponseHead): WsgiHead {
  const pairs: (readonly [name: string, value: string])[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    // PEP 3333 has no control characters in values, a tab is one.
    if (!hopByHop.has(name)) pairs.push([name, (headers[i + 1] ?? '').replaceAll('\t', ' ')])
  }
  if (contentLength !== null) pairs.push(['content-length', String(contentLength)])
  return [`${status} ${STATUS_CODES[status] ?? 'Unknown'}`, pairs]
}

function bytesOf(chunk: Uint8Array | string): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

/** Takes the first of the chunks, and as many after it as make no more than `most` bytes together. */
function joined(chunks: Uint8Array[], most: number): Uint8Array {
  let length = 0
  let count = 0
  for (const chunk of chunks) {
    if (count > 0 && length + chunk.length > most) break
    length += chunk.length
    count++
  }
  const taken = chunks.splice(0, count)
  const [first = EMPTY] = taken
  if (count <= 1) return alone(first)
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of taken) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
