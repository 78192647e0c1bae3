import { STATUS_CODES } from 'node:http'
import type { Send } from '../contract/application.ts'
import { InvalidResponse, WrongMode } from '../contract/errors.ts'
import type { HttpSendEvent } from '../contract/events.ts'
import type { HeadersInput } from '../contract/headers.ts'
import type { StartResponse } from '../contract/wsgi.ts'
import { asBuffer } from './byte-builder.ts'
import { cookieKey, serializeCookie, type CookieOptions } from './cookies.ts'
import { either } from './effects.ts'
import { typeOf } from '../semantics/media-types.ts'
import type { Reading } from './body.ts'
import { contentDisposition, FileBody } from './file-body.ts'
import { redirectLocation } from './redirect.ts'
import { ResponseHeaders } from './response-headers.ts'
import { sendStream } from './send-stream.ts'
import { WsgiBody } from './wsgi-body.ts'

/** A body that comes piece by piece; strings are UTF-8. */
export type ResponseStream = Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>

/** What a response may have as its body. */
export type ResponseBody = Uint8Array | string | null | ResponseStream

/** What else a response may be made with. */
export interface HttpResponseInit {
  /** 200 to 599. Default: 200. */
  readonly status?: number | undefined
  readonly headers?: HeadersInput | Readonly<Record<string, string>> | null | undefined
  /** Default: `text/html; charset=utf-8` for a string or a stream, `application/octet-stream` for bytes, none for no body. */
  readonly contentType?: string | undefined
}

/** How a file is answered. */
export interface FileResponseInit extends HttpResponseInit {
  /** The name that the browser saves it under. Default: its own, if it is an attachment. */
  readonly filename?: string | undefined
  /** Whether the browser saves it, in place of showing it. Default: false. */
  readonly attachment?: boolean | undefined
}

const EMPTY = Buffer.alloc(0)
const HTML = 'text/html; charset=utf-8'

/** A response: made by a view, changed by layers, and sent in either mode. */
export class HttpResponse {
  /** The header fields, one `set-cookie` for each cookie among them. */
  readonly headers: ResponseHeaders
  #status = 200
  #content: Uint8Array | string = EMPTY
  #stream: ResponseStream | null = null
  #closers: (() => void)[] | null = null
  #closed = false

  /** Throws `InvalidResponse`. `defaultType` is the content type where `init` gives none. */
  constructor(body: ResponseBody = null, init: HttpResponseInit = {}, defaultType: string | undefined = defaultTypeOf(body)) {
    this.headers = new ResponseHeaders(init.headers)
    if (init.status !== undefined) this.status = init.status
    this.#setBody(body)
    if (init.contentType !== undefined) this.headers.set('content-type', init.contentType)
    else if (defaultType !== undefined && !this.headers.has('content-type')) this.headers.append('content-type', defaultType)
  }

  /** A response of JSON. Throws `InvalidResponse` for undefined and functions, which JSON does not have. */
  static json(value: unknown, init: HttpResponseInit = {}): HttpResponse {
    const text = JSON.stringify(value) as string | undefined
    if (text === undefined) throw new InvalidResponse('the value of a JSON response', 'what JSON can have', value)
    return new HttpResponse(text, init, 'application/json')
  }

  /** A response of plain text. */
  static text(text: string, init: HttpResponseInit = {}): HttpResponse {
    return new HttpResponse(text, init, 'text/plain; charset=utf-8')
  }

  /** A response of HTML. */
  static html(html: string, init: HttpResponseInit = {}): HttpResponse {
    return new HttpResponse(html, init)
  }

  /**
   * Sends the client elsewhere, with status 301, 302, 303, 307 or 308. Throws `SuspiciousOperation` for a location of
   * another scheme than http, https and ftp, such as `javascript:`, and for control characters.
   */
  static redirect(location: string, status = 302): HttpResponse {
    if (![301, 302, 303, 307, 308].includes(status)) throw new InvalidResponse('the status of a redirect', '301, 302, 303, 307 or 308', status)
    return new HttpResponse(null, { status, headers: [['location', redirectLocation(location)]] })
  }

  /** A file, block by block. Throws `NotFound` at once if there is none. */
  static file(path: string, init: FileResponseInit = {}): HttpResponse {
    const { filename, attachment = false } = init
    const file = new FileBody(path)
    const response = new HttpResponse(file, init, typeOf(filename ?? path))
    response.headers.set('content-length', String(file.size))
    if (!response.headers.has('last-modified')) response.headers.set('last-modified', file.modified.toUTCString())
    if (attachment || filename !== undefined) response.headers.set('content-disposition', contentDisposition(filename ?? path, attachment))
    return response
  }

  /** The status: 200 to 599. */
  get status(): number {
    return this.#status
  }

  set status(status: number) {
    if (!Number.isInteger(status) || status < 200 || status > 599) throw new InvalidResponse('the status of a response', 'a whole number from 200 to 599', status)
    this.#status = status
  }

  /** What the status is called. */
  get reason(): string {
    return STATUS_CODES[this.#status] ?? 'Unknown Status'
  }

  /** Whether the body comes piece by piece. */
  get streaming(): boolean {
    return this.#stream !== null
  }

  /** The body of a response that does not stream. Throws `InvalidResponse` for one that does. */
  get content(): Buffer {
    if (this.#stream !== null) throw new InvalidResponse('a response whose content is read', 'one that does not stream', 'a streaming one')
    if (typeof this.#content === 'string') this.#content = Buffer.from(this.#content)
    return asBuffer(this.#content)
  }

  /** Replaces the body; a `content-length` goes with the old one. */
  set content(content: Uint8Array | string | null) {
    if (content !== null && typeof content !== 'string' && !(content instanceof Uint8Array)) throw invalidBody(content)
    this.#replace(content)
  }

  /** The pieces of a response that streams; null for one that does not. */
  get stream(): ResponseStream | null {
    return this.#stream
  }

  /** Replaces the body; a `content-length` goes with the old one. Whoever wraps the old pieces closes them. */
  set stream(stream: ResponseStream) {
    if (typeof stream !== 'object' || stream === null || stream instanceof Uint8Array || !isStream(stream)) throw invalidBody(stream)
    this.#replace(stream)
  }

  /** Sets a cookie, in place of one of the same name, domain and path. Throws `InvalidResponse`. */
  setCookie(name: string, value: string, options?: CookieOptions): void {
    const field = serializeCookie(name, value, options)
    const others = this.headers.getAll('set-cookie')
    if (others.length > 0) {
      const key = cookieKey(field)
      this.headers.delete('set-cookie')
      for (const other of others) if (cookieKey(other) !== key) this.headers.append('set-cookie', other)
    }
    this.headers.append('set-cookie', field)
  }

  /** Has the browser forget a cookie; path and domain must be those that it was set with. */
  deleteCookie(name: string, options: Omit<CookieOptions, 'maxAge' | 'expires'> = {}): void {
    this.setCookie(name, '', { ...options, maxAge: 0, expires: new Date(0) })
  }

  /** Has a function called when the response is over, however it ended; at once, if it is over already. */
  onClose(closer: () => void): void {
    if (this.#closed) call(closer)
    else (this.#closers ??= []).push(closer)
  }

  /** Whether anything waits for its end. */
  get hasClosers(): boolean {
    return this.#closers !== null
  }

  /** Whether the response is over. */
  get closed(): boolean {
    return this.#closed
  }

  /** Ends the response: calls what `onClose` was given, in order, once. What that throws is logged. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    const closers = this.#closers
    this.#closers = null
    if (closers !== null) for (const closer of closers) call(closer)
  }

  /**
   * Sends the response, piece by piece as the client takes it, and closes it. When `signal` aborts, it rejects with the
   * signal's reason even while the next piece is waited for.
   */
  async send(send: Send<HttpSendEvent> | Send, signal?: AbortSignal): Promise<void> {
    try {
      this.#requireReady()
      const stream = this.#stream
      await send({ type: 'http.response.start', status: this.#status, headers: this.headers })
      if (stream === null) await send({ type: 'http.response.body', body: this.#content })
      else await sendStream(stream, send, signal)
    } finally {
      this.close()
    }
  }

  /** The response as WSGI has it; whoever iterates it closes it. Throws `WrongMode` for a body that only async code can wait for. */
  toWsgi(startResponse: StartResponse): Iterable<Uint8Array> & { close(): void } {
    this.#requireReady()
    const stream = this.#stream
    if (stream !== null && !(Symbol.iterator in stream)) throw new WrongMode('an async iterable that is a body', 'sync')
    const headers = [...this.headers]
    const pieces = stream === null ? [this.content] : stream
    if (stream === null && !this.headers.has('content-length') && this.#status !== 204 && this.#status !== 304) headers.push(['content-length', String(this.content.length)])
    try {
      startResponse(`${this.#status} ${this.reason}`, headers)
    } catch (error) {
      this.close()
      throw error
    }
    return new WsgiBody(pieces, () => this.close())
  }

  /** Throws if the response cannot be sent yet. */
  protected requireReady(): void {}

  #requireReady(): void {
    if (this.#closed) throw new InvalidResponse('a response that is sent', 'one that was not sent yet', 'one that is closed')
    this.requireReady()
  }

  #replace(body: ResponseBody): void {
    this.#setBody(body)
    this.headers.delete('content-length')
  }

  #setBody(body: ResponseBody): void {
    this.#stream = null
    if (body === null || body === undefined) this.#content = EMPTY
    else if (typeof body === 'string' || body instanceof Uint8Array) this.#content = body
    else if (isStream(body)) this.#stream = body
    else throw invalidBody(body)
  }
}

/** Makes the content of a response, from what hooks may still change. */
export type Template<C> = (context: C) => string | Uint8Array | Promise<string | Uint8Array>

/** A response whose content is made late, so that layers can change its context, or its template, before. */
export class TemplateResponse<C = unknown> extends HttpResponse {
  template: Template<C>
  context: C
  #rendered = false

  constructor(template: Template<C>, context: C, init: HttpResponseInit = {}) {
    super(null, init, HTML)
    this.template = template
    this.context = context
  }

  /** Whether its content is there. */
  get isRendered(): boolean {
    return this.#rendered
  }

  /** The content. Throws `InvalidResponse` before it is there. */
  override get content(): Buffer {
    this.requireReady()
    return super.content
  }

  /** Gives the content, which counts as rendered then. */
  override set content(content: Uint8Array | string | null) {
    super.content = content
    this.#rendered = true
  }

  override get stream(): ResponseStream | null {
    return super.stream
  }

  /** Gives the body piece by piece, which counts as rendered then. */
  override set stream(stream: ResponseStream) {
    super.stream = stream
    this.#rendered = true
  }

  /** Makes the content, unless it is there; a promise if the template gives one. */
  render(): void | Promise<void> {
    if (this.#rendered) return
    const made: unknown = this.template(this.context)
    if (!isThenable(made)) return this.#take(made)
    return Promise.resolve(made).then((content) => this.#take(content))
  }

  /** Makes the content in sync code. Throws `WrongMode` if the template gives a promise. */
  renderSync(): void {
    if (this.#rendered) return
    const made: unknown = this.template(this.context)
    if (!isThenable(made)) return this.#take(made)
    // It is not waited for; that it fails must not end the process.
    void Promise.resolve(made).catch(() => {})
    throw new WrongMode('a template that gives a promise', 'sync')
  }

  /** Makes the content in async code. */
  async renderAsync(): Promise<void> {
    await this.render()
  }

  /** Makes the content in neutral code. */
  rendering(): Reading<void> {
    return either(() => this.renderSync(), () => this.renderAsync())
  }

  protected override requireReady(): void {
    if (!this.#rendered) throw new InvalidResponse('a template response whose content is used', 'a rendered one', 'one that is not rendered')
  }

  #take(content: unknown): void {
    // It may have been given while the template was waited for.
    if (this.#rendered) return
    if (typeof content !== 'string' && !(content instanceof Uint8Array)) throw new InvalidResponse('what a template makes', 'a string or a Uint8Array', content)
    this.content = content
  }
}

function defaultTypeOf(body: ResponseBody): string | undefined {
  if (body === null || body === undefined) return undefined
  return body instanceof Uint8Array ? 'application/octet-stream' : HTML
}

function isStream(value: unknown): value is ResponseStream {
  return typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === 'function'
}

function invalidBody(found: unknown): InvalidResponse {
  return new InvalidResponse('the body of a response', 'bytes, a string, null, or an iterable of bytes and strings, sync or async', found)
}

function call(closer: () => void): void {
  try {
    closer()
  } catch (error) {
    console.error('closing a response failed:', error)
  }
}
