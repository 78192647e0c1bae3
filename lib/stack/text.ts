import { isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'
import { BadRequest, UnsupportedMediaType } from '../contract/errors.ts'

/** The text of bytes in UTF-8, without a byte order mark. Throws `BadRequest` for what is not UTF-8. */
export function decodeUtf8(bytes: Buffer, what: string): string {
  if (!isUtf8(bytes)) throw new BadRequest(`${what} is not UTF-8`)
  const marked = bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  return bytes.toString('utf8', marked ? 3 : 0)
}

/** The text of bytes in any charset that browsers know. Throws `BadRequest`, and `UnsupportedMediaType` for one that is not known. */
export function decodeText(bytes: Buffer, charset: string): string {
  if (/^utf-?8$/i.test(charset)) return decodeUtf8(bytes, 'the body')
  let decoder: TextDecoder
  try {
    decoder = new TextDecoder(charset, { fatal: true })
  } catch {
    throw new UnsupportedMediaType(`charset ${JSON.stringify(charset)} is not known`)
  }
  try {
    return decoder.decode(bytes)
  } catch (error) {
    throw new BadRequest(`the body is not ${charset}`, { cause: error })
  }
}
