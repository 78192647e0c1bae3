import type { Receive } from './application.ts'
import type { ReceiveEvent, WebSocketReceiveEvent } from './events.ts'

/**
 * The messages of a WebSocket, text as strings and binary as bytes; ends when the WebSocket is closed. The client is
 * held back while the loop is busy. Events before the first message (`websocket.connect`) are passed over.
 */
export async function* messages(receive: Receive<WebSocketReceiveEvent> | Receive): AsyncGenerator<string | Uint8Array, void, void> {
  for (;;) {
    const event: ReceiveEvent = await receive()
    if (event.type === 'websocket.disconnect') return
    if (event.type !== 'websocket.receive') continue
    const message = event.text ?? event.bytes
    if (message !== null && message !== undefined) yield message
  }
}
