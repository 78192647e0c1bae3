/** From here on four bytes at a time are faster. */
const WORDS_FROM = 48

/**
 * Unmasks `bytes` from `start` to `end` in place (RFC 6455 5.3). `mask` has the first byte of the key lowest; `offset`
 * is how many bytes of the payload came before.
 */
export function unmask(bytes: Uint8Array, start: number, end: number, mask: number, offset: number): void {
  if (mask === 0) return
  let key = rotated(mask, offset)
  let at = start
  if (end - start >= WORDS_FROM) {
    while ((bytes.byteOffset + at) % 4 !== 0) {
      bytes[at] = (bytes[at] as number) ^ (key & 0xff)
      key = rotated(key, 1)
      at++
    }
    const count = (end - at) >> 2
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, count)
    for (let i = 0; i < count; i++) words[i] = (words[i] as number) ^ key
    at += count << 2
  }
  const k0 = key & 0xff
  const k1 = (key >>> 8) & 0xff
  const k2 = (key >>> 16) & 0xff
  const k3 = key >>> 24
  for (; at + 4 <= end; at += 4) {
    bytes[at] = (bytes[at] as number) ^ k0
    bytes[at + 1] = (bytes[at + 1] as number) ^ k1
    bytes[at + 2] = (bytes[at + 2] as number) ^ k2
    bytes[at + 3] = (bytes[at + 3] as number) ^ k3
  }
  for (let i = 0; at < end; at++, i++) bytes[at] = (bytes[at] as number) ^ ((key >>> (8 * i)) & 0xff)
}

/** The key turned so that the byte for the payload's byte `offset` is lowest. */
function rotated(key: number, offset: number): number {
  const bits = 8 * (offset & 3)
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits))
}
