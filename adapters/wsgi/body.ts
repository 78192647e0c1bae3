import type { Receive } from '../../lib/contract/application.ts'
import { ClientDisconnected } from '../../lib/contract/errors.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'

/** Whether a request may have a body, by the fields `content-length` and `transfer-encoding`. Where those do not say, only `receive` can tell. */
export function mayHaveBody({ httpVersion, method }: HttpScope, length: unknown, coding: unknown): boolean {
  if (length !== undefined) return length !== '0'
  // RFC 9112 6.3: without a length there is one only in chunks. Only for these two: other hosts may have lost the field.
  return (method !== 'GET' && method !== 'HEAD') || httpVersion === '2' || coding !== undefined
}

/** Reads a whole body; null where it has more than `limit` bytes, of which no more is read then. 0 is no limit. */
export async function readBody(scope: HttpScope, receive: Receive, limit: number): Promise<Uint8Array | null> {
  if (limit > 0 && Number(scope.headers.get('content-length') ?? 0) > limit) return null
  const parts: Uint8Array[] = []
  let length = 0
  for (;;) {
    const event = await receive()
    if (event.type !== 'http.request') throw new ClientDisconnected('the client disconnected before its body was complete')
    length += event.body.length
    if (limit > 0 && length > limit) return null
    if (event.body.length > 0) parts.push(event.body)
    if (!event.moreBody) return parts.length === 1 ? parts[0] ?? null : Buffer.concat(parts, length)
  }
}
