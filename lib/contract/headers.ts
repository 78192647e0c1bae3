/** One header field: its name and its value, one character per byte. */
export type HeaderPair = readonly [name: string, value: string]

/**
 * The header fields of a request, in their order, names in lower case, repeated ones kept.
 * It is an iterable of pairs, so `[...headers]` and `new Headers(headers)` work.
 */
export interface HeaderList extends Iterable<HeaderPair> {
  /** How many fields there are. */
  readonly length: number
  /** The first value of a name, in any case; `undefined` if there is none. */
  get(name: string): string | undefined
  /** Every value of a name, in order; empty if there is none. */
  getAll(name: string): readonly string[]
  /** Whether there is a field of this name. */
  has(name: string): boolean
}

/** What an application may give as header fields: any iterable of pairs, read once. */
export type HeadersInput = Iterable<HeaderPair>

/** A `HeaderList` that makes its pairs on first use: most applications never look. */
export abstract class LazyHeaderList implements HeaderList {
  #pairs: readonly HeaderPair[] | undefined = undefined

  /** Makes the pairs, names in lower case; called once. */
  protected abstract read(): readonly HeaderPair[]

  get #list(): readonly HeaderPair[] {
    return this.#pairs ??= this.read()
  }

  get length(): number {
    return this.#list.length
  }

  get(name: string): string | undefined {
    const wanted = name.toLowerCase()
    for (const pair of this.#list) if (pair[0] === wanted) return pair[1]
    return undefined
  }

  getAll(name: string): readonly string[] {
    const wanted = name.toLowerCase()
    const values: string[] = []
    for (const pair of this.#list) if (pair[0] === wanted) values.push(pair[1])
    return values
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  /** The same fields without those of some names, given in lower case. */
  without(names: ReadonlySet<string>): HeaderList {
    return this.#list.some(([name]) => names.has(name)) ? headerList(this.#list.filter(([name]) => !names.has(name))) : this
  }

  [Symbol.iterator](): Iterator<HeaderPair> {
    return this.#list[Symbol.iterator]()
  }

  toJSON(): readonly HeaderPair[] {
    return this.#list
  }
}

// So that `console.log(scope)` shows the pairs.
Object.defineProperty(LazyHeaderList.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: LazyHeaderList) {
    return this.toJSON()
  },
})

class PairHeaderList extends LazyHeaderList {
  readonly #source: HeadersInput

  constructor(source: HeadersInput) {
    super()
    this.#source = source
  }

  protected override read(): readonly HeaderPair[] {
    return Array.from(this.#source, ([name, value]): HeaderPair => [name.toLowerCase(), value])
  }
}

/** A `HeaderList` over pairs that exist already; for middleware that changes a scope's headers, and for tests. */
export function headerList(pairs: HeadersInput): HeaderList {
  return new PairHeaderList(pairs)
}
