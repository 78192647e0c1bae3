/** The client of `ws` over a stream of HTTP/2 (RFC 8441), which it does not know by itself. */
import type { ClientHttp2Stream } from 'node:http2'
import { WebSocket } from 'ws'
import type { DriverWebSocket } from './driver.ts'
import { WsMessages } from './ws-client.ts'

/** What of `ws` its types do not have: a WebSocket that is no server's, over a stream that is there already. */
interface OverStream extends WebSocket {
  _isServer: boolean
  setSocket(stream: ClientHttp2Stream, head: Buffer, options: Readonly<Record<string, unknown>>): void
}

/** The WebSocket whose handshake was answered with these names and values in turn; `leave` resets the stream. */
export function wsOverStream(stream: ClientHttp2Stream, raw: readonly string[], leave: () => void): DriverWebSocket {
  const options = { autoPong: true, closeTimeout: 10_000 }
  const socket = new WebSocket(null as never, undefined, options as object) as OverStream
  socket._isServer = false
  socket.on('error', () => {})
  const messages = new WsMessages(socket)
  socket.setSocket(stream, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: 0, skipUTF8Validation: false })
  const pairs = raw.flatMap((name, index) => index % 2 === 0 && !name.startsWith(':') ? [[name, raw[index + 1] ?? ''] as const] : [])
  return {
    subprotocol: pairs.find(([name]) => name === 'sec-websocket-protocol')?.[1] ?? null,
    headers: new Headers(pairs.map(([name, value]): [string, string] => [name, value])),
    names: pairs.map(([name]) => name),
    closed: messages.closed,
    send: (message) => messages.send(message),
    receive: () => messages.receive(),
    close: (code, reason) => socket.close(code, reason),
    leave,
  }
}
