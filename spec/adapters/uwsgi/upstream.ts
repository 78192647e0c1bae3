/** A uWSGI server that does what a test wants. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { PacketReader } from '../../../lib/protocols/uwsgi/packet.ts'
import { serve, type Application, type ExchangeOutcome, type Server } from '../../../lib/index.ts'
import { fromUwsgi, type FromUwsgiOptions } from '../../../adapters/uwsgi/index.ts'
import type { TestContext } from '../../support/suite.ts'

/** A request that has come. */
export interface Came {
  readonly socket: Socket
  readonly variables: ReadonlyMap<string, string>
  readonly modifier1: number
  /** What came of the body with the packet. */
  readonly rest: Buffer
}

export interface Upstream {
  readonly address: string
  /** How many connections came. */
  connections: number
  /** Those that are open. */
  readonly open: Set<Socket>
  close(): Promise<void>
}

/** Calls `handle` with each request. */
export async function upstream(t: TestContext, handle: (came: Came) => unknown, path?: string): Promise<Upstream> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    made.connections++
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
    const reader = new PacketReader(Infinity)
    const onData = (bytes: Buffer): void => {
      const packet = reader.read(bytes)
      if (packet === null) return
      if (typeof packet === 'string' || !('variables' in packet)) throw new Error(`not a packet: ${String(packet)}`)
      socket.off('data', onData)
      const variables = new Map<string, string>()
      for (let i = 0; i < packet.variables.length; i += 2) {
        const name = packet.variables[i] ?? ''
        if (variables.has(name)) throw new Error(`${name} came twice`)
        variables.set(name, packet.variables[i + 1] ?? '')
      }
      handle({ socket, variables, modifier1: packet.modifier1, rest: reader.rest })
    }
    socket.on('data', onData)
  })
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path })
  await once(server, 'listening')
  const where = server.address()
  let closed: Promise<void> | null = null
  const made: Upstream = {
    address: typeof where === 'object' && where !== null ? `127.0.0.1:${where.port}` : `unix:${path}`,
    connections: 0,
    open,
    close: () => closed ??= new Promise((resolve) => {
      for (const socket of open) socket.destroy()
      server.close(() => resolve())
    }),
  }
  t.after(() => made.close())
  return made
}

/** An upstream that answers every request with these bytes and closes. */
export function answering(t: TestContext, bytes: string): Promise<Upstream> {
  return upstream(t, ({ socket }) => socket.end(bytes, 'latin1'))
}

/** A server in front of upstreams, and how its exchanges ended. */
export interface Front {
  readonly url: string
  readonly server: Server
  readonly outcomes: ExchangeOutcome[]
  /** Resolves once so many exchanges have ended. */
  ended(count: number): Promise<void>
}

export async function front(t: TestContext, upstreams: string | readonly string[], options: FromUwsgiOptions = {}, wrap: (app: Application) => Application = (app) => app, rootPath = ''): Promise<Front> {
  const outcomes: ExchangeOutcome[] = []
  const wake: (() => void)[] = []
  const finished = (outcome: ExchangeOutcome): void => {
    outcomes.push(outcome)
    for (const each of wake.splice(0)) each()
  }
  const write = process.stderr.write.bind(process.stderr)
  // The failures that a test causes are in `outcomes`.
  process.stderr.write = ((text: string | Uint8Array, ...rest: never[]): boolean => typeof text === 'string' && text.startsWith('error: ') ? true : write(text, ...rest)) as typeof process.stderr.write
  t.after(() => (process.stderr.write = write))
  const server = await serve(wrap(fromUwsgi(upstreams, options)), { port: 0, accessLog: false, logLevel: 'error', observer: { finished }, rootPath })
  t.after(() => server.close({ timeout: 0.2 }))
  return {
    url: server.url,
    server,
    outcomes,
    async ended(count) {
      while (outcomes.length < count) await new Promise<void>((resolve) => wake.push(resolve))
    },
  }
}
