/** An Express application answers on tsgi as it does on its own server, over HTTP/1.1 and HTTP/2. */
import express from 'express'
import express4 from 'express4'
import * as assert from 'uvu/assert'
import { suite } from '../../support/suite.ts'
import { expressApp, upstreamListener } from './express-app.ts'
import { askHttp1, askHttp2, onNodeHttp, onTsgi, type Ask } from './hosts.ts'

const form = (...parts: readonly string[]): Ask['body'] => parts.map((part) => `--b\r\n${part}\r\n`).join('') + '--b--\r\n'
const file = (name: string, content: string): string => `Content-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: text/plain\r\n\r\n${content}`
const multipart = { 'content-type': 'multipart/form-data; boundary=b' }
const json = { 'content-type': 'application/json' }

const asks: readonly Ask[] = [
  ...['text', 'json', 'buffer', 'status/404', 'status/204', 'empty/204', 'empty/304', 'empty/404', 'redirect', 'jsonp?callback=f', 'cookies', 'latin1', 'no-type'].map((path) => ({ path: `/${path}` })),
  { path: '/format', headers: { accept: 'text/html' } },
  { path: '/format', headers: { accept: 'image/png' } },
  ...['implicit', 'explicit', 'flat', 'merged', 'length', 'flushed', 'late', 'bad', 'names'].map((path) => ({ path: `/head/${path}` })),
  ...['text', 'json', 'head/explicit', 'no-type', 'stream', 'status/404', 'static/page.html', 'large'].map((path) => ({ method: 'HEAD', path: `/${path}` })),
  ...['stream', 'corked', 'encodings', 'pipe', 'large', 'sse', 'after-end', 'strict', 'hints', 'interim', 'timeout'].map((path) => ({ path: `/${path}` })),
  { path: '/trailers', headers: { te: 'trailers' } },
  { method: 'POST', path: '/trailers', headers: { 'content-type': 'text/plain', 'trailer': 'x-sum' }, body: 'abc', trailers: { 'X-Sum': '7' } },
  { method: 'POST', path: '/echo', body: 'echo '.repeat(50_000), headers: { 'content-type': 'text/x-echo' } },
  { method: 'POST', path: '/echo', body: '' },
  { path: '/request?a=1&b=%C3%A4&a=2', headers: { 'cookie': 'a=1; b=2', 'x-two': ['1', '2'], 'accept': ['a/b', 'c/d'], 'x-requested-with': 'XMLHttpRequest' } },
  { path: '/request/', headers: { 'user-agent': 'x', 'cache-control': 'no-cache', 'if-none-match': '*' } },
  { method: 'PUT', path: '/request', headers: { 'content-type': 'text/plain', 'content-length': '3' }, body: 'abc' },
  { method: 'OPTIONS', path: '/request' },
  { method: 'OPTIONS', path: '/text' },
  { method: 'PATCH', path: '/nowhere' },
  { path: '/socket' },
  { path: '/mounted/deep/a%2Fb?x=1' },
  { path: '/mounted/none' },
  { path: '/%E0%A4%A' },
  { method: 'POST', path: '/body/json', headers: json, body: '{"a":[1,{"b":"ä"}]}' },
  { method: 'POST', path: '/body/json', headers: json, body: '{"a":' },
  { method: 'POST', path: '/body/json', headers: json, body: JSON.stringify('x'.repeat(2000)) },
  { method: 'POST', path: '/body/json', headers: { ...json, 'content-encoding': 'gzip' }, body: 'no gzip' },
  { method: 'POST', path: '/body/form', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=1&b[c]=2&a=3' },
  { method: 'POST', path: '/body/raw', body: Buffer.from([0, 255, 1]) },
  { method: 'POST', path: '/body/text', headers: { 'content-type': 'text/plain; charset=latin1' }, body: Buffer.from('ä', 'latin1') },
  { method: 'POST', path: '/upload', headers: multipart, body: form(file('a.txt', 'one'), file('b.txt', 'two'), 'Content-Disposition: form-data; name="field"\r\n\r\nvalue') ?? '' },
  { method: 'POST', path: '/upload', headers: multipart, body: form(file('a.txt', 'x'.repeat(6000))) ?? '' },
  { method: 'POST', path: '/upload', headers: multipart, body: '--b\r\ncut' },
  { path: '/compressed', headers: { 'accept-encoding': 'gzip' } },
  { path: '/compressed', headers: { 'accept-encoding': 'identity' } },
  { path: '/compressed/stream', headers: { 'accept-encoding': 'gzip' } },
  { path: '/static/page.html' },
  { path: '/static/page.html', headers: { range: 'bytes=10-19' } },
  { path: '/static/page.html', headers: { range: 'bytes=-5' } },
  { path: '/static/page.html', headers: { range: 'bytes=5000-' } },
  { path: '/static/none.html' },
  { path: '/static/..%2fexpress-app.ts' },
  { path: '/file' },
  { path: '/download' },
  { path: '/through/a?b=c' },
  { method: 'POST', path: '/through/post', body: 'to upstream', headers: { 'content-type': 'text/plain' } },
  { path: '/me' },
  { method: 'POST', path: '/login', headers: json, body: '{"username":"ada","password":"wrong"}' },
  { path: '/throws' },
  { path: '/next' },
]

for (const [name, make] of [['Express 5', express], ['Express 4', express4]] as const) {
  const test = suite(name)
  for (const [version, ask] of [['HTTP/1.1', askHttp1], ['HTTP/2', askHttp2]] as const) {
    test(`${asks.length} requests are answered over ${version} as by its own server`, async (t) => {
      const upstream = await onNodeHttp(t, upstreamListener)
      const [linesThere, linesHere]: [string[], string[]] = [[], []]
      const there = await onNodeHttp(t, expressApp(make, upstream, linesThere))
      const here = await onTsgi(t, expressApp(make, upstream, linesHere))
      const persistence: readonly Ask[] = version === 'HTTP/2' ? [] : [{ path: '/persists' }, { path: '/persists', headers: { connection: 'keep-alive' } }]
      for (const each of [...asks, ...persistence]) {
        const label = `${each.method ?? 'GET'} ${each.path}`
        const expected = await askHttp1(there, each)
        const found = await ask(here, each).catch((error: unknown) => String(error))
        assert.equal(found, expected, label)
      }
      const lines = linesThere.map((line) => version === 'HTTP/2' ? line.replace('HTTP/1.1', 'HTTP/2.0') : line)
      assert.equal(linesHere.sort(), lines.sort())
      assert.ok(lines.includes('after end: ERR_STREAM_WRITE_AFTER_END'))
    }, 60)

    test(`a session begins with a login and goes on with its cookie over ${version}`, async (t) => {
      const answers: unknown[] = []
      for (const [host, how] of [[await onNodeHttp(t, expressApp(make, 'http://127.0.0.1:1')), askHttp1], [await onTsgi(t, expressApp(make, 'http://127.0.0.1:1')), ask]] as const) {
        const login = await how(host, { method: 'POST', path: '/login', headers: json, body: '{"username":"ada","password":"secret"}' })
        assert.is(login.status, 200)
        const [cookie = ''] = login.headers['set-cookie'] as string[]
        answers.push([login, await how(host, { path: '/me', headers: { cookie: cookie.split(';', 1)[0] ?? '' } })])
      }
      assert.equal(answers[1], answers[0])
      assert.match(JSON.stringify(answers[1]), /\\"name\\":\\"ada\\"/)
    })

    test(`an upstream that is not there is a 502 over ${version}`, async (t) => {
      const here = await onTsgi(t, expressApp(make, 'http://127.0.0.1:1'))
      assert.equal((await ask(here, { path: '/through/x' })).status, 502)
    })
  }
  test.run()
}
