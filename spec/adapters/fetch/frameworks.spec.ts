/** Real frameworks, behind the server, over HTTP/1.1 and HTTP/2. */
import { deepEqual } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request as http1 } from 'node:http'
import { connect, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2'
import type { Readable, Writable } from 'node:stream'
import * as assert from 'uvu/assert'
import { fromFetch } from '../../../adapters/fetch/index.ts'
import { serve, type ExchangeOutcome } from '../../../lib/index.ts'
import { testClient } from '../../../lib/testing/index.ts'
import { deferred } from '../../support/deferred.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { apps, streams } from './apps.ts'

const test = suite('fetch adapter: frameworks')

const missing = (): Response => Response.error()

interface Answer {
  readonly status: number
  readonly cookies: readonly string[]
  readonly body: Readable
}

/** A request over one of the protocols; `body` is what is written to. */
type Ask = (path: string, method?: string, headers?: Readonly<Record<string, string>>) => { readonly sent: Writable; readonly answer: Promise<Answer>; leave(): void }

async function start(t: TestContext, name: string, version: string): Promise<{ readonly ask: Ask; readonly outcomes: ExchangeOutcome[] }> {
  const outcomes: ExchangeOutcome[] = []
  const server = await serve(fromFetch(apps[name] ?? missing), { port: 0, accessLog: false, observer: { finished: (exchange) => outcomes.push(exchange) } })
  t.after(() => server.close({ timeout: 1 }))
  return { ask: version === 'HTTP/2' ? overHttp2(t, server.url) : overHttp1(server.url), outcomes }
}

function overHttp1(url: string): Ask {
  return (path, method = 'GET', headers = {}) => {
    const sent = http1(url + path, { method, headers, agent: false })
    sent.on('error', () => {})
    const answer = once(sent, 'response').then(([response]): Answer => ({ status: response.statusCode, cookies: response.headers['set-cookie'] ?? [], body: response }))
    return { sent, answer, leave: () => sent.destroy() }
  }
}

function overHttp2(t: TestContext, url: string): Ask {
  const session = connect(url)
  t.after(() => session.destroy())
  return (path, method = 'GET', headers = {}) => {
    const sent = session.request({ ':path': path, ':method': method, ...headers }, { endStream: false })
    sent.on('error', () => {})
    const answer = once(sent, 'response').then(([fields]: readonly (IncomingHttpHeaders & IncomingHttpStatusHeader)[]): Answer => ({ status: fields?.[':status'] ?? 0, cookies: fields?.['set-cookie'] ?? [], body: sent }))
    return { sent, answer, leave: () => sent.close(8) }
  }
}

async function whole(ask: Ask, path: string, method?: string, body?: string, headers?: Readonly<Record<string, string>>): Promise<readonly [number, readonly string[], string]> {
  const { sent, answer } = ask(path, method, headers)
  sent.end(body)
  const { status, cookies, body: stream } = await answer
  let text = ''
  for await (const part of stream.setEncoding('utf8')) text += part
  return [status, cookies, text]
}

for (const name of Object.keys(apps)) {
  for (const version of ['HTTP/1.1', 'HTTP/2']) {
    test(`${name} over ${version}: routes, JSON, cookies`, async (t) => {
      const { ask, outcomes } = await start(t, name, version)
      deepEqual(await whole(ask, '/'), [200, [], 'hello'])
      deepEqual(JSON.parse((await whole(ask, '/users/a%20b?q=%C3%BC'))[2]), { id: name === 'hono' ? 'a b' : 'a%20b', q: 'ü' })
      deepEqual(JSON.parse((await whole(ask, '/json', 'POST', '{"grüße":[1]}', { 'content-type': 'application/json' }))[2]), { got: { grüße: [1] }, type: 'application/json' })
      deepEqual(await whole(ask, '/cookies'), [200, ['a=1; Path=/', 'b=2; Path=/'], 'two'])
      assert.is((await whole(ask, '/none'))[0], 404)
      deepEqual(outcomes.map(({ error }) => error), Array.from({ length: 5 }, () => undefined))
    })

    test(`${name} over ${version}: an event stream comes as it is made, and ends when its client leaves`, async (t) => {
      const { ask, outcomes } = await start(t, name, version)
      const ended = deferred()
      streams.ended = () => ended.resolve()
      const { sent, answer, leave } = ask('/events')
      sent.end()
      const { body } = await answer
      const [first] = await once(body, 'data')
      assert.is(String(first).slice(0, 12), 'data: tick\n\n')
      assert.is(streams.open, 1)
      leave()
      await ended.promise
      assert.is(streams.open, 0)
      while (outcomes.length === 0) await new Promise(setImmediate)
      deepEqual([outcomes[0]?.error, outcomes[0]?.disconnected], [undefined, true])
    })
  }
}

for (const version of ['HTTP/1.1', 'HTTP/2']) {
  test(`64 MiB go each way over ${version}, whole, in bounded memory`, async (t) => {
    const { ask } = await start(t, 'bare', version)
    const part = Buffer.alloc(65536, 'tsgi')
    const transfer = async (parts: number): Promise<number> => {
      let most = 0
      let passed = 0
      /** Looks now and then at the memory that is in use, garbage not counted. */
      const look = (): void => {
        if (++passed % 64 !== 0) return
        globalThis.gc?.()
        most = Math.max(most, process.memoryUsage().arrayBuffers)
      }
      const wanted = createHash('sha256')
      for (let index = 0; index < parts; index++) wanted.update(part)
      const sum = wanted.digest('hex')
      const up = ask('/digest', 'POST')
      for (let index = 0; index < parts; index++) {
        if (!up.sent.write(part)) await once(up.sent, 'drain')
        look()
      }
      up.sent.end()
      let text = ''
      for await (const chunk of (await up.answer).body) text += String(chunk)
      assert.is(text, sum)
      const down = ask(`/download/${parts / 16}`)
      down.sent.end()
      const found = createHash('sha256')
      for await (const chunk of (await down.answer).body) {
        found.update(chunk as Buffer)
        look()
      }
      assert.is(found.digest('hex'), sum)
      return most
    }
    await transfer(16)
    const most = await transfer(1024)
    assert.ok(most < 32 * 1024 * 1024, `${Math.round(most / 1024 / 1024)} MiB of buffers`)
  }, 60)
}

test('thousands of requests leave nothing behind', async (t) => {
  const gc = globalThis.gc as () => void // the runner exposes it
  const client = await testClient(fromFetch(apps['hono'] ?? missing))
  t.after(() => client.close())
  const requests: WeakRef<Request>[] = []
  const watched = await testClient(fromFetch(async (request) => {
    requests.push(new WeakRef(request))
    void request.signal
    const copy = request.clone()
    return new Response(request.method === 'POST' ? `${await request.text()}${await copy.text()}` : 'x')
  }))
  t.after(() => watched.close())
  const round = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      await (await client.fetch('/users/1')).text()
      await (await watched.fetch('/', index % 2 === 0 ? { method: 'POST', body: 'abc' } : {})).text()
    }
  }
  await round(1500)
  for (let turn = 0; turn < 5; turn++) {
    gc()
    await new Promise(setImmediate)
  }
  const alive = requests.filter((each) => each.deref() !== undefined).length
  assert.ok(alive < 50, `${alive} requests are still there`)
}, 60)

test.run()
