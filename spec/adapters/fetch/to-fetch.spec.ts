import { deepEqual, rejects } from 'node:assert/strict'
import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { fromFetch, toFetch } from '../../../adapters/fetch/index.ts'
import { application, bodyChunks, disconnectSignal, type Application, type HttpApplication, type HttpScope } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { suite } from '../../support/suite.ts'

const test = suite('toFetch')

const url = 'http://a.example:81/x/%2F?q=1'
const quiet = { observer: {} }
const only = (http: HttpApplication): Application => application({ http })

const echo = only(async (scope, receive, send) => {
  await send({ type: 'http.response.start', status: 201, headers: [['x-method', scope.method], ['set-cookie', 'a=1'], ['set-cookie', 'b=2']] })
  for await (const body of bodyChunks(receive)) await send({ type: 'http.response.body', body, moreBody: true })
  await send({ type: 'http.response.body' })
})

async function scopeOf(request: Request): Promise<HttpScope> {
  let found: HttpScope | undefined
  await toFetch(only(async (scope, _receive, send) => {
    found = scope
    await send({ type: 'http.response.start', status: 204 })
    await send({ type: 'http.response.body' })
  }))(request)
  return found as HttpScope
}

test('a request becomes a scope: path, query, host, fields, address', async () => {
  const scope = await scopeOf(new Request(url, { headers: { 'x-a': '1' } }))
  deepEqual([scope.method, scope.scheme, scope.path, scope.rawPath, scope.queryString, scope.rootPath, scope.client, scope.server], ['GET', 'http', '/x//', '/x/%2F', 'q=1', '', null, ['a.example', 81]])
  deepEqual([...scope.headers], [['host', 'a.example:81'], ['x-a', '1']])
  const secure = await scopeOf(new Request('https://[::1]/', { method: 'POST', body: 'abc', headers: { host: 'b.example', 'content-length': '3' } }))
  deepEqual([secure.scheme, secure.server, secure.headers.getAll('host'), secure.headers.get('transfer-encoding')], ['https', ['::1', 443], ['b.example'], undefined])
  assert.is((await scopeOf(new Request(url, { method: 'POST', body: 'abc' }))).headers.get('transfer-encoding'), 'chunked')
})

test('the response has status, fields and body, each Set-Cookie alone', async () => {
  const response = await toFetch(echo)(new Request(url, { method: 'PUT', body: 'grüße' }))
  deepEqual([response.status, response.headers.get('x-method'), response.headers.getSetCookie(), await response.text()], [201, 'PUT', ['a=1', 'b=2'], 'grüße'])
})

test('responses that have no body have null', async () => {
  const answering = (status: number) => toFetch(only(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status })
    await send({ type: 'http.response.body', body: 'text', moreBody: true })
    await send({ type: 'http.response.body' })
  }))
  for (const status of [204, 205, 304]) assert.is((await answering(status)(new Request(url))).body, null)
  assert.is((await answering(200)(new Request(url, { method: 'HEAD' }))).body, null)
})

test('the application may use its bytes again once they are sent', async () => {
  const response = await toFetch(only(async (_scope, _receive, send) => {
    const buffer = Buffer.from('one')
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: buffer, moreBody: true })
    buffer.write('two')
    await send({ type: 'http.response.body', body: buffer })
    buffer.fill('-')
  }))(new Request(url))
  assert.is(await response.text(), 'onetwo')
})

test('the response is there with its head, and its body is made no faster than it is read', async () => {
  let sent = 0
  const response = await toFetch(only(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    for (; sent < 100; sent++) await send({ type: 'http.response.body', body: Buffer.alloc(16384), moreBody: true })
    await send({ type: 'http.response.body' })
  }))(new Request(url))
  await new Promise(setImmediate)
  assert.ok(sent < 10, String(sent))
  assert.is((await response.arrayBuffer()).byteLength, 100 * 16384)
})

test('the request\'s body is read no faster than the application takes it', async () => {
  let pulled = 0
  const gate = deferred()
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (++pulled > 100) controller.close()
      else controller.enqueue(Buffer.alloc(16384))
    },
  })
  const answer = toFetch(only(async (_scope, receive, send) => {
    await gate.promise
    let size = 0
    for await (const chunk of bodyChunks(receive)) size += chunk.length
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: String(size) })
  }))(new Request(url, { method: 'POST', body, duplex: 'half' }))
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  assert.ok(pulled < 10, String(pulled))
  gate.resolve()
  assert.is(await (await answer).text(), String(100 * 16384))
})

test('an aborted signal, and a cancelled body, mean that the client is gone', async () => {
  const waits = (): { readonly app: Application; readonly gone: Promise<void>; readonly called: Promise<void> } => {
    const [gone, called] = [deferred(), deferred()]
    return { gone: gone.promise, called: called.promise, app: only(async (scope, _receive, send) => {
      const aborted = once(disconnectSignal(scope), 'abort')
      if (scope.path === '/head') {
        await send({ type: 'http.response.start', status: 200 })
        await send({ type: 'http.response.body', moreBody: true })
      }
      called.resolve()
      await aborted
      gone.resolve()
    }) }
  }
  const first = waits()
  const controller = new AbortController()
  const answer = toFetch(first.app, quiet)(new Request(url, { signal: controller.signal }))
  await first.called
  controller.abort(new Error('enough'))
  await rejects(answer, /enough/)
  await first.gone
  const second = waits()
  await (await toFetch(second.app, quiet)(new Request('http://a/head'))).body?.cancel()
  await second.gone
  await rejects(toFetch(echo)(new Request(url, { signal: AbortSignal.abort(new Error('before')) })), /before/)
})

test('an application that fails gives a 500 before the head, and breaks the body off after it', async () => {
  const errors: unknown[] = []
  const observer = { finished: ({ error }: { readonly error: unknown }) => errors.push((error as Error).message) }
  const early = await toFetch(only(async () => {
    throw new Error('early')
  }), { observer })(new Request(url))
  deepEqual([early.status, await early.text()], [500, 'Internal Server Error'])
  const late = await toFetch(only(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: 'part', moreBody: true })
    throw new Error('late')
  }), { observer })(new Request(url))
  await rejects(late.text(), { name: 'TypeError', message: 'the response was broken off' })
  deepEqual(errors, ['early', 'late'])
})

test('a request body that fails is a client that leaves in the middle of it', async () => {
  const body = new ReadableStream({
    start: (controller) => {
      controller.enqueue(Buffer.from('part'))
    },
    pull: (controller) => controller.error(new Error('cable')),
  })
  let code: unknown
  await rejects(toFetch(only(async (_scope, receive) => {
    try {
      for await (const chunk of bodyChunks(receive)) assert.is(chunk.length, 4)
    } catch (error) {
      code = (error as { readonly code?: unknown }).code
      throw error
    }
  }), quiet)(new Request(url, { method: 'POST', body, duplex: 'half' })), /cable/)
  await new Promise(setImmediate)
  assert.is(code, 'ERR_TSGI_CLIENT_DISCONNECTED')
})

test('the lifespan starts once, with the first request; close shuts it down', async () => {
  const log: string[] = []
  const app = application<{ readonly name: string }>({
    lifespan: async function* () {
      log.push('start')
      yield { name: 'state' }
      log.push('stop')
    },
    http: async (scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: scope.state.name })
    },
  })
  const handle = toFetch(app)
  assert.is(handle.fetch, handle)
  deepEqual(log, [])
  const texts = await Promise.all([1, 2].map(async () => (await handle(new Request(url))).text()))
  deepEqual([texts, log], [['state', 'state'], ['start']])
  await handle.close()
  deepEqual(log, ['start', 'stop'])
  await toFetch(app).close()
})

test('if the lifespan fails to start, every call is rejected', async () => {
  const handle = toFetch(application({
    lifespan: async function* () {
      throw new Error('no database')
      yield {}
    },
    http: async () => {},
  }))
  for (let call = 0; call < 2; call++) await rejects(handle(new Request(url)), { code: 'ERR_TSGI_LIFESPAN_FAILED' })
})

test('there and back again: toFetch(fromFetch(handler)) answers as the handler does', async () => {
  const handler = async (request: Request): Promise<Response> => {
    const headers = new Headers([['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x-url', request.url]])
    return new Response(request.body ?? 'none', { status: 202, headers })
  }
  const both = [handler, toFetch(fromFetch(handler))]
  for (const init of [{}, { method: 'POST', body: 'grüße' }]) {
    const answers = await Promise.all(both.map(async (each) => {
      const { status, headers, text } = await each(new Request(url, init)).then(async (response) => ({ status: response.status, headers: response.headers, text: await response.text() }))
      return [status, [...headers].filter(([name]) => name !== 'content-length' && name !== 'content-type'), text]
    }))
    deepEqual(answers[1], answers[0])
  }
})

test.run()
