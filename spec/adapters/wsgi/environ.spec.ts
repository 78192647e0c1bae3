/** What becomes of a request: the variables of CGI (RFC 3875) and of WSGI. */
import { get } from 'node:https'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { headerList, type Address, type HttpScope, type HttpSendEvent } from '../../../lib/index.ts'
import { rawServer } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'
import { tlsServer } from '../../support/tls-server.ts'
import { both, inline, onThread, type Mode } from './modes.ts'

const test = suite('environ')

const base: HttpScope = {
  type: 'http',
  asgi: { version: '3.0', specVersion: '2.5' },
  httpVersion: '1.1',
  method: 'GET',
  scheme: 'http',
  path: '/',
  rawPath: '/',
  queryString: '',
  rootPath: '',
  headers: headerList([]),
  client: ['203.0.113.7', 50000],
  server: ['192.0.2.1', 8000],
  state: {},
  extensions: {},
}

/** The environ of a scope, as the application sees it. */
async function environOf(mode: Mode, scope: Partial<HttpScope>): Promise<Record<string, unknown>> {
  let text = ''
  await mode('environ')({ ...base, ...scope }, async () => ({ type: 'http.request', body: new Uint8Array(0), moreBody: false, trailers: null }), async (event) => {
    if (event.type === 'http.response.body') text += String((event as HttpSendEvent & { readonly body: string }).body)
  })
  return JSON.parse(text) as Record<string, unknown>
}

/** rootPath and rawPath, then SCRIPT_NAME and PATH_INFO, a character for each byte. */
const paths: readonly (readonly [rootPath: string, rawPath: string, scriptName: string, pathInfo: string])[] = [
  ['', '/', '', '/'],
  ['', '/a/b', '', '/a/b'],
  ['', '/a%20b', '', '/a b'],
  ['', '/caf%C3%A9', '', '/caf\xc3\xa9'],
  ['', '/%FF', '', '/\xff'],
  ['', '/a%2Fb%2fc', '', '/a/b/c'],
  ['', '/%00', '', '/\0'],
  ['', '/100%', '', '/100%'],
  ['', '/%zz%4', '', '/%zz%4'],
  ['', '/%2541', '', '/%41'],
  ['', '//a//', '', '//a//'],
  ['', '*', '', '*'],
  ['/api', '/api', '/api', ''],
  ['/api', '/api/', '/api', '/'],
  ['/api', '/api/users', '/api', '/users'],
  ['/api', '/%61pi/users', '/api', '/users'],
  ['/api', '/api%2Fusers', '/api', '/users'],
  ['/api/', '/api/users', '/api', '/users'],
  ['/', '/users', '', '/users'],
  ['/api', '/apis', '/api', '/apis'],
  ['/api', '/other', '/api', '/other'],
  ['/api', '*', '/api', '*'],
  ['/caf\xe9', '/caf%C3%A9/menu', '/caf\xc3\xa9', '/menu'],
  ['/caf\xe9', '/caf\xe9/menu', '/caf\xc3\xa9', '/menu'],
  ['/\u20ac', '/%E2%82%AC/%E2%82%AC', '/\xe2\x82\xac', '/\xe2\x82\xac'],
]

both(test, 'SCRIPT_NAME and PATH_INFO are decoded bytes, taken from rawPath, never from path', async (t, mode) => {
  void t
  for (const [rootPath, rawPath, scriptName, pathInfo] of paths) {
    const environ = await environOf(mode, { rootPath, rawPath, path: '/something else' })
    assert.equal([environ['SCRIPT_NAME'], environ['PATH_INFO'], environ['tsgi.path']], [scriptName, pathInfo, '/something else'], `${rootPath} ${rawPath}`)
  }
})

both(test, 'REQUEST_URI and RAW_URI are path and query as they came', async (t, mode) => {
  void t
  for (const [rawPath, queryString, target] of [['/a%2Fb', 'c=%2F', '/a%2Fb?c=%2F'], ['/a', '', '/a'], ['*', '', '*'], ['/caf\xe9', '', '/caf\xc3\xa9']] as const) {
    const environ = await environOf(mode, { rawPath, queryString })
    assert.equal([environ['REQUEST_URI'], environ['RAW_URI']], [target, target])
  }
})

/** Header fields, then the variables that they become, and no others. */
const fields: readonly (readonly [headers: readonly (readonly [string, string])[], variables: Readonly<Record<string, string>>])[] = [
  [[], {}],
  [[['host', 'example.com:8000']], { HTTP_HOST: 'example.com:8000' }],
  [[['accept-encoding', 'gzip'], ['x-a-b', 'caf\xe9']], { HTTP_ACCEPT_ENCODING: 'gzip', HTTP_X_A_B: 'caf\xe9' }],
  [[['x-a', ''], ['x-a', '2'], ['x-a', '3']], { HTTP_X_A: ',2,3' }],
  [[['cookie', 'a=1'], ['cookie', 'b=2']], { HTTP_COOKIE: 'a=1; b=2' }],
  [[['content-type', 'text/plain'], ['content-length', '0']], { CONTENT_TYPE: 'text/plain', CONTENT_LENGTH: '0' }],
  [[['transfer-encoding', 'chunked']], { HTTP_TRANSFER_ENCODING: 'chunked' }],
  [[['x_a', 'forged'], ['x-a', 'true'], ['content_length', '9'], ['_', '1'], ['x-b_c', '1']], { HTTP_X_A: 'true' }],
  [[['proxy', 'http://evil.example'], ['proxy-connection', 'x']], { HTTP_PROXY_CONNECTION: 'x' }],
  [[['authorization', 'Basic eDp5']], { HTTP_AUTHORIZATION: 'Basic eDp5' }],
]

both(test, 'header fields: HTTP_ and the name, repeated ones joined; no underscores, no HTTP_PROXY, content-type and -length by themselves', async (t, mode) => {
  void t
  for (const [headers, variables] of fields) {
    const environ = await environOf(mode, { headers: headerList(headers) })
    assert.equal(Object.fromEntries(Object.entries(environ).filter(([key]) => /^(?:HTTP_|CONTENT_)/.test(key))), variables)
  }
})

type Names = Readonly<Partial<Record<'SERVER_NAME' | 'SERVER_PORT' | 'REMOTE_PORT' | 'SERVER_PROTOCOL' | 'HTTPS' | 'wsgi.url_scheme', string>>>
const host = (value: string): Partial<HttpScope> => ({ server: ['/run/app.sock', null], headers: headerList([['host', value]]) })

const others: readonly (readonly [scope: Partial<HttpScope>, variables: Names])[] = [
  [{}, { SERVER_NAME: '192.0.2.1', SERVER_PORT: '8000', REMOTE_PORT: '50000' }],
  [{ server: ['::1', 80] }, { SERVER_NAME: '[::1]', SERVER_PORT: '80' }],
  [{ server: null }, { SERVER_NAME: 'localhost', SERVER_PORT: '80' }],
  [{ server: null, scheme: 'https' }, { SERVER_NAME: 'localhost', SERVER_PORT: '443', HTTPS: 'on', 'wsgi.url_scheme': 'https' }],
  [host('example.com'), { SERVER_NAME: 'example.com', SERVER_PORT: '80' }],
  [host('example.com:8080'), { SERVER_NAME: 'example.com', SERVER_PORT: '8080' }],
  [host('[::1]:8080'), { SERVER_NAME: '[::1]', SERVER_PORT: '8080' }],
  [host(''), { SERVER_NAME: 'localhost', SERVER_PORT: '80' }],
  [host(':81'), { SERVER_NAME: 'localhost', SERVER_PORT: '81' }],
  [host('a:b:c'), { SERVER_NAME: 'localhost', SERVER_PORT: '80' }],
  [{ httpVersion: '1.0' }, { SERVER_PROTOCOL: 'HTTP/1.0' }],
  [{ httpVersion: '2' }, { SERVER_PROTOCOL: 'HTTP/2' }],
]

both(test, 'the server has a name and a port, and a request its protocol, in every case', async (t, mode) => {
  void t
  for (const [scope, variables] of others) {
    const environ = await environOf(mode, scope)
    for (const [key, value] of Object.entries(variables)) assert.is(environ[key], value, `${key} ${JSON.stringify(scope)}`)
    assert.is('HTTPS' in environ, scope.scheme === 'https')
  }
})

both(test, 'method, query and the rest', async (t, mode) => {
  void t
  const environ = await environOf(mode, { method: 'PATCH', queryString: 'a=%C3%A9&b' })
  assert.equal([environ['REQUEST_METHOD'], environ['QUERY_STRING'], environ['GATEWAY_INTERFACE'], environ['SERVER_SOFTWARE']], ['PATCH', 'a=%C3%A9&b', 'CGI/1.1', 'tsgi'])
  assert.is(environ['wsgi.input_terminated'], true)
  const clients: readonly (readonly [Address | null, boolean])[] = [[['203.0.113.7', 50000], true], [null, false], [['/run/client.sock', null], false]]
  // The application takes REMOTE_ADDR out: its port goes the same way.
  for (const [client, known] of clients) assert.is('REMOTE_PORT' in await environOf(mode, { client }), known)
})

test('over a unix socket the server goes by the Host field', async (t) => {
  const uds = `/tmp/tsgi-wsgi-${process.pid}.sock`
  for (const mode of [inline, onThread]) {
    const { exchange, server } = await rawServer(t, mode('environ'), { uds })
    const answer = await exchange('GET / HTTP/1.1\r\nHost: example.com:81\r\nConnection: close\r\n\r\n')
    assert.match(answer, /"SERVER_NAME":"example\.com","SERVER_PORT":"81"/)
    assert.not.match(answer, /REMOTE/)
    await server.close()
  }
})

both(test, 'over TLS: HTTPS, and the variables of mod_ssl', async (t, mode) => {
  const { port } = await tlsServer(t, { http2: false }, mode('environ'))
  const answer = await new Promise<string>((resolve, reject) => {
    get({ port, host: 'localhost', rejectUnauthorized: false, agent: false }, (response) => resolve(text(response))).on('error', reject)
  })
  const environ = JSON.parse(answer) as Record<string, string>
  assert.equal([environ['HTTPS'], environ['wsgi.url_scheme'], environ['SSL_PROTOCOL'], environ['SSL_CLIENT_VERIFY']], ['on', 'https', 'TLSv1.3', 'NONE'])
  assert.match(environ['SSL_CIPHER'] ?? '', /^TLS_/)
  assert.match(environ['SSL_SERVER_CERT'] ?? '', /^-----BEGIN CERTIFICATE-----\n/)
})

both(test, 'a client certificate becomes variables, its name in the bytes of UTF-8', async (t, mode) => {
  void t
  const tls = { serverCert: null, clientCertChain: ['LEAF', 'ISSUER', 'ROOT'], clientCertName: 'CN=Zo\xeb', clientCertError: null, tlsVersion: 0x0303, cipherSuite: null }
  const known = async (extensions: object): Promise<Record<string, unknown>> => Object.fromEntries(Object.entries(await environOf(mode, { scheme: 'https', extensions: { tls: { ...tls, ...extensions } } })).filter(([key]) => key.startsWith('SSL_')))
  assert.equal(await known({}), { SSL_PROTOCOL: 'TLSv1.2', SSL_CLIENT_VERIFY: 'SUCCESS', SSL_CLIENT_CERT: 'LEAF', SSL_CLIENT_S_DN: 'CN=Zo\xc3\xab', SSL_CLIENT_CERT_CHAIN_0: 'ISSUER', SSL_CLIENT_CERT_CHAIN_1: 'ROOT' })
  assert.is((await known({ clientCertError: 'expired' }))['SSL_CLIENT_VERIFY'], 'FAILED:expired')
})

test.run()
