import * as assert from 'uvu/assert'
import { csrf, Signer, type CsrfOptions } from '../../../lib/stack/middleware/index.ts'
import { suite } from '../../support/suite.ts'
import type { Opened } from '../both-modes.ts'
import { ask, cookieOf, inBothModes, type Told } from './keeping.ts'
import { KEY } from './modules/keeping.ts'

const test = suite('csrf')
const kinds = ['sync', 'async', 'neutral'] as const
const URLENCODED = { 'content-type': 'application/x-www-form-urlencoded' }

/** The stacks under test: with a session, and with a cookie of its own. */
const stacks = [
  { stack: 'csrf', header: 'x-csrf-token', field: 'csrfToken', renew: 'renew' },
  { stack: 'cookie', header: 'x-token', field: 'token', renew: 'renewCsrf' },
] as const

/** A page with a token. */
async function page(opened: Opened, stack: string, headers: Readonly<Record<string, string>> = {}, path = '/act/sync?do=token'): Promise<{ readonly token: string; readonly cookie: string; readonly told: Told }> {
  const told = await ask(opened, stack, path, { headers })
  return { token: told.text, cookie: cookieOf(told) ?? '', told }
}

/** What a POST is answered with; of a refusal the reason. */
async function post(opened: Opened, stack: string, cookie: string | undefined, headers: Readonly<Record<string, string>>, body?: string, path = '/act/async'): Promise<string> {
  const { status, text } = await ask(opened, stack, path, { method: 'POST', headers, cookie, ...(body === undefined ? {} : { body }) })
  return status === 403 ? text.trim().replace('403 Forbidden: CSRF: ', '') : String(status)
}

inBothModes(test, 'a token of a page is taken from the header field and from the form, in views of every kind', async (opened) => {
  for (const { stack, header, field } of stacks) {
    for (const kind of kinds) {
      const { token, cookie } = await page(opened, stack, {}, `/act/${kind}?do=token`)
      assert.match(token, /^[\w-]{86}$/)
      assert.is(await post(opened, stack, cookie, { [header]: token }), '200')
      assert.is(await post(opened, stack, cookie, URLENCODED, `a=1&${field}=${token}`), '200')
      for (const method of ['PUT', 'DELETE', 'PATCH', 'BREW']) assert.is((await ask(opened, stack, '/act/sync', { method, cookie, headers: { [header]: token } })).status, 200)
    }
  }
})

inBothModes(test, 'the form is there for the view, of either kind; a multipart one too', async (opened) => {
  for (const { stack, field } of stacks) {
    const { token, cookie } = await page(opened, stack)
    for (const path of ['/form/sync', '/form/async']) {
      const form = new FormData()
      form.set('text', 'grün')
      form.set(field, token)
      for (const body of [new URLSearchParams({ text: 'grün', [field]: token }), form]) assert.equal((await ask(opened, stack, path, { method: 'POST', cookie, body })).text, 'grün')
    }
  }
})

inBothModes(test, 'methods that are safe (RFC 9110 9.2.1) need no token, wherever they come from', async (opened) => {
  for (const { stack } of stacks) {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE']) assert.is((await ask(opened, stack, '/act/sync', { method, headers: { 'sec-fetch-site': 'cross-site', 'origin': 'https://evil.example' } })).status, 200)
  }
})

inBothModes(test, 'without a cookie, without a token, and with a wrong one the answer is 403, and the view is not asked', async (opened) => {
  for (const { stack, header, field } of stacks) {
    const { token, cookie } = await page(opened, stack)
    const other = await page(opened, stack)
    opened.trace.take()
    assert.is(await post(opened, stack, undefined, { [header]: token }), 'there is no cookie that a token could belong to')
    assert.is(await post(opened, stack, cookie, {}), 'there is no token')
    assert.is(await post(opened, stack, cookie, URLENCODED, 'a=1'), 'there is no token')
    assert.is(await post(opened, stack, cookie, { 'content-type': 'application/json' }, JSON.stringify({ [field]: token })), 'there is no token')
    for (const wrong of ['', 'x', other.token, `${token}AA`, token.slice(2), 'A'.repeat(86), 'x'.repeat(5000), 'é'.repeat(43)]) {
      assert.is(await post(opened, stack, cookie, { [header]: wrong }), 'the token is wrong', wrong)
      assert.is(await post(opened, stack, cookie, URLENCODED, new URLSearchParams({ [field]: wrong }).toString()), 'the token is wrong', wrong)
    }
    assert.not.ok(opened.trace.take().some(([what]) => what === 'view'))
    await post(opened, stack, cookie, { [header]: token })
    assert.ok(opened.trace.events.includes('view'))
  }
})

inBothModes(test, 'a change at any place of the token or of the cookie is refused', async (opened) => {
  for (const { stack, header } of stacks) {
    const { token, cookie } = await page(opened, stack)
    for (let i = 0; i < token.length - 1; i++) assert.is(await post(opened, stack, cookie, { [header]: token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1) }), 'the token is wrong')
    for (let i = cookie.indexOf('=') + 1; i < cookie.length; i++) {
      assert.is(await post(opened, stack, cookie.slice(0, i) + (cookie[i] === 'A' ? 'B' : 'A') + cookie.slice(i + 1), { [header]: token }), 'there is no cookie that a token could belong to')
    }
  }
}, 30)

inBothModes(test, 'each token is another text, so that compression tells nothing of it (BREACH), and all of them count', async (opened) => {
  for (const { stack, header } of stacks) {
    const { text, cookies } = await ask(opened, stack, '/act/sync?do=token&do=token&do=token')
    const tokens = text.split('\n')
    assert.is(new Set(tokens.flatMap((token) => [token.slice(0, 43), token.slice(43)])).size, 6)
    for (const token of tokens) assert.is(await post(opened, stack, cookies[0]?.split(';')[0], { [header]: token }), '200')
  }
})

inBothModes(test, 'sec-fetch-site and origin tell where a request comes from, before any token', async (opened) => {
  const site = 'it comes from another site'
  const origin = 'it comes from another origin'
  const rows: readonly (readonly [url: string, headers: Readonly<Record<string, string>>, found: string])[] = [
    ['http://own.example', { 'sec-fetch-site': 'cross-site' }, site],
    ['http://own.example', { 'sec-fetch-site': 'cross-site', 'origin': 'http://own.example' }, site],
    ['http://own.example', { 'sec-fetch-site': 'same-origin', 'origin': 'null' }, '200'],
    ['http://own.example', { 'sec-fetch-site': 'none' }, '200'],
    ['http://own.example', { 'sec-fetch-site': 'same-site', 'origin': 'http://sub.own.example' }, origin],
    ['http://own.example', { 'sec-fetch-site': 'same-site', 'origin': 'http://own.example' }, '200'],
    ['http://own.example', { origin: 'http://own.example' }, '200'],
    ['http://own.example', { origin: 'http://OWN.example' }, origin],
    ['http://own.example:80', { origin: 'http://own.example' }, '200'],
    ['http://own.example:8080', { origin: 'http://own.example:8080' }, '200'],
    ['http://own.example:8080', { origin: 'http://own.example' }, origin],
    ['http://own.example', { origin: 'https://own.example' }, origin],
    ['http://own.example', { origin: 'http://evil.example' }, origin],
    ['http://own.example', { origin: 'http://own.example.evil' }, origin],
    ['http://own.example', { origin: 'null' }, origin],
    ['http://own.example', { origin: '' }, origin],
    ['http://own.example', { referer: 'http://evil.example/' }, '200'], // as in Django: over HTTP anybody between could leave it out
    ['http://own.example', { origin: 'https://other.example', 'sec-fetch-site': 'cross-site' }, '200'],
    ['http://own.example', { origin: 'https://a.b.trusted.example' }, '200'],
    ['http://own.example', { origin: 'https://trusted.example' }, origin],
    ['http://own.example', { origin: 'http://a.trusted.example' }, origin],
    ['http://own.example', { origin: 'https://a.trusted.example:444' }, origin],
    ['http://own.example', { origin: 'https://eviltrusted.example' }, origin],
    ['https://own.example', {}, 'it says neither its origin nor its referer'],
    ['https://own.example', { referer: 'about:blank' }, 'it says neither its origin nor its referer'],
    ['https://own.example', { referer: 'https://own.example/page?a' }, '200'],
    ['https://own.example', { referer: 'http://own.example/page' }, 'it comes from another page'],
    ['https://own.example', { referer: 'https://own.example.evil/' }, 'it comes from another page'],
    ['https://own.example', { referer: 'https://own.example@evil.example/' }, 'it comes from another page'],
    ['https://own.example', { referer: 'https://other.example/page' }, '200'],
    ['https://own.example', { origin: 'https://evil.example', referer: 'https://own.example/' }, origin],
    ['https://own.example', { 'sec-fetch-site': 'same-origin' }, '200'],
  ]
  for (const [url, headers, found] of rows) {
    const { text: token, cookies } = await ask(opened, 'csrf', `${url}/act/sync?do=token`)
    const cookie = cookies[0]?.split(';')[0]
    assert.is(await post(opened, 'csrf', cookie, { ...headers, 'x-csrf-token': token }, undefined, `${url}/act/sync`), found, `${url} ${JSON.stringify(headers)}`)
    if (found === '200') assert.is(await post(opened, 'csrf', cookie, headers, undefined, `${url}/act/sync`), 'there is no token')
  }
})

inBothModes(test, 'routes that are exempt need neither token nor origin; those beside them do', async (opened) => {
  assert.is(await post(opened, 'csrf', undefined, { origin: 'https://evil.example' }, undefined, '/hooks/payment'), '200')
  for (const path of ['/hooks/', '/hooks/a/b', '/hooks', '/act/hooks']) assert.is(await post(opened, 'csrf', undefined, {}, undefined, path), 'there is no cookie that a token could belong to', path)
})

inBothModes(test, 'a log-in makes old tokens void: renew() of the session, renewCsrf() without one', async (opened) => {
  for (const { stack, header, renew } of stacks) {
    const { token, cookie } = await page(opened, stack)
    const login = await ask(opened, stack, `/act/sync?do=${renew}&do=token`, { cookie })
    const after = cookieOf(login)
    assert.is(await post(opened, stack, after, { [header]: token }), 'the token is wrong')
    assert.is(await post(opened, stack, after, { [header]: login.text }), '200')
  }
})

inBothModes(test, 'the form of a log-in is protected before anybody is logged in (login CSRF)', async (opened) => {
  const { token, cookie, told } = await page(opened, 'csrf')
  assert.is(told.headers.get('cache-control'), 'no-store')
  assert.is(await post(opened, 'csrf', cookie, {}), 'there is no token')
  // The attacker's own token does not fit the cookie of the victim.
  const { token: attackers } = await page(opened, 'csrf')
  assert.is(await post(opened, 'csrf', cookie, { 'x-csrf-token': attackers }), 'the token is wrong')
  assert.is(await post(opened, 'csrf', cookie, { 'x-csrf-token': token }), '200')
})

inBothModes(test, 'the secret of tokens is none of the values of the session, and ends with it', async (opened) => {
  const { cookie } = await page(opened, 'csrf')
  assert.is((await ask(opened, 'csrf', '/act/sync?do=get', { cookie })).text, '[]')
  assert.match((await ask(opened, 'csrf', '/act/sync?do=clear', { cookie })).cookies[0] ?? '', /^session=;.*Max-Age=0/)
})

inBothModes(test, 'the cookie of its own is signed, not for scripts, and set once', async (opened) => {
  const { cookie, told } = await page(opened, 'cookie')
  assert.match(told.cookies[0] ?? '', /^csrf=[\w.-]+; Max-Age=31536000; Path=\/; HttpOnly; SameSite=Lax$/)
  assert.equal([told.headers.get('vary'), told.headers.get('cache-control')], ['Cookie', 'no-store'])
  const again = await ask(opened, 'cookie', '/act/async?do=token', { cookie })
  assert.equal([again.cookies, again.headers.get('vary'), again.headers.get('cache-control')], [[], 'Cookie', null])
  const unused = await ask(opened, 'cookie', '/act/async')
  assert.equal([unused.cookies, unused.headers.get('vary')], [[], null])
  assert.match((await ask(opened, 'cookie', 'https://own.example/act/sync?do=token')).cookies[0] ?? '', /^__Host-csrf=[\w.-]+; Max-Age=31536000; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
})

inBothModes(test, 'the cookie of its own is prolonged by use, with the same secret, and ends', async (opened) => {
  const secret = Buffer.alloc(32, 5).toString('base64url')
  const aged = (days: number): string => `csrf=${new Signer({ keys: KEY, purpose: 'tsgi.csrf', now: () => Date.now() - days * 86_400_000 }).sign(secret)}`
  assert.equal((await ask(opened, 'cookie', '/act/sync?do=token', { cookie: aged(30) })).cookies, [])
  const prolonged = await ask(opened, 'cookie', '/act/sync?do=token', { cookie: aged(40) })
  assert.is.not(cookieOf(prolonged), undefined)
  assert.is(await post(opened, 'cookie', aged(40), { 'x-token': prolonged.text }), '200')
  assert.is(await post(opened, 'cookie', aged(366), { 'x-token': prolonged.text }), 'there is no cookie that a token could belong to')
})

inBothModes(test, 'a cookie that is bound to one session counts for no other (OWASP, signed double submit)', async (opened) => {
  const { token, cookie } = await page(opened, 'cookie', { 'x-user': 'mallory' })
  assert.is(await post(opened, 'cookie', cookie, { 'x-user': 'mallory', 'x-token': token }), '200')
  // Set into a victim's browser by somebody who has a subdomain.
  for (const user of ['ann', '']) assert.is(await post(opened, 'cookie', cookie, { 'x-user': user, 'x-token': token }), 'there is no cookie that a token could belong to')
})

inBothModes(test, 'csrfInput gives a hidden input with the field of the options', async (opened) => {
  for (const { stack, field } of stacks) {
    const { text, cookies } = await ask(opened, stack, '/act/async?do=input')
    const [, name = '', token = ''] = /^<input type="hidden" name="([^"]+)" value="([\w-]{86})">$/.exec(text) ?? []
    assert.is(name, field)
    assert.is(await post(opened, stack, cookies[0]?.split(';')[0], URLENCODED, `${field}=${token}`), '200')
  }
})

inBothModes(test, 'a malformed form and a malformed host are 400, not 403', async (opened) => {
  const { cookie } = await page(opened, 'csrf')
  assert.is(await post(opened, 'csrf', cookie, { 'content-type': 'multipart/form-data' }, 'x'), '400')
  assert.is(await post(opened, 'csrf', cookie, { origin: 'http://own.example', host: 'a b' }), '400')
})

inBothModes(test, 'without keys or sessions, and without the layer, the error says what is missing', async (opened) => {
  assert.is((await ask(opened, 'keyless', '/act/sync')).status, 500)
  for (const kind of kinds) assert.is((await ask(opened, 'session', `/act/${kind}?do=token`)).status, 500)
  assert.is((await ask(opened, 'session', '/act/sync')).status, 200)
})

test('options that cannot be are an InvalidOption that names them', () => {
  const rows: readonly (readonly [CsrfOptions, RegExp])[] = [
    [{ keys: 'short' }, /^keys must/], [{ field: '"' }, /^field must/], [{ header: 'a b' }, /^header must/], [{ maxAge: 0 }, /^maxAge must/], [{ bound: 'x' as unknown as () => string }, /^bound must/],
    [{ exempt: ['hooks'] }, /pattern of a route/], [{ exempt: '/a' as unknown as string[] }, /^exempt must/],
    ...['other.example', 'https://other.example/', 'https://other.example/a', 'https://Other.example', 'null', '*', 'https://*', 'https://other.example:443', 'ftp://a'].map((origin) => [{ trustedOrigins: [origin] }, /^trustedOrigins must/] as const),
  ]
  for (const [options, message] of rows) assert.throws(() => csrf(options), message, JSON.stringify(options))
})

test.run()
