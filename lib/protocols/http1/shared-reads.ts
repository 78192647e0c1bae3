import { Socket } from 'node:net'

/**
 * Reads of plain sockets go into one buffer, which saves a 64 KiB allocation, a Buffer and a stream event a read:
 * a sixth of the CPU of a small request. `net` offers that for sockets that one makes oneself (option `onread`) but
 * not for those that a server accepts; the two symbols below are what the option sets. Where a version of Node has
 * them no more, reads come as `data` events, slower and otherwise the same.
 */

/** Called with `this` set to the socket. The bytes are good for this call only. */
export type OnRead = (this: Socket, length: number, bytes: Buffer) => void

interface ReadableHandle {
  useUserBuffer?(buffer: Buffer): void
}

const READ_SIZE = 65536

const buffer = Buffer.allocUnsafeSlow(READ_SIZE)
const symbols = Object.getOwnPropertySymbols(new Socket())
const bufferKey = symbols.find((symbol) => symbol.description === 'kBuffer')
const callbackKey = symbols.find((symbol) => symbol.description === 'kBufferCb')

/** Has `socket` read into the shared buffer. Returns false where that cannot be: listen to `data` then. */
export function shareReads(socket: Socket, onRead: OnRead): boolean {
  const handle = (socket as { _handle?: ReadableHandle | null })._handle
  if (bufferKey === undefined || callbackKey === undefined || typeof handle?.useUserBuffer !== 'function') return false
  if (!(bufferKey in socket) || socket.readableLength > 0) return false
  Object.assign(socket, { [bufferKey]: buffer, [callbackKey]: onRead })
  handle.useUserBuffer(buffer)
  socket.resume()
  return true
}

/** Gives `socket` its reads back: they come as `data` events, in memory of their own, as on any other socket. */
export function ownReads(socket: Socket): void {
  // The handle goes on reading into the shared buffer, and cannot be told otherwise.
  if (bufferKey !== undefined && callbackKey !== undefined && Reflect.get(socket, bufferKey) === buffer) Object.assign(socket, { [callbackKey]: pushRead })
}

function pushRead(this: Socket, length: number, bytes: Buffer): boolean {
  return this.push(Buffer.from(bytes.subarray(0, length)))
}

/** Ends that for a socket whose handle somebody else is about to read from. */
export function unshareReads(socket: Socket): void {
  if (bufferKey !== undefined && callbackKey !== undefined) Object.assign(socket, { [bufferKey]: null, [callbackKey]: null })
}
