import { createHmac } from 'node:crypto'
import * as assert from 'uvu/assert'
import { Signer } from '../../../lib/stack/middleware/index.ts'
import { suite } from '../../support/suite.ts'

const test = suite('Signer')
const key = 'k'.repeat(32)
const other = 'o'.repeat(32)
const at = (seconds: number) => (): number => seconds * 1000
const signer = (purpose = 'test', keys: ConstructorParameters<typeof Signer>[0]['keys'] = key, seconds = 1_800_000_000): Signer => new Signer({ keys, purpose, now: at(seconds) })

test('what was signed verifies, whatever text it is, and comes out as it was', () => {
  for (const text of ['', 'a', 'grün 🌱', '\0\n"', 'x'.repeat(5000)]) {
    const signed = signer().sign(text)
    assert.match(signed, /^[A-Za-z0-9_.-]+$/)
    assert.equal(signer().unsign(signed), { value: text, time: 1_800_000_000 })
  }
})

test('a signature is the HMAC-SHA256 (RFC 2104) of text and time, with the key that HKDF (RFC 5869) gives for the purpose', () => {
  // HKDF by hand: extract with an empty salt, and one round of expand.
  const extracted = createHmac('sha256', Buffer.alloc(32)).update(key).digest()
  const derived = createHmac('sha256', extracted).update('tsgi.signing.1:test\x01').digest()
  const text = `${Buffer.from('value').toString('base64url')}.${(1_800_000_000).toString(36)}`
  assert.is(signer().sign('value'), `${text}.${createHmac('sha256', derived).update(`${text}\0`).digest('base64url')}`)
})

test('a change at any place, to any letter, is found; and a cut, and an addition', () => {
  const signed = signer().sign('user=ann')
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=~ é'
  for (let i = 0; i < signed.length; i++) {
    for (const letter of letters) {
      if (letter === signed[i]) continue
      const changed = signed.slice(0, i) + letter + signed.slice(i + 1)
      assert.is(signer().unsign(changed), null, changed)
    }
    assert.is(signer().unsign(signed.slice(0, i)), null)
    assert.is(signer().unsign(signed.slice(0, i) + signed.slice(i + 1)), null)
    assert.is(signer().unsign(signed.slice(0, i) + 'A' + signed.slice(i)), null)
  }
  for (const text of ['', '.', '..', '...', `${signed}=`, ` ${signed}`, `${signed}\n`, signed + signed, '\0', 'x'.repeat(100_000), '.'.repeat(100_000)]) assert.is(signer().unsign(text), null)
})

test('a signature for one purpose, or bound to one thing, is none for another', () => {
  const signed = signer('one').sign('value', 'ann')
  assert.is(signer('one').unsign(signed, { bound: 'ann' })?.value, 'value')
  assert.is(signer('two').unsign(signed, { bound: 'ann' }), null)
  for (const bound of ['', 'bob', 'ann\0']) assert.is(signer('one').unsign(signed, { bound }), null)
})

test('the first key signs, and all verify', () => {
  const old = signer('test', key).sign('value')
  assert.is(signer('test', [other, key]).unsign(old)?.value, 'value')
  assert.is(signer('test', [other]).unsign(old), null)
  const fresh = signer('test', [other, key]).sign('value')
  assert.is(signer('test', other).unsign(fresh)?.value, 'value')
  assert.is(signer('test', key).unsign(fresh), null)
  assert.is(signer('test', Buffer.from(key)).unsign(old)?.value, 'value')
})

test('a signature counts for maxAge seconds, to the second; without it for ever', () => {
  const signed = signer('test', key, 1000).sign('value')
  const found = (seconds: number, maxAge?: number): boolean => signer('test', key, seconds).unsign(signed, { maxAge }) !== null
  assert.equal([found(1000, 0), found(1001, 0), found(1060, 60), found(1061, 60), found(9_000_000_000)], [true, false, true, false, true])
})

test('a signature from the future counts as far as clocks may differ: five minutes', () => {
  const signed = signer('test', key, 1300).sign('value')
  assert.equal([signer('test', key, 1000).unsign(signed)?.value, signer('test', key, 999).unsign(signed)], ['value', null])
})

test('keys of less than 32 bytes, or none, are an error that names the option and does not show the key', () => {
  const rows: readonly (readonly [unknown, RegExp])[] = [
    ['short', /^keys must be at least 32 bytes long, found 5$/],
    [[key, 'short'], /^keys\[1\] must be at least 32 bytes long, found 5$/],
    [Buffer.alloc(31), /^keys must be at least 32 bytes long, found 31$/],
    ['ü'.repeat(15), /^keys must be at least 32 bytes long, found 30$/],
    [[], /^keys must be a key of at least 32 bytes, or a list of them/],
    [undefined, /^keys must be a key of at least 32 bytes, or a list of them/],
    [[undefined], /^keys\[0\] must be a string or a Uint8Array/],
  ]
  for (const [keys, message] of rows) assert.throws(() => new Signer({ keys: keys as string, purpose: 'test' }), (error: Error & { code: string }) => error.code === 'ERR_TSGI_INVALID_OPTION' && message.test(error.message))
  assert.throws(() => signer(''), /^purpose must be/)
  assert.throws(() => new Signer({ keys: key, purpose: 'x', now: 5 as unknown as () => number }), /^now must be/)
})

test.run()
