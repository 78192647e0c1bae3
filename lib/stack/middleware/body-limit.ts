import { InvalidOption, TooLarge } from '../../contract/errors.ts'
import { pass } from '../effects.ts'
import { neutral, type Layer } from '../layer.ts'

/**
 * Refuses bodies of more bytes than that with `TooLarge`: 413. One that says its length (RFC 9110 8.6) is refused at once;
 * one that does not (RFC 9112 7.1) is counted while it is read, by whatever method, in whatever layer. It bounds what the
 * `limits` of the stack leave open, `chunks()` and the files of forms, and tightens the others; it never loosens one. Of
 * several such layers the tightest counts. Throws `InvalidOption`.
 */
export function bodyLimit(bytes: number): Layer {
  if (!Number.isSafeInteger(bytes) || bytes < 1) throw new InvalidOption('bodyLimit', 'a whole number of bytes, 1 or more', bytes)
  return neutral(function* bodyLimit(request) {
    const { core } = request
    core.limitBody(bytes)
    // A layer above may have read it.
    if (Math.max(core.contentLength ?? 0, core.bodyTaken, core.bodyTakenThere) > bytes) throw new TooLarge(`the body has more than ${bytes} bytes (layer bodyLimit)`)
    return yield* pass(request)
  })
}
