/** What an HTTP application may rely on, the same over every protocol. */
import * as assert from 'uvu/assert'
import {
  application, bodyChunks, ClientDisconnected, ContentLengthMismatch, disconnectSignal, headerList, InvalidEvent, UnexpectedEvent,
  type Application, type HttpApplication, type HttpScope, type ReceiveEvent, type SendEvent, type TsgiError,
} from '../../lib/index.ts'
import { collect } from '../support/collect.ts'
import { deferred } from '../support/deferred.ts'
import type { TestContext } from '../support/suite.ts'
import { protocols, protocolSuite, type Driver, type DriverRequest, type DriverResponse } from './drivers.ts'

const start = { type: 'http.response.start', status: 200 } as const

for (const protocol of protocols) {
  const test = protocolSuite(`HTTP application, ${protocol.name}`, protocol)

  async function open(t: TestContext, app: Application, options?: { readonly rootPath?: string }): Promise<Driver> {
    const driver = await protocol.open(app, options)
    t.after(() => driver.close())
    return driver
  }

  async function respond(t: TestContext, http: HttpApplication, request: DriverRequest = {}): Promise<DriverResponse> {
    return (await open(t, application({ http }))).request(request)
  }

  // ---- scope ----

  test('a scope has every key as an own enumerable data property', async (t) => {
    const seen = deferred<HttpScope>()
    const response = await respond(t, async (scope, _receive, send) => {
      seen.resolve(scope)
      await send(start)
      await send({ type: 'http.response.body', body: '' })
    }, { path: '/a%20b/%C3%A4?x=%20&y', headers: [['X-Two', 'a'], ['x-two', 'b'], ['X-One', ' padded ']] })
    assert.is(response.status, 200)
    const scope = await seen.promise
    const keys = ['type', 'asgi', 'httpVersion', 'method', 'scheme', 'path', 'rawPath', 'queryString', 'rootPath', 'headers', 'client', 'server', 'state', 'extensions']
    for (const key of keys) {
      const property = Object.getOwnPropertyDescriptor(scope, key)
      assert.ok(property?.enumerable === true && 'value' in property, key)
    }
    assert.is(scope.type, 'http')
    assert.equal({ ...scope.asgi }, { version: '3.0', specVersion: '2.5' })
    assert.is(scope.httpVersion, protocol.httpVersion)
    assert.is(scope.method, 'GET')
    assert.is(scope.scheme, protocol.secure ? 'https' : 'http')
    assert.is(scope.path, '/a b/ä')
    assert.is(scope.rawPath, '/a%20b/%C3%A4')
    assert.is(scope.queryString, 'x=%20&y')
    assert.is(scope.rootPath, '')
    assert.is(scope.client?.[0], '127.0.0.1')
    assert.type(scope.client?.[1], 'number')
    assert.type(scope.server?.[1], 'number')
  })

  test('headers are an iterable of pairs in order, with lower-case names, and find by any case', async (t) => {
    const seen = deferred<HttpScope>()
    await respond(t, async (scope, _receive, send) => {
      seen.resolve(scope)
      await send(start)
      await send({ type: 'http.response.body' })
    }, { headers: [['X-Two', 'a'], ['x-tWO', 'b'], ['x-latin', 'caf\xe9']] })
    const { headers } = await seen.promise
    const pairs = [...headers].filter(([name]) => name.startsWith('x-'))
    assert.equal(pairs, [['x-two', 'a'], ['x-two', 'b'], ['x-latin', 'caf\xe9']])
    assert.is(headers.get('X-TWO'), 'a')
    assert.equal(headers.getAll('x-two'), ['a', 'b'])
    assert.is(headers.has('x-three'), false)
    assert.is(headers.get('x-three'), undefined)
    assert.is(headers.length, [...headers].length)
    assert.is(headers.get('host') === undefined, false)
  })

  test('a copy of a scope is a whole scope: its disconnect signal works', async (t) => {
    const signals = deferred<readonly AbortSignal[]>()
    const left = deferred()
    const driver = await open(t, application({
      http: async (scope, receive, send) => {
        const copy: HttpScope = { ...scope, path: '/other' }
        signals.resolve([disconnectSignal(scope), disconnectSignal(copy)])
        await send(start)
        await send({ type: 'http.response.body', moreBody: true })
        while ((await receive()).type !== 'http.disconnect');
        left.resolve()
      },
    }))
    const response = await driver.request({})
    const [own, copied] = await signals.promise
    response.leave()
    await left.promise
    assert.is(own, copied)
    assert.is(own?.aborted, true)
    assert.instance(own?.reason, ClientDisconnected)
  })

  test('a root path is prepended to path and rawPath', async (t) => {
    const seen = deferred<HttpScope>()
    const driver = await open(t, application({
      http: async (scope, _receive, send) => {
        seen.resolve(scope)
        await send(start)
        await send({ type: 'http.response.body' })
      },
    }), { rootPath: '/api' })
    await driver.request({ path: '/x%2Fy' })
    const scope = await seen.promise
    assert.equal([scope.rootPath, scope.path, scope.rawPath], ['/api', '/api/x/y', '/api/x%2Fy'])
  })

  test('each scope has a shallow copy of the state that the lifespan made', async (t) => {
    const driver = await open(t, application({
      lifespan: async function* () {
        yield { shared: { count: 0 }, own: 0 }
      },
      http: async (scope, _receive, send) => {
        const state = scope.state as { shared: { count: number }; own: number }
        state.shared.count++
        state.own++
        await send(start)
        await send({ type: 'http.response.body', body: `${state.shared.count} ${state.own}` })
      },
    }))
    assert.is(await (await driver.request({})).text(), '1 1')
    assert.is(await (await driver.request({})).text(), '2 1')
  })

  // ---- receive ----

  test('a request without a body is one empty http.request', async (t) => {
    const seen = deferred<ReceiveEvent>()
    await respond(t, async (_scope, receive, send) => {
      seen.resolve(await receive())
      await send(start)
      await send({ type: 'http.response.body' })
    })
    const event = await seen.promise
    assert.ok(event.type === 'http.request')
    assert.is(event.body.length, 0)
    assert.is(event.moreBody, false)
    assert.is(event.trailers, null)
  })

  test('a body comes whole and in order, however it was cut', async (t) => {
    const text = 'abcdefghij'.repeat(20_000)
    const echo: HttpApplication = async (_scope, receive, send) => {
      const chunks = await collect(bodyChunks(receive))
      await send(start)
      await send({ type: 'http.response.body', body: Buffer.concat(chunks) })
    }
    assert.is(await (await respond(t, echo, { method: 'POST', body: text })).text(), text)
    const pieces = (async function* () {
      for (let at = 0; at < text.length; at += 777) yield Buffer.from(text.slice(at, at + 777))
    })()
    assert.is(await (await respond(t, echo, { method: 'POST', body: pieces, size: text.length })).text(), text)
  })

  test('bodies stream both ways at once', async (t) => {
    const first = deferred()
    const body = (async function* () {
      yield Buffer.from('one')
      await first.promise
      yield Buffer.from('two')
    })()
    const response = await respond(t, async (_scope, receive, send) => {
      await send(start)
      for await (const chunk of bodyChunks(receive)) await send({ type: 'http.response.body', body: chunk, moreBody: true })
      await send({ type: 'http.response.body' })
    }, { method: 'POST', body, size: 6 })
    const parts = response.parts[Symbol.asyncIterator]()
    assert.is(Buffer.from((await parts.next()).value).toString(), 'one')
    first.resolve()
    let rest = ''
    for (let part = await parts.next(); part.done !== true; part = await parts.next()) rest += Buffer.from(part.value).toString()
    assert.is(rest, 'two')
  })

  test('after the body receive waits, and gives http.disconnect once the response is complete', async (t) => {
    const events: string[] = []
    const done = deferred()
    await respond(t, async (_scope, receive, send) => {
      await receive()
      const waiting = [receive(), receive()]
      await send(start)
      await send({ type: 'http.response.body', body: 'x' })
      for (const event of await Promise.all(waiting)) events.push(event.type)
      events.push((await receive()).type)
      done.resolve()
    })
    await done.promise
    assert.equal(events, ['http.disconnect', 'http.disconnect', 'http.disconnect'])
  })

  test('receives that wait together are answered in order', async (t) => {
    const asked = deferred()
    const first = deferred()
    const body = (async function* () {
      await asked.promise
      yield Buffer.from('a')
      await first.promise
      yield Buffer.from('b')
    })()
    const response = await respond(t, async (_scope, receive, send) => {
      const events = [receive(), receive()]
      asked.resolve()
      await events[0]
      first.resolve()
      const texts = (await Promise.all(events)).map((event) => event.type === 'http.request' ? Buffer.from(event.body).toString() : event.type)
      await send(start)
      await send({ type: 'http.response.body', body: texts.join(' ') })
    }, { method: 'POST', body, size: 2 })
    assert.is(await response.text(), 'a b')
  })

  test('request trailers come with the last http.request, and never among the headers', async (t) => {
    const seen = deferred<readonly unknown[]>()
    const body = (async function* () {
      yield Buffer.from('abc')
    })()
    await respond(t, async (scope, receive, send) => {
      const trailers: unknown[] = []
      for (;;) {
        const event = await receive()
        if (event.type !== 'http.request') break
        trailers.push(event.trailers === null ? null : [...event.trailers])
        if (!event.moreBody) break
      }
      seen.resolve([scope.headers.get('x-sum'), trailers.at(-1), trailers.slice(0, -1).every((each) => each === null)])
      await send(start)
      await send({ type: 'http.response.body' })
    }, { method: 'POST', body, trailers: [['X-Sum', '6']] })
    assert.equal(await seen.promise, [undefined, [['x-sum', '6']], true])
  })

  test('a client that sends faster than the application receives is held back', async (t) => {
    const megabyte = Buffer.alloc(1024 * 1024)
    let sent = 0
    const stalled = deferred()
    const go = deferred()
    const body = (async function* () {
      for (let i = 0; i < 64; i++) {
        sent++
        yield megabyte
      }
    })()
    const response = respond(t, async (_scope, receive, send) => {
      await receive()
      stalled.resolve()
      await go.promise
      let size = 0
      for await (const chunk of bodyChunks(receive)) size += chunk.length
      await send(start)
      await send({ type: 'http.response.body', body: String(size) })
    }, { method: 'POST', body, size: 64 * megabyte.length })
    await stalled.promise
    let before = -1
    while (before !== sent) {
      before = sent
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    assert.ok(sent < 32, `${sent} MiB were taken while nobody received`)
    go.resolve()
    await (await response).text()
    assert.is(sent, 64)
  })

  test('a client that leaves within its body: bodyChunks throws ClientDisconnected', async (t) => {
    const received = deferred()
    const caught = deferred<unknown>()
    const driver = await open(t, application({
      http: async (_scope, receive) => {
        try {
          for await (const _ of bodyChunks(receive)) received.resolve()
        } catch (error) {
          caught.resolve(error)
          throw error
        }
      },
    }))
    const body = (async function* () {
      yield Buffer.from('abc')
      await new Promise(() => {})
    })()
    await driver.requestAndLeave({ method: 'POST', body, size: 1000 }, received.promise)
    assert.instance(await caught.promise, ClientDisconnected)
  })

  // ---- send ----

  test('a body may be a string, meaning UTF-8, or bytes; one body event fills in content-length', async (t) => {
    for (const [body, length] of [['häß€', '8'], [new Uint8Array([104, 105]), '2'], ['', '0'], [undefined, '0'], [null, '0']] as const) {
      const response = await respond(t, async (_scope, _receive, send) => {
        await send(start)
        await send({ type: 'http.response.body', body })
      })
      assert.is(response.headers.get('content-length'), length)
      assert.is(await response.text(), typeof body === 'string' ? body : body == null ? '' : 'hi')
    }
  })

  test('a streamed body has no content-length of the server\'s making', async (t) => {
    const response = await respond(t, async (_scope, _receive, send) => {
      await send(start)
      for (const part of ['a', '', 'é', 'c'.repeat(100_000)]) await send({ type: 'http.response.body', body: part, moreBody: true })
      await send({ type: 'http.response.body', body: 'end' })
    })
    assert.is(response.headers.get('content-length'), null)
    assert.is(await response.text(), `aé${'c'.repeat(100_000)}end`)
  })

  test('response headers: any iterable, names lower-cased, repeated ones kept, white space trimmed', async (t) => {
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
      const response = await respond(t, async (_scope, _receive, send) => {
        await send({ ...start, headers: headers as Iterable<readonly [string, string]> })
        await send({ type: 'http.response.body' })
      })
      assert.is(response.headers.get('x-pad'), 'x')
      if (headers === shapes[0]) assert.equal(response.headers.getSetCookie(), ['a=1', 'b=2'])
    }
  })

  test('transfer-encoding and hop-by-hop connection options are the server\'s: ignored', async (t) => {
    const response = await respond(t, async (_scope, _receive, send) => {
      await send({ ...start, headers: [['transfer-encoding', 'gzip'], ['connection', 'keep-alive, x-y']] })
      await send({ type: 'http.response.body', body: 'abc' })
    })
    assert.is(response.headers.get('transfer-encoding'), null)
    assert.is(await response.text(), 'abc')
  })

  test('HEAD, 204, 304 and 205 have no body, whatever the application sends', async (t) => {
    const rows: readonly (readonly [string, number, readonly (readonly [string, string])[], string, string | null])[] = [
      ['HEAD', 200, [], 'hello', '5'],
      ['HEAD', 200, [], '', null],
      ['HEAD', 200, [['content-length', '77']], '', '77'],
      ['HEAD', 200, [['content-length', '77']], 'hello', '77'],
      ['GET', 204, [], 'hello', null],
      ['GET', 204, [['content-length', '5']], 'hello', null],
      ['GET', 304, [], 'hello', null],
      ['GET', 304, [['content-length', '5']], '', '5'],
      ['GET', 205, [['content-length', '5']], 'hello', '0'],
      ['GET', 205, [], '', '0'],
    ]
    for (const [method, status, headers, body, length] of rows) {
      const driver = await open(t, application({
        http: async (_scope, _receive, send) => {
          await send({ type: 'http.response.start', status, headers })
          await send({ type: 'http.response.body', body })
        },
      }))
      for (let i = 0; i < 2; i++) {
        const response = await driver.request({ method })
        assert.is(response.status, status)
        assert.is(await response.text(), '')
        assert.is(response.headers.get('content-length'), length, `${method} ${status} ${body}`)
      }
    }
  })

  test('a body event without bytes and with moreBody sends the head at once', async (t) => {
    const go = deferred()
    const response = await respond(t, async (_scope, _receive, send) => {
      await send({ ...start, headers: [['content-type', 'text/event-stream']] })
      await send({ type: 'http.response.body', moreBody: true })
      await go.promise
      await send({ type: 'http.response.body', body: 'data: x\n\n' })
    })
    assert.is(response.status, 200)
    go.resolve()
    assert.is(await response.text(), 'data: x\n\n')
  })

  test('more body than content-length: that send writes nothing and rejects, and the application may go on', async (t) => {
    const errors: unknown[] = []
    const response = await respond(t, async (_scope, _receive, send) => {
      await send({ ...start, headers: [['content-length', '5']] })
      await send({ type: 'http.response.body', body: 'toolong' }).catch((error: unknown) => errors.push(error))
      await send({ type: 'http.response.body', body: 'abc', moreBody: true })
      await send({ type: 'http.response.body', body: 'def', moreBody: true }).catch((error: unknown) => errors.push(error))
      await send({ type: 'http.response.body', body: 'de' })
    })
    assert.is(response.headers.get('content-length'), '5')
    assert.is(await response.text(), 'abcde')
    assert.is(errors.length, 2)
    for (const error of errors) assert.instance(error, ContentLengthMismatch)
  })

  test('less body than content-length, the head being on the wire: the response is broken off', async (t) => {
    const response = await respond(t, async (_scope, _receive, send) => {
      await send({ ...start, headers: [['content-length', '10']] })
      await send({ type: 'http.response.body', body: 'abc', moreBody: true })
      await send({ type: 'http.response.body', body: 'def' })
    })
    await rejects(response.text())
  })

  test('less body than content-length, the head being held: a 500', async (t) => {
    const response = await respond(t, async (_scope, _receive, send) => {
      await send({ ...start, headers: [['content-length', '10']] })
      await send({ type: 'http.response.body', body: 'abc' })
    })
    assert.is(response.status, 500)
  })

  test('an event out of order is refused, and the application may go on', async (t) => {
    const errors: TsgiError[] = []
    const response = await respond(t, async (_scope, _receive, send) => {
      const refused = (event: SendEvent): Promise<void> => (send as (event: SendEvent) => Promise<void>)(event).then(() => assert.unreachable(), (error: TsgiError) => void errors.push(error))
      await refused({ type: 'http.response.body', body: 'x' })
      await refused({ type: 'http.response.trailers' })
      await send(start)
      await refused(start)
      await refused({ type: 'http.response.trailers' })
      await send({ type: 'http.response.body', body: 'a', moreBody: true })
      await refused(start)
      await send({ type: 'http.response.body', body: 'b' })
    })
    assert.is(await response.text(), 'ab')
    assert.is(errors.length, 5)
    for (const error of errors) assert.instance(error, UnexpectedEvent)
    assert.match(errors[0]?.message ?? '', /expected http\.response\.start/)
  })

  test('an invalid event is refused with the key that is wrong, nothing is written, and the application may go on', async (t) => {
    const rows: readonly (readonly [unknown, string])[] = [
      [{ type: 'nonsense' }, 'type'],
      [{ type: 'websocket.send', text: 'x' }, 'type'],
      [{ type: 'constructor' }, 'type'],
      [{}, 'type'],
      [null, 'type'],
      [undefined, 'type'],
      [{ type: 'http.response.start' }, 'status'],
      [{ type: 'http.response.start', status: '200' }, 'status'],
      [{ type: 'http.response.start', status: 99 }, 'status'],
      [{ type: 'http.response.start', status: 101 }, 'status'],
      [{ type: 'http.response.start', status: 200.5 }, 'status'],
      [{ type: 'http.response.start', status: 600 }, 'status'],
      [{ type: 'http.response.start', status: 200, headers: 5 }, 'headers'],
      [{ type: 'http.response.start', status: 200, headers: 'x' }, 'headers'],
      [{ type: 'http.response.start', status: 200, headers: { a: 'b' } }, 'headers'],
      [{ type: 'http.response.start', status: 200, headers: ['ab'] }, 'headers[0]'],
      [{ type: 'http.response.start', status: 200, headers: [['a', 'b'], ['', 'b']] }, 'headers[1] name'],
      [{ type: 'http.response.start', status: 200, headers: [['a b', 'b']] }, 'headers[0] name'],
      [{ type: 'http.response.start', status: 200, headers: [[':status', 'b']] }, 'headers[0] name'],
      [{ type: 'http.response.start', status: 200, headers: [[5, 'b']] }, 'headers[0] name'],
      [{ type: 'http.response.start', status: 200, headers: [['a']] }, 'headers[0] value'],
      [{ type: 'http.response.start', status: 200, headers: [['a', 5]] }, 'headers[0] value'],
      [{ type: 'http.response.start', status: 200, headers: [['a', 'b\r\nset-cookie: x']] }, 'headers[0] value'],
      [{ type: 'http.response.start', status: 200, headers: [['a', 'b\0']] }, 'headers[0] value'],
      [{ type: 'http.response.start', status: 200, headers: [['a', '€']] }, 'headers[0] value'],
      [{ type: 'http.response.start', status: 200, headers: [['content-length', '-1']] }, 'headers[0] value'],
      [{ type: 'http.response.start', status: 200, headers: [['content-length', '5, 5']] }, 'headers[0] value'],
      [{ type: 'http.response.start', status: 200, headers: [['content-type', 'a'], ['Content-Type', 'b']] }, 'headers[1]'],
      [{ type: 'http.response.start', status: 200, headers: [['content-length', '1'], ['content-length', '1']] }, 'headers[1]'],
      [{ type: 'http.response.start', status: 200, headers: [['location', '/a'], ['location', '/b']] }, 'headers[1]'],
      [{ type: 'http.response.start', status: 200, trailers: 'yes' }, 'trailers'],
      [{ type: 'http.response.early_hint' }, 'links'],
      [{ type: 'http.response.early_hint', links: 'x' }, 'links'],
      [{ type: 'http.response.early_hint', links: ['a\n'] }, 'links[0] value'],
    ]
    const late: readonly (readonly [unknown, string])[] = [
      [{ type: 'http.response.body', body: 5 }, 'body'],
      [{ type: 'http.response.body', body: [1, 2] }, 'body'],
      [{ type: 'http.response.body', body: new ArrayBuffer(3) }, 'body'],
      [{ type: 'http.response.body', body: 'x', moreBody: 1 }, 'moreBody'],
    ]
    const wrong: string[] = []
    const response = await respond(t, async (_scope, _receive, send) => {
      const check = async ([event, key]: readonly [unknown, string]): Promise<void> => {
        const error = await (send as (event: unknown) => Promise<void>)(event).then(() => null, (each: unknown) => each)
        if (!(error instanceof InvalidEvent) || error.key !== key || !error.message.includes(error.expected)) wrong.push(`${JSON.stringify(event)}: ${String(error)}`)
      }
      for (const row of rows) await check(row)
      await send(start)
      for (const row of late) await check(row)
      await send({ type: 'http.response.body', body: 'fine' })
    })
    assert.is(response.status, 200)
    assert.is(await response.text(), 'fine')
    assert.equal(wrong, [])
  })

  test('keys that nobody knows are no error, and undefined and null count as absent', async (t) => {
    const response = await respond(t, async (_scope, _receive, send) => {
      await send({ ...start, headers: null, trailers: undefined, extra: 1 } as SendEvent & { type: 'http.response.start' })
      await send({ type: 'http.response.body', body: null, moreBody: null, more: 2 } as SendEvent & { type: 'http.response.body' })
    })
    assert.is(response.status, 200)
    assert.is(await response.text(), '')
  })

  test('events after a complete response are ignored', async (t) => {
    const done = deferred<string>()
    const response = await respond(t, async (_scope, _receive, send) => {
      await send(start)
      await send({ type: 'http.response.body', body: 'x' })
      try {
        await send(start)
        await send({ type: 'http.response.body', body: 'more' })
        await (send as (event: unknown) => Promise<void>)({ type: 'nonsense' })
        done.resolve('ignored')
      } catch (error) {
        done.resolve(String(error))
      }
    })
    assert.is(await response.text(), 'x')
    assert.is(await done.promise, 'ignored')
  })

  test('early hints go out before the start, and after it while the head is held; a late one is ignored', async (t) => {
    const response = await respond(t, async (scope, _receive, send) => {
      assert.ok('http.response.early_hint' in scope.extensions)
      await send({ type: 'http.response.early_hint', links: ['</a.css>; rel=preload', '</b.js>; rel=preload'] })
      await send(start)
      await send({ type: 'http.response.early_hint', links: new Set(['</c>']) })
      await send({ type: 'http.response.body', body: 'x', moreBody: true })
      await send({ type: 'http.response.early_hint', links: ['</late>'] })
      await send({ type: 'http.response.body' })
    })
    assert.equal(response.earlyHints, ['</a.css>; rel=preload', '</b.js>; rel=preload', '</c>'])
    assert.is(response.headers.get('link'), null)
    assert.is(await response.text(), 'x')
  })

  test('trailers that were announced go out after the body', async (t) => {
    const response = await respond(t, async (scope, _receive, send) => {
      assert.ok('http.response.trailers' in scope.extensions)
      await send({ ...start, headers: [['content-length', '3'], ['trailer', 'x-sum, x-more']], trailers: true })
      await send({ type: 'http.response.body', body: 'abc' })
      await send({ type: 'http.response.trailers', headers: [['X-Sum', '6']], moreTrailers: true })
      await send({ type: 'http.response.trailers', headers: [['x-more', 'y']] })
    })
    assert.is(await response.text(), 'abc')
    const trailers = await response.trailers()
    assert.equal([...trailers], [['x-more', 'y'], ['x-sum', '6']])
  })

  test('trailers are swallowed when the client did not ask for them', async (t) => {
    const response = await respond(t, async (_scope, _receive, send) => {
      await send({ ...start, trailers: true })
      await send({ type: 'http.response.body', body: 'abc' })
      await send({ type: 'http.response.trailers', headers: [['x-sum', '6']] })
    }, { method: 'HEAD' })
    assert.is(await response.text(), '')
  })

  test('framing, routing and authentication fields in trailers are refused (RFC 9110 6.5.1)', async (t) => {
    const errors: unknown[] = []
    const response = await respond(t, async (_scope, _receive, send) => {
      await send({ ...start, trailers: true })
      await send({ type: 'http.response.body', body: 'abc' })
      for (const name of ['content-length', 'Transfer-Encoding', 'host', 'authorization', 'set-cookie', 'content-type']) {
        await send({ type: 'http.response.trailers', headers: [[name, 'x']] }).catch((error: unknown) => errors.push(error))
      }
      await send({ type: 'http.response.trailers', headers: [['x-ok', 'y']] })
    })
    assert.is(await response.text(), 'abc')
    assert.is((await response.trailers()).get('x-ok'), 'y')
    assert.is(errors.length, 6)
    for (const error of errors) assert.instance(error, InvalidEvent)
  })

  // ---- failures ----

  test('an application that fails before a head is on the wire gives a 500 in text', async (t) => {
    const failures: readonly HttpApplication[] = [
      async () => {
        throw new Error('boom')
      },
      (() => {
        throw new Error('thrown without a promise')
      }) as HttpApplication,
      async () => {
        throw undefined
      },
      async () => {},
      async (_scope, _receive, send) => {
        await send({ ...start, headers: [['x-lost', '1']] })
        throw new Error('boom')
      },
      async (_scope, _receive, send) => {
        await send(start)
      },
    ]
    for (const http of failures) {
      const response = await respond(t, http)
      assert.is(response.status, 500)
      assert.is(response.headers.get('content-type'), 'text/plain; charset=utf-8')
      assert.is(response.headers.get('x-lost'), null)
      assert.is(await response.text(), 'Internal Server Error')
    }
    const head = await respond(t, failures[0] as HttpApplication, { method: 'HEAD' })
    assert.is(head.status, 500)
    assert.is(await head.text(), '')
  })

  test('an application that fails after the head breaks the response off', async (t) => {
    const failures: readonly HttpApplication[] = [
      async (_scope, _receive, send) => {
        await send(start)
        await send({ type: 'http.response.body', body: 'part', moreBody: true })
        throw new Error('boom')
      },
      async (_scope, _receive, send) => {
        await send(start)
        await send({ type: 'http.response.body', body: 'part', moreBody: true })
      },
      async (_scope, _receive, send) => {
        await send({ ...start, trailers: true })
        await send({ type: 'http.response.body', body: 'part' })
      },
    ]
    for (const http of failures) {
      const response = await respond(t, http)
      assert.is(response.status, 200)
      await rejects(response.text())
    }
  })

  test('an application that fails after its response changes nothing for the client', async (t) => {
    const response = await respond(t, async (_scope, _receive, send) => {
      await send(start)
      await send({ type: 'http.response.body', body: 'whole' })
      throw new Error('boom')
    })
    assert.is(await response.text(), 'whole')
  })

  // ---- the client leaves ----

  test('a client that leaves: receive gives http.disconnect, send rejects with ClientDisconnected', async (t) => {
    const outcome = deferred<readonly unknown[]>()
    const driver = await open(t, application({
      http: async (_scope, receive, send) => {
        await send(start)
        await send({ type: 'http.response.body', body: 'x', moreBody: true })
        await receive()
        const event = await receive()
        const error = await send({ type: 'http.response.body', body: 'y', moreBody: true }).catch((each: unknown) => each)
        const again = await receive()
        outcome.resolve([event.type, error, again.type])
        throw error
      },
    }))
    const response = await driver.request({})
    response.leave()
    const [first, error, again] = await outcome.promise
    assert.equal([first, again], ['http.disconnect', 'http.disconnect'])
    assert.instance(error, ClientDisconnected)
  })

  test('the disconnect signal stays silent on a normal end', async (t) => {
    const seen = deferred<AbortSignal>()
    const response = await respond(t, async (scope, receive, send) => {
      const signal = disconnectSignal(scope)
      await receive()
      await send(start)
      await send({ type: 'http.response.body', body: 'x' })
      await receive()
      seen.resolve(signal)
    })
    await response.text()
    response.leave()
    assert.is((await seen.promise).aborted, false)
  })

  test('send waits while the client has no room, and goes on when it reads', async (t) => {
    const part = Buffer.alloc(256 * 1024, 'x')
    let sent = 0
    const response = await respond(t, async (_scope, _receive, send) => {
      await send(start)
      for (; sent < 200; sent++) await send({ type: 'http.response.body', body: part, moreBody: true })
      await send({ type: 'http.response.body' })
    })
    let before = -1
    while (before !== sent) {
      before = sent
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    assert.ok(sent < 100, `${sent} parts were taken while nobody read`)
    let size = 0
    for await (const each of response.parts) size += each.length
    assert.is(size, 200 * part.length)
  })

  test('a send that waits rejects with ClientDisconnected when the client leaves', async (t) => {
    const waiting = deferred()
    const caught = deferred<unknown>()
    const driver = await open(t, application({
      http: async (_scope, _receive, send) => {
        await send(start)
        try {
          for (;;) {
            const sending = send({ type: 'http.response.body', body: Buffer.alloc(65536), moreBody: true })
            const full = await Promise.race([sending.then(() => false), new Promise<boolean>((resolve) => setTimeout(resolve, 200, true))])
            if (full) waiting.resolve()
            await sending
          }
        } catch (error) {
          caught.resolve(error)
          throw error
        }
      },
    }))
    const response = await driver.request({})
    await waiting.promise
    response.leave()
    assert.instance(await caught.promise, ClientDisconnected)
  })

  test('a forgotten await on a refused send ends nothing but its own response', async (t) => {
    const driver = await open(t, application({
      http: async (_scope, _receive, send) => {
        void send({ type: 'http.response.body', body: 'too early' })
        void send(start)
        void send({ type: 'http.response.body', body: 'fine' })
      },
    }))
    for (let i = 0; i < 2; i++) assert.is(await (await driver.request({})).text(), 'fine')
  })

  test.run()
}

async function rejects(promise: Promise<unknown>): Promise<void> {
  const outcome = await promise.then(() => 'resolved', () => 'rejected')
  assert.is(outcome, 'rejected')
}
