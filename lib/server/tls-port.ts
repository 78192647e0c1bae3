import type { Socket } from 'node:net'
import { createServer, type Server as TlsServer, type TLSSocket } from 'node:tls'
import type { Address, TlsExtension } from '../contract/scope.ts'
import type { Placed } from '../protocols/roster.ts'
import { Timed, type TimerWheel } from '../protocols/timer-wheel.ts'
import { certificateFor, type Certificates } from './certificates.ts'
import type { Log } from './log.ts'
import { keepClientChains, tlsExtension } from './tls-extension.ts'

/** The first byte of TLS: the type of a record with a handshake message (RFC 8446 5.1). */
const HANDSHAKE = 0x16
/** Seconds that a client that does not speak TLS has to take its answer. */
const LINGER = 5
/** Seconds that a connection without a finished handshake has once the server stops. */
const STOPPING = 1
/** Our own time limit counts from the start of the connection; Node's cannot be turned off. */
const NO_LIMIT = 2 ** 31 - 1

const PLAIN = 'this port speaks TLS: use https://\n'
const PLAIN_ANSWER = `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${PLAIN.length}\r\nconnection: close\r\n\r\n${PLAIN}`

/** What a `TlsPort` needs. */
export interface TlsPortSettings {
  /** The protocols to offer, the best first. */
  readonly protocols: readonly string[]
  readonly clientAuth: 'none' | 'optional' | 'required'
  /** Seconds from the start of a connection to the end of its handshake; 0 for no limit. */
  readonly timeout: number
  readonly wheel: TimerWheel
  readonly log: Log
  /** Takes a connection whose handshake is done. */
  secured(handshake: Handshake, socket: TLSSocket, tls: TlsExtension): void
  /** Hears of the end of a handshake, after `secured` or without. */
  closed(handshake: Handshake): void
}

/** Brings connections through their TLS handshake. */
export class TlsPort {
  readonly #settings: TlsPortSettings
  readonly #server: TlsServer
  readonly #handshakes = new WeakMap<Socket, Handshake>()
  #certificates: Certificates

  constructor(settings: TlsPortSettings, certificates: Certificates) {
    this.#settings = settings
    this.#certificates = certificates
    this.#server = createServer({
      ...certificates.options,
      ALPNProtocols: [...settings.protocols],
      requestCert: settings.clientAuth !== 'none',
      rejectUnauthorized: settings.clientAuth === 'required',
      handshakeTimeout: NO_LIMIT,
      SNICallback: (name, done) => done(null, certificateFor(this.#certificates, name)?.context),
    })
    if (settings.clientAuth !== 'none') keepClientChains(this.#server)
    this.#server.on('secureConnection', (socket) => this.#secured(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#handshakeOf(socket)?.failed(reasonOf(error, socket)))
  }

  get certificates(): Certificates {
    return this.#certificates
  }

  /** Uses these certificates for handshakes that begin from now on. */
  use(certificates: Certificates): void {
    this.#certificates = certificates
    this.#server.setSecureContext(certificates.options)
  }

  /** Begins with a connection that was just accepted. */
  accept(socket: Socket, client: Address, server: Address | null): Handshake {
    return new Handshake(socket, client, server, this.#settings, (handshake) => {
      this.#handshakes.set(socket, handshake)
      handshake.certificates = this.#certificates
      this.#server.emit('connection', socket)
    })
  }

  #secured(socket: TLSSocket): void {
    const handshake = this.#handshakeOf(socket)
    if (handshake === undefined) return void socket.destroy()
    const { certificates } = handshake
    const name = socket.servername
    const named = typeof name === 'string' && name !== '' ? certificateFor(this.#certificates, name) : undefined
    // If they were exchanged since the handshake began, either may be in use.
    const pem = certificates !== this.#certificates ? null : named === undefined ? this.#certificates.pem : named.pem
    this.#settings.secured(handshake, socket, tlsExtension(socket, pem))
    handshake.finish()
  }

  #handshakeOf(socket: TLSSocket): Handshake | undefined {
    // The socket that the TLS socket was made from. Node gives no other way to tell which it was.
    const { _parent: parent } = socket as { _parent?: Socket }
    return parent === undefined ? undefined : this.#handshakes.get(parent)
  }
}

/** A connection before and in its handshake: the first byte is looked at, then it goes to Node's TLS server. */
export class Handshake extends Timed implements Placed {
  place = 0
  readonly client: Address
  readonly server: Address | null
  /** Those in use when it began. */
  certificates: Certificates | null = null
  readonly #socket: Socket
  readonly #settings: TlsPortSettings
  readonly #begin: (handshake: Handshake) => void
  #phase: 'waiting' | 'shaking' | 'refused' | 'finished' = 'waiting'
  #reported = false

  constructor(socket: Socket, client: Address, server: Address | null, settings: TlsPortSettings, begin: (handshake: Handshake) => void) {
    super()
    this.client = client
    this.server = server
    this.#socket = socket
    this.#settings = settings
    this.#begin = begin
    socket.on('error', ignore)
    socket.once('data', this.#onData)
    socket.once('end', this.#onEnd)
    socket.once('close', this.#onClose)
    settings.wheel.set(this, settings.timeout)
  }

  /** The server stops: what has not begun ends, what is under way has a moment. */
  stop(): void {
    if (this.#phase === 'finished') return
    this.#settings.wheel.set(this, STOPPING)
    // Its first bytes may be here already.
    setImmediate(() => setImmediate(() => {
      if (this.#phase === 'waiting') this.#leave(null)
    }))
  }

  /** Ends the connection now. */
  destroy(): void {
    this.#reported = true
    this.#socket.destroy()
  }

  override expired(): void {
    if (this.#phase !== 'refused') this.failed(`not done within ${this.#settings.timeout} seconds`)
    this.destroy()
  }

  /** The handshake has failed; Node ends the connection. */
  failed(reason: string): void {
    if (this.#reported) return
    this.#reported = true
    this.#settings.log.debug(`${this.client[0]} TLS handshake failed: ${reason}`)
  }

  /** The connection is somebody else's now, or gone. */
  finish(): void {
    if (this.#phase === 'finished') return
    this.#phase = 'finished'
    this.#settings.wheel.remove(this)
    this.#socket.off('close', this.#onClose)
    this.#settings.closed(this)
  }

  readonly #onData = (chunk: Buffer): void => {
    const socket = this.#socket
    if (chunk[0] !== HANDSHAKE) {
      this.failed('the client does not speak TLS')
      return this.#leave(PLAIN_ANSWER)
    }
    this.#phase = 'shaking'
    socket.off('end', this.#onEnd)
    socket.pause()
    socket.unshift(chunk)
    this.#begin(this)
  }

  readonly #onEnd = (): void => {
    if (this.#phase === 'waiting') this.destroy()
  }

  readonly #onClose = (): void => this.finish()

  /** Ends the connection so that the answer arrives: a socket that is closed with bytes unread resets. */
  #leave(answer: string | null): void {
    const socket = this.#socket
    this.#phase = 'refused'
    socket.off('data', this.#onData)
    socket.resume()
    if (answer === null) socket.end()
    else socket.end(answer)
    if (this.dueTurn === 0 || answer !== null) this.#settings.wheel.set(this, LINGER)
  }
}

function ignore(): void {}

function reasonOf(error: Error, socket: TLSSocket): string {
  // Set when the client's certificate was refused; the error is a mere ECONNRESET then.
  const refused: unknown = socket.authorizationError
  if (refused !== null && refused !== undefined) return `the client's certificate was refused: ${String(refused)}`
  const { code } = error as NodeJS.ErrnoException
  return code ?? error.message.trim()
}
