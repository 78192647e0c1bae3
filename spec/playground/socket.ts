import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import type { TestContext } from '../support/suite.ts'

/** A WebSocket of somebody else's making. */
export interface Socket {
  send(message: string | Uint8Array): void
  /** The next message, text as a string; null once the WebSocket is closed. */
  next(): Promise<string | Buffer | null>
  /** The code that it was closed with. */
  readonly closed: Promise<number>
  readonly raw: WebSocket
}

/** Opens a WebSocket for the time of a test. */
export async function openSocket(t: TestContext, url: string): Promise<Socket> {
  const raw = new WebSocket(url)
  t.after(() => raw.terminate())
  const arrived: (string | Buffer | null)[] = []
  const waiting: ((message: string | Buffer | null) => void)[] = []
  const give = (message: string | Buffer | null): void => {
    const waiter = waiting.shift()
    if (waiter === undefined) arrived.push(message)
    else waiter(message)
  }
  raw.on('message', (data: Buffer, binary: boolean) => give(binary ? data : data.toString()))
  const closed = new Promise<number>((resolve) => raw.on('close', (code) => {
    give(null)
    resolve(code)
  }))
  await once(raw, 'open')
  return {
    raw,
    closed,
    send: (message) => raw.send(message),
    next: () => {
      const message = arrived.shift()
      return message === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(message)
    },
  }
}

/** The status with which a WebSocket is refused. */
export async function refusal(t: TestContext, url: string): Promise<number | undefined> {
  const raw = new WebSocket(url)
  t.after(() => raw.terminate())
  const [, response] = await once(raw.on('error', () => {}), 'unexpected-response') as [unknown, IncomingMessage]
  return response.statusCode
}
