import { BadRequest, TooLarge } from '../contract/errors.ts'
import { isOver, type RequestLimits } from './limits.ts'

/** Reads `application/x-www-form-urlencoded`. Throws `BadRequest` for bad escapes and bytes that are not UTF-8, and `TooLarge`. */
export function parseUrlencoded(text: string, limits: RequestLimits): (readonly [name: string, value: string])[] {
  const entries: (readonly [string, string])[] = []
  for (let at = 0; at < text.length;) {
    let end = text.indexOf('&', at)
    if (end < 0) end = text.length
    if (end > at) {
      if (isOver(entries.length + 1, limits.formFields)) throw new TooLarge(`the form has more than ${limits.formFields} fields (limit formFields)`)
      const equals = text.indexOf('=', at)
      const middle = equals < 0 || equals > end ? end : equals
      const value = decoded(text.slice(middle + 1, end))
      if (limits.fieldSize > 0 && value.length * 3 > limits.fieldSize && isOver(Buffer.byteLength(value), limits.fieldSize)) {
        throw new TooLarge(`a field of the form has more than ${limits.fieldSize} bytes (limit fieldSize)`)
      }
      entries.push([decoded(text.slice(at, middle)), middle === end ? '' : value])
    }
    at = end + 1
  }
  return entries
}

function decoded(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch (error) {
    throw new BadRequest('the form has a bad percent-encoding, or one that is not UTF-8', { cause: error })
  }
}
