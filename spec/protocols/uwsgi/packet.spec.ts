import * as assert from 'uvu/assert'
import { PacketReader, readVariables, writePacket } from '../../../lib/protocols/uwsgi/packet.ts'
import { Refusal } from '../../../lib/protocols/refusal.ts'
import { suite } from '../../support/suite.ts'
import { packet, packetHeader } from '../../support/uwsgi.ts'

const test = suite('uwsgi packets')

test('a packet is its header and the sizes, names and values of its variables', () => {
  assert.equal(packet({ A: 'bc' }).toString('hex'), '00070000' + '010041' + '02006263')
  assert.equal(new PacketReader(Infinity).read(packet({ A: 'bc', D: '' }, 30)), { modifier1: 30, variables: ['A', 'bc', 'D', ''] })
  assert.equal(new PacketReader(Infinity).read(packet({})), { modifier1: 0, variables: [] })
})

test('sizes are little-endian; a value may have 255, 256 and 60000 bytes, of any kind', () => {
  for (const size of [255, 256, 60_000]) {
    const value = Buffer.from(Uint8Array.from({ length: size }, (_, i) => i)).toString('latin1')
    assert.equal(new PacketReader(Infinity).read(packet({ X: value })), { modifier1: 0, variables: ['X', value] })
  }
})

test('a packet may come in any pieces, and what follows it is kept', () => {
  const whole = Buffer.concat([packet({ REQUEST_METHOD: 'GET', EMPTY: '' }), Buffer.from('body')])
  for (let cut = 1; cut < whole.length - 4; cut++) {
    const reader = new PacketReader(Infinity)
    assert.is(reader.read(whole.subarray(0, cut)), null, `${cut}`)
    assert.equal(reader.read(whole.subarray(cut)), { modifier1: 0, variables: ['REQUEST_METHOD', 'GET', 'EMPTY', ''] }, `${cut}`)
    assert.is(reader.rest.toString(), 'body')
  }
  const reader = new PacketReader(Infinity)
  const results = [...whole.subarray(0, -4)].map((byte) => reader.read(Buffer.from([byte])))
  assert.equal(results.slice(0, -1).every((result) => result === null), true)
  assert.equal(results.at(-1), { modifier1: 0, variables: ['REQUEST_METHOD', 'GET', 'EMPTY', ''] })
})

test('any other modifier is no request', () => {
  for (let modifier1 = 0; modifier1 < 256; modifier1++) {
    if (modifier1 === 0 || modifier1 === 30) continue
    assert.type(new PacketReader(Infinity).read(packetHeader(modifier1, 0)), 'string', `${modifier1}`)
  }
  assert.match(new PacketReader(Infinity).read(Buffer.from('GET / HTTP/1.1')) as string, /looks like HTTP/)
  assert.match(new PacketReader(Infinity).read(Buffer.from([0x16, 3, 1, 2])) as string, /looks like TLS/)
  for (const modifier2 of [1, 255]) assert.match(new PacketReader(Infinity).read(packetHeader(0, 0, modifier2)) as string, /modifier2/)
})

test('a block whose sizes do not add up is refused', () => {
  const rows: readonly (readonly [string, RegExp])[] = [
    ['01', /within the size of a name/],
    ['0100', /longer than its block/],
    ['010041', /within the size of a value/],
    ['01004101', /within the size of a value/],
    ['0100410100', /longer than its block/],
    ['010041020062', /longer than its block/],
    ['0000', /without a name/],
    ['ffff41', /longer than its block/],
    ['01004100000000', /without a name/],
  ]
  for (const [hex, reason] of rows) assert.match(readVariables(Buffer.from(hex, 'hex')) as string, reason, hex)
})

test('more than the limit is a 431 before it has come', () => {
  const reader = new PacketReader(100)
  const refusal = reader.read(packetHeader(0, 101))
  assert.instance(refusal, Refusal)
  assert.is((refusal as Refusal).status, 431)
  assert.is(new PacketReader(100).read(packetHeader(0, 100)), null)
})

test('variables of more than 65535 bytes make no packet', () => {
  assert.is(writePacket(0, ['A', 'x'.repeat(65_530)])?.length, 65_539)
  assert.is(writePacket(0, ['A', 'x'.repeat(65_531)]), null)
})

test.run()
