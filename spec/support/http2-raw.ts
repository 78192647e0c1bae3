/** A client of HTTP/2 frames: it can say what no polite one would, and sees each frame and how the connection ends. */
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { hpack, unhpack, type Field } from './http2-hpack.ts'
import type { Ending } from './raw-socket.ts'
import type { TestContext } from './suite.ts'

/** The first bytes of every connection (RFC 9113 3.4). */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** The types of frames (RFC 9113 6). */
export const DATA = 0
export const HEADERS = 1
export const PRIORITY = 2
export const RST_STREAM = 3
export const SETTINGS = 4
export const PUSH_PROMISE = 5
export const PING = 6
export const GOAWAY = 7
export const WINDOW_UPDATE = 8
export const CONTINUATION = 9

/** Flags. */
export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4

/** Error codes (RFC 9113 7). */
/** What the GOAWAY before the last one names. */
export const HIGHEST_STREAM: number = 2 ** 31 - 1
export const NO_ERROR = 0
export const PROTOCOL_ERROR = 1
export const INTERNAL_ERROR = 2
export const FLOW_CONTROL_ERROR = 3
export const STREAM_CLOSED = 5
export const FRAME_SIZE_ERROR = 6
export const REFUSED_STREAM = 7
export const CANCEL = 8
export const COMPRESSION_ERROR = 9
export const ENHANCE_YOUR_CALM = 11

/** Settings (RFC 9113 6.5.2). */
export const HEADER_TABLE_SIZE = 1
export const MAX_CONCURRENT_STREAMS = 3
export const INITIAL_WINDOW_SIZE = 4
export const MAX_HEADER_LIST_SIZE = 6

const MOST = 2 ** 31 - 1

/** A frame that the server sent. */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

/** What came on a stream so far. */
export interface Answer {
  readonly status: number
  /** The statuses of interim responses. */
  readonly interim: readonly number[]
  readonly headers: readonly Field[]
  readonly body: string
  readonly trailers: readonly Field[] | null
  /** Whether the server has ended its side. */
  readonly ended: boolean
  /** The code of the server's RST_STREAM; null without one. */
  readonly reset: number | null
}

/** A frame as bytes. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const bytes = Buffer.alloc(9 + body.length)
  bytes.writeUIntBE(body.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(stream, 5)
  bytes.set(body, 9)
  return bytes
}

/** A payload of 32-bit numbers. */
export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => bytes.writeUInt32BE(value, index * 4))
  return bytes
}

/** A SETTINGS frame, identifiers and values in turn. */
export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const bytes = Buffer.alloc(pairs.length * 6)
  pairs.forEach(([id, value], index) => {
    bytes.writeUInt16BE(id, index * 6)
    bytes.writeUInt32BE(value, index * 6 + 2)
  })
  return frame(SETTINGS, 0, 0, bytes)
}

/** Fields to put in place of those of a good GET: null leaves one out, a list repeats it. Pseudo-fields come first, in the order given. */
export type Fields = Readonly<Record<string, string | readonly string[] | null>>

/** The fields of a request. */
export function requestFields(fields: Fields = {}): Field[] {
  const all: Fields = { ':method': 'GET', ':scheme': 'http', ':authority': 'localhost', ':path': '/', ...fields }
  const list: Field[] = []
  for (const [name, value] of Object.entries(all)) {
    for (const one of typeof value === 'string' ? [value] : value ?? []) list.push([name, one])
  }
  return list.sort(([a], [b]) => Number(b.startsWith(':')) - Number(a.startsWith(':')))
}

/** A HEADERS frame with a whole request head. */
export function request(stream: number, fields: Fields = {}, flags: number = END_STREAM): Buffer {
  return frame(HEADERS, flags | END_HEADERS, stream, hpack(requestFields(fields)))
}

/** How a client begins, and what it does by itself. */
export interface Http2Manners {
  /** The window of each stream for what the server sends. Default: the largest. */
  readonly window?: number
  /** Whether it answers pings, settings and a FIN. Default: true. */
  readonly polite?: boolean
  /** Whether it sends the preface and its settings. Default: true. */
  readonly greets?: boolean
}

/** Connects and greets; the connection is reset after the test if it is still there. */
export async function http2Raw(t: TestContext, port: number, manners: Http2Manners = {}): Promise<Http2Raw> {
  const where: NetConnectOpts = { port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }
  const socket = connect(where)
  const client = new Http2Raw(socket, manners)
  t.after(() => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  if (manners.greets ?? true) client.write(greeting(manners.window))
  return client
}

/** The preface, settings, and a connection window as large as can be. */
export function greeting(window: number = MOST): Buffer {
  return Buffer.concat([Buffer.from(PREFACE), settings([HEADER_TABLE_SIZE, 0], [INITIAL_WINDOW_SIZE, window]), frame(WINDOW_UPDATE, 0, 0, words(MOST - 65535))])
}

/** A connection that keeps all frames. */
export class Http2Raw {
  readonly socket: Socket
  readonly frames: Frame[] = []
  /** How the server ended its side; null while it has not. */
  ending: Ending | null = null
  readonly ended: Promise<Ending>
  readonly closed: Promise<void>
  readonly #polite: boolean
  readonly #answers = new Map<number, Answer>()
  #rest: Buffer = Buffer.alloc(0)
  #block: Buffer[] = []
  #wake: (() => void)[] = []

  constructor(socket: Socket, manners: Http2Manners) {
    this.socket = socket
    this.#polite = manners.polite ?? true
    this.ended = new Promise((resolve) => {
      const end = (ending: Ending): void => {
        this.ending ??= ending
        resolve(this.ending)
        this.#changed()
      }
      socket.on('end', () => {
        if (this.#polite) socket.end()
        end('FIN')
      })
      socket.on('error', () => end('RST'))
    })
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()))
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
  }

  /** Writes frames and other bytes, all at once. */
  write(...parts: readonly (Uint8Array | string)[]): boolean {
    return this.socket.write(Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part))))
  }

  /** Writes, and waits for the bytes to leave this process; false once the connection has ended. */
  async push(bytes: Uint8Array): Promise<boolean> {
    if (this.ending !== null || this.socket.destroyed) return false
    if (!this.socket.write(bytes)) {
      await Promise.race([new Promise<void>((resolve) => this.socket.once('drain', resolve)), this.ended, this.closed])
    }
    return this.ending === null
  }

  /** What came on a stream so far. */
  answer(stream: number): Answer {
    return this.#answers.get(stream) ?? { status: 0, interim: [], headers: [], body: '', trailers: null, ended: false, reset: null }
  }

  /** All frames of a type so far, of one stream or all. */
  all(type: number, stream?: number): Frame[] {
    return this.frames.filter((one) => one.type === type && (stream === undefined || one.stream === stream))
  }

  /** Waits until something holds; fails when the server ends the connection first. */
  async until(holds: () => boolean, what: string = String(holds)): Promise<void> {
    while (!holds()) {
      if (this.ending !== null) throw new Error(`${this.ending} before ${what}; read ${this.told()}`)
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  /** Waits for a frame of a type, on one stream or any; the one after `skip` others. */
  async frame(type: number, stream?: number, skip = 0): Promise<Frame> {
    await this.until(() => this.all(type, stream).length > skip, `a frame of type ${type} came`)
    return this.all(type, stream)[skip] as Frame
  }

  /** Waits until the server has ended a stream, by its last frame or a reset. */
  async whole(stream: number): Promise<Answer> {
    await this.until(() => this.answer(stream).ended || this.answer(stream).reset !== null, `stream ${stream} ended`)
    return this.answer(stream)
  }

  /** Sends a request and waits for all of the answer. */
  async ask(stream: number, fields: Fields = {}): Promise<Answer> {
    this.write(request(stream, fields))
    return this.whole(stream)
  }

  /** Sends a ping and waits for its answer: all that was written before has been read. */
  async ping(): Promise<void> {
    const before = this.all(PING).length
    this.write(frame(PING, 0, 0, 'pingping'))
    await this.until(() => this.all(PING).slice(before).some(({ flags }) => flags === ACK), 'the answer to a ping came')
  }

  /** Waits for the GOAWAY that says which stream is the last; returns that and its code. */
  async goaway(): Promise<{ last: number; code: number }> {
    await this.until(() => this.goaways().some(({ last }) => last !== HIGHEST_STREAM))
    return this.goaways().at(-1) as { last: number; code: number }
  }

  /** The GOAWAYs so far. */
  goaways(): { last: number; code: number }[] {
    return this.all(GOAWAY).map(({ payload }) => ({ last: payload.readUInt32BE(0), code: payload.readUInt32BE(4) }))
  }

  /** The frames so far, in short. */
  told(): string {
    return JSON.stringify(this.frames.slice(-20).map(({ type, flags, stream, payload }) => `${type}/${flags}/${stream}:${payload.length}`))
  }

  #read(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    let at = 0
    while (all.length - at >= 9) {
      const length = all.readUIntBE(at, 3)
      if (all.length - at < 9 + length) break
      this.#take({ type: all[at + 3] ?? 0, flags: all[at + 4] ?? 0, stream: all.readUInt32BE(at + 5) & MOST, payload: all.subarray(at + 9, at + 9 + length) })
      at += 9 + length
    }
    this.#rest = all.subarray(at)
    this.#changed()
  }

  #take(one: Frame): void {
    const { type, flags, stream, payload } = one
    this.frames.push(one)
    if (stream === 0) {
      if (!this.#polite || flags === ACK || this.socket.destroyed) return
      if (type === SETTINGS) this.write(frame(SETTINGS, ACK, 0))
      if (type === PING) this.write(frame(PING, ACK, 0, payload))
      return
    }
    const before = this.answer(stream)
    if (type === RST_STREAM) this.#answers.set(stream, { ...before, reset: payload.readUInt32BE(0) })
    if (type === DATA) this.#answers.set(stream, { ...before, body: before.body + payload.toString('latin1'), ended: (flags & END_STREAM) !== 0 })
    if (type !== HEADERS && type !== CONTINUATION) return
    this.#block.push(payload)
    if ((flags & END_HEADERS) === 0) return
    const fields = unhpack(Buffer.concat(this.#block.splice(0)))
    const ended = before.ended || (flags & END_STREAM) !== 0
    const status = Number(fields.find(([name]) => name === ':status')?.[1] ?? 0)
    const headers = fields.filter(([name]) => name !== ':status')
    if (status === 0) this.#answers.set(stream, { ...before, trailers: headers, ended })
    else if (status < 200) this.#answers.set(stream, { ...before, interim: [...before.interim, status] })
    else this.#answers.set(stream, { ...before, status, headers, ended })
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}
