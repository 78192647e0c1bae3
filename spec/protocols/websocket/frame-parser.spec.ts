/** The frame parser beside that of ws, on frames that are right and wrong, cut anywhere. */
import * as ws from 'ws'
import * as assert from 'uvu/assert'
import { FrameParser } from '../../../lib/protocols/websocket/frame-parser.ts'
import { suite } from '../../support/suite.ts'

const test = suite('the frame parser')

/** What was read, one line an event; of a failure its close code. */
type Trace = string[]

const LIMIT = 3000

function ours(bytes: Buffer, cuts: readonly number[], deflate: boolean): Trace {
  const trace: Trace = []
  const parser = new FrameParser({
    message: (data, text, compressed) => {
      trace.push(`${text ? 'text' : 'binary'}${compressed ? ' compressed' : ''} ${data.toString('hex')}`)
    },
    ping: (data) => trace.push(`ping ${data.toString('hex')}`),
    closeFrame: (code, reason) => trace.push(`close ${code} ${reason}`),
  }, LIMIT, deflate)
  // One buffer for all pieces, dirtied after each: nothing may be kept in it.
  const shared = Buffer.alloc(bytes.length)
  for (const [from, to] of pieces(bytes.length, cuts)) {
    bytes.copy(shared, 0, from, to)
    parser.parse(shared, 0, to - from)
    shared.fill(0xee)
    if (parser.error !== null) return [...trace, `failed ${parser.error.code}`]
  }
  return trace
}

interface Receiver {
  on(event: string, listener: (...values: never[]) => void): this
  _write(chunk: Buffer, encoding: string, done: (error?: Error) => void): void
}

async function theirs(bytes: Buffer): Promise<Trace> {
  const trace: Trace = []
  const { Receiver } = ws as unknown as { Receiver: new (options: object) => Receiver }
  const receiver = new Receiver({ isServer: true, maxPayload: LIMIT, skipUTF8Validation: true })
  receiver.on('message', (data: Buffer, binary: boolean) => trace.push(`${binary ? 'binary' : 'text'} ${data.toString('hex')}`))
  receiver.on('ping', (data: Buffer) => trace.push(`ping ${data.toString('hex')}`))
  receiver.on('conclude', (code: number, reason: Buffer) => trace.push(`close ${code} ${reason.toString()}`))
  receiver._write(Buffer.from(bytes), '', (error) => {
    if (error === undefined || error === null) return
    const [status] = Object.getOwnPropertySymbols(error)
    trace.push(`failed ${String(status === undefined ? 0 : (error as unknown as Record<symbol, number>)[status])}`)
  })
  return trace
}

function* pieces(length: number, cuts: readonly number[]): Generator<readonly [number, number]> {
  let from = 0
  for (const cut of [...cuts, length]) {
    if (cut > from) yield [from, cut]
    from = Math.max(from, cut)
  }
}

/** Numbers below `bound` that a seed gives (mulberry32). */
function randomOf(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}

function frame(random: (bound: number) => number, open: { fragmented: boolean }): Buffer {
  const kind = random(100)
  const control = kind < 25
  const wrong = random(60) === 0
  let opcode = control ? 8 + random(kind < 2 ? 1 : 2) + (kind < 2 ? 0 : 1) : open.fragmented ? 0 : 1 + random(2)
  let final = control || random(3) > 0
  if (!control) open.fragmented = !final
  const sizes = control ? [0, 2, 3, 60, 125] : [0, 1, 5, 47, 48, 125, 126, 127, 300, 1500]
  let length = sizes[random(sizes.length)] ?? 0
  let reserved = 0
  let masked = true
  if (wrong) {
    switch (random(7)) {
      case 0: opcode = random(16); break
      case 1: final = !final; break
      case 2: reserved = 1 + random(7); break
      case 3: masked = false; break
      case 4: length = 126 + random(4); break
      case 5: length = 2900 + random(300); break
      case 6: length = 1; break
    }
  }
  const payload = Buffer.from(Array.from({ length }, () => random(256)))
  if (opcode === 8 && length >= 2) {
    payload.writeUInt16BE([1000, 1001, 1005, 1011, 1015, 2999, 3000, 4999, 5000, 999][random(10)] ?? 0)
    payload.fill('r', 2)
  }
  const head = length < 126 ? Buffer.alloc(2) : Buffer.alloc(4)
  head[0] = (final ? 0x80 : 0) | (reserved << 4) | opcode
  head[1] = (masked ? 0x80 : 0) | Math.min(length, 126)
  if (length >= 126) head.writeUInt16BE(length, 2)
  if (!masked) return Buffer.concat([head, payload])
  const mask = Buffer.from([random(256), random(256), random(256), random(4) === 0 ? 0 : random(256)])
  if (random(10) === 0) mask.fill(0)
  for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] as number) ^ (mask[i & 3] as number)
  return Buffer.concat([head, mask, payload])
}

test('20,000 sequences of frames: what ws reads, this parser reads, wherever they are cut', async () => {
  const random = randomOf(1)
  const seen = new Set<string>()
  for (let count = 0; count < 20_000; count++) {
    const open = { fragmented: false }
    const bytes = Buffer.concat(Array.from({ length: 1 + random(8) }, () => frame(random, open)))
    const expected = await theirs(bytes)
    for (const line of expected) seen.add(line.split(' ', 2).slice(0, line.startsWith('failed') ? 2 : 1).join(' '))
    const cuts = Array.from({ length: random(6) }, () => random(bytes.length)).sort((a, b) => a - b)
    assert.equal(ours(bytes, cuts, false), expected, `sequence ${count}, cut at ${cuts.join()}`)
  }
  assert.equal([...seen].sort(), ['binary', 'close', 'failed 1002', 'failed 1009', 'ping', 'text'])
}, 60)

test('sequences of frames cut at every byte', async () => {
  const random = randomOf(2)
  for (let count = 0; count < 60; count++) {
    const open = { fragmented: false }
    const bytes = Buffer.concat(Array.from({ length: 4 }, () => frame(random, open)))
    const expected = await theirs(bytes)
    const everywhere = Array.from({ length: bytes.length }, (_, at) => at)
    assert.equal(ours(bytes, everywhere, false), expected, `sequence ${count}, byte by byte`)
    for (let cut = 0; cut < Math.min(bytes.length, 700); cut++) assert.equal(ours(bytes, [cut], false), expected, `sequence ${count}, cut at ${cut}`)
  }
}, 60)

test('the first reserved bit is for the first frame of a message, where compression was agreed on (RFC 7692 6)', () => {
  const compressed = Buffer.from('c18000000000', 'hex')
  assert.equal(ours(compressed, [], true), ['text compressed '])
  assert.equal(ours(compressed, [], false), ['failed 1002'])
  assert.equal(ours(Buffer.from('418000000000c08000000000', 'hex'), [], true), ['failed 1002'])
  assert.equal(ours(Buffer.from('418000000000808000000000', 'hex'), [], true), ['text compressed '])
  assert.equal(ours(Buffer.from('c98000000000', 'hex'), [], true), ['failed 1002'])
})

test('while it is held it hands over nothing, and says how far it got', () => {
  const messages: string[] = []
  const parser: FrameParser = new FrameParser({
    message: (data) => {
      messages.push(data.toString())
      parser.held = messages.length === 1
    },
    ping: () => {},
    closeFrame: () => {},
  }, LIMIT, false)
  const bytes = Buffer.from('81810000000061818100000000628181000000006381', 'hex')
  assert.is(parser.parse(bytes, 0, bytes.length), 7)
  assert.is(parser.parse(bytes, 7, bytes.length), 7)
  parser.held = false
  assert.is(parser.parse(bytes, 7, bytes.length), bytes.length)
  assert.equal(messages, ['a', 'b', 'c'])
})

test('what a frame announces costs no memory before it comes', () => {
  const parser = new FrameParser({ message: () => {}, ping: () => {}, closeFrame: () => {} }, Infinity, false)
  const before = process.memoryUsage().arrayBuffers
  const head = Buffer.from('82ff000000007fffffff00000000', 'hex')
  parser.parse(Buffer.concat([head, Buffer.alloc(1000)]), 0, head.length + 1000)
  assert.is(parser.error, null)
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000)
})

test.run()
