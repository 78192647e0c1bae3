import type { Duplex } from 'node:stream'
import type { HeaderList, HeadersInput } from './headers.ts'

/** A part of the request's body; `moreBody: false` marks the last. */
export interface HttpRequestEvent {
  readonly type: 'http.request'
  /** May be empty; may be kept. */
  readonly body: Uint8Array
  readonly moreBody: boolean
  /** The trailer fields, on the last event of a body that had some (extension `tsgi.request.trailers`). */
  readonly trailers: HeaderList | null
}

/** The client has left, or the response is complete. */
export interface HttpDisconnectEvent {
  readonly type: 'http.disconnect'
}

/** Begins the response; the server holds it back until the first `http.response.body`. */
export interface HttpResponseStartEvent {
  readonly type: 'http.response.start'
  /** 200 to 599. */
  readonly status: number
  /** Any iterable of pairs; names are lower-cased. Default: none. */
  readonly headers?: HeadersInput | null | undefined
  /** Announces that `http.response.trailers` follows the last body event. Default: false. */
  readonly trailers?: boolean | null | undefined
}

/** A part of the response's body; the one without `moreBody: true` is the last. */
export interface HttpResponseBodyEvent {
  readonly type: 'http.response.body'
  /** Bytes, or a string that goes out as UTF-8. Bytes must not be changed before `send` resolves. Default: empty. */
  readonly body?: Uint8Array | string | null | undefined
  /** Whether more follows. Default: false. */
  readonly moreBody?: boolean | null | undefined
}

/** Fields after the body; goes out if the client asked for trailers (`TE: trailers`). */
export interface HttpResponseTrailersEvent {
  readonly type: 'http.response.trailers'
  readonly headers?: HeadersInput | null | undefined
  /** Whether more trailers follow. Default: false. */
  readonly moreTrailers?: boolean | null | undefined
}

/** Sends `103 Early Hints` with one `link` field per entry. */
export interface HttpResponseEarlyHintEvent {
  readonly type: 'http.response.early_hint'
  /** Values of `link` fields, such as `</style.css>; rel=preload; as=style`. */
  readonly links: Iterable<string>
}

/** Tells the test client something; once, before the response starts. */
export interface HttpResponseDebugEvent {
  readonly type: 'http.response.debug'
  readonly info: Readonly<Record<string, unknown>>
}

/** Asks for a server push: the application is called for a GET of `path`, and the client gets what it answers. */
export interface HttpResponsePushEvent {
  readonly type: 'http.response.push'
  /** Begins with `/`, and may have a query; what a target cannot have is escaped. */
  readonly path: string
  /** Fields of the request that the client is taken to have made. Default: none. */
  readonly headers?: HeadersInput | null | undefined
}

/** Sends a part of an open file as a part of the body. The file stays open until `send` has settled. */
export interface HttpResponseZeroCopySendEvent {
  readonly type: 'http.response.zerocopysend'
  /** An open file descriptor, or an object that has one; the application closes it. */
  readonly file: number | { readonly fd: number }
  /** Where to begin, in bytes. Default: the current position, which moves on. */
  readonly offset?: number | null | undefined
  /** How many bytes; a file that has fewer is a `FileError`. Default: to the end of the file. */
  readonly count?: number | null | undefined
  /** Whether more follows. Default: false. */
  readonly moreBody?: boolean | null | undefined
}

/** Sends a whole file as the body. */
export interface HttpResponsePathSendEvent {
  readonly type: 'http.response.pathsend'
  /** An absolute path of a regular file; anything else is a `FileError` before a byte is out. */
  readonly path: string
}

/** Takes the connection over, in place of any answer (extension `tsgi.upgrade`). */
export interface UpgradeEvent {
  readonly type: 'tsgi.upgrade'
  /**
   * Called once, within `send`: from now on the connection is the application's, which answers the upgrade itself. `head`
   * is what the client has sent behind its request. What it throws rejects `send`.
   */
  readonly take: (socket: Duplex, head: Uint8Array) => void
}

/** The first event of a WebSocket: the client asks for it. */
export interface WebSocketConnectEvent {
  readonly type: 'websocket.connect'
}

/** One message: exactly one of `text` and `bytes` is there, the other is null or absent. */
interface WebSocketMessage<T extends string> {
  readonly type: T
  readonly text?: string | null | undefined
  readonly bytes?: Uint8Array | null | undefined
}

/** A message from the client. */
export type WebSocketReceiveMessageEvent = WebSocketMessage<'websocket.receive'>

/** A message to the client. */
export type WebSocketSendMessageEvent = WebSocketMessage<'websocket.send'>

/** The WebSocket is closed. */
export interface WebSocketDisconnectEvent {
  readonly type: 'websocket.disconnect'
  /** The client's code; 1005 if it gave none, 1006 if the line went dead. */
  readonly code: number
  readonly reason: string
}

/** Completes the handshake. */
export interface WebSocketAcceptEvent {
  readonly type: 'websocket.accept'
  /** One of those the client offered. Default: none. */
  readonly subprotocol?: string | null | undefined
  readonly headers?: HeadersInput | null | undefined
}

/** Closes the WebSocket; before `accept`, refuses it with 403. */
export interface WebSocketCloseEvent {
  readonly type: 'websocket.close'
  /** Default: 1000. */
  readonly code?: number | null | undefined
  /** At most 123 bytes of UTF-8. Default: empty. */
  readonly reason?: string | null | undefined
}

/** Refuses the WebSocket with an HTTP response (extension `websocket.http.response`). */
export interface WebSocketHttpResponseStartEvent {
  readonly type: 'websocket.http.response.start'
  readonly status: number
  readonly headers?: HeadersInput | null | undefined
}

/** A part of the body of that response. */
export interface WebSocketHttpResponseBodyEvent {
  readonly type: 'websocket.http.response.body'
  readonly body?: Uint8Array | string | null | undefined
  readonly moreBody?: boolean | null | undefined
}

/** The server starts; it serves nobody until this is answered. */
export interface LifespanStartupEvent {
  readonly type: 'lifespan.startup'
}

/** The server has stopped; it exits once this is answered. */
export interface LifespanShutdownEvent {
  readonly type: 'lifespan.shutdown'
}

export interface LifespanStartupCompleteEvent {
  readonly type: 'lifespan.startup.complete'
}

export interface LifespanStartupFailedEvent {
  readonly type: 'lifespan.startup.failed'
  /** What the server logs before it exits. Default: empty. */
  readonly message?: string | null | undefined
}

export interface LifespanShutdownCompleteEvent {
  readonly type: 'lifespan.shutdown.complete'
}

export interface LifespanShutdownFailedEvent {
  readonly type: 'lifespan.shutdown.failed'
  /** What the server logs. Default: empty. */
  readonly message?: string | null | undefined
}

export type HttpReceiveEvent = HttpRequestEvent | HttpDisconnectEvent

export type HttpSendEvent =
  | HttpResponseStartEvent
  | HttpResponseBodyEvent
  | HttpResponseTrailersEvent
  | HttpResponseEarlyHintEvent
  | HttpResponseDebugEvent
  | HttpResponsePushEvent
  | HttpResponseZeroCopySendEvent
  | HttpResponsePathSendEvent
  | UpgradeEvent

export type WebSocketReceiveEvent = WebSocketConnectEvent | WebSocketReceiveMessageEvent | WebSocketDisconnectEvent

export type WebSocketSendEvent =
  | WebSocketAcceptEvent
  | WebSocketSendMessageEvent
  | WebSocketCloseEvent
  | WebSocketHttpResponseStartEvent
  | WebSocketHttpResponseBodyEvent
  | UpgradeEvent

export type LifespanReceiveEvent = LifespanStartupEvent | LifespanShutdownEvent

export type LifespanSendEvent =
  | LifespanStartupCompleteEvent
  | LifespanStartupFailedEvent
  | LifespanShutdownCompleteEvent
  | LifespanShutdownFailedEvent

export type ReceiveEvent = HttpReceiveEvent | WebSocketReceiveEvent | LifespanReceiveEvent
export type SendEvent = HttpSendEvent | WebSocketSendEvent | LifespanSendEvent
