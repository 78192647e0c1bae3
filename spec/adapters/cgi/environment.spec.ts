/** What a CGI program is told of its request (RFC 3875 4), and what it is never told. */
import { request } from 'node:http'
import * as assert from 'uvu/assert'
import { fromCgi, type FromCgiOptions } from '../../../adapters/cgi/index.ts'
import { serve, type HttpScope } from '../../../lib/index.ts'
import { mount } from '../../../lib/middleware/index.ts'
import type { TestRequestInit } from '../../../lib/testing/index.ts'
import { tempFolder } from '../../support/command.ts'
import { rawServer } from '../../support/raw-socket.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { client, parsed, printsEnvironment, shell } from './programs.ts'

const test = suite('CGI, the environment of a program')

async function environment(t: TestContext, path: string, init: TestRequestInit = {}, options: FromCgiOptions = {}, rootPath = ''): Promise<Record<string, string>> {
  const opened = await client(t, shell(t, printsEnvironment), options, rootPath)
  const response = await opened.fetch(path, init)
  assert.is(response.status, 200)
  return parsed(await response.text())
}

test('RFC 3875 4.1: every variable that must be there is, and nothing of the server\'s own', async (t) => {
  process.env['TSGI_TEST_SECRET'] = 'x'
  t.after(() => delete process.env['TSGI_TEST_SECRET'])
  const env = await environment(t, '/a?b=1', { headers: { 'x-one': '1' } })
  // The shell adds PWD, and some add more.
  const { PWD: _, SHLVL: _1, _: _2, OLDPWD: _3, SCRIPT_FILENAME: file, ...rest } = env
  assert.match(file ?? '', /\/program$/)
  assert.equal(rest, {
    GATEWAY_INTERFACE: 'CGI/1.1', QUERY_STRING: 'b=1', REMOTE_ADDR: '127.0.0.1', REMOTE_HOST: '127.0.0.1', REMOTE_PORT: '50000', REQUEST_METHOD: 'GET', SCRIPT_NAME: '',
    SERVER_NAME: 'localhost', SERVER_PORT: '80', SERVER_PROTOCOL: 'HTTP/1.1', SERVER_SOFTWARE: 'tsgi',
    PATH_INFO: '/a', REQUEST_URI: '/a?b=1', REQUEST_SCHEME: 'http', REDIRECT_STATUS: '200', HTTP_HOST: 'localhost', HTTP_X_ONE: '1', PATH: '/usr/local/bin:/usr/bin:/bin',
  })
})

test('RFC 3875 4.1.13, 4.1.5: SCRIPT_NAME is the root path, PATH_INFO what follows, decoded; an empty one is not set', async (t) => {
  const env = await environment(t, '/a%20b/%C3%A4%2Fc?x=%20', {}, {}, '/cgi')
  assert.equal([env['SCRIPT_NAME'], env['PATH_INFO'], env['QUERY_STRING'], env['REQUEST_URI']], ['/cgi', '/a b/ä/c', 'x=%20', '/cgi/a%20b/%C3%A4%2Fc?x=%20'])
  const printsPath = shell(t, `printf 'Content-Type: a/b\\n\\n<%s>' "\${PATH_INFO-none}"`)
  const raw = await rawServer(t, mount({ '/cgi': fromCgi(printsPath.file) }))
  assert.match(await raw.exchange('GET /cgi HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /<none>/)
  assert.match(await raw.exchange('GET /cgi/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /<\/>/)
})

test('RFC 3875 4.1.6: PATH_TRANSLATED is the path in the document root, and there is none without', async (t) => {
  const env = await environment(t, '/a//b/./c%20d', {}, { documentRoot: '/srv/www' })
  assert.equal([env['DOCUMENT_ROOT'], env['PATH_TRANSLATED']], ['/srv/www', '/srv/www/a/b/c d'])
  assert.is((await environment(t, '/a'))['PATH_TRANSLATED'], undefined)
})

test('a path that no program should see is a 400: with `..`, with a NUL, not UTF-8', async (t) => {
  const opened = await client(t, shell(t, printsEnvironment), { documentRoot: '/srv' })
  for (const path of ['/..', '/a/../../etc', '/a/%2e%2e/b', '/a%2F..%2Fb', '/a%00b', '/%ff']) assert.is((await opened.fetch(path)).status, 400, path)
  for (const path of ['/..a', '/a..', '/a/...']) assert.is((await opened.fetch(path)).status, 200, path)
})

test('CVE-2015-0219: a name with an underscore, or with what no shell can read, becomes no variable', async (t) => {
  const env = await environment(t, '/', { headers: [['x_user', 'evil'], ['x-user', 'good'], ['x.y', '1'], ['x%y', '1'], ['content_length', '7'], ['x-user', 'two']] })
  assert.is(env['HTTP_X_USER'], 'good,two')
  assert.equal(Object.keys(env).filter((name) => name.startsWith('HTTP_')).sort(), ['HTTP_HOST', 'HTTP_X_USER'])
})

test('CVE-2016-5385: Proxy never becomes HTTP_PROXY; the option env may set it', async (t) => {
  assert.is((await environment(t, '/', { headers: { Proxy: 'http://evil' } }))['HTTP_PROXY'], undefined)
  assert.is((await environment(t, '/', { headers: { Proxy: 'http://evil' } }, { env: { HTTP_PROXY: 'http://own' } }))['HTTP_PROXY'], 'http://own')
})

test('RFC 3875 4.1.18: passwords and what concerns the connection are not passed on, unless an option says so', async (t) => {
  const headers = {
    authorization: 'Basic eA==', 'proxy-authorization': 'Basic eQ==', connection: 'keep-alive', 'keep-alive': '5', te: 'trailers', upgrade: 'x', expect: '100-continue', 'proxy-connection': 'x', trailer: 'x',
  }
  const names = (env: Record<string, string>): string[] => Object.keys(env).filter((name) => name.startsWith('HTTP_')).sort()
  assert.equal(names(await environment(t, '/', { headers })), ['HTTP_HOST'])
  assert.equal(names(await environment(t, '/', { headers: { connection: 'close, X-Hop, Host', 'x-hop': '1', 'x-own': '1' } })), ['HTTP_HOST', 'HTTP_X_OWN'])
  assert.equal(names(await environment(t, '/', { headers }, { authorization: true })), ['HTTP_AUTHORIZATION', 'HTTP_HOST', 'HTTP_PROXY_AUTHORIZATION'])
})

test('RFC 3875 4.1.18: repeated fields are one value, cookies as RFC 6265 joins them; bytes of UTF-8 come as they are, others as Latin-1', async (t) => {
  const utf8 = Buffer.from('é').toString('latin1')
  const env = await environment(t, '/', { headers: [['x-a', '1'], ['x-a', '2'], ['cookie', 'a=1'], ['cookie', 'b=2'], ['x-utf8', utf8], ['x-latin', '\xe9']] })
  assert.equal([env['HTTP_X_A'], env['HTTP_COOKIE'], env['HTTP_X_UTF8'], env['HTTP_X_LATIN']], ['1,2', 'a=1; b=2', 'é', 'é'])
})

test('RFC 3875 4.1.2, 4.1.3: CONTENT_LENGTH is there if there is a body, and is its length without transfer codings', async (t) => {
  const opened = await client(t, shell(t, `${printsEnvironment}; echo "read=$(wc -c)"`))
  const seen = async (init: TestRequestInit): Promise<(string | undefined)[]> => {
    const env = parsed(await (await opened.fetch('/', init)).text())
    return [env['CONTENT_LENGTH'], env['CONTENT_TYPE'], env['HTTP_TRANSFER_ENCODING'], env['HTTP_CONTENT_LENGTH'], env['HTTP_CONTENT_TYPE'], env['read']?.trim()]
  }
  const chunks = async function* (...sizes: number[]): AsyncGenerator<Uint8Array> {
    for (const size of sizes) yield Buffer.alloc(size, 'x')
  }
  const none = undefined
  assert.equal(await seen({}), [none, none, none, none, none, '0'])
  assert.equal(await seen({ method: 'POST', body: '' }), [none, 'text/plain;charset=UTF-8', none, none, none, '0'])
  assert.equal(await seen({ method: 'POST', body: 'abc', headers: { 'content-type': 'a/b' } }), ['3', 'a/b', none, none, none, '3'])
  assert.equal(await seen({ method: 'POST', body: chunks(5, 0, 7) }), ['12', none, none, none, none, '12'])
  assert.equal(await seen({ method: 'POST', body: chunks() }), [none, none, none, none, none, '0'])
  assert.equal(await seen({ method: 'GET', body: chunks(65536, 1) }), ['65537', none, none, none, none, '65537'])
  assert.equal(await seen({ method: 'PUT', body: chunks(...Array<number>(50).fill(30_000)) }), ['1500000', none, none, none, none, '1500000'])
})

test('the option env: variables for every request, or those of one, replace those of CGI', async (t) => {
  const fixed = await environment(t, '/', {}, { env: { MINE: '1', SERVER_SOFTWARE: 'other', PATH: '/bin:/usr/bin' } })
  assert.equal([fixed['MINE'], fixed['SERVER_SOFTWARE'], fixed['PATH']], ['1', 'other', '/bin:/usr/bin'])
  const own = await environment(t, '/who', {}, { env: (scope: HttpScope) => ({ REMOTE_USER: scope.path.slice(1), AUTH_TYPE: 'Basic' }) })
  assert.equal([own['REMOTE_USER'], own['AUTH_TYPE']], ['who', 'Basic'])
})

test('RFC 3875 7.2: a program starts in its own folder, or in that of the option cwd; its arguments are those of the option args', async (t) => {
  const made = shell(t, `printf 'Content-Type: text/plain\\n\\n%s\\n' "$(pwd)"; printf '<%s>' "$@"`)
  assert.is(await (await (await client(t, made)).fetch('/?a+b')).text(), `${made.folder.path}\n<>`)
  assert.is(await (await (await client(t, made, { cwd: '/usr', args: ['a b', '$x;'] })).fetch('/')).text(), '/usr\n<a b><$x;>')
})

test('the option script: SCRIPT_FILENAME for a program that runs such files, which starts in its folder', async (t) => {
  const made = shell(t, `printf 'Content-Type: text/plain\\n\\n%s %s' "$SCRIPT_FILENAME" "$(pwd)"`)
  const folder = tempFolder(t)
  const script = folder.write('index.php', '')
  assert.is(await (await (await client(t, made, { script })).fetch('/')).text(), `${script} ${folder.path}`)
  assert.is(await (await (await client(t, made)).fetch('/')).text(), `${made.file} ${made.folder.path}`)
  assert.is(await (await (await client(t, made, { script, cwd: '/usr' })).fetch('/')).text(), `${script} /usr`)
})

test('over a unix socket there is no address: REMOTE_ADDR is empty, and the server is named by the Host field', async (t) => {
  const made = shell(t, printsEnvironment)
  const uds = `${made.folder.path}/s`
  const server = await serve(fromCgi(made.file), { uds, accessLog: false })
  t.after(() => server.close())
  const text = await new Promise<string>((resolve, reject) => {
    request({ socketPath: uds, path: '/', headers: { host: 'example.org:81' } }, (response) => {
      let all = ''
      response.setEncoding('utf8').on('data', (part: string) => (all += part)).on('end', () => resolve(all))
    }).on('error', reject).end()
  })
  const env = parsed(text)
  assert.equal([env['REMOTE_ADDR'], env['SERVER_NAME'], env['SERVER_PORT']], ['', 'example.org', '81'])
})

test.run()
