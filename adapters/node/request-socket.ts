import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getDefaultHighWaterMark } from 'node:stream'
import type { Address, HttpScope, TlsExtension, WebSocketScope } from '../../lib/contract/scope.ts'
import { certificateObject, protocolName } from './peer-certificate.ts'
import type { OutgoingHead, ResponseSink } from './internals.ts'

/** Called with what went wrong, or nothing. */
export type Callback = (error?: Error | null) => void

/** Who hears of what happens on the socket of a request. */
export interface SocketOwner extends ResponseSink {
  /** Whether bytes may be written: the head is decided. */
  readonly hasHead: boolean
  /** Bytes that have been written and are not handed over. */
  readonly pending: number
  /** Somebody wants a part of the request's body. */
  wanted(): void
  /** A part of the response, or nothing but something to call. `soon` says that more of it comes in this turn. */
  written(data: Uint8Array | string, callback: Callback | null, soon: boolean): void
  /** What was written is to go out. */
  flush(): void
  /** An interim response, as text. */
  informed(head: string): void
  /** The application ends the connection, with a reason or without. */
  destroyed(error: Error | null): void
  /** `prefinish`: the response has written its last. */
  end(): void
  /** `finish`: all of it has been handed over. */
  finished(): void
  /** Nothing has happened for as long as was asked. Returns whether anybody cared. */
  timedOut(): boolean
}

/** Bytes that may wait before `write` asks to be given no more. */
const HIGH_WATER = getDefaultHighWaterMark(false)

/**
 * What a request and its response take for their socket. There is one for each request; it is no `net.Socket`, but has
 * what applications and middleware use of one. Reads and writes of it are receives and sends.
 */
export class RequestSocket extends EventEmitter implements ResponseSink {
  destroyed = false
  readable = true
  writable = true
  errored: Error | null = null
  /** `https` and `wss`; undefined for the others, as on a socket of `net`. */
  readonly encrypted: true | undefined
  readonly connecting = false
  readonly pending = false
  readonly readableHighWaterMark: number = HIGH_WATER
  readonly writableHighWaterMark: number = HIGH_WATER
  /** The server that the listener was given as, if it was. */
  server: unknown = undefined
  timeout = 0
  // As node:http keeps them.
  _httpMessage: ServerResponse | null = null
  _hadError = false
  parser = null

  readonly #owner: SocketOwner
  readonly #client: Address | null
  readonly #local: Address | null
  readonly #tls: TlsExtension | undefined
  #corked = 0
  /** Whether the response has written its last, so that `prefinish` follows. */
  #ending = false
  #timer: NodeJS.Timeout | null = null

  /** Whose socket it is. */
  static ownerOf(socket: RequestSocket): SocketOwner {
    return socket.#owner
  }

  constructor(owner: SocketOwner, scope: HttpScope | WebSocketScope) {
    super()
    this.#owner = owner
    this.#client = scope.client
    this.#local = scope.server
    this.#tls = scope.extensions.tls
    this.encrypted = scope.scheme === 'https' || scope.scheme === 'wss' ? true : undefined
  }

  // ---- addresses ----

  get remoteAddress(): string | undefined {
    return this.destroyed ? undefined : hostOf(this.#client)
  }

  get remotePort(): number | undefined {
    return this.destroyed ? undefined : this.#client?.[1] ?? undefined
  }

  get remoteFamily(): string | undefined {
    return familyOf(this.remoteAddress)
  }

  get localAddress(): string | undefined {
    return hostOf(this.#local)
  }

  get localPort(): number | undefined {
    return this.#local?.[1] ?? undefined
  }

  get localFamily(): string | undefined {
    return familyOf(this.localAddress)
  }

  /** As `net.Socket#address()`. */
  address(): AddressInfo | Record<string, never> {
    const address = this.localAddress
    return address === undefined ? {} : { address, port: this.localPort ?? 0, family: familyOf(address) ?? '' }
  }

  // ---- TLS ----

  /** Whether the client's certificate was accepted; undefined without TLS. */
  get authorized(): boolean | undefined {
    if (this.encrypted === undefined) return undefined
    return this.#tls !== undefined && this.#tls.clientCertChain.length > 0 && this.#tls.clientCertError === null
  }

  get authorizationError(): string | null | undefined {
    return this.encrypted === undefined ? undefined : this.#tls?.clientCertError ?? null
  }

  /** The client's certificate as `tls.TLSSocket` gives it; empty if there is none. */
  getPeerCertificate(): object {
    return certificateObject(this.#tls?.clientCertChain[0])
  }

  /** The version of TLS, such as `TLSv1.3`; null if it is not known. */
  getProtocol(): string | null {
    return protocolName(this.#tls?.tlsVersion)
  }

  // ---- the state of a stream ----

  /** A response sets `corked` here when it ends. */
  get _writableState(): { corked: number } {
    return this
  }

  get corked(): number {
    return this.#corked
  }

  set corked(corked: number) {
    this.#corked = corked
    this.#ending = true
  }

  get writableCorked(): number {
    return this.#corked
  }

  get writableLength(): number {
    return this.#owner.pending
  }

  get writableNeedDrain(): boolean {
    return this.#owner.pending >= HIGH_WATER
  }

  get writableEnded(): boolean {
    return !this.writable
  }

  get readableEnded(): boolean {
    return !this.readable
  }

  get bufferSize(): number {
    return this.#owner.pending
  }

  get closed(): boolean {
    return this.destroyed
  }

  get readyState(): string {
    return this.destroyed ? 'closed' : 'open'
  }

  // ---- reading and writing ----

  /** A request calls this when it has room for more of its body. */
  resume(): this {
    this.#owner.wanted()
    return this
  }

  pause(): this {
    return this
  }

  isPaused(): boolean {
    return false
  }

  cork(): void {
    this.#corked++
  }

  uncork(): void {
    if (this.#corked === 0 || --this.#corked > 0 || this.#ending) return
    this.#owner.flush()
  }

  write(data: Uint8Array | string, encoding?: BufferEncoding | Callback | null, callback?: Callback | null): boolean {
    if (typeof encoding === 'function') {
      callback = encoding
      encoding = null
    }
    const owner = this.#owner
    if (this.destroyed) {
      if (typeof callback === 'function') process.nextTick(callback, Object.assign(new Error('Cannot call write after a stream was destroyed'), { code: 'ERR_STREAM_DESTROYED' }))
      return false
    }
    if (!owner.hasHead) {
      // Before the head there are interim responses only.
      owner.informed(typeof data === 'string' ? data : Buffer.from(data).toString('latin1'))
      if (typeof callback === 'function') process.nextTick(callback)
      return true
    }
    const plain = typeof data !== 'string' || encoding === undefined || encoding === null || encoding === 'utf8' || encoding === 'utf-8'
    this.#timer?.refresh()
    const room = owner.pending + data.length < HIGH_WATER
    owner.written(plain ? data : data === '' ? '' : Buffer.from(data, encoding as BufferEncoding), callback ?? null, this.#corked > 0)
    return room
  }

  /** There are no bytes to end with: a response ends itself. */
  end(): this {
    return this
  }

  /** Ends the connection once all is written. Here: if the response is not complete, it never will be. */
  destroySoon(): void {
    this.destroy()
  }

  /** Ends the connection. */
  destroy(error?: Error | null): this {
    if (!this.destroyed) {
      this.markDestroyed(error ?? null)
      this.#owner.destroyed(error ?? null)
    }
    return this
  }

  takeHead(head: OutgoingHead): void {
    this.#owner.takeHead(head)
  }

  /** `prefinish` has come: what ended may be followed by nothing. */
  ended(): void {
    this.#ending = false
  }

  /** From now on nothing is read or written. */
  markDestroyed(error: Error | null): void {
    this.destroyed = true
    this.readable = false
    this.writable = false
    this.errored = error
    this.quiet()
  }

  // ---- what a connection has ----

  /** Emits `timeout` after so many milliseconds without a read or write; 0 for never. */
  setTimeout(milliseconds: number, callback?: () => void): this {
    this.quiet()
    this.timeout = milliseconds
    if (milliseconds > 0) {
      this.#timer = setTimeout(() => this.#expired(), milliseconds).unref()
      if (callback !== undefined) this.once('timeout', callback)
    } else if (callback !== undefined) {
      this.removeListener('timeout', callback)
    }
    return this
  }

  /** A part of the request has come. */
  touched(): void {
    this.#timer?.refresh()
  }

  /** Ends the time limit. */
  quiet(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #expired(): void {
    if (!this.#owner.timedOut()) this.destroy()
    this.emit('timeout')
  }

  setKeepAlive(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setDefaultEncoding(): this {
    return this
  }

  setEncoding(): this {
    throw Object.assign(new Error('Changing the socket encoding is not allowed per RFC7230 Section 3.'), { code: 'ERR_HTTP_SOCKET_ENCODING' })
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}

/** Whose socket it is; null if it is none of ours. */
export function ownerOf(socket: object | null): SocketOwner | null {
  return socket instanceof RequestSocket ? RequestSocket.ownerOf(socket) : null
}

function hostOf(address: Address | null): string | undefined {
  // The path of a unix socket is none.
  return address === null || address[1] === null ? undefined : address[0]
}

function familyOf(host: string | undefined): string | undefined {
  if (host === undefined) return undefined
  return host.includes(':') ? 'IPv6' : 'IPv4'
}
