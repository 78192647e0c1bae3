import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as assert from 'uvu/assert'
import { serve } from '../../../lib/index.ts'
import type { Address } from '../../../lib/contract/scope.ts'
import { HttpRequest, HttpResponse, route, Stack } from '../../../lib/stack/index.ts'
import { clientKey, rateLimit, type RateLimitOptions } from '../../../lib/stack/middleware/index.ts'
import { suite } from '../../support/suite.ts'
import { applicationOf, modes, openStack } from '../both-modes.ts'
import { scopeOf } from '../faces.ts'
import { ask, inBothModes } from './both-sides.ts'
import { described } from './modules/layers.ts'

const test = suite('rateLimit')

/** The memory lasts as long as the process, so each test has keys of its own. */
let keys = 0
const newKey = (): Record<string, string> => ({ 'x-key': `key ${++keys}` })

inBothModes(test, 'beyond the limit the answer is 429 (RFC 6585 4) with Retry-After (RFC 9110 10.2.3)', async (opened) => {
  const headers = newKey()
  for (let i = 0; i < 3; i++) assert.is((await ask(opened, 'rate', '/text', { headers })).status, 200)
  opened.trace.take()
  const told = await ask(opened, 'rate', '/text', { headers })
  assert.equal([told.status, told.headers.get('retry-after'), told.text], [429, '1200', '429 Too Many Requests: try again in 1200 s\n'])
  assert.equal(opened.trace.events, ['log warn Too Many Requests: /text'])
  assert.is((await ask(opened, 'rate', '/text', { headers: newKey() })).status, 200)
})

inBothModes(test, 'errors from beneath count too, and tell what is left', async (opened) => {
  const headers = newKey()
  for (const [path, status, left] of [['/fails', 500, 2], ['/nowhere', 404, 1], ['/denied', 403, 0], ['/denied', 429, 0]] as const) {
    const told = await ask(opened, 'rate', path, { headers })
    assert.equal([told.status, told.headers.get('ratelimit')?.split(';')[1]], [status, `r=${left}`])
  }
})

inBothModes(test, 'responses tell the policy and what is left (draft-ietf-httpapi-ratelimit-headers-10)', async (opened) => {
  const headers = newKey()
  const fields = async (stack: string): Promise<readonly unknown[]> => {
    const told = await ask(opened, stack, '/text', { headers })
    return [told.status, told.headers.get('ratelimit-policy'), told.headers.get('ratelimit')]
  }
  assert.equal(await fields('rate'), [200, '"default";q=3;w=3600', '"default";r=2;t=1200'])
  assert.equal(await fields('rate-two'), [200, '"burst";q=1;w=60, "hourly";q=100;w=3600', '"burst";r=0;t=60, "hourly";r=99;t=36'])
  const [status, , left] = await fields('rate-two')
  assert.is(status, 429)
  assert.match(String(left), /^"burst";r=0;t=60, "hourly";r=98;t=72$/)
  assert.equal(await fields('rate-silent'), [200, null, null])
  assert.equal(await fields('rate-silent'), [429, null, null])
})

inBothModes(test, 'the answer can be another one; status and retry-after are set', async (opened) => {
  const headers = newKey()
  await ask(opened, 'rate-two', '/text', { headers })
  const told = await ask(opened, 'rate-two', '/text', { headers })
  assert.equal([told.status, told.headers.get('retry-after'), told.text], [429, '60', '{"seconds":60}'])
})

inBothModes(test, 'who has no key is not limited', async (opened) => {
  for (let i = 0; i < 5; i++) {
    const told = await ask(opened, 'rate', '/text')
    assert.equal([told.status, told.headers.get('ratelimit')], [200, null])
  }
})

for (const stack of ['rate', 'rate-beneath']) {
  inBothModes(test, `all threads count in one place (${stack})`, async (opened) => {
    const headers = newKey()
    // Two views at once, each on a thread of its own.
    opened.trace.take()
    const first = [ask(opened, stack, '/gate', { headers }), ask(opened, stack, '/gate', { headers })]
    while (opened.trace.events.filter((event) => event === 'view').length < 2) await new Promise((resolve) => setImmediate(resolve))
    const threads = new Set(opened.trace.notes.map(([, thread]) => thread))
    opened.trace.open()
    assert.equal((await Promise.all(first)).map(({ status }) => status), [200, 200])
    assert.is(threads.size, 2)
    assert.not(threads.has(0), 'no view runs on the event loop')
    const later = await Promise.all(Array.from({ length: 8 }, () => ask(opened, stack, '/gate', { headers })))
    assert.equal(later.map(({ status }) => status).sort(), [200, ...Array<number>(7).fill(429)])
  })
}

test('both modes of one stack, in one process, count in one place', async (t) => {
  const headers = newKey()
  const both = await Promise.all(modes.map((mode) => openStack(t, '../middleware/modules/layers', mode)))
  const statuses: number[] = []
  for (const opened of [...both, ...both]) statuses.push((await ask(opened, 'rate', '/text', { headers })).status)
  assert.equal(statuses, [200, 200, 200, 429])
})

test('the layer runs on the event loop in either mode', () => {
  for (const mode of modes) assert.match(described('rate', mode), /^rateLimit {2,}async {2,}async/m)
})

test('without its module, a stack in sync mode has no event loop, and says so when it is loaded', () => {
  const stack = new Stack({ middleware: [rateLimit({ limit: 1, window: 1 })], routes: [route('/', () => HttpResponse.text(''))] })
  assert.throws(() => stack.toSync(), (error: { code?: string; message: string }) => error.code === 'ERR_TSGI_STACK' && /rateLimit is async beneath the sync mode/.test(error.message))
})

const clients: readonly (readonly [client: Address | null, key: string])[] = [
  [null, 'unknown'],
  [['192.0.2.1', 5], '192.0.2.1'],
  [['::ffff:192.0.2.1', 5], '192.0.2.1'],
  [['::ffff:c000:201', 5], '192.0.2.1'],
  [['2001:db8:1:2:3:4:5:6', 5], '2001:db8:1:2::/64'],
  [['2001:DB8:1:2::', 5], '2001:db8:1:2::/64'],
  [['2001:db8:1:2:ffff::1', 0], '2001:db8:1:2::/64'],
  [['2001:db8::1', 5], '2001:db8:0:0::/64'],
  [['::1', 5], '0:0:0:0::/64'],
  [['::', 5], '0:0:0:0::/64'],
  [['fe80::1%eth0', 5], 'fe80:0:0:0::/64'],
  [['/run/app.sock', null], '/run/app.sock'],
]

test('a client is its address; of IPv6 the first 64 bits (RFC 4291 2.5.1)', () => {
  for (const [client, key] of clients) {
    assert.is(clientKey(HttpRequest.from(scopeOf({ client }), () => new Promise(() => {}))), key, JSON.stringify(client))
  }
})

test('many addresses of one IPv6 network are one client', async () => {
  const stack = new Stack({ middleware: [rateLimit({ limit: 5, window: 3600 })], routes: [route('/', async () => HttpResponse.text(''))], log: () => {} }).toAsync()
  let passed = 0
  for (let i = 0; i < 50; i++) {
    await stack(scopeOf({ client: [`2001:db8::${i.toString(16)}:${i}`, 5] }), () => new Promise(() => {}), async (event) => {
      if (event.type === 'http.response.start' && event.status === 200) passed++
    })
  }
  assert.is(passed, 5)
})

test('long keys are told apart, and kept as digests: they do not fill the memory', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const stack = new Stack({
    middleware: [rateLimit({ limit: 1, window: 3600, key: async ({ queryString }) => 'k'.repeat(200_000) + queryString })],
    routes: [route('/', async () => HttpResponse.text(''))],
    log: () => {},
  }).toAsync()
  const statusOf = async (queryString: string): Promise<number> => {
    let status = 0
    await stack(scopeOf({ queryString }), () => new Promise(() => {}), async (event) => {
      if (event.type === 'http.response.start') status = event.status
    })
    return status
  }
  assert.equal([await statusOf('a'), await statusOf('b'), await statusOf('a')], [200, 200, 429])
  collect()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 500; i++) await statusOf(String(i))
  collect()
  const grown = process.memoryUsage().heapUsed - before
  assert.ok(grown < 20_000_000, `${grown} bytes for 500 keys of 200,000`)
})

test('options that make no sense are refused when the layer is made', () => {
  const good: RateLimitOptions = { limit: 1, window: 1 }
  const wrong: readonly (readonly [string, readonly unknown[]])[] = [
    ['limit', [0, -1, 1.5, NaN, '5', undefined]],
    ['window', [0, -1, NaN, Infinity, '5', undefined]],
    ['maxKeys', [0, 1, 2.5, '5']],
    ['name', ['', 'a"b', 'a\\', 'a\r\nb', 'é', 5]],
  ]
  for (const [option, values] of wrong) {
    for (const value of values) assert.throws(() => rateLimit({ ...good, [option]: value }), (error: { code?: string; message: string }) => error.code === 'ERR_TSGI_INVALID_OPTION' && error.message.startsWith(`${option} `), `${option} ${String(value)}`)
  }
})

test.needing(['curl'], () => {
  for (const mode of modes) {
    test(`curl is limited by its address (${mode} mode)`, async (t) => {
      const server = await serve((await applicationOf('../middleware/modules/layers', mode)).app, { port: 0, host: mode === 'async' ? '127.0.0.1' : '127.0.0.2', lifespan: 'off', accessLog: false })
      t.after(() => server.close())
      const from = mode === 'async' ? '127.0.0.1' : '127.0.0.2'
      const curl = async (): Promise<string> => (await promisify(execFile)('curl', ['-q', '-sS', '--max-time', '5', '--interface', from, '-H', 'x-stack: rate-client', '-o', '/dev/null', '-w', '%{http_code} %header{retry-after}', `${server.url}/text`])).stdout
      assert.equal([await curl(), await curl()], ['200 ', '429 3600'])
    })
  }
})

test.run()
