import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { serve } from '../../../lib/index.ts'
import { cors, type CorsOptions } from '../../../lib/stack/middleware/index.ts'
import { suite } from '../../support/suite.ts'
import { applicationOf, modes, type Opened } from '../both-modes.ts'
import { ask, inBothModes } from './both-sides.ts'

const test = suite('cors')

const names = ['allow-origin', 'allow-credentials', 'allow-methods', 'allow-headers', 'expose-headers', 'max-age']

interface Answer {
  readonly status: number
  readonly vary: string | null
  /** Those of `names` that are there. */
  readonly fields: Readonly<Record<string, string>>
}

async function answer(opened: Opened, stack: string, path: string, headers: Readonly<Record<string, string>>, method = 'GET'): Promise<Answer> {
  const told = await ask(opened, stack, path, { method, headers })
  const fields = Object.fromEntries(names.flatMap((name) => {
    const value = told.headers.get(`access-control-${name}`)
    return value === null ? [] : [[name, value]]
  }))
  return { status: told.status, vary: told.headers.get('vary'), fields }
}

const preflight = (opened: Opened, stack: string, origin: string, method = 'PUT', path = '/text', more: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  answer(opened, stack, path, { origin, 'access-control-request-method': method, ...more }, 'OPTIONS')

const VARY = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'
const VARY_ANY = 'Access-Control-Request-Method, Access-Control-Request-Headers'
const A = 'https://a.example'
const exposed = { 'expose-headers': 'x-two, x-three' }
const policy = { 'allow-methods': 'GET, HEAD, POST, PUT, DELETE', 'allow-headers': 'x-one, content-type' }

/** Requests that are no preflights: the stack, the origin, the fields. */
const simple: readonly (readonly [stack: string, origin: string | null, vary: string | null, fields: Readonly<Record<string, string>>])[] = [
  // One answer for all, whoever asks: no Vary (Fetch 3.2.5 "CORS protocol and HTTP caches").
  ['cors-any', A, null, { 'allow-origin': '*' }],
  ['cors-any', 'null', null, { 'allow-origin': '*' }],
  ['cors-any', null, null, { 'allow-origin': '*' }],
  ['cors-any-more', A, null, { 'allow-origin': '*', 'expose-headers': '*' }],
  // Else Vary, for requests without an origin too.
  ['cors-list', A, 'Origin', { 'allow-origin': A, ...exposed }],
  ['cors-list', 'http://localhost:3000', 'Origin', { 'allow-origin': 'http://localhost:3000', ...exposed }],
  ['cors-list', 'null', 'Origin', { 'allow-origin': 'null', ...exposed }],
  ['cors-list', null, 'Origin', {}],
  // No origin of the list: scheme, port, case, suffix, list, white space, nonsense.
  ...['http://a.example', 'https://a.example:8443', 'HTTPS://A.EXAMPLE', 'https://a.example.evil.com', 'https://evil.com/https://a.example', 'https://a.example/', 'https://a.example, https://evil.com',
    'https://a.example https://evil.com', 'https://evil-a.example', 'https://xa.example', 'http://localhost', 'NULL', '*', 'a.example', 'https://a.example\u00e9', 'https://a.example:443'].map((origin) => ['cors-list', origin, 'Origin', {}] as const),
  ['cors-credentials', A, 'Origin', { 'allow-origin': A, 'allow-credentials': 'true' }],
  ['cors-credentials', 'https://b.example', 'Origin', {}],
  ['cors-credentials', 'null', 'Origin', {}],
  ['cors-function', 'https://b.example', 'Origin', { 'allow-origin': 'https://b.example' }],
  ['cors-function', 'https://b.evil', 'Origin', {}],
  // What is no origin is not even asked about.
  ['cors-function', 'https://evil.com/.example', 'Origin', {}],
  ['cors-function', 'evil.example', 'Origin', {}],
]

inBothModes(test, 'who may read an answer gets access-control-allow-origin, and no other (Fetch 3.2.3, 3.2.5)', async (opened) => {
  for (const [stack, origin, vary, fields] of simple) {
    for (const method of ['GET', 'DELETE']) {
      assert.equal(await answer(opened, stack, '/text', origin === null ? {} : { origin }, method), { status: 200, vary, fields }, `${stack} ${origin}`)
    }
  }
})

inBothModes(test, 'a preflight is answered with 204 and the policy (Fetch 3.2.2, 3.2.3), whatever it asks for', async (opened) => {
  for (const method of ['GET', 'PUT', 'PATCH', 'EVIL']) {
    assert.equal(await preflight(opened, 'cors-list', A, method), { status: 204, vary: VARY, fields: { 'allow-origin': A, ...policy } })
  }
  assert.equal(await preflight(opened, 'cors-list', A, 'PUT', '/text', { 'access-control-request-headers': 'x-evil,x-one' }), { status: 204, vary: VARY, fields: { 'allow-origin': A, ...policy } })
  assert.equal(await preflight(opened, 'cors-list', A, 'PUT', '/nowhere'), { status: 204, vary: VARY, fields: { 'allow-origin': A, ...policy } })
  assert.equal(await preflight(opened, 'cors-any', A), { status: 204, vary: VARY_ANY, fields: { 'allow-origin': '*', 'allow-methods': 'GET, HEAD, POST' } })
  assert.equal(await preflight(opened, 'cors-any-more', A), { status: 204, vary: VARY_ANY, fields: { 'allow-origin': '*', 'allow-methods': '*', 'allow-headers': '*', 'max-age': '60' } })
  assert.equal(await preflight(opened, 'cors-credentials', A), { status: 204, vary: VARY, fields: { 'allow-origin': A, 'allow-credentials': 'true', 'allow-methods': 'GET, HEAD, POST, PUT' } })
})

inBothModes(test, 'a preflight of an origin that may not is answered without the fields', async (opened) => {
  for (const origin of ['https://evil.com', 'https://a.example:8443', 'x']) assert.equal(await preflight(opened, 'cors-list', origin), { status: 204, vary: VARY, fields: {} })
  assert.equal(await preflight(opened, 'cors-credentials', 'null'), { status: 204, vary: VARY, fields: {} })
  assert.equal(await preflight(opened, 'cors-function', 'https://b.example', 'PUT', '/other'), { status: 204, vary: VARY, fields: {} })
})

inBothModes(test, 'OPTIONS that is no preflight is passed on', async (opened) => {
  assert.equal(await answer(opened, 'cors-list', '/nowhere', { origin: A }, 'OPTIONS'), { status: 404, vary: 'Origin', fields: { 'allow-origin': A, ...exposed } })
  assert.equal(await answer(opened, 'cors-list', '/nowhere', { 'access-control-request-method': 'PUT' }, 'OPTIONS'), { status: 404, vary: 'Origin', fields: {} })
  assert.equal(await answer(opened, 'cors-list', '/nowhere', { origin: A, 'access-control-request-method': 'PUT' }, 'POST'), { status: 404, vary: 'Origin', fields: { 'allow-origin': A, ...exposed } })
})

inBothModes(test, 'errors from beneath can be read like any other answer', async (opened) => {
  for (const [path, status] of [['/fails', 500], ['/denied', 403], ['/nowhere', 404]] as const) {
    assert.equal(await answer(opened, 'cors-list', path, { origin: A }), { status, vary: 'Origin', fields: { 'allow-origin': A, ...exposed } })
  }
  assert.equal(await answer(opened, 'cors-refusing', '/text', { origin: A, host: 'evil.com' }), { status: 400, vary: 'Origin', fields: { 'allow-origin': A } })
})

inBothModes(test, 'Vary is added to what the view says, and what the view allows itself stays', async (opened) => {
  assert.equal(await answer(opened, 'cors-list', '/own', { origin: A }), { status: 200, vary: 'accept-encoding, Origin', fields: { 'allow-origin': 'https://own.example' } })
  assert.is((await answer(opened, 'cors-list', '/vary', { origin: A })).vary, '*')
})

const refused: readonly (readonly [CorsOptions, RegExp])[] = [
  [{ origins: '*', credentials: true }, /^origins with credentials /],
  [{ origins: ['null'], credentials: true }, /^origins with credentials /],
  [{ origins: [A], credentials: true, methods: '*' }, /^methods with credentials /],
  [{ origins: [A], credentials: true, headers: '*' }, /^headers with credentials /],
  [{ origins: [A], credentials: true, exposedHeaders: '*' }, /^exposedHeaders with credentials /],
  ...['*', 'https://a.example/', 'https://a.example:443', 'https://A.example', 'a.example', 'https://*.a.example/', '', 'https://a.example,https://b.example', 'https://a b', 'https://a\r\nb'].map((origin) => [{ origins: [origin] }, /^origins /] as const),
  [{ origins: 'https://a.example' as '*' }, /^origins /],
  [{ origins: [A], methods: ['PUT', 'a b'] }, /^methods /],
  [{ origins: [A], headers: ['x: y'] }, /^headers /],
  [{ origins: [A], headers: ['*'] }, /^headers /],
  [{ origins: [A], exposedHeaders: ['a\r\nset-cookie'] }, /^exposedHeaders /],
  [{ origins: [A], methods: 'PUT' as '*' }, /^methods /],
  [{ origins: [A], maxAge: -1 }, /^maxAge /],
  [{ origins: [A], maxAge: 1.5 }, /^maxAge /],
]

test('options that a browser would not take, or that would let all origins read with cookies, are refused when the layer is made', () => {
  for (const [options, message] of refused) {
    assert.throws(() => cors(options), (error: { code?: string; message: string }) => error.code === 'ERR_TSGI_INVALID_OPTION' && message.test(error.message), JSON.stringify(options))
  }
  for (const origins of [[], ['chrome-extension://abcdef'], ['http://[::1]:3000'], ['https://xn--bcher-kva.example']]) cors({ origins })
})

test.needing(['curl'], () => {
  for (const mode of modes) {
    test(`curl gets the same over a socket (${mode} mode)`, async (t) => {
      const server = await serve((await applicationOf('../middleware/modules/layers', mode)).app, { port: 0, lifespan: 'off', accessLog: false })
      t.after(() => server.close())
      const curl = async (...args: readonly string[]): Promise<readonly string[]> => {
        const { stdout } = await promisify(execFile)('curl', ['-q', '-sSi', '--max-time', '5', '-H', 'x-stack: cors-list', ...args, `${server.url}/text`])
        return stdout.split('\r\n').filter((line) => /^(?:HTTP|vary|access-control|content-length)/i.test(line)).sort()
      }
      assert.equal(await curl('-X', 'OPTIONS', '-H', `origin: ${A}`, '-H', 'access-control-request-method: PUT'), [
        'HTTP/1.1 204 No Content', `access-control-allow-headers: ${policy['allow-headers']}`, `access-control-allow-methods: ${policy['allow-methods']}`, `access-control-allow-origin: ${A}`, `vary: ${VARY}`,
      ])
      assert.equal(await curl('-H', 'origin: https://evil.com'), ['HTTP/1.1 200 OK', 'content-length: 4', 'vary: Origin'])
      assert.equal((await curl('-H', `origin: ${A}`, '-H', 'origin: https://evil.com')).filter((line) => line.startsWith('access')), [])
    })
  }
})

test.run()
