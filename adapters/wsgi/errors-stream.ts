import { WsgiError } from '../../lib/contract/errors.ts'
import type { WsgiErrors } from '../../lib/contract/wsgi.ts'

/** `wsgi.errors`: standard error, in whole lines, so that those of several requests do not mix. */
export class ErrorsStream implements WsgiErrors {
  #partial = ''

  write(text: string): void {
    if (typeof text !== 'string') throw new WsgiError(`wsgi.errors takes text, found a value of type ${typeof text}`)
    const end = text.lastIndexOf('\n') + 1
    if (end === 0) {
      this.#partial += text
      return
    }
    const lines = this.#partial + text.slice(0, end)
    this.#partial = text.slice(end)
    process.stderr.write(lines)
  }

  writelines(lines: Iterable<string>): void {
    for (const line of lines) this.write(line)
  }

  flush(): void {
    if (this.#partial === '') return
    const text = this.#partial
    this.#partial = ''
    process.stderr.write(text)
  }
}
