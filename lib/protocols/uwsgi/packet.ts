import type { GatewayVariables } from '../gateway-request.ts'
import { Refusal } from '../refusal.ts'

/** Bytes of a packet's header. */
const HEADER = 4
/** Pieces that wait for the rest of their packet. */
const PIECES = 64
const NONE = Buffer.alloc(0)

/**
 * Reads one uwsgi packet: a header of 4 bytes (modifier1, size as 16 bits little-endian, modifier2), then names and
 * values, each with its size before it in the same form.
 */
export class PacketReader {
  /** The bytes that came behind the packet. */
  rest: Buffer = NONE
  readonly #limit: number
  #parts: Buffer[] = []
  #length = 0
  #size = -1

  /** `limit`: bytes of the variables; Infinity for none. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether a byte has come. */
  get begun(): boolean {
    return this.#length > 0
  }

  /** Takes bytes; they are kept. Returns the packet once it is whole, null before, a sentence that says why it is none, or why it is not served. */
  read(bytes: Buffer): GatewayVariables | Refusal | string | null {
    this.#parts.push(bytes)
    this.#length += bytes.length
    // A packet that comes byte by byte must not cost a hundred times its size.
    if (this.#parts.length > PIECES) this.#joined()
    if (this.#size < 0) {
      const [first = 0] = this.#parts[0] ?? []
      if (first !== 0 && first !== 30) return looksLike(first)
      if (this.#length < HEADER) return null
      const header = this.#joined()
      if (header[3] !== 0) return `modifier2 is ${header[3]}, expected 0`
      this.#size = header.readUInt16LE(1)
      if (this.#size > this.#limit) return new Refusal(431, `${this.#size} bytes of variables, more than ${this.#limit}`)
    }
    const end = HEADER + this.#size
    if (this.#length < end) return null
    const all = this.#joined()
    this.rest = all.subarray(end)
    this.#parts = []
    const variables = readVariables(all.subarray(HEADER, end))
    return typeof variables === 'string' ? variables : { modifier1: all[0] === 30 ? 30 : 0, variables }
  }

  #joined(): Buffer {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)]
    return this.#parts[0] ?? NONE
  }
}

/** Reads a block of variables: names and values in turn, or a sentence that says what is wrong. */
export function readVariables(block: Buffer): readonly string[] | string {
  const variables: string[] = []
  for (let at = 0; at < block.length;) {
    for (const what of ['name', 'value']) {
      const start = at + 2
      if (start > block.length) return `the block ends within the size of a ${what}`
      const end = start + block.readUInt16LE(at)
      if (end > block.length) return `a ${what} is longer than its block`
      if (what === 'name' && end === start) return 'a variable without a name'
      variables.push(block.toString('latin1', start, end))
      at = end
    }
  }
  return variables
}

/** Writes a packet with modifier2 0. Variables are names and values in turn; null if they are more than a packet can hold. */
export function writePacket(modifier1: number, variables: readonly string[]): Buffer | null {
  let size = 0
  for (const text of variables) size += 2 + text.length
  if (size > 0xffff) return null
  const packet = Buffer.allocUnsafe(HEADER + size)
  packet[0] = modifier1
  packet.writeUInt16LE(size, 1)
  packet[3] = 0
  let at = HEADER
  for (const text of variables) {
    packet.writeUInt16LE(text.length, at)
    at += 2 + packet.write(text, at + 2, 'latin1')
  }
  return packet
}

function looksLike(modifier1: number): string {
  if (modifier1 === 0x16) return 'this looks like TLS, but the port speaks uwsgi'
  if (modifier1 >= 0x41 && modifier1 <= 0x5a) return 'this looks like HTTP, but the port speaks uwsgi'
  return `modifier1 is ${modifier1}, expected 0 or 30`
}
