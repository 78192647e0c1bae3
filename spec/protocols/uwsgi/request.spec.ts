import * as assert from 'uvu/assert'
import { readRequest, type GatewayRequest } from '../../../lib/protocols/gateway-request.ts'
import { Refusal } from '../../../lib/protocols/refusal.ts'
import { suite } from '../../support/suite.ts'
import type { Variables } from '../../support/uwsgi.ts'

const test = suite('uwsgi variables')
const limits = { target: 8192, fields: 100 }
const get = { REQUEST_METHOD: 'GET', REQUEST_URI: '/', PATH_INFO: '/' }

function read(variables: Variables, modifier1: 0 | 30 = 0): GatewayRequest | Refusal {
  const flat = Array.isArray(variables) ? variables as readonly string[] : Object.entries(variables).flat()
  return readRequest({ modifier1, variables: flat }, ['10.0.0.1', 3031], limits)
}

function accepted(variables: Variables, modifier1: 0 | 30 = 0): GatewayRequest {
  const request = read(variables, modifier1)
  if (request instanceof Refusal) throw new Error(`refused with ${request.status}: ${request.reason}`)
  return request
}

test('the path is the one that was written where that is the one that is meant', () => {
  const rows: readonly (readonly [Readonly<Record<string, string>>, 0 | 30, string, string | null])[] = [
    [{ REQUEST_URI: '/a%2Fb?x', PATH_INFO: '/a/b' }, 0, '/a%2Fb', null],
    [{ REQUEST_URI: '/%c3%a4', PATH_INFO: '/\xc3\xa4' }, 0, '/%c3%a4', null],
    [{ REQUEST_URI: '/a/../b', PATH_INFO: '/b' }, 0, '/b', null],
    [{ REQUEST_URI: '//a', PATH_INFO: '/a' }, 0, '/a', null],
    [{ REQUEST_URI: '/old', PATH_INFO: '/new \xe4%' }, 0, '/new%20%E4%25', null],
    [{ REQUEST_URI: '/a' }, 0, '/a', null],
    [{ REQUEST_URI: '/a', PATH_INFO: '' }, 0, '/a', null],
    [{ PATH_INFO: '/a b;c=d@e' }, 0, '/a%20b;c=d@e', null],
    [{ REQUEST_URI: 'http://x.test:80/a?b', PATH_INFO: '/a' }, 0, '/a', null],
    [{ REQUEST_URI: '/\xe4', PATH_INFO: '/\xe4' }, 0, '/%E4', null],
    [{ REQUEST_URI: '/app/x%2F', SCRIPT_NAME: '/app', PATH_INFO: '/x/' }, 0, '/x%2F', '/app'],
    [{ REQUEST_URI: '/%61pp/x', SCRIPT_NAME: '/app', PATH_INFO: '/x' }, 0, '/x', '/app'],
    [{ REQUEST_URI: '/app/x', SCRIPT_NAME: '/app', PATH_INFO: '/app/x' }, 30, '/x', '/app'],
    [{ REQUEST_URI: '/app', SCRIPT_NAME: '/app', PATH_INFO: '/app' }, 30, '', '/app'],
    [{ REQUEST_URI: '/apple', SCRIPT_NAME: '/app', PATH_INFO: '/apple' }, 30, '/apple', '/app'],
    [{ REQUEST_URI: '/app', SCRIPT_NAME: '/app', PATH_INFO: '' }, 0, '', '/app'],
    [{ REQUEST_URI: '/a b/', SCRIPT_NAME: '/a b/', PATH_INFO: '/' }, 0, '/', '/a%20b'],
  ]
  for (const [variables, modifier1, rawPath, rootPath] of rows) {
    const request = accepted({ REQUEST_METHOD: 'GET', ...variables }, modifier1)
    assert.equal([request.head.rawPath, request.rootPath], [rawPath, rootPath], JSON.stringify(variables))
  }
  assert.is(accepted({ REQUEST_METHOD: 'OPTIONS', REQUEST_URI: '*', PATH_INFO: '*' }).head.rawPath, '*')
})

test('the query is QUERY_STRING, or what stands behind the path where there is none', () => {
  assert.is(accepted({ ...get, REQUEST_URI: '/?a=1', QUERY_STRING: 'b=2' }).head.queryString, 'b=2')
  assert.is(accepted({ ...get, REQUEST_URI: '/?a=1?' }).head.queryString, 'a=1?')
  assert.is(accepted({ ...get, REQUEST_URI: '/?a=1', QUERY_STRING: '' }).head.queryString, '')
})

test('fields: host first, underscores are hyphens, repeated ones are kept, empty CONTENT_* are none', () => {
  const { head, contentLength } = accepted([
    ...Object.entries(get).flat(), 'HTTP_X_ONE', 'a', 'CONTENT_TYPE', 'text/plain', 'CONTENT_LENGTH', '12', 'HTTP_X_ONE', ' b\t',
    'HTTP_CONTENT_LENGTH', '99', 'HTTP_CONTENT_TYPE', 'x/y', 'HTTP_TRANSFER_ENCODING', 'chunked', 'HTTP_HOST', 'x.test', 'HTTP_X_LATIN', '\xe9',
  ])
  assert.equal([...head.headers], [['host', 'x.test'], ['content-type', 'text/plain'], ['content-length', '12'], ['x-one', 'a'], ['x-one', 'b'], ['x-latin', '\xe9']])
  assert.is(contentLength, 12)
  assert.is(accepted({ ...get, CONTENT_TYPE: ' a/b\t' }).head.headers.get('content-type'), 'a/b')
  const bare = accepted({ ...get, CONTENT_TYPE: '', CONTENT_LENGTH: '' })
  assert.equal([[...bare.head.headers], bare.contentLength], [[], 0])
})

test('client, server, scheme and version are what the front server says', () => {
  const { head } = accepted({ ...get, REMOTE_ADDR: '::1', REMOTE_PORT: '5', SERVER_NAME: 'x.test', SERVER_PORT: '443', HTTPS: 'on', SERVER_PROTOCOL: 'HTTP/2.0' })
  assert.equal([head.client, head.server, head.scheme, head.httpVersion], [['::1', 5], ['x.test', 443], 'https', '2'])
  const bare = accepted({ ...get, REMOTE_ADDR: 'unix:', SERVER_NAME: '_', SERVER_PROTOCOL: 'HTTP/1.0' }).head
  assert.equal([bare.client, bare.server, bare.scheme, bare.httpVersion], [null, ['10.0.0.1', 3031], 'http', '1.0'])
  assert.is(accepted({ ...get, UWSGI_SCHEME: 'https', HTTPS: '' }).head.scheme, 'https')
  assert.is(accepted({ ...get, REQUEST_SCHEME: 'https' }).head.scheme, 'https')
  assert.equal(accepted({ ...get, SERVER_NAME: '_', SERVER_ADDR: '10.0.0.2', SERVER_PORT: '80' }).head.server, ['10.0.0.2', 80])
  assert.equal(accepted({ ...get, SERVER_NAME: '[::1]', SERVER_PORT: '80' }).head.server, ['::1', 80])
  // One that may be a client's word is none.
  for (const name of ['a b', 'a\r\nb', 'a/b', 'a:1']) assert.equal(accepted({ ...get, SERVER_NAME: name, SERVER_ADDR: '::2', SERVER_PORT: '80' }).head.server, ['::2', 80], name)
})

test('of a variable that comes twice the last one counts, as for uWSGI', () => {
  const { head } = accepted([...Object.entries(get).flat(), 'REQUEST_METHOD', 'PUT', 'PATH_INFO', '/b', 'REMOTE_ADDR', '10.0.0.3', 'REMOTE_ADDR', '10.0.0.4'])
  assert.equal([head.method, head.rawPath, head.client], ['PUT', '/b', ['10.0.0.4', 0]])
})

test('what is refused, and with which status', () => {
  const rows: readonly (readonly [Variables, number])[] = [
    [{}, 400],
    [{ ...get, REQUEST_METHOD: '' }, 400],
    [{ ...get, REQUEST_METHOD: 'G T' }, 400],
    [{ ...get, REQUEST_METHOD: 'get' }, 501],
    [{ ...get, REQUEST_METHOD: 'CONNECT' }, 501],
    [{ REQUEST_METHOD: 'GET' }, 400],
    [{ REQUEST_METHOD: 'GET', REQUEST_URI: 'x' }, 400],
    [{ ...get, PATH_INFO: 'x' }, 400],
    [{ ...get, SCRIPT_NAME: 'x' }, 400],
    [{ ...get, QUERY_STRING: 'a b' }, 400],
    [{ ...get, QUERY_STRING: 'a\r\n' }, 400],
    [{ ...get, CONTENT_LENGTH: '-1' }, 400],
    [{ ...get, CONTENT_LENGTH: '1, 1' }, 400],
    [{ ...get, CONTENT_LENGTH: '0x1' }, 400],
    [{ ...get, CONTENT_LENGTH: '9'.repeat(20) }, 400],
    [[...Object.entries(get).flat(), 'CONTENT_LENGTH', '1', 'CONTENT_LENGTH', '2'], 400],
    [{ ...get, CONTENT_TYPE: 'a\nb' }, 400],
    // RFC 9112 6.3: there is a body, but nobody says how long it is.
    [{ ...get, CONTENT_LENGTH: '', HTTP_TRANSFER_ENCODING: 'chunked' }, 411],
    [{ ...get, HTTP_TRANSFER_ENCODING: 'gzip, chunked' }, 411],
    [{ ...get, HTTP_HOST: '\xa0x.test' }, 400],
    [{ ...get, 'HTTP_': 'x' }, 400],
    [{ ...get, 'HTTP_A B': 'x' }, 400],
    [{ ...get, HTTP_A: 'a\r\nb: c' }, 400],
    [{ ...get, HTTP_A: '\0' }, 400],
    [{ ...get, HTTP_HOST: 'a b' }, 400],
    [{ ...get, HTTP_HOST: 'a@b' }, 400],
    [[...Object.entries(get).flat(), 'HTTP_HOST', 'a', 'HTTP_HOST', 'a'], 400],
    [{ ...get, REQUEST_URI: `/${'x'.repeat(8192)}` }, 414],
    [[...Object.entries(get).flat(), ...Array.from({ length: 101 }, (_, i) => [`HTTP_X${i}`, '']).flat()], 431],
  ]
  for (const [variables, status] of rows) {
    const request = read(variables)
    assert.ok(request instanceof Refusal, JSON.stringify(variables).slice(0, 200))
    assert.is(request.status, status, JSON.stringify(variables).slice(0, 200))
  }
})

test.run()
