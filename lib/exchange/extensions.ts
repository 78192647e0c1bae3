import { InvalidEvent } from '../contract/errors.ts'
import type { Extensions } from '../contract/scope.ts'

/** What the exchange itself does, and so every protocol offers for HTTP. */
export const fileExtensions: Extensions = Object.freeze({
  'http.response.zerocopysend': Object.freeze({}),
  'http.response.pathsend': Object.freeze({}),
})

/** Throws `InvalidEvent` where the extension to which an event belongs is not offered. */
export function checkOffered(type: string, extensions: Extensions): void {
  if (extensions[type] === undefined) throw new InvalidEvent('send', 'type', 'an extension that is in scope.extensions', type)
}
