/** What HTTP applications and their clients see of each other: nothing that one protocol does in its own way may show. */
import * as assert from 'uvu/assert'
import {
  application, bodyChunks, ClientDisconnected, disconnectSignal,
  type Application, type HttpApplication, type HttpReceiveEvent, type HttpScope,
} from '../../lib/index.ts'
import { deferred } from '../support/deferred.ts'
import type { TestContext } from '../support/suite.ts'
import { protocols, protocolSuite, type Driver, type DriverOptions, type DriverRequest, type DriverResponse } from './drivers.ts'

const start = { type: 'http.response.start', status: 200 } as const
const done = { type: 'http.response.body' } as const
const MEBIBYTE = 2 ** 20

/** Bytes that show where they stand. */
const pattern = (size: number): Buffer => Buffer.from(Uint32Array.from({ length: size / 4 }, (_, i) => i).buffer)

for (const protocol of protocols) {
  const test = protocolSuite(`HTTP on the wire, ${protocol.name}`, protocol)
  const http2 = protocol.httpVersion === '2'

  async function open(t: TestContext, app: Application, options?: DriverOptions): Promise<Driver> {
    const driver = await protocol.open(app, options)
    t.after(() => driver.close())
    return driver
  }

  async function respond(t: TestContext, http: HttpApplication, request: DriverRequest = {}): Promise<DriverResponse> {
    return (await open(t, application({ http }))).request(request)
  }

  // ---- requests ----

  test('host is the first of the headers', async (t) => {
    const seen = deferred<HttpScope>()
    await respond(t, async (scope, _receive, send) => {
      seen.resolve(scope)
      await send(start)
      await send(done)
    }, { headers: [['x-first', '1'], ['accept', '*/*']] })
    const { headers } = await seen.promise
    assert.is([...headers][0]?.[0], 'host')
    assert.is(headers.getAll('host').length, 1)
    assert.equal([...headers].filter(([name]) => name.startsWith(':')), [])
  })

  if (http2) {
    test('RFC 9113 8.2.3: cookies that come in crumbs are one field, where the first one stood', async (t) => {
      const seen = deferred<HttpScope>()
      await respond(t, async (scope, _receive, send) => {
        seen.resolve(scope)
        await send(start)
        await send(done)
      }, { headers: [['x-before', '1'], ['cookie', 'a=1'], ['cookie', 'b=2'], ['cookie', 'c=3'], ['x-after', '1']] })
      const { headers } = await seen.promise
      assert.equal(headers.getAll('cookie'), ['a=1; b=2; c=3'])
      assert.equal([...headers].map(([name]) => name).filter((name) => name === 'cookie' || name.startsWith('x-')), ['x-before', 'cookie', 'x-after'])
    })
  }

  test('every byte that a value may have comes and goes unchanged', async (t) => {
    const bytes = String.fromCharCode(...Array.from({ length: 128 }, (_, i) => 128 + i))
    const value = `a\t b${bytes}z`
    const response = await respond(t, async (scope, _receive, send) => {
      await send({ ...start, headers: [['x-same', String(scope.headers.get('x-bytes') === value)], ['x-bytes', value]] })
      await send(done)
    }, { headers: [['x-bytes', value]] })
    assert.is(response.headers.get('x-same'), 'true')
    assert.is(response.headers.get('x-bytes'), value)
  })

  if (protocol.hasServer) {
    test('a target comes as it was sent: nothing is resolved, decoded or joined', async (t) => {
      const driver = await open(t, application({
        http: async (scope, _receive, send) => {
          await send(start)
          await send({ type: 'http.response.body', body: JSON.stringify([scope.rawPath, scope.path, scope.queryString]) })
        },
      }))
      const rows: readonly (readonly [string, string, string, string])[] = [
        ['/', '/', '/', ''],
        ['/?', '/', '/', ''],
        ['//a/./b/../c', '//a/./b/../c', '//a/./b/../c', ''],
        ['/a?b?c=%20&d', '/a', '/a', 'b?c=%20&d'],
        ['/%41%2f%ff', '/%41%2f%ff', '/A/\ufffd', ''],
        ['/%zz', '/%zz', '/%zz', ''],
      ]
      for (const [target, ...expected] of rows) assert.equal(JSON.parse(await (await driver.request({ path: target })).text()), expected, target)
    })

    test('a method is any token without lower-case letters, with a body or without', async (t) => {
      const seen: string[] = []
      const driver = await open(t, application({
        http: async (scope, receive, send) => {
          seen.push(scope.method)
          let size = 0
          for await (const chunk of bodyChunks(receive)) size += chunk.length
          await send(start)
          await send({ type: 'http.response.body', body: `${scope.method} ${size}` })
        },
      }))
      const rows: readonly (readonly [string, string | undefined])[] = [['PUT', 'abc'], ['DELETE', undefined], ['DELETE', 'abc'], ['PATCH', 'a'], ['GET', 'abc'], ['POST', ''], ['X-0!#', 'abc'], ['OPTIONS', undefined]]
      for (const [method, body] of rows) {
        const response = await driver.request({ method, ...(body === undefined ? {} : { body }) })
        assert.is(await response.text(), `${method} ${body?.length ?? 0}`)
      }
      for (const method of ['get', 'Post', 'CoNNECT']) assert.is((await driver.request({ method })).status, 501, method)
      assert.is(seen.length, rows.length)
    })

    test('100 Continue goes out when the application first receives, once, and not before', async (t) => {
      const interim: number[] = []
      const hinted = deferred()
      const continued = deferred()
      const body = (async function* () {
        await continued.promise
        yield Buffer.from('ab')
        yield Buffer.from('cd')
      })()
      const response = await respond(t, async (_scope, receive, send) => {
        await send({ type: 'http.response.early_hint', links: ['</a>'] })
        // The client has seen the hint: had a 100 been sent before, it had seen that.
        await hinted.promise
        assert.equal(interim, [103])
        const chunks = []
        for await (const chunk of bodyChunks(receive)) chunks.push(chunk)
        await send(start)
        await send({ type: 'http.response.body', body: Buffer.concat(chunks) })
      }, {
        method: 'POST',
        headers: [['expect', '100-continue']],
        body,
        size: 4,
        onInterim(status) {
          interim.push(status)
          if (status === 103) hinted.resolve()
          if (status === 100) continued.resolve()
        },
      })
      assert.is(response.status, 200)
      assert.is(await response.text(), 'abcd')
      assert.equal(interim, [103, 100])
    })

    test('an application that answers without receiving sends no 100 Continue', async (t) => {
      const interim: number[] = []
      const body = (async function* () {
        await new Promise(() => {})
        yield Buffer.from('never')
      })()
      const response = await respond(t, async (_scope, _receive, send) => {
        await send({ ...start, status: 403 })
        await send({ type: 'http.response.body', body: 'no' })
      }, { method: 'POST', headers: [['expect', '100-continue']], body, size: 5, onInterim: (status) => interim.push(status) })
      assert.is(response.status, 403)
      assert.is(await response.text(), 'no')
      assert.equal(interim, [])
    })
  }

  // ---- the head of a response ----

  test('a status is sent as it is, whether or not anybody knows it', async (t) => {
    const driver = await open(t, application({
      http: async (scope, _receive, send) => {
        await send({ type: 'http.response.start', status: Number(scope.path.slice(1)) })
        await send({ type: 'http.response.body', body: 'x' })
      },
    }))
    for (const status of [200, 201, 206, 299, 300, 399, 404, 418, 451, 499, 500, 511, 599]) {
      const response = await driver.request({ path: `/${status}` })
      assert.is(response.status, status)
      assert.is(await response.text(), 'x')
    }
  })

  test('RFC 9110 5.3: fields that are lists may be repeated, whatever they are; their order is kept', async (t) => {
    const names = ['vary', 'link', 'cache-control', 'www-authenticate', 'content-language', 'content-encoding', 'allow', 'from', 'dnt', 'tk', 'if-match', 'range', 'user-agent', 'x-any']
    const response = await respond(t, async (_scope, _receive, send) => {
      await send({ ...start, headers: [...names.map((name) => [name, 'one'] as const), ['set-cookie', 'a=1'], ['set-cookie', 'b=2, c'], ...names.map((name) => [name, 'two'] as const)] })
      await send({ type: 'http.response.body', body: 'x' })
    })
    assert.is(response.status, 200)
    for (const name of names) assert.is(response.headers.get(name), 'one, two', name)
    assert.equal(response.headers.getSetCookie(), ['a=1', 'b=2, c'])
    assert.is(await response.text(), 'x')
  })

  test('connection: close is answered and ends nothing but, on HTTP/1.1, its connection', async (t) => {
    const driver = await open(t, application({
      http: async (_scope, _receive, send) => {
        await send({ ...start, headers: [['Connection', 'close'], ['x-kept', '1']] })
        await send({ type: 'http.response.body', body: 'part', moreBody: true })
        await send({ type: 'http.response.body', body: 's' })
      },
    }))
    const responses = await Promise.all(Array.from({ length: 5 }, () => driver.request({})))
    for (const response of responses) {
      assert.is(await response.text(), 'parts')
      assert.is(response.headers.get('x-kept'), '1')
      if (http2) assert.is(response.headers.get('connection'), null)
    }
    assert.is(await (await driver.request({})).text(), 'parts')
  })

  if (http2) {
    test('RFC 9113 8.2.2: fields of a connection are dropped, in interim responses and trailers too', async (t) => {
      const response = await respond(t, async (_scope, _receive, send) => {
        await send({ ...start, headers: ['Keep-Alive', 'Proxy-Connection', 'Upgrade', 'Connection', 'Transfer-Encoding', 'TE', 'HTTP2-Settings'].map((name) => [name, 'x'] as const), trailers: true })
        await send({ type: 'http.response.body', body: 'abc' })
        await send({ type: 'http.response.trailers', headers: [['http2-settings', 'x'], ['x-sum', '6']] })
      })
      assert.equal([...response.headers.keys()].filter((name) => name !== 'date'), [])
      assert.is(await response.text(), 'abc')
      assert.equal([...await response.trailers()], [['x-sum', '6']])
    })
  }

  if (protocol.hasServer) {
    test('RFC 9110 6.6.1: one date, the application\'s if it gives one', async (t) => {
      const ours = await respond(t, async (_scope, _receive, send) => {
        await send(start)
        await send(done)
      })
      assert.ok(Math.abs(Date.parse(ours.headers.get('date') ?? '') - Date.now()) < 5000)
      const date = 'Thu, 01 Jan 1970 00:00:00 GMT'
      const theirs = await respond(t, async (_scope, _receive, send) => {
        await send({ ...start, headers: [['Date', date]] })
        await send(done)
      })
      assert.is(theirs.headers.get('date'), date)
    })
  }

  // ---- bodies ----

  test('4 MiB go through both ways at once, unchanged', async (t) => {
    const part = pattern(MEBIBYTE)
    const body = (async function* () {
      for (let i = 0; i < 4; i++) yield part
    })()
    const response = await respond(t, async (_scope, receive, send) => {
      await send(start)
      for await (const chunk of bodyChunks(receive)) await send({ type: 'http.response.body', body: chunk, moreBody: true })
      await send(done)
    }, { method: 'POST', body, size: 4 * MEBIBYTE })
    const parts: Uint8Array[] = []
    for await (const each of response.parts) parts.push(each)
    assert.ok(Buffer.concat(parts).equals(Buffer.concat([part, part, part, part])))
  })

  test('a body of any size comes whole in one event, as bytes and as a string', async (t) => {
    const driver = await open(t, application({
      http: async (scope, _receive, send) => {
        const size = Number(scope.path.slice(2))
        await send(start)
        await send({ type: 'http.response.body', body: scope.path[1] === 's' ? 'é'.repeat(size / 2) : pattern(size) })
      },
    }))
    for (const size of [4, 16380, 16384, 16388, 65532, 65536, 65540, 131072, MEBIBYTE, 3 * MEBIBYTE + 4]) {
      const bytes = await driver.request({ path: `/b${size}` })
      assert.is(bytes.headers.get('content-length'), String(size))
      const parts: Uint8Array[] = []
      for await (const part of bytes.parts) parts.push(part)
      assert.ok(Buffer.concat(parts).equals(pattern(size)), `${size} bytes`)
      assert.is(await (await driver.request({ path: `/s${size}` })).text(), 'é'.repeat(size / 2), `a string of ${size} bytes`)
    }
  })

  test('the bytes of a part may be changed once its send has resolved', async (t) => {
    const sizes = [4, 1000, 16380, 16384, 20000, 65532, 65536, 100_000, 300_000]
    const response = await respond(t, async (_scope, _receive, send) => {
      const buffer = Buffer.alloc(300_000)
      await send(start)
      for (const [i, size] of sizes.entries()) {
        await send({ type: 'http.response.body', body: buffer.subarray(0, size).fill(i + 1), moreBody: true })
        buffer.fill(0)
      }
      await send({ type: 'http.response.body', body: buffer.fill(99) })
      buffer.fill(0)
    })
    const parts: Uint8Array[] = []
    for await (const part of response.parts) parts.push(part)
    assert.ok(Buffer.concat(parts).equals(Buffer.concat([...sizes.map((size, i) => Buffer.alloc(size, i + 1)), Buffer.alloc(300_000, 99)])))
  })

  test('an application that does not receive holds its own client only', async (t) => {
    const part = Buffer.alloc(8192)
    let sent = 0
    const body = (async function* () {
      for (let i = 0; i < 4096; i++) {
        sent += part.length
        yield part
      }
    })()
    const go = deferred()
    const driver = await open(t, application({
      http: async (scope, receive, send) => {
        if (scope.path === '/held') await go.promise
        let size = 0
        for await (const chunk of bodyChunks(receive)) size += chunk.length
        await send(start)
        await send({ type: 'http.response.body', body: String(size) })
      },
    }))
    const held = driver.request({ method: 'POST', path: '/held', body, size: 4096 * part.length })
    for (let before = -1; before !== sent;) {
      before = sent
      // Others go on, the whole time.
      for (let i = 0; i < 3; i++) assert.is(await (await driver.request({ method: 'POST', body: pattern(MEBIBYTE) })).text(), String(MEBIBYTE))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    // The window, what waits for `receive`, what Node's streams hold on both sides.
    if (http2) assert.ok(sent <= 65535 + 65536 + 2 * 65536 + 2 * part.length, `${sent} bytes were taken`)
    else assert.ok(sent < 4096 * part.length, `${sent} bytes were taken`)
    go.resolve()
    assert.is(await (await held).text(), String(4096 * part.length))
  }, 20)

  test('a client that does not read holds its own response only', async (t) => {
    const part = Buffer.alloc(8192)
    let sent = 0
    const driver = await open(t, application({
      http: async (scope, _receive, send) => {
        await send(start)
        if (scope.path === '/held') for (; sent < 4096; sent++) await send({ type: 'http.response.body', body: part, moreBody: true })
        await send({ type: 'http.response.body', body: part })
      },
    }))
    const held = await driver.request({ path: '/held' })
    for (let before = -1; before !== sent;) {
      before = sent
      for (let i = 0; i < 3; i++) assert.is((await (await driver.request({})).text()).length, part.length)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    if (http2) assert.ok(sent * part.length <= 65535 + 2 * 65536 + 2 * part.length, `${sent * part.length} bytes were taken`)
    else assert.ok(sent < 4096, `${sent} parts were taken`)
    let size = 0
    for await (const each of held.parts) size += each.length
    assert.is(size, 4097 * part.length)
  }, 20)

  test('an early answer to an unfinished upload is delivered whole', async (t) => {
    const answer = pattern(2 * MEBIBYTE)
    const stop = deferred()
    t.after(() => stop.resolve())
    const body = (async function* () {
      for (let i = 0; i < 100; i++) yield Buffer.alloc(16384)
      await stop.promise
    })()
    const after = deferred<HttpReceiveEvent>()
    const response = await respond(t, async (_scope, receive, send) => {
      await receive()
      await send({ ...start, status: 413 })
      await send({ type: 'http.response.body', body: answer })
      after.resolve(await receive())
    }, { method: 'POST', body, size: 2 ** 30 })
    assert.is(response.status, 413)
    const parts: Uint8Array[] = []
    for await (const part of response.parts) parts.push(part)
    assert.ok(Buffer.concat(parts).equals(answer))
    assert.is((await after.promise).type, 'http.disconnect')
  })

  test('a hundred requests at once are kept apart', async (t) => {
    const driver = await open(t, application({
      http: async (scope, receive, send) => {
        await send({ ...start, headers: [['x-path', scope.path]] })
        for await (const chunk of bodyChunks(receive)) await send({ type: 'http.response.body', body: chunk, moreBody: true })
        await send({ type: 'http.response.body', body: scope.path })
      },
    }))
    await Promise.all(Array.from({ length: 100 }, async (_, i) => {
      const body = (async function* () {
        for (let part = 0; part < 5; part++) {
          yield Buffer.from(`${i}.${part} `)
          await new Promise((resolve) => setImmediate(resolve))
        }
      })()
      const response = await driver.request({ method: 'POST', path: `/${i}`, body, size: 5 * `${i}.0 `.length })
      assert.is(response.headers.get('x-path'), `/${i}`)
      assert.is(await response.text(), `${[0, 1, 2, 3, 4].map((part) => `${i}.${part} `).join('')}/${i}`)
    }))
  })

  // ---- trailers ----

  test('trailers go both ways, repeated ones too', async (t) => {
    const body = (async function* () {
      yield Buffer.from('abc')
    })()
    const response = await respond(t, async (_scope, receive, send) => {
      let event = await receive()
      while (event.type === 'http.request' && event.moreBody) event = await receive()
      const sent = event.type === 'http.request' ? event.trailers : null
      await send({ ...start, trailers: true })
      await send({ type: 'http.response.body', body: 'x'.repeat(100_000) })
      await send({ type: 'http.response.trailers', headers: [...sent ?? [], ['x-own', 'caf\xe9']] })
    }, { method: 'POST', body, trailers: [['x-sum', '1'], ['x-sum', '2'], ['x-latin', '\xe9']] })
    assert.is((await response.text()).length, 100_000)
    assert.equal([...await response.trailers()], [['x-latin', '\xe9'], ['x-own', 'caf\xe9'], ['x-sum', '1, 2']])
  })

  test('RFC 9110 5.3: fields that are lists may be repeated in trailers, whatever they are', async (t) => {
    const response = await respond(t, async (_scope, _receive, send) => {
      await send({ ...start, trailers: true })
      await send({ type: 'http.response.body', body: 'abc' })
      await send({ type: 'http.response.trailers', headers: [['content-language', 'de'], ['content-language', 'en'], ['x-a', '1']] })
    })
    assert.is(await response.text(), 'abc')
    assert.equal([...await response.trailers()], [['content-language', 'de, en'], ['x-a', '1']])
  })

  test('trailers that were announced and are none, or have no body before them', async (t) => {
    const driver = await open(t, application({
      http: async (scope, _receive, send) => {
        await send({ ...start, status: scope.path === '/204' ? 204 : 200, trailers: true })
        await send({ type: 'http.response.body', body: scope.path === '/body' ? 'abc' : '' })
        await send({ type: 'http.response.trailers', headers: scope.path === '/body' ? [] : [['x-a', '1']] })
      },
    }))
    const none = await driver.request({ path: '/body' })
    assert.is(await none.text(), 'abc')
    assert.equal([...await none.trailers()], [])
    const alone = await driver.request({ path: '/empty' })
    assert.is(await alone.text(), '')
    assert.equal([...await alone.trailers()], [['x-a', '1']])
    const bodyless = await driver.request({ path: '/204' })
    assert.equal([bodyless.status, await bodyless.text(), [...await bodyless.trailers()]], [204, '', []])
  })

  // ---- ends that are none ----

  test('a failure after the head leaves a response that is not whole, and others alone', async (t) => {
    const go = deferred()
    const driver = await open(t, application({
      http: async (scope, _receive, send) => {
        await send(start)
        await send({ type: 'http.response.body', body: 'part', moreBody: true })
        await go.promise
        if (scope.path === '/fails') throw new Error('boom')
        await send({ type: 'http.response.body', body: 's' })
      },
    }))
    const [failing, fine] = await Promise.all([driver.request({ path: '/fails' }), driver.request({})])
    go.resolve()
    const error = await failing.text().then(() => null, (each: Error) => each)
    assert.instance(error, Error)
    // RFC 9113 7: an INTERNAL_ERROR, which a client may not take for its own cancelling.
    if (http2) assert.match(error?.message ?? '', 'NGHTTP2_INTERNAL_ERROR')
    assert.is(await fine.text(), 'parts')
  })

  test('a failure before the head, with the body of the request unread: a 500, whole', async (t) => {
    const driver = await open(t, application({
      http: async () => {
        throw new Error('boom')
      },
    }))
    const stop = deferred()
    t.after(() => stop.resolve())
    const body = (async function* () {
      for (let i = 0; i < 20; i++) yield Buffer.alloc(65536)
      await stop.promise
    })()
    const response = await driver.request({ method: 'POST', body, size: 2 ** 30 })
    assert.is(response.status, 500)
    assert.is(await response.text(), 'Internal Server Error')
  })

  test('a client that leaves before the head: the signal aborts, receive and send say so', async (t) => {
    const entered = deferred()
    const told = deferred<readonly unknown[]>()
    const driver = await open(t, application({
      http: async (scope, receive, send) => {
        const signal = disconnectSignal(scope)
        const aborted = new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason)))
        await receive()
        entered.resolve()
        const event = await receive()
        told.resolve([event.type, await aborted, await send(start).catch((error: unknown) => error)])
      },
    }))
    await driver.requestAndLeave({}, entered.promise)
    const [type, reason, error] = await told.promise
    assert.is(type, 'http.disconnect')
    assert.instance(reason, ClientDisconnected)
    assert.instance(error, ClientDisconnected)
  })

  test('an upload that is broken off never passes for whole, received or not', async (t) => {
    for (const receiving of [true, false]) {
      const begun = deferred()
      const events = deferred<readonly HttpReceiveEvent[]>()
      const driver = await open(t, application({
        http: async (scope, receive) => {
          const seen: HttpReceiveEvent[] = []
          const gone = new Promise((resolve) => disconnectSignal(scope).addEventListener('abort', resolve))
          if (!receiving) {
            begun.resolve()
            await gone
          }
          do {
            seen.push(await receive())
            begun.resolve()
          } while (seen.at(-1)?.type === 'http.request' && seen.length < 100)
          events.resolve(seen)
          throw new ClientDisconnected()
        },
      }))
      const body = (async function* () {
        yield Buffer.alloc(5000)
        await new Promise(() => {})
      })()
      await driver.requestAndLeave({ method: 'POST', body, size: 2 ** 30 }, begun.promise)
      const seen = await events.promise
      assert.is(seen.at(-1)?.type, 'http.disconnect')
      for (const event of seen.slice(0, -1)) assert.is(event.type === 'http.request' && event.moreBody, true)
    }
  })

  // ---- the server stops ----

  if (protocol.hasServer) {
    test('a server that stops answers what is under way, and ends event streams properly', async (t) => {
      const go = deferred()
      const entered = deferred()
      const driver = await open(t, application({
        http: async (scope, receive, send) => {
          if (scope.path === '/events') {
            await send({ ...start, headers: [['content-type', 'text/event-stream']] })
            await send({ type: 'http.response.body', body: 'data: 1\n\n', moreBody: true })
            while ((await receive()).type !== 'http.disconnect');
            return
          }
          entered.resolve()
          await go.promise
          await send(start)
          await send({ type: 'http.response.body', body: 'late' })
        },
      }))
      const events = await driver.request({ path: '/events' })
      const late = driver.request({})
      await entered.promise
      const stopped = driver.stop?.()
      assert.is(await events.text(), 'data: 1\n\n')
      go.resolve()
      assert.is(await (await late).text(), 'late')
      await stopped
    })
  }

  test.run()
}
