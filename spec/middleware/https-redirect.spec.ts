import { throws } from 'node:assert/strict'
import * as assert from 'uvu/assert'
import { application, InvalidOption, WebSocketRefused, type Application, type HttpScope } from '../../lib/index.ts'
import { httpsRedirect, type HttpsRedirectOptions } from '../../lib/middleware/index.ts'
import { communicator, testClient } from '../../lib/testing/index.ts'
import { suite } from '../support/suite.ts'

const test = suite('https redirect')

const hello: Application = application({
  http: async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: 'hello' })
  },
  websocket: async (_scope, _receive, send) => send({ type: 'websocket.accept' }),
})

/** Where a request for a path, with this host, is sent. */
async function location(path: string, host: string, options?: HttpsRedirectOptions): Promise<readonly [number, string | null]> {
  await using client = await testClient(httpsRedirect(hello, options))
  const response = await client.fetch(path, { headers: { host } })
  return [response.status, response.headers.get('location')]
}

test('a request without TLS is sent to the same address with it, method and body kept (RFC 9110 15.4.9)', async () => {
  assert.equal(await location('/a%2Fb?c=d&e', 'example.org'), [308, 'https://example.org/a%2Fb?c=d&e'])
  assert.equal(await location('//evil.example/x', 'example.org'), [308, 'https://example.org//evil.example/x'])
})

test('the port of the request is not that of TLS', async () => {
  assert.equal(await location('/', 'example.org:8000'), [308, 'https://example.org/'])
  assert.equal(await location('/', '[::1]:8000', { port: 8443 }), [308, 'https://[::1]:8443/'])
})

test('host, port and status may be given', async () => {
  assert.equal(await location('/x', 'a', { host: 'www.example.org', port: 444, status: 301 }), [301, 'https://www.example.org:444/x'])
})

test('a request over TLS passes, and so does the lifespan', async () => {
  const scope = { type: 'http', scheme: 'https', method: 'GET', path: '/', rawPath: '/', headers: [], extensions: {} } as unknown as HttpScope
  const call = communicator(httpsRedirect(hello), scope)
  assert.equal(await call.receiveOutput(), { type: 'http.response.start', status: 200 })
  await call.wait()
})

test('a WebSocket without TLS is refused with the redirect', async () => {
  await using client = await testClient(httpsRedirect(hello))
  try {
    await client.websocket('/chat?a', { headers: { host: 'example.org' } })
    assert.unreachable()
  } catch (error) {
    assert.instance(error, WebSocketRefused)
    const { response } = error as WebSocketRefused
    assert.equal([response.status, response.headers.get('location')], [308, 'wss://example.org/chat?a'])
  }
})

test('options that cannot be are refused', () => {
  for (const options of [{ host: 'a/b' }, { host: 'a:1' }, { port: 0 }, { port: 1.5 }, { status: 200 }]) throws(() => httpsRedirect(hello, options), InvalidOption)
})

test.run()
