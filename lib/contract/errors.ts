/**
 * The base of every error that tsgi throws. `code` is stable and listed in spec/errors.md; the message says what was
 * wrong, where, and what was expected.
 */
export class TsgiError extends Error {
  readonly code: `ERR_TSGI_${string}`

  constructor(code: `ERR_TSGI_${string}`, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }

  override get name(): string {
    return this.constructor.name
  }
}

/** The client has left. The server expects this error to come back out of the application and does not log it. */
export class ClientDisconnected extends TsgiError {
  constructor(message = 'the client has disconnected', options?: ErrorOptions) {
    super('ERR_TSGI_CLIENT_DISCONNECTED', message, options)
  }
}

/** An event that `send` refused: nothing of it was written, and the application may go on with a right one. */
export class InvalidEvent extends TsgiError {
  /** The key that is wrong: `type`, `status`, `headers[2]`, … */
  readonly key: string
  /** What would have been right. */
  readonly expected: string

  constructor(eventType: string, key: string, expected: string, found: unknown) {
    super('ERR_TSGI_INVALID_EVENT', `${eventType}: ${key} must be ${expected}, found ${describe(found)}`)
    this.key = key
    this.expected = expected
  }
}

/** An event that may not come now: before its time, or a second time. `key` is `type`. */
export class UnexpectedEvent extends TsgiError {
  readonly key = 'type'
  /** The types that may come now. */
  readonly expected: string

  constructor(eventType: string, expected: readonly string[]) {
    const list = expected.join(' or ') || 'nothing'
    super('ERR_TSGI_UNEXPECTED_EVENT', `${eventType} may not be sent now, expected ${list}`)
    this.expected = list
  }
}

/** A body that does not have the length that its `content-length` announced. */
export class ContentLengthMismatch extends TsgiError {
  constructor(announced: number, found: string) {
    super('ERR_TSGI_CONTENT_LENGTH', `content-length is ${announced}, but the body has ${found} bytes`)
  }
}

/** A file cannot be sent, or has ended before what was announced of it; the cause, if there is one, is the system's error. */
export class FileError extends TsgiError {
  /** The path, or the number of the descriptor. */
  readonly file: string | number

  constructor(file: string | number, problem: string, options?: ErrorOptions) {
    super('ERR_TSGI_FILE', `${typeof file === 'string' ? file : `descriptor ${file}`} ${problem}`, options)
    this.file = file
  }
}

/** The application returned before it had sent the last event of its response. */
export class IncompleteResponse extends TsgiError {
  constructor(expected: readonly string[], options?: ErrorOptions) {
    super('ERR_TSGI_INCOMPLETE_RESPONSE', `the application returned too early, expected it to send ${expected.join(' or ')}`, options)
  }
}

/** The application has no part for this type of scope. */
export class UnsupportedScope extends TsgiError {
  constructor(type: string) {
    super('ERR_TSGI_UNSUPPORTED_SCOPE', `the application does not support scopes of type ${describe(type)}`)
  }
}

/** The application's start-up or shutdown failed, or took longer than its limit. */
export class LifespanFailed extends TsgiError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TSGI_LIFESPAN_FAILED', message, options)
  }
}

/** An option has a value that it cannot have, or two options exclude each other. */
export class InvalidOption extends TsgiError {
  constructor(option: string, expected: string, found: unknown) {
    super('ERR_TSGI_INVALID_OPTION', `${option} must be ${expected}, found ${describe(found)}`)
  }
}

/** The server cannot listen where it was told to. */
export class ListenFailed extends TsgiError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TSGI_LISTEN', message, options)
  }
}

/** A certificate, a key or a list of authorities cannot be read or used. */
export class TlsFailed extends TsgiError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TSGI_TLS', message, options)
  }
}

/** The module of an application cannot be loaded, or does not export one. */
export class LoadFailed extends TsgiError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TSGI_LOAD', message, options)
  }
}

/** An argument, a result or a context that cannot be cloned to another thread. */
export class NotCloneable extends TsgiError {
  /** Where it is: `arguments[0].user.save`. */
  readonly path: string

  constructor(path: string, found: unknown, options?: ErrorOptions) {
    super('ERR_TSGI_NOT_CLONEABLE', `${path} cannot be cloned to another thread, expected plain data, found ${describe(found)}`, options)
    this.path = path
  }
}

/** All threads of a pool are busy, and as many calls wait as may. */
export class ThreadQueueFull extends TsgiError {
  constructor(limit: number) {
    super('ERR_TSGI_THREAD_QUEUE_FULL', `all threads are busy and ${limit} calls wait already, expected fewer (option queueLimit)`)
  }
}

/** A call of a function on a thread has taken longer than its limit. */
export class ThreadTimeout extends TsgiError {
  constructor(name: string, seconds: number) {
    super('ERR_TSGI_THREAD_TIMEOUT', `${name} has not returned within ${seconds} seconds`)
  }
}

/** The thread that ran the call has ended: by process.exit(), by an uncaught error (see `cause`), or out of memory. */
export class ThreadDied extends TsgiError {
  constructor(name: string, reason: string, options?: ErrorOptions) {
    super('ERR_TSGI_THREAD_DIED', `the thread that ran ${name} has ended: ${reason}`, options)
  }
}

/** The pool of threads has been closed. */
export class PoolClosed extends TsgiError {
  constructor() {
    super('ERR_TSGI_POOL_CLOSED', 'the pool of threads has been closed')
  }
}

/** A blocking call on the very event loop that would have to go on for it to end. */
export class WouldDeadlock extends TsgiError {
  constructor(name: string) {
    super('ERR_TSGI_WOULD_DEADLOCK', `${name} cannot be waited for on the event loop that runs it: await it, or call it from a function that runs on a thread`)
  }
}

/** A sync application has broken a rule of WSGI (PEP 3333); the message names it. */
export class WsgiError extends TsgiError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TSGI_WSGI', `${message} (PEP 3333)`, options)
  }
}

/** A CGI program died, hung or broke RFC 3875 after its response had begun; the message says which. */
export class CgiError extends TsgiError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TSGI_CGI', message, options)
  }
}

/** What an HTTP error has beside its message. */
export interface HttpErrorOptions extends ErrorOptions {
  /** Header fields of the answer: `www-authenticate` of a 401, `allow` of a 405, `retry-after` of a 429 or 503. Default: none. */
  readonly headers?: Readonly<Record<string, string>>
}

/** What a view or a layer throws to have the stack answer with an error status. It has subclasses for the common ones. */
export class HttpError extends TsgiError {
  /** The status of the answer: 400 to 599. */
  readonly status: number
  /** Header fields of the answer, if there are any of its own. */
  declare readonly headers?: Readonly<Record<string, string>>

  constructor(status: number, message = `the answer is status ${status}`, options?: HttpErrorOptions, code: `ERR_TSGI_${string}` = 'ERR_TSGI_HTTP') {
    super(code, message, options)
    this.status = status
    if (options?.headers !== undefined) this.headers = options.headers
  }
}

/** The request is malformed (400): its JSON, its form, its text, its Host field. */
export class BadRequest extends HttpError {
  constructor(message = 'the request is malformed', options?: HttpErrorOptions) {
    super(400, message, options, 'ERR_TSGI_BAD_REQUEST')
  }
}

/** The request asks for what no honest client asks for (400), such as a redirect to `javascript:`. */
export class SuspiciousOperation extends HttpError {
  constructor(message = 'the request is suspicious', options?: HttpErrorOptions) {
    super(400, message, options, 'ERR_TSGI_SUSPICIOUS')
  }
}

/** The client may not do this (403). */
export class PermissionDenied extends HttpError {
  constructor(message = 'permission denied', options?: HttpErrorOptions) {
    super(403, message, options, 'ERR_TSGI_PERMISSION_DENIED')
  }
}

/** What the client asks for does not exist (404). */
export class NotFound extends HttpError {
  constructor(message = 'not found', options?: HttpErrorOptions) {
    super(404, message, options, 'ERR_TSGI_NOT_FOUND')
  }
}

/** The request's body, or a part of it, is over a limit (413). */
export class TooLarge extends HttpError {
  constructor(message = 'the body is too large', options?: HttpErrorOptions) {
    super(413, message, options, 'ERR_TSGI_TOO_LARGE')
  }
}

/** The request's body is in a charset that cannot be read (415). */
export class UnsupportedMediaType extends HttpError {
  constructor(message = 'the media type is not supported', options?: HttpErrorOptions) {
    super(415, message, options, 'ERR_TSGI_UNSUPPORTED_MEDIA_TYPE')
  }
}

/** A request's body is read a second time after it was streamed, or after the request was over. */
export class BodyConsumed extends TsgiError {
  constructor(message = 'the body has been read as a stream already, expected it to be read once, or by bytes() first') {
    super('ERR_TSGI_BODY_CONSUMED', message)
  }
}

/** Sync code on what only async code can wait for, or the other way round. */
export class WrongMode extends TsgiError {
  constructor(what: string, mode: 'sync' | 'async') {
    super('ERR_TSGI_WRONG_MODE', `${what} cannot be used by ${mode} code, expected ${mode === 'sync' ? 'async' : 'sync'} code`)
  }
}

/** A response has what no response can have: a bad header, cookie, status or body; or it is not rendered yet. */
export class InvalidResponse extends TsgiError {
  constructor(what: string, expected: string, found: unknown) {
    const promise = typeof (found as { readonly then?: unknown } | null | undefined)?.then === 'function'
    super('ERR_TSGI_INVALID_RESPONSE', `${what} must be ${expected}, found ${promise ? 'a promise: an await is missing, or the function should be async' : describe(found)}`)
  }
}

/** A stack whose layers cannot be put together, or whose module cannot be loaded where it has to run. */
export class InvalidStack extends TsgiError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TSGI_STACK', message, options)
  }
}

/** A layer passed a request on a second time. */
export class PassedTwice extends TsgiError {
  constructor(layer: string) {
    super('ERR_TSGI_PASSED_TWICE', `${layer} has passed this request on before; a layer may do that once`)
  }
}

/** Thrown by a layer's factory: the stack leaves the layer out. */
export class MiddlewareNotUsed extends TsgiError {
  constructor(message = '') {
    super('ERR_TSGI_MIDDLEWARE_NOT_USED', message)
  }
}

/** A uWSGI server could not be reached, was too slow, or answered with what is no whole response. */
export class UpstreamFailed extends TsgiError {
  /** The status that the client was answered with, if no response had begun: 502, or 504 for one that was too slow. */
  readonly status: 502 | 504

  constructor(upstream: string, reason: string, status: 502 | 504 = 502, options?: ErrorOptions) {
    super('ERR_TSGI_UPSTREAM', `the upstream ${upstream} ${reason}`, options)
    this.status = status
  }
}

/** A command line that cannot be run. */
export class UsageError extends TsgiError {
  constructor(message: string) {
    super('ERR_TSGI_USAGE', message)
  }
}

/** In a test: an event did not come in time, or came where none was expected. */
export class CommunicatorError extends TsgiError {
  constructor(message: string) {
    super('ERR_TSGI_COMMUNICATOR', message)
  }
}

/** In a test: the application refused the WebSocket. */
export class WebSocketRefused extends TsgiError {
  /** What it answered in place of the WebSocket: 403, a response of its own, or the 500 of a failure. */
  readonly response: Response

  constructor(response: Response) {
    super('ERR_TSGI_WEBSOCKET_REFUSED', `the WebSocket was refused with ${response.status}`)
    this.response = response
  }
}

/** In a test: the WebSocket is closed, so that no message comes or goes any more. */
export class WebSocketClosed extends TsgiError {
  /** The code that it was closed with; 1005 for none, 1006 if the client left without a word. */
  readonly closeCode: number
  /** The reason that it was closed with; empty for none. */
  readonly reason: string

  constructor(closeCode: number, reason: string, options?: ErrorOptions) {
    super('ERR_TSGI_WEBSOCKET_CLOSED', `the WebSocket is closed, code ${closeCode}${reason === '' ? '' : `: ${reason}`}`, options)
    this.closeCode = closeCode
    this.reason = reason
  }
}

/** Shows a value in an error message: short, on one line, and safe for a log. */
function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? value.slice(0, 77) + '...' : value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : `an object (${value.constructor?.name ?? 'no class'})`
  if (typeof value === 'function') return 'a function'
  return String(value)
}
