import type { Socket } from 'node:net'

/** What has taken a connection over by an upgrade: its bytes are no longer HTTP. */
export interface Tunnel {
  /** The bytes from `start` to `end` have come; they are good for this call only if `borrowed`, and may be changed. */
  read(bytes: Buffer, start: number, end: number, borrowed: boolean): void
  /** The client will send nothing more. */
  readEnd(): void
  /** The connection has room again. */
  drained(): void
  /** The connection is gone. */
  ended(): void
  /** The server stops. */
  stop(): void
}

/** A connection that the application has taken over (extension `tsgi.upgrade`): it reads and writes the socket itself. */
export class TakenOver implements Tunnel {
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  read(): void {}

  readEnd(): void {}

  drained(): void {}

  ended(): void {}

  stop(): void {
    this.#socket.end()
  }
}
