/** The blocking ends of rings. */
import { createHash } from 'node:crypto'
import { RingReader, RingWriter, type RingMemory } from '../../../lib/threads/ring.ts'

/** Chunk `index` of a stream that specs write: no two are the same, their lengths differ. */
export function chunk(index: number, most: number): Uint8Array {
  const bytes = new Uint8Array(1 + (Math.imul(index, 7919) >>> 0) % most)
  bytes.fill(index)
  bytes[0] = index >>> 8
  return bytes
}

/** Reads to the end: the hash, and how many bytes. */
export function drain(memory: RingMemory, most?: number): readonly [hash: string, bytes: number] {
  const reader = new RingReader(memory)
  const hash = createHash('sha1')
  let total = 0
  for (;;) {
    const bytes = reader.readSync(most)
    if (bytes === null) return [hash.digest('hex'), total]
    hash.update(bytes)
    total += bytes.length
  }
}

/** Writes chunks until it has written `total` bytes or more, and ends: the hash, and how many bytes. */
export function fill(memory: RingMemory, total: number, most: number): readonly [hash: string, bytes: number] {
  const writer = new RingWriter(memory)
  const hash = createHash('sha1')
  let written = 0
  for (let i = 0; written < total; i++) {
    const bytes = chunk(i, most)
    hash.update(bytes)
    writer.writeSync(bytes)
    written += bytes.length
  }
  writer.end()
  return [hash.digest('hex'), written]
}

/** One read: its bytes as numbers; null at the end. */
export function readOnce(memory: RingMemory, began: Int32Array): readonly number[] | null {
  Atomics.add(began, 0, 1)
  const bytes = new RingReader(memory).readSync()
  return bytes === null ? null : [...bytes]
}

/** One write of so many bytes. */
export function writeOnce(memory: RingMemory, length: number, began: Int32Array): void {
  Atomics.add(began, 0, 1)
  new RingWriter(memory).writeSync(new Uint8Array(length))
}
