import type { Receive } from './application.ts'
import { ClientDisconnected } from './errors.ts'

/**
 * The request's body, chunk by chunk, in bounded memory: the client is held back while the loop is busy.
 * Throws `ClientDisconnected` when the client leaves before the body is complete.
 */
export async function* bodyChunks(receive: Receive): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    const event = await receive()
    if (event.type !== 'http.request') throw new ClientDisconnected('the client disconnected before its body was complete')
    if (event.body.length > 0) yield event.body
    if (!event.moreBody) return
  }
}
