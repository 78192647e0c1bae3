import { LazyHeaderList, type HeaderPair } from '../../contract/headers.ts'

/** The field lines of a message that a FieldParser has accepted, as Latin-1 text; made into pairs on first use. */
export class FieldText extends LazyHeaderList {
  readonly #text: string
  readonly #start: number
  readonly #host: string | null

  /** `text` holds field lines from `start` to its end; `host` replaces the `host` field and comes first. */
  constructor(text: string, start: number, host: string | null) {
    super()
    this.#text = text
    this.#start = start
    this.#host = host
  }

  protected override read(): readonly HeaderPair[] {
    const text = this.#text
    const lower = text.toLowerCase()
    const host = this.#host
    const pairs: HeaderPair[] = []
    if (host !== null) pairs.push(['host', host])
    let at = this.#start
    for (;;) {
      const colon = text.indexOf(':', at)
      if (colon < 0) return pairs
      const lineEnd = text.indexOf('\r\n', colon)
      const name = lower.slice(at, colon)
      if (host === null || name !== 'host') pairs.push([name, trimmed(text, colon + 1, lineEnd)])
      at = lineEnd + 2
    }
  }
}

/** The text from `start` to `end` without spaces and tabs at either end. */
function trimmed(text: string, start: number, end: number): string {
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}
