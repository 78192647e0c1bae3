import { constants } from 'node:fs'
import { lstat, open, readlink, realpath, stat, type FileHandle } from 'node:fs/promises'
import type { BigIntStats } from 'node:fs'
import { join, sep } from 'node:path'

/** A regular file beneath the root, open for reading. Whoever opened it closes it. */
export interface OpenFile {
  readonly handle: FileHandle
  /** In bytes. */
  readonly size: number
  /** When it was last changed, in nanoseconds since 1970. */
  readonly modified: bigint
}

// O_NONBLOCK: a fifo that took the file's place after `stat` must not be waited for. Windows has neither flag.
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0)

/** What means that there is nothing to serve: absent, not allowed, or with a name that cannot be. */
const missing: ReadonlySet<unknown> = new Set([
  'ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EPERM', 'ENAMETOOLONG', 'ELOOP', 'EINVAL', 'EILSEQ', 'ENXIO', 'ENODEV', 'EOPNOTSUPP', 'ERR_INVALID_ARG_VALUE',
])

const TRIES = 3

/** Opens what is beneath one folder, and nothing that a symbolic link leads to elsewhere. */
export class StaticFolder {
  readonly root: string
  readonly #descriptors: boolean
  #real: Promise<string> | null = null

  /** `descriptors`: whether the system tells the path of an open file. */
  constructor(root: string, descriptors: boolean = process.platform === 'linux') {
    this.root = root
    this.#descriptors = descriptors
  }

  /**
   * Opens a regular file. `folder` for a folder; null where nothing is to be served. Rejects for what says nothing about
   * the path, such as too many open files.
   */
  async open(segments: readonly string[]): Promise<OpenFile | 'folder' | null> {
    const path = join(this.root, ...segments)
    try {
      for (let tries = 0; tries < TRIES; tries++) {
        const found = await this.#tryToOpen(path)
        if (found !== 'replaced') return found
      }
      return null
    } catch (error) {
      if (missing.has((error as NodeJS.ErrnoException).code)) return null
      throw error
    }
  }

  async #tryToOpen(path: string): Promise<OpenFile | 'folder' | 'replaced' | null> {
    // Devices and fifos are not even opened: for some that alone has an effect.
    const found = await stat(path)
    if (found.isDirectory()) return 'folder'
    if (!found.isFile()) return null
    const handle = await open(path, FLAGS)
    let kept = false
    try {
      const stats = await handle.stat({ bigint: true })
      if (!stats.isFile()) return null
      // Only what has been opened counts: the path may by now lead elsewhere.
      const real = await this.#pathOf(handle, path, stats)
      if (real === null) return 'replaced'
      if (!await this.#contains(real)) return null
      kept = true
      return { handle, size: Number(stats.size), modified: stats.mtimeNs }
    } finally {
      if (!kept) await handle.close()
    }
  }

  /** Where an open file is, without symbolic links; null if its path leads to another file by now. */
  async #pathOf(handle: FileHandle, path: string, { dev, ino }: BigIntStats): Promise<string | null> {
    if (this.#descriptors) {
      try {
        // Exact, whatever happens to the path meanwhile. A deleted file keeps its path, with ` (deleted)` behind it.
        return await readlink(`/proc/self/fd/${handle.fd}`)
      } catch {
        // Without /proc the path is asked again.
      }
    }
    try {
      const real = await realpath(path)
      const now = await lstat(real, { bigint: true })
      return now.dev === dev && now.ino === ino ? real : null
    } catch (error) {
      if (missing.has((error as NodeJS.ErrnoException).code)) return null
      throw error
    }
  }

  async #contains(real: string): Promise<boolean> {
    const known = this.#real
    if (known !== null && isBeneath(real, await known)) return true
    // The root may be a link that leads to a newer release since.
    const asked = realpath(this.root)
    const root = await asked
    this.#real = asked
    return isBeneath(real, root)
  }
}

function isBeneath(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}
