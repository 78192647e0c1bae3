import { Readable } from 'node:stream'

/** Whether something has been read of a stream, or it has been cancelled. */
export function isDisturbed(stream: ReadableStream): boolean {
  // It takes web streams too; its type does not know.
  return Readable.isDisturbed(stream as unknown as Readable)
}
