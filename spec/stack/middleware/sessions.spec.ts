import { writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { HttpResponse, route, Stack } from '../../../lib/stack/index.ts'
import { session, sessions, Signer, type SessionsOptions } from '../../../lib/stack/middleware/index.ts'
import { testClient } from '../../../lib/testing/index.ts'
import { suite } from '../../support/suite.ts'
import { ask, cookieOf, inBothModes, revokedIds } from './keeping.ts'
import { KEY, NEW_KEY } from './modules/keeping.ts'

const test = suite('sessions')
const kinds = ['sync', 'async', 'neutral'] as const
const now = (): number => Math.floor(Date.now() / 1000)

/** A cookie as the layer makes it, of any time. */
function forged(values: object, given: { readonly age?: number; readonly created?: number; readonly key?: string | Buffer; readonly purpose?: string } = {}): string {
  const { age = 0, key = KEY, purpose = 'tsgi.session' } = given
  return `session=${new Signer({ keys: key, purpose, now: () => (now() - age) * 1000 }).sign(JSON.stringify({ i: 'an id', c: given.created ?? now() - age, v: values }))}`
}

const ANN = '[["user","ann"]]'

inBothModes(test, 'what one request sets, the next one gets, in views of every kind', async (opened) => {
  for (const kind of kinds) {
    const set = await ask(opened, 'session', `/act/${kind}?do=set:user:ann&do=get`)
    assert.is(set.text, ANN)
    assert.match(set.cookies[0] ?? '', /^session=[\w.-]+; Max-Age=1209600; Path=\/; HttpOnly; SameSite=Lax$/)
    assert.equal([set.headers.get('vary'), set.headers.get('cache-control')], ['Cookie', 'no-store'])
    for (const other of kinds) {
      const got = await ask(opened, 'session', `/act/${other}?do=get&do=has:user`, { cookie: cookieOf(set) })
      assert.equal([got.text, got.cookies, got.headers.get('vary'), got.headers.get('cache-control')], [`${ANN}\ntrue`, [], 'Cookie', null])
    }
  }
})

inBothModes(test, 'a response is told apart by cookies only where somebody has looked at the session', async (opened) => {
  for (const cookie of [undefined, forged({ user: 'ann' }), forged({ user: 'ann' }, { age: 600_000 }), 'session=x']) {
    const { cookies, headers } = await ask(opened, 'session', '/act/async', { cookie })
    assert.equal([cookies, headers.get('vary'), headers.get('cache-control')], [[], null, null])
  }
})

inBothModes(test, 'the cookie is set when something has changed, within a value too, and not when all is as before', async (opened) => {
  const cookie = cookieOf(await ask(opened, 'session', '/act/sync?do=list:list&do=set:a:1'))
  for (const kind of kinds) {
    assert.equal((await ask(opened, 'session', `/act/${kind}?do=set:a:1`, { cookie })).cookies, [])
    assert.equal((await ask(opened, 'session', `/act/${kind}?do=delete:b&do=set:c:2&do=delete:c`, { cookie })).cookies, [])
    const pushed = await ask(opened, 'session', `/act/${kind}?do=push:list:x`, { cookie })
    assert.is((await ask(opened, 'session', `/act/${kind}?do=get`, { cookie: cookieOf(pushed) })).text, '[["list",["x"]],["a","1"]]')
  }
})

inBothModes(test, 'names like __proto__ and constructor are names like any other', async (opened) => {
  const set = await ask(opened, 'session', '/act/sync?do=has:constructor&do=set:__proto__:1&do=set:constructor:2&do=get')
  assert.is(set.text, 'false\n[["__proto__","1"],["constructor","2"]]')
  assert.is((await ask(opened, 'session', '/act/async?do=get', { cookie: cookieOf(set) })).text, '[["__proto__","1"],["constructor","2"]]')
})

inBothModes(test, 'layers of both sides and the view share one session', async (opened) => {
  for (const kind of kinds) {
    const { cookies } = await ask(opened, 'mixed', `/act/${kind}?do=set:view:${kind}`)
    const got = await ask(opened, 'session', '/act/sync?do=get', { cookie: cookies[0]?.split(';')[0] })
    assert.equal(JSON.parse(got.text), [['sync', 'down'], ['async', 'down'], ['view', kind], ['asyncUp', 3], ['syncUp', 4]])
  }
})

inBothModes(test, 'a change at any byte of the cookie makes an empty session, never an error', async (opened) => {
  const cookie = forged({ user: 'ann' })
  assert.is((await ask(opened, 'session', '/act/async?do=get', { cookie })).text, ANN)
  const empty = async (changed: string): Promise<void> => {
    const { status, text } = await ask(opened, 'session', '/act/neutral?do=get', { cookie: changed })
    assert.equal([status, text], [200, '[]'], changed)
  }
  for (let i = 'session='.length; i < cookie.length; i++) {
    // The neighbour of a letter differs in the lowest bits, which base64url leaves unused at the end of a signature.
    for (const letter of [cookie[i] === 'A' ? 'B' : 'A', String.fromCharCode(cookie.charCodeAt(i) ^ 1), '%']) await empty(cookie.slice(0, i) + letter + cookie.slice(i + 1))
    await empty(cookie.slice(0, i))
  }
  for (const made of ['session=', 'session=..', `session="${cookie.slice(8, -1)}"`, 'session=é', `session=${'x'.repeat(8000)}`, forged({}, { purpose: 'other' }), forged({}, { key: NEW_KEY })]) await empty(made)
}, 60)

inBothModes(test, 'what is signed and no session is an empty one', async (opened) => {
  const signer = new Signer({ keys: KEY, purpose: 'tsgi.session' })
  for (const text of ['', 'x', 'null', '[]', '{}', '"text"', '{"i":1,"c":1,"v":{}}', '{"i":"a","c":1,"v":null}', '{"i":"a","c":"1","v":{}}', '{"i":"a","c":1,"t":5,"v":{}}']) {
    assert.equal((await ask(opened, 'session', '/act/sync?do=get', { cookie: `session=${signer.sign(text)}` })).text, '[]', text)
  }
})

inBothModes(test, 'a cookie that is not valid is forgotten by who looks at the session', async (opened) => {
  const { cookies, headers } = await ask(opened, 'session', '/act/sync?do=get', { cookie: 'session=bad' })
  assert.equal(cookies, ['session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; HttpOnly; SameSite=Lax'])
  assert.is(headers.get('cache-control'), 'no-store')
})

inBothModes(test, 'over HTTPS the cookie is __Host- and Secure (RFC 6265bis 4.1.3), and one without the prefix is not looked at', async (opened) => {
  const { cookies } = await ask(opened, 'session', 'https://example.com/act/sync?do=set:user:ann')
  assert.match(cookies[0] ?? '', /^__Host-session=[\w.-]+; Max-Age=1209600; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
  const value = forged({ user: 'ann' }).slice('session='.length)
  const got = async (cookie: string): Promise<string> => (await ask(opened, 'session', 'https://example.com/act/sync?do=get', { cookie })).text
  assert.equal([await got(`__Host-session=${value}`), await got(`session=${value}`)], [ANN, '[]'])
  const fixed = await ask(opened, 'fixed', '/act/sync?do=set:user:ann')
  assert.match(fixed.cookies[0] ?? '', /^__Secure-sid=[\w.-]+; Path=\/act; Secure; HttpOnly; SameSite=Strict$/)
})

inBothModes(test, 'a session ends when it was not used for maxAge, and lifetime after it began', async (opened) => {
  const found = async (age: number, created?: number): Promise<boolean> => (await ask(opened, 'short', '/act/async?do=get', { cookie: forged({ user: 'ann' }, { age, ...(created === undefined ? {} : { created: now() - created }) }) })).text === ANN
  assert.equal([await found(0), await found(90), await found(110)], [true, true, false])
  assert.equal([await found(0, 990), await found(0, 1010), await found(50, 1010)], [true, false, false])
  // A clock that was wrong.
  assert.equal([await found(-280), await found(-320)], [true, false])
})

inBothModes(test, 'use prolongs a session when a tenth of maxAge is over, and never past its lifetime', async (opened) => {
  const used = async (stack: string, age: number, created = age): Promise<string> => (await ask(opened, stack, '/act/sync?do=get', { cookie: forged({ user: 'ann' }, { age, created: now() - created }) })).cookies[0] ?? ''
  assert.is(await used('short', 5), '')
  assert.match(await used('short', 15), /; Max-Age=100;/)
  assert.match(await used('short', 15, 940), /; Max-Age=(?:60|59|58);/)
  assert.is(await used('fixed', 50), '')
})

inBothModes(test, 'the time at which a session began stays when it is set again', async (opened) => {
  const { cookies } = await ask(opened, 'short', '/act/sync?do=set:a:1', { cookie: forged({ user: 'ann' }, { age: 20, created: now() - 500 }) })
  const payload = JSON.parse(new Signer({ keys: KEY, purpose: 'tsgi.session' }).unsign(cookies[0]?.split(';')[0]?.slice(8) ?? '')?.value ?? '') as { i: string; c: number }
  assert.is(payload.i, 'an id')
  assert.ok(Math.abs(now() - 500 - payload.c) <= 5)
})

inBothModes(test, 'keys rotate: the first signs, all verify, and a key that is gone ends its sessions', async (opened) => {
  const cookie = cookieOf(await ask(opened, 'session', '/act/sync?do=set:user:ann'))
  assert.is((await ask(opened, 'rotated', '/act/sync?do=get', { cookie })).text, ANN)
  assert.is((await ask(opened, 'retired', '/act/sync?do=get', { cookie })).text, '[]')
  const fresh = cookieOf(await ask(opened, 'rotated', '/act/sync?do=set:more:1', { cookie }))
  assert.is((await ask(opened, 'retired', '/act/async?do=get', { cookie: fresh })).text, '[["user","ann"],["more","1"]]')
  assert.is((await ask(opened, 'session', '/act/async?do=get', { cookie: fresh })).text, '[]')
})

inBothModes(test, 'fixation: renew() gives another id that nobody can know, and keeps what is in the session', async (opened) => {
  const planted = cookieOf(await ask(opened, 'session', '/act/sync?do=set:cart:tea'))
  const before = (await ask(opened, 'session', '/act/async?do=id', { cookie: planted })).text
  for (const kind of kinds) {
    const told = await ask(opened, 'session', `/act/${kind}?do=renew&do=set:user:ann&do=id`, { cookie: planted })
    assert.match(told.text, /^[\w-]{22}$/)
    assert.is.not(told.text, before)
    const after = await ask(opened, 'session', `/act/${kind}?do=id&do=get`, { cookie: cookieOf(told) })
    assert.is(after.text, `${told.text}\n[["cart","tea"],["user","ann"]]`)
    // Who planted the cookie still has what was in it, and no more.
    assert.is((await ask(opened, 'session', `/act/${kind}?do=get`, { cookie: planted })).text, '[["cart","tea"]]')
  }
})

inBothModes(test, 'a log-out forgets the cookie; what is set after it is of another session', async (opened) => {
  const cookie = cookieOf(await ask(opened, 'session', '/act/sync?do=set:user:ann'))
  const id = (await ask(opened, 'session', '/act/sync?do=id', { cookie })).text
  for (const kind of kinds) {
    const out = await ask(opened, 'session', `/act/${kind}?do=clear`, { cookie })
    assert.match(out.cookies[0] ?? '', /^session=; .*Max-Age=0/)
    const again = await ask(opened, 'session', `/act/${kind}?do=clear&do=set:note:bye&do=id`, { cookie })
    assert.is.not(again.text, id)
    assert.is((await ask(opened, 'session', `/act/${kind}?do=get`, { cookie: cookieOf(again) })).text, '[["note","bye"]]')
  }
})

inBothModes(test, 'replay: a copy of a cookie works after the log-out, unless its id is revoked', async (opened) => {
  writeFileSync(revokedIds, '')
  const cookie = cookieOf(await ask(opened, 'revoking', '/act/sync?do=set:user:ann'))
  const id = (await ask(opened, 'revoking', '/act/sync?do=id', { cookie })).text
  await ask(opened, 'revoking', '/act/sync?do=clear', { cookie })
  assert.is((await ask(opened, 'revoking', '/act/async?do=get', { cookie })).text, ANN)
  writeFileSync(revokedIds, `${id}\n`)
  for (const kind of kinds) assert.is((await ask(opened, 'revoking', `/act/${kind}?do=get`, { cookie })).text, '[]')
  assert.is((await ask(opened, 'session', '/act/sync?do=get', { cookie })).text, ANN)
})

inBothModes(test, 'revoked that gives a promise is an error, and lets nobody in', async (opened) => {
  const { status } = await ask(opened, 'promising', '/act/sync?do=get', { cookie: forged({ user: 'ann' }) })
  assert.is(status, 500)
  assert.ok(opened.trace.events.some((event) => event.startsWith('log error')))
})

inBothModes(test, 'more than 4096 bytes are an InvalidResponse, that says what they are', async (opened) => {
  assert.is((await ask(opened, 'session', '/act/sync?do=fill:a:2800')).status, 200)
  const { status, cookies } = await ask(opened, 'session', '/act/sync?do=fill:a:3100')
  assert.equal([status, cookies], [500, []])
})

inBothModes(test, 'what JSON does not have is an InvalidResponse', async (opened) => {
  for (const kind of kinds) assert.is((await ask(opened, 'session', `/act/${kind}?do=function:a`)).status, 500)
})

inBothModes(test, 'a view that fails has changed nothing', async (opened) => {
  const cookie = forged({ user: 'ann' })
  for (const kind of kinds) {
    const { status, cookies } = await ask(opened, 'session', `/act/${kind}?do=set:user:bob&do=fail`, { cookie })
    assert.equal([status, cookies], [500, []])
  }
})

inBothModes(test, 'a response that sets the cookie is kept out of shared caches, and is not made less strict', async (opened) => {
  const rows: readonly (readonly [string, string])[] = [
    ['public, max-age=60, s-maxage=90', 'private, max-age=60'], ['max-age=60', 'private, max-age=60'], ['private', 'private'], ['no-store', 'no-store'],
    ['No-Store, max-age=0', 'No-Store, max-age=0'], ['no-cache', 'private, no-cache'], ['private="x-a", max-age=5', 'private, max-age=5'], ['PUBLIC', 'private'],
  ]
  for (const [given, found] of rows) assert.is((await ask(opened, 'session', `/act/sync?do=set:a:1&cache=${encodeURIComponent(given)}`)).headers.get('cache-control'), found)
})

inBothModes(test, 'without the layer, or with a state that has lost it, session() says what is missing', async (opened) => {
  for (const stack of ['none', 'lost']) {
    for (const kind of kinds) assert.is((await ask(opened, stack, `/act/${kind}?do=get`)).status, 500, `${stack} ${kind}`)
    assert.equal((await ask(opened, stack, '/act/sync')).status, 200)
  }
})

test('the clock is that of the option now, and errors say what is wrong', async (t) => {
  let time = 1_800_000_000
  const errors: unknown[] = []
  const stack = new Stack({
    middleware: [sessions({ keys: KEY, maxAge: 100, lifetime: 250, now: () => time * 1000 })],
    routes: [
      route('/set', async (request) => { session(request).set('a', 1); return new HttpResponse() }),
      route('/get', async (request) => HttpResponse.json(session(request).get('a') ?? null)),
      route('/large', async (request) => { session(request).set('a', 'x'.repeat(5000)); return new HttpResponse() }),
      route('/function', async (request) => { session(request).set('a', () => {}); return new HttpResponse() }),
      route('/circle', async (request) => {
        const circle: { self?: unknown } = {}
        circle.self = circle
        session(request).set('a', circle)
        return new HttpResponse()
      }),
    ],
    log: (_level, _message, error) => errors.push(error),
  })
  const client = await testClient(stack.toAsync(), { raiseApplicationErrors: false })
  t.after(() => client.close())
  const get = async (): Promise<unknown> => (await client.fetch('/get')).json()
  await client.fetch('/set')
  const found: unknown[] = []
  for (const step of [99, 99, 50, 3]) {
    time += step
    found.push(await get())
  }
  assert.equal(found, [1, 1, 1, null])
  for (const path of ['/large', '/function', '/circle']) assert.is((await client.fetch(path)).status, 500)
  assert.equal(errors.map((error) => (error as { code: string }).code), Array.from({ length: 3 }, () => 'ERR_TSGI_INVALID_RESPONSE'))
  const messages = errors.map((error) => (error as Error).message)
  assert.match(messages[0] ?? '', /^the session must be one whose cookie has at most 4096 bytes, or browsers drop it: .*, found [67]\d{3}$/)
  assert.match(messages[1] ?? '', /^the value of a in the session must be what JSON can have, found a function$/)
  assert.match(messages[2] ?? '', /without circles/)
})

test('options that cannot be are an InvalidOption that names them', () => {
  const rows: readonly (readonly [Partial<SessionsOptions>, RegExp])[] = [
    [{ keys: 'short' }, /^keys must/], [{ keys: [] }, /^keys must/], [{ maxAge: 0 }, /^maxAge must/], [{ maxAge: 1.5 }, /^maxAge must/], [{ lifetime: -1 }, /^lifetime must/],
    [{ cookie: 'a b' }, /^cookie must/], [{ cookie: '__Host-a' }, /^cookie must/], [{ sameSite: 'none' }, /^secure with sameSite none must/], [{ sameSite: 'x' as 'lax' }, /^sameSite must/],
    [{ secure: 1 as unknown as boolean }, /^secure must/], [{ revoked: true as unknown as () => boolean }, /^revoked must/],
  ]
  for (const [options, message] of rows) assert.throws(() => sessions({ keys: KEY, ...options }), message)
  assert.not.throws(() => sessions({ keys: KEY, sameSite: 'none', secure: true }))
})

test.run()
