import * as assert from 'uvu/assert'
import guestbook from '../../playground/guestbook/app.ts'
import { database, EXAMPLE_PASSWORD } from '../../playground/guestbook/database.ts'
import { suite } from '../support/suite.ts'
import { ownDatabase, png, sign, Visitor, type Answer } from './guestbook-driver.ts'

const test = suite('playground guestbook')

function logIn(visitor: Visitor): Answer {
  return visitor.post('/login', { csrf: visitor.token('/login'), password: EXAMPLE_PASSWORD })
}

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length
}

test('the list shows the newest entries first, page by page, to which links lead', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  const first = visitor.get('/')
  assert.is(first.status, 200)
  assert.is(first.headers.get('content-length'), String(first.body.length))
  assert.match(first.text, /Aroha[^]*Zoë[^]*Dmitri &#38; Sons/)
  const names: string[] = []
  let next: string | undefined = '/'
  let pages = 0
  while (next !== undefined) {
    const { text } = visitor.get(next)
    names.push(...[...text.matchAll(/<h2><a [^>]*>([^<]*)/g)].map(([, name = '']) => name))
    next = /<a rel="next" href="([^"]+)"/.exec(text)?.[1]
    pages++
  }
  assert.is(names.length, 12)
  assert.is(pages, 3)
  for (const page of ['0', '4', 'x', '-1', '1e0', '']) assert.is(visitor.get(`/?page=${page}`).status, 404, page)
})

test('who only reads gets no cookie', (t) => {
  ownDatabase(t)
  for (const path of ['/', '/entries/1', '/export.csv', '/style.css', '/nothing']) {
    assert.is(new Visitor(guestbook).get(path).headers.get('set-cookie'), undefined, path)
  }
  assert.is(database().get<{ n: number }>('SELECT count(*) AS n FROM sessions')?.n, 0)
})

test('a search finds what contains the text, with pages of its own, and takes % and _ by the letter', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  assert.is(count(visitor.get('/?q=marta').text, /<article/g), 2)
  assert.is(count(visitor.get('/?q=%E6%9C%AD%E5%B9%8C').text, /<article/g), 1)
  const many = visitor.get('/?q=e').text
  assert.match(many, /rel="next" href="\/\?q=e&#38;page=2"/)
  for (const none of ['%25', '_', '%5C', 'no such words']) assert.match(visitor.get(`/?q=${none}`).text, /0 entries with/, none)
  const hostile = visitor.get('/?q=%22%3E%3Cscript%3E')
  assert.is(count(hostile.text, /<script/g), 0)
  assert.match(hostile.text, /value="&#34;&#62;&#60;script&#62;"/)
})

test('signing leads to the entry, with thanks that are shown once', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  const path = sign(visitor, ' Ada\n Lovelace ', 'One\r\ntwo\u0000 <b>&amp;')
  assert.match(visitor.cookie ?? '', /^guestbook=[\w-]{32}$/)
  const { text } = visitor.get(path)
  assert.match(text, /Thank you for signing/)
  assert.match(text, />Ada Lovelace</)
  assert.match(text, /One\ntwo &#60;b&#62;&#38;amp;</)
  assert.not.match(visitor.get(path).text, /Thank you for signing/)
})

test('the cookie is HttpOnly and SameSite, for the mount alone, and Secure over TLS', (t) => {
  ownDatabase(t)
  const plain = new Visitor(guestbook, '/g\xc3\xa4ste; x').get('/sign').headers.get('set-cookie')
  assert.match(plain ?? '', /^guestbook=[\w-]{32}; Path=\/g%C3%A4ste%3B%20x\/; HttpOnly; SameSite=Lax$/)
  const secure = new Visitor(guestbook).request('GET', '/sign', null, '', { 'wsgi.url_scheme': 'https' })
  assert.match(secure.headers.get('set-cookie') ?? '', /; SameSite=Lax; Secure$/)
})

test('a form with mistakes comes back with what was written, and says each', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  const csrf = visitor.token('/sign')
  const rows: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ name: '', message: 'Hello' }, /Please tell your name/],
    [{ name: 'Ada', message: ' \r\n ' }, /Please write a few words/],
    [{ name: 'ä'.repeat(61), message: 'x' }, /This has 61 characters, and 60 is the most/],
    [{ name: 'Ada', message: '😀'.repeat(2001) }, /This has 2001 characters, and 2000 is the most/],
    [{}, /Please tell your name[^]*Please write a few words/],
  ]
  for (const [fields, trouble] of rows) {
    const answer = visitor.post('/sign', { csrf, ...fields })
    assert.is(answer.status, 422)
    assert.match(answer.text, trouble)
    for (const value of Object.values(fields)) assert.ok(answer.text.includes(value.trim()))
  }
  assert.is(visitor.post('/sign', { csrf, name: 'ä'.repeat(60), message: '😀'.repeat(2000) }).status, 303)
})

test('a form without the token of its visitor changes nothing, and loses no words', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  const foreign = new Visitor(guestbook).token('/sign')
  for (const csrf of ['', 'x', foreign]) {
    const answer = visitor.post('/sign', { csrf, name: 'Eve', message: 'Words of Eve' })
    assert.is(answer.status, 403)
    assert.match(answer.text, /Words of Eve/)
    assert.is(visitor.post('/login', { csrf, password: EXAMPLE_PASSWORD }).status, 403)
  }
  assert.match(visitor.get('/?q=Words+of+Eve').text, /0 entries/)
})

test('the owner logs in by the password, gets a new session, deletes, and logs out', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  const wrong = visitor.post('/login', { csrf: visitor.token('/login'), password: 'visitor' })
  assert.is(wrong.status, 422)
  assert.match(wrong.text, /That is not the password/)
  const own = sign(visitor, 'Owner', 'Mine')
  const before = visitor.cookie
  assert.is(logIn(visitor).headers.get('location'), '/')
  assert.is.not(visitor.cookie, before)
  const stale = new Visitor(guestbook)
  stale.cookie = before
  assert.match(stale.get('/').text, /Log in/)
  assert.match(visitor.get(own).text, /Add a picture/)

  assert.is(count(visitor.get('/').text, />Delete</g), 5)
  const csrf = visitor.token('/')
  assert.is(visitor.post('/entries/3/delete', { csrf: '' }).status, 403)
  assert.is(visitor.post('/entries/3/delete', { csrf }).headers.get('location'), '/')
  assert.match(visitor.get('/').text, /The entry by Oyelaran is deleted/)
  assert.is(visitor.get('/entries/3').status, 404)
  assert.is(visitor.post('/entries/3/delete', { csrf }).status, 404)

  assert.is(visitor.post('/logout', { csrf: 'x' }).status, 403)
  assert.is(visitor.post('/logout', { csrf }).status, 303)
  const after = visitor.get('/').text
  assert.match(after, /You are logged out/)
  assert.is(count(after, />Delete</g), 0)
  const guest = new Visitor(guestbook)
  assert.is(guest.post('/entries/4/delete', { csrf: guest.token('/sign') }).status, 403)
  assert.is(visitor.get('/entries/4').status, 200)
})

test('a session that is over is none', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  logIn(visitor)
  database().run('UPDATE sessions SET expires = ?', Date.now() - 1)
  assert.match(visitor.get('/').text, /Log in/)
})

test('a HEAD has the headers of a GET and no body, and closes the file of a picture', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  const entry = sign(visitor, 'Ada', 'Hello')
  visitor.upload(`${entry}/picture`, [['csrf', visitor.token(entry)], ['picture', png, 'a.png']])
  visitor.get(entry)
  for (const path of ['/', entry, `${entry}/picture`, '/export.csv', '/style.css', '/nothing']) {
    const [get, head] = [visitor.get(path), visitor.request('HEAD', path)]
    assert.is(head.status, get.status, path)
    assert.equal(head.headers, get.headers, path)
    assert.is(head.body.length, 0, path)
  }
  let closed = 0
  visitor.request('HEAD', `${entry}/picture`, null, '', { 'wsgi.file_wrapper': (file) => ({ close: () => { closed++, file.close?.() }, [Symbol.iterator]: () => [][Symbol.iterator]() }) })
  assert.is(closed, 1)
})

test('what is not there is a 404, and another method a 405 that names those there are', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  for (const path of ['/nothing', '/entries/', '/entries/0', '/entries/99', '/entries/1/', '/entries/01', '/entries/x', '/entries/9999999999999999', '/export_csv', '//', '/%ff', '/entries/1/picture']) {
    const answer = visitor.get(path)
    assert.is(answer.status, 404, path)
    assert.match(answer.text, /<h1>/)
  }
  const rows = [['POST', '/', 'GET, HEAD'], ['GET', '/logout', 'POST'], ['PUT', '/sign', 'GET, HEAD, POST'], ['OPTIONS', '/entries/1', 'GET, HEAD'], ['toString', '/', 'GET, HEAD']] as const
  for (const [method, path, allow] of rows) {
    const answer = visitor.request(method, path)
    assert.is(answer.status, 405, `${method} ${path}`)
    assert.is(answer.headers.get('allow'), allow)
  }
})

test('mounted at a prefix, every link, form and redirect stays beneath it', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook, '/a b/g\xc3\xa4ste')
  const root = '/a%20b/g%C3%A4ste'
  assert.is(visitor.get('').status, 307)
  assert.is(visitor.get('').headers.get('location'), `${root}/`)
  const entry = sign(visitor, 'Ada', 'Hello')
  assert.is(entry, `${root}/entries/13`)
  assert.is(visitor.upload('/entries/13/picture', [['csrf', visitor.token('/entries/13')], ['picture', png, 'a.png']]).headers.get('location'), entry)
  assert.is(logIn(visitor).headers.get('location'), `${root}/`)
  for (const path of ['/', '/?q=a&page=1', '/sign', '/entries/13', '/login', '/nothing']) {
    const links = [...visitor.get(path).text.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(([, link = '']) => link).filter((link) => !link.startsWith('data:'))
    assert.ok(links.length >= 5, path)
    for (const link of links) assert.ok(link.startsWith(`${root}/`), `${path}: ${link}`)
  }
})

test.run()
