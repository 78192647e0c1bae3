import { stat } from 'node:fs/promises'

/** Milliseconds between two looks. */
const INTERVAL = 1000

/**
 * Calls `reload` when one of the files is another one, or has another content. It looks at what the paths lead to:
 * certbot and Kubernetes replace links, which a watch of the file would not see. A reload that fails is tried once
 * more, since certificate and key are not written at one time; only then does `failed` hear of it.
 */
export class CertificateWatch {
  readonly #files: readonly string[]
  readonly #reload: () => void
  readonly #failed: (error: unknown) => void
  readonly #timer: NodeJS.Timeout
  #seen = ''
  #again = false
  #looking = false
  #stopped = false

  constructor(files: readonly string[], reload: () => void, failed: (error: unknown) => void) {
    this.#files = files
    this.#reload = reload
    this.#failed = failed
    this.#timer = setInterval(() => void this.#look(), INTERVAL).unref()
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    const seen = (await Promise.all(this.#files.map(identity))).join()
    this.#looking = false
    const changed = seen !== this.#seen
    if (this.#stopped || (!changed && !this.#again)) return
    this.#seen = seen
    this.#again = false
    try {
      this.#reload()
    } catch (error) {
      if (changed) this.#again = true
      else this.#failed(error)
    }
  }
}

async function identity(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(path)
    return [dev, ino, size, mtimeMs, ctimeMs].join(':')
  } catch {
    return 'none'
  }
}
