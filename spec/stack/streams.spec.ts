/** Bodies that stream: made on one side and wrapped on the other, in both modes, to their end and not. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { rejection } from '../support/rejection.ts'
import { suite } from '../support/suite.ts'
import { idle, inBothModes, openStack, type Opened } from './both-modes.ts'
import { codes } from './modules/streams.ts'

const test = suite('responses that stream through a stack')
const views = ['sync', 'async', 'loop'] as const

const sha1 = (bytes: Uint8Array | string): string => createHash('sha1').update(bytes).digest('hex')
const times = (events: readonly string[], what: string): number => events.filter((event) => event === what).length

/** What is left of a request on no side. */
async function over({ trace, pool }: Opened): Promise<string[]> {
  await trace.noted('finished')
  await idle(pool)
  return trace.take().map(([what]) => what)
}

inBothModes(test, 'streams', 'a body is made on either side, and wrapped by each layer where that runs; all is closed once', async (opened) => {
  for (const code of codes) {
    for (const view of views) {
      const response = await opened.client.fetch(`/${view}?wrap&closers`, { headers: { 'x-chain': code } })
      const text = await response.text()
      const wrapping = [...code].map((kind, index) => kind === 'n' ? -1 : index).filter((index) => index >= 0)
      const open = wrapping.map((index) => `<${index}>`).join('')
      const close = [...wrapping].reverse().map((index) => `</${index}>`).join('')
      assert.is(text, `${open}abcdbcdecdef${close}`, `${code} ${view}`)
      const events = await over(opened)
      assert.equal(events.filter((event) => /^(?:begun|piece|ended)/.test(event)), ['begun', 'piece 0', 'piece 1', 'piece 2', 'ended'], `${code} ${view}`)
      for (const what of ['closed', 'closed by 0', 'closed by 1', 'finished', ...wrapping.map((index) => `unwrapped ${index}`)]) assert.is(times(events, what), 1, `${code} ${view}: ${what} ${events.join()}`)
      assert.is(events.at(-1), 'finished', `${code} ${view}: ${events.join()}`)
    }
  }
}, 60)

inBothModes(test, 'streams', 'megabytes stream in bounded memory: who is ahead waits for the client', async (opened) => {
  const size = 256 * 1024
  const count = 128 // 32 MiB
  const expected = createHash('sha1')
  for (let i = 0; i < count; i++) expected.update(Buffer.alloc(size + 8, 'abcdefgh').subarray(i % 8, i % 8 + size))
  const whole = expected.digest('hex')
  for (const [code, view] of [['nn', 'sync'], ['nn', 'async'], ['sa', 'sync'], ['as', 'async'], ['as', 'sync'], ['sa', 'async']] as const) {
    const response = await opened.client.fetch(`/${view}?pieces=${count}&size=${size}`, { headers: { 'x-chain': code } })
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    const found = createHash('sha1')
    for (let first = true; ; first = false) {
      const { done, value } = await reader.read()
      if (done) break
      found.update(value)
      if (!first) continue
      await delay(50)
      const made = opened.trace.events.filter((event) => event.startsWith('piece')).length
      assert.ok(made * size <= 4 * 1024 * 1024, `${code} ${view}: ${made} pieces were made while the client had read one`)
    }
    assert.is(found.digest('hex'), whole, `${code} ${view}`)
    await over(opened)
  }
}, 60)

inBothModes(test, 'streams', 'an error amid the body tears the response down; all is closed once', async (opened) => {
  for (const code of codes) {
    for (const view of views) {
      const response = await opened.client.fetch(`/${view}?wrap&closers&failAt=2`, { headers: { 'x-chain': code } })
      await rejection(response.text())
      const events = await over(opened)
      assert.equal(events.filter((event) => /^(?:begun|piece|ended|closed$|finished)/.test(event)), ['begun', 'piece 0', 'piece 1', 'ended', 'closed', 'finished'], `${code} ${view}: ${events.join()}`)
      for (const what of ['closed by 0', 'closed by 1']) assert.is(times(events, what), 1, `${code} ${view}: ${what} ${events.join()}`)
      for (const [index, kind] of [...code].entries()) if (kind !== 'n') assert.is(times(events, `unwrapped ${index}`), 1, `${code} ${view}: ${events.join()}`)
    }
  }
}, 60)

inBothModes(test, 'streams', 'a client that leaves amid the body: the generators end, all is closed once, the thread is free', async (opened) => {
  const size = 64 * 1024
  for (const code of codes) {
    for (const view of views) {
      const leaving = new AbortController()
      const response = await opened.client.fetch(`/${view}?wrap&closers&pieces=2000&size=${size}`, { headers: { 'x-chain': code }, signal: leaving.signal })
      const reader = (response.body as ReadableStream<Uint8Array>).getReader()
      for (let length = 0; length < 3 * size;) {
        const { value } = await reader.read()
        assert.ok(value !== undefined, `${code} ${view}`)
        length += value.length
      }
      leaving.abort()
      await rejection((async () => { while (!(await reader.read()).done); })())
      const events = await over(opened)
      assert.ok(times(events, 'piece 1999') === 0, `${code} ${view}`)
      for (const what of ['ended', 'closed', 'closed by 0', 'closed by 1', 'finished']) assert.is(times(events, what), 1, `${code} ${view}: ${what} ${events.filter((event) => !event.startsWith('piece')).join()}`)
      for (const [index, kind] of [...code].entries()) if (kind !== 'n') assert.is(times(events, `unwrapped ${index}`), 1, `${code} ${view}`)
      assert.equal(events.filter((event) => /^(?:failed|log)/.test(event)), [], `${code} ${view}`)
    }
  }
}, 60)

inBothModes(test, 'streams', 'a client that leaves while a thread makes a piece: that one goes on, and then ends', async (opened) => {
  const leaving = new AbortController()
  const response = await opened.client.fetch('/sync?gateAt=2&size=65536', { headers: { 'x-chain': 'nn' }, signal: leaving.signal })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  await reader.read()
  await opened.trace.noted('piece 1')
  leaving.abort()
  await rejection((async () => { while (!(await reader.read()).done); })())
  assert.is(opened.pool.stats.busy, 1)
  opened.trace.open()
  const events = await over(opened)
  assert.equal(events.filter((event) => !event.startsWith('piece')), ['begun', 'ended', 'closed', 'finished'])
})

inBothModes(test, 'streams', 'a body that its side cannot iterate is a 500, before anything is sent', async (opened) => {
  for (const code of codes) {
    const response = await opened.client.fetch('/wrong', { headers: { 'x-chain': code } })
    assert.is(response.status, 500, code)
    const events = await over(opened)
    assert.is(events.filter((event) => event.startsWith('failed')).length, 1, `${code} ${events.join()}`)
    assert.ok(events.includes('failed an async iterable that is a body cannot be used by sync code, expected async code'))
    assert.is(times(events, 'begun'), 0)
  }
})

inBothModes(test, 'streams', 'a piece that is neither bytes nor text breaks the response off', async (opened) => {
  for (const code of codes) {
    const response = await opened.client.fetch('/junk', { headers: { 'x-chain': code } }).then((found) => found.text().then(() => found.status), () => 0)
    assert.ok(response === 0 || response === 500, `${code} ${response}`)
    assert.is(times(await over(opened), 'closed'), 1, code)
  }
})

inBothModes(test, 'streams', 'HEAD, and a file, which either side can read', async (opened) => {
  const file = readFileSync(new URL('./modules/streams.ts', import.meta.url))
  for (const code of codes) {
    const response = await opened.client.fetch('/file', { headers: { 'x-chain': code } })
    assert.is(response.headers.get('content-length'), String(file.length))
    assert.is(sha1(Buffer.from(await response.arrayBuffer())), sha1(file), code)
    const head = await opened.client.fetch('/sync', { method: 'HEAD', headers: { 'x-chain': code } })
    assert.equal([head.status, await head.text()], [200, ''])
    const events = await over(opened)
    assert.ok(!events.some((event) => event.startsWith('failed')), events.join())
  }
}, 20)

inBothModes(test, 'streams', 'the body of a request is read as the response is sent', async (opened) => {
  const whole = Buffer.alloc(1024 * 1024, 'body')
  for (const code of codes) {
    for (const view of ['echo-s', 'echo-a']) {
      async function* body(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < whole.length; at += 65536) yield whole.subarray(at, at + 65536)
      }
      const response = await opened.client.fetch(`/${view}`, { method: 'POST', body: body(), headers: { 'x-chain': code } })
      assert.is(sha1(Buffer.from(await response.arrayBuffer())), sha1(whole), `${code} ${view}`)
      await over(opened)
    }
  }
}, 30)

test('a client that leaves aborts the signal of an async view, which is no failure (async mode)', async (t) => {
  const opened = await openStack(t, 'streams', 'async')
  for (const code of codes) {
    const leaving = new AbortController()
    const answered = opened.client.fetch('/wait', { headers: { 'x-chain': code }, signal: leaving.signal })
    await opened.trace.noted('waiting')
    leaving.abort()
    await rejection(answered)
    const events = await over(opened)
    assert.equal(events, ['waiting', 'aborted ClientDisconnected', 'finished'], code)
  }
})

inBothModes(test, 'streams', 'a client that leaves lets a sync view come to its end, with its body', async (opened) => {
  const leaving = new AbortController()
  const answered = opened.client.fetch('/block', { method: 'POST', body: 'hello', headers: { 'x-chain': 'nn' }, signal: leaving.signal })
  await opened.trace.noted('blocked')
  leaving.abort()
  await rejection(answered)
  opened.trace.open()
  const events = await over(opened)
  assert.equal(events.slice(0, 1), ['blocked'])
  assert.is(events.at(-1), 'finished')
  assert.ok(!events.some((event) => event.startsWith('failed')), events.join())
})

test.run()
