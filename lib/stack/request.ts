import type { Receive } from '../contract/application.ts'
import type { HttpReceiveEvent } from '../contract/events.ts'
import type { HeaderList } from '../contract/headers.ts'
import type { Address, HttpScope } from '../contract/scope.ts'
import type { Environ } from '../contract/wsgi.ts'
import { ReceiveSource, WsgiSource, type ChunkReader, type Reading } from './body.ts'
import { runAsync, runSync } from './effects.ts'
import type { Form } from './form.ts'
import type { RequestLimits } from './limits.ts'
import { RequestCore } from './request-core.ts'
import { requestFields, requestHeadFromEnviron } from './request-head.ts'

/** A request. Its body is read by `AsyncHttpRequest`, `SyncHttpRequest` and `NeutralHttpRequest`, which share what they have read. */
export abstract class HttpRequest {
  /** What the faces of the request share. Internal. */
  readonly core: RequestCore

  constructor(core: RequestCore) {
    this.core = core
  }

  /** The request of an ASGI application: `HttpRequest.from(scope, receive)`. */
  static from(scope: HttpScope, receive: Receive<HttpReceiveEvent> | Receive, limits?: Partial<RequestLimits>): AsyncHttpRequest {
    return asyncRequest(new RequestCore(scope, new ReceiveSource(receive), { limits }))
  }

  /** The request of a WSGI application. */
  static fromEnviron(environ: Environ, limits?: Partial<RequestLimits>): SyncHttpRequest {
    return syncRequest(new RequestCore(requestFields(requestHeadFromEnviron(environ)), new WsgiSource(environ), { limits }))
  }

  /** The method, in upper case. */
  get method(): string {
    return this.core.fields.method
  }

  /** The whole path, `rootPath` included, decoded. Bytes that are not UTF-8 stay percent-encoded. */
  get path(): string {
    return this.core.path
  }

  /** Where the application is mounted; empty at the root. */
  get rootPath(): string {
    return this.core.fields.rootPath
  }

  /** The path beneath `rootPath`, which routes are looked up by. */
  get pathInfo(): string {
    return this.core.pathInfo
  }

  /** The whole path as it stood in the request. */
  get rawPath(): string {
    return this.core.fields.rawPath
  }

  /** What followed the `?`, still encoded. */
  get queryString(): string {
    return this.core.fields.queryString
  }

  /** The same, decoded. Do not change it: all layers see this one. */
  get query(): URLSearchParams {
    return this.core.query
  }

  /** The header fields, names in lower case. */
  get headers(): HeaderList {
    return this.core.fields.headers
  }

  /** The cookies. Malformed ones are left out; of a repeated name the first counts. */
  get cookies(): ReadonlyMap<string, string> {
    return this.core.cookies
  }

  get scheme(): string {
    return this.core.fields.scheme
  }

  /** The host that the client asked for, with its port if that was given, in lower case. Throws `SuspiciousOperation` for what is no host. */
  get host(): string {
    return this.core.host
  }

  get client(): Address | null {
    return this.core.fields.client
  }

  get server(): Address | null {
    return this.core.fields.server
  }

  get httpVersion(): string {
    return this.core.fields.httpVersion
  }

  /** The media type of the body, in lower case, without parameters; empty if there is none. */
  get contentType(): string {
    return this.core.mediaType?.type ?? ''
  }

  /** The charset that the body says it has, in lower case; null if it does not say. */
  get charset(): string | null {
    return this.core.mediaType?.parameters.get('charset')?.toLowerCase() ?? null
  }

  /** How long the body says it is; null if it does not say. */
  get contentLength(): number | null {
    return this.core.contentLength
  }

  /** What layers tell those beneath them. It holds plain data only, since it crosses to threads. */
  get state(): Record<string, unknown> {
    return this.core.state
  }

  set state(state: Record<string, unknown>) {
    this.core.state = state
  }

  /** What the names in the route's pattern matched. */
  get params(): Readonly<Record<string, string>> {
    return this.core.params
  }
}

/** A request for async code. */
export class AsyncHttpRequest extends HttpRequest {
  /** Aborts when the client leaves, or the server gives up, before the response is complete. */
  get signal(): AbortSignal {
    return this.core.signal
  }

  /** The whole body. Rejects with `TooLarge`, and with `ClientDisconnected` if it is cut short. */
  bytes(): Promise<Buffer> {
    return runAsync(this.core.bytes())
  }

  /** The whole body as text, in its charset. Rejects with `BadRequest` and `UnsupportedMediaType` too. */
  text(): Promise<string> {
    return runAsync(this.core.text())
  }

  /** The whole body as JSON, whatever its media type. Rejects with `BadRequest` too. */
  json(): Promise<unknown> {
    return runAsync(this.core.json())
  }

  /** The form that the body is; an empty one for a body of another media type. Rejects with `BadRequest` and `TooLarge` too. */
  form(): Promise<Form> {
    return runAsync(this.core.form())
  }

  /** The body, chunk by chunk, without a limit. After `bytes()` it comes again; otherwise only once: `BodyConsumed`. */
  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    const reader = this.core.chunks()
    for (let chunk = await runAsync(reader.next()); chunk !== null; chunk = await runAsync(reader.next())) yield chunk
  }
}

/** A request for sync code. Its methods block. */
export class SyncHttpRequest extends HttpRequest {
  /** The whole body. Throws `TooLarge`, and `ClientDisconnected` if it is cut short. */
  bytes(): Buffer {
    return runSync(this.core.bytes())
  }

  /** The whole body as text, in its charset. Throws `BadRequest` and `UnsupportedMediaType` too. */
  text(): string {
    return runSync(this.core.text())
  }

  /** The whole body as JSON, whatever its media type. Throws `BadRequest` too. */
  json(): unknown {
    return runSync(this.core.json())
  }

  /** The form that the body is; an empty one for a body of another media type. Throws `BadRequest` and `TooLarge` too. */
  form(): Form {
    return runSync(this.core.form())
  }

  /** The body, chunk by chunk, without a limit. After `bytes()` it comes again; otherwise only once: `BodyConsumed`. */
  *chunks(): Generator<Uint8Array, void, void> {
    const reader = this.core.chunks()
    for (let chunk = runSync(reader.next()); chunk !== null; chunk = runSync(reader.next())) yield chunk
  }
}

/** A request for neutral code: `const form = yield* request.form()`. */
export class NeutralHttpRequest extends HttpRequest {
  /** The whole body. Throws `TooLarge`, and `ClientDisconnected` if it is cut short. */
  bytes(): Reading<Buffer> {
    return this.core.bytes()
  }

  /** The whole body as text, in its charset. Throws `BadRequest` and `UnsupportedMediaType` too. */
  text(): Reading<string> {
    return this.core.text()
  }

  /** The whole body as JSON, whatever its media type. Throws `BadRequest` too. */
  json(): Reading<unknown> {
    return this.core.json()
  }

  /** The form that the body is; an empty one for a body of another media type. Throws `BadRequest` and `TooLarge` too. */
  form(): Reading<Form> {
    return this.core.form()
  }

  /** The body, chunk by chunk: `yield* chunks.next()`, until that gives null. As with the other faces it comes once. */
  chunks(): ChunkReader {
    return this.core.chunks()
  }
}

/** The face of a request for async code. */
export function asyncRequest(core: RequestCore): AsyncHttpRequest {
  return core.asyncFace ??= new AsyncHttpRequest(core)
}

/** The face of a request for sync code. */
export function syncRequest(core: RequestCore): SyncHttpRequest {
  return core.syncFace ??= new SyncHttpRequest(core)
}

/** The face of a request for neutral code. */
export function neutralRequest(core: RequestCore): NeutralHttpRequest {
  return core.neutralFace ??= new NeutralHttpRequest(core)
}
