/** What the adapter relies on in node:http beyond its documentation is there in this version of Node. */
import { IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { needDrainKey, outHeadersKey } from '../../../adapters/node/internals.ts'
import { suite } from '../../support/suite.ts'

const test = suite('internals of node:http')

interface Internals {
  readonly _header: string | null
  readonly _headerSent: boolean
  readonly _contentLength: number | null
  readonly _removedContLen: boolean
  readonly _hasBody: boolean
  readonly _trailer: string
  readonly _closed: boolean
  readonly _consuming: boolean
  _storeHeader(firstLine: string, headers: unknown): void
  _addHeaderLines(flat: readonly string[], length: number): void
  _dump(): void
}

function response(method = 'GET'): ServerResponse & Internals {
  const request = new IncomingMessage(new Socket())
  request.method = method
  request.httpVersionMajor = 1
  request.httpVersionMinor = 1
  return new ServerResponse(request) as ServerResponse & Internals
}

test('the symbols are found by their names', () => {
  assert.equal([typeof outHeadersKey, typeof needDrainKey], ['symbol', 'symbol'])
  const fresh = response() as unknown as Record<symbol, unknown>
  assert.is(fresh[outHeadersKey as symbol], null)
  assert.is(fresh[needDrainKey as symbol], false)
})

test('every head comes to _storeHeader once, with the fields of setHeader as the object of kOutHeaders, and those of writeHead as they were given', () => {
  const seen: unknown[][] = []
  const store = (each: ServerResponse & Internals): void => {
    each._storeHeader = function (this: ServerResponse & Internals, firstLine: string, headers: unknown) {
      seen.push([firstLine, headers === (this as unknown as Record<symbol, unknown>)[outHeadersKey as symbol], headers])
      Object.assign(this, { _header: firstLine, _headerSent: true })
    }
  }
  const set = response()
  store(set)
  set.setHeader('X-A', ['1', '2'])
  set.write('x')
  const given = response()
  store(given)
  given.writeHead(201, 'Made', { 'X-B': '1' })
  given.end()
  const nothing = response()
  store(nothing)
  nothing.end('x')
  assert.equal(seen.map(([line, own]) => [line, own]), [['HTTP/1.1 200 OK\r\n', true], ['HTTP/1.1 201 Made\r\n', false], ['HTTP/1.1 200 OK\r\n', false]])
  assert.equal({ ...seen[0]?.[2] as object }, { 'x-a': ['X-A', ['1', '2']] })
  assert.equal(seen[1]?.[2], { 'X-B': '1' })
  assert.is(nothing._contentLength, 1)
  assert.ok(set.headersSent)
})

test('with a head that counts as sent, no text of it is written, nor any framing', () => {
  const written: unknown[] = []
  const fake = { writable: true, destroyed: false, writableLength: 0, writableCorked: 0, writableHighWaterMark: 1, _writableState: { corked: 0 }, cork() {}, uncork() {}, on() {}, removeListener() {} }
  const each = response()
  each._storeHeader = function (this: object, firstLine: string) {
    Object.assign(this, { _header: firstLine, _headerSent: true })
  }
  each.assignSocket({ ...fake, write: (data: unknown, _encoding: unknown, done?: () => void) => {
    written.push(data)
    if (typeof done === 'function') process.nextTick(done)
    return true
  } } as never)
  let prefinished = false
  each.on('prefinish', () => (prefinished = true))
  each.write('a')
  each.write(Buffer.from('b'))
  each.end('c')
  assert.ok(prefinished)
  assert.equal(written.filter((data) => data !== '').map(String), ['a', 'b', 'c'])
  assert.is((each.socket as unknown as typeof fake)._writableState.corked, 1)
})

test('the properties are there', () => {
  const each = response('HEAD')
  assert.equal([each._header, each._headerSent, each._contentLength, each._removedContLen, each._hasBody, each._trailer, each._closed], [null, false, null, false, false, '', false])
  const request = new IncomingMessage(new Socket()) as IncomingMessage & Internals
  assert.is(request._consuming, false)
  request._addHeaderLines(['x-a', '1', 'x-a', '2', 'set-cookie', 'a', 'set-cookie', 'b'], 8)
  assert.equal({ ...request.headers }, { 'x-a': '1, 2', 'set-cookie': ['a', 'b'] })
  request.complete = true
  request._addHeaderLines(['x-b', '3'], 2)
  assert.equal({ ...request.trailers }, { 'x-b': '3' })
  assert.type(request._dump, 'function')
  each.addTrailers({ 'X-C': '4' })
  assert.is(each._trailer, 'X-C: 4\r\n')
  assert.ok(each instanceof OutgoingMessage)
})

test('a request asks its socket for more by resume', () => {
  let resumed = 0
  const request = new IncomingMessage({ readable: true, readableHighWaterMark: 10, resume: () => resumed++ } as never)
  request.on('data', () => {})
  request.read(0)
  assert.is(resumed, 1)
})

test.run()
