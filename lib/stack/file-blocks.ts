import { closeSync, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { ContentLengthMismatch } from '../contract/errors.ts'

const BLOCK = 64 * 1024

/** The blocks of a file of known size. The file is open while they are iterated, and closed however that ends. */
export function* blocksSync(path: string, size: number): Generator<Buffer, void, void> {
  const file = openSync(path, 'r')
  try {
    for (let at = 0; at < size;) {
      const block = Buffer.allocUnsafeSlow(Math.min(BLOCK, size - at))
      const length = readSync(file, block, 0, block.length, at)
      if (length === 0) throw new ContentLengthMismatch(size, String(at))
      at += length
      yield block.subarray(0, length)
    }
  } finally {
    closeSync(file)
  }
}

/** The same, awaiting. */
export async function* blocks(path: string, size: number): AsyncGenerator<Buffer, void, void> {
  const file = await open(path, 'r')
  try {
    for (let at = 0; at < size;) {
      const block = Buffer.allocUnsafeSlow(Math.min(BLOCK, size - at))
      const { bytesRead } = await file.read(block, 0, block.length, at)
      if (bytesRead === 0) throw new ContentLengthMismatch(size, String(at))
      at += bytesRead
      yield block.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}
