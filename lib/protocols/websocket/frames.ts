/** Frames that a server sends: unmasked, each a whole message (RFC 6455 5.2). */

const TEXT = 0x81
const BINARY = 0x82
/** The first reserved bit: the message is compressed (RFC 7692 6). */
export const COMPRESSED = 0x40

const textHeads: readonly string[] = Array.from({ length: 126 }, (_, length) => String.fromCharCode(TEXT, length))
const binaryHeads: readonly string[] = Array.from({ length: 126 }, (_, length) => String.fromCharCode(BINARY, length))

/** A whole message in one frame, as Latin-1 text: for what is small, cheaper than bytes. */
export function messageFrame(message: Uint8Array | string): string {
  if (typeof message !== 'string') {
    const { length } = message
    const head = length < 126 ? binaryHeads[length] as string : frameHead(BINARY, length)
    return head + latin1Of(message)
  }
  const size = Buffer.byteLength(message)
  // As many bytes as characters: ASCII, which is the same in Latin-1.
  const payload = size === message.length ? message : Buffer.from(message).toString('latin1')
  return (size < 126 ? textHeads[size] as string : frameHead(TEXT, size)) + payload
}

/** The head of a frame that holds a whole message of so many bytes, as Latin-1 text. */
export function messageHead(message: Uint8Array | string, length: number, flags = 0): string {
  return frameHead((typeof message === 'string' ? TEXT : BINARY) | flags, length)
}

/** A close frame as Latin-1 text; without a code if that is 1005 (RFC 6455 5.5.1, 7.4.1). */
export function closeFrame(code: number, reason: string): string {
  const payload = code === 1005 ? '' : String.fromCharCode(code >> 8, code & 0xff) + Buffer.from(reason).toString('latin1')
  return frameHead(0x88, payload.length) + payload
}

/** A ping without a payload. */
export const pingFrame: string = frameHead(0x89, 0)

/** A pong as Latin-1 text. */
export function pongFrame(payload: Uint8Array): string {
  return frameHead(0x8a, payload.length) + latin1Of(payload)
}

function frameHead(first: number, length: number): string {
  if (length < 126) return String.fromCharCode(first, length)
  if (length < 65536) return String.fromCharCode(first, 126, length >> 8, length & 0xff)
  const head = Buffer.allocUnsafe(10)
  head[0] = first
  head[1] = 127
  head.writeBigUInt64BE(BigInt(length), 2)
  return head.toString('latin1')
}

/** Each byte as one character. */
export function latin1Of(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('latin1')
}
