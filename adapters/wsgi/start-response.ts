import { InvalidEvent, WsgiError } from '../../lib/contract/errors.ts'
import { checkHeaders } from '../../lib/exchange/headers.ts'

/** Fields that are about the connection, which is the server's (RFC 2616 13.5.1, which PEP 3333 names). */
const hopByHop = new Set([
  'connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'trailers',
  'transfer-encoding', 'upgrade',
])

const STATUS = /^[2-5][0-9]{2} [\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/
const CONTROL = /[\0-\x1f\x7f]/

/** The head of a response, checked. */
export interface WsgiHead {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** What the body's length is said to be; null where nothing is said. */
  readonly contentLength: number | null
}

/** Checks what `startResponse` is called with. Throws `WsgiError`. */
export function checkHead(status: unknown, headers: unknown): WsgiHead {
  if (typeof status !== 'string' || !STATUS.test(status)) {
    throw new WsgiError(`startResponse: the status must be a string of three digits, one space and a reason, from 200 to 599, without control characters, found ${shown(status)}`)
  }
  if (!Array.isArray(headers)) throw new WsgiError(`startResponse: the headers must be an array of pairs, found ${shown(headers)}`)
  for (const pair of headers as readonly unknown[]) checkPair(pair)
  const pairs = (headers as WsgiHead['headers']).slice()
  try {
    return { status: Number(status.slice(0, 3)), headers: pairs, contentLength: checkHeaders('startResponse', pairs).contentLength }
  } catch (error) {
    if (error instanceof InvalidEvent) throw new WsgiError(error.message)
    throw error
  }
}

function checkPair(pair: unknown): void {
  if (!Array.isArray(pair) || pair.length !== 2) throw new WsgiError(`startResponse: a header must be an array of two strings, name and value, found ${shown(pair)}`)
  const [name, value] = pair as readonly unknown[]
  if (typeof name !== 'string' || typeof value !== 'string') throw new WsgiError(`startResponse: the name and the value of a header must be strings, found ${shown(name)} and ${shown(value)}`)
  if (hopByHop.has(name.toLowerCase())) throw new WsgiError(`startResponse: ${name} is a hop-by-hop header, and only the server may send one`)
  if (CONTROL.test(value)) throw new WsgiError(`startResponse: the value of ${shown(name)} must have no control characters, found ${shown(value)}`)
}

/** A value as an error shows it: short, and on one line. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object' && value !== null) return `an object (${value.constructor?.name ?? 'no class'})`
  return typeof value === 'function' ? 'a function' : String(value)
}
