import * as assert from 'uvu/assert'
import type { ResponseHead } from '../../../lib/exchange/transport.ts'
import { headText, interimText, lastChunkText, refusalText } from '../../../lib/protocols/http1/serializer.ts'
import { suite } from '../../support/suite.ts'

const test = suite('HTTP/1.1 serializer')

const head = (more: Partial<ResponseHead> = {}): ResponseHead => ({
  status: 200, headers: [], contentLength: null, bodyless: false, trailers: false, close: false, dated: false, ...more,
})

test('a head: status line, fields, date, framing, connection, in this order', () => {
  assert.match(headText(head({ headers: ['a', '1', 'b', ''], contentLength: 5 }), 'length', 'close', true),
    /^HTTP\/1\.1 200 OK\r\na: 1\r\nb: \r\ndate: [^\r\n]+ GMT\r\ncontent-length: 5\r\nconnection: close\r\n\r\n$/)
  assert.is(headText(head(), 'chunked', 'keep-alive', false), 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n')
  assert.is(headText(head({ status: 599 }), 'close', null, false), 'HTTP/1.1 599 \r\n\r\n')
  assert.is(headText(head({ dated: true, headers: ['date', 'x'] }), 'length', null, true), 'HTTP/1.1 200 OK\r\ndate: x\r\n\r\n')
  assert.is(headText(head({ contentLength: 0 }), 'length', null, false), 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  assert.is(headText(head({ contentLength: Number.MAX_SAFE_INTEGER }), 'length', null, false), 'HTTP/1.1 200 OK\r\ncontent-length: 9007199254740991\r\n\r\n')
})

test('no head has both content-length and transfer-encoding (RFC 9112 6.2)', () => {
  for (const framing of ['length', 'chunked', 'close'] as const) {
    for (const contentLength of [null, 0, 5]) {
      const text = headText(head({ contentLength }), framing, null, false)
      assert.is(text.includes('content-length') && text.includes('transfer-encoding'), false)
    }
  }
})

test('the date line follows the clock', (t) => {
  const now = Date.now
  t.after(() => (Date.now = now))
  const dateAt = (time: number): string => {
    Date.now = () => time
    return headText(head(), 'length', null, true)
  }
  assert.match(dateAt(0), /\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n/)
  assert.match(dateAt(999), /\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n/)
  assert.match(dateAt(1000), /\r\ndate: Thu, 01 Jan 1970 00:00:01 GMT\r\n/)
  // A clock that was set back.
  assert.match(dateAt(951_782_400_000), /\r\ndate: Tue, 29 Feb 2000 00:00:00 GMT\r\n/)
  assert.match(dateAt(500), /\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n/)
})

test('interim heads, last chunks and refusals', () => {
  assert.is(interimText(100, []), 'HTTP/1.1 100 Continue\r\n\r\n')
  assert.is(interimText(103, ['link', '</a>', 'link', '</b>']), 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nlink: </b>\r\n\r\n')
  assert.is(lastChunkText(null), '0\r\n\r\n')
  assert.is(lastChunkText([]), '0\r\n\r\n')
  assert.is(lastChunkText(['a', '1']), '0\r\na: 1\r\n\r\n')
  assert.is(refusalText(400, 'no', false), 'HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 20\r\nconnection: close\r\n\r\n400 Bad Request: no\n')
})

test.run()
