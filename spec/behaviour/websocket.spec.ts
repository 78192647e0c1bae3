/** What a WebSocket application may rely on, the same over every protocol. */
import { AsyncLocalStorage } from 'node:async_hooks'
import * as assert from 'uvu/assert'
import {
  application, ClientDisconnected, ContentLengthMismatch, disconnectSignal, headerList, IncompleteResponse, InvalidEvent, messages,
  UnexpectedEvent, UnsupportedScope,
  type Application, type ExchangeOutcome, type Receive, type SendEvent, type WebSocketApplication, type WebSocketReceiveEvent, type WebSocketScope,
} from '../../lib/index.ts'
import { deferred, type Deferred } from '../support/deferred.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { webSocketProtocols, type Driver, type DriverOptions, type DriverResponse, type DriverWebSocket, type DriverWebSocketRequest, type Message } from './drivers.ts'

const accept = { type: 'websocket.accept' } as const
const close = { type: 'websocket.close' } as const
const body = { type: 'websocket.http.response.body' } as const
const connected = { type: 'websocket.connect' } as const

const echo: WebSocketApplication = async (_scope, receive, send) => {
  await send(accept)
  for await (const message of messages(receive)) {
    await send(typeof message === 'string' ? { type: 'websocket.send', text: message } : { type: 'websocket.send', bytes: message })
  }
}

/** How an application ended. */
type Outcome = Pick<ExchangeOutcome, 'error' | 'disconnected' | 'closeCode' | 'status'>

for (const protocol of webSocketProtocols) {
  const test = suite(`WebSocket application, ${protocol.name}`)

  async function open(t: TestContext, app: Application, options?: DriverOptions): Promise<Driver> {
    const driver = await protocol.open(app, options)
    t.after(() => driver.close())
    return driver
  }

  async function dial(driver: Driver, request: DriverWebSocketRequest = {}): Promise<DriverWebSocket> {
    const answer = await driver.websocket(request)
    if ('status' in answer) throw new Error(`refused with ${answer.status}`)
    return answer
  }

  /** Opens a WebSocket that is expected to be accepted. */
  async function connect(t: TestContext, websocket: WebSocketApplication, request: DriverWebSocketRequest = {}): Promise<DriverWebSocket> {
    return dial(await open(t, application({ websocket })), request)
  }

  /** Opens one that is expected to be refused. */
  async function refusal(t: TestContext, websocket: WebSocketApplication): Promise<DriverResponse> {
    const answer = await (await open(t, application({ websocket }))).websocket({})
    if (!('status' in answer)) throw new Error('accepted')
    return answer
  }

  /** The same, and how the application ended. */
  async function watched(t: TestContext, websocket: WebSocketApplication): Promise<{ driver: Driver; outcome: Deferred<Outcome> }> {
    const outcome = deferred<Outcome>()
    const observer = {
      finished: ({ error, disconnected, closeCode, status }: ExchangeOutcome) => outcome.resolve({ error, disconnected, closeCode, status }),
    }
    return { driver: await open(t, application({ websocket }), { observer }), outcome }
  }

  // ---- scope ----

  test('a scope has every key as an own enumerable data property', async (t) => {
    const seen = deferred<WebSocketScope>()
    await connect(t, async (scope, _receive, send) => {
      seen.resolve(scope)
      await send(accept)
    }, { path: '/a%20b/%C3%A4?x=%20&y' })
    const scope = await seen.promise
    const keys = ['type', 'asgi', 'httpVersion', 'scheme', 'path', 'rawPath', 'queryString', 'rootPath', 'headers', 'client', 'server', 'subprotocols', 'state', 'extensions']
    assert.equal(Object.keys(scope).sort(), [...keys].sort())
    for (const key of keys) {
      const property = Object.getOwnPropertyDescriptor(scope, key)
      assert.ok(property?.enumerable === true && 'value' in property, key)
    }
    assert.is(scope.type, 'websocket')
    assert.equal({ ...scope.asgi }, { version: '3.0', specVersion: '2.5' })
    assert.is(scope.httpVersion, protocol.httpVersion)
    assert.is(scope.scheme, protocol.secure ? 'wss' : 'ws')
    assert.is(scope.path, '/a b/ä')
    assert.is(scope.rawPath, '/a%20b/%C3%A4')
    assert.is(scope.queryString, 'x=%20&y')
    assert.is(scope.rootPath, '')
    assert.equal(scope.subprotocols, [])
    assert.is(scope.client?.[0], '127.0.0.1')
    assert.type(scope.client?.[1], 'number')
    assert.type(scope.server?.[1], 'number')
    assert.equal(Object.keys(scope.extensions), ['websocket.http.response', ...(protocol.hasServer && protocol.httpVersion === '1.1' ? ['tsgi.upgrade'] : []), ...(protocol.secure ? ['tls'] : [])])
  })

  test('headers are those of the handshake, and find by any case', async (t) => {
    const seen = deferred<WebSocketScope>()
    await connect(t, async (scope, _receive, send) => {
      seen.resolve(scope)
      await send(accept)
    }, { headers: [['X-Two', 'a'], ['x-tWO', 'b'], ['x-latin', 'caf\xe9']] })
    const { headers } = await seen.promise
    assert.equal([...headers].filter(([name]) => name.startsWith('x-')), [['x-two', 'a'], ['x-two', 'b'], ['x-latin', 'caf\xe9']])
    assert.equal(headers.getAll('X-TWO'), ['a', 'b'])
    // Over HTTP/2 there is no upgrade (RFC 8441 4).
    assert.is(headers.get('Upgrade')?.toLowerCase(), protocol.httpVersion === '2' ? undefined : 'websocket')
    assert.is(headers.get('sec-websocket-version'), '13')
    assert.is(headers.has('host'), true)
  })

  test('subprotocols are those that the client offers, in its order', async (t) => {
    const seen = deferred<readonly string[]>()
    const socket = await connect(t, async (scope, _receive, send) => {
      seen.resolve(scope.subprotocols)
      await send({ ...accept, subprotocol: 'b' })
    }, { subprotocols: ['c', 'a', 'b'] })
    assert.equal(await seen.promise, ['c', 'a', 'b'])
    assert.is(socket.subprotocol, 'b')
  })

  test('a copy of a scope is a whole scope: its disconnect signal works', async (t) => {
    const signals = deferred<readonly AbortSignal[]>()
    const left = deferred()
    const socket = await connect(t, async (scope, receive, send) => {
      const copy: WebSocketScope = { ...scope, path: '/other' }
      await send(accept)
      signals.resolve([disconnectSignal(scope), disconnectSignal(copy)])
      while ((await receive()).type !== 'websocket.disconnect');
      left.resolve()
    })
    const [own, copied] = await signals.promise
    assert.is(own?.aborted, false)
    socket.leave()
    await left.promise
    assert.is(own, copied)
    assert.is(own?.aborted, true)
    assert.instance(own?.reason, ClientDisconnected)
  })

  test('a root path is prepended to path and rawPath', async (t) => {
    const seen = deferred<WebSocketScope>()
    const driver = await open(t, application({
      websocket: async (scope, _receive, send) => {
        seen.resolve(scope)
        await send(accept)
      },
    }), { rootPath: '/api' })
    await dial(driver, { path: '/x%2Fy' })
    const scope = await seen.promise
    assert.equal([scope.rootPath, scope.path, scope.rawPath], ['/api', '/api/x/y', '/api/x%2Fy'])
  })

  test('each scope has a shallow copy of the state that the lifespan made', async (t) => {
    const driver = await open(t, application({
      lifespan: async function* () {
        yield { shared: { count: 0 }, own: 0 }
      },
      websocket: async (scope, _receive, send) => {
        const state = scope.state as { shared: { count: number }; own: number }
        state.shared.count++
        state.own++
        await send(accept)
        await send({ type: 'websocket.send', text: `${state.shared.count} ${state.own}` })
      },
    }))
    assert.is(await (await dial(driver)).receive(), '1 1')
    assert.is(await (await dial(driver)).receive(), '2 1')
  })

  test('what is entered into an AsyncLocalStorage in one WebSocket is seen there, and not in another', async (t) => {
    const storage = new AsyncLocalStorage<string>()
    const driver = await open(t, application({
      websocket: async (scope, receive, send) => {
        const before = storage.getStore() ?? 'none'
        storage.enterWith(scope.path)
        await send(accept)
        for await (const _ of messages(receive)) await send({ type: 'websocket.send', text: `${before} ${storage.getStore()}` })
      },
    }))
    const a = await dial(driver, { path: '/a' })
    const b = await dial(driver, { path: '/b' })
    for (const socket of [a, b, a]) void socket.send('?')
    assert.equal([await a.receive(), await b.receive(), await a.receive()], ['none /a', 'none /b', 'none /a'])
  })

  // ---- accept ----

  test('connect comes first; accept has headers: any iterable, names lower-cased, repeated ones kept, white space trimmed', async (t) => {
    const shapes = [
      [['Set-Cookie', 'a=1'], ['set-cookie', 'b=2'], ['X-Pad', ' x\t']],
      new Map([['X-Pad', 'x']]),
      new Headers({ 'x-pad': 'x' }),
      headerList([['X-Pad', 'x']]),
      (function* () {
        yield ['X-Pad', 'x'] as const
      })(),
    ] as const
    for (const headers of shapes) {
      const first = deferred<unknown>()
      const socket = await connect(t, async (_scope, receive, send) => {
        first.resolve(await receive())
        await send({ ...accept, headers: headers as Iterable<readonly [string, string]> })
      })
      assert.equal(await first.promise, connected)
      assert.is(socket.headers.get('x-pad'), 'x')
      assert.ok(socket.names.includes('x-pad'))
      assert.is(socket.subprotocol, null)
      if (headers === shapes[0]) assert.equal(socket.headers.getSetCookie(), ['a=1', 'b=2'])
    }
  })

  test('accept may come before connect is received, and null and undefined count as absent', async (t) => {
    const events: unknown[] = []
    const socket = await connect(t, async (_scope, receive, send) => {
      await send({ ...accept, subprotocol: null, headers: undefined, extra: 1 } as SendEvent & { type: 'websocket.accept' })
      events.push(await receive(), await receive())
      await send({ ...close, code: null, reason: undefined })
    })
    await socket.send('x')
    assert.equal(await socket.closed, { code: 1000, reason: '' })
    assert.equal(events, [connected, { type: 'websocket.receive', text: 'x', bytes: null }])
  })

  test('fields of framing and of the connection are the server\'s: ignored in accept', async (t) => {
    const socket = await connect(t, async (_scope, receive, send) => {
      await send({ ...accept, headers: [['transfer-encoding', 'chunked'], ['content-length', '5'], ['connection', 'close'], ['x-kept', '1']] })
      await receive()
      await receive()
      await send({ type: 'websocket.send', text: 'works' })
    })
    await socket.send('x')
    assert.equal(['transfer-encoding', 'content-length'].map((name) => socket.headers.get(name)), [null, null])
    assert.not.match(socket.headers.get('connection') ?? '', /close/)
    assert.is(socket.headers.get('x-kept'), '1')
    assert.is(await socket.receive(), 'works')
  })

  test('a wrong accept is refused with the key that is wrong, and the application may go on', async (t) => {
    const rows: readonly (readonly [unknown, string])[] = [
      [{ ...accept, subprotocol: 'other' }, 'subprotocol'],
      [{ ...accept, subprotocol: '' }, 'subprotocol'],
      [{ ...accept, subprotocol: 5 }, 'subprotocol'],
      [{ ...accept, headers: 5 }, 'headers'],
      [{ ...accept, headers: 'x' }, 'headers'],
      [{ ...accept, headers: ['ab'] }, 'headers[0]'],
      [{ ...accept, headers: [['x-ok', '1'], ['Sec-WebSocket-Protocol', 'a']] }, 'headers[1] name'],
      [{ ...accept, headers: [['sec-websocket-accept', 'a']] }, 'headers[0] name'],
      [{ ...accept, headers: [['sec-websocket-extensions', 'permessage-deflate']] }, 'headers[0] name'],
      [{ ...accept, headers: [['sec-websocket-version', '13']] }, 'headers[0] name'],
      [{ ...accept, headers: [['Upgrade', 'websocket']] }, 'headers[0] name'],
      [{ ...accept, headers: [['a b', 'c']] }, 'headers[0] name'],
      [{ ...accept, headers: [['', 'c']] }, 'headers[0] name'],
      [{ ...accept, headers: [[':status', 'c']] }, 'headers[0] name'],
      [{ ...accept, headers: [['a', 'b\r\nset-cookie: x']] }, 'headers[0] value'],
      [{ ...accept, headers: [['a', '€']] }, 'headers[0] value'],
      [{ ...accept, headers: [['server', 'a'], ['server', 'b']] }, 'headers[1]'],
    ]
    const wrong: string[] = []
    const socket = await connect(t, async (_scope, receive, send) => {
      for (const row of rows) await checkInvalid(send, row, wrong)
      await send({ ...accept, subprotocol: 'offered' })
      await receive()
      await receive()
    }, { subprotocols: ['offered', 'too'] })
    assert.equal(wrong, [])
    assert.is(socket.subprotocol, 'offered')
  })

  test('a subprotocol where none is offered is refused', async (t) => {
    const wrong: string[] = []
    const socket = await connect(t, async (_scope, _receive, send) => {
      await checkInvalid(send, [{ ...accept, subprotocol: 'chat' }, 'subprotocol'], wrong)
      await send(accept)
    })
    assert.equal(wrong, [])
    assert.is(socket.subprotocol, null)
  })

  // ---- messages ----

  test('text and bytes go both ways: empty, Unicode, every byte', async (t) => {
    const socket = await connect(t, echo)
    const rows: readonly Message[] = [
      'x', '', 'häß€ 😀 \0 \u2028', 'x'.repeat(125), 'x'.repeat(126), 'ä'.repeat(63), 'x'.repeat(65535), 'x'.repeat(65536),
      new Uint8Array(0), Uint8Array.from({ length: 256 }, (_, i) => i), new Uint8Array(125), new Uint8Array(126), new Uint8Array(65535), new Uint8Array(65536),
    ]
    for (const message of rows) {
      void socket.send(message)
      const echoed = await socket.receive()
      assert.ok(same(echoed, message), `${typeof message} of ${message.length}`)
    }
  })

  test('a message of 1 MiB comes whole, text and bytes', async (t) => {
    const socket = await connect(t, echo)
    const text = 'aä€😀'.repeat(1024 * 1024 / 10)
    const bytes = Uint8Array.from({ length: 1024 * 1024 }, (_, i) => i * 7)
    for (const message of [text, bytes]) {
      void socket.send(message)
      assert.ok(same(await socket.receive(), message))
    }
  })

  test('a received message has text or bytes, and null for the other', async (t) => {
    const seen: WebSocketReceiveEvent[] = []
    const done = deferred()
    const socket = await connect(t, async (_scope, receive, send) => {
      await send(accept)
      await receive()
      seen.push(await receive(), await receive())
      done.resolve()
    })
    void socket.send('x')
    void socket.send(Uint8Array.of(1))
    await done.promise
    const [text, binary] = seen
    assert.equal(text, { type: 'websocket.receive', text: 'x', bytes: null })
    assert.ok(binary?.type === 'websocket.receive' && binary.text === null && binary.bytes instanceof Uint8Array)
    assert.equal([...binary.bytes], [1])
  })

  test('1,000 messages keep their order both ways', async (t) => {
    const socket = await connect(t, echo)
    for (let i = 0; i < 1000; i++) void socket.send(String(i))
    for (let i = 0; i < 1000; i++) assert.is(await socket.receive(), String(i))
  })

  test('an event that was received can be passed on as it is, but for its type', async (t) => {
    const socket = await connect(t, async (_scope, receive, send) => {
      await send(accept)
      for (;;) {
        const event = await receive()
        if (event.type === 'websocket.disconnect') return
        if (event.type === 'websocket.receive') await send({ ...event, type: 'websocket.send' })
      }
    })
    for (const message of ['text', '', Uint8Array.of(1, 2), new Uint8Array(0)]) {
      void socket.send(message)
      assert.ok(same(await socket.receive(), message))
    }
  })

  test('received bytes may be kept, and sent bytes be changed once send has resolved', async (t) => {
    const socket = await connect(t, async (_scope, receive, send) => {
      await send(accept)
      await receive()
      const kept: Uint8Array[] = []
      for (let i = 0; i < 3; i++) {
        const event = await receive()
        if (event.type === 'websocket.receive' && event.bytes != null) kept.push(event.bytes)
      }
      const mine = new Uint8Array(100_000)
      for (const bytes of kept) {
        mine.fill(bytes[0] ?? 0)
        await send({ type: 'websocket.send', bytes: mine })
        mine.fill(0)
      }
      await receive()
    })
    for (const value of [1, 2, 3]) void socket.send(new Uint8Array(1000).fill(value))
    for (const value of [1, 2, 3]) {
      const message = await socket.receive()
      assert.ok(message instanceof Uint8Array && message.length === 100_000 && message.every((each) => each === value), String(value))
    }
  })

  test('text that is no Unicode is sent with U+FFFD in its place', async (t) => {
    const socket = await connect(t, async (_scope, _receive, send) => {
      await send(accept)
      await send({ type: 'websocket.send', text: 'a\ud800b' })
    })
    assert.is(await socket.receive(), 'a\ufffdb')
  })

  test('messages(receive) passes connect over and ends at the disconnect', async (t) => {
    const seen = deferred<readonly unknown[]>()
    const socket = await connect(t, async (_scope, receive, send) => {
      await send(accept)
      const all: unknown[] = []
      for await (const message of messages(receive)) all.push(typeof message === 'string' ? message : [...message])
      seen.resolve(all)
    })
    for (const message of ['a', Uint8Array.of(1), '', new Uint8Array(0)]) void socket.send(message)
    socket.close(1000)
    assert.equal(await seen.promise, ['a', [1], '', []])
  })

  test('receives that wait together are answered in order', async (t) => {
    const seen = deferred<readonly unknown[]>()
    const asked = deferred()
    const socket = await connect(t, async (_scope, receive, send) => {
      await send(accept)
      await receive()
      const events = [receive(), receive(), receive(), receive()]
      asked.resolve()
      seen.resolve((await Promise.all(events)).map((event) => event.type === 'websocket.receive' ? event.text : event.type))
    })
    await asked.promise
    for (const text of ['a', 'b']) await socket.send(text)
    socket.close()
    assert.equal(await seen.promise, ['a', 'b', 'websocket.disconnect', 'websocket.disconnect'])
  })

  // ---- events that are refused ----

  test('an invalid event is refused with the key that is wrong, nothing is written, and the application may go on', async (t) => {
    const anywhere: readonly (readonly [unknown, string])[] = [
      [{ type: 'nonsense' }, 'type'],
      [{ type: 'http.response.start', status: 200 }, 'type'],
      [{ type: 'http.response.body' }, 'type'],
      [{ type: 'websocket.receive', text: 'x' }, 'type'],
      [{ type: 'lifespan.startup.complete' }, 'type'],
      [{ type: 'constructor' }, 'type'],
      [{}, 'type'],
      [null, 'type'],
      [undefined, 'type'],
    ]
    const closing: readonly (readonly [unknown, string])[] = [
      ...[0, -1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535, NaN, 1000.5, 3000.5, '1000', true].map((code) => [{ ...close, code }, 'code'] as const),
      [{ ...close, reason: 5 }, 'reason'],
      [{ ...close, reason: 'x'.repeat(124) }, 'reason'],
      [{ ...close, reason: 'ä'.repeat(62) }, 'reason'],
    ]
    const sending: readonly (readonly [unknown, string])[] = [
      [{ type: 'websocket.send' }, 'text'],
      [{ type: 'websocket.send', text: null, bytes: undefined }, 'text'],
      [{ type: 'websocket.send', text: 5 }, 'text'],
      [{ type: 'websocket.send', text: new Uint8Array(1) }, 'text'],
      [{ type: 'websocket.send', text: 'x', bytes: new Uint8Array(1) }, 'bytes'],
      [{ type: 'websocket.send', text: '', bytes: new Uint8Array(0) }, 'bytes'],
      [{ type: 'websocket.send', bytes: 'x' }, 'bytes'],
      [{ type: 'websocket.send', bytes: [1, 2] }, 'bytes'],
      [{ type: 'websocket.send', bytes: new ArrayBuffer(3) }, 'bytes'],
    ]
    const refusing: readonly (readonly [unknown, string])[] = [
      ...['200', 99, 101, 199, 600, 200.5, undefined].map((status) => [{ type: 'websocket.http.response.start', status }, 'status'] as const),
      [{ type: 'websocket.http.response.start', status: 400, headers: [['a b', 'c']] }, 'headers[0] name'],
      [{ type: 'websocket.http.response.start', status: 400, headers: [['a', 'b\n']] }, 'headers[0] value'],
    ]
    const wrong: string[] = []
    const socket = await connect(t, async (_scope, receive, send) => {
      for (const row of [...anywhere, ...closing, ...refusing]) await checkInvalid(send, row, wrong)
      await send(accept)
      await receive()
      for (const row of [...anywhere, ...closing, ...sending]) await checkInvalid(send, row, wrong)
      await send({ type: 'websocket.send', text: 'fine' })
      await send({ ...close, code: 4999, reason: 'x'.repeat(123) })
    })
    assert.is(await socket.receive(), 'fine')
    assert.equal(wrong, [])
    assert.equal(await socket.closed, { code: 4999, reason: 'x'.repeat(123) })
  })

  test('an event out of order is refused, and the application may go on', async (t) => {
    const wrong: string[] = []
    const start = { type: 'websocket.http.response.start', status: 400 }
    const message = { type: 'websocket.send', text: 'x' }
    const socket = await connect(t, async (_scope, receive, send) => {
      for (const event of [message, body]) await checkUnexpected(send, event, 'websocket.accept', wrong)
      await send(accept)
      for (const event of [accept, start, body]) await checkUnexpected(send, event, 'websocket.send or websocket.close', wrong)
      await send({ type: 'websocket.send', text: 'fine' })
      await send({ ...close, code: 3000 })
      for (const event of [message, accept, start]) await checkUnexpected(send, event, 'nothing', wrong)
      await receive()
      await receive()
      for (const event of [message, accept, start]) await checkUnexpected(send, event, 'nothing', wrong)
    })
    assert.is(await socket.receive(), 'fine')
    assert.equal(await socket.closed, { code: 3000, reason: '' })
    assert.equal(wrong, [])
  })

  test('an event out of order in a refusal is refused, and the application may go on', async (t) => {
    const wrong: string[] = []
    const start = { type: 'websocket.http.response.start', status: 400 } as const
    const response = await refusal(t, async (_scope, _receive, send) => {
      await send(start)
      for (const event of [accept, close, start, { type: 'websocket.send', text: 'x' }]) await checkUnexpected(send, event, 'websocket.http.response.body', wrong)
      await send({ ...body, body: 'a', moreBody: true })
      for (const event of [accept, close, start]) await checkUnexpected(send, event, 'websocket.http.response.body', wrong)
      await send({ ...body, body: 'b' })
      for (const event of [accept, start, { type: 'websocket.send', text: 'x' }]) await checkUnexpected(send, event, 'nothing', wrong)
    })
    assert.is(await response.text(), 'ab')
    assert.equal(wrong, [])
  })

  test('a second close is ignored', async (t) => {
    const done = deferred<string>()
    const socket = await connect(t, async (_scope, _receive, send) => {
      await send(accept)
      await send({ ...close, code: 4000 })
      done.resolve(await send({ ...close, code: 4001 }).then(() => 'ignored', String))
    })
    assert.is((await socket.closed).code, 4000)
    assert.is(await done.promise, 'ignored')
  })

  test('a forgotten await on a refused send ends nothing', async (t) => {
    const socket = await connect(t, async (_scope, receive, send) => {
      void send({ type: 'websocket.send', text: 'too early' })
      void send(accept)
      void send({ type: 'websocket.send', text: 'fine' })
      await receive()
      await receive()
    })
    assert.is(await socket.receive(), 'fine')
  })

  // ---- refusals ----

  test('closed before it is accepted: 403 in text, and the code and reason go nowhere', async (t) => {
    const after = deferred<unknown>()
    const response = await refusal(t, async (scope, receive, send) => {
      await receive()
      await send({ ...close, code: 4001, reason: 'no' })
      await send(close)
      after.resolve([await receive(), disconnectSignal(scope).aborted])
    })
    assert.is(response.status, 403)
    assert.is(response.headers.get('content-type'), 'text/plain; charset=utf-8')
    assert.is(await response.text(), 'Forbidden')
    assert.equal(await after.promise, [{ type: 'websocket.disconnect', code: 1006, reason: '' }, false])
  })

  test('a response in place of the WebSocket: status, headers, and one body event fills in content-length', async (t) => {
    for (const [given, length] of [['häß', '5'], [Uint8Array.of(104, 105), '2'], [undefined, '0'], [null, '0']] as const) {
      const response = await refusal(t, async (_scope, receive, send) => {
        await receive()
        await send({ type: 'websocket.http.response.start', status: 429, headers: [['Retry-After', '5'], ['set-cookie', 'a=1'], ['set-cookie', 'b=2']] })
        await send({ ...body, body: given })
      })
      assert.is(response.status, 429)
      assert.is(response.headers.get('retry-after'), '5')
      assert.equal(response.headers.getSetCookie(), ['a=1', 'b=2'])
      assert.is(response.headers.get('content-length'), length)
      assert.is(await response.text(), typeof given === 'string' ? given : given == null ? '' : 'hi')
    }
  })

  test('the response in place of the WebSocket may stream, head first', async (t) => {
    const go = deferred()
    const response = await refusal(t, async (_scope, _receive, send) => {
      await send({ type: 'websocket.http.response.start', status: 503 })
      await send({ ...body, moreBody: true })
      await go.promise
      for (const part of ['a', '', 'é', 'c'.repeat(100_000)]) await send({ ...body, body: part, moreBody: true })
      await send({ ...body, body: 'end' })
    })
    assert.is(response.status, 503)
    assert.is(response.headers.get('content-length'), null)
    go.resolve()
    assert.is(await response.text(), `aé${'c'.repeat(100_000)}end`)
  })

  test('the response in place of the WebSocket has the rules of other responses: 204 and 304 have no body, a length must be kept', async (t) => {
    for (const status of protocol.httpVersion === '2' ? [304] : [204, 304]) {
      const response = await refusal(t, async (_scope, _receive, send) => {
        await send({ type: 'websocket.http.response.start', status })
        await send({ ...body, body: 'not sent' })
      })
      assert.is(response.status, status)
      assert.is(await response.text(), '')
    }
    const errors: unknown[] = []
    const response = await refusal(t, async (_scope, _receive, send) => {
      await send({ type: 'websocket.http.response.start', status: 400, headers: [['content-length', '3']] })
      await send({ ...body, body: 'too long' }).catch((error: unknown) => errors.push(error))
      await send({ ...body, body: 'abc' })
    })
    assert.is(await response.text(), 'abc')
    assert.instance(errors[0], ContentLengthMismatch)
  })

  test('a 2xx in place of the WebSocket is refused over HTTP/2, where it would accept it (RFC 8441 4)', async (t) => {
    const errors: unknown[] = []
    const response = await refusal(t, async (_scope, _receive, send) => {
      if (protocol.httpVersion === '2') await send({ type: 'websocket.http.response.start', status: 200 }).catch((error: unknown) => errors.push(error))
      await send({ type: 'websocket.http.response.start', status: 404 })
      await send(body)
    })
    assert.is(response.status, 404)
    assert.is(errors.length, protocol.httpVersion === '2' ? 1 : 0)
    for (const error of errors) assert.is((error as InvalidEvent).key, 'status')
  })

  test('a mistake in the response names the WebSocket\'s event and its key', async (t) => {
    const errors: InvalidEvent[] = []
    const response = await refusal(t, async (_scope, _receive, send) => {
      const refused = (event: unknown): Promise<void> => (send as (event: unknown) => Promise<void>)(event).catch((error: InvalidEvent) => void errors.push(error))
      await refused({ type: 'websocket.http.response.start', status: 400, headers: [['a', 'b'], ['a b', 'c']] })
      await send({ type: 'websocket.http.response.start', status: 400 })
      await refused({ ...body, body: 5 })
      await refused({ ...body, moreBody: 'yes' })
      await send({ ...body, body: 'fine' })
    })
    assert.is(await response.text(), 'fine')
    assert.equal(errors.map(({ key }) => key), ['headers[1] name', 'body', 'moreBody'])
    assert.equal(errors.map(({ message }) => message.split(':')[0]), ['websocket.http.response.start', 'websocket.http.response.body', 'websocket.http.response.body'])
    for (const error of errors) assert.instance(error, InvalidEvent)
  })

  test('send waits while the client does not read the response in place of the WebSocket', async (t) => {
    const part = Buffer.alloc(256 * 1024, 'x')
    let sent = 0
    const response = await refusal(t, async (_scope, _receive, send) => {
      await send({ type: 'websocket.http.response.start', status: 400 })
      for (; sent < 200; sent++) await send({ ...body, body: part, moreBody: true })
      await send(body)
    })
    await settled(() => sent)
    assert.ok(sent < 100, `${sent} parts were taken while nobody read`)
    let size = 0
    for await (const each of response.parts) size += each.length
    assert.is(size, 200 * part.length)
  })

  test('an application that fails once the refusal\'s head is on the wire breaks it off', async (t) => {
    for (const error of [new Error('boom'), null]) {
      const response = await refusal(t, async (_scope, _receive, send) => {
        await send({ type: 'websocket.http.response.start', status: 400 })
        await send({ ...body, body: 'part', moreBody: true })
        if (error !== null) throw error
      })
      assert.is(response.status, 400)
      assert.is(await response.text().then(() => 'whole', () => 'broken off'), 'broken off')
    }
  })

  // ---- failures ----

  test('an application that fails before it accepts gives a 500 in text', async (t) => {
    const failures: readonly (readonly [WebSocketApplication, unknown])[] = [
      [async () => {
        throw new RangeError('boom')
      }, RangeError],
      [(() => {
        throw new RangeError('thrown without a promise')
      }) as WebSocketApplication, RangeError],
      [async () => {
        throw undefined
      }, Error],
      [async () => {}, IncompleteResponse],
      [async (_scope, receive) => void await receive(), IncompleteResponse],
      [async (_scope, _receive, send) => {
        await send({ type: 'websocket.http.response.start', status: 400, headers: [['x-lost', '1']] })
      }, IncompleteResponse],
      [async (_scope, _receive, send) => {
        await send({ type: 'websocket.http.response.start', status: 400, headers: [['x-lost', '1']] })
        throw new RangeError('boom')
      }, RangeError],
    ]
    for (const [websocket, kind] of failures) {
      const { driver, outcome } = await watched(t, websocket)
      const response = await driver.websocket({})
      assert.ok('status' in response)
      assert.is(response.status, 500)
      assert.is(response.headers.get('content-type'), 'text/plain; charset=utf-8')
      assert.is(response.headers.get('x-lost'), null)
      assert.is(await response.text(), 'Internal Server Error')
      const { error, disconnected, status } = await outcome.promise
      assert.instance(error, kind as ErrorConstructor)
      assert.equal([disconnected, status], [false, 500])
    }
  })

  test('application() without a websocket part refuses with 500', async (t) => {
    const outcome = deferred<unknown>()
    const driver = await open(t, application({ http: async () => {} }), { observer: { finished: ({ error }) => outcome.resolve(error) } })
    const response = await driver.websocket({})
    assert.ok('status' in response)
    assert.is(response.status, 500)
    assert.is(await response.text(), 'Internal Server Error')
    assert.instance(await outcome.promise, UnsupportedScope)
  })

  test('an application that throws after it accepted closes with 1011, and one that returns with 1000', async (t) => {
    for (const [error, code] of [[new Error('boom'), 1011], [null, 1000]] as const) {
      const { driver, outcome } = await watched(t, async (_scope, _receive, send) => {
        await send(accept)
        await send({ type: 'websocket.send', text: 'last' })
        if (error !== null) throw error
      })
      const socket = await dial(driver)
      assert.is(await socket.receive(), 'last')
      assert.is(await socket.receive(), null)
      assert.equal(await socket.closed, { code, reason: '' })
      assert.equal(await outcome.promise, { error: error ?? undefined, disconnected: false, closeCode: code, status: 101 })
    }
  })

  test('an application that fails after its close, or after the client\'s, changes nothing for the client', async (t) => {
    const { driver, outcome } = await watched(t, async (_scope, _receive, send) => {
      await send(accept)
      await send({ ...close, code: 4000 })
      throw new RangeError('boom')
    })
    assert.equal(await (await dial(driver)).closed, { code: 4000, reason: '' })
    assert.instance((await outcome.promise).error, RangeError)
    const second = await watched(t, async (_scope, receive, send) => {
      await send(accept)
      for await (const _ of messages(receive));
      throw new RangeError('boom')
    })
    const socket = await dial(second.driver)
    socket.close(4001)
    assert.equal(await socket.closed, { code: 4001, reason: '' })
    assert.instance((await second.outcome.promise).error, RangeError)
  })

  // ---- closing ----

  test('the application closes with code and reason, and what it sent before arrives', async (t) => {
    for (const [event, end] of [
      [close, { code: 1000, reason: '' }],
      [{ ...close, code: 1001 }, { code: 1001, reason: '' }],
      [{ ...close, code: 3000, reason: 'häß' }, { code: 3000, reason: 'häß' }],
      [{ ...close, reason: 'ä'.repeat(61) }, { code: 1000, reason: 'ä'.repeat(61) }],
    ] as const) {
      const after = deferred<unknown>()
      const socket = await connect(t, async (_scope, receive, send) => {
        await send(accept)
        await receive()
        for (let i = 0; i < 100; i++) await send({ type: 'websocket.send', text: String(i) })
        await send(event)
        const { type, ...rest } = await receive() as { type: string; code: number }
        after.resolve([type, rest.code])
      })
      for (let i = 0; i < 100; i++) assert.is(await socket.receive(), String(i))
      assert.is(await socket.receive(), null)
      assert.equal(await socket.closed, end)
      // The client answers with the code that it got (RFC 6455 5.5.1).
      assert.equal(await after.promise, ['websocket.disconnect', end.code])
    }
  })

  test('the client\'s code and reason arrive: 1005 for none, 1006 for a dead line', async (t) => {
    const rows: readonly (readonly [(socket: DriverWebSocket) => void, number, string])[] = [
      [(socket) => socket.close(1000), 1000, ''],
      [(socket) => socket.close(4001, 'höre auf'), 4001, 'höre auf'],
      [(socket) => socket.close(1001, 'x'.repeat(123)), 1001, 'x'.repeat(123)],
      [(socket) => socket.close(), 1005, ''],
      [(socket) => socket.leave(), 1006, ''],
    ]
    for (const [end, code, reason] of rows) {
      const events: unknown[] = []
      const { driver, outcome } = await watched(t, async (_scope, receive, send) => {
        await send(accept)
        for (let i = 0; i < 4; i++) events.push(await receive())
      })
      const socket = await dial(driver)
      end(socket)
      assert.equal(await outcome.promise, { error: undefined, disconnected: true, closeCode: code, status: 101 })
      const disconnect = { type: 'websocket.disconnect', code, reason }
      assert.equal(events, [connected, disconnect, disconnect, disconnect])
      assert.equal(await socket.closed, { code, reason })
    }
  })

  test('messages that came before a close are still delivered, then the disconnect, again and again', async (t) => {
    const go = deferred()
    const { driver, outcome } = await watched(t, async (_scope, receive, send) => {
      await send(accept)
      await go.promise
      const seen = await allOf(receive)
      const again = [await receive(), await receive()].map((event) => event.type)
      if (seen.join() !== `websocket.connect,${numbers(50)},websocket.disconnect 4000` || again.join() !== 'websocket.disconnect,websocket.disconnect') {
        throw new Error(`seen: ${seen.join()}; ${again.join()}`)
      }
    })
    const socket = await dial(driver)
    for (let i = 0; i < 50; i++) void socket.send(String(i))
    socket.close(4000)
    go.resolve()
    assert.is((await outcome.promise).error, undefined)
  })

  test('messages that came before the line went dead are still delivered', async (t) => {
    const go = deferred()
    const seen = deferred<readonly string[]>()
    const heard = deferred()
    const socket = await connect(t, async (_scope, receive, send) => {
      await send(accept)
      await receive()
      await receive()
      heard.resolve()
      await go.promise
      seen.resolve(await allOf(receive))
    })
    for (let i = 0; i < 20; i++) await socket.send(String(i))
    await heard.promise
    socket.leave()
    go.resolve()
    assert.is((await seen.promise).join(), `${numbers(20).slice(2)},websocket.disconnect 1006`)
  })

  test('messages that come after the application\'s close are not delivered', async (t) => {
    const seen = deferred<readonly string[]>()
    const socket = await connect(t, async (_scope, receive, send) => {
      await send(accept)
      await receive()
      await receive()
      await send({ ...close, code: 4000 })
      seen.resolve(await allOf(receive))
    })
    // More than may wait for the application: the last ones are held back until it has closed.
    for (let i = 0; i < 500; i++) void socket.send(String(i))
    assert.is((await socket.closed).code, 4000)
    const events = await seen.promise
    assert.is(events.at(-1), 'websocket.disconnect 4000')
    assert.ok(events.length < 100, `${events.length} events`)
  })

  test('a client that leaves before it is answered: receive gives the disconnect, and accept rejects', async (t) => {
    const started = deferred()
    const caught = deferred<readonly unknown[]>()
    const driver = await open(t, application({
      websocket: async (_scope, receive, send) => {
        await receive()
        started.resolve()
        const event = await receive()
        const error = await send(accept).catch((each: unknown) => each)
        caught.resolve([event, error])
        throw error
      },
    }))
    await driver.websocketAndLeave({}, started.promise)
    const [event, error] = await caught.promise
    assert.equal(event, { type: 'websocket.disconnect', code: 1006, reason: '' })
    assert.instance(error, ClientDisconnected)
  })

  test('after the client left send rejects with ClientDisconnected, which is no failure when it comes back out', async (t) => {
    for (const end of [(socket: DriverWebSocket) => socket.close(1000), (socket: DriverWebSocket) => socket.leave()]) {
      const errors: unknown[] = []
      const { driver, outcome } = await watched(t, async (_scope, receive, send) => {
        await send(accept)
        for await (const _ of messages(receive));
        for (const event of [{ type: 'websocket.send', text: 'x' }, close, { type: 'websocket.send' }] as const) {
          await send(event).catch((error: unknown) => errors.push(error))
        }
        await send({ type: 'websocket.send', text: 'x' })
      })
      end(await dial(driver))
      const { error, disconnected } = await outcome.promise
      assert.equal([error, disconnected], [undefined, true])
      assert.is(errors.length, 3)
      for (const each of errors) assert.instance(each, ClientDisconnected)
    }
  })

  test('the disconnect signal aborts when the client leaves, by a close or without a word', async (t) => {
    for (const end of [(socket: DriverWebSocket) => socket.close(1000), (socket: DriverWebSocket) => socket.leave()]) {
      const aborted = deferred<unknown>()
      const socket = await connect(t, async (scope, _receive, send) => {
        const signal = disconnectSignal(scope)
        await send(accept)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        aborted.resolve(signal.reason)
      })
      end(socket)
      assert.instance(await aborted.promise, ClientDisconnected)
    }
  })

  test('the disconnect signal stays silent when the application closed first', async (t) => {
    const seen = deferred<AbortSignal>()
    const late = deferred<AbortSignal>()
    const socket = await connect(t, async (scope, receive, send) => {
      const signal = disconnectSignal(scope)
      await send(accept)
      await receive()
      await send(close)
      await receive()
      seen.resolve(signal)
      late.resolve(disconnectSignal({ ...scope }))
    })
    await socket.closed
    socket.leave()
    assert.is((await seen.promise).aborted, false)
    assert.is((await late.promise).aborted, false)
  })

  // ---- backpressure ----

  test('a client that sends faster than the application receives is held back, and nothing is lost', async (t) => {
    const go = deferred()
    const done = deferred<readonly number[]>()
    const socket = await connect(t, async (_scope, receive, send) => {
      await send(accept)
      await go.promise
      const order: number[] = []
      for await (const message of messages(receive)) {
        const bytes = message as Uint8Array
        order.push(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0))
        if (bytes.length !== 65536) break
        if (order.length === 800) break
      }
      done.resolve(order)
    })
    let sent = 0
    const sending = (async () => {
      for (let i = 0; i < 800; i++) {
        const bytes = new Uint8Array(65536)
        new DataView(bytes.buffer).setUint32(0, i)
        await socket.send(bytes)
        sent++
      }
    })()
    await settled(() => sent)
    assert.ok(sent < 400, `${sent} messages were taken while nobody received`)
    go.resolve()
    assert.equal(await done.promise, Array.from({ length: 800 }, (_, i) => i))
    await sending
  })

  test('small messages too are held back while the application does not receive', async (t) => {
    const go = deferred()
    const socket = await connect(t, async (_scope, receive, send) => {
      await send(accept)
      await go.promise
      let received = 0
      for await (const message of messages(receive)) {
        if (message === 'end') break
        received++
      }
      await send({ type: 'websocket.send', text: String(received) })
    })
    let count = 150_000
    let sent = 0
    const sending = (async () => {
      for (; sent < count; sent++) await socket.send('0123456789012345678901234567890123456789')
      await socket.send('end')
    })()
    await settled(() => sent)
    assert.ok(sent < count, `all ${sent} messages were taken while nobody received`)
    count = sent + 1000
    go.resolve()
    assert.is(await socket.receive(), String(count))
    await sending
  }, 30)

  test('send waits while the client does not read, and goes on when it does', async (t) => {
    for (const [size, count] of [[256 * 1024, 200], [1024, 50_000]] as const) {
      const part = Buffer.alloc(size, 'x')
      let sent = 0
      const socket = await connect(t, async (_scope, _receive, send) => {
        await send(accept)
        for (; sent < count; sent++) {
          part.writeUInt32BE(sent)
          await send({ type: 'websocket.send', bytes: part })
        }
      })
      await settled(() => sent)
      assert.ok(sent < count / 2, `${sent} messages of ${size} bytes were taken while nobody read`)
      for (let i = 0; i < count; i++) {
        const message = await socket.receive()
        if (!(message instanceof Uint8Array) || message.length !== size) throw new Error(`message ${i} is not of ${size} bytes`)
        if (new DataView(message.buffer).getUint32(0) !== i) throw new Error(`message ${i} is not the one that was sent`)
      }
      assert.is(await socket.receive(), null)
    }
  }, 30)

  test('a send that waits rejects with ClientDisconnected when the client leaves', async (t) => {
    const waiting = deferred()
    const { driver, outcome } = await watched(t, async (_scope, _receive, send) => {
      await send(accept)
      for (;;) {
        const sending = send({ type: 'websocket.send', bytes: Buffer.alloc(65536) })
        const full = await Promise.race([sending.then(() => false), new Promise<boolean>((resolve) => setTimeout(resolve, 200, true))])
        if (full) waiting.resolve()
        await sending
      }
    })
    const socket = await dial(driver)
    await waiting.promise
    socket.leave()
    const { error, disconnected } = await outcome.promise
    assert.equal([error, disconnected], [undefined, true])
  })

  test('a send that waits rejects with ClientDisconnected when the application itself closes meanwhile', async (t) => {
    const caught = deferred<unknown>()
    const socket = await connect(t, async (_scope, _receive, send) => {
      await send(accept)
      const sending = Array.from({ length: 300 }, () => send({ type: 'websocket.send', bytes: Buffer.alloc(65536) }))
      await send({ ...close, code: 4000 })
      caught.resolve(await Promise.all(sending).catch((error: unknown) => error))
    })
    assert.instance(await caught.promise, ClientDisconnected)
    let received = 0
    while (await socket.receive() !== null) received++
    assert.is(received, 300)
    assert.is((await socket.closed).code, 4000)
  })

  // ---- the server stops ----

  if (protocol.hasServer) {
    test('a server that stops closes with 1012, and the application gets that as its disconnect', async (t) => {
      const events: unknown[] = []
      const { driver, outcome } = await watched(t, async (scope, receive, send) => {
        await send(accept)
        await receive()
        events.push(await receive(), disconnectSignal(scope).aborted, await send({ type: 'websocket.send', text: 'x' }).catch((error: unknown) => error))
      })
      const socket = await dial(driver)
      await driver.stop?.()
      assert.equal(await socket.closed, { code: 1012, reason: '' })
      await outcome.promise
      const [event, aborted, error] = events
      assert.equal(event, { type: 'websocket.disconnect', code: 1012, reason: '' })
      assert.is(aborted, true)
      assert.instance(error, ClientDisconnected)
    })

    test('a WebSocket that is accepted while the server stops is closed with 1012', async (t) => {
      const started = deferred()
      const go = deferred()
      const driver = await open(t, application({
        websocket: async (_scope, receive, send) => {
          await receive()
          started.resolve()
          await go.promise
          await send(accept)
          await receive()
        },
      }))
      const dialing = dial(driver)
      await started.promise
      const stopped = driver.stop?.()
      go.resolve()
      assert.equal(await (await dialing).closed, { code: 1012, reason: '' })
      await stopped
    })
  }

  test.run()
}

async function checkInvalid(send: (event: never) => Promise<void>, [event, key]: readonly [unknown, string], wrong: string[]): Promise<void> {
  const error = await (send as (event: unknown) => Promise<void>)(event).then(() => null, (each: unknown) => each)
  if (!(error instanceof InvalidEvent) || error.key !== key || !error.message.includes(error.expected)) wrong.push(`${JSON.stringify(event)}: ${String(error)}`)
}

async function checkUnexpected(send: (event: never) => Promise<void>, event: unknown, expected: string, wrong: string[]): Promise<void> {
  const error = await (send as (event: unknown) => Promise<void>)(event).then(() => null, (each: unknown) => each)
  if (!(error instanceof UnexpectedEvent) || !error.message.includes(`expected ${expected}`)) wrong.push(`${JSON.stringify(event)}: ${String(error)}`)
}

/** All events up to the disconnect, which has its code. */
async function allOf(receive: Receive<WebSocketReceiveEvent>): Promise<string[]> {
  const seen: string[] = []
  for (;;) {
    const event = await receive()
    if (event.type === 'websocket.disconnect') return [...seen, `${event.type} ${event.code}`]
    seen.push(event.type === 'websocket.receive' ? event.text ?? 'bytes' : event.type)
  }
}

function numbers(count: number): string {
  return Array.from({ length: count }, (_, i) => i).join()
}

function same(a: Message | null, b: Message): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b
  return a !== null && Buffer.compare(a, b) === 0
}

/** Waits until a number changes no more. */
async function settled(read: () => number): Promise<void> {
  for (let before = -1; before !== read();) {
    before = read()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
