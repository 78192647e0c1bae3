import { WsgiError } from '../../lib/contract/errors.ts'
import type { WsgiFile } from '../../lib/contract/wsgi.ts'

const BLOCK = 8192

/** The blocks of a file, from where it stands to its end. Nothing is read before it is iterated. */
class FileBlocks implements Iterable<Uint8Array> {
  readonly #file: WsgiFile
  readonly #blockSize: number

  constructor(file: WsgiFile, blockSize: number) {
    this.#file = file
    this.#blockSize = blockSize
  }

  *[Symbol.iterator](): Generator<Uint8Array, void, void> {
    for (;;) {
      const block = this.#file.read(this.#blockSize)
      if (block.length === 0) return
      yield typeof block === 'string' ? Buffer.from(block) : block
    }
  }

  close(): void {
    this.#file.close?.()
  }
}

/** `wsgi.file_wrapper`. */
export function fileWrapper(file: WsgiFile, blockSize: number = BLOCK): Iterable<Uint8Array> & { close(): void } {
  if (typeof file?.read !== 'function') throw new WsgiError('wsgi.file_wrapper takes an object with a read method')
  if (!Number.isInteger(blockSize) || blockSize < 1) throw new WsgiError(`wsgi.file_wrapper: the size of a block must be a whole number above 0, found ${String(blockSize)}`)
  return new FileBlocks(file, blockSize)
}
