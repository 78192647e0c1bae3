import { rejects } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { serve } from '../../../lib/index.ts'
import { runAsync, runSync } from '../../../lib/stack/effects.ts'
import { bodyLimit } from '../../../lib/stack/middleware/index.ts'
import { suite } from '../../support/suite.ts'
import { applicationOf, modes } from '../both-modes.ts'
import { faces } from '../faces.ts'
import { ask, inBothModes } from './both-sides.ts'
import type { Side } from './modules/layers.ts'

const test = suite('bodyLimit')
const sides: readonly Side[] = ['thread', 'loop', 'same']

async function* pieces(count: number, given: (piece: number) => void = () => {}): AsyncGenerator<string, void, void> {
  for (let i = 0; i < count; i++) {
    given(i)
    yield 'abcdef'
  }
}

function form(size: number): FormData {
  const made = new FormData()
  made.set('file', new Blob(['x'.repeat(size)]), 'file.txt')
  return made
}

inBothModes(test, 'a body that says it is longer is a 413 before it is read (RFC 9110 15.5.14)', async (opened) => {
  for (const path of ['/unread', '/bytes/sync', '/chunks/async', '/nowhere']) {
    const { status, text } = await ask(opened, 'limit-same-same', path, { method: 'POST', body: 'x'.repeat(11) })
    assert.equal([status, text], [413, '413 Payload Too Large: the body has more than 10 bytes (layer bodyLimit)\n'], path)
  }
  assert.is((await ask(opened, 'limit-same-same', '/bytes/sync', { method: 'POST', body: 'x'.repeat(10) })).text, '10')
  assert.is((await ask(opened, 'limit-same-same', '/bytes/async', { method: 'POST', body: '' })).text, '0')
  assert.is((await ask(opened, 'limit-same-same', '/text')).status, 200)
})

inBothModes(test, 'a body that does not say its length is counted while it is read, by every method, wherever the layer and the reader run', async (opened) => {
  for (const above of sides) {
    for (const beneath of sides) {
      for (const path of ['/bytes/sync', '/bytes/async', '/chunks/sync', '/chunks/async', '/form/sync', '/form/async']) {
        const name = `${above} ${beneath} ${path}`
        if (!path.startsWith('/form')) assert.is((await ask(opened, `limit-${above}-${beneath}`, path, { method: 'POST', body: pieces(1) })).text, '6', name)
        const headers = path.startsWith('/form') ? { 'content-type': 'multipart/form-data; boundary=b' } : {}
        const { status, text } = await ask(opened, `limit-${above}-${beneath}`, path, { method: 'POST', body: pieces(2), headers })
        assert.equal([status, text], [413, '413 Payload Too Large: the body has more than 10 bytes (layer bodyLimit)\n'], name)
      }
    }
  }
}, 30)

inBothModes(test, 'what is over the limit does not arrive, and is not read to its end, though the view asks again', async (opened) => {
  for (const above of sides) {
    opened.trace.take()
    let last = 0
    assert.is((await ask(opened, `limit-${above}-same`, '/stubborn', { method: 'POST', body: pieces(100_000, (piece) => { last = piece }) })).text, 'done')
    // Pieces may come together, then none of them is within.
    const seen = opened.trace.events.filter((event) => event !== 'chunk 6')
    const times = opened.trace.events.length - seen.length
    assert.ok(times <= 1, opened.trace.events.join())
    assert.equal(seen, Array(4 - times).fill('the body has more than 10 bytes (layer bodyLimit)'))
    // What was on its way in a ring or a socket is taken from the client.
    assert.ok(last < 50_000, `${last} pieces were taken`)
  }
})

inBothModes(test, 'a body that a layer above has read is refused when it comes here', async (opened) => {
  for (const above of sides) {
    assert.is((await ask(opened, `limit-late-${above}`, '/unread', { method: 'POST', body: pieces(2) })).status, 413, above)
    assert.is((await ask(opened, `limit-late-${above}`, '/bytes/async', { method: 'POST', body: pieces(1) })).text, '6', above)
    assert.is((await ask(opened, `limit-late-${above}`, '/bytes/sync', { method: 'POST', body: pieces(1) })).text, '6', above)
  }
})

inBothModes(test, 'of several limits, the stack\'s too, the tightest counts', async (opened) => {
  assert.is((await ask(opened, 'limit-twice', '/bytes/sync', { method: 'POST', body: pieces(2) })).status, 413)
  const { status, text } = await ask(opened, 'limit-loose', '/bytes/async', { method: 'POST', body: pieces(4) })
  assert.equal([status, text], [413, '413 Payload Too Large: the body has more than 20 bytes (limit bodySize)\n'])
  assert.is((await ask(opened, 'limit-loose', '/chunks/async', { method: 'POST', body: pieces(10) })).text, '60')
  assert.is((await ask(opened, 'limit-loose', '/chunks/sync', { method: 'POST', body: pieces(20) })).status, 413)
  assert.is((await ask(opened, 'limit-loose', '/form/sync', { method: 'POST', body: form(1000) })).status, 413)
})

test('once the limit is passed, nothing more is taken from the client', async () => {
  const body = ['abcdef', 'abcdef', 'abcdef', 'abcdef']
  for (const face of ['async', 'sync'] as const) {
    const { request, taken } = (faces[face] as (typeof faces)[string])({ body })
    request.core.limitBody(10)
    const reader = request.core.chunks()
    const next = async (): Promise<unknown> => face === 'sync' ? runSync(reader.next()) : runAsync(reader.next())
    assert.is(String(await next()), 'abcdef')
    for (let i = 0; i < 3; i++) {
      await rejects(next(), { code: 'ERR_TSGI_TOO_LARGE' })
      assert.is(taken(), 2)
    }
  }
})

test('the limit must be a whole number from 1 on', () => {
  for (const bytes of [0, -1, 1.5, NaN, Infinity, '10']) assert.throws(() => bodyLimit(bytes as number), /bodyLimit must be a whole number of bytes, 1 or more/)
})

test.needing(['curl'], () => {
  for (const mode of modes) {
    test(`curl gets the 413, of a body with a length and of one without (${mode} mode)`, async (t) => {
      const server = await serve((await applicationOf('../middleware/modules/layers', mode)).app, { port: 0, lifespan: 'off', accessLog: false })
      t.after(() => server.close())
      for (const header of ['x-none: 1', 'transfer-encoding: chunked']) {
        for (const path of ['/bytes/sync', '/chunks/async']) {
          const { stdout } = await promisify(execFile)('curl', ['-q', '-sS', '--max-time', '5', '-H', 'expect:', '-H', 'x-stack: limit-same-same', '-H', header, '-d', 'x'.repeat(100_000), '-w', ' %{http_code}', server.url + path])
          assert.is(stdout, '413 Payload Too Large: the body has more than 10 bytes (layer bodyLimit)\n 413')
        }
      }
    })
  }
})

test.run()
