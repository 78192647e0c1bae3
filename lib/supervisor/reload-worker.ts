import type { Socket } from 'node:net'
import type { Door } from '../server/listen.ts'
import type { Log } from '../server/log.ts'
import { keptText, type Server } from '../server/server.ts'

/** The name in the environment by which a process knows that it serves for `--reload`. */
export const WORKER_VARIABLE = 'TSGI_RELOAD_WORKER'

/** What the supervisor tells its worker. With `connection` comes the socket. */
export type ToWorker =
  | { readonly type: 'connection'; readonly door: Door }
  | { readonly type: 'certificates' }
  | { readonly type: 'stop'; readonly timeout: number }

/** What the worker tells its supervisor. */
export type FromWorker = { readonly type: 'ready' }

/** Whether this process serves for a supervisor. */
export function isReloadWorker(): boolean {
  return process.env[WORKER_VARIABLE] !== undefined && process.send !== undefined
}

/** Serves the connections that the supervisor hands over, until it says stop or goes away. */
export async function runReloadWorker(server: Server, log: Log): Promise<void> {
  let serving = false
  let stopping = false
  const stop = async (timeout: number): Promise<void> => {
    if (stopping) return
    stopping = true
    if (!serving) process.exit(0)
    try {
      await server.close({ timeout })
      process.exit(0)
    } catch (error) {
      log.error('stopped with an error', error)
      process.exit(1)
    }
  }
  process.on('message', (message: ToWorker, socket?: Socket) => {
    if (message.type === 'stop') {
      void stop(message.timeout)
    } else if (message.type === 'certificates') {
      reloadCertificates(server, log)
    } else if (socket !== undefined) {
      socket.allowHalfOpen = true
      server.accept(socket, message.door)
    }
  })
  process.on('disconnect', () => void stop(1))
  // The terminal sends its signals to the whole group, but it is for the supervisor to decide.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => {})
  process.on('SIGHUP', () => {})
  await server.start({ listen: false })
  serving = true
  const ready: FromWorker = { type: 'ready' }
  process.send?.(ready)
}

/** Has the server read its certificates again; one that cannot be used is logged. */
export function reloadCertificates(server: Server, log: Log): void {
  try {
    server.reloadCertificates()
  } catch (error) {
    log.error(keptText(error))
  }
}
