import { deepEqual, rejects, throws } from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { fromFetch, type FetchHandler } from '../../../adapters/fetch/index.ts'
import { InvalidResponse } from '../../../lib/contract/errors.ts'
import { headerList, serve, UnsupportedScope, type HttpScope, type SendEvent } from '../../../lib/index.ts'
import { testClient } from '../../../lib/testing/index.ts'
import { deferred } from '../../support/deferred.ts'
import { suite, type TestContext } from '../../support/suite.ts'

const test = suite('fetch adapter: the response')

interface Sent {
  readonly type: string
  readonly status?: number
  readonly headers?: unknown
  readonly body?: string
  readonly moreBody?: boolean
}

/** The events that a response becomes. */
async function eventsOf(handler: FetchHandler, method = 'GET'): Promise<readonly Sent[]> {
  const sent: Sent[] = []
  const scope: HttpScope = {
    type: 'http', asgi: { version: '3.0', specVersion: '2.5' }, httpVersion: '1.1', method, scheme: 'http', path: '/', rawPath: '/',
    queryString: '', rootPath: '', headers: headerList([['host', 'a']]), client: null, server: null, state: {}, extensions: {},
  }
  await fromFetch(handler)(scope, async () => ({ type: 'http.disconnect' }), async (event: SendEvent) => {
    if (event.type === 'http.response.start') sent.push({ type: 'start', status: event.status, headers: [...event.headers ?? []] })
    else if (event.type === 'http.response.body') sent.push({ type: 'body', body: Buffer.from(event.body ?? '').toString(), ...event.moreBody === true ? { moreBody: true } : null })
  })
  return sent
}

async function open(t: TestContext, handler: FetchHandler): ReturnType<typeof testClient> {
  const client = await testClient(fromFetch(handler), { raiseApplicationErrors: false })
  t.after(() => client.close())
  return client
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('a body that is there already goes out in one event, whatever it was made of', async () => {
  const { buffer } = new Uint8Array(bytes('grüße'))
  // A Blob takes its time to be read.
  const bodies = ['grüße', bytes('grüße'), buffer, new DataView(buffer), new URLSearchParams('grüße')]
  for (const body of bodies) {
    const events = await eventsOf(() => new Response(body))
    const last = events.at(-1)
    assert.is(events.length, 2)
    deepEqual(last, { type: 'body', body: body instanceof URLSearchParams ? 'gr%C3%BC%C3%9Fe=' : 'grüße' })
  }
})

test('a Blob and a form come whole', async (t) => {
  const blob = await open(t, () => new Response(new Blob(['grü', 'ße'])))
  assert.is(await (await blob.fetch('/')).text(), 'grüße')
  const form = new FormData()
  form.set('a', 'b')
  const client = await open(t, () => new Response(form))
  assert.is((await (await client.fetch('/')).formData()).get('a'), 'b')
})

test('a stream that ends at once goes out in one event too', async () => {
  const events = await eventsOf(() => new Response(new ReadableStream({
    start: (controller) => {
      controller.enqueue(bytes('all'))
      controller.close()
    },
  })))
  deepEqual(events.slice(1), [{ type: 'body', body: 'all' }])
})

test('no body and an empty one are one event without bytes', async () => {
  deepEqual(await eventsOf(() => new Response(null, { status: 204 })), [{ type: 'start', status: 204, headers: [] }, { type: 'body', body: '' }])
  deepEqual((await eventsOf(() => new Response(''))).slice(1), [{ type: 'body', body: '' }])
  deepEqual((await eventsOf(() => new Response(new ReadableStream({ start: (controller) => controller.close() })))).slice(1), [{ type: 'body', body: '' }])
})

test('a part goes out when it comes, the head at once', async (t) => {
  const gates = [deferred(), deferred()]
  const client = await open(t, () => new Response(new ReadableStream<Uint8Array>({
    start: async (controller) => {
      for (const [index, gate] of gates.entries()) {
        await gate.promise
        controller.enqueue(bytes(`part ${index}`))
      }
      controller.close()
    },
  }), { headers: { 'content-type': 'text/event-stream' } }))
  const response = await client.fetch('/') // no part is there yet
  const reader = response.body?.getReader()
  for (const [index, gate] of gates.entries()) {
    gate.resolve()
    assert.is(Buffer.from((await reader?.read())?.value ?? []).toString(), `part ${index}`)
  }
  assert.is((await reader?.read())?.done, true)
})

test('the next part is asked for once the one before is sent', async () => {
  let pulled = 0
  const gate = deferred()
  const scope = { type: 'http', method: 'GET', headers: headerList([]), rawPath: '/', queryString: '', scheme: 'http', server: null } as unknown as HttpScope
  const app = fromFetch(() => new Response(new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      await new Promise(setImmediate)
      if (++pulled > 5) controller.close()
      else controller.enqueue(bytes('x'))
    },
  }, { highWaterMark: 0 })))
  const running = app(scope, async () => ({ type: 'http.disconnect' }), async (event) => {
    if (event.type === 'http.response.body' && (event.body?.length ?? 0) > 0) await gate.promise
  })
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  assert.is(pulled, 1)
  gate.resolve()
  await running
  assert.is(pulled, 6)
})

test('each Set-Cookie is a field of its own, and the status text is dropped', async () => {
  const headers = new Headers({ 'content-type': 'text/plain', 'x-a': '1' })
  headers.append('set-cookie', 'a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT')
  headers.append('set-cookie', 'b=2')
  headers.append('x-a', '2')
  const [start] = await eventsOf(() => new Response('x', { status: 418, statusText: 'Teapot', headers }))
  deepEqual(start, { type: 'start', status: 418, headers: [
    ['content-type', 'text/plain'], ['set-cookie', 'a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT'], ['set-cookie', 'b=2'], ['x-a', '1, 2'],
  ] })
})

test('what fetch() has decoded goes out without the fields of the encoded body', async (t) => {
  const encoded = gzipSync('grüße')
  const headers = { 'content-encoding': 'gzip', 'content-length': String(encoded.length), 'x-a': '1' }
  const upstream = await serve(fromFetch(() => new Response(encoded, { headers })), { port: 0, accessLog: false })
  t.after(() => upstream.close())
  const client = await open(t, () => fetch(upstream.url))
  const response = await client.fetch('/')
  deepEqual([response.headers.get('content-encoding'), response.headers.get('x-a'), await response.text()], [null, '1', 'grüße'])
})

test('with HEAD nothing is read of the body, and it is cancelled', async () => {
  let pulled = 0
  const cancelled = deferred()
  const events = await eventsOf(() => new Response(new ReadableStream({
    pull: () => void pulled++,
    cancel: () => cancelled.resolve(),
  }, { highWaterMark: 0 }), { headers: { 'content-length': '5' } }), 'HEAD')
  deepEqual(events, [{ type: 'start', status: 200, headers: [['content-length', '5']] }, { type: 'body', body: '' }])
  await cancelled.promise
  assert.is(pulled, 0)
})

test('when the client leaves, a body that waits is cancelled with ClientDisconnected', async (t) => {
  const cancelled = deferred<unknown>()
  const client = await open(t, () => new Response(new ReadableStream({
    start: (controller) => controller.enqueue(bytes('first')),
    cancel: (reason: unknown) => cancelled.resolve(reason),
  })))
  const reader = (await client.fetch('/')).body?.getReader()
  await reader?.read()
  await reader?.cancel()
  assert.is((await cancelled.promise as { readonly code?: unknown }).code, 'ERR_TSGI_CLIENT_DISCONNECTED')
})

test('a response that comes after the client has left is cancelled', async () => {
  const cancelled = deferred()
  const controller = new AbortController()
  const client = await testClient(fromFetch(async () => {
    controller.abort()
    return new Response(new ReadableStream({ cancel: () => cancelled.resolve() }))
  }))
  await rejects(client.fetch('/', { signal: controller.signal }))
  await cancelled.promise
  await client.close()
})

test('a body that fails at once is a 500, and later breaks the response off', async (t) => {
  const early = await open(t, () => new Response(new ReadableStream({
    pull: () => {
      throw new Error('no file')
    },
  }, { highWaterMark: 0 })))
  assert.is((await early.fetch('/')).status, 500)
  const gate = deferred()
  const late = await open(t, () => new Response(new ReadableStream({
    start: async (controller) => {
      controller.enqueue(bytes('first'))
      await gate.promise
      controller.error(new Error('disk'))
    },
  })))
  const response = await late.fetch('/')
  assert.is(response.status, 200)
  gate.resolve()
  await rejects(response.text())
})

test('what a handler throws is thrown by the application', async () => {
  await rejects(eventsOf(() => {
    throw new Error('mine')
  }), /^Error: mine$/)
})

test('what is no Response, or has been read, is an InvalidResponse that says what was found', async () => {
  const table: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /found undefined/], ['text', /found "text"/], [{ status: 200 }, /found an object \(Object\)/], [[], /found an array/],
    [new Request('http://a/'), /found an object \(Request\)/], [() => {}, /found a function/],
  ]
  for (const [answer, message] of table) {
    await rejects(eventsOf(() => answer as Response), message)
    await rejects(eventsOf(async () => answer as Response), InvalidResponse)
  }
  const read = new Response('x')
  await read.text()
  await rejects(eventsOf(() => read), /one whose body has been read/)
})

test('a Response of another realm or another undici is one by its parts', async () => {
  const { status, headers, body } = new Response('other', { status: 201 })
  const events = await eventsOf(() => ({ status, headers, body, bodyUsed: false, url: '' }) as Response)
  deepEqual([events[0]?.status, events[1]?.body], [201, 'other'])
})

test('Response.error(), whose status is 0, becomes a 500', async (t) => {
  const errors: unknown[] = []
  const client = await testClient(fromFetch(() => Response.error()), {
    raiseApplicationErrors: false, observer: { finished: ({ error }) => errors.push((error as { readonly code?: unknown }).code) },
  })
  t.after(() => client.close())
  assert.is((await client.fetch('/')).status, 500)
  deepEqual(errors, ['ERR_TSGI_INVALID_EVENT'])
})

test('WebSockets and the lifespan are not supported, and what is no handler is refused', async () => {
  const client = await testClient(fromFetch(() => new Response('x')))
  await rejects(client.websocket('/'), UnsupportedScope)
  await client.close()
  for (const handler of [null, undefined, {}, 'text', { fetch: 1 }]) throws(() => fromFetch(handler as never), { code: 'ERR_TSGI_INVALID_OPTION' })
})

test('the function fetch of an object is called on it, with the request alone', async (t) => {
  class App {
    readonly #name = 'app'

    fetch(...args: readonly unknown[]): Response {
      return new Response(`${this.#name} ${args.length}`)
    }
  }
  const client = await testClient(fromFetch(new App()))
  t.after(() => client.close())
  assert.is(await (await client.fetch('/')).text(), 'app 1')
})

test.run()
