import { connect, isIPv6, type NetConnectOpts, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { InvalidOption, UpstreamFailed } from '../../lib/contract/errors.ts'

/** One uWSGI server. */
export interface Upstream {
  readonly name: string
  readonly address: NetConnectOpts
  /** Requests that it works on. */
  busy: number
  /** Until when it counts as down, by the clock of `performance`; 0 if it is up. */
  downUntil: number
  /** When it was last asked: a number that grows. */
  turn: number
}

/** A connection that was made, and its end. */
export interface Connected {
  readonly upstream: Upstream
  readonly socket: Socket
  /** The request is over. */
  release(): void
  /** The server has not answered as one should: it counts as down for a while. */
  failed(): void
}

const TCP = /^(?:uwsgi:\/\/)?(\[[^\]]*\]|[^[\]:/?#@\s]+):(\d{1,5})$/i
const UNIX = /^(?:uwsgi|unix):(?:\/\/)?(\/(?!\/).+)$/

/** Milliseconds between two attempts at a unix socket whose queue is full. */
const QUEUE_FULL = 20

/** Several uWSGI servers: the least busy one that is up comes first, those that are as busy in turn. */
export class Upstreams {
  readonly #all: readonly Upstream[]
  readonly #connectTimeout: number
  readonly #failTimeout: number
  #turn = 0

  /** Times are in seconds. Throws `InvalidOption`. */
  constructor(upstream: string | readonly string[], connectTimeout: number, failTimeout: number) {
    const names = typeof upstream === 'string' ? [upstream] : upstream
    if (!Array.isArray(names) || names.length === 0) throw new InvalidOption('upstream', 'an address, or a list of them', upstream)
    this.#all = names.map(parseUpstream)
    this.#connectTimeout = connectTimeout
    this.#failTimeout = failTimeout
  }

  /**
   * Connects to one of them. One that cannot be reached counts as down for a while, and the next is tried: nothing was
   * sent yet. Throws `UpstreamFailed` when none can be reached.
   */
  async connect(signal: AbortSignal): Promise<Connected> {
    const failures: unknown[] = []
    const order = this.#order()
    for (const upstream of order) {
      upstream.busy++
      upstream.turn = ++this.#turn
      try {
        const socket = await this.#connectTo(upstream, signal)
        upstream.downUntil = 0
        return { upstream, socket, release: () => void upstream.busy--, failed: () => this.#down(upstream) }
      } catch (error) {
        upstream.busy--
        signal.throwIfAborted()
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') this.#down(upstream)
        failures.push(error)
      }
    }
    const [first] = order
    const name = order.length === 1 ? first?.name ?? '' : `(${order.map((each) => each.name).join(', ')})`
    throw new UpstreamFailed(name, 'cannot be reached', 502, { cause: failures.length === 1 ? failures[0] : new AggregateError(failures, failures.map(String).join('; ')) })
  }

  #down(upstream: Upstream): void {
    upstream.downUntil = performance.now() + this.#failTimeout * 1000
  }

  #order(): readonly Upstream[] {
    const all = this.#all
    if (all.length === 1) return all
    const now = performance.now()
    return [...all].sort((a, b) => Number(a.downUntil > now) - Number(b.downUntil > now) || a.busy - b.busy || a.turn - b.turn)
  }

  async #connectTo({ address }: Upstream, signal: AbortSignal): Promise<Socket> {
    const deadline = this.#connectTimeout === 0 ? Infinity : performance.now() + this.#connectTimeout * 1000
    for (;;) {
      try {
        return await connectOnce(address, deadline - performance.now(), signal)
      } catch (error) {
        // The queue of a unix socket is full: that server is busy, not down.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() + QUEUE_FULL >= deadline) throw error
        await sleep(QUEUE_FULL, undefined, { signal })
      }
    }
  }
}

function connectOnce(address: NetConnectOpts, milliseconds: number, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const socket = connect(address)
    let timer: NodeJS.Timeout | undefined
    const settle = (error: unknown): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', left)
      socket.off('connect', connected).off('error', settle)
      if (error === undefined) return resolve(socket)
      socket.on('error', () => {}).destroy()
      reject(error)
    }
    const connected = (): void => settle(undefined)
    const left = (): void => settle(signal.reason)
    socket.on('connect', connected).on('error', settle)
    signal.addEventListener('abort', left)
    if (milliseconds !== Infinity) timer = setTimeout(() => settle(new Error('it did not accept the connection in time')), milliseconds)
  })
}

function parseUpstream(text: unknown): Upstream {
  if (typeof text === 'string') {
    const [, host = '', digits] = TCP.exec(text) ?? []
    const port = Number(digits)
    const bare = host.startsWith('[') ? host.slice(1, -1) : host
    if (digits !== undefined && port > 0 && port <= 65535 && (bare === host || isIPv6(bare))) {
      return { name: text, address: { host: bare, port, allowHalfOpen: true, noDelay: true }, busy: 0, downUntil: 0, turn: 0 }
    }
    const path = UNIX.exec(text)?.[1]
    if (path !== undefined) return { name: text, address: { path, allowHalfOpen: true }, busy: 0, downUntil: 0, turn: 0 }
  }
  throw new InvalidOption('upstream', 'of the form uwsgi://HOST:PORT, HOST:PORT, uwsgi:/PATH or unix:/PATH', text)
}
