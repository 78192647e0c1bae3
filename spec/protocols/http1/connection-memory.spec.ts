import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import * as assert from 'uvu/assert'
import type { HttpReceiveEvent } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { pass, rawServer, rawSocket } from '../../support/raw-socket.ts'
import { suite, type TestContext } from '../../support/suite.ts'

const test = suite('HTTP/1.1: memory and handles')

const MiB = 2 ** 20

interface Answer {
  readonly port: number
  /** The most since the last answer. */
  readonly arrayBuffers: number
}

class MemoryServer {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(t: TestContext): Promise<{ server: MemoryServer; port: number }> {
    const child = fork(new URL('./connection-memory-server.ts', import.meta.url), { execArgv: ['--expose-gc', '--conditions=source', '--import', 'tsx'] })
    t.after(async () => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    })
    const [{ port }] = await once(child, 'message') as [Answer]
    return { server: new MemoryServer(child), port }
  }

  /** The `arrayBuffers` that are held, in MiB. */
  async arrayBuffers(): Promise<number> {
    const answer = once(this.#child, 'message') as Promise<[Answer]>
    this.#child.send('')
    return (await answer)[0].arrayBuffers / MiB
  }

  /** The highest resident memory so far, in MiB. */
  peak(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'latin1')
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024
  }

}

async function upload(t: TestContext, port: number, size: number): Promise<void> {
  const raw = await rawSocket(t, { port, host: '127.0.0.1' })
  const { socket } = raw
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`)
  const part = Buffer.alloc(MiB)
  for (let sent = 0; sent < size; sent += MiB) {
    if (!socket.write(part)) await once(socket, 'drain')
  }
  await raw.until(`\r\n\r\n${size}`)
}

async function download(t: TestContext, port: number, size: number): Promise<void> {
  const { socket } = await rawSocket(t, { port, host: '127.0.0.1' })
  socket.removeAllListeners('data')
  let length = 0
  socket.on('data', (chunk: Buffer) => {
    // A pause for each MiB: the server is always ahead.
    if (Math.floor(length / MiB) !== Math.floor((length += chunk.length) / MiB)) {
      socket.pause()
      setTimeout(() => socket.resume(), 1)
    }
  })
  socket.write(`GET /${size} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  await once(socket, 'end')
  assert.ok(length > size, `${length} of ${size} bytes`)
}

for (const [what, transfer] of [['an upload of 1 GiB to an application that reads slowly', upload], ['a response of 1 GiB to a client that reads slowly', download]] as const) {
  test(`${what} stays within bounds`, async (t) => {
    const { server, port } = await MemoryServer.start(t)
    await transfer(t, port, 64 * MiB)
    const warm = server.peak()
    const warmBuffers = await server.arrayBuffers()
    await transfer(t, port, 1024 * MiB)
    const growth = server.peak() - warm
    const arrayBuffers = await server.arrayBuffers() - warmBuffers
    if (process.env['FIGURES'] !== undefined) console.log(`\n  ${what}: peak +${growth.toFixed(1)} MiB over ${warm.toFixed(1)}, arrayBuffers +${arrayBuffers.toFixed(1)} MiB over ${warmBuffers.toFixed(1)}`)
    assert.ok(growth < 128, `the peak grew by ${growth.toFixed(1)} MiB`)
    assert.ok(arrayBuffers < 4, `held array buffers grew by ${arrayBuffers.toFixed(1)} MiB`)
  }, 60)
}

test('1,000 event streams whose clients send a FIN and nothing more: a silent application hears of each, and nothing stays', async (t) => {
  const limit = 1
  const count = 1000
  let open = 0
  let times: number[] = []
  let all = deferred()
  const server = await rawServer(t, async (scope, receive, send) => {
    if (scope.type !== 'http') throw new Error('HTTP only')
    await receive()
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/event-stream']] })
    await send({ type: 'http.response.body', moreBody: true })
    if (++open === count) all.resolve()
    const event = await receive() as HttpReceiveEvent
    assert.is(event.type, 'http.disconnect')
    times.push(performance.now())
    if (times.length === count) all.resolve()
  }, { timeoutHalfClose: limit })

  const round = async (): Promise<number> => {
    open = 0
    times = []
    all = deferred()
    // Clients that leave nothing behind themselves.
    const sockets: Socket[] = []
    for (let made = 0; made < count; made += 100) {
      const some = Array.from({ length: 100 }, () => connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true }))
      sockets.push(...some)
      for (const socket of some) socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      await Promise.all(some.map((socket) => once(socket, 'data')))
    }
    await all.promise
    all = deferred()
    const start = performance.now()
    for (const socket of sockets) socket.end()
    await all.promise
    await Promise.all(sockets.map((socket) => socket.resume().closed || once(socket, 'close')))
    return (Math.max(...times) - start) / 1000
  }
  const settle = async (): Promise<{ heap: number; resources: string[] }> => {
    await pass(0.2)
    for (let tries = 0; tries < 4; tries++) {
      globalThis.gc?.()
      await pass(0.02)
    }
    return { heap: process.memoryUsage().heapUsed / MiB, resources: process.getActiveResourcesInfo().sort() }
  }

  await round()
  const before = await settle()
  const slowest = await round()
  const after = await settle()
  assert.ok(slowest < limit + 1, `the last was heard of after ${slowest.toFixed(2)} s`)
  assert.equal(after.resources, before.resources)
  const growth = after.heap - before.heap
  if (process.env['FIGURES'] !== undefined) console.log(`\n  heard within ${slowest.toFixed(2)} s; heap ${growth.toFixed(2)} MiB more`)
  assert.ok(growth < 2, `the heap grew by ${growth.toFixed(2)} MiB`)
}, 40)

test.run()
