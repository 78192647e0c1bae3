import { InvalidResponse } from '../contract/errors.ts'
import type { HeaderPair, HeadersInput } from '../contract/headers.ts'

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const NOT_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/

/** Names that were checked, as given, and what they are in lower case; up to a number of them. */
const known = new Map<string, string>()
const KNOWN_LIMIT = 2000

/** The header fields of a response, in their order, names in lower case. What no field can have throws `InvalidResponse` at once. */
export class ResponseHeaders implements Iterable<HeaderPair> {
  #pairs: HeaderPair[] = []

  constructor(init?: HeadersInput | Readonly<Record<string, string>> | null) {
    if (init === undefined || init === null) return
    for (const [name, value] of Symbol.iterator in init ? init : Object.entries(init)) this.append(name, value)
  }

  /** How many fields there are. */
  get length(): number {
    return this.#pairs.length
  }

  /** The first value of a name, in any case; `undefined` if there is none. */
  get(name: string): string | undefined {
    const wanted = lowerCase(name)
    for (const pair of this.#pairs) if (pair[0] === wanted) return pair[1]
    return undefined
  }

  /** Every value of a name, in order; empty if there is none. */
  getAll(name: string): readonly string[] {
    const wanted = lowerCase(name)
    const values: string[] = []
    for (const pair of this.#pairs) if (pair[0] === wanted) values.push(pair[1])
    return values
  }

  /** Whether there is a field of this name. */
  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  /** Makes this the only value of a name. */
  set(name: string, value: string): void {
    const wanted = lowerCase(name)
    const checked = fieldValue(wanted, value)
    const pairs = this.#pairs
    const first = this.#find(wanted)
    if (first < 0) {
      pairs.push([wanted, checked])
      return
    }
    pairs[first] = [wanted, checked]
    for (let i = pairs.length - 1; i > first; i--) if (pairs[i]?.[0] === wanted) pairs.splice(i, 1)
  }

  /** Adds a value, beside those that the name has. */
  append(name: string, value: string): void {
    const wanted = lowerCase(name)
    this.#pairs.push([wanted, fieldValue(wanted, value)])
  }

  /** Takes every value of a name away; without effect if there is none. */
  delete(name: string): void {
    const wanted = lowerCase(name)
    if (this.#find(wanted) >= 0) this.#pairs = this.#pairs.filter((pair) => pair[0] !== wanted)
  }

  /** Names and values in turn: what can be cloned to a thread. */
  flat(): string[] {
    return this.#pairs.flat()
  }

  [Symbol.iterator](): Iterator<HeaderPair> {
    return this.#pairs[Symbol.iterator]()
  }

  #find(name: string): number {
    const pairs = this.#pairs
    for (let i = 0; i < pairs.length; i++) if (pairs[i]?.[0] === name) return i
    return -1
  }
}

function lowerCase(name: string): string {
  const found = known.get(name)
  if (found !== undefined) return found
  if (typeof name !== 'string' || !TOKEN.test(name)) throw new InvalidResponse('the name of a header field', 'a token (RFC 9110 5.6.2)', name)
  const lower = name.toLowerCase()
  if (known.size < KNOWN_LIMIT) known.set(name, lower)
  return lower
}

function fieldValue(name: string, value: unknown): string {
  if (typeof value !== 'string' || NOT_A_VALUE.test(value)) {
    throw new InvalidResponse(`the value of ${name}`, 'a string of one-byte characters without control characters (RFC 9110 5.5)', value)
  }
  return value
}
