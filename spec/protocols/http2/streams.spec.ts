import { AsyncLocalStorage } from 'node:async_hooks'
import * as assert from 'uvu/assert'
import type { HttpReceiveEvent, HttpRequestEvent } from '../../../lib/index.ts'
import { gone, http, isDisconnect, reply, sendAll, soon } from '../../support/http2-apps.ts'
import { hpack } from '../../support/http2-hpack.ts'
import { CANCEL, DATA, END_HEADERS, END_STREAM, frame, HEADERS, http2Raw, INTERNAL_ERROR, NO_ERROR, request, RST_STREAM, words } from '../../support/http2-raw.ts'
import { rawServer, seconds } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

const test = suite('HTTP/2 streams and their applications')

const quiet = { logLevel: 'error' } as const
const start = { type: 'http.response.start', status: 200, headers: [] } as const
const part = { type: 'http.response.body', body: 'part', moreBody: true } as const

/** Keeps what a failing application writes to stderr out of the output. */
function muted(t: { after(clean: () => unknown): void }): string[] {
  const lines: string[] = []
  const { write } = process.stderr
  process.stderr.write = ((text: string) => lines.push(String(text)) > 0) as typeof write
  t.after(() => (process.stderr.write = write))
  return lines
}

for (const [how, fails] of [['throws', true], ['returns', false]] as const) {
  test(`an application that ${how} before a head is on the wire: 500 in text, and the connection goes on`, async (t) => {
    muted(t)
    const { port } = await rawServer(t, http(async (scope, _receive, send) => {
      if (scope.path === '/ok') return reply(send)
      await send(start)
      if (fails) throw new Error('on purpose')
    }), quiet)
    const client = await http2Raw(t, port)
    const { status, body, ended, headers } = await client.ask(1)
    assert.equal([status, body, ended], [500, 'Internal Server Error', true])
    assert.not.ok(headers.some(([name]) => name === 'connection'))
    assert.is((await client.ask(3, { ':path': '/ok' })).status, 200)
  })

  test(`an application that ${how} after that: RST_STREAM INTERNAL_ERROR, the parts before included`, async (t) => {
    muted(t)
    const { port } = await rawServer(t, http(async (scope, _receive, send) => {
      if (scope.path === '/ok') return reply(send)
      await send(start)
      await send(part)
      if (scope.path === '/later') await new Promise((resolve) => setTimeout(resolve, 30))
      if (fails) throw new Error('on purpose')
    }), quiet)
    const client = await http2Raw(t, port)
    const later = await client.ask(1, { ':path': '/later' })
    assert.equal([later.status, later.body, later.ended, later.reset], [200, 'part', false, INTERNAL_ERROR])
    const { ended, reset } = await client.ask(3)
    assert.equal([ended, reset], [false, INTERNAL_ERROR])
    assert.is((await client.ask(5, { ':path': '/ok' })).status, 200)
  })
}

test('a response shorter than its content-length: RST_STREAM INTERNAL_ERROR', async (t) => {
  muted(t)
  const { port } = await rawServer(t, http(async (_scope, _receive, send) => {
    await send({ ...start, headers: [['content-length', '10']] })
    await send(part)
    await send({ type: 'http.response.body' })
  }), quiet)
  const client = await http2Raw(t, port)
  const { ended, reset } = await client.ask(1)
  assert.equal([ended, reset], [false, INTERNAL_ERROR])
})

test('an exchange that the client cancels: http.disconnect at once, and send rejects with ClientDisconnected', async (t) => {
  const told: unknown[] = []
  const { port } = await rawServer(t, http(async (scope, receive, send) => {
    if (scope.path === '/waits') {
      await gone(receive)
      told.push('http.disconnect')
      await send(start).catch((error: unknown) => told.push(isDisconnect(error)))
    } else {
      told.push(isDisconnect(await sendAll(send, 'x')))
    }
  }), quiet)
  const client = await http2Raw(t, port)
  client.write(request(1, { ':path': '/waits' }))
  await client.ping()
  client.write(frame(RST_STREAM, 0, 1, words(CANCEL)))
  assert.ok(await seconds(soon(() => told.length === 2)) < 0.25)
  assert.equal(told, ['http.disconnect', true])
  client.write(request(3, { ':path': '/sends' }))
  await client.frame(DATA, 3)
  client.write(frame(RST_STREAM, 0, 3, words(CANCEL)))
  assert.ok(await seconds(soon(() => told.length === 3)) < 0.25)
  assert.is(told[2], true)
})

for (const [what, fields, flags] of [['with its body unfinished', { ':method': 'POST' }, 0], ['after its body', {}, END_STREAM]] as const) {
  test(`a request ${what} that is reset before anything is received: http.disconnect, no end of body`, async (t) => {
    const events: string[] = []
    const { port } = await rawServer(t, http(async (_scope, receive) => {
      for (;;) {
        const event = await receive() as HttpReceiveEvent
        events.push(event.type === 'http.request' ? `${event.body.length}${event.moreBody ? '+' : '.'}` : event.type)
        if (event.type === 'http.disconnect') return
      }
    }), quiet)
    const client = await http2Raw(t, port)
    client.write(request(1, fields, flags))
    if (flags === 0) client.write(frame(DATA, 0, 1, 'abc'))
    await client.ping()
    client.write(frame(RST_STREAM, 0, 1, words(CANCEL)))
    await soon(() => events.includes('http.disconnect'))
    assert.equal(events, flags === 0 ? ['3+', 'http.disconnect'] : ['0.', 'http.disconnect'])
  })
}

test('a response that is complete before its upload: END_STREAM, then RST_STREAM NO_ERROR (RFC 9113 8.1)', async (t) => {
  const { port } = await rawServer(t, http(async (scope, _receive, send) => {
    await (scope.path === '/empty' ? send(start).then(() => send({ type: 'http.response.body' })) : reply(send, 'x'.repeat(Number(scope.queryString))))
  }), quiet)
  const client = await http2Raw(t, port)
  let id = 1
  for (const [size, part] of [[0, ''], [0, 'some'], [10, ''], [10, 'some'], [20000, 'some'], [300000, 'some']] as const) {
    client.write(request(id, { ':method': 'POST', ':path': size === 0 ? '/empty' : `/?${size}` }, 0), ...part === '' ? [] : [frame(DATA, 0, id, part)])
    await client.until(() => client.answer(id).reset !== null)
    const { status, body, ended, reset } = client.answer(id)
    assert.equal([status, body.length, ended, reset], [200, size, true, NO_ERROR])
    id += 2
  }
})

test('request trailers come with the last http.request, forbidden ones dropped', async (t) => {
  const ends: HttpRequestEvent[] = []
  const { port } = await rawServer(t, http(async (_scope, receive, send) => {
    for (;;) {
      const event = await receive() as HttpReceiveEvent
      if (event.type === 'http.disconnect') return
      if (event.trailers !== null) ends.push(event)
      if (!event.moreBody) break
    }
    await reply(send)
  }), quiet)
  const client = await http2Raw(t, port)
  const trailers = frame(HEADERS, END_STREAM | END_HEADERS, 1, hpack([['x-sum', '42'], ['content-type', 'a/b'], ['authorization', 'me'], ['x-sum', '43']]))
  client.write(request(1, { ':method': 'POST' }, 0), frame(DATA, 0, 1, 'body'), trailers)
  assert.is((await client.whole(1)).status, 200)
  assert.equal(ends.map(({ moreBody, trailers: list }) => [moreBody, [...list ?? []]]), [[false, [['x-sum', '42'], ['x-sum', '43']]]])
})

for (const [what, trailers] of [
  ['bytes', [['x', 'y'.repeat(300)]]],
  ['fields', Array.from({ length: 101 }, (_, index) => [`x${index}`, '1'])],
] as const) {
  test(`request trailers of too many ${what}: 431, and the application is told`, async (t) => {
    const events: string[] = []
    const { port } = await rawServer(t, http(async (_scope, receive) => {
      for (;;) {
        const event = await receive() as HttpReceiveEvent
        events.push(event.type)
        if (event.type === 'http.disconnect' || !event.moreBody) return
      }
    }), { ...quiet, limitTrailers: what === 'bytes' ? 200 : 16384 })
    const client = await http2Raw(t, port)
    client.write(request(1, { ':method': 'POST' }, 0), frame(DATA, 0, 1, 'body'))
    client.write(frame(HEADERS, END_STREAM | END_HEADERS, 1, hpack(trailers as unknown as [string, string][])))
    assert.is((await client.whole(1)).status, 431)
    await soon(() => events.includes('http.disconnect'))
    assert.is(events.filter((type) => type === 'http.disconnect').length, 1)
  })
}

test('response trailers go to clients with `te: trailers` only (RFC 9110 10.1.4)', async (t) => {
  const { port } = await rawServer(t, http(async (scope, _receive, send) => {
    await send({ ...start, trailers: true })
    await send({ type: 'http.response.body', body: scope.path === '/empty' ? '' : 'body' })
    await send({ type: 'http.response.trailers', headers: [['x-sum', '42']] })
  }), quiet)
  const client = await http2Raw(t, port)
  const bodies = ['body', '']
  let id = 1
  for (const path of ['/', '/empty']) {
    const body = bodies.shift()
    const taken = await client.ask(id, { te: 'trailers', ':path': path })
    assert.equal([taken.status, taken.body, taken.trailers, taken.ended], [200, body, [['x-sum', '42']], true])
    const plain = await client.ask(id + 2, { ':path': path })
    assert.equal([plain.status, plain.body, plain.trailers, plain.ended], [200, body, null, true])
    id += 4
  }
})

test('100 (Continue) goes out when the application first receives, and not when the body has begun to come (RFC 9110 10.1.1)', async (t) => {
  const { port } = await rawServer(t, http(async (scope, receive, send) => {
    if (scope.path !== '/blind') while (((await receive()) as HttpRequestEvent).moreBody);
    await reply(send)
  }), quiet)
  const client = await http2Raw(t, port)
  client.write(request(1, { ':method': 'POST', expect: '100-continue' }, 0))
  await client.until(() => client.answer(1).interim.length > 0)
  client.write(frame(DATA, END_STREAM, 1, 'body'))
  assert.equal([(await client.whole(1)).status, client.answer(1).interim], [200, [100]])
  client.write(request(3, { ':method': 'POST', ':path': '/blind', expect: '100-continue' }, 0))
  await client.until(() => client.answer(3).reset !== null)
  assert.equal([client.answer(3).status, client.answer(3).interim, client.answer(3).reset], [200, [], NO_ERROR])
})

for (const how of ['run', 'enterWith'] as const) {
  for (const waits of [false, true]) {
    test(`the AsyncLocalStorage of one stream is not seen by the next (${how}, an application that ${waits ? 'waits' : 'never waits'})`, async (t) => {
      const storage = new AsyncLocalStorage<string>()
      const seen: unknown[] = []
      const { port } = await rawServer(t, http(async (scope, receive, send) => {
        seen.push(storage.getStore())
        const answer = async (): Promise<void> => {
          if (scope.method === 'POST') while (((await receive()) as HttpRequestEvent).moreBody);
          if (waits) await new Promise((resolve) => setTimeout(resolve, 2))
          await reply(send, `${scope.path} ${storage.getStore()}`)
        }
        if (how === 'run') return storage.run(scope.path, answer)
        storage.enterWith(scope.path)
        return answer()
      }), quiet)
      const client = await http2Raw(t, port)
      const post = (id: number): Buffer => Buffer.concat([request(id, { ':path': `/${id}`, ':method': 'POST' }, 0), frame(DATA, END_STREAM, id, 'body')])
      // Together, one after another, and on another connection.
      client.write(request(1, { ':path': '/1' }), request(3, { ':path': '/3' }), post(5), request(7, { ':path': '/7' }))
      for (const id of [1, 3, 5, 7]) assert.is((await client.whole(id)).body, `/${id} /${id}`)
      client.write(post(9), request(11, { ':path': '/11' }))
      for (const id of [9, 11]) assert.is((await client.whole(id)).body, `/${id} /${id}`)
      const other = await http2Raw(t, port)
      assert.is((await other.ask(1, { ':path': '/1' })).body, '/1 /1')
      assert.equal(seen, new Array(7).fill(undefined))
    })
  }
}

test.run()
