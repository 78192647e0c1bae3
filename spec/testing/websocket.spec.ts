import { AsyncLocalStorage } from 'node:async_hooks'
import * as assert from 'uvu/assert'
import {
  application, ClientDisconnected, CommunicatorError, IncompleteResponse, InvalidOption, messages, WebSocketClosed, WebSocketRefused,
  type ExchangeOutcome, type WebSocketApplication, type WebSocketScope,
} from '../../lib/index.ts'
import { testClient, type TestClient, type TestClientOptions, type TestMessage } from '../../lib/testing/index.ts'
import { collect } from '../support/collect.ts'
import { deferred } from '../support/deferred.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('the in-process WebSocket')

async function clientFor(t: TestContext, websocket: WebSocketApplication, options?: TestClientOptions): Promise<TestClient> {
  const client = await testClient(application({ websocket }), options)
  t.after(() => client.close())
  return client
}

const echo: WebSocketApplication = async (_scope, receive, send) => {
  await send({ type: 'websocket.accept' })
  for await (const message of messages(receive)) {
    await send(typeof message === 'string' ? { type: 'websocket.send', text: message } : { type: 'websocket.send', bytes: message })
  }
}

/** Lets all that is ready run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

test('text, bytes and JSON go both ways', async (t) => {
  const socket = await (await clientFor(t, echo)).websocket('/')
  await socket.send('häß€')
  assert.is(await socket.receive(), 'häß€')
  await socket.send(Uint8Array.of(0, 255))
  assert.equal(await socket.receive(), Uint8Array.of(0, 255))
  await socket.sendJson({ a: [1, 'ä', null] })
  assert.equal(await socket.receiveJson(), { a: [1, 'ä', null] })
  await socket.send(Buffer.from('{"b":2}'))
  assert.equal(await socket.receiveJson(), { b: 2 })
  await socket.send('text')
  assert.is(await socket.receiveText(), 'text')
  await socket.send(Uint8Array.of(7))
  assert.equal(await socket.receiveBytes(), Uint8Array.of(7))
})

test('a message of the other kind, or none of both, is an error that says so', async (t) => {
  const socket = await (await clientFor(t, echo)).websocket('/')
  await socket.send('text')
  const noBytes = await rejection(socket.receiveBytes())
  assert.instance(noBytes, CommunicatorError)
  assert.match(noBytes.message, 'a text message of 4 characters came where bytes were expected')
  await socket.send(new Uint8Array(3))
  assert.match((await rejection(socket.receiveText())).message, 'a binary message of 3 bytes came where text was expected')
  assert.instance(await rejection(socket.send(5 as unknown as string)), InvalidOption)
  await socket.send('and on')
  assert.is(await socket.receive(), 'and on')
})

test('sent bytes are copied both ways, and text goes as UTF-8 has it', async (t) => {
  const client = await clientFor(t, async (_scope, receive, send) => {
    await send({ type: 'websocket.accept' })
    await receive()
    const event = await receive()
    if (event.type !== 'websocket.receive') return
    const mine = Uint8Array.from(event.bytes ?? [])
    const sent = send({ type: 'websocket.send', bytes: mine })
    mine.fill(9)
    await sent
    await send({ type: 'websocket.send', text: 'lone \ud800' })
  })
  const socket = await client.websocket('/')
  const mine = Uint8Array.of(1, 2, 3)
  const sent = socket.send(mine)
  mine.fill(8)
  await sent
  assert.equal(await socket.receive(), Uint8Array.of(1, 2, 3))
  assert.is(await socket.receive(), 'lone \ufffd')
})

test('the handshake is what a server would have read: path, query, headers, cookies, subprotocols, root path', async (t) => {
  const scopes: WebSocketScope[] = []
  const client = await clientFor(t, async (scope, _receive, send) => {
    scopes.push(scope)
    await send({ type: 'websocket.accept', subprotocol: scope.subprotocols[1] ?? null, headers: [['Set-Cookie', 'seen=1; Path=/'], ['X-Two', 'a'], ['x-two', 'b']] })
  }, { rootPath: '/api' })
  client.cookies.set('mine', 'x')
  const first = await client.websocket('/a%20b?c=%20', { headers: { 'X-Own': 'y' }, subprotocols: ['chat', 'superchat'] })
  assert.is(first.subprotocol, 'superchat')
  assert.is(first.headers.get('x-two'), 'a, b')
  assert.is((await client.websocket('wss://example.test:81/x/../y')).subprotocol, null)
  const [scope, absolute] = scopes
  assert.equal([scope?.path, scope?.rawPath, scope?.queryString, scope?.rootPath, scope?.scheme], ['/api/a b', '/api/a%20b', 'c=%20', '/api', 'ws'])
  assert.equal(scope?.subprotocols, ['chat', 'superchat'])
  const fields = ['host', 'x-own', 'cookie', 'connection', 'upgrade', 'sec-websocket-version', 'sec-websocket-key', 'sec-websocket-protocol']
  assert.equal([...scope?.headers ?? []].map(([name]) => name).sort(), fields.sort())
  assert.is(scope?.headers.get('cookie'), 'mine=x')
  assert.is(scope?.headers.get('sec-websocket-protocol'), 'chat, superchat')
  assert.equal([absolute?.scheme, absolute?.rawPath, absolute?.headers.get('host')], ['wss', '/api/y', 'example.test:81'])
  assert.equal(absolute?.server, ['example.test', 81])
  assert.is(absolute?.headers.get('cookie'), 'mine=x; seen=1')
})

test('iterating gives the messages until the WebSocket is closed; closed says how', async (t) => {
  const client = await clientFor(t, async (_scope, _receive, send) => {
    await send({ type: 'websocket.accept' })
    for (const text of ['a', 'b', 'c']) await send({ type: 'websocket.send', text })
    await send({ type: 'websocket.close', code: 4001, reason: 'enough' })
  })
  const socket = await client.websocket('/')
  assert.equal(await socket.closed, { code: 4001, reason: 'enough' })
  assert.equal(await collect(socket), ['a', 'b', 'c'])
  for (const call of [() => socket.receive(), () => socket.send('x')]) {
    const error = await rejection(call())
    assert.instance(error, WebSocketClosed)
    assert.equal([error.code, (error as WebSocketClosed).closeCode, (error as WebSocketClosed).reason], ['ERR_TSGI_WEBSOCKET_CLOSED', 4001, 'enough'])
    assert.match(error.message, 'code 4001: enough')
  }
  await socket.close(1000)
  assert.equal(await socket.closed, { code: 4001, reason: 'enough' })
})

test('receives that wait together are answered in order, and all of them when the WebSocket is closed', async (t) => {
  const go = deferred()
  const client = await clientFor(t, async (_scope, _receive, send) => {
    await send({ type: 'websocket.accept' })
    await go.promise
    await send({ type: 'websocket.send', text: 'a' })
    await send({ type: 'websocket.send', text: 'b' })
  })
  const socket = await client.websocket('/')
  const waiting = [socket.receive(), socket.receive(), rejection(socket.receive()), rejection(socket.receive())]
  go.resolve()
  const [a, b, third, fourth] = await Promise.all(waiting)
  assert.equal([a, b], ['a', 'b'])
  assert.instance(third, WebSocketClosed)
  assert.instance(fourth, WebSocketClosed)
})

test('the application\'s close is answered at once with the same code', async (t) => {
  const seen = deferred<unknown>()
  const client = await clientFor(t, async (_scope, receive, send) => {
    await send({ type: 'websocket.accept' })
    await receive()
    await send({ type: 'websocket.close', code: 3000, reason: 'why' })
    seen.resolve(await receive())
  })
  await client.websocket('/')
  assert.equal(await seen.promise, { type: 'websocket.disconnect', code: 3000, reason: 'why' })
})

test('close() closes with code and reason, and waits until the application has returned', async (t) => {
  const seen: unknown[] = []
  const client = await clientFor(t, async (_scope, receive, send) => {
    await send({ type: 'websocket.accept' })
    await receive()
    const event = await receive()
    await turn()
    seen.push(event)
  })
  await (await client.websocket('/')).close()
  const second = await client.websocket('/')
  await second.close(4002, 'bye')
  assert.equal(await second.closed, { code: 4002, reason: 'bye' })
  {
    await using third = await client.websocket('/')
    assert.is(third.subprotocol, null)
  }
  assert.equal(seen, [
    { type: 'websocket.disconnect', code: 1005, reason: '' },
    { type: 'websocket.disconnect', code: 4002, reason: 'bye' },
    { type: 'websocket.disconnect', code: 1005, reason: '' },
  ])
})

test('close() refuses codes and reasons that no frame may carry (RFC 6455 5.5, 7.4)', async (t) => {
  const socket = await (await clientFor(t, echo)).websocket('/')
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000]) assert.instance(await rejection(socket.close(code)), InvalidOption, String(code))
  assert.instance(await rejection(socket.close(undefined, 'a reason alone')), InvalidOption)
  assert.instance(await rejection(socket.close(1000, 'x'.repeat(124))), InvalidOption)
  await socket.send('still open')
  assert.is(await socket.receive(), 'still open')
})

test('an abort signal makes a dead line: the application sees 1006', async (t) => {
  const seen = deferred<unknown>()
  const finished = deferred<ExchangeOutcome>()
  const client = await clientFor(t, async (_scope, receive, send) => {
    await send({ type: 'websocket.accept' })
    await receive()
    seen.resolve(await receive())
    await send({ type: 'websocket.send', text: 'too late' })
  }, { observer: { finished: (outcome) => finished.resolve(outcome) } })
  const controller = new AbortController()
  const socket = await client.websocket('/', { signal: controller.signal })
  controller.abort()
  assert.equal(await seen.promise, { type: 'websocket.disconnect', code: 1006, reason: '' })
  assert.equal(await socket.closed, { code: 1006, reason: '' })
  assert.is((await rejection(socket.receive()) as WebSocketClosed).closeCode, 1006)
  const { disconnected, error, closeCode } = await finished.promise
  assert.equal([disconnected, error, closeCode], [true, undefined, 1006])
  assert.is((await rejection(client.websocket('/', { signal: controller.signal }))).name, 'AbortError')
})

test('a signal that aborts before the WebSocket is accepted rejects websocket() with its reason', async (t) => {
  const started = deferred()
  const caught = deferred<unknown>()
  const client = await clientFor(t, async (_scope, receive, send) => {
    await receive()
    started.resolve()
    await receive()
    await send({ type: 'websocket.accept' }).catch((error: unknown) => caught.resolve(error))
  })
  const controller = new AbortController()
  const opening = rejection(client.websocket('/', { signal: controller.signal }))
  await started.promise
  controller.abort(new RangeError('enough'))
  assert.instance(await opening, RangeError)
  assert.instance(await caught.promise, ClientDisconnected)
})

test('client.close() leaves the WebSockets that are open', async () => {
  const seen = deferred<unknown>()
  const client = await testClient(application({
    websocket: async (_scope, receive, send) => {
      await send({ type: 'websocket.accept' })
      await receive()
      seen.resolve(await receive())
    },
  }))
  const socket = await client.websocket('/')
  await client.close()
  assert.equal(await seen.promise, { type: 'websocket.disconnect', code: 1006, reason: '' })
  assert.is((await rejection(socket.send('x')) as WebSocketClosed).closeCode, 1006)
})

test('a refusal is WebSocketRefused, with the response', async (t) => {
  const client = await clientFor(t, async (scope, _receive, send) => {
    if (scope.path === '/403') return send({ type: 'websocket.close' })
    await send({ type: 'websocket.http.response.start', status: 418, headers: [['x-why', 'teapot'], ['set-cookie', 'a=b']] })
    await send({ type: 'websocket.http.response.body', body: 'short ', moreBody: true })
    await send({ type: 'websocket.http.response.body', body: 'and stout' })
  })
  const forbidden = await rejection(client.websocket('/403'))
  assert.instance(forbidden, WebSocketRefused)
  assert.is(forbidden.code, 'ERR_TSGI_WEBSOCKET_REFUSED')
  assert.is((forbidden as WebSocketRefused).response.status, 403)
  assert.is(await (forbidden as WebSocketRefused).response.text(), 'Forbidden')
  const { response } = await rejection(client.websocket('/')) as WebSocketRefused
  assert.equal([response.status, response.headers.get('x-why')], [418, 'teapot'])
  assert.is(await response.text(), 'short and stout')
  assert.is(client.cookies.get('a'), 'b')
})

test('what the application throws before it accepts rejects websocket()', async () => {
  const failures: readonly (readonly [WebSocketApplication, new (...args: never[]) => Error])[] = [
    [async () => {
      throw new RangeError('boom')
    }, RangeError],
    [async () => {}, IncompleteResponse],
    [async (_scope, _receive, send) => {
      await send({ type: 'websocket.http.response.start', status: 400 })
      throw new RangeError('boom')
    }, RangeError],
  ]
  for (const [websocket, kind] of failures) {
    const client = await testClient(application({ websocket }))
    assert.instance(await rejection(client.websocket('/')), kind)
    await client.close()
    const lenient = await testClient(application({ websocket }), { raiseApplicationErrors: false })
    const refused = await rejection(lenient.websocket('/')) as WebSocketRefused
    assert.instance(refused, WebSocketRefused)
    assert.is(refused.response.status, 500)
    assert.is(await refused.response.text(), 'Internal Server Error')
    await lenient.close()
  }
})

test('a refusal that breaks off breaks its body with what the application threw', async () => {
  const client = await testClient(application({
    websocket: async (_scope, _receive, send) => {
      await send({ type: 'websocket.http.response.start', status: 400 })
      await send({ type: 'websocket.http.response.body', body: 'part', moreBody: true })
      throw new RangeError('boom')
    },
  }))
  const { response } = await rejection(client.websocket('/')) as WebSocketRefused
  assert.instance(await rejection(response.text()), RangeError)
  await client.close()
})

test('what the application throws after it accepted is thrown once: by receive, or by iterating, after the messages', async () => {
  const go = deferred()
  const client = await testClient(application({
    websocket: async (_scope, _receive, send) => {
      await send({ type: 'websocket.accept' })
      await go.promise
      await send({ type: 'websocket.send', text: 'last' })
      throw new RangeError('boom')
    },
  }))
  const waiting = await client.websocket('/')
  const received = [waiting.receive(), rejection(waiting.receive()), rejection(waiting.receive())]
  const late = await client.websocket('/')
  const iterated = await client.websocket('/')
  go.resolve()
  const [last, thrown, closed] = await Promise.all(received)
  assert.is(last, 'last')
  assert.instance(thrown, RangeError)
  assert.instance(closed, WebSocketClosed)
  assert.equal(await waiting.closed, { code: 1011, reason: '' })
  assert.is(await late.receive(), 'last')
  assert.instance(await rejection(late.receive()), RangeError)
  assert.is((await rejection(late.receive()) as WebSocketClosed).closeCode, 1011)
  const seen: TestMessage[] = []
  const error = await rejection((async () => {
    for await (const message of iterated) seen.push(message)
  })())
  assert.instance(error, RangeError)
  assert.equal(seen, ['last'])
  await client.close()
})

test('what the application throws when the WebSocket is closed is thrown by close(), or else by the client\'s', async () => {
  const client = await testClient(application({
    websocket: async (scope, receive, send) => {
      await send({ type: 'websocket.accept' })
      if (scope.path === '/first') await send({ type: 'websocket.close' })
      await receive()
      await receive()
      throw new RangeError(scope.path)
    },
  }))
  const socket = await client.websocket('/close')
  assert.match((await rejection(socket.close(1000))).message, '/close')
  await socket.close(1000)
  const first = await client.websocket('/first')
  assert.equal(await first.closed, { code: 1000, reason: '' })
  assert.match((await rejection(client.close())).message, '/first')
})

test('without raiseApplicationErrors a failure is the close code 1011', async (t) => {
  const client = await clientFor(t, async (_scope, _receive, send) => {
    await send({ type: 'websocket.accept' })
    throw new RangeError('boom')
  }, { raiseApplicationErrors: false })
  const socket = await client.websocket('/')
  assert.is((await rejection(socket.receive()) as WebSocketClosed).closeCode, 1011)
  await socket.close()
})

test('send waits while the application has too much unread, and messages keep their order', async (t) => {
  const go = deferred()
  const client = await clientFor(t, async (_scope, receive, send) => {
    await send({ type: 'websocket.accept' })
    await go.promise
    const texts: string[] = []
    for await (const message of messages(receive)) {
      texts.push(String(message))
      if (texts.length === 200) break
    }
    await send({ type: 'websocket.send', text: texts.join() })
  })
  const socket = await client.websocket('/')
  let resolved = 0
  const sending = Array.from({ length: 200 }, (_, i) => socket.send(String(i)).then(() => resolved++))
  await turn()
  assert.is(resolved, 32)
  go.resolve()
  await Promise.all(sending)
  assert.is(await socket.receive(), Array.from({ length: 200 }, (_, i) => i).join())
})

test('what waits to be sent is given up when the WebSocket is closed, and close() comes after it', async (t) => {
  const go = deferred<'close' | 'read'>()
  const seen: unknown[] = []
  const client = await clientFor(t, async (scope, receive, send) => {
    await send({ type: 'websocket.accept' })
    if (scope.path === '/read') {
      await go.promise
      for (;;) {
        const event = await receive()
        seen.push(event.type === 'websocket.receive' ? event.text : event)
        if (event.type === 'websocket.disconnect') return
      }
    }
    await go.promise
    await send({ type: 'websocket.close', code: 4000 })
  })
  const reader = await client.websocket('/read')
  for (let i = 0; i < 40; i++) void reader.send(String(i))
  const closing = reader.close(4001, 'done')
  assert.instance(await rejection(reader.send('after close')), WebSocketClosed)
  const closed = await client.websocket('/')
  const sending = Array.from({ length: 40 }, () => closed.send('x'))
  go.resolve('close')
  await closing
  assert.equal(seen, [{ type: 'websocket.connect' }, ...Array.from({ length: 40 }, (_, i) => String(i)), { type: 'websocket.disconnect', code: 4001, reason: 'done' }])
  const outcomes = await Promise.allSettled(sending)
  assert.equal(outcomes.slice(0, 32).filter(({ status }) => status === 'fulfilled').length, 32)
  for (const outcome of outcomes.slice(32)) {
    assert.ok(outcome.status === 'rejected')
    assert.is((outcome.reason as WebSocketClosed).closeCode, 4000)
  }
})

test('the application is held back when more than 64 KiB wait to be received', async (t) => {
  let sent = 0
  const client = await clientFor(t, async (_scope, _receive, send) => {
    await send({ type: 'websocket.accept' })
    for (; sent < 1000; sent++) await send({ type: 'websocket.send', bytes: new Uint8Array(1022) })
  })
  const socket = await client.websocket('/')
  await turn()
  assert.is(sent, 64)
  await socket.receive()
  await turn()
  assert.is(sent, 65)
  let received = 1
  for await (const _ of socket) received++
  assert.is(received, 1000)
})

test('not any number of empty messages may wait', async (t) => {
  let sent = 0
  const client = await clientFor(t, async (_scope, _receive, send) => {
    await send({ type: 'websocket.accept' })
    for (; sent < 1_000_000; sent++) await send({ type: 'websocket.send', text: '' })
  })
  const socket = await client.websocket('/')
  await turn()
  assert.ok(sent < 50_000, `${sent} were taken`)
  await socket.close().catch(() => {})
})

test('an observer hears of a WebSocket in order', async (t) => {
  const heard: string[] = []
  const finished = deferred<ExchangeOutcome>()
  const client = await clientFor(t, async (_scope, receive, send) => {
    await receive()
    await send({ type: 'websocket.accept' })
    await receive()
    await send({ type: 'websocket.send', text: 'four' })
    const waiting = receive()
    await send({ type: 'websocket.close', code: 3001 })
    await waiting
  }, {
    observer: {
      started: ({ scope }) => heard.push(`started ${scope.path}`),
      received: (_, event) => heard.push(event.type),
      sent: (_, event) => heard.push(event.type),
      finished: (outcome) => finished.resolve(outcome),
    },
  })
  const socket = await client.websocket('/x')
  await socket.send('x')
  const { status, bytesSent, closeCode, disconnected } = await finished.promise
  assert.equal(heard, ['started /x', 'websocket.connect', 'websocket.accept', 'websocket.receive', 'websocket.send', 'websocket.close', 'websocket.disconnect'])
  assert.equal([status, bytesSent, closeCode, disconnected], [101, 4, 3001, false])
})

test('the application runs in the asynchronous context of the test', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const client = await clientFor(t, async (_scope, _receive, send) => {
    await send({ type: 'websocket.accept' })
    await send({ type: 'websocket.send', text: storage.getStore() ?? 'none' })
  })
  const socket = await storage.run('of the test', () => client.websocket('/'))
  assert.is(await socket.receive(), 'of the test')
})

test('an error that comes after a complete response, while the client closes, is thrown by close()', async () => {
  const go = deferred()
  const client = await testClient(application({
    http: async (_scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: 'whole' })
      await go.promise
      throw new RangeError('late')
    },
  }))
  assert.is(await (await client.fetch('/')).text(), 'whole')
  const closing = rejection(client.close())
  go.resolve()
  assert.instance(await closing, RangeError)
})

test.run()
