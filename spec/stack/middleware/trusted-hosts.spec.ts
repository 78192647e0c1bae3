import * as assert from 'uvu/assert'
import { headerList } from '../../../lib/contract/headers.ts'
import { HttpResponse, route, Stack } from '../../../lib/stack/index.ts'
import { trustedHosts } from '../../../lib/stack/middleware/index.ts'
import { suite } from '../../support/suite.ts'
import type { Opened } from '../both-modes.ts'
import { scopeOf } from '../faces.ts'
import { ask, inBothModes } from './both-sides.ts'

const test = suite('trustedHosts')

async function status(opened: Opened, host: string, stack = 'hosts', scheme = 'http'): Promise<number> {
  return (await ask(opened, stack, `${scheme}://placeholder.example/text`, { headers: { host } })).status
}

inBothModes(test, 'a host of the list is answered, in any case, with a dot at the end, on any port', async (opened) => {
  for (const host of ['example.com', 'EXAMPLE.com', 'example.com.', 'example.com:8080', 'Example.COM.:80', '127.0.0.1', '127.0.0.1:8000', 'xn--bcher-kva.example']) assert.is(await status(opened, host), 200, host)
})

inBothModes(test, 'other hosts are a 400 that is logged as a warning', async (opened) => {
  for (const host of ['evil.com', 'EVIL.com.', 'example.com.evil.com', 'notexample.com', 'sub.example.com', 'example.co', '127.0.0.2', '2130706433', '0x7f.1', '127.1']) assert.is(await status(opened, host), 400, host)
  opened.trace.take()
  await status(opened, 'evil.com')
  assert.equal(opened.trace.events, ['log warn Bad Request: /text: the host evil.com is not one of those that are answered'])
})

inBothModes(test, '.example is a domain and its subdomains, *.example its subdomains only', async (opened) => {
  for (const host of ['both.example', 'a.both.example', 'a.b.both.example.', 'a.sub.example', 'A.b.SUB.example:1']) assert.is(await status(opened, host), 200, host)
  for (const host of ['sub.example', 'sub.example.', 'xboth.example', 'xsub.example', '.both.example', '..both.example', 'a..both.example', 'both.example..', '*.sub.example', 'a.both.example.evil']) assert.is(await status(opened, host), 400, host)
})

inBothModes(test, 'a pattern with a port is for that port, which a request may leave out where it is the usual one', async (opened) => {
  assert.is(await status(opened, 'port.example:8443'), 200)
  assert.is(await status(opened, 'port.example:08443'), 200)
  for (const host of ['port.example', 'port.example:443', 'port.example:84430']) assert.is(await status(opened, host), 400, host)
  assert.is(await status(opened, 'secure.example', 'hosts', 'https'), 200)
  assert.is(await status(opened, 'secure.example', 'hosts', 'http'), 400)
  assert.is(await status(opened, 'secure.example:443', 'hosts', 'http'), 200)
})

inBothModes(test, 'IPv6 is compared by what it means', async (opened) => {
  for (const host of ['[::1]', '[::1]:8000', '[0:0:0:0:0:0:0:1]', '[::0001]', '[::0.0.0.1]']) assert.is(await status(opened, host), 200, host)
  for (const host of ['[::2]', '::1', '[::1', '::1]', '[::1]x', '[::1%25lo]', '[127.0.0.1]', '[]', '[::1].example.com', '[:::1]', '[1:2]']) assert.is(await status(opened, host), 400, host)
})

const malformed = [
  'example.com:80@evil.com', 'example.com@evil.com', 'user@example.com', 'example.com:', 'example.com:x', 'example.com:-1', 'example.com:99999', 'example.com:123456',
  'example.com/evil', 'example.com?x', 'example.com#x', 'example.com\\evil', 'example.com,evil.com', 'example.com evil.com', 'exa\tmple.com', '.', '..', 'b\u00fccher.example',
  'example.com\u00a0', 'http://example.com', '%65xample.com', '"example.com"', "example.com'", '[example.com]', 'example.com:80:80',
]

inBothModes(test, 'what is no host is a 400, though all hosts are on the list', async (opened) => {
  for (const host of malformed) {
    assert.is(await status(opened, host, 'hosts'), 400, host)
    assert.is(await status(opened, host, 'hosts-any'), 400, host)
  }
  assert.is(await status(opened, 'anything.example', 'hosts-any'), 200)
})

inBothModes(test, 'requests that are exempt may have any host', async (opened) => {
  const { status: found } = await ask(opened, 'hosts', '/state/sync', { headers: { host: '10.0.0.7:8000' } })
  assert.is(found, 200)
})

test('two Host fields are a 400', async () => {
  const stack = new Stack({ middleware: [trustedHosts(['a.example'])], routes: [route('/', async () => HttpResponse.text('in'))], log: () => {} }).toAsync()
  const statusOf = async (...hosts: readonly string[]): Promise<unknown> => {
    const sent: unknown[] = []
    const scope = scopeOf({ headers: headerList(hosts.map((host) => ['host', host])), server: ['a.example', 80] })
    await stack(scope, () => new Promise(() => {}), async (event) => void sent.push((event as { status?: number }).status))
    return sent[0]
  }
  assert.is(await statusOf('a.example', 'evil.example'), 400)
  assert.is(await statusOf('a.example', 'a.example'), 400)
  assert.is(await statusOf('a.example'), 200)
  // HTTP/1.0: what the server is called counts.
  assert.is(await statusOf(), 200)
  assert.is(await statusOf(''), 200)
})

test('a list that can match nothing is refused when the layer is made', () => {
  for (const hosts of [[], 'example.com', [''], ['.'], ['*.'], ['*example.com'], ['a.*.example'], ['https://example.com'], ['example.com/'], ['example.com:'], ['.[::1]'], ['[::x]'], ['::1'], [5], ['bücher.example']]) {
    assert.throws(() => trustedHosts(hosts as string[]), (error: { code?: string }) => error.code === 'ERR_TSGI_INVALID_OPTION', JSON.stringify(hosts))
  }
})

test.run()
