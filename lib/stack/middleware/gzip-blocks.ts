import { constants, crc32, deflateRawSync } from 'node:zlib'
import type { ResponseStream } from '../response.ts'
import { checkedPiece } from '../send-stream.ts'

const SLICE = 128 * 1024
/** How far back deflate looks (RFC 1951 2). */
const WINDOW = 32 * 1024
/** RFC 1952 2.3: no name, no time, any system. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
/** An empty block that is the last (RFC 1951 3.2.6). */
const LAST = Buffer.from([0x03, 0x00])

/**
 * A body in gzip, made piece by piece in sync code, for which Node has no streams. Each piece is deflated by itself, with
 * the text before it as its dictionary, up to a boundary of bytes: put together they are one gzip member. Members one
 * after the other are legal too (RFC 1952 2.2), but browsers stop after the first.
 */
export function* gzipBlocks(pieces: Iterable<Uint8Array | string>, level: number): Generator<Uint8Array, void, void> {
  let sum = 0
  let size = 0
  let before: Uint8Array = Buffer.alloc(0)
  let head: Buffer = HEADER
  for (const given of pieces) {
    const piece = checkedPiece(given)
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
    // It has the head of the response sent.
    if (bytes.length === 0) yield bytes
    for (let at = 0; at < bytes.length; at += SLICE) {
      const slice = bytes.subarray(at, at + SLICE)
      const dictionary = before.length === 0 ? {} : { dictionary: before }
      const block = deflateRawSync(slice, { level, finishFlush: constants.Z_SYNC_FLUSH, ...dictionary })
      sum = crc32(slice, sum)
      size = (size + slice.length) % 2 ** 32
      before = slice.length >= WINDOW ? Uint8Array.from(slice.subarray(-WINDOW)) : Buffer.concat([before, slice]).subarray(-WINDOW)
      yield head.length === 0 ? block : Buffer.concat([head, block])
      head = Buffer.alloc(0)
    }
  }
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(sum, 0)
  trailer.writeUInt32LE(size, 4)
  yield Buffer.concat([head, LAST, trailer])
}

/** Whether a body can be iterated by sync code. */
export function isSync(stream: ResponseStream): stream is Iterable<Uint8Array | string> {
  return Symbol.iterator in stream
}
