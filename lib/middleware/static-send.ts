import { randomBytes } from 'node:crypto'
import type { Send } from '../contract/application.ts'
import { FileError } from '../contract/errors.ts'
import type { OpenFile } from './static-folder.ts'
import type { ByteRange } from './static-range.ts'

const BLOCK = 65536

/**
 * Sends a part of a file; the last of the body unless `moreBody`. With `zeroCopy` the server reads the very file that was
 * checked: the extension that takes a path would open it again, and a path may lead to another file by then.
 */
export async function sendPart(send: Send, { handle }: OpenFile, { start, end }: ByteRange, zeroCopy: boolean, moreBody: boolean): Promise<void> {
  if (start === end) return send({ type: 'http.response.body', moreBody })
  if (zeroCopy) return send({ type: 'http.response.zerocopysend', file: handle, offset: start, count: end - start, moreBody })
  for (let at = start; at < end;) {
    // A new one each time: what was sent may still wait for the socket.
    const block = Buffer.allocUnsafe(Math.min(BLOCK, end - at))
    const { bytesRead } = await handle.read(block, 0, block.length, at)
    // It has become shorter since it was opened; what was announced cannot be kept.
    if (bytesRead === 0) throw new FileError(handle.fd, `has ended ${end - at} bytes too early`)
    at += bytesRead
    await send({ type: 'http.response.body', body: block.subarray(0, bytesRead), moreBody: moreBody || at < end })
  }
}

/** A body of several parts (RFC 9110 14.6), whose length is known before it is read. */
export class ByteRanges {
  readonly contentType: string
  readonly length: number
  readonly #ranges: readonly ByteRange[]
  readonly #heads: readonly string[]
  readonly #end: string

  constructor(ranges: readonly ByteRange[], size: number, contentType: string) {
    // Nobody can have put it into the file.
    const boundary = randomBytes(18).toString('base64url')
    this.contentType = `multipart/byteranges; boundary=${boundary}`
    this.#ranges = ranges
    this.#heads = ranges.map((range, index) => `${index === 0 ? '' : '\r\n'}--${boundary}\r\ncontent-type: ${contentType}\r\ncontent-range: ${contentRange(range, size)}\r\n\r\n`)
    this.#end = `\r\n--${boundary}--\r\n`
    this.length = ranges.reduce((sum, { start, end }, index) => sum + Buffer.byteLength(this.#heads[index] ?? '') + end - start, this.#end.length)
  }

  async send(send: Send, file: OpenFile, zeroCopy: boolean): Promise<void> {
    for (const [index, range] of this.#ranges.entries()) {
      await send({ type: 'http.response.body', body: this.#heads[index], moreBody: true })
      await sendPart(send, file, range, zeroCopy, true)
    }
    await send({ type: 'http.response.body', body: this.#end })
  }
}

/** The field Content-Range (RFC 9110 14.4). */
export function contentRange({ start, end }: ByteRange, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`
}

/** Answers with a line of text. */
export async function sendText(send: Send, status: number, text: string, headers: readonly (readonly [string, string])[] = []): Promise<void> {
  await send({ type: 'http.response.start', status, headers: [['content-type', 'text/plain; charset=utf-8'], ...headers] })
  await send({ type: 'http.response.body', body: `${text}\n` })
}
