import { createHash } from 'node:crypto'
import type { HeaderList } from '../../contract/headers.ts'
import { Refusal } from '../refusal.ts'
import { Deflate } from './deflate.ts'
import type { WebSocketSettings } from './settings.ts'

/** What a client asks for. */
export interface Handshake {
  /** In the client's order. */
  readonly subprotocols: readonly string[]
  readonly deflate: Deflate | null
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const KEY = /^[+/0-9A-Za-z]{22}==$/
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Checks the fields of a handshake that every version of HTTP has (RFC 6455 4.2.1). */
export function readHandshake(headers: HeaderList, settings: WebSocketSettings): Handshake | Refusal {
  const versions = headers.getAll('sec-websocket-version')
  if (versions.length !== 1 || versions[0] !== '13') return new Refusal(426, 'the version of WebSocket served here is 13 (RFC 6455 4.4)')
  if (settings.origins !== null) {
    const origins = headers.getAll('origin')
    // RFC 6455 10.2: browsers always send it; a client that does not is none of those allowed.
    if (origins.length !== 1 || !settings.origins.has((origins[0] ?? '').toLowerCase())) return new Refusal(403, 'this origin is not allowed (RFC 6455 10.2)')
  }
  const subprotocols = listOf(headers.getAll('sec-websocket-protocol'))
  if (subprotocols.some((name) => !TOKEN.test(name)) || new Set(subprotocols).size < subprotocols.length) {
    return new Refusal(400, 'Sec-WebSocket-Protocol is not a list of different tokens (RFC 6455 4.1)')
  }
  const extensions = headers.getAll('sec-websocket-extensions')
  if (extensions.length === 0) return { subprotocols, deflate: null }
  try {
    const offers = Deflate.offers(extensions.join(', '))
    return { subprotocols, deflate: settings.deflate ? Deflate.negotiate(offers, settings.maxSize) : null }
  } catch {
    return new Refusal(400, 'Sec-WebSocket-Extensions is malformed (RFC 6455 9.1)')
  }
}

/** The key of a handshake over HTTP/1.1: one, base64 of 16 bytes (RFC 6455 4.2.1); null if it is anything else. */
export function handshakeKey(headers: HeaderList): string | null {
  const keys = headers.getAll('sec-websocket-key')
  const [key = ''] = keys
  return keys.length === 1 && KEY.test(key) ? key : null
}

/** The value of `sec-websocket-accept` (RFC 6455 4.2.2). */
export function acceptValue(key: string): string {
  return createHash('sha1').update(key + GUID).digest('base64')
}

function listOf(values: readonly string[]): string[] {
  return values.length === 0 ? [] : values.join(',').split(',').map((item) => item.replace(/^[ \t]+|[ \t]+$/g, ''))
}
