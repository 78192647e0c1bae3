/** Compression of messages (RFC 7692), and with it what is expected of the parts of ws that its documents do not mention. */
import { deflateRawSync, constants } from 'node:zlib'
import * as assert from 'uvu/assert'
import { Deflate } from '../../../lib/protocols/websocket/deflate.ts'
import { suite } from '../../support/suite.ts'

const test = suite('permessage-deflate')

const LIMIT = 100_000

function negotiated(field: string): Deflate | null {
  return Deflate.negotiate(Deflate.offers(field), LIMIT)
}

function inflated(deflate: Deflate, data: Buffer): Promise<Buffer | { readonly code: number }> {
  return new Promise((resolve) => deflate.inflate(data, resolve))
}

/** What a client sends for a message (RFC 7692 7.2.1). */
function compressed(message: string): Buffer {
  return deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
}

const answers: readonly (readonly [offer: string, answer: string | null])[] = [
  ['permessage-deflate', 'permessage-deflate; server_max_window_bits=12'],
  ['permessage-deflate; client_max_window_bits', 'permessage-deflate; server_max_window_bits=12'],
  ['permessage-deflate; server_no_context_takeover; client_no_context_takeover', 'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12'],
  ['permessage-deflate; client_max_window_bits=10', 'permessage-deflate; client_max_window_bits=10; server_max_window_bits=12'],
  ['permessage-deflate; server_max_window_bits=9', null],
  ['permessage-deflate; server_max_window_bits=9, permessage-deflate', 'permessage-deflate; server_max_window_bits=12'],
  ['permessage-deflate; unknown', null],
  ['permessage-deflate; unknown, permessage-deflate', 'permessage-deflate; server_max_window_bits=12'],
  ['permessage-deflate; client_max_window_bits=7', null],
  ['x-webkit-deflate-frame', null],
]

for (const [offer, answer] of answers) {
  test(`the offer "${offer}" is ${answer === null ? 'declined' : `answered "${answer}"`} (RFC 7692 5.1, 7.1)`, (t) => {
    const deflate = negotiated(offer)
    t.after(() => deflate?.close())
    assert.is(deflate?.accepted ?? null, answer)
  })
}

test('a malformed field is a SyntaxError (RFC 6455 9.1)', () => {
  for (const field of ['permessage-deflate;', 'a b', '=', 'permessage-deflate; a=', ',']) {
    assert.throws(() => Deflate.offers(field), (error: unknown) => error instanceof SyntaxError, field)
  }
})

test('messages go both ways, with the context of those before', async (t) => {
  const deflate = negotiated('permessage-deflate')
  assert.ok(deflate)
  t.after(() => deflate.close())
  const message = 'tell me, '.repeat(500)
  const sizes: number[] = []
  for (let count = 0; count < 3; count++) {
    const data = await new Promise<Buffer>((resolve) => deflate.deflate(message, resolve))
    sizes.push(data.length)
  }
  assert.ok((sizes[0] ?? 0) < message.length / 10)
  for (let count = 0; count < 3; count++) assert.is(String(await inflated(deflate, compressed(message))), message)
})

test('a message that inflates beyond the limit is stopped there: 1009', async (t) => {
  const deflate = negotiated('permessage-deflate')
  assert.ok(deflate)
  t.after(() => deflate.close())
  const before = process.memoryUsage().arrayBuffers
  const result = await inflated(deflate, compressed('0'.repeat(50_000_000)))
  assert.is((result as { readonly code: number }).code, 1009)
  assert.ok(process.memoryUsage().arrayBuffers - before < 10_000_000)
})

test('what is no deflate is 1007', async (t) => {
  const deflate = negotiated('permessage-deflate')
  assert.ok(deflate)
  t.after(() => deflate.close())
  assert.is((await inflated(deflate, Buffer.from('ffffffff', 'hex')) as { readonly code: number }).code, 1007)
})

test.run()
