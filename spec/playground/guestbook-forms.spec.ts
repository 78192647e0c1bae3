import { readdirSync } from 'node:fs'
import * as assert from 'uvu/assert'
import guestbook from '../../playground/guestbook/app.ts'
import { database, EXAMPLE_PASSWORD } from '../../playground/guestbook/database.ts'
import { html } from '../../playground/guestbook/html.ts'
import { boundaryOf, Multipart } from '../../playground/guestbook/multipart.ts'
import { suite } from '../support/suite.ts'
import { multipart, ownDatabase, png, sign, Visitor } from './guestbook-driver.ts'

const test = suite('playground guestbook: forms and files')

test('who wrote an entry adds a picture, which is served with its type, whatever the browser calls it', (t) => {
  const path = ownDatabase(t)
  const visitor = new Visitor(guestbook)
  const entry = sign(visitor, 'Ada', 'With a picture')
  assert.is(visitor.get(`${entry}/picture`).status, 404)
  const csrf = visitor.token(entry)
  const answer = visitor.upload(`${entry}/picture`, [['csrf', csrf], ['picture', png, 'a.html']])
  assert.is(answer.headers.get('location'), entry)
  assert.match(visitor.get(entry).text, /The picture is in the book[^]*<img src="\/entries\/13\/picture" alt="A picture by Ada"/)
  const picture = new Visitor(guestbook).get(`${entry}/picture`)
  assert.equal(picture.body, png)
  assert.is(picture.headers.get('content-type'), 'image/png')
  assert.is(picture.headers.get('content-length'), String(png.length))
  assert.is(picture.headers.get('x-content-type-options'), 'nosniff')

  const gif = Buffer.concat([Buffer.from('GIF89a'), Buffer.alloc(100_000, 7)])
  visitor.upload(`${entry}/picture`, [['csrf', csrf], ['picture', gif, 'a.gif']])
  const other = visitor.get(`${entry}/picture`)
  assert.equal(other.body, gif)
  assert.ok(other.blocks > 1)
  assert.is(readdirSync(`${path}-pictures`).length, 1)

  visitor.post('/login', { csrf: visitor.token('/login'), password: EXAMPLE_PASSWORD })
  visitor.post(`${entry}/delete`, { csrf: visitor.token('/') })
  assert.equal(readdirSync(`${path}-pictures`), [])
})

test('a picture that is none, too large, missing, or somebody else\'s is refused, and leaves no file', (t) => {
  const path = ownDatabase(t)
  const visitor = new Visitor(guestbook)
  const entry = sign(visitor, 'Ada', 'Without a picture')
  const csrf = visitor.token(entry)
  const large = Buffer.concat([png, Buffer.alloc(2 * 2 ** 20)])
  const rows: readonly (readonly [number, RegExp, Parameters<Visitor['upload']>[1]])[] = [
    [415, /This file is no picture/, [['csrf', csrf], ['picture', '<svg onload="x">', 'a.png']]],
    [415, /This file is no picture/, [['csrf', csrf], ['picture', '', 'a.png']]],
    [413, /A picture may have 2 MiB at most/, [['csrf', csrf], ['picture', large, 'a.png']]],
    [422, /Please choose a picture/, [['csrf', csrf], ['picture', '', '']]],
    [422, /Please choose a picture/, [['csrf', csrf]]],
    [403, /send it once more/, [['csrf', 'x'], ['picture', png, 'a.png']]],
    [403, /send it once more/, [['picture', png, 'a.png'], ['csrf', csrf]]],
    [413, /too long/, [['csrf', 'x'.repeat(20_000)], ['picture', png, 'a.png']]],
  ]
  for (const [status, trouble, parts] of rows) {
    const answer = visitor.upload(`${entry}/picture`, parts)
    assert.is(answer.status, status, String(trouble))
    assert.match(answer.text, trouble)
  }
  const guest = new Visitor(guestbook)
  assert.is(guest.upload(`${entry}/picture`, [['csrf', guest.token('/sign')], ['picture', png, 'a.png']]).status, 403)
  assert.is(guest.upload('/entries/99/picture', []).status, 404)
  assert.equal(readdirSync(`${path}-pictures`), [])
})

test('a body that announces its size over the limit is refused unread; one that does not, where it passes the limit', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  const entry = sign(visitor, 'Ada', 'Hello')
  let taken = 0
  const endless: Partial<Record<string, unknown>> = {
    'wsgi.input': { read: (size: number) => {
      taken += size
      return Buffer.alloc(size, 97)
    } },
  }
  const form = 'application/x-www-form-urlencoded'
  const files = 'multipart/form-data; boundary=x'
  for (const [path, type] of [['/sign', form], [`${entry}/picture`, files]] as const) {
    taken = 0
    const announced = visitor.request('POST', path, type, '', { ...endless, CONTENT_LENGTH: '99999999' })
    assert.is(announced.status, 413)
    assert.match(announced.text, /<h1>/)
    assert.is(taken, 0)
    const { status } = visitor.request('POST', path, type, '', { ...endless, CONTENT_LENGTH: undefined })
    assert.is(status, 413)
    assert.ok(taken < 2.2 * 2 ** 20, `${taken}`)
  }
})

test('a malformed form, query or multipart body is a 400', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  const entry = sign(visitor, 'Ada', 'Hello')
  const form = 'application/x-www-form-urlencoded'
  const part = 'Content-Disposition: form-data; name="csrf"\r\n\r\n'
  const rows: readonly (readonly [string, string, string | null, string | Uint8Array])[] = [
    ['/sign', 'text/plain', null, 'name=a'],
    ['/sign', form, null, 'name=%'],
    ['/sign', form, null, 'name=%zz'],
    ['/sign', form, null, 'name=%ff'],
    ['/sign', form, null, Uint8Array.of(0x6e, 0x3d, 0xff)],
    ['/sign', form, null, 'a&'.repeat(60)],
    [`${entry}/picture`, form, null, 'a=b'],
    [`${entry}/picture`, 'multipart/form-data', null, ''],
    [`${entry}/picture`, 'multipart/form-data; boundary=', null, ''],
    [`${entry}/picture`, 'multipart/form-data; boundary=x', 'is cut short', ''],
    [`${entry}/picture`, 'multipart/form-data; boundary=x', 'is cut short', `--x\r\n${part}a`],
    [`${entry}/picture`, 'multipart/form-data; boundary=x', 'is cut short', `--x\r\n${part}a\r\n--x`],
    [`${entry}/picture`, 'multipart/form-data; boundary=x', 'without a name', '--x\r\n\r\n\r\n--x--'],
    [`${entry}/picture`, 'multipart/form-data; boundary=x', 'without a name', '--x\r\nContent-Disposition: form-data\r\n\r\n\r\n--x--'],
    [`${entry}/picture`, 'multipart/form-data; boundary=x', 'without a name', `--xy\r\n${part}\r\n--x--`],
    [`${entry}/picture`, 'multipart/form-data; boundary=x', 'long head', `--x\r\n${'a'.repeat(9000)}`],
    [`${entry}/picture`, 'multipart/form-data; boundary=x', 'not UTF-8', Buffer.from(`--x\r\n${part}\xff\r\n--x--`, 'latin1')],
    [`${entry}/picture`, 'multipart/form-data; boundary=x', 'too many parts', `--x\r\n${part}\r\n`.repeat(25) + '--x--'],
  ]
  for (const [path, type, message, body] of rows) {
    const answer = visitor.request('POST', path, type, body)
    assert.is(answer.status, 400, `${type} ${Buffer.from(body)}`)
    if (message !== null) assert.match(answer.text, message)
  }
  assert.is(visitor.get('/?q=%E4').status, 400)
  assert.is(visitor.get('/?q=%').status, 400)
})

test('RFC 7578 4: parts are the same however the body is cut into reads, with preamble, padding and epilogue', () => {
  const body = Buffer.concat([
    Buffer.from('preamble\r\n--edge \t\r\nContent-Disposition: form-data; name="a%22b"\r\n\r\n\r\n'),
    multipart('edge', [['b', '\r\n--edg\r\n-', 'x; name="c'], ['d', 'grün'], ['e', '']]),
    Buffer.from('epilogue'),
  ])
  for (const size of [1, 2, 3, 7, 50, 10_000]) {
    let at = 0
    const read = (): Buffer => body.subarray(at, at += size)
    const input = { read } as unknown as ConstructorParameters<typeof Multipart>[0]
    const parts = [...new Multipart(input, 'edge', body.length, 'too large')].map(({ name, filename }) => [name, filename])
    assert.equal(parts, [['a"b', null], ['b', 'x; name='], ['d', null], ['e', null]], `${size}`)
    at = 0
    const texts: string[] = []
    for (const part of new Multipart(input, 'edge', body.length, 'too large')) {
      // A loop that is left early skips the rest.
      if (part.name === 'd') for (const _ of part.blocks) break
      else texts.push(part.text())
    }
    assert.equal(texts, ['', '\r\n--edg\r\n-', ''], `${size}`)
  }
})

test('RFC 2046 5.1.1: the boundary is found, quoted or not, among other parameters', () => {
  const rows: readonly (readonly [string, string | null])[] = [
    ['multipart/form-data; boundary=abc', 'abc'],
    ['Multipart/Form-Data;charset=utf-8; Boundary="a b;c"; x=y', 'a b;c'],
    ['multipart/form-data; boundary=abc; x=y', 'abc'],
    ['multipart/form-data; notboundary=abc', null],
    ['multipart/mixed; boundary=abc', null],
    ['multipart/form-data; boundary=""', null],
    [`multipart/form-data; boundary=${'x'.repeat(71)}`, null],
  ]
  for (const [type, boundary] of rows) assert.is(boundaryOf(type), boundary, type)
})

test('RFC 4180: the export has a row for each entry, one block each, and no formulas', (t) => {
  ownDatabase(t)
  const visitor = new Visitor(guestbook)
  sign(visitor, '=1+1', 'He said "yes",\nthen no')
  const answer = visitor.get('/export.csv')
  assert.match(answer.headers.get('content-type') ?? '', /^text\/csv/)
  assert.is(answer.headers.get('content-length'), undefined)
  assert.is(answer.blocks, 14)
  assert.match(answer.text, /^id,date,name,place,message\r\n1,2010-04-02T00:00:00\.000Z,Marta,Porto,First!/)
  assert.match(answer.text, /\r\n13,[^,]+,'=1\+1,,"He said ""yes"",\nthen no"\r\n$/)
  for (let i = 0; i < 300; i++) database().run('INSERT INTO entries (name, place, message, created) VALUES (?, ?, ?, ?)', `n${i}`, '', 'x', 0)
  assert.is(visitor.get('/export.csv').blocks, 314)
})

test('a template escapes all that is no template, in lists too', () => {
  assert.is(html`<a title="${'"\'<&>'}">${[html`<b>`, '<', 1, null, false, [html`x`]]}</a>`.text, '<a title="&#34;&#39;&#60;&#38;&#62;"><b>&#60;1x</a>')
})

test.run()
