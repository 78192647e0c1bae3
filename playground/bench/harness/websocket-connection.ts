import { connect, type Socket } from 'node:net'

// The handshake of RFC 6455 1.3.
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

const TEXT = 0x81
const PING = 0x89
const PONG = 0x8a
const MASKED = 0x80
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])
const NOTHING = Buffer.alloc(0)

/** All connections read into these bytes, one after the other. */
const shared = Buffer.alloc(64 * 1024)

/** How long every message is; its text is ASCII. */
export const MESSAGE_LENGTH = 64
/** Messages differ by their first character: mark 0 begins with `a`. */
export const MARKS = 16

/** The text of the message with this mark. */
export function messageText(mark: number): string {
  return String.fromCharCode(97 + mark).padEnd(MESSAGE_LENGTH, ' the quick brown fox jumps over the lazy dog')
}

/** A frame as a client sends it. */
export function maskedFrame(first: number, payload: Buffer): Buffer {
  const masked = Buffer.from(payload.map((byte, at) => byte ^ (MASK[at % 4] ?? 0)))
  return Buffer.concat([Buffer.from([first, MASKED | payload.length]), MASK, masked])
}

/** The frames of the messages with the marks from `from` to before `to`. */
export function messageFrames(from: number, to: number): Buffer {
  return Buffer.concat(Array.from({ length: to - from }, (_, at) => maskedFrame(TEXT, Buffer.from(messageText(from + at)))))
}

/**
 * The client's end of a WebSocket, as cheap as `node:net` allows, so that the server is what is measured. Takes
 * nothing but whole text messages of the one length, and pings, which it answers.
 */
export class WebSocketConnection {
  /** Gets the mark of each message. */
  onMessage: (mark: number) => void = () => {}
  readonly #socket: Socket
  readonly #fail: (reason: string) => void
  readonly #opened: () => void
  #head: string | null = ''
  /** The part of a frame whose rest has not come. */
  #cut: Buffer = NOTHING

  private constructor(url: URL, opened: () => void, fail: (reason: string) => void) {
    this.#opened = opened
    this.#fail = fail
    const onread = { buffer: shared, callback: (count: number): boolean => (this.#read(count), true) }
    this.#socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true, onread })
    this.#socket.on('error', (error) => fail(error.message))
    this.#socket.on('close', () => fail('the server closed a connection'))
    this.#socket.write(`GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
      + `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`)
  }

  /** Connects; resolves after the handshake. `fail` hears what goes wrong, then and later. */
  static open(url: URL, fail: (reason: string) => void): Promise<WebSocketConnection> {
    return new Promise((done) => {
      const connection = new WebSocketConnection(url, () => done(connection), fail)
    })
  }

  /** Sends frames. */
  write(frames: Buffer): void {
    this.#socket.write(frames)
  }

  #read(count: number): void {
    if (this.#head !== null) return this.#handshake(shared.toString('latin1', 0, count))
    if (this.#cut.length === 0) return this.#frames(shared, count)
    const bytes = Buffer.concat([this.#cut, shared.subarray(0, count)])
    this.#cut = NOTHING
    this.#frames(bytes, bytes.length)
  }

  #frames(bytes: Buffer, end: number): void {
    let at = 0
    while (end - at >= 2) {
      const first = bytes[at]
      const length = bytes[at + 1] ?? 0
      const next = at + 2 + length
      if (first === TEXT && length === MESSAGE_LENGTH) {
        if (next > end) break
        this.onMessage((bytes[at + 2] ?? 0) - 97)
      } else if (first === PING && length < 126) {
        if (next > end) break
        this.#socket.write(maskedFrame(PONG, bytes.subarray(at + 2, next)))
      } else {
        return this.#fail(`a frame begins with ${bytes.toString('hex', at, at + 2)}`)
      }
      at = next
    }
    if (at < end) this.#cut = Buffer.from(bytes.subarray(at, end))
  }

  #handshake(text: string): void {
    this.#head += text
    const head = this.#head ?? ''
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    const accepted = /^HTTP\/1\.1 101 /.test(head) && head.includes(`: ${ACCEPT}\r\n`)
    if (!accepted || /^sec-websocket-(?:extensions|protocol):/im.test(head) || head.length > end + 4) {
      return this.#fail(`the answer to the handshake was ${JSON.stringify(head)}`)
    }
    this.#head = null
    this.#opened()
  }
}
