import { CommunicatorError, InvalidOption } from '../contract/errors.ts'
import { CLOSE_REASON_LIMIT, isCloseCode, NO_CODE } from '../exchange/close-code.ts'
import type { TestMessage, TestWebSocketEnd, TestWebSocketTransport } from './websocket-transport.ts'

export type { TestMessage, TestWebSocketEnd }

/** The client's side of an accepted WebSocket. Iterating over it gives the messages until it is closed. */
export class TestWebSocket implements AsyncDisposable {
  /** The subprotocol that the application chose; null for none. */
  readonly subprotocol: string | null
  /** The fields that the application accepted with. */
  readonly headers: Headers
  /** How the WebSocket ended, once it has: the code and reason of whoever closed it. */
  readonly closed: Promise<TestWebSocketEnd>
  readonly #transport: TestWebSocketTransport

  constructor(transport: TestWebSocketTransport, subprotocol: string | null, headers: Headers) {
    this.#transport = transport
    this.subprotocol = subprotocol
    this.headers = headers
    this.closed = transport.closed
  }

  /**
   * Sends a message, a string as text. Resolves when the application has room, so that it has no more than a few
   * unread. Bytes may be changed at once. Throws `WebSocketClosed`.
   */
  send(message: TestMessage): Promise<void> {
    if (typeof message !== 'string' && !(message instanceof Uint8Array)) {
      return Promise.reject(new InvalidOption('message', 'a string or a Uint8Array', message))
    }
    // What a wire would make of it: text without lone surrogates, bytes in memory of their own.
    return this.#transport.give(typeof message === 'string' ? Buffer.from(message).toString() : Buffer.from(message))
  }

  /** Sends a value as JSON in a text message. */
  sendJson(value: unknown): Promise<void> {
    return this.send(JSON.stringify(value))
  }

  /**
   * The next message, text as a string. Messages that came before the close are still given; then it throws what the
   * application threw, once, and `WebSocketClosed`.
   */
  async receive(): Promise<TestMessage> {
    const message = await this.#transport.take()
    if (message === null) throw this.#transport.closedError
    return message
  }

  /** The next message, which must be text; else throws `CommunicatorError`. */
  async receiveText(): Promise<string> {
    const message = await this.receive()
    if (typeof message !== 'string') throw new CommunicatorError(`a binary message of ${message.length} bytes came where text was expected`)
    return message
  }

  /** The next message, which must be binary; else throws `CommunicatorError`. */
  async receiveBytes(): Promise<Uint8Array> {
    const message = await this.receive()
    if (typeof message === 'string') throw new CommunicatorError(`a text message of ${message.length} characters came where bytes were expected`)
    return message
  }

  /** The value of the next message, text or binary, which must be JSON. */
  async receiveJson(): Promise<unknown> {
    const message = await this.receive()
    return JSON.parse(typeof message === 'string' ? message : Buffer.from(message).toString())
  }

  /** The messages until the WebSocket is closed; throws what the application threw. */
  async* [Symbol.asyncIterator](): AsyncGenerator<TestMessage, void, void> {
    for (;;) {
      const message = await this.#transport.take()
      if (message === null) return
      yield message
    }
  }

  /**
   * Closes the WebSocket after what was sent, as the client; nothing happens if it is closed already. Resolves when the
   * application has returned, and throws what it threw, if no other call has. Without a code the application sees 1005.
   */
  async close(code?: number, reason = ''): Promise<void> {
    if (code === undefined ? reason !== '' : !isCloseCode(code)) {
      throw new InvalidOption('code', 'a code that may be sent (RFC 6455 7.4), and there must be one if there is a reason', code)
    }
    if (Buffer.byteLength(reason) > CLOSE_REASON_LIMIT) throw new InvalidOption('reason', `at most ${CLOSE_REASON_LIMIT} bytes of UTF-8`, reason)
    this.#transport.clientCloses(code ?? NO_CODE, reason)
    await this.#transport.returned
    const error = this.#transport.takeError()
    if (error !== undefined) throw error
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
