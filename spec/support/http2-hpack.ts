/** As much of HPACK (RFC 7541) as a client of bytes needs: literals to send, and what nghttp2 makes of a table of size 0. */

/** A name and its value. */
export type Field = readonly [name: string, value: string]

// RFC 7541 appendix A.
const STATIC: readonly Field[] = [
  [':authority', ''], [':method', 'GET'], [':method', 'POST'], [':path', '/'], [':path', '/index.html'], [':scheme', 'http'], [':scheme', 'https'],
  ...['200', '204', '206', '304', '400', '404', '500'].map((status): Field => [':status', status]),
  ['accept-charset', ''], ['accept-encoding', 'gzip, deflate'],
  ...[
    'accept-language', 'accept-ranges', 'accept', 'access-control-allow-origin', 'age', 'allow', 'authorization', 'cache-control', 'content-disposition',
    'content-encoding', 'content-language', 'content-length', 'content-location', 'content-range', 'content-type', 'cookie', 'date', 'etag', 'expect', 'expires',
    'from', 'host', 'if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'last-modified', 'link', 'location', 'max-forwards',
    'proxy-authenticate', 'proxy-authorization', 'range', 'referer', 'refresh', 'retry-after', 'server', 'set-cookie', 'strict-transport-security',
    'transfer-encoding', 'user-agent', 'vary', 'via', 'www-authenticate',
  ].map((name): Field => [name, '']),
]

// RFC 7541 appendix B is canonical: lengths say it all. These are the characters of up to 15 bits, every visible one but `\`.
const HUFFMAN: readonly (readonly [bits: number, characters: string])[] = [
  [5, '012aceiost'], [6, ' %-./3456789=A_bdfghlmnpru'], [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'], [8, '&*,;XZ'], [10, '!"()?'], [11, "'+|"], [12, '#>'],
  [13, '\0$@[]~'], [14, '^}'], [15, '<`{'],
]

const characters = new Map<string, string>()
let code = 0
let length = 0
for (const [bits, all] of HUFFMAN) {
  code <<= bits - length
  length = bits
  for (const character of all) characters.set((code++).toString(2).padStart(bits, '0'), character)
}

function huffman(bytes: Uint8Array): string {
  let text = ''
  let bits = ''
  for (const byte of bytes) {
    for (const bit of byte.toString(2).padStart(8, '0')) {
      bits += bit
      const character = characters.get(bits)
      if (character === undefined) continue
      text += character
      bits = ''
    }
  }
  if (!/^1{0,7}$/.test(bits)) throw new Error(`a character that the table does not have, after ${JSON.stringify(text)}`)
  return text
}

/** An integer with a prefix of so many bits (RFC 7541 5.1), `pattern` before it. */
export function hpackInteger(value: number, prefix: number, pattern: number): number[] {
  const most = 2 ** prefix - 1
  if (value < most) return [pattern | value]
  const bytes = [pattern | most]
  for (value -= most; value >= 128; value = Math.floor(value / 128)) bytes.push(128 | (value % 128))
  return [...bytes, value]
}

/** Fields as literals without indexing, names as they are, Latin-1. */
export function hpack(fields: Iterable<Field>): Buffer {
  const parts: Buffer[] = []
  for (const [name, value] of fields) {
    parts.push(Buffer.from([0, ...hpackInteger(name.length, 7, 0)]), Buffer.from(name, 'latin1'))
    parts.push(Buffer.from(hpackInteger(value.length, 7, 0)), Buffer.from(value, 'latin1'))
  }
  return Buffer.concat(parts)
}

/** The fields of a block from a peer that was told to have no dynamic table. */
export function unhpack(block: Uint8Array): Field[] {
  let at = 0
  const next = (): number => {
    const byte = block[at++]
    if (byte === undefined) throw new Error('a header block that is cut short')
    return byte
  }
  const integer = (prefix: number): number => {
    const most = 2 ** prefix - 1
    let value = block[at] === undefined ? 0 : next() & most
    if (value < most) return value
    for (let scale = 1, more = true; more; scale *= 128) {
      const byte = next()
      value += (byte & 127) * scale
      more = byte >= 128
    }
    return value
  }
  const text = (): string => {
    const coded = ((block[at] ?? 0) & 128) !== 0
    const size = integer(7)
    const bytes = block.subarray(at, at += size)
    return coded ? huffman(bytes) : Buffer.from(bytes).toString('latin1')
  }
  const entry = (index: number): Field => {
    const field = STATIC[index - 1]
    if (field === undefined) throw new Error(`an entry of the dynamic table: ${index}`)
    return field
  }
  const fields: Field[] = []
  while (at < block.length) {
    const first = block[at] ?? 0
    if (first >= 128) {
      fields.push(entry(integer(7)))
    } else if ((first & 0xe0) === 0x20) {
      integer(5)
    } else {
      const index = integer((first & 0x40) === 0 ? 4 : 6)
      const name = index === 0 ? text() : entry(index)[0]
      fields.push([name, text()])
    }
  }
  return fields
}
