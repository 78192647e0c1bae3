import * as assert from 'uvu/assert'
import { InvalidOption } from '../../lib/contract/errors.ts'
import { canonicalAddress, TrustedAddresses } from '../../lib/middleware/trusted-addresses.ts'
import { suite } from '../support/suite.ts'

const test = suite('trusted addresses')

const trust = (allow: string | readonly string[]) => new TrustedAddresses(allow, 'forwardedAllowIps')

test('a peer is trusted if an entry covers its address', () => {
  const rows: readonly (readonly [string | readonly string[], string, boolean])[] = [
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['127.0.0.1', '::ffff:127.0.0.1', true],
    ['127.0.0.1', '::ffff:7f00:1', true],
    ['127.0.0.1', '::1', false],
    ['127.0.0.1', '127.0.0.1.evil.example', false],
    ['127.0.0.1', '', false],
    ['::ffff:10.0.0.1', '10.0.0.1', true],
    ['::1', '0:0:0:0:0:0:0:1', true],
    ['2001:DB8::0:1', '2001:db8::1', true],
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.9.9.9/8', '10.1.2.3', true],
    ['10.0.0.1/32', '10.0.0.1', true],
    ['10.0.0.1/32', '10.0.0.2', false],
    ['0.0.0.0/0', '203.0.113.7', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:db8::/32', '10.0.0.1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '10.0.0.1', false],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '11.1.2.3', false],
    ['::ffff:0:0/96', '203.0.113.7', true],
    ['::ffff:0:0/80', '::1', true],
    ['::ffff:0:0/80', '203.0.113.7', false],
    ['fe80::1', 'fe80::1%eth0', true],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['fe80::1%eth0', 'fe80::1%eth0', true],
    ['FE80:0::1%eth0', 'fe80::1%eth0', true],
    ['fe80::1%eth0', 'fe80::1%eth1', false],
    ['fe80::1%eth0', 'fe80::1', false],
    ['10.0.0.1, 10.0.0.2 ,, 192.168.0.0/16', '10.0.0.2', true],
    ['10.0.0.1, 10.0.0.2 ,, 192.168.0.0/16', '192.168.7.7', true],
    [['10.0.0.1', '10.0.0.2,10.0.0.3'], '10.0.0.3', true],
    [['10.0.0.1', '::1'], '10.0.0.4', false],
    ['', '127.0.0.1', false],
    [[], '127.0.0.1', false],
    ['*', '203.0.113.7', true],
    ['*', 'testclient', true],
    ['10.0.0.1,*', '203.0.113.7', true],
    ['_edge', '_edge', true],
    ['_edge', '_Edge', false],
  ]
  for (const [allow, peer, trusted] of rows) assert.is(trust(allow).hasPeer([peer, 1]), trusted, `${String(allow)} has ${peer}`)
})

test('a peer without an address is trusted by `unix` and `*` only', () => {
  for (const allow of ['unix', 'unix:', '127.0.0.1,unix', '*']) assert.ok(trust(allow).hasPeer(null), allow)
  for (const allow of ['', '127.0.0.1', '0.0.0.0/0,::/0', '_unix']) assert.not.ok(trust(allow).hasPeer(null), allow)
})

test('the verdict that is kept for the last peer is not given to another', () => {
  const trusted = trust('10.0.0.0/8,unix')
  const peers: readonly (readonly [string | null, boolean])[] = [
    ['10.0.0.1', true], ['203.0.113.7', false], ['10.0.0.1', true], [null, true], ['203.0.113.7', false],
    ['203.0.113.7', false], ['10.0.0.1', true], ['', false], ['10.0.0.1', true], ['', false],
  ]
  for (const [peer, verdict] of peers) assert.is(trusted.hasPeer(peer === null ? null : [peer, 1]), verdict, String(peer))
})

test('a malformed entry is an InvalidOption that names the option and the entry', () => {
  const entries = [
    '10.0.0.0/40', '10.0.0.0/-1', '10.0.0.0/08', '10.0.0.0/', '10.0.0.0/8/8', '/8', '::1/129', 'fe80::1%eth0/64', '::ffff:10.0.0.0/129',
    '300.1.1.1', '1.2.3', '01.2.3.4', '10.0.0.1:80', '[::1]', ':::1', 'fe80::1%', '10.0.0.1%eth0', '::ffff:10.0.0.1%eth0',
    'localhost', 'proxy.example.com', 'unknown', '_', '_a b', '**', 'unix:/run/proxy.sock', '10.0.0.1 10.0.0.2',
  ]
  for (const entry of entries) {
    for (const allow of [entry, ['127.0.0.1', entry], `127.0.0.1, ${entry}`]) {
      assert.throws(
        () => trust(allow),
        (error: unknown) => error instanceof InvalidOption && error.code === 'ERR_TSGI_INVALID_OPTION' &&
          error.message.startsWith('forwardedAllowIps ') && error.message.endsWith(`found "${entry}"`),
        entry,
      )
    }
  }
})

test('what is no list of strings is an InvalidOption', () => {
  for (const allow of [7, null, {}, [7], [null]] as unknown as string[]) assert.throws(() => trust(allow), /forwardedAllowIps must be/)
})

test('an address has one canonical form', () => {
  const rows: readonly (readonly [string, string | null])[] = [
    ['1.2.3.4', '1.2.3.4'],
    ['::FFFF:1.2.3.4', '1.2.3.4'],
    ['0:0:0:0:0:ffff:102:304', '1.2.3.4'],
    ['::ffff:0:1.2.3.4', '::ffff:0:102:304'],
    ['2001:0DB8:0:0::0001', '2001:db8::1'],
    ['::', '::'],
    ['fe80::1%eth0', null],
    ['1.2.3.4 ', null],
    ['1.2.3.4\n', null],
    ['0x7f.0.0.1', null],
    ['127.1', null],
    ['2130706433', null],
    ['', null],
  ]
  for (const [text, address] of rows) assert.is(canonicalAddress(text), address, text)
})

test.run()
