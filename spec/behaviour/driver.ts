/** What the behaviour suite knows of the ways to call an application: each gives the same view of a response. */
import type { Application } from '../../lib/contract/application.ts'
import type { ExchangeObserver } from '../../lib/exchange/observer.ts'

export interface DriverRequest {
  readonly method?: string
  readonly path?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>
  /** Bytes of a body that comes in parts, for protocols that must know it; it need not come to its end. */
  readonly size?: number
  readonly trailers?: readonly (readonly [string, string])[]
  /** Hears of interim responses as they come. */
  readonly onInterim?: (status: number) => void
}

export interface DriverResponse {
  readonly status: number
  readonly headers: Headers
  readonly earlyHints: readonly string[]
  /** The parts of the body as they come; throws when the body is broken off. */
  readonly parts: AsyncIterable<Uint8Array>
  /** The whole body as text; throws when the body is broken off. */
  text(): Promise<string>
  /** Resolves when the body is complete. */
  trailers(): Promise<Headers>
  /** The client goes away. */
  leave(): void
}

export interface DriverWebSocketRequest {
  readonly path?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly subprotocols?: readonly string[]
}

export type Message = string | Uint8Array

export interface DriverWebSocket {
  readonly subprotocol: string | null
  readonly headers: Headers
  /** The names of the fields as they came. */
  readonly names: readonly string[]
  /** Resolves when the client has got rid of the message. */
  send(message: Message): Promise<void>
  /** The next message; null once the WebSocket is closed. The client reads no further ahead than some 64 KiB. */
  receive(): Promise<Message | null>
  /** How the WebSocket was closed, as the client sees it. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
  /** The client closes after what it sent. */
  close(code?: number, reason?: string): void
  /** The client is gone without a word. */
  leave(): void
}

export interface Driver {
  request(request: DriverRequest): Promise<DriverResponse>
  /** Sends a request and goes away at once without waiting for its response. */
  requestAndLeave(request: DriverRequest, when: Promise<unknown>): Promise<void>
  /** Asks for a WebSocket; gives the response if it is refused. */
  websocket(request: DriverWebSocketRequest): Promise<DriverWebSocket | DriverResponse>
  /** Asks for a WebSocket and goes away at once without waiting for an answer. */
  websocketAndLeave(request: DriverWebSocketRequest, when: Promise<unknown>): Promise<void>
  /** Stops the server, where there is one. */
  stop?(): Promise<void>
  close(): Promise<void>
}

export interface DriverOptions {
  readonly rootPath?: string
  readonly observer?: ExchangeObserver
}

export interface Protocol {
  readonly name: string
  readonly httpVersion: '1.1' | '2'
  readonly secure: boolean
  /** Whether there are WebSockets. */
  readonly hasWebSockets: boolean
  /** Whether there is a server, which can be stopped. */
  readonly hasServer: boolean
  /** What the protocol cannot do: tests that are skipped, by their names, and why. */
  readonly cannot?: Readonly<Record<string, string>>
  open(app: Application, options?: DriverOptions): Promise<Driver>
}
