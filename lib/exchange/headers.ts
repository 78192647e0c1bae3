import { InvalidEvent } from '../contract/errors.ts'
import type { HeadersInput } from '../contract/headers.ts'

/** What the exchange must know of a field name. */
interface FieldName {
  /** The name in lower case. */
  readonly name: string
  /** A bit of its own if the field may come once only, else 0. */
  readonly once: number
  /** Who deals with the field. */
  readonly role: 'plain' | 'content-length' | 'connection' | 'transfer-encoding' | 'content-type' | 'date'
  readonly notInTrailers: boolean
}

// RFC 9110 5.3: a field that is no list must not be sent twice. Bits of a 32-bit mask.
const singletons = [
  'content-length', 'content-type', 'location', 'date', 'etag', 'last-modified', 'expires', 'age', 'retry-after',
  'server', 'content-location', 'content-range', 'strict-transport-security', 'content-disposition',
  'access-control-allow-origin', 'access-control-allow-credentials', 'access-control-max-age', 'referrer-policy',
  'x-content-type-options', 'x-frame-options',
]

/** Fields that frame, route, authenticate or describe the content: they may not stand in trailers (RFC 9110 6.5.1). */
export const forbiddenInTrailers: ReadonlySet<string> = new Set([
  'content-length', 'transfer-encoding', 'trailer', 'te', 'host', 'connection', 'keep-alive', 'proxy-connection',
  'upgrade', 'authorization', 'proxy-authorization', 'www-authenticate', 'proxy-authenticate', 'set-cookie', 'cookie',
  'content-encoding', 'content-type', 'content-range', 'cache-control', 'expires', 'date', 'location', 'vary', 'age',
  'retry-after', 'expect', 'range', 'max-forwards', 'if-match', 'if-none-match', 'if-modified-since',
  'if-unmodified-since', 'if-range',
])

const roles = ['content-length', 'connection', 'transfer-encoding', 'content-type', 'date'] as const

const known = new Map<string, FieldName>()
for (const name of new Set([...singletons, ...forbiddenInTrailers, ...roles])) known.set(name, describeName(name))

/** Names that applications made up are remembered too, up to this many, so that each is checked once. */
const KNOWN_LIMIT = 2000

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const NOT_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/

function describeName(name: string): FieldName {
  const index = singletons.indexOf(name)
  const role = roles.find((each) => each === name) ?? 'plain'
  return { name, once: index < 0 ? 0 : 1 << index, role, notInTrailers: forbiddenInTrailers.has(name) }
}

function fieldName(eventType: string, index: number, name: unknown): FieldName {
  const found = known.get(name as string)
  if (found !== undefined) return found
  if (typeof name !== 'string' || !TOKEN.test(name)) throw new InvalidEvent(eventType, `headers[${index}] name`, 'a token (RFC 9110 5.6.2)', name)
  const lower = name.toLowerCase()
  const field = known.get(lower) ?? describeName(lower)
  if (known.size < KNOWN_LIMIT) known.set(name, field)
  return field
}

function fieldValue(eventType: string, list: 'headers' | 'links', index: number, value: unknown): string {
  if (typeof value !== 'string' || NOT_A_VALUE.test(value)) {
    throw new InvalidEvent(eventType, `${list}[${index}] value`, 'a string of one-byte characters without control characters (RFC 9110 5.5)', value)
  }
  // RFC 9110 5.5: white space around a value is not part of it.
  const first = value.charCodeAt(0)
  const last = value.charCodeAt(value.length - 1)
  return first <= 32 || last <= 32 ? value.replace(/^[ \t]+|[ \t]+$/g, '') : value
}

/** The header fields of a response as the application gave them, checked. */
export interface CheckedHeaders {
  /** Names and values in turn, without the fields that the exchange frames by. */
  readonly flat: string[]
  readonly contentLength: number | null
  readonly close: boolean
  readonly dated: boolean
  readonly eventStream: boolean
}

/** Checks the header fields of `http.response.start`; throws `InvalidEvent` for what no protocol can send. */
export function checkHeaders(eventType: string, input: HeadersInput | null | undefined): CheckedHeaders {
  const flat: string[] = []
  let contentLength: number | null = null
  let close = false
  let dated = false
  let eventStream = false
  let seen = 0
  let index = -1
  for (const pair of pairsOf(eventType, input)) {
    index++
    if (pair === null || typeof pair !== 'object') throw new InvalidEvent(eventType, `headers[${index}]`, 'a pair of name and value', pair)
    const field = fieldName(eventType, index, pair[0])
    const value = fieldValue(eventType, 'headers', index, pair[1])
    if (field.once !== 0) {
      if ((seen & field.once) !== 0) throw new InvalidEvent(eventType, `headers[${index}]`, `the only ${field.name}`, 'a second one')
      seen |= field.once
    }
    switch (field.role) {
      case 'content-length':
        contentLength = parseContentLength(eventType, index, value)
        continue
      case 'connection':
        // Whether a connection persists is the server's business; an application may only ask to end it.
        if (/(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(value)) close = true
        continue
      case 'transfer-encoding':
        continue
      case 'content-type':
        eventStream = value.startsWith('text/event-stream')
        break
      case 'date':
        dated = true
        break
      case 'plain':
        break
    }
    flat.push(field.name, value)
  }
  return { flat, contentLength, close, dated, eventStream }
}

/** Adds to the fields of a response those default ones that it does not have; both are names and values in turn. */
export function withDefaults(headers: string[], defaults: readonly string[]): string[] {
  const given = headers.length
  for (let i = 0; i < defaults.length; i += 2) {
    const name = defaults[i] ?? ''
    let present = false
    for (let j = 0; j < given && !present; j += 2) present = headers[j] === name
    if (!present) headers.push(name, defaults[i + 1] ?? '')
  }
  return headers
}

/** Checks the fields of `http.response.trailers`; returns names and values in turn. */
export function checkTrailers(eventType: string, input: HeadersInput | null | undefined): string[] {
  const flat: string[] = []
  let index = -1
  for (const pair of pairsOf(eventType, input)) {
    index++
    if (pair === null || typeof pair !== 'object') throw new InvalidEvent(eventType, `headers[${index}]`, 'a pair of name and value', pair)
    const field = fieldName(eventType, index, pair[0])
    if (field.notInTrailers) throw new InvalidEvent(eventType, `headers[${index}] name`, 'a field that may stand in trailers (RFC 9110 6.5.1)', field.name)
    flat.push(field.name, fieldValue(eventType, 'headers', index, pair[1]))
  }
  return flat
}

/** Checks the links of `http.response.early_hint`; returns names and values in turn. */
export function checkLinks(eventType: string, links: unknown): string[] {
  if (typeof links === 'string' || !isIterable(links)) throw new InvalidEvent(eventType, 'links', 'an iterable of strings', links)
  const flat: string[] = []
  for (const link of links) {
    flat.push('link', fieldValue(eventType, 'links', flat.length / 2, link))
  }
  return flat
}

function pairsOf(eventType: string, input: HeadersInput | null | undefined): HeadersInput {
  if (input === undefined || input === null) return []
  if (typeof input === 'string' || !isIterable(input)) throw new InvalidEvent(eventType, 'headers', 'an iterable of pairs', input)
  return input
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof (value as Iterable<unknown> | null)?.[Symbol.iterator] === 'function'
}

function parseContentLength(eventType: string, index: number, value: string): number {
  const length = /^[0-9]+$/.test(value) ? Number(value) : NaN
  if (!Number.isSafeInteger(length)) throw new InvalidEvent(eventType, `headers[${index}] value`, 'a whole number of bytes (RFC 9110 8.6)', value)
  return length
}
