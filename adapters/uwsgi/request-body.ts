import { tmpdir } from 'node:os'
import type { Receive } from '../../lib/contract/application.ts'
import { hasBody } from '../../lib/contract/disconnect.ts'
import { ClientDisconnected } from '../../lib/contract/errors.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'
import { spooledBody, type SpooledBody } from '../spooled-body.ts'

/** Bytes that are read from a file at once. */
const BLOCK = 65536

/** A request's body whose length is known. */
export interface RequestBody {
  /** In bytes; null for no body. */
  readonly length: number | null
  readonly parts: AsyncIterable<Uint8Array>
  /** Lets go of the file, if there is one. */
  close(): Promise<void>
}

const nothing: RequestBody = { length: null, parts: (async function* () {})(), close: async () => {} }

/** The request's body. One that does not say its length is read whole first; throws `TooLarge` if it is over `limit` bytes. */
export async function requestBody(scope: HttpScope, receive: Receive, limit: number): Promise<RequestBody> {
  const length = scope.headers.get('content-length')
  if (length !== undefined && /^[0-9]+$/.test(length) && !scope.headers.has('transfer-encoding')) {
    return { length: Number(length), parts: receivedParts(receive, Number(length)), close: async () => {} }
  }
  if (hasBody(scope) === false) return nothing
  const body = await spooledBody(receive, limit, tmpdir())
  return body.length === 0 ? nothing : { length: body.length, parts: partsOf(body), close: async () => body.file?.close() }
}

async function* receivedParts(receive: Receive, length: number): AsyncGenerator<Uint8Array, void, void> {
  let left = length
  for (;;) {
    const event = await receive()
    if (event.type !== 'http.request') throw new ClientDisconnected('the client disconnected before its body was complete')
    left -= event.body.length
    // No server of ours lets such a body through.
    if (left < 0 || (left > 0 && !event.moreBody)) throw new ClientDisconnected('the client\'s body does not have its content-length')
    if (event.body.length > 0) yield event.body
    if (!event.moreBody) return
  }
}

async function* partsOf({ length, bytes, file }: SpooledBody): AsyncGenerator<Uint8Array, void, void> {
  if (bytes !== null) yield bytes
  for (let at = 0; file !== null && at < length;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(BLOCK), 0, Math.min(BLOCK, length - at), at)
    if (bytesRead === 0) throw new Error('the file of a request\'s body has become shorter')
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
