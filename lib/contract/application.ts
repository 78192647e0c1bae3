import { UnsupportedScope } from './errors.ts'
import type {
  HttpReceiveEvent, HttpSendEvent, LifespanReceiveEvent, LifespanSendEvent,
  ReceiveEvent, SendEvent, WebSocketReceiveEvent, WebSocketSendEvent,
} from './events.ts'
import type { HttpScope, LifespanScope, Scope, State, WebSocketScope } from './scope.ts'

/** Resolves to the next event of this exchange. Calls that wait at the same time are answered in order. */
export type Receive<E = ReceiveEvent> = () => Promise<E>

/**
 * Hands one event to the server and resolves when the server has room for more.
 * Rejects with `InvalidEvent` when the event is malformed or out of order (nothing was written, the application
 * may go on), and with `ClientDisconnected` once the client has left.
 */
export type Send<E = SendEvent> = (event: E) => Promise<void>

/** An application: called once per HTTP request, once per WebSocket, and once for the lifespan of the server. */
export type Application = (scope: Scope, receive: Receive, send: Send) => Promise<void>

/** An application, or a part of one, that sees HTTP only. */
export type HttpApplication<S = State> =
  (scope: HttpScope<S>, receive: Receive<HttpReceiveEvent>, send: Send<HttpSendEvent>) => Promise<void>

/** An application that answers HTTP: by itself, or as the part `http` of another. */
export type HttpPart = Application & HttpApplication<unknown>

/** An application, or a part of one, that sees WebSockets only. */
export type WebSocketApplication<S = State> =
  (scope: WebSocketScope<S>, receive: Receive<WebSocketReceiveEvent>, send: Send<WebSocketSendEvent>) => Promise<void>

/** An application, or a part of one, that sees the lifespan only. */
export type LifespanApplication =
  (scope: LifespanScope, receive: Receive<LifespanReceiveEvent>, send: Send<LifespanSendEvent>) => Promise<void>

/** The parts of an application, each typed for its own scope. */
export interface ApplicationParts<S> {
  /**
   * Runs up to its `yield` when the server starts, and the rest when it stops. What it yields is the state: each
   * HTTP and WebSocket scope gets a shallow copy. What it throws before the yield keeps the server from starting.
   */
  readonly lifespan?: () => AsyncGenerator<S, void, void>
  readonly http?: HttpApplication<S>
  readonly websocket?: WebSocketApplication<S>
}

/**
 * Builds an `Application` from parts, so that each sees only its own scope and events, and `scope.state` has the
 * type that `lifespan` yields. A scope whose part is absent is refused with `UnsupportedScope`.
 */
export function application<S = State>(parts: ApplicationParts<S>): Application {
  const { http, websocket } = parts
  const lifespan = parts.lifespan === undefined ? undefined : lifespanOf(parts.lifespan)
  // TypeScript does not narrow `receive` and `send` by `scope.type`: the casts say what the server guarantees.
  return async (scope, receive, send) => {
    switch (scope.type) {
      case 'http':
        if (http === undefined) throw new UnsupportedScope('http')
        return http(scope as HttpScope<S>, receive as Receive<HttpReceiveEvent>, send)
      case 'websocket':
        if (websocket === undefined) throw new UnsupportedScope('websocket')
        return websocket(scope as WebSocketScope<S>, receive as Receive<WebSocketReceiveEvent>, send)
      case 'lifespan':
        if (lifespan === undefined) throw new UnsupportedScope('lifespan')
        return lifespan(scope, receive as Receive<LifespanReceiveEvent>, send)
      default:
        throw new UnsupportedScope((scope as { type: string }).type)
    }
  }
}

function lifespanOf<S>(run: () => AsyncGenerator<S, void, void>): LifespanApplication {
  return async (scope, receive, send) => {
    const generator = run()
    await receive()
    try {
      const { value, done } = await generator.next()
      if (!done) Object.assign(scope.state, value)
    } catch (error) {
      await send({ type: 'lifespan.startup.failed', message: messageOf(error) })
      throw error
    }
    await send({ type: 'lifespan.startup.complete' })
    await receive()
    try {
      await generator.next()
    } catch (error) {
      await send({ type: 'lifespan.shutdown.failed', message: messageOf(error) })
      throw error
    }
    await send({ type: 'lifespan.shutdown.complete' })
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
