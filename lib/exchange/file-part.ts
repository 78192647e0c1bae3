import { close, constants, fstat, open, read, type Stats } from 'node:fs'
import { isAbsolute } from 'node:path'
import { FileError, InvalidEvent } from '../contract/errors.ts'
import type { HttpResponsePathSendEvent, HttpResponseZeroCopySendEvent } from '../contract/events.ts'

/** Bytes that are read at once: more of them cost memory for each response, fewer cost calls. */
const BLOCK = 128 * 1024

/** A FIFO would keep `open` waiting for somebody who writes; Windows has neither. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/** A part of an open file, read block by block. While one block is sent, the next one is read. */
export class FilePart {
  readonly #name: string | number
  readonly #fd: number
  readonly #owned: boolean
  /** Where the next block begins; null for the descriptor's own position. */
  #position: number | null
  /** Bytes that are yet to be read; Infinity for all that come. */
  #left: number
  #pending: Promise<Buffer> | null = null
  readonly #blocks: Buffer[] = []
  /** How many bytes it has; null where only reading it tells. */
  readonly size: number | null

  private constructor(name: string | number, fd: number, owned: boolean, position: number | null, size: number | null) {
    this.#name = name
    this.#fd = fd
    this.#owned = owned
    this.#position = position
    this.#left = size ?? Infinity
    this.size = size
  }

  /** The whole file of `http.response.pathsend`. Throws `InvalidEvent`, and `FileError` for what is no file that can be read. */
  static async ofPath({ type, path }: HttpResponsePathSendEvent): Promise<FilePart> {
    if (typeof path !== 'string' || !isAbsolute(path) || path.includes('\0')) throw new InvalidEvent(type, 'path', 'an absolute path', path)
    let fd: number
    try {
      fd = await new Promise((resolve, reject) => open(path, READ, (error, opened) => error === null ? resolve(opened) : reject(error)))
    } catch (error) {
      throw new FileError(path, 'cannot be opened', { cause: error })
    }
    try {
      const stats = await statsOf(path, fd)
      if (!stats.isFile()) throw new FileError(path, 'is not a regular file')
      return new FilePart(path, fd, true, 0, stats.size)
    } catch (error) {
      close(fd, ignore)
      throw error
    }
  }

  /** What `http.response.zerocopysend` names. Throws `InvalidEvent` and `FileError`. */
  static async ofDescriptor({ type, file, offset, count }: HttpResponseZeroCopySendEvent): Promise<FilePart> {
    const fd = typeof file === 'object' && file !== null ? file.fd : file
    if (!isCount(fd)) throw new InvalidEvent(type, 'file', 'an open file descriptor, or an object that has one as fd', file)
    const position = offset ?? null
    if (position !== null && !isCount(position)) throw new InvalidEvent(type, 'offset', 'a whole number of bytes', offset)
    const size = count ?? null
    if (size !== null && !isCount(size)) throw new InvalidEvent(type, 'count', 'a whole number of bytes', count)
    const stats = await statsOf(fd, fd)
    if (stats.isDirectory()) throw new FileError(fd, 'is a directory')
    if (position === null || !stats.isFile()) return new FilePart(fd, fd, false, position, size)
    const rest = stats.size - position
    if (rest < (size ?? 0)) throw new FileError(fd, `has ${stats.size} bytes, but ${size ?? 0} from ${position} on are asked for`)
    return new FilePart(fd, fd, false, position, size ?? rest)
  }

  /** The next bytes, which stay as they are until this is called again; none at the end. Throws `FileError`, also where it ends too early. */
  async next(): Promise<Buffer> {
    const pending = this.#pending ?? this.#read()
    this.#pending = null
    const bytes = await pending
    if (bytes.length === 0 && this.#left > 0 && this.#left < Infinity) throw new FileError(this.#name, `has ended ${this.#left} bytes too early`)
    this.#left -= bytes.length
    if (this.#position !== null) this.#position += bytes.length
    if (this.#left > 0 && bytes.length > 0) {
      this.#pending = this.#read()
      // It is asked for later, or never.
      this.#pending.catch(ignore)
    }
    return bytes
  }

  /** Whether all bytes of a part of known size have been given. */
  get done(): boolean {
    return this.#left === 0
  }

  /** Lets go of the file, once nothing reads it any more: its owner may close it then. */
  async close(): Promise<void> {
    await this.#pending?.catch(ignore)
    this.#pending = null
    if (this.#owned) close(this.#fd, ignore)
  }

  /** Reads into one of two blocks in turn. */
  #read(): Promise<Buffer> {
    const block = this.#blocks.length < 2 ? Buffer.allocUnsafeSlow(Math.min(BLOCK, this.#left)) : this.#blocks.shift() as Buffer // there are two
    this.#blocks.push(block)
    return new Promise((resolve, reject) => {
      read(this.#fd, block, 0, Math.min(block.length, this.#left), this.#position, (error, length) => {
        if (error === null) resolve(block.subarray(0, length))
        else reject(new FileError(this.#name, 'cannot be read', { cause: error }))
      })
    })
  }
}

function statsOf(name: string | number, fd: number): Promise<Stats> {
  return new Promise((resolve, reject) => {
    fstat(fd, (error, stats) => error === null ? resolve(stats) : reject(new FileError(name, 'cannot be looked at', { cause: error })))
  })
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function ignore(): void {}
