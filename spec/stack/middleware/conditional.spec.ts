import { createReadStream, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ReadableStream } from 'node:stream/web'
import * as assert from 'uvu/assert'
import { HttpResponse, route, Stack } from '../../../lib/stack/index.ts'
import { conditional } from '../../../lib/stack/middleware/index.ts'
import { parseTags } from '../../../lib/semantics/entity-tag.ts'
import { parseHttpDate } from '../../../lib/semantics/http-date.ts'
import { serve } from '../../../lib/index.ts'
import { testClient } from '../../../lib/testing/index.ts'
import { runProgram } from '../../support/tls-server.ts'
import { suite } from '../../support/suite.ts'
import { ask, inBothModes } from './keeping.ts'

const test = suite('conditional')
const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT'
const fields = (...given: readonly string[]): string => given.map((field) => `&field=${encodeURIComponent(field)}`).join('')

inBothModes(test, 'a response of bytes gets a weak tag of them, and is a 304 for who has it', async (opened) => {
  for (const kind of ['sync', 'async']) {
    const first = await ask(opened, 'conditional', `/made/${kind}?times=10`)
    const etag = first.headers.get('etag') ?? ''
    assert.match(etag, /^W\/"[\w-]{27}"$/)
    assert.is((await ask(opened, 'conditional', `/made/${kind}?times=10`)).headers.get('etag'), etag)
    assert.is.not((await ask(opened, 'conditional', `/made/${kind}?times=11`)).headers.get('etag'), etag)
    for (const method of ['GET', 'HEAD']) {
      const { status, bytes, headers } = await ask(opened, 'conditional', `/made/${kind}?times=10`, { method, headers: { 'if-none-match': etag } })
      assert.equal([status, bytes.length, headers.get('etag'), headers.get('content-type'), headers.get('content-length')], [304, 0, etag, null, null])
    }
  }
})

inBothModes(test, 'a 304 keeps the fields of RFC 9110 15.4.5, and cookies, and loses what describes the body', async (opened) => {
  const kept = ['cache-control:max-age=5', 'content-location:/x', 'date:Sun, 06 Nov 1994 08:49:37 GMT', 'etag:"e"', 'expires:0', 'vary:Accept', 'set-cookie:a=1', 'x-own:1', 'last-modified:Sun, 06 Nov 1994 08:49:37 GMT']
  const lost = ['content-language:en', 'content-disposition:inline', 'accept-ranges:bytes']
  const { status, headers } = await ask(opened, 'conditional', `/made/async?times=1${fields(...kept, ...lost)}`, { headers: { 'if-none-match': '"e"' } })
  assert.is(status, 304)
  for (const field of kept) assert.is(headers.get(field.slice(0, field.indexOf(':'))), field.slice(field.indexOf(':') + 1))
  for (const field of [...lost, 'content-type:', 'content-length:']) assert.is(headers.get(field.slice(0, field.indexOf(':'))), null)
})

inBothModes(test, 'if-none-match: a list, by the weak comparison (RFC 9110 13.1.2), or *', async (opened) => {
  const rows: readonly (readonly [etag: string, field: string, status: number])[] = [
    ['"a"', '"a"', 304], ['"a"', 'W/"a"', 304], ['W/"a"', '"a"', 304], ['W/"a"', 'W/"a"', 304], ['"a"', '"b"', 200], ['"a"', '"b", "a"', 304], ['"a"', ',, "b" ,W/"a",', 304],
    ['"a"', '*', 304], ['"a"', ' * ', 304], ['"a,b"', '"a,b"', 304], ['"a"', '"a,b"', 200], ['""', '""', 304], ['"a"', 'a', 200], ['"a"', '', 200], ['"a"', '"a', 200], ['"a"', 'w/"a"', 200],
    ['"a"', '"*"', 200], ['"a"', '"b" junk "a"', 200], ['"a"', '"A"', 200], ['"é"', '"é"', 304],
  ]
  for (const [etag, field, status] of rows) assert.is((await ask(opened, 'conditional', `/made/sync?times=1${fields(`etag:${etag}`)}`, { headers: { 'if-none-match': field } })).status, status, `${etag} ${field}`)
  assert.is((await ask(opened, 'without', '/made/sync?times=1', { headers: { 'if-none-match': '*' } })).status, 304)
})

inBothModes(test, 'if-modified-since: no later than last-modified, in each form of a date (RFC 9110 13.1.3, 5.6.7)', async (opened) => {
  const rows: readonly (readonly [field: string, status: number])[] = [
    [DATE, 304], ['Sun, 06 Nov 1994 08:49:38 GMT', 304], ['Sun, 06 Nov 1994 08:49:36 GMT', 200], ['Sunday, 06-Nov-94 08:49:37 GMT', 304], ['Sun Nov  6 08:49:37 1994', 304],
    ['1994-11-06T08:49:37Z', 200], ['', 200], ['Sun, 06 Nov 1994 08:49:37', 200], ['Sun, 31 Nov 1994 08:49:37 GMT', 200], ['Sun, 06 Nov 1994 25:49:37 GMT', 200], ['784111777', 200],
  ]
  for (const [field, status] of rows) assert.is((await ask(opened, 'without', `/made/async?times=1${fields(`last-modified:${DATE}`)}`, { headers: { 'if-modified-since': field } })).status, status, field)
  assert.is((await ask(opened, 'without', '/made/async?times=1', { headers: { 'if-modified-since': DATE } })).status, 200)
  assert.is((await ask(opened, 'without', `/made/async?times=1${fields('last-modified:yesterday')}`, { headers: { 'if-modified-since': DATE } })).status, 200)
})

inBothModes(test, 'the order of RFC 9110 13.2.2: tags count more than dates, and what fails more than what matches', async (opened) => {
  const before = 'Sun, 06 Nov 1994 08:49:36 GMT'
  const rows: readonly (readonly [headers: Record<string, string>, status: number])[] = [
    [{ 'if-none-match': '"b"', 'if-modified-since': DATE }, 200], [{ 'if-none-match': '"a"', 'if-modified-since': before }, 304], [{ 'if-none-match': 'junk', 'if-modified-since': DATE }, 200],
    [{ 'if-match': '"a"' }, 200], [{ 'if-match': '"b"' }, 412], [{ 'if-match': 'W/"a"' }, 412], [{ 'if-match': '*' }, 200], [{ 'if-match': '"b", "a"' }, 200],
    [{ 'if-match': '"b"', 'if-none-match': '"a"' }, 412], [{ 'if-match': '"a"', 'if-none-match': '"a"' }, 304], [{ 'if-match': '"a"', 'if-unmodified-since': before }, 200],
    [{ 'if-unmodified-since': DATE }, 200], [{ 'if-unmodified-since': before }, 412], [{ 'if-unmodified-since': 'junk' }, 200], [{ 'if-unmodified-since': before, 'if-none-match': '"a"' }, 412],
  ]
  for (const [headers, status] of rows) {
    const told = await ask(opened, 'conditional', `/made/sync?times=1${fields('etag:"a"', `last-modified:${DATE}`)}`, { headers })
    assert.is(told.status, status, JSON.stringify(headers))
    if (status === 412) assert.equal([told.text, told.headers.get('etag'), told.headers.get('cache-control')], ['412 Precondition Failed\n', null, 'no-store'])
  }
})

inBothModes(test, 'a strong tag is made on demand: if-match can be answered then', async (opened) => {
  const etag = (await ask(opened, 'strong', '/made/sync?times=3')).headers.get('etag') ?? ''
  assert.match(etag, /^"[\w-]{27}"$/)
  const asked = async (stack: string, tag: string): Promise<number> => (await ask(opened, stack, '/made/sync?times=3', { headers: { 'if-match': tag } })).status
  assert.equal([await asked('strong', etag), await asked('strong', `W/${etag}`), await asked('conditional', `W/${etag}`)], [200, 412, 412])
})

inBothModes(test, 'only a 200 to GET or HEAD is looked at', async (opened) => {
  const headers = { 'if-none-match': '*', 'if-match': '"none"' }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const told = await ask(opened, 'conditional', '/made/async?times=1', { method, headers })
    assert.equal([told.status, told.headers.get('etag')], [200, null], method)
  }
  for (const status of [201, 206, 404, 500]) {
    const told = await ask(opened, 'conditional', `/made/async?times=1&status=${status}`, { headers })
    assert.equal([told.status, told.headers.get('etag')], [status, null])
  }
})

inBothModes(test, 'what says no-store gets no tag; nor does a HEAD without the body that GET has, nor does anything where the option is false', async (opened) => {
  const tag = async (stack: string, path: string, method = 'GET'): Promise<string | null> => (await ask(opened, stack, path, { method })).headers.get('etag')
  assert.is(await tag('conditional', `/made/sync?times=1${fields('cache-control:no-store')}`), null)
  assert.is(await tag('conditional', '/made/sync?empty', 'HEAD'), null)
  assert.is(await tag('without', '/made/sync'), null)
  assert.is.not(await tag('conditional', '/made/sync?empty'), null)
  assert.is(await tag('conditional', '/made/sync', 'HEAD'), await tag('conditional', '/made/sync'))
})

inBothModes(test, 'a stream gets no tag, is not read for a 304, and is let go of', async (opened) => {
  for (const kind of ['sync', 'async']) {
    const plain = await ask(opened, 'conditional', `/stream/${kind}`, { headers: { 'if-none-match': '"s"' } })
    assert.equal([plain.status, plain.headers.get('etag'), plain.text], [200, null, 'piece 0, grün\npiece 1, grün\npiece 2, grün\n'])
    await opened.trace.noted('closed')
    opened.trace.take()
    assert.is((await ask(opened, 'conditional', `/stream/${kind}?etag=${encodeURIComponent('"s"')}`, { headers: { 'if-none-match': '"s"' } })).status, 304)
    await opened.trace.noted('closed')
    assert.equal(opened.trace.take().map(([what]) => what), ['closed'], kind)
  }
})

inBothModes(test, 'a file is a 304 by its date', async (opened, t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tsgi-conditional-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'a.txt')
  writeFileSync(path, 'text')
  utimesSync(path, new Date(DATE), new Date(DATE))
  const url = `/file?path=${encodeURIComponent(path)}`
  const first = await ask(opened, 'conditional', url)
  assert.equal([first.text, first.headers.get('last-modified')], ['text', DATE])
  assert.is((await ask(opened, 'conditional', url, { headers: { 'if-modified-since': DATE } })).status, 304)
})

test('streams of Node and of the web that are not read are destroyed', async (t) => {
  const file = createReadStream(import.meta.filename)
  let cancelled = false
  const web = new ReadableStream<Uint8Array>({ cancel: () => { cancelled = true } })
  const stack = new Stack({
    middleware: [conditional()],
    routes: [
      route('/node', async () => new HttpResponse(file, { headers: { etag: '"a"' } })),
      route('/web', async () => new HttpResponse(web, { headers: { etag: '"a"' } })),
    ],
  })
  const client = await testClient(stack.toAsync())
  t.after(() => client.close())
  for (const path of ['/node', '/web']) assert.is((await client.fetch(path, { headers: { 'if-none-match': '"a"' } })).status, 304)
  assert.equal([file.destroyed, cancelled], [true, true])
})

test('a date of two digits of a year is not more than fifty years ahead (RFC 9110 5.6.7)', () => {
  const year = (digits: string, now: string): number => new Date((parseHttpDate(`Sunday, 06-Nov-${digits} 08:49:37 GMT`, Date.parse(now)) ?? NaN) * 1000).getUTCFullYear()
  assert.equal([year('94', '2026-01-01'), year('26', '2026-01-01'), year('76', '2026-12-01'), year('76', '2026-01-01'), year('77', '2026-01-01'), year('00', '1999-01-01')], [1994, 2026, 2076, 1976, 1977, 1900])
})

test('a list of tags is read in a time that grows with its length', () => {
  const started = performance.now()
  for (const field of ['"'.repeat(200_000), '"a",'.repeat(50_000), 'W/'.repeat(100_000), ','.repeat(200_000), ' '.repeat(200_000)]) parseTags(field)
  assert.ok(performance.now() - started < 2000)
})

test('the option etag is one of three', () => {
  assert.throws(() => conditional({ etag: true as unknown as false }), /^etag must be 'weak', 'strong' or false/)
})

test.needing(['curl'], () => {
  test('curl: a tag that it has saved is a 304, and the page is not sent again', async (t) => {
    const stack = new Stack({ middleware: [conditional()], routes: [route('/', async () => HttpResponse.text('x'.repeat(5000)))] })
    const server = await serve(stack.toAsync(), { port: 0, accessLog: false })
    t.after(() => server.close())
    const folder = mkdtempSync(join(tmpdir(), 'tsgi-conditional-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const tag = join(folder, 'tag')
    const curl = async (): Promise<string> => (await runProgram('curl', ['-sS', '--etag-save', tag, '--etag-compare', tag, '-o', join(folder, 'body'), '-w', '%{http_code} %{size_download}', server.url])).stdout
    assert.equal([await curl(), await curl()], ['200 5000', '304 0'])
  })
})

test.run()
