import { ChunkedParser } from '../../lib/protocols/http1/chunked-parser.ts'
import { UpstreamFailed } from '../../lib/contract/errors.ts'
import type { UpstreamLine } from './line.ts'
import type { BodyFraming } from './response-head.ts'

/** A part of a response's body. */
export interface BodyPart {
  readonly bytes: Uint8Array
  readonly last: boolean
}

const NONE = Buffer.alloc(0)
const trailers = { trailers: 16384, fields: 100 }

/**
 * The parts of a response's body, the last one said to be so; `first` came with the head. Throws `UpstreamFailed` when
 * the connection ends before the body does.
 */
export async function* responseBody(line: UpstreamLine, name: string, first: Buffer, framing: BodyFraming): AsyncGenerator<BodyPart, void, void> {
  if (framing === 'chunked') return yield* chunked(line, name, first)
  let left = framing === 'close' ? Infinity : framing
  let bytes: Buffer = first
  for (;;) {
    const part = bytes.length > left ? bytes.subarray(0, left) : bytes
    left -= part.length
    if (left === 0) return yield { bytes: part, last: true }
    if (part.length > 0) yield { bytes: part, last: false }
    const next = await line.read()
    if (next === null) {
      if (framing !== 'close') throw new UpstreamFailed(name, `has ended its response ${left} bytes before its content-length`)
      if (!await line.endedProperly()) throw new UpstreamFailed(name, 'has broken its response off')
      return yield { bytes: NONE, last: true }
    }
    bytes = next
  }
}

async function* chunked(line: UpstreamLine, name: string, first: Buffer): AsyncGenerator<BodyPart, void, void> {
  const parser = new ChunkedParser(trailers)
  let bytes: Buffer = first
  for (;;) {
    const runs: Buffer[] = []
    const end = parser.parse(bytes, 0, bytes.length, (from, to) => runs.push(bytes.subarray(from, to)))
    if (parser.refusal !== null) throw new UpstreamFailed(name, `has sent a malformed body: ${parser.refusal.reason}`)
    const data = runs.length > 1 ? Buffer.concat(runs) : runs[0] ?? NONE
    if (parser.done) return yield { bytes: data, last: true }
    if (data.length > 0) yield { bytes: data, last: false }
    const rest = bytes.subarray(end)
    const next = await line.read()
    if (next === null) throw new UpstreamFailed(name, 'has ended its response before its last chunk')
    bytes = rest.length > 0 ? Buffer.concat([rest, next]) : next
  }
}
