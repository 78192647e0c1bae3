import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { BadRequest, BodyConsumed, TooLarge, UnsupportedMediaType } from '../../lib/contract/errors.ts'
import type { HttpReceiveEvent } from '../../lib/contract/events.ts'
import type { Environ } from '../../lib/contract/wsgi.ts'
import { headerList, type HeaderPair } from '../../lib/contract/headers.ts'
import { BytesSource } from '../../lib/stack/body.ts'
import { formData, formFrom } from '../../lib/stack/form.ts'
import type { RequestLimits } from '../../lib/stack/limits.ts'
import { RequestCore } from '../../lib/stack/request-core.ts'
import { HttpRequest, syncRequest } from '../../lib/stack/request.ts'
import { behind } from '../../lib/stack/temp-files.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { environOf, onEachFace, scopeOf, type Sent } from './faces.ts'

const test = suite('stack/form')

const simple = (body: string | Uint8Array, limits?: Partial<RequestLimits>, type = 'application/x-www-form-urlencoded'): Sent => ({ headers: [['content-type', type]], body: [body], ...(limits === undefined ? {} : { limits }) })

const multipartType: HeaderPair = ['content-type', 'multipart/form-data; boundary="b"']

/** A part of a form: a file if it has a filename. */
type Part = readonly [name: string, content: string | Buffer, filename?: string, type?: string]

function multipart(parts: readonly Part[], limits?: Partial<RequestLimits>): Sent {
  const body = Buffer.concat([...parts.map(([name, content, filename, type]) => Buffer.concat([
    Buffer.from(`--b\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n${type === undefined ? '' : `Content-Type: ${type}\r\n`}\r\n`),
    Buffer.from(content as string), Buffer.from('\r\n'),
  ])), Buffer.from('--b--\r\n')])
  const pieces: Buffer[] = []
  for (let at = 0; at < body.length; at += 1000) pieces.push(body.subarray(at, at + 1000))
  return { headers: [multipartType], body: pieces, ...(limits === undefined ? {} : { limits }) }
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tsgi-spec-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

onEachFace(test, 'a simple form: order kept, plus is a space, escapes are UTF-8, empty pairs passed over', async (ask) => {
  const form = await ask(simple('b=1&a=%C3%A4+%26&&b=2&c&=d&e=f=g&ö=ü')).form()
  assert.equal(form.entries(), [['b', '1'], ['a', 'ä &'], ['b', '2'], ['c', ''], ['', 'd'], ['e', 'f=g'], ['ö', 'ü']])
  assert.is(form.get('b'), '1')
  assert.equal(form.getAll('b'), ['1', '2'])
  assert.is(form.get('none'), undefined)
  assert.equal(form.getAll('none'), [])
  assert.ok(form.has('c'))
  assert.not.ok(form.has('toString'))
  assert.equal([...form], form.entries())
  assert.equal(form.files, [])
})

onEachFace(test, 'a simple form that is malformed is BadRequest (400); in another charset than UTF-8 it is 415', async (ask) => {
  for (const body of ['a=%', 'a=%4', 'a=%zz', 'a=%ff', '%c3=1', 'a=%ED%A0%80', Buffer.from('a=\xff', 'latin1')]) assert.instance(await rejection(ask(simple(body)).form()), BadRequest, String(body))
  assert.instance(await rejection(ask(simple('a=1', {}, 'application/x-www-form-urlencoded; charset=utf-16')).form()), UnsupportedMediaType)
  assert.is((await ask(simple('a=1', {}, 'Application/X-WWW-Form-Urlencoded; charset=UTF-8')).form()).get('a'), '1')
  assert.instance(await rejection(ask(simple('a=1', {}, 'nonsense')).form()), BadRequest)
})

onEachFace(test, 'a simple form: too many fields, too long a field, too large a body are TooLarge (413)', async (ask) => {
  assert.is((await ask(simple('a&b&', { formFields: 2 })).form()).length, 2)
  assert.instance(await rejection(ask(simple('a&b&c', { formFields: 2 })).form()), TooLarge)
  assert.instance(await rejection(ask(simple('&a'.repeat(1001))).form()), TooLarge)
  assert.instance(await rejection(ask(simple('a=%C3%A4%C3%A4', { fieldSize: 3 })).form()), TooLarge)
  assert.instance(await rejection(ask(simple('a=1', { bodySize: 2 })).form()), TooLarge)
})

onEachFace(test, 'a body of another media type, or none, is an empty form, and can still be read', async (ask) => {
  const asked = ask(simple('{"a":1}', {}, 'application/json'))
  assert.is((await asked.form()).length, 0)
  assert.equal(await asked.json(), { a: 1 })
  assert.is((await ask({ method: 'GET' }).form()).length, 0)
})

onEachFace(test, 'a multipart form: fields and files in their order', async (ask) => {
  const sent = multipart([['a', '1'], ['f', 'content', 'C:\\x\\ä.txt', 'text/plain'], ['a', 'zwei ä'], ['g', Buffer.from([0, 255, 13, 10]), 'g.bin'], ['a', '']])
  const asked = ask(sent)
  const form = await asked.form()
  assert.equal(form.entries(), [['a', '1'], ['a', 'zwei ä'], ['a', '']])
  assert.equal(form.files.map(({ name, filename, contentType, size, path }) => ({ name, filename, contentType, size, path })), [
    { name: 'f', filename: 'ä.txt', contentType: 'text/plain', size: 7, path: null },
    { name: 'g', filename: 'g.bin', contentType: 'application/octet-stream', size: 4, path: null },
  ])
  assert.is(await form.file('f')?.text(), 'content')
  assert.is(form.file('f')?.textSync(), 'content')
  assert.equal(form.file('g')?.bytesSync(), Buffer.from([0, 255, 13, 10]))
  assert.is(form.file('a'), undefined)
  assert.throws(() => form.file('g')?.textSync(), (error: unknown) => error instanceof BadRequest)
  assert.is(await asked.form(), form)
  assert.is(asked.request.core.cachedForm, form)
})

onEachFace(test, 'form() after bytes() reads them; bytes() after a multipart form() is BodyConsumed', async (ask) => {
  const sent = multipart([['a', '1']])
  const first = ask(sent)
  await first.bytes()
  assert.is((await first.form()).get('a'), '1')
  assert.is((await first.bytes()).length, Buffer.concat((sent.body ?? []).map((part) => Buffer.from(part as string))).length)
  const second = ask(sent)
  await second.form()
  assert.instance(await rejection(second.bytes()), BodyConsumed)
})

onEachFace(test, 'a file input where no file was chosen is left out; an empty file is not', async (ask) => {
  const { files } = await ask(multipart([['f', '', '', 'application/octet-stream'], ['g', '', 'empty.txt'], ['h', 'x', '']], { formFiles: 2 })).form()
  assert.equal(files.map(({ name, filename, size }) => [name, filename, size]), [['g', 'empty.txt', 0], ['h', '', 1]])
})

onEachFace(test, 'files that do not fit into fileMemory together are kept on disk, for this user only, until the request is closed', async (ask, t) => {
  const tempFolder = folder(t)
  const large = Buffer.alloc(700_000, 'a\r\n--c')
  const asked = ask(multipart([['s', 'small', 's.txt'], ['l', large, 'l.bin'], ['m', Buffer.alloc(900, 'm'), 'm.bin'], ['n', Buffer.alloc(900, 'n'), 'n.bin']], { fileMemory: 1000, tempFolder }))
  const form = await asked.form()
  const [small, onDisk, medium, last] = form.files
  if (small === undefined || onDisk === undefined || medium === undefined || last === undefined) throw new Error('files are missing')
  assert.equal(form.files.map(({ path }) => path !== null), [false, true, false, true])
  assert.is(readdirSync(tempFolder).length, 2)
  assert.is(statSync(onDisk.path ?? '').mode & 0o777, 0o600)
  assert.is(onDisk.size, large.length)
  assert.ok((await onDisk.bytes()).equals(large))
  assert.ok(onDisk.bytesSync().equals(large))
  assert.ok(Buffer.concat([...onDisk.chunksSync()]).equals(large))
  const pieces: Uint8Array[] = []
  for await (const piece of onDisk.chunks()) pieces.push(piece)
  assert.ok(Buffer.concat(pieces).equals(large))
  assert.is(pieces.length, Math.ceil(large.length / 65_536))
  assert.equal(Array.from(small.chunksSync(), String), ['small'])
  if (asked.request instanceof HttpRequest) await asked.request.core.closeAsync()
  assert.equal(readdirSync(tempFolder), [])
})

onEachFace(test, 'a file is saved from memory or from disk; a saved one outlives its request', async (ask, t) => {
  const tempFolder = folder(t)
  const target = folder(t)
  for (const sync of [false, true]) {
    const asked = ask(multipart([['s', 'small', 's'], ['l', Buffer.alloc(5000, 'l'), 'l']], { fileMemory: 100, tempFolder }))
    const { files } = await asked.form()
    for (const file of files) {
      const path = join(target, `${file.name}-${sync}`)
      writeFileSync(path, 'before')
      if (sync) file.saveToSync(path)
      else await file.saveTo(path)
      assert.is(readFileSync(path).length, file.size)
      if (file.path !== null) assert.is(statSync(path).mode & 0o777, 0o644)
      assert.is((await file.bytes()).length, file.size)
      file.saveToSync(`${path}-again`)
      assert.is(readFileSync(`${path}-again`).length, file.size)
    }
    asked.request.core.close()
    assert.equal(readdirSync(tempFolder), [])
    assert.equal(readdirSync(target).filter((name) => name.includes(String(sync))).length, 4)
    assert.is(readFileSync(join(target, `l-${sync}`)).length, 5000)
  }
  assert.instance(await rejection((await ask(multipart([['s', 'x', 's']])).form()).files[0]?.saveTo(join(target, 'no/such')) ?? Promise.resolve()), Error)
})

onEachFace(test, 'each limit of a multipart form is TooLarge (413), and leaves no file behind', async (ask, t) => {
  const tempFolder = folder(t)
  const rows: readonly (readonly [Partial<RequestLimits>, readonly Part[]])[] = [
    [{ formFields: 2 }, [['a', '1'], ['b', '2'], ['c', '3']]],
    [{ formFiles: 1 }, [['f', Buffer.alloc(5000), 'f'], ['g', '2', 'g']]],
    [{ fieldSize: 1999 }, [['a', 'x'.repeat(2000)]]],
    [{ fileSize: 4999 }, [['g', Buffer.alloc(4999), 'f'], ['f', Buffer.alloc(5000), 'f']]],
    [{ bodySize: 100 }, [['a', 'x'.repeat(60)], ['b', 'x'.repeat(60)]]],
    [{ bodySize: 100 }, [['f', Buffer.alloc(5000), 'x'.repeat(60)], ['x'.repeat(60), '', 'f']]],
    [{ partHeaders: 100 }, [['f', Buffer.alloc(5000), 'f'], ['x'.repeat(100), '']]],
  ]
  for (const [limits, parts] of rows) {
    const error = await rejection(ask(multipart(parts, { fileMemory: 1000, tempFolder, ...limits })).form())
    assert.instance(error, TooLarge, JSON.stringify(limits))
    assert.match(error.message, Object.keys(limits)[0] ?? '')
    assert.equal(readdirSync(tempFolder), [])
  }
  assert.is((await ask(multipart([['f', Buffer.alloc(3_000_000), 'f']], { tempFolder, fieldSize: 1, bodySize: 10 })).form()).files[0]?.size, 3_000_000)
})

onEachFace(test, 'a malformed multipart form is BadRequest (400), again and again, and leaves no file behind', async (ask, t) => {
  const tempFolder = folder(t)
  const limits = { fileMemory: 0, tempFolder }
  const file = '--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\ncontent\r\n'
  for (const body of ['', file, `${file}--b\r\nrubbish\r\n\r\n`, `${file}--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\u0000`, `${file}--bx`]) {
    const asked = ask({ headers: [multipartType], body: [body], limits })
    assert.instance(await rejection(asked.form()), BadRequest, body)
    assert.instance(await rejection(asked.form()), BadRequest, body)
    assert.equal(readdirSync(tempFolder), [])
  }
  for (const type of ['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary=a; boundary=b', 'multipart/form-data; boundary="ä"']) {
    assert.instance(await rejection(ask({ headers: [['content-type', type]], body: [`${file}--b--`] }).form()), BadRequest, type)
  }
  const notUtf8 = Buffer.from('--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--b--\r\n', 'latin1')
  assert.instance(await rejection(ask({ headers: [multipartType], body: [notUtf8] }).form()), BadRequest)
})

onEachFace(test, 'RFC 7578 4.6: _charset_ may say UTF-8; another charset is 415', async (ask) => {
  assert.is((await ask(multipart([['_charset_', 'UTF-8'], ['a', 'ä']])).form()).get('a'), 'ä')
  assert.instance(await rejection(ask(multipart([['_charset_', 'iso-8859-1'], ['a', 'x']])).form()), UnsupportedMediaType)
})

onEachFace(test, 'a form is the same after it was cloned as plain data, files by path or by bytes', async (ask, t) => {
  const asked = ask(multipart([['a', '1'], ['s', 'small', 's.txt', 'text/plain'], ['l', Buffer.alloc(5000, 'l'), 'l']], { fileMemory: 100, tempFolder: folder(t) }))
  const form = await asked.form()
  const copy = formFrom(structuredClone(formData(form)))
  assert.equal(copy.entries(), form.entries())
  assert.equal(copy.files.map(({ name, filename, contentType, size, path }) => [name, filename, contentType, size, path]), form.files.map(({ name, filename, contentType, size, path }) => [name, filename, contentType, size, path]))
  assert.is(copy.file('s')?.textSync(), 'small')
  assert.is(copy.file('l')?.bytesSync().length, 5000)
})

onEachFace(test, 'who has the form released deletes its files; who lends it does not', async (ask, t) => {
  const tempFolder = folder(t)
  const core = (): RequestCore => new RequestCore(scopeOf(), new BytesSource(Buffer.alloc(0)))
  const asked = ask(multipart([['l', Buffer.alloc(5000, 'l'), 'l']], { fileMemory: 100, tempFolder }))
  const form = await asked.form()
  const lent = core()
  lent.adoptForm(formData(form), false)
  assert.is(syncRequest(lent).form().files[0]?.size, 5000)
  lent.close()
  assert.is(readdirSync(tempFolder).length, 1)
  const parts = asked.request.core.releaseForm()
  if (parts === null) throw new Error('there is no form')
  asked.request.core.close()
  assert.is(readdirSync(tempFolder).length, 1)
  const owner = core()
  owner.adoptForm(parts, true)
  owner.close()
  assert.equal(readdirSync(tempFolder), [])
})

test('a request that is closed while its form is read leaves no file behind, and the reading fails', async (t) => {
  const tempFolder = folder(t)
  let next: (event: HttpReceiveEvent) => void = () => {}
  let asked: () => void = () => {}
  const receive = (): Promise<HttpReceiveEvent> => new Promise((resolve) => { next = resolve; asked() })
  const request = HttpRequest.from(scopeOf({ headers: headerList([multipartType]) }), receive, { fileMemory: 0, tempFolder })
  const give = async (body: string): Promise<void> => {
    const again = new Promise<void>((resolve) => { asked = resolve })
    next({ type: 'http.request', body: Buffer.from(body), moreBody: true, trailers: null })
    await again
  }
  const form = rejection(request.form())
  await give(`--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n${'x'.repeat(300_000)}`)
  assert.is(readdirSync(tempFolder).length, 1)
  await request.core.closeAsync()
  assert.equal(readdirSync(tempFolder), [])
  next({ type: 'http.request', body: Buffer.alloc(300_000), moreBody: true, trailers: null })
  assert.instance(await form, BodyConsumed)
  assert.equal(readdirSync(tempFolder), [])

  const late = HttpRequest.from(scopeOf({ headers: headerList([multipartType]) }), receive, { fileMemory: 0, tempFolder })
  late.core.close()
  const failed = rejection(late.form())
  next({ type: 'http.request', body: Buffer.from(`--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nx`), moreBody: true, trailers: null })
  assert.instance(await failed, BodyConsumed)
  assert.equal(readdirSync(tempFolder), [])
})

test('a write of which the system took a part goes on behind it', () => {
  const parts = [Buffer.from('ab'), Buffer.from('cde'), Buffer.from('f')]
  for (let written = 0; written <= 6; written++) assert.is(Buffer.concat(behind(parts, written)).toString(), 'abcdef'.slice(written))
})

/** A multipart form with one file of so many bytes, made as it is asked for. */
function upload(size: number): { readonly length: number; next(most: number): Buffer } {
  const head = Buffer.from('--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n')
  const tail = Buffer.from('\r\n--b--\r\n')
  const block = Buffer.alloc(65_536, 'content \r\n--c')
  let at = 0
  return {
    length: head.length + size + tail.length,
    next(most) {
      const part = at < head.length ? head.subarray(at) : at < head.length + size ? block.subarray(0, head.length + size - at) : tail.subarray(at - head.length - size)
      const given = Buffer.from(part.subarray(0, most))
      at += given.length
      return given
    },
  }
}

for (const mode of ['async', 'sync']) {
  test(`an upload of 1 GiB takes less than 128 MiB of memory [${mode}]`, async (t) => {
    const tempFolder = folder(t)
    const size = 2 ** 30
    const { length, next } = upload(size)
    const before = process.memoryUsage.rss()
    let peak = before
    let taken = 0
    const look = (most: number): Buffer => {
      if (taken % (64 * 65_536) < 65_536) peak = Math.max(peak, process.memoryUsage.rss())
      const part = next(most)
      taken += part.length
      return part
    }
    const headers: readonly HeaderPair[] = [multipartType, ['content-length', String(length)]]
    const receive = async (): Promise<HttpReceiveEvent> => ({ type: 'http.request', body: look(65_536), moreBody: taken < length, trailers: null })
    const input = { read: look } as unknown as Environ['wsgi.input']
    const request = mode === 'async'
      ? HttpRequest.from(scopeOf({ method: 'POST', headers: headerList(headers) }), receive, { tempFolder })
      : HttpRequest.fromEnviron(environOf({ REQUEST_METHOD: 'POST', CONTENT_TYPE: multipartType[1], CONTENT_LENGTH: String(length), 'wsgi.input': input }), { tempFolder })
    t.after(() => request.core.closeAsync())
    const { files: [file] } = await request.form()
    assert.is(file?.size, size)
    assert.is(statSync(file?.path ?? '').size, size)
    assert.ok(peak - before < 128 * 2 ** 20, `${Math.round((peak - before) / 2 ** 20)} MiB`)
  }, 60)
}

test.run()
