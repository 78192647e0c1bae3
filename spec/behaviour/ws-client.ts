/** The client of `ws` as the behaviour suite sees one. */
import type { IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import { collect } from '../support/collect.ts'
import type { DriverResponse, DriverWebSocket, DriverWebSocketRequest, Message } from './driver.ts'

/** Bytes that may wait to be received before reading stops. */
const HIGH_WATER = 65536

/** What a WebSocket of `ws` gets and sends, in the words of the drivers. */
export class WsMessages {
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
  readonly #raw: WebSocket
  readonly #arrived: Message[] = []
  #waiting = 0
  readonly #takers: ((message: Message | null) => void)[] = []
  #over = false

  constructor(raw: WebSocket) {
    this.#raw = raw
    raw.on('message', (data: Buffer, binary: boolean) => this.#take(binary ? new Uint8Array(data) : data.toString()))
    this.closed = new Promise((resolve) => {
      raw.on('close', (code, reason) => {
        this.#over = true
        for (const taker of this.#takers.splice(0)) taker(null)
        resolve({ code, reason: reason.toString() })
      })
    })
  }

  send(message: Message): Promise<void> {
    const sent = new Promise<void>((resolve, reject) => this.#raw.send(message, (error) => error == null ? resolve() : reject(error)))
    sent.catch(() => {})
    return sent
  }

  receive(): Promise<Message | null> {
    const message = this.#arrived.shift()
    if (message === undefined) return this.#over ? Promise.resolve(null) : new Promise((resolve) => this.#takers.push(resolve))
    this.#waiting -= message.length
    if (this.#raw.isPaused && this.#waiting <= HIGH_WATER) this.#raw.resume()
    return Promise.resolve(message)
  }

  #take(message: Message): void {
    const taker = this.#takers.shift()
    if (taker !== undefined) return taker(message)
    this.#arrived.push(message)
    this.#waiting += message.length
    if (this.#waiting > HIGH_WATER) this.#raw.pause()
  }
}

export class WsClient {
  /** The WebSocket, or the response in its place. */
  readonly answer: Promise<DriverWebSocket | DriverResponse>
  readonly #raw: WebSocket

  constructor(origin: string, { path = '/', headers = [], subprotocols = [] }: DriverWebSocketRequest, ca?: Buffer) {
    const fields: Record<string, string[]> = {}
    for (const [name, value] of headers) (fields[name.toLowerCase()] ??= []).push(value)
    // Its types have no repeated fields, though Node's client, which it uses, has.
    const raw = new WebSocket(origin + path, [...subprotocols], { headers: fields as Record<string, string & string[]>, perMessageDeflate: false, ca })
    this.#raw = raw
    const messages = new WsMessages(raw)
    this.answer = new Promise((resolve, reject) => {
      raw.on('error', reject)
      raw.on('unexpected-response', (_request, response) => resolve(responseOf(response)))
      // Once the answer has been read, before any message is.
      raw.on('upgrade', (response) => {
        raw.once('open', () => resolve({
          subprotocol: raw.protocol === '' ? null : raw.protocol,
          headers: headersOf(response),
          names: response.rawHeaders.filter((_, index) => index % 2 === 0),
          closed: messages.closed,
          send: (message) => messages.send(message),
          receive: () => messages.receive(),
          close: (code, reason) => raw.close(code, reason),
          leave: () => this.leave(),
        }))
      })
    })
    this.answer.catch(() => {})
  }

  leave(): void {
    this.#raw.terminate()
  }
}

function responseOf(response: IncomingMessage): DriverResponse {
  return {
    status: response.statusCode ?? 0,
    headers: headersOf(response),
    earlyHints: [],
    parts: response,
    text: async () => Buffer.concat(await collect<Uint8Array>(response)).toString(),
    trailers: async () => new Headers(),
    leave: () => response.destroy(),
  }
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '')
  return headers
}
