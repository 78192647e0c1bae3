import { lstatSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server as Listener, type Socket } from 'node:net'
import { ListenFailed } from '../contract/errors.ts'
import type { Address } from '../contract/scope.ts'
import type { Log } from './log.ts'
import type { CompleteOptions } from './options.ts'

/** Buffered bytes at which a socket counts as full; smaller parts of a body are copied into one piece with their framing. */
const HIGH_WATER = 16384

/**
 * Listens as the options say; resolves once connections are accepted. Throws `ListenFailed`.
 * With `paused`, nothing is read from a socket before its `resume()`.
 */
export async function listen(options: CompleteOptions, accept: (socket: Socket) => void, paused = false): Promise<Listener> {
  const { uds, host, port, backlog } = options
  if (uds !== undefined) await removeStaleSocket(uds)
  const listener = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: HIGH_WATER, pauseOnConnect: paused }, accept)
  await new Promise<void>((resolve, reject) => {
    listener.once('error', (error: NodeJS.ErrnoException) => reject(new ListenFailed(explain(error, uds ?? `${host}:${port}`), { cause: error })))
    // A front server mostly runs as another user: the file's folder is what guards a unix socket.
    if (uds !== undefined) listener.listen({ path: uds, backlog, readableAll: true, writableAll: true }, resolve)
    else listener.listen({ host, port, backlog }, resolve)
  })
  listener.removeAllListeners('error')
  return listener
}

/** Logs what keeps a listener from accepting (out of file descriptors, mostly), in one line a second at most. */
export function logAcceptErrors(listener: Listener, log: Log): void {
  let last = -1000
  listener.on('error', (error) => {
    const now = performance.now()
    if (now - last < 1000) return
    last = now
    log.error(`cannot accept a connection: ${error.message}`)
  })
}

/** Where a listener listens. */
export function addressOf(listener: Listener): Address {
  const address = listener.address()
  if (address === null) return ['', 0]
  return typeof address === 'string' ? [address, null] : [address.address, address.port]
}

/** The address as a URL: `http://127.0.0.1:8000`, `unix:/run/app.sock`. */
export function urlOf([host, port]: Address): string {
  if (port === null) return `unix:${host}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** An address as scopes have it: an IPv4 address in IPv6 clothes is written as what it is. */
export function socketAddress(host: string | undefined, port: number | undefined): Address | null {
  if (host === undefined || port === undefined) return null
  return [host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host, port]
}

/** A socket file that a dead server left behind is removed; one that answers, and any other file, is not. */
async function removeStaleSocket(path: string): Promise<void> {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return
  if (!stats.isSocket()) throw new ListenFailed(`cannot listen on ${path}: the file exists and is not a socket`)
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
  if (alive) throw new ListenFailed(`cannot listen on ${path}: another server listens there`)
  unlinkSync(path)
}

function explain(error: NodeJS.ErrnoException, where: string): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `cannot listen on ${where}: the address is in use`
    case 'EACCES':
      return `cannot listen on ${where}: permission denied`
    case 'EADDRNOTAVAIL':
      return `cannot listen on ${where}: this machine has no such address`
    case 'ENOTFOUND':
      return `cannot listen on ${where}: no such host`
    default:
      return `cannot listen on ${where}: ${error.message}`
  }
}
