/** A WebSocket client of bytes: it can say what no polite one would, and sees each frame and how the connection ends. */
import { rawSocket, type RawSocket } from './raw-socket.ts'
import type { TestContext } from './suite.ts'

/** The opcodes that RFC 6455 5.2 gives a meaning. */
export const CONTINUATION = 0
export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
export const PING = 9
export const PONG = 10

/** The key of the RFC's example (RFC 6455 1.3) and what a server makes of it. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d)

/** Fields to put in place of those of a good handshake: null leaves one out, a list repeats it. */
export type Fields = Readonly<Record<string, string | readonly string[] | null>>

/** A handshake, good unless its fields or its request line say otherwise. */
export function handshake(fields: Fields = {}, requestLine = 'GET / HTTP/1.1'): string {
  const all: Fields = {
    'Host': 'localhost',
    'Upgrade': 'websocket',
    'Connection': 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...fields,
  }
  let text = `${requestLine}\r\n`
  for (const [name, value] of Object.entries(all)) {
    for (const one of typeof value === 'string' ? [value] : value ?? []) text += `${name}: ${one}\r\n`
  }
  return `${text}\r\n`
}

/** The fields of an answer, by their lower-case names; throws if one is repeated. */
export function fieldsOf(head: string): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const line of head.slice(0, head.indexOf('\r\n\r\n')).split('\r\n').slice(1)) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    if (fields[name] !== undefined) throw new Error(`${name} comes twice`)
    fields[name] = line.slice(colon + 1).trim()
  }
  return fields
}

/** What a frame says of itself, where it is not what its payload calls for. */
export interface FrameShape {
  /** Default: true. */
  readonly fin?: boolean
  /** The three reserved bits: 4 for RSV1, 2 for RSV2, 1 for RSV3. Default: 0. */
  readonly rsv?: number
  /** The masking key; null for a frame that is not masked. Default: some key. */
  readonly mask?: Uint8Array | null
  /** In how many bits the length is written. Default: as few as can be. */
  readonly lengthBits?: 7 | 16 | 64
  /** The length that is written. Default: that of the payload. */
  readonly length?: number | bigint
}

/** Builds a frame. */
export function frame(opcode: number, payload: string | Uint8Array = '', shape: FrameShape = {}): Buffer {
  const body = Buffer.from(payload as string)
  const length = BigInt(shape.length ?? body.length)
  const bits = shape.lengthBits ?? (length < 126n ? 7 : length < 65536n ? 16 : 64)
  const mask = shape.mask === undefined ? MASK : shape.mask
  const start = bits === 7 ? 2 : bits === 16 ? 4 : 10
  const head = Buffer.alloc(start + (mask === null ? 0 : 4))
  head[0] = (shape.fin === false ? 0 : 0x80) | (shape.rsv ?? 0) << 4 | opcode
  head[1] = (mask === null ? 0 : 0x80) | (bits === 7 ? Number(length) : bits === 16 ? 126 : 127)
  if (bits === 16) head.writeUInt16BE(Number(length), 2)
  if (bits === 64) head.writeBigUInt64BE(length, 2)
  if (mask !== null) {
    head.set(mask, start)
    for (let i = 0; i < body.length; i++) body[i] = (body[i] ?? 0) ^ (mask[i & 3] ?? 0)
  }
  return Buffer.concat([head, body])
}

/** The payload of a close frame. */
export function closePayload(code: number, reason: string | Uint8Array = ''): Buffer {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return Buffer.concat([payload, Buffer.from(reason as string)])
}

/** Builds a close frame, without a payload if there is no code. */
export function closeFrame(code?: number, reason: string | Uint8Array = ''): Buffer {
  return frame(CLOSE, code === undefined ? '' : closePayload(code, reason))
}

/** A message in fragments: its parts in order, each in a frame of its own. */
export function fragments(opcode: number, parts: readonly (string | Uint8Array)[]): Buffer[] {
  return parts.map((part, index) => frame(index === 0 ? opcode : CONTINUATION, part, { fin: index === parts.length - 1 }))
}

/** A frame that came from the server. */
export interface Frame {
  readonly fin: boolean
  readonly rsv: number
  readonly opcode: number
  readonly masked: boolean
  readonly lengthBits: 7 | 16 | 64
  readonly payload: Buffer
}

/** The code and the reason of a close frame; 1005 stands for none (RFC 6455 7.1.5). */
export function closeOf({ payload }: Frame): { code: number; reason: string } {
  return payload.length < 2 ? { code: 1005, reason: '' } : { code: payload.readUInt16BE(), reason: payload.toString('utf8', 2) }
}

/** Takes whole frames off the start of bytes. */
export function takeFrames(bytes: Buffer, found: (frame: Frame) => void): Buffer {
  let at = 0
  for (;;) {
    if (bytes.length - at < 2) break
    const first = bytes.readUInt8(at)
    const second = bytes.readUInt8(at + 1)
    const short = second & 0x7f
    const lengthBits = short === 126 ? 16 : short === 127 ? 64 : 7
    const start = at + (lengthBits === 7 ? 2 : lengthBits === 16 ? 4 : 10)
    if (bytes.length < start) break
    const length = lengthBits === 7 ? short : lengthBits === 16 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
    if (bytes.length < start + length) break
    found({
      fin: (first & 0x80) !== 0,
      rsv: first >> 4 & 7,
      opcode: first & 15,
      masked: (second & 0x80) !== 0,
      lengthBits,
      payload: bytes.subarray(start, start + length),
    })
    at = start + length
  }
  return bytes.subarray(at)
}

/** Lets the event loop turn, so that what was written before is read by itself. */
export async function turns(count = 3): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** A connection that speaks WebSocket, or something like it. */
export class RawWebSocket {
  readonly raw: RawSocket
  /** All frames that came. */
  readonly frames: Frame[] = []
  /** The answer to the handshake, as far as its empty line; empty before that came. */
  head = ''
  #rest: Buffer = Buffer.alloc(0)
  #taken = 0
  #wake: (() => void)[] = []

  constructor(raw: RawSocket) {
    this.raw = raw
    raw.socket.on('data', (chunk: Buffer) => this.#read(chunk))
    void raw.ended.then(() => this.#changed())
  }

  /** Writes frames, all at once. */
  send(...parts: readonly Uint8Array[]): void {
    this.raw.write(Buffer.concat(parts))
  }

  /** Writes each part in a segment of its own. */
  async sendApart(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      if (this.raw.socket.destroyed) return
      this.raw.write(part)
      await turns()
    }
  }

  /** Waits for the answer to the handshake. */
  async opened(): Promise<string> {
    await this.#until(() => this.head !== '', 'an answer to the handshake')
    return this.head
  }

  /** The next frame. */
  async next(): Promise<Frame> {
    await this.#until(() => this.#taken < this.frames.length, 'a frame')
    return this.frames[this.#taken++] as Frame
  }

  /** Waits for the server's FIN, answers it, and gives the frames that `next` has not given; throws if it was a reset. */
  async toEnd(): Promise<Frame[]> {
    if (await this.raw.ended === 'RST') throw new Error(`reset after ${this.frames.length} frames`)
    this.raw.end()
    if (this.#rest.length > 0) throw new Error(`a frame cut short: ${this.#rest.toString('hex')}`)
    return this.frames.slice(this.#taken)
  }

  async #until(done: () => boolean, what: string): Promise<void> {
    while (!done()) {
      if (this.raw.ending !== null) throw new Error(`${this.raw.ending} before ${what} came; read ${JSON.stringify(this.raw.text.slice(-500))}`)
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  #read(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    if (this.head === '') {
      const end = this.#rest.indexOf('\r\n\r\n')
      if (end < 0) return
      this.head = this.#rest.toString('latin1', 0, end + 4)
      this.#rest = this.#rest.subarray(end + 4)
    }
    if (this.head.startsWith('HTTP/1.1 101 ')) this.#rest = takeFrames(this.#rest, (frame) => this.frames.push(frame))
    this.#changed()
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** Connects and shakes hands; throws if the server refuses. */
export async function openWebSocket(t: TestContext, port: number, fields: Fields = {}): Promise<RawWebSocket> {
  const socket = new RawWebSocket(await rawSocket(t, { port, host: '127.0.0.1' }))
  socket.raw.write(handshake(fields))
  const head = await socket.opened()
  if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`no WebSocket: ${JSON.stringify(socket.raw.text)}`)
  return socket
}
