import * as assert from 'uvu/assert'
import { ClientDisconnected, InvalidResponse, SuspiciousOperation, WrongMode } from '../../lib/contract/errors.ts'
import type { SendEvent } from '../../lib/contract/events.ts'
import { runAsync, runSync } from '../../lib/stack/effects.ts'
import { HttpResponse, TemplateResponse, type HttpResponseInit, type ResponseBody } from '../../lib/stack/response.ts'
import { ResponseHeaders } from '../../lib/stack/response-headers.ts'
import { rejection } from '../support/rejection.ts'
import { suite } from '../support/suite.ts'

const test = suite('stack/response')

interface Answer { status: number; headers: [string, string][]; body: string; events: number }

async function sent(response: HttpResponse): Promise<Answer> {
  const answer: Answer = { status: 0, headers: [], body: '', events: 0 }
  await response.send(async (event: SendEvent) => {
    answer.events++
    if (event.type === 'http.response.start') Object.assign(answer, { status: event.status, headers: Array.from(event.headers ?? [], ([name, value]) => [name, value]) })
    else if (event.type === 'http.response.body') answer.body += Buffer.from(event.body ?? '').toString()
    else throw new Error(event.type)
  })
  return answer
}

function called(response: HttpResponse): Answer {
  const answer: Answer = { status: 0, headers: [], body: '', events: 0 }
  const body = response.toWsgi((status, headers) => {
    answer.status = Number(status.slice(0, 3))
    answer.headers = headers.map(([name, value]) => [name, value])
    return () => {}
  })
  try {
    for (const block of body) {
      answer.events++
      answer.body += Buffer.from(block).toString()
    }
  } finally {
    body.close()
  }
  return answer
}

const ways: Readonly<Record<string, (response: HttpResponse) => Promise<Answer>>> = { async: sent, sync: async (response) => called(response) }

/** A test of what both ways to send do. */
function bothWays(rule: string, body: (send: (response: HttpResponse) => Promise<Answer>) => Promise<void>): void {
  for (const [name, send] of Object.entries(ways)) test(`${rule} [${name}]`, () => body(send))
}

const invalid = (body: () => unknown, what?: string): void => assert.throws(body, (error: unknown) => error instanceof InvalidResponse, what)

bothWays('bytes, strings, nothing and sync iterables as body', async (send) => {
  const rows: readonly (readonly [ResponseBody, string, string | undefined])[] = [
    ['ä', 'ä', 'text/html; charset=utf-8'],
    [Buffer.from('ä'), 'ä', 'application/octet-stream'],
    [new Uint8Array([97]), 'a', 'application/octet-stream'],
    [null, '', undefined],
    [['a', Buffer.from('ä'), ''], 'aä', 'text/html; charset=utf-8'],
  ]
  for (const [body, expected, type] of rows) {
    const answer = await send(new HttpResponse(body, { status: 201 }))
    assert.is(answer.body, expected)
    assert.is(answer.status, 201)
    assert.is(answer.headers.find(([name]) => name === 'content-type')?.[1], type)
  }
})

bothWays('status and headers as they were set', async (send) => {
  const response = new HttpResponse('x', { status: 404, headers: { 'X-A': '1', 'Content-Type': 'text/plain' } })
  response.headers.append('x-a', '2')
  response.status = 410
  const { status, headers } = await send(response)
  assert.is(status, 410)
  assert.equal(headers.filter(([name]) => name !== 'content-length'), [['x-a', '1'], ['content-type', 'text/plain'], ['x-a', '2']])
})

bothWays('close runs once, in order, at the end; after that at once', async (send) => {
  const order: string[] = []
  const response = new HttpResponse((function* () { yield 'a'; order.push('body') })())
  response.onClose(() => order.push('one'))
  response.onClose(() => order.push('two'))
  await send(response)
  response.close()
  assert.equal(order, ['body', 'one', 'two'])
  assert.ok(response.closed)
  response.onClose(() => order.push('late'))
  assert.is(order.at(-1), 'late')
  assert.instance(await rejection(send(response)), InvalidResponse)
})

bothWays('a body that fails is closed, and its error comes out', async (send) => {
  const failure = new Error('broken')
  let closed = 0
  const response = new HttpResponse((function* () { yield 'a'; throw failure })())
  response.onClose(() => closed++)
  assert.is(await rejection(send(response)), failure)
  assert.is(closed, 1)
})

bothWays('a piece that is no bytes is InvalidResponse, and the rest is let go of', async (send) => {
  let returned = false
  const response = new HttpResponse((function* () {
    try { yield 1 as unknown as string } finally { returned = true }
  })())
  assert.instance(await rejection(send(response)), InvalidResponse)
  assert.ok(returned)
})

test('a closer that throws does not keep the others from running', (t) => {
  const before = console.error
  const logged: unknown[] = []
  console.error = (...args: unknown[]) => logged.push(args)
  t.after(() => { console.error = before })
  const response = new HttpResponse()
  let second = false
  response.onClose(() => { throw new Error('first') })
  response.onClose(() => { second = true })
  response.close()
  assert.ok(second)
  assert.is(logged.length, 1)
})

test('a response that does not stream goes out in one piece, which leaves its length to the server; in WSGI it has one', async () => {
  assert.is((await sent(new HttpResponse('abc'))).events, 2)
  assert.equal((await sent(new HttpResponse('abc'))).headers, [['content-type', 'text/html; charset=utf-8']])
  assert.equal(called(new HttpResponse('äb')).headers.at(-1), ['content-length', '3'])
  assert.not.ok(called(new HttpResponse(null, { status: 204 })).headers.some(([name]) => name === 'content-length'))
})

test('an async iterable is sent piece by piece, as the client takes it', async () => {
  const order: string[] = []
  const response = new HttpResponse((async function* () {
    for (const piece of ['a', 'b']) {
      order.push(`made ${piece}`)
      yield piece
    }
  })())
  assert.ok(response.streaming)
  await response.send(async (event: SendEvent) => {
    await new Promise((resolve) => setImmediate(resolve))
    if (event.type === 'http.response.body') order.push(`sent ${String(event.body ?? 'end')} ${String(event.moreBody ?? false)}`)
  })
  assert.equal(order, ['made a', 'sent a true', 'made b', 'sent b true', 'sent end false'])
})

test('when the client leaves, send rejects, and the iterator is asked to return before the response is closed', async () => {
  for (const kind of ['sync', 'async']) {
    const order: string[] = []
    const pieces = function* (): Generator<string, void, void> {
      try { for (;;) yield 'a' } finally { order.push('returned') }
    }
    const response = new HttpResponse(kind === 'sync' ? pieces() : (async function* () {
      try { for (;;) yield 'a' } finally {
        await new Promise((resolve) => setImmediate(resolve))
        order.push('returned')
      }
    })())
    response.onClose(() => order.push('closed'))
    let bodies = 0
    const error = await rejection(response.send(async (event: SendEvent) => {
      if (event.type === 'http.response.body' && ++bodies === 3) throw new ClientDisconnected()
    }))
    assert.instance(error, ClientDisconnected)
    assert.equal(order, ['returned', 'closed'], kind)
  }
})

test('with a signal, a client that leaves ends the waiting for the next piece', async () => {
  const controller = new AbortController()
  let returned = 0
  const iterator: AsyncIterableIterator<string> = {
    next: () => { queueMicrotask(() => controller.abort(new ClientDisconnected())); return new Promise(() => {}) },
    return: async () => { returned++; return { done: true, value: undefined } },
    [Symbol.asyncIterator]() { return this },
  }
  const response = new HttpResponse(iterator)
  assert.instance(await rejection(response.send(async () => {}, controller.signal)), ClientDisconnected)
  assert.is(returned, 1)
  assert.ok(response.closed)
})

test('an async iterator that has failed is not asked to return', async () => {
  let returned = 0
  const iterator: AsyncIterableIterator<string> = {
    next: () => Promise.reject(new Error('broken')),
    return: async () => { returned++; return { done: true, value: undefined } },
    [Symbol.asyncIterator]() { return this },
  }
  assert.is((await rejection(new HttpResponse(iterator).send(async () => {}))).message, 'broken')
  assert.is(returned, 0)
})

test('in WSGI an async iterable is WrongMode, before anything has begun; what was not iterated to its end is let go of', () => {
  const response = new HttpResponse((async function* () { yield 'a' })())
  assert.throws(() => response.toWsgi(() => { throw new Error('begun') }), (error: unknown) => error instanceof WrongMode)
  assert.not.ok(response.closed)
  const order: string[] = []
  const other = new HttpResponse((function* () { try { yield 'a'; yield 'b' } finally { order.push('returned') } })())
  other.onClose(() => order.push('closed'))
  const body = other.toWsgi(() => () => {})
  body[Symbol.iterator]().next()
  body.close()
  body.close()
  assert.equal(order, ['returned', 'closed'])
})

test('the body can be replaced: content, or stream; the old content-length goes', () => {
  const response = new HttpResponse('abc', { headers: { 'content-length': '3' } })
  assert.is(response.content.toString(), 'abc')
  response.content = 'longer'
  assert.is(response.content.toString(), 'longer')
  assert.not.ok(response.headers.has('content-length'))
  assert.is(response.stream, null)
  response.stream = ['a']
  assert.ok(response.streaming)
  invalid(() => response.content)
  response.content = null
  assert.not.ok(response.streaming)
  assert.is(response.content.length, 0)
})

test('what no response can have is InvalidResponse where it is set', () => {
  const bad = (body: unknown, init: HttpResponseInit = {}): void => invalid(() => new HttpResponse(body as string, init))
  for (const body of [1, true, {}, Symbol('x'), Promise.resolve('x'), () => 'x']) bad(body)
  for (const status of [0, 199, 600, 200.5, NaN, '200' as unknown as number]) bad(null, { status })
  for (const headers of [{ 'a b': '1' }, { '': '1' }, { 'x:': '1' }, { a: 'x\r\ny: z' }, { a: 'x\0' }, { a: '\u0100' }, { a: 1 as unknown as string }]) bad(null, { headers })
  bad('x', { contentType: 'text/html\r\nx: y' })
  const response = new HttpResponse()
  invalid(() => { response.status = 99 })
  invalid(() => { response.content = 1 as unknown as string })
  invalid(() => { response.stream = 'x' as unknown as string[] })
  invalid(() => { response.stream = Buffer.from('x') as unknown as string[] })
})

test('headers: any case, several values, order kept', () => {
  const headers = new ResponseHeaders([['A', '1'], ['b', '2'], ['a', '3']])
  assert.is(headers.get('A'), '1')
  assert.equal(headers.getAll('a'), ['1', '3'])
  headers.set('A', '4')
  assert.equal([...headers], [['a', '4'], ['b', '2']])
  headers.append('b', '5')
  assert.equal(headers.flat(), ['a', '4', 'b', '2', 'b', '5'])
  headers.delete('B')
  headers.delete('none')
  assert.is(headers.length, 1)
  assert.not.ok(headers.has('b'))
  for (const name of ['get', 'has', 'delete', 'getAll'] as const) invalid(() => headers[name]('a b'), name)
  invalid(() => headers.set('a', 'x\n'))
  assert.equal([...headers], [['a', '4']])
})

bothWays('JSON, text and HTML', async (send) => {
  const rows: readonly (readonly [HttpResponse, string, string])[] = [
    [HttpResponse.json({ a: 'ä' }), '{"a":"ä"}', 'application/json'],
    [HttpResponse.json(null, { contentType: 'application/problem+json' }), 'null', 'application/problem+json'],
    [HttpResponse.json(1, { headers: new Map([['content-type', 'a/b']]), contentType: undefined }), '1', 'a/b'],
    [HttpResponse.text('x'), 'x', 'text/plain; charset=utf-8'],
    [HttpResponse.html('x'), 'x', 'text/html; charset=utf-8'],
  ]
  for (const [response, body, type] of rows) {
    const answer = await send(response)
    assert.is(answer.body, body)
    assert.equal(answer.headers.filter(([name]) => name === 'content-type'), [['content-type', type]])
  }
  invalid(() => HttpResponse.json(undefined))
})

test('a redirect: status, location in ASCII', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['/x', '/x'], ['https://example.org/a?b#c', 'https://example.org/a?b#c'], ['../x:y', '../x:y'], ['//host/x', '//host/x'], ['/ä b', '/%C3%A4%20b'], ['/%20', '/%20'], ['HTTP://x', 'HTTP://x'], [' /x ', '/x'],
  ]
  for (const [location, expected] of rows) assert.is(HttpResponse.redirect(location).headers.get('location'), expected)
  assert.is(HttpResponse.redirect('/x').status, 302)
  assert.is(HttpResponse.redirect('/x', 308).status, 308)
  for (const status of [200, 300, 304, 306, 400]) invalid(() => HttpResponse.redirect('/x', status))
})

test('a redirect to another scheme than http, https and ftp, or with control characters, is SuspiciousOperation (400)', () => {
  for (const location of ['javascript:alert(1)', 'JavaScript:x', ' javascript:x', 'java\tscript:x', '\x01javascript:x', 'data:text/html,x', 'vbscript:x', 'mailto:x@y', 'file:///etc', '/x\r\nset-cookie: a=1', '/\ud800', 1 as unknown as string]) {
    assert.throws(() => HttpResponse.redirect(location), (error: unknown) => error instanceof SuspiciousOperation && error.status === 400, String(location))
  }
})

bothWays('a template response is rendered late, from what its context is then', async (send) => {
  for (const render of [(response: TemplateResponse<{ name: string }>) => runSync(response.rendering()), (response: TemplateResponse<{ name: string }>) => runAsync(response.rendering())]) {
    let renders = 0
    const response = new TemplateResponse((context: { name: string }) => { renders++; return `hello ${context.name}` }, { name: 'a' }, { status: 202 })
    assert.not.ok(response.isRendered)
    invalid(() => response.content)
    response.context.name = 'ä'
    await render(response)
    response.context.name = 'late'
    await render(response)
    assert.ok(response.isRendered)
    const { body, status, headers } = await send(response)
    assert.is(body, 'hello ä')
    assert.is(status, 202)
    assert.equal(headers[0], ['content-type', 'text/html; charset=utf-8'])
    assert.is(renders, 1)
  }
  const unrendered = new TemplateResponse(() => 'x', null)
  assert.instance(await rejection(send(unrendered)), InvalidResponse)
})

test('a template may give a promise in async code; in sync code that is WrongMode', async () => {
  const response = new TemplateResponse(async (context: string) => Buffer.from(context), 'x')
  assert.throws(() => response.renderSync(), (error: unknown) => error instanceof WrongMode)
  await response.render()
  assert.is(response.content.toString(), 'x')
  const failing = new TemplateResponse(() => Promise.reject(new Error('broken')), null)
  assert.throws(() => failing.renderSync(), (error: unknown) => error instanceof WrongMode)
  assert.is((await rejection(failing.renderAsync())).message, 'broken')
  assert.not.ok(failing.isRendered)
})

test('content or a stream that is given counts as rendered; what is no content is InvalidResponse', () => {
  const response = new TemplateResponse(() => 'x', null)
  response.content = 'given'
  runSync(response.rendering())
  assert.is(response.content.toString(), 'given')
  const streaming = new TemplateResponse(() => 'x', null)
  streaming.stream = ['a']
  assert.ok(streaming.isRendered)
  assert.is(called(streaming).body, 'a')
  invalid(() => new TemplateResponse(() => undefined as unknown as string, null).renderSync())
})

test('the reason is that of the status', () => {
  assert.is(new HttpResponse(null, { status: 404 }).reason, 'Not Found')
  assert.is(new HttpResponse(null, { status: 599 }).reason, 'Unknown Status')
})

test.run()
