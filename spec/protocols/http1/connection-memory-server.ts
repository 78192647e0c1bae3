/** A server in a process of its own, whose memory the spec beside it measures; its parent asks over IPC. */
import { createHash } from 'node:crypto'
import { serve, type HttpReceiveEvent } from '../../../lib/index.ts'

const PART = 65536

/** Waits a millisecond for each MiB, so that the other side is always ahead. */
function dawdle(bytes: number, before: number): Promise<void> | null {
  return Math.floor(bytes / 2 ** 20) === Math.floor(before / 2 ** 20) ? null : new Promise((resolve) => setTimeout(resolve, 1))
}

const server = await serve(async (scope, receive, send) => {
  if (scope.type !== 'http') throw new Error('HTTP only')
  if (scope.method === 'POST') {
    let bytes = 0
    for (let more = true; more;) {
      const event = await receive() as HttpReceiveEvent
      if (event.type === 'http.disconnect') return
      const before = bytes
      bytes += event.body.length
      await dawdle(bytes, before)
      more = event.moreBody
    }
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: String(bytes) })
    return
  }
  const size = Number(scope.path.slice(1))
  const part = Buffer.alloc(PART, createHash('sha256').update('x').digest())
  await send({ type: 'http.response.start', status: 200, headers: [] })
  for (let sent = 0; sent < size; sent += PART) await send({ type: 'http.response.body', body: part, moreBody: true })
  await send({ type: 'http.response.body' })
}, { port: 0, accessLog: false, logLevel: 'error' })

/** What is held, not what waits to be collected: V8 frees array buffers some time after a collection, in a thread. */
async function heldBuffers(): Promise<number> {
  for (let turns = 0; turns < 3; turns++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
  return process.memoryUsage().arrayBuffers
}

const port = Number(new URL(server.url).port)
process.on('message', async () => process.send?.({ port, arrayBuffers: await heldBuffers() }))
process.on('disconnect', () => process.exit())
process.send?.({ port, arrayBuffers: 0 })
