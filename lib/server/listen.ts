import { lstatSync, readFileSync, readlinkSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server as Listener, type Socket } from 'node:net'
import { ListenFailed } from '../contract/errors.ts'
import type { Address } from '../contract/scope.ts'
import { bindText, bracketed, type Bind } from './binds.ts'
import type { Log } from './log.ts'

/** Buffered bytes at which a socket counts as full; smaller parts of a body are copied into one piece with their framing. */
const HIGH_WATER = 16384

/** What is known of a connection by the port that it came to; it may be sent to another process. */
export interface Door {
  readonly https: boolean
  /** The path of the unix socket, empty if that is not known; null for TCP. */
  readonly path: string | null
  /** Whether those who connect are front servers that speak uwsgi. */
  readonly uwsgi: boolean
}

/** One place where a server listens. */
export interface Port {
  readonly listener: Listener
  readonly address: Address
  /** `http://127.0.0.1:8000`, `unix:/run/app.sock`, `uwsgi://127.0.0.1:3031`, `uwsgi:/run/app.sock`. */
  readonly url: string
}

/**
 * Listens at every place; resolves once connections are accepted. When one cannot be had, the others are closed again.
 * Throws `ListenFailed`. With `paused`, nothing is read from a socket before its `resume()`.
 */
export async function listenAll(binds: readonly Bind[], backlog: number, accept: (socket: Socket, door: Door) => void, paused = false): Promise<readonly Port[]> {
  const ports: Port[] = []
  try {
    for (const bind of binds) ports.push(await listen(bind, backlog, accept, paused))
  } catch (error) {
    for (const { listener } of ports) listener.close()
    throw error
  }
  return ports
}

async function listen(bind: Bind, backlog: number, accept: (socket: Socket, door: Door) => void, paused: boolean): Promise<Port> {
  if (bind.type === 'unix') await removeStaleSocket(bind.path)
  const uwsgi = bind.type !== 'fd' && bind.uwsgi === true
  let door: Door = { https: bind.type === 'tcp' && bind.https, path: bind.type === 'unix' ? bind.path : null, uwsgi }
  const listener = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: HIGH_WATER, pauseOnConnect: paused }, (socket) => accept(socket, door))
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(new ListenFailed(`cannot listen on ${bindText(bind)}: ${reasonOf(error)}`, { cause: error }))
    listener.once('error', failed)
    try {
      if (bind.type === 'tcp') listener.listen({ host: bind.host, port: bind.port, backlog }, resolve)
      // A front server mostly runs as another user: the file's folder is what guards a unix socket.
      else if (bind.type === 'unix') listener.listen({ path: bind.path, backlog, readableAll: true, writableAll: true }, resolve)
      else listener.listen({ fd: bind.fd, backlog }, resolve)
    } catch (error) {
      failed(error as NodeJS.ErrnoException)
    }
  })
  listener.removeAllListeners('error')
  const address = listener.address()
  if (address !== null && typeof address !== 'string') {
    return { listener, address: [address.address, address.port], url: `${uwsgi ? 'uwsgi' : door.https ? 'https' : 'http'}://${bracketed(address.address)}:${address.port}` }
  }
  const path = address ?? (bind.type === 'fd' ? pathOfDescriptor(bind.fd) : '')
  door = { https: false, path, uwsgi }
  return { listener, address: [path, null], url: path === '' ? bindText(bind) : `${uwsgi ? 'uwsgi' : 'unix'}:${path}` }
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

/** An address as scopes have it: an IPv4 address in IPv6 clothes is written as what it is. */
export function socketAddress(host: string | undefined, port: number | undefined): Address | null {
  if (host === undefined || port === undefined) return null
  return [host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host, port]
}

/** The path of an inherited unix socket, which Node does not tell but Linux does; empty elsewhere. */
function pathOfDescriptor(fd: number): string {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
    const line = readFileSync('/proc/self/net/unix', 'utf8').split('\n').find((each) => each.trim().split(/\s+/)[6] === inode)
    return line === undefined ? '' : /\s(\/.*)$/.exec(line)?.[1] ?? ''
  } catch {
    return ''
  }
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

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'the address is in use'
    case 'EACCES':
      return 'permission denied'
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address'
    case 'ENOTFOUND':
      return 'no such host'
    case 'EINVAL':
    case 'EBADF':
    case 'ENOTSOCK':
    case 'ERR_INVALID_FD_TYPE':
    case 'EEXIST':
      return `not a socket that listens (${error.code})`
    default:
      return error.message
  }
}
