import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { ClientDisconnected, ContentLengthMismatch, NotFound } from '../../lib/contract/errors.ts'
import type { SendEvent } from '../../lib/contract/events.ts'
import { HttpResponse } from '../../lib/stack/response.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('stack/file')

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tsgi-spec-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Where the system lists the files that this process has open; elsewhere that is not tested. */
const listed = existsSync('/proc/self/fd')

/** Whether this process has the file open. */
function isOpen(path: string): boolean {
  if (!listed) return false
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false
    }
  })
}

type Take = (response: HttpResponse, blocks: Buffer[], most?: number) => Promise<void>

/** Takes the blocks of a response; leaves after `most`. */
const ways: Readonly<Record<string, Take>> = {
  async async(response, blocks, most = Infinity) {
    await response.send(async (event: SendEvent) => {
      if (event.type !== 'http.response.body' || event.moreBody !== true) return
      if (blocks.length === most) throw new ClientDisconnected()
      blocks.push(Buffer.from(event.body ?? ''))
    })
  },
  async sync(response, blocks, most = Infinity) {
    const body = response.toWsgi(() => () => {})
    try {
      for (const block of body) {
        if (blocks.length === most) throw new ClientDisconnected()
        blocks.push(Buffer.from(block))
      }
    } finally {
      body.close()
    }
  },
}

for (const [name, take] of Object.entries(ways)) {
  test(`a file goes out in blocks of 64 KiB, with its length, its time and its type [${name}]`, async (t) => {
    const path = join(folder(t), 'x.png')
    const content = Buffer.alloc(150_000, 'abc')
    writeFileSync(path, content)
    utimesSync(path, 1_000_000, 1_000_000)
    const response = HttpResponse.file(path)
    assert.equal([...response.headers], [['content-type', 'image/png'], ['content-length', '150000'], ['last-modified', 'Mon, 12 Jan 1970 13:46:40 GMT']])
    assert.ok(response.streaming)
    const blocks: Buffer[] = []
    await take(response, blocks)
    assert.equal(blocks.map((block) => block.length), [65_536, 65_536, 18_928])
    assert.ok(Buffer.concat(blocks).equals(content))
    assert.not.ok(isOpen(path))
  })

  test(`an empty file has no blocks [${name}]`, async (t) => {
    const path = join(folder(t), 'empty')
    writeFileSync(path, '')
    const blocks: Buffer[] = []
    await take(HttpResponse.file(path), blocks)
    assert.equal(blocks, [])
    assert.not.ok(isOpen(path))
  })

  test(`the file is closed when the client leaves, and when it has become shorter than it was [${name}]`, async (t) => {
    const path = join(folder(t), 'x')
    writeFileSync(path, Buffer.alloc(300_000))
    const blocks: Buffer[] = []
    assert.instance(await rejection(take(HttpResponse.file(path), blocks, 2)), ClientDisconnected)
    assert.is(blocks.length, 2)
    assert.not.ok(isOpen(path))
    const response = HttpResponse.file(path)
    truncateSync(path, 100_000)
    assert.instance(await rejection(take(response, [])), ContentLengthMismatch)
    assert.not.ok(isOpen(path))
    const grown = HttpResponse.file(path)
    writeFileSync(path, Buffer.alloc(200_000))
    const taken: Buffer[] = []
    await take(grown, taken)
    assert.is(Buffer.concat(taken).length, 100_000)
  })
}

test('in WSGI a file whose body is closed before its end is closed', (t) => {
  const path = join(folder(t), 'x')
  writeFileSync(path, Buffer.alloc(300_000))
  const body = HttpResponse.file(path).toWsgi(() => () => {})
  assert.not.ok(isOpen(path))
  body[Symbol.iterator]().next()
  assert.is(isOpen(path), listed)
  body.close()
  assert.not.ok(isOpen(path))
})

test('what is no file is NotFound (404) at once', (t) => {
  const path = folder(t)
  writeFileSync(join(path, 'file'), '')
  mkdirSync(join(path, 'inner'))
  for (const each of [join(path, 'none'), join(path, 'inner'), join(path, 'file', 'x'), `${path}/\0`, join(path, 'x'.repeat(5000))]) {
    assert.throws(() => HttpResponse.file(each), (error: unknown) => error instanceof NotFound && error.status === 404, each)
  }
})

test('RFC 6266: an attachment has a name, one that is not ASCII in two forms', (t) => {
  const path = folder(t)
  writeFileSync(join(path, 'x.txt'), '')
  const disposition = (init: Parameters<typeof HttpResponse.file>[1]): string | undefined => HttpResponse.file(join(path, 'x.txt'), init).headers.get('content-disposition')
  assert.is(disposition({}), undefined)
  assert.is(disposition({ attachment: true }), 'attachment; filename="x.txt"')
  assert.is(disposition({ filename: 'y.pdf' }), 'inline; filename="y.pdf"')
  assert.is(disposition({ filename: '../a/ä "b".pdf', attachment: true }), 'attachment; filename="_ _b_.pdf"; filename*=UTF-8\'\'%C3%A4%20%22b%22.pdf')
  assert.is(disposition({ filename: 'a\r\nb', attachment: true }), 'attachment; filename="a__b"')
  assert.is(disposition({ filename: '100%.txt' }), 'inline; filename="100_.txt"; filename*=UTF-8\'\'100%25.txt')
})

test('the type is that of the name, unless one is given', (t) => {
  const path = folder(t)
  const type = (name: string, init?: Parameters<typeof HttpResponse.file>[1]): string | undefined => {
    writeFileSync(join(path, name), '')
    return HttpResponse.file(join(path, name), init).headers.get('content-type')
  }
  assert.is(type('a.HTML'), 'text/html; charset=utf-8')
  assert.is(type('a.constructor'), 'application/octet-stream')
  assert.is(type('a'), 'application/octet-stream')
  assert.is(type('a.txt', { contentType: 'a/b' }), 'a/b')
  assert.is(type('a.txt', { filename: 'b.json' }), 'application/json')
  assert.is(type('a.txt', { headers: { 'content-type': 'c/d' } }), 'c/d')
})

test.run()
