/** Applications for tests of frames, which keep what they were told. */
import { ClientDisconnected, type Application, type HttpScope, type Receive, type Send } from '../../lib/index.ts'

/** An application over HTTP alone. */
export function http(app: (scope: HttpScope, receive: Receive, send: Send) => Promise<void>): Application {
  return async (scope, receive, send) => {
    if (scope.type === 'http') await app(scope, receive, send)
    else throw new Error('HTTP only')
  }
}

/** Answers with a body. */
export async function reply(send: Send, body = 'ok', headers: readonly (readonly [string, string])[] = []): Promise<void> {
  await send({ type: 'http.response.start', status: 200, headers })
  await send({ type: 'http.response.body', body })
}

/** Waits for `http.disconnect`; returns how many bytes of body came before. */
export async function gone(receive: Receive): Promise<number> {
  for (let bytes = 0;;) {
    const event = await receive()
    if (event.type === 'http.disconnect') return bytes
    if (event.type === 'http.request') bytes += event.body.length
  }
}

/** Sends until the client has left; returns the error that it met. */
export async function sendAll(send: Send, body: string, headers: readonly (readonly [string, string])[] = []): Promise<unknown> {
  try {
    await send({ type: 'http.response.start', status: 200, headers })
    for (;;) {
      await send({ type: 'http.response.body', body, moreBody: true })
      await new Promise((resolve) => setImmediate(resolve))
    }
  } catch (error) {
    return error
  }
}

/** Whether an error is that of a client which left. */
export function isDisconnect(error: unknown): boolean {
  return error instanceof ClientDisconnected
}

/** Waits until something holds, at most so many seconds. */
export async function soon(holds: () => boolean, limit = 2): Promise<void> {
  const end = performance.now() + limit * 1000
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not so within ${limit} s: ${String(holds)}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
