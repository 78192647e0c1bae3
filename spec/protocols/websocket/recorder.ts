/** An application that keeps what it was given, and what a connection that fails must look like from both sides. */
import * as assert from 'uvu/assert'
import { application, ClientDisconnected, type Application, type ServerOptions, type WebSocketSendEvent } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { pass, rawServer } from '../../support/raw-socket.ts'
import type { TestContext } from '../../support/suite.ts'
import { CLOSE, closeOf, openWebSocket, type Fields, type RawWebSocket } from '../../support/websocket-raw.ts'

/** A disconnect that the application was given. */
export interface Disconnect {
  readonly code: number
  readonly reason: string
}

/** What an application saw. */
export interface Recorder {
  readonly app: Application
  /** How often it was called for a WebSocket. */
  readonly calls: () => number
  readonly messages: (string | Buffer)[]
  readonly disconnects: Disconnect[]
  /** Resolves when it has returned from its first WebSocket. */
  readonly returned: Promise<void>
}

/** Makes an echo that records. It goes on to `receive` until the disconnect, whatever becomes of its answers. */
export function recorder(how: { readonly echo?: boolean; readonly before?: () => Promise<unknown> } = {}): Recorder {
  const messages: (string | Buffer)[] = []
  const disconnects: Disconnect[] = []
  const returned = deferred()
  let calls = 0
  const app = application({
    http: async (_scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200, headers: [] })
      await send({ type: 'http.response.body', body: 'plain HTTP' })
    },
    websocket: async (_scope, receive, send) => {
      calls++
      const answer = (event: WebSocketSendEvent): Promise<void> => send(event).catch((error: unknown) => {
        if (!(error instanceof ClientDisconnected)) throw error
      })
      try {
        for (;;) {
          const event = await receive()
          switch (event.type) {
            case 'websocket.connect':
              await how.before?.()
              await answer({ type: 'websocket.accept' })
              break
            case 'websocket.receive':
              messages.push(event.text ?? Buffer.from(event.bytes ?? 'neither text nor bytes'))
              if (how.echo !== false) await answer({ type: 'websocket.send', text: event.text, bytes: event.bytes })
              break
            case 'websocket.disconnect':
              disconnects.push({ code: event.code, reason: event.reason })
              return
          }
        }
      } finally {
        returned.resolve()
      }
    },
  })
  return { app, calls: () => calls, messages, disconnects, returned: returned.promise }
}

/** An echo that records, its server, and one client that has shaken hands. */
export async function echo(t: TestContext, options: ServerOptions = {}, fields: Fields = {}, seen: Recorder = recorder()): Promise<{ seen: Recorder; socket: RawWebSocket }> {
  const server = await rawServer(t, seen.app, options)
  return { seen, socket: await openWebSocket(t, server.port, fields) }
}

/** How a case fails. */
export interface FailureCase {
  readonly options?: ServerOptions
  /** Fields of the handshake. */
  readonly fields?: Fields
  /** The messages that the application gets before. Default: none. */
  readonly messages?: readonly (string | Buffer)[]
  /** Opcodes of the frames that the client gets before the close frame. Default: none. */
  readonly before?: readonly number[]
  /** Whether the application answers messages. Default: true. */
  readonly echo?: boolean
}

/**
 * Sends parts, each in a segment of its own, and demands all that "fail the WebSocket connection" means (RFC 6455
 * 7.1.7): one close frame of that code, then FIN; and one disconnect of that code for the application.
 */
export async function assertFails(t: TestContext, parts: Uint8Array | readonly Uint8Array[], code: number, how: FailureCase = {}): Promise<void> {
  const { seen, socket } = await echo(t, how.options, how.fields, recorder({ echo: how.echo !== false }))
  await socket.sendApart(parts instanceof Uint8Array ? [parts] : parts)
  await assertFailed(socket, seen, code, how)
}

/** Demands the same of a connection that has been given what makes it fail. */
export async function assertFailed(socket: RawWebSocket, seen: Recorder, code: number, how: FailureCase = {}): Promise<void> {
  const frames = await socket.toEnd()
  assert.equal(frames.map(({ opcode }) => opcode), [...how.before ?? [], CLOSE])
  const last = frames.at(-1)
  assert.is(last === undefined ? undefined : closeOf(last).code, code)
  await socket.raw.closed
  await seen.returned
  assert.equal(seen.disconnects.map((disconnect) => disconnect.code), [code])
  assert.equal(seen.messages, how.messages ?? [])
  assert.is(seen.calls(), 1)
}

/** Bytes cut in two at `at`. */
export function cut(bytes: Uint8Array, at: number): Uint8Array[] {
  return [bytes.subarray(0, at), bytes.subarray(at)]
}

/** Memory that is held, in MiB, after what can be collected has been. */
export async function held(): Promise<number> {
  for (let tries = 0; tries < 4; tries++) {
    globalThis.gc?.()
    await pass(0.02)
  }
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 2 ** 20
}
