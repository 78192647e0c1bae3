import * as assert from 'uvu/assert'
import { securityHeaders } from '../../../lib/stack/middleware/index.ts'
import { suite } from '../../support/suite.ts'
import { ask, inBothModes, type Told } from './both-sides.ts'

const test = suite('securityHeaders')

const defaults = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "base-uri 'self'; frame-ancestors 'self'; object-src 'none'",
  'referrer-policy': 'strict-origin-when-cross-origin',
  'x-frame-options': 'SAMEORIGIN',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}
const all = [...Object.keys(defaults), 'strict-transport-security', 'content-security-policy-report-only', 'cross-origin-embedder-policy', 'permissions-policy']

const found = ({ headers }: Told): Record<string, string> => Object.fromEntries(all.flatMap((name) => {
  const value = headers.get(name)
  return value === null ? [] : [[name, value]]
}))

inBothModes(test, 'the default fields are set once, on errors too', async (opened) => {
  for (const [path, status] of [['/text', 200], ['/fails', 500], ['/denied', 403], ['/nowhere', 404]] as const) {
    const told = await ask(opened, 'secure', path)
    assert.is(told.status, status)
    assert.equal(found(told), defaults, path)
  }
})

inBothModes(test, 'Strict-Transport-Security is sent over https only (RFC 6797 7.2)', async (opened) => {
  assert.is((await ask(opened, 'secure', 'https://a.example/text')).headers.get('strict-transport-security'), 'max-age=31536000; includeSubDomains')
  assert.is((await ask(opened, 'secure', 'http://a.example/text')).headers.get('strict-transport-security'), null)
})

inBothModes(test, 'what a view has set stays', async (opened) => {
  const told = found(await ask(opened, 'secure', 'https://a.example/own'))
  assert.equal(told, { ...defaults, 'content-security-policy': "default-src 'none'", 'referrer-policy': 'no-referrer', 'x-frame-options': 'DENY', 'strict-transport-security': 'max-age=0' })
})

inBothModes(test, 'fields can be other ones, left out, or made for each request once the view has answered', async (opened) => {
  const { 'content-security-policy': _policy, 'x-frame-options': _frame, ...rest } = defaults
  const expected = { ...rest, 'content-security-policy-report-only': "default-src 'self'", 'permissions-policy': 'camera=()', 'cross-origin-embedder-policy': 'require-corp' }
  assert.equal(found(await ask(opened, 'secure-own', '/text')), expected)
  assert.equal(found(await ask(opened, 'secure-own', '/text?nonce')), { ...expected, 'content-security-policy': "script-src 'nonce-abc'" })
})

test('a value that no field can have is refused when the layer is made', () => {
  for (const value of ['a\r\nset-cookie: b', 'a\0', 'ünï€', 5, {}]) {
    assert.throws(() => securityHeaders({ contentSecurityPolicy: value as string }), (error: { code?: string; message: string }) => error.code === 'ERR_TSGI_INVALID_OPTION' && error.message.startsWith('contentSecurityPolicy '), String(value))
  }
})

test.run()
