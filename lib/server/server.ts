import type { Server as Listener, Socket } from 'node:net'
import type { Application } from '../contract/application.ts'
import { InvalidOption } from '../contract/errors.ts'
import type { Address, WebSocketScope } from '../contract/scope.ts'
import { checkHeaders } from '../exchange/headers.ts'
import { LifespanExchange } from '../exchange/lifespan.ts'
import { forwardedScope } from '../middleware/proxy-headers.ts'
import { Http1Connection } from '../protocols/http1/connection.ts'
import type { Refusal } from '../protocols/refusal.ts'
import type { Http1Settings } from '../protocols/http1/settings.ts'
import { TimerWheel } from '../protocols/timer-wheel.ts'
import { addressOf, listen, logAcceptErrors, socketAddress, urlOf } from './listen.ts'
import { loadApplication, type ModuleRef } from './load.ts'
import { Log } from './log.ts'
import { completeOptions, type CompleteOptions, type ServerOptions } from './options.ts'
import { refusalLine, ServerObserver } from './server-observer.ts'

/** Seconds that applications have to return once their clients have been cut off. */
const LAST_GRACE = 1

/** Starts a server; resolves once it accepts connections. Installs no signal handlers. Errors: see `Server#start`. */
export function serve(app: Application | ModuleRef, options?: ServerOptions): Promise<Server> {
  return new Server(app, options).start()
}

/** One listening server and the life of its application. */
export class Server implements AsyncDisposable {
  /** Resolves once the server has stopped; rejects with `LifespanFailed` if the application's shutdown failed. */
  readonly closed: Promise<void>

  readonly #app: Application | ModuleRef
  readonly #options: CompleteOptions
  readonly #log: Log
  readonly #observer: ServerObserver
  readonly #wheel = new TimerWheel()
  readonly #lifespan: LifespanExchange
  readonly #connections = new Set<Http1Connection>()
  #listener: Listener | null = null
  #settings: Http1Settings | null = null
  #addresses: readonly Address[] = []
  #starting: Promise<this> | null = null
  #closing: Promise<void> | null = null
  #settleClosed: { resolve: () => void; reject: (error: unknown) => void }
  #emptied: (() => void) | null = null
  #lastServerAddress: Address | null = null

  /** Throws `InvalidOption`. */
  constructor(app: Application | ModuleRef, options: ServerOptions = {}) {
    const complete = completeOptions(options)
    this.#app = app
    this.#options = complete
    this.#log = new Log(complete.logLevel)
    this.#observer = new ServerObserver(this.#log, complete.accessLog, complete.observer)
    this.#lifespan = new LifespanExchange({
      mode: complete.lifespan,
      startup: complete.timeoutLifespanStartup,
      shutdown: complete.timeoutLifespanShutdown,
      unsupported: (error) => this.#log.debug(`the application has no lifespan: ${String(error)}`),
      failed: (error) => this.#log.error('the application\'s lifespan ended early', error),
    })
    let resolve!: () => void
    let reject!: (error: unknown) => void
    this.closed = new Promise<void>((resolveClosed, rejectClosed) => {
      resolve = resolveClosed
      reject = rejectClosed
    })
    this.closed.catch(() => {})
    this.#settleClosed = { resolve, reject }
    this.#checkHeaders()
  }

  /** Where the server listens, as a URL with the real port: `http://127.0.0.1:8000` or `unix:/run/app.sock`. */
  get url(): string {
    const [first] = this.#addresses
    return first === undefined ? '' : urlOf(first)
  }

  /** Where the server listens; empty before it does. */
  get addresses(): readonly Address[] {
    return this.#addresses
  }

  /** Requests whose application has not returned. */
  get running(): number {
    return this.#observer.running
  }

  /**
   * Starts the application, then listens. Throws `LoadFailed` when the module cannot be loaded, `LifespanFailed` when
   * the application does not start, `ListenFailed` when the address cannot be had (the application is shut down first).
   * With `listen: false` connections come through `accept` only.
   */
  start(how: { readonly listen?: boolean } = {}): Promise<this> {
    const starting = this.#start(how.listen ?? true)
    this.#starting = starting
    return starting
  }

  async #start(listening: boolean): Promise<this> {
    const app = this.#app instanceof URL ? await loadApplication(this.#app, this.#options.factory) : this.#app
    const settings = this.#settingsFor(app)
    await this.#lifespan.startup(app)
    this.#settings = settings
    if (!listening) return this
    try {
      this.#listener = await listen(this.#options, (socket) => this.accept(socket))
    } catch (error) {
      await this.#lifespan.shutdown()
      throw error
    }
    logAcceptErrors(this.#listener, this.#log)
    this.#addresses = [addressOf(this.#listener)]
    return this
  }

  /** Serves a connection that somebody else has accepted. */
  accept(socket: Socket): void {
    const settings = this.#settings
    if (settings === null) {
      socket.destroy()
      return
    }
    const { uds } = this.#options
    const client = uds === undefined ? socketAddress(socket.remoteAddress, socket.remotePort) : null
    const connection = new Http1Connection(socket, settings, client, this.#serverAddress(socket))
    this.#connections.add(connection)
    if (this.#closing !== null) connection.stop()
  }

  /** The address that a client has connected to; connections to the same one share it. */
  #serverAddress(socket: Socket): Address | null {
    const { uds } = this.#options
    const address: Address | null = uds === undefined ? socketAddress(socket.localAddress, socket.localPort) : [uds, null]
    const last = this.#lastServerAddress
    if (address?.[0] === last?.[0] && address?.[1] === last?.[1]) return last
    this.#lastServerAddress = address
    return address
  }

  /**
   * Stops: accepts no more connections, closes idle ones, ends event streams, lets running requests finish within
   * `timeout` seconds (default: `timeoutGracefulShutdown`; 0 for no limit), then shuts the application down.
   * Resolves and rejects like `closed`. Calling it again changes nothing.
   */
  close(options: { readonly timeout?: number } = {}): Promise<void> {
    if (this.#closing === null) {
      this.#closing = this.#stop(options.timeout ?? this.#options.timeoutGracefulShutdown)
      this.#closing.then(this.#settleClosed.resolve, this.#settleClosed.reject)
    }
    return this.closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #stop(timeout: number): Promise<void> {
    // A start that is under way comes to its end first; one that failed has cleaned up after itself.
    await this.#starting?.catch(() => {})
    for (const connection of this.#connections) connection.stop()
    // Closing a listener resets the connections that wait to be accepted: take those first.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    this.#listener?.close()
    const stopped = Promise.all([
      new Promise<void>((resolve) => {
        this.#emptied = resolve
        if (this.#connections.size === 0) resolve()
      }),
      this.#exchangesEnd(),
    ])
    if (!await within(stopped, timeout)) {
      this.#log.warn(`not finished within ${timeout} seconds, cut off: ${this.#observer.running} running, ${this.#connections.size} connected`)
      for (const connection of this.#connections) connection.destroy()
      await within(this.#exchangesEnd(), LAST_GRACE)
    }
    await this.#lifespan.shutdown()
    this.#log.flush()
  }

  #exchangesEnd(): Promise<void> {
    return new Promise((resolve) => {
      this.#observer.idle = resolve
      if (this.#observer.running === 0) resolve()
    })
  }

  #settingsFor(app: Application): Http1Settings {
    const options = this.#options
    const origins = options.wsOrigins.map((origin) => origin.toLowerCase())
    const noLimit = (limit: number): number => (limit === 0 ? Infinity : limit)
    return {
      app,
      exchange: { observer: this.#observer, defaultHeaders: this.#checkHeaders(), debug: false, messageQueue: noLimit(options.wsMaxQueue) },
      wheel: this.#wheel,
      timeouts: {
        head: options.timeoutHead,
        body: options.timeoutBody,
        send: options.timeoutSend,
        keepAlive: options.timeoutKeepAlive,
        halfClose: options.timeoutHalfClose,
      },
      parsers: [],
      head: { head: noLimit(options.limitHead), requestLine: noLimit(options.limitRequestLine), fields: noLimit(options.limitHeaders) },
      chunked: { trailers: noLimit(options.limitTrailers), fields: noLimit(options.limitHeaders) },
      requests: noLimit(options.limitRequests),
      scheme: 'http',
      rootPath: options.rootPath,
      state: this.#lifespan.state,
      date: options.dateHeader,
      forwarded: options.proxyHeaders ? forwardedScope(options.forwardedAllowIps) : null,
      webSocket: {
        wheel: this.#wheel,
        maxSize: noLimit(options.wsMaxSize),
        pingInterval: options.wsPingInterval,
        pingTimeout: options.wsPingTimeout,
        deflate: options.wsPerMessageDeflate,
        origins: origins.length === 0 ? null : new Set(origins),
        failed: (scope, code, reason) => this.#webSocketFailed(scope, code, reason),
      },
      owner: {
        closed: (connection) => {
          this.#connections.delete(connection)
          if (this.#connections.size === 0) this.#emptied?.()
        },
        refused: (connection, refusal) => this.#refused(connection, refusal),
        http2: null,
      },
    }
  }

  #refused(connection: Http1Connection, { status, reason }: Refusal): void {
    if (this.#options.accessLog && this.#log.has('info')) this.#log.access(refusalLine(connection.client?.[0] ?? '-', status, reason))
  }

  #webSocketFailed(scope: WebSocketScope, code: number, reason: string): void {
    this.#log.debug(`${scope.client?.[0] ?? '-'} WebSocket ${scope.rawPath} failed, ${code}: ${reason}`)
  }

  /** The default headers, names and values in turn. */
  #checkHeaders(): string[] {
    const { header, serverHeader } = this.#options
    const flat = header.flatMap((line) => {
      const colon = line.indexOf(':')
      if (colon < 1) throw new InvalidOption('header', 'of the form Name: value', line)
      return checked('header', 'a valid header field', line, [line.slice(0, colon), line.slice(colon + 1)])
    })
    if (serverHeader !== undefined) flat.push(...checked('serverHeader', 'a valid field value', serverHeader, ['server', serverHeader]))
    return flat
  }
}

/** Waits for a promise at most so many seconds, 0 for no limit; tells whether it was in time. */
async function within(promise: Promise<unknown>, seconds: number): Promise<boolean> {
  if (seconds === 0) {
    await promise
    return true
  }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), seconds * 1000)
  })
  const inTime = await Promise.race([promise.then(() => true), late])
  clearTimeout(timer)
  return inTime
}

/** A field as the wire has it; throws `InvalidOption` in the name of the option that gave it. */
function checked(option: string, expected: string, found: string, pair: [string, string]): string[] {
  try {
    return checkHeaders('header', [pair]).flat
  } catch {
    throw new InvalidOption(option, expected, found)
  }
}
