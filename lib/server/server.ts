import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Application } from '../contract/application.ts'
import type { Address, TlsExtension, WebSocketScope } from '../contract/scope.ts'
import { LifespanExchange } from '../exchange/lifespan.ts'
import { Http1Connection } from '../protocols/http1/connection.ts'
import { Http2Connection } from '../protocols/http2/connection.ts'
import type { Refusal } from '../protocols/refusal.ts'
import { Roster, type Placed } from '../protocols/roster.ts'
import { TimerWheel } from '../protocols/timer-wheel.ts'
import { UwsgiConnection } from '../protocols/uwsgi/connection.ts'
import { bindsOf } from './binds.ts'
import { CertificateWatch } from './certificate-watch.ts'
import { certificateFiles, loadCertificates, type Certificates } from './certificates.ts'
import { listenAll, logAcceptErrors, socketAddress, type Door, type Port } from './listen.ts'
import { loadApplication, type LoadApplication, type ModuleRef } from './load.ts'
import { Log } from './log.ts'
import { completeOptions, type CompleteOptions, type ServerOptions } from './options.ts'
import { refusalLine, ServerObserver } from './server-observer.ts'
import { defaultHeaders, portSettings, type AllSettings } from './settings.ts'
import { TlsPort, type Handshake } from './tls-port.ts'

/** Seconds that applications have to return once their clients have been cut off. */
const LAST_GRACE = 1

/** A connection in any of its states. */
interface Connection extends Placed {
  stop(): void
  destroy(): void
}

/** Starts a server; resolves once it accepts connections. Installs no signal handlers. Errors: see `Server#start`. */
export function serve(app: Application | ModuleRef, options?: ServerOptions): Promise<Server> {
  return new Server(app, options).start()
}

/** One listening server and the life of its application. */
export class Server implements AsyncDisposable {
  /** Resolves once the server has stopped; rejects with `LifespanFailed` if the application's shutdown failed. */
  readonly closed: Promise<void>

  readonly #app: Application | ModuleRef
  readonly #load: LoadApplication
  readonly #options: CompleteOptions
  readonly #log: Log
  readonly #observer: ServerObserver
  readonly #wheel = new TimerWheel()
  readonly #lifespan: LifespanExchange
  readonly #connections = new Roster<Connection>()
  #ports: readonly Port[] = []
  #settings: AllSettings | null = null
  #tls: TlsPort | null = null
  #watch: CertificateWatch | null = null
  #starting: Promise<this> | null = null
  #closing: Promise<void> | null = null
  #settleClosed: { resolve: () => void; reject: (error: unknown) => void }
  #emptied: (() => void) | null = null
  #lastServerAddress: Address | null = null

  /** Throws `InvalidOption`. `load` is for programs that serve other models of application. */
  constructor(app: Application | ModuleRef, options: ServerOptions = {}, load: LoadApplication = loadApplication) {
    const complete = completeOptions(options)
    this.#app = app
    this.#load = load
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
    defaultHeaders(complete)
  }

  /** Where the server listens, as a URL with the real port: `http://127.0.0.1:8000`, `unix:/run/app.sock`, `uwsgi://127.0.0.1:3031`. The first of `urls`. */
  get url(): string {
    return this.urls[0] ?? ''
  }

  /** All places where the server listens, in the order of `bind`; empty before it does. */
  get urls(): readonly string[] {
    return this.#ports.map(({ url }) => url)
  }

  /** The same as addresses. */
  get addresses(): readonly Address[] {
    return this.#ports.map(({ address }) => address)
  }

  /** Requests whose application has not returned. */
  get running(): number {
    return this.#observer.running
  }

  /**
   * Starts the application, then listens. Throws `TlsFailed` when a certificate cannot be used, `LoadFailed` when the
   * module cannot be loaded, `LifespanFailed` when the application does not start, `ListenFailed` when an address cannot
   * be had (the application is shut down first).
   * With `listen: false` connections come through `accept` only.
   */
  start(how: { readonly listen?: boolean } = {}): Promise<this> {
    const starting = this.#start(how.listen ?? true)
    this.#starting = starting
    return starting
  }

  async #start(listening: boolean): Promise<this> {
    const options = this.#options
    const certificates = loadCertificates(options)
    const app = this.#app instanceof URL ? await this.#load(this.#app, options.factory) : this.#app
    const settings = portSettings(options, {
      app,
      observer: this.#observer,
      wheel: this.#wheel,
      state: this.#lifespan.state,
      webSocketFailed: (scope, code, reason) => this.#webSocketFailed(scope, code, reason),
      http1Owner: {
        closed: (connection) => this.#remove(connection),
        refused: (connection, refusal) => this.#refused(connection, refusal),
        http2: options.http2 ? (connection, bytes) => this.#switchToHttp2(connection, bytes) : null,
      },
      http2Owner: {
        closed: (connection) => this.#remove(connection),
        refused: (connection, refusal) => this.#refused(connection, refusal),
      },
      uwsgiOwner: {
        closed: (connection) => this.#remove(connection),
        refused: (connection, refusal) => this.#refused(connection, refusal),
      },
    })
    await this.#lifespan.startup(app)
    this.#settings = settings
    if (certificates !== null) this.#startTls(certificates)
    if (!listening) return this
    try {
      this.#ports = await listenAll(bindsOf(options), options.backlog, (socket, door) => this.accept(socket, door))
    } catch (error) {
      this.#watch?.stop()
      await this.#lifespan.shutdown()
      throw error
    }
    for (const { listener } of this.#ports) logAcceptErrors(listener, this.#log)
    return this
  }

  /** Serves a connection that was accepted at such a port. */
  accept(socket: Socket, door: Door): void {
    const settings = this.#settings
    const tcp = door.path === null
    const client = tcp ? socketAddress(socket.remoteAddress, socket.remotePort) : null
    // A TCP client that is gone already has no address, and must not pass for one on a unix socket.
    if (settings === null || (tcp && client === null)) {
      socket.destroy()
      return
    }
    const server = this.#serverAddress(socket, door)
    if (door.uwsgi) this.#add(new UwsgiConnection(socket, settings.uwsgi, client, server))
    else if (!door.https) this.#add(new Http1Connection(socket, settings.http.http1, client, server, null))
    else if (this.#tls !== null && client !== null) this.#add(this.#tls.accept(socket, client, server))
    else socket.destroy()
  }

  #startTls(certificates: Certificates): void {
    const { http2, tlsClientAuth, tlsHandshakeTimeout } = this.#options
    for (const warning of certificates.warnings) this.#log.warn(warning)
    this.#tls = new TlsPort({
      protocols: http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      clientAuth: tlsClientAuth,
      timeout: tlsHandshakeTimeout,
      wheel: this.#wheel,
      log: this.#log,
      secured: (handshake, socket, tls) => this.#secured(handshake, socket, tls),
      closed: (handshake) => this.#remove(handshake),
    }, certificates)
    this.#watch = new CertificateWatch(certificateFiles(this.#options), () => this.#reloadCertificates(false), (error) => this.#log.error(keptText(error)))
  }

  #secured({ client, server }: Handshake, socket: TLSSocket, tls: TlsExtension): void {
    const settings = this.#settings?.https
    if (settings === undefined) return
    if (socket.alpnProtocol === 'h2') this.#add(new Http2Connection(socket, settings.http2, client, server, tls))
    else this.#add(new Http1Connection(socket, settings.http1, client, server, tls))
  }

  #switchToHttp2(connection: Http1Connection, bytes: Buffer): void {
    const { socket, client, server } = connection
    const settings = this.#settings?.http.http2
    if (settings === undefined) return
    socket.unshift(bytes)
    this.#add(new Http2Connection(socket, settings, client, server, null))
    this.#remove(connection)
  }

  /**
   * Reads the certificates again. New connections get them, those that are open keep theirs. Throws `TlsFailed` when one
   * cannot be used: all stay as they were. Without TLS it does nothing. The server does it by itself when a file changes.
   */
  reloadCertificates(): void {
    this.#reloadCertificates(true)
  }

  #reloadCertificates(asked: boolean): void {
    const tls = this.#tls
    const certificates = loadCertificates(this.#options)
    if (tls === null || certificates === null || (!asked && certificates.digest === tls.certificates.digest)) return
    tls.use(certificates)
    for (const warning of certificates.warnings) this.#log.warn(warning)
    this.#log.info('certificates read again')
  }

  #add(connection: Connection): void {
    this.#connections.add(connection)
    if (this.#closing !== null) connection.stop()
  }

  #remove(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#emptied?.()
  }

  /** The address that a client has connected to; connections to the same one share it. */
  #serverAddress(socket: Socket, { path }: Door): Address | null {
    const address: Address | null = path === null ? socketAddress(socket.localAddress, socket.localPort) : path === '' ? null : [path, null]
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
    for (const connection of this.#connections.all) connection.stop()
    // Closing a listener resets the connections that wait to be accepted: take those first.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    for (const { listener } of this.#ports) listener.close()
    this.#watch?.stop()
    const stopped = Promise.all([
      new Promise<void>((resolve) => {
        this.#emptied = resolve
        if (this.#connections.size === 0) resolve()
      }),
      this.#exchangesEnd(),
    ])
    if (!await within(stopped, timeout)) {
      this.#log.warn(`not finished within ${timeout} seconds, cut off: ${this.#observer.running} running, ${this.#connections.size} connected`)
      for (const connection of this.#connections.all) connection.destroy()
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

  #refused(connection: { readonly client: Address | null }, { status, reason }: Refusal): void {
    if (this.#options.accessLog && this.#log.has('info')) this.#log.access(refusalLine(connection.client?.[0] ?? '-', status, reason))
  }

  #webSocketFailed(scope: WebSocketScope, code: number, reason: string): void {
    this.#log.debug(`${scope.client?.[0] ?? '-'} WebSocket ${scope.rawPath} failed, ${code}: ${reason}`)
  }
}

/** The error line of a reload that was refused. */
export function keptText(error: unknown): string {
  return `${error instanceof Error ? error.message : String(error)}; the certificates stay as they were`
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
