import * as assert from 'uvu/assert'
import { InvalidResponse } from '../../lib/contract/errors.ts'
import { parseCookies, type CookieOptions } from '../../lib/stack/cookies.ts'
import { HttpResponse } from '../../lib/stack/response.ts'
import { suite } from '../support/suite.ts'

const test = suite('stack/cookies')

const invalid = (body: () => unknown, what?: string): void => assert.throws(body, (error: unknown) => error instanceof InvalidResponse, what)

test('RFC 6265 5.4: cookies of a request; of a repeated name the first counts; quotes around a value are not part of it', () => {
  const rows: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
    ['a=1; b=2', [['a', '1'], ['b', '2']]],
    ['a=1;b=2;', [['a', '1'], ['b', '2']]],
    ['  a = 1 ', [['a', '1']]],
    ['a=1; a=2', [['a', '1']]],
    ['a="x y"; b="', [['a', 'x y'], ['b', '"']]],
    ['a=b=c; d=', [['a', 'b=c'], ['d', '']]],
    ['a=%C3%A4', [['a', '%C3%A4']]],
    ['a=\xc3\xa4', [['a', 'ä']]],
    ['__proto__=1; constructor=2', [['__proto__', '1'], ['constructor', '2']]],
  ]
  for (const [field, expected] of rows) assert.equal([...parseCookies([field])], expected, field)
  assert.equal([...parseCookies(['a=1', 'a=2; b=3'])], [['a', '1'], ['b', '3']])
})

test('malformed cookies are passed over, and spoil no other', () => {
  for (const bad of ['x', '=x', '=__Host-a=1', 'a b=1', 'ä=1', '\xc3\xa4=1', 'x=\xff', 'x=a\x01', ';', ';;', '', 'a,b"=1']) {
    assert.equal([...parseCookies([`${bad}; good=1; ${bad}`])], [['good', '1']], JSON.stringify(bad))
  }
})

test('random cookie fields never throw', () => {
  let seed = 3
  for (let round = 0; round < 5000; round++) {
    let field = ''
    for (let i = 0; i < 20; i++) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
      field += 'ab=;" \t,\\%\x80\xff\x00é'[Math.floor(seed / 2 ** 32 * 15)] ?? ''
    }
    for (const [name] of parseCookies([field])) assert.match(name, /^[!-~]+$/)
  }
})

test('RFC 6265 4.1: each cookie is a set-cookie field of its own, with its attributes', () => {
  const rows: readonly (readonly [CookieOptions | undefined, string])[] = [
    [undefined, 'a=1; Path=/'],
    [{ maxAge: 60, path: '/x' }, 'a=1; Max-Age=60; Path=/x'],
    [{ expires: new Date(0), domain: 'example.org' }, 'a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=example.org; Path=/'],
    [{ secure: true, httpOnly: true, sameSite: 'lax' }, 'a=1; Path=/; Secure; HttpOnly; SameSite=Lax'],
    [{ sameSite: 'none' }, 'a=1; Path=/; Secure; SameSite=None'],
  ]
  for (const [options, expected] of rows) {
    const response = new HttpResponse()
    response.setCookie('a', '1', options)
    assert.equal([...response.headers], [['set-cookie', expected]])
  }
})

test('a cookie replaces one of the same name, domain and path, and no other', () => {
  const response = new HttpResponse()
  response.setCookie('a', '1')
  response.setCookie('b', '1')
  response.setCookie('a', '2', { path: '/x' })
  response.setCookie('a', '3', { domain: 'example.org' })
  response.setCookie('a', '4')
  assert.equal(response.headers.getAll('set-cookie'), ['b=1; Path=/', 'a=2; Path=/x', 'a=3; Domain=example.org; Path=/', 'a=4; Path=/'])
  response.deleteCookie('a')
  response.deleteCookie('a', { path: '/x' })
  assert.equal(response.headers.getAll('set-cookie'), [
    'b=1; Path=/', 'a=3; Domain=example.org; Path=/',
    'a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/', 'a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/x',
  ])
})

test('__Host- and __Secure- cookies are made as browsers want them, or refused', () => {
  const response = new HttpResponse()
  response.setCookie('__Host-a', '1')
  response.deleteCookie('__Secure-b')
  assert.equal(response.headers.getAll('set-cookie'), ['__Host-a=1; Path=/; Secure', '__Secure-b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; Secure'])
  invalid(() => response.setCookie('__Host-a', '1', { path: '/x' }))
  invalid(() => response.setCookie('__Host-a', '1', { domain: 'example.org' }))
  invalid(() => response.setCookie('__Secure-a', '1', { secure: false }))
  invalid(() => response.setCookie('a', '1', { sameSite: 'none', secure: false }))
})

test('what no cookie can have is InvalidResponse, and the response stays as it was', () => {
  const response = new HttpResponse()
  for (const name of ['', 'a b', 'a=b', 'a;b', 'ä', 'a\r\nb', '"a"']) invalid(() => response.setCookie(name, '1'), name)
  for (const value of ['a b', 'a;b', 'a,b', 'a"b', 'a\\b', 'ä', 'a\r\nset-cookie: b=1', '"a', '\0']) invalid(() => response.setCookie('a', value), value)
  for (const options of [{ path: 'x' }, { path: '/;Secure' }, { path: '/\r\n' }, { domain: 'a;b' }, { domain: '' }, { maxAge: 1.5 }, { maxAge: NaN }, { expires: new Date(NaN) }, { sameSite: 'x' as 'lax' }]) invalid(() => response.setCookie('a', '1', options), JSON.stringify(options))
  assert.is(response.headers.length, 0)
  response.setCookie('a', '"quoted"')
  assert.is(response.headers.get('set-cookie'), 'a="quoted"; Path=/')
})

test.run()
