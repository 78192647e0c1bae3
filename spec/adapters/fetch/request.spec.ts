import { deepEqual, rejects, throws } from 'node:assert/strict'
import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { fromFetch, scopeOf } from '../../../adapters/fetch/index.ts'
import { headerList, serve, type HeaderPair, type HttpScope, type ReceiveEvent } from '../../../lib/index.ts'
import { communicator, testClient, type TestRequestInit } from '../../../lib/testing/index.ts'
import { suite } from '../../support/suite.ts'

const test = suite('fetch adapter: the request')

/** Calls `look` with the request that a fetch application would see, and gives what it gives. */
async function seen<T>(look: (request: Request) => T | Promise<T>, path = '/a?b=c', init: TestRequestInit = {}, rootPath = ''): Promise<T> {
  let result: T | undefined
  const app = fromFetch(async (request) => {
    result = await look(request)
    return new Response('ok')
  })
  await using client = await testClient(app, { rootPath })
  await (await client.fetch(path, init)).text()
  return result as T
}

const post = { method: 'POST', body: '{"grüße":1}', headers: [['content-type', 'application/json']] } satisfies TestRequestInit

function scopeWith(changes: Partial<HttpScope>, headers: readonly HeaderPair[]): HttpScope {
  return {
    type: 'http', asgi: { version: '3.0', specVersion: '2.5' }, httpVersion: '1.1', method: 'GET', scheme: 'http', path: '/', rawPath: '/',
    queryString: '', rootPath: '', headers: headerList(headers), client: null, server: ['10.0.0.9', 8000], state: {}, extensions: {}, ...changes,
  }
}

/** The URL that is made of a scope by hand. */
async function urlOf(changes: Partial<HttpScope>, headers: readonly HeaderPair[] = [['host', 'a.example']]): Promise<string> {
  let url = ''
  const app = fromFetch((request) => {
    url = request.url
    return new Response(null)
  })
  await communicator(app, scopeWith(changes, headers)).wait()
  return url
}

test('it is a Request to all who ask', async () => {
  await seen((request) => {
    assert.instance(request, Request)
    assert.is(Object.prototype.toString.call(request), '[object Request]')
    assert.is(request.constructor, Request)
  })
})

test('the usual parts are those of a Request that was made by hand', async () => {
  const parts = (request: Request): unknown => [
    request.url, request.method, [...request.headers], request.body, request.bodyUsed, request.signal.aborted, request.mode,
    request.redirect, request.referrer, request.cache, request.credentials, request.integrity, request.keepalive, request.destination, request.duplex,
  ]
  const headers: [string, string][] = [['host', 'localhost'], ['x-a', '1'], ['x-a', '2'], ['cookie', 'a=b'], ['cookie', 'c=d'], ['te', 'trailers']]
  deepEqual(await seen(parts, '/a?b=c', { headers }), parts(new Request('http://localhost/a?b=c', { headers })))
})

test('repeated fields are joined by a comma, cookies by a semicolon', async () => {
  const headers: HeaderPair[] = [['x-a', '1'], ['x-a', '2'], ['cookie', 'a=b'], ['cookie', 'c=d']]
  deepEqual(await seen((request) => [request.headers.get('X-A'), request.headers.get('cookie'), request.headers.get('none')], '/', { headers }), ['1, 2', 'a=b; c=d', null])
})

test('headers can be changed, and a Request made of it later has the change', async () => {
  const change = (early: boolean) => (request: Request): unknown => {
    if (early) void request.referrer
    const { headers } = request
    headers.set('x-a', 'new')
    if (!early) void request.referrer
    headers.append('x-b', 'later')
    headers.delete('te')
    const copy = new Request(request)
    return [request.headers === headers, copy.headers.get('x-a'), copy.headers.get('x-b'), copy.headers.get('te')]
  }
  for (const early of [true, false]) deepEqual(await seen(change(early), '/', { headers: [['x-a', 'old']] }), [true, 'new', 'later', null])
})

test('a Request is made of it, clones it, and takes it as the second argument', async () => {
  const text = await seen(async (request) => {
    const clone = request.clone()
    const copy = new Request(request, { headers: { 'x-a': '1' } })
    const other = new Request('http://other.example/', { method: clone.method, headers: clone.headers, body: clone.body, duplex: 'half' })
    assert.is(request.bodyUsed, true)
    return [copy.url, copy.method, copy.headers.get('x-a'), await copy.text(), other.headers.get('content-type'), await other.text()]
  }, '/a', post)
  deepEqual(text, ['http://localhost/a', 'POST', '1', post.body, 'application/json', post.body])
  deepEqual(await seen(async (request) => {
    const copy = new Request('http://other.example/x', request)
    return [copy.url, copy.method, copy.headers.get('content-type'), await copy.text()]
  }, '/a', post), ['http://other.example/x', 'POST', 'application/json', post.body])
})

test('fetch() sends it on', async (t) => {
  const upstream = await serve(fromFetch(async (request) => new Response([request.method, request.headers.get('x-a'), await request.text()].join(' '))), { port: 0, accessLog: false })
  t.after(() => upstream.close())
  const { host } = new URL(upstream.url)
  assert.is(await seen(async (request) => (await fetch(request)).text(), `http://${host}/`, { method: 'PUT', body: 'abc', headers: [['x-a', '1'], ['host', host]] }), 'PUT 1 abc')
})

test('each way to read the body gives it, with the native Request made before or not', async () => {
  const ways: Readonly<Record<string, (request: Request) => Promise<unknown>>> = {
    text: (request) => request.text(),
    json: async (request) => JSON.stringify(await request.json()),
    arrayBuffer: async (request) => Buffer.from(await request.arrayBuffer()).toString(),
    bytes: async (request) => Buffer.from(await (request as unknown as { bytes(): Promise<Uint8Array> }).bytes()).toString(),
    blob: async (request) => (await request.blob()).text(),
    stream: async (request) => new Response(request.body).text(),
  }
  for (const [name, way] of Object.entries(ways)) {
    for (const before of [() => {}, (request: Request) => request.referrer, (request: Request) => request.body]) {
      const [text, used] = await seen(async (request) => {
        before(request)
        assert.is(request.bodyUsed, false)
        return [await way(request), request.bodyUsed] as const
      }, '/', post)
      assert.is(text, post.body, name)
      assert.is(used, true, name)
    }
  }
})

test('a form is read, of either kind', async () => {
  const form = new FormData()
  form.set('a', 'ü')
  form.set('file', new File(['content'], 'f.txt'))
  for (const body of [form, new URLSearchParams({ a: 'ü' })]) {
    const read = await seen(async (request) => {
      const found = await request.formData()
      const file = found.get('file')
      return [found.get('a'), file instanceof File ? await file.text() : file]
    }, '/', { method: 'POST', body })
    deepEqual(read, ['ü', body === form ? 'content' : null])
  }
})

test('a byte order mark is not part of the text, and JSON that is none rejects', async () => {
  assert.is(await seen((request) => request.text(), '/', { method: 'POST', body: '\ufefftext' }), 'text')
  await seen((request) => rejects(request.json(), SyntaxError), '/', { method: 'POST', body: '{' })
  await seen((request) => rejects(request.json(), SyntaxError), '/')
})

test('a body that was read cannot be read again, by any way, nor be copied', async () => {
  for (const first of [(request: Request) => request.text(), async (request: Request) => request.body?.cancel()]) {
    await seen(async (request) => {
      await first(request)
      assert.is(request.bodyUsed, true)
      void request.referrer
      assert.is(request.bodyUsed, true)
      for (const again of [() => request.text(), () => request.json(), () => request.arrayBuffer(), () => request.formData(), () => request.blob()]) await rejects(again(), TypeError)
      throws(() => request.clone(), TypeError)
      throws(() => new Request(request), TypeError)
    }, '/', post)
  }
})

test('a body whose reader is held cannot be read by other ways, and the reader goes on', async () => {
  await seen(async (request) => {
    const { body } = request
    const reader = body?.getReader()
    await rejects(request.text(), TypeError)
    assert.is(request.body, body)
    assert.is(Buffer.from((await reader?.read())?.value ?? []).toString(), post.body)
    assert.is(request.bodyUsed, true)
    assert.is(request.body, body)
  }, '/', post)
})

test('there is no body with GET, HEAD and TRACE, nor where the fields tell of none', async () => {
  for (const method of ['GET', 'HEAD', 'TRACE']) deepEqual(await seen((request) => [request.method, request.body], '/', { method, body: 'abc' }), [method, null])
  for (const method of ['POST', 'DELETE']) {
    assert.is(await seen((request) => request.body, '/', { method }), null)
    deepEqual(await seen(async (request) => [request.body, await request.text(), request.bodyUsed], '/', { method, headers: [['content-length', '0']] }), [null, '', false])
  }
})

test('a method that no standard knows is taken as it is', async () => {
  deepEqual(await seen((request) => [request.method, new Request(request).method], '/', { method: 'PURGE' }), ['PURGE', 'PURGE'])
})

test('TRACE, which no Request can have, is a GET to those that are made of it', async () => {
  deepEqual(await seen((request) => [request.method, new Request(request).method], '/', { method: 'TRACE' }), ['TRACE', 'GET'])
})

test('the body is asked for no earlier than it is read, and no faster', async () => {
  let asked = 0
  let request: Request | undefined
  let answer!: (response: Response) => void
  const app = fromFetch((found) => {
    request = found
    return new Promise((resolve) => (answer = resolve))
  })
  const scope = scopeWith({ method: 'POST' }, [['host', 'a'], ['content-length', '6']])
  const events: ReceiveEvent[] = ['ab', 'cd', 'ef'].map((text, index) => ({ type: 'http.request', body: Buffer.from(text), moreBody: index < 2, trailers: null }))
  const ended = app(scope, async () => events[asked++] ?? { type: 'http.disconnect' }, async () => {})
  const reader = request?.body?.getReader()
  await new Promise(setImmediate)
  assert.is(asked, 0)
  await reader?.read()
  await new Promise(setImmediate)
  assert.is(asked, 1)
  answer(new Response(null))
  await ended
})

test('a body that is cut short fails with ClientDisconnected, by stream and at once', async () => {
  for (const read of [(request: Request) => request.text(), (request: Request) => new Response(request.body).text()]) {
    const events: ReceiveEvent[] = [{ type: 'http.request', body: Buffer.from('ab'), moreBody: true, trailers: null }, { type: 'http.disconnect' }]
    const app = fromFetch(async (request) => new Response(await read(request)))
    const scope = scopeWith({ method: 'POST' }, [['content-length', '4']])
    await rejects(app(scope, async () => events.shift() ?? { type: 'http.disconnect' }, async () => {}), { code: 'ERR_TSGI_CLIENT_DISCONNECTED' })
  }
})

test('the signal aborts when the client leaves, and so do those of a copy and of a clone', async () => {
  const controller = new AbortController()
  const aborted: unknown[] = []
  let over!: Promise<unknown>
  const app = fromFetch(async (request) => {
    const signals = [request.signal, new Request(request).signal, request.clone().signal, new Request(new Request(request), { headers: {} }).signal]
    over = Promise.all(signals.map(async (signal) => {
      await once(signal, 'abort')
      aborted.push((signal.reason as { readonly code?: unknown }).code)
    }))
    controller.abort()
    await over
    return new Response('late')
  })
  const client = await testClient(app)
  await rejects(client.fetch('/', { signal: controller.signal }), { name: 'AbortError' })
  await over
  deepEqual(aborted, Array.from({ length: 4 }, () => 'ERR_TSGI_CLIENT_DISCONNECTED'))
  await client.close()
})

test('a copy that is made after the client has left is aborted already', async () => {
  const controller = new AbortController()
  let states: unknown
  const client = await testClient(fromFetch(async (request) => {
    controller.abort()
    states = [request.signal.aborted, new Request(request).signal.aborted, request.clone().signal.aborted]
    return new Response('late')
  }))
  await rejects(client.fetch('/', { signal: controller.signal }))
  await client.close()
  deepEqual(states, [true, true, true])
})

test('the signal never aborts on a normal end', async () => {
  const signal = await seen(async (request) => {
    await request.text()
    return request.signal
  }, '/', post)
  assert.is(signal.aborted, false)
})

test('the url has the scheme, the host, the path and the query as they were sent', async () => {
  assert.is(await urlOf({ rawPath: '/a/%2F/b', queryString: 'x=%20&y' }), 'http://a.example/a/%2F/b?x=%20&y')
  assert.is(await urlOf({ scheme: 'https', rawPath: '/' }, [['host', 'a.example:8443']]), 'https://a.example:8443/')
  assert.is(await urlOf({ scheme: 'https' }, [['host', 'A.Example:443']]), 'https://a.example/')
  assert.is(await urlOf({ rawPath: '*', method: 'OPTIONS' }), 'http://a.example/*')
  assert.is(await urlOf({ rawPath: '//evil.example/a' }), 'http://a.example//evil.example/a')
})

test('the url of a mounted application is the one beneath, so that its routes fit', async () => {
  assert.is(await seen((request) => request.url, '/a?b', {}, '/mounted'), 'http://localhost/a?b')
})

test('without a valid host the url has the address of the server, else localhost', async () => {
  for (const host of ['', 'a b', 'a/b', 'u@h', 'a#b', 'a?b', 'a\\b', '[::1', 'a:99999', '%']) assert.is(await urlOf({}, [['host', host]]), 'http://10.0.0.9:8000/', host)
  assert.is(await urlOf({}, []), 'http://10.0.0.9:8000/')
  assert.is(await urlOf({ server: ['::1', 80] }, []), 'http://[::1]/')
  assert.is(await urlOf({ server: ['/run/a.sock', null] }, []), 'http://localhost/')
  assert.is(await urlOf({ server: null }, []), 'http://localhost/')
})

test('the url is what URL makes of it, so that routers which parse it agree with those which cut it', async () => {
  const paths = ['/a/../b', '/./a', '/a/%2e%2E/b', '/a/.b', '/a..', '/a/..b', '/"<>`', '/a|b^c', '/{a}', '/a%zz', '/a;b=c,d', "/it's", '/[a]', '/..', '/a/.', '//', '/a//b']
  for (const rawPath of paths) {
    for (const queryString of ['', 'a=b&c=%20', "a='b'", 'a="b"', 'a=<b>', 'a=b|c', 'a=[b]', '?', '../..', 'a#b']) {
      const url = await urlOf({ rawPath, queryString })
      assert.is(url, new URL(url).href)
      assert.is(url, new URL(`http://a.example${rawPath}${queryString === '' ? '' : `?${queryString.replace('#', '%23')}`}`).href)
    }
  }
})

test('a backslash, a number sign or a question mark in the path stays in it, encoded', async () => {
  assert.is(await urlOf({ rawPath: '/a\\..\\b' }), 'http://a.example/a%5C..%5Cb')
  assert.is(await urlOf({ rawPath: '/a#b', queryString: 'c' }), 'http://a.example/a%23b?c')
})

test('scopeOf gives the scope of a request, and undefined for any other', async () => {
  const found = await seen((request) => [scopeOf(request)?.client, scopeOf(new Request(request))])
  deepEqual(found, [['127.0.0.1', 50000], undefined])
  assert.is(scopeOf(new Request('http://a/')), undefined)
})

test('frameworks may put properties of their own on it', async () => {
  assert.is(await seen((request) => {
    Object.assign(request, { context: 1 })
    return (request as unknown as { context: number }).context
  }), 1)
})

test.run()
