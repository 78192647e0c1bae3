/** What a host of PEP 3333 sees of a stack: an iterable that it closes once, and calls of startResponse. */
import * as assert from 'uvu/assert'
import type { StartResponse, WsgiApplication } from '../../lib/contract/wsgi.ts'
import { async, HttpResponse, neutral, pass, route, Stack, type NeutralHttpRequest, type SyncHttpRequest } from '../../lib/stack/index.ts'
import { suite } from '../support/suite.ts'
import { environOf } from './faces.ts'

const test = suite('a stack as a callable of PEP 3333')

interface Called {
  readonly events: string[]
  readonly result: Iterable<Uint8Array> & { close?(): void }
}

const events: string[] = []

function* pieces(): Generator<string, void, void> {
  events.push('begun')
  try {
    for (const piece of ['a', 'b', 'c']) yield piece
  } finally {
    events.push('ended')
  }
}

const app: WsgiApplication = new Stack({
  middleware: [neutral(function* (request) { return yield* pass(request) }, 'neutral')],
  routes: [
    route('/text', () => HttpResponse.text('text')),
    route('/closers', () => {
      const response = HttpResponse.text('text')
      response.onClose(() => events.push('closed'))
      return response
    }),
    route('/stream', () => {
      const response = new HttpResponse(pieces())
      response.onClose(() => events.push('closed'))
      return response
    }),
    route('/async', function* (_request: NeutralHttpRequest) {
      return new HttpResponse((async function* () { yield 'never' })())
    }),
    route('/empty', () => new HttpResponse(null, { status: 204 })),
    route('/form', (request: SyncHttpRequest) => HttpResponse.text(String(request.form().files[0]?.path !== null))),
  ],
  log: (_level, message) => events.push(`log ${message}`),
})
  .on('requestStarted', () => events.push('started'))
  .on('requestFinished', () => events.push('finished'))
  .toSync()

function call(path: string, startResponse?: StartResponse): Called {
  events.length = 0
  const result = app(environOf({ PATH_INFO: path }), startResponse ?? ((status, headers) => {
    events.push(`${status} ${headers.map(([name, value]) => `${name}: ${value}`).join(', ')}`)
    return () => {}
  }))
  return { events, result: result as Called['result'] }
}

test('a whole response is a list, with its length, and is over when the callable returns', () => {
  const { result } = call('/text')
  assert.ok(Array.isArray(result))
  assert.equal(Buffer.concat([...result]).toString(), 'text')
  assert.equal(events, ['started', '200 OK content-type: text/plain; charset=utf-8, content-length: 4', 'finished'])
  assert.equal([...call('/empty').result].map(String).join(''), '')
})

test('a body that is never iterated is closed all the same, once however often the host closes', () => {
  const { result } = call('/stream')
  assert.equal(events.slice(2), [])
  for (let i = 0; i < 3; i++) result.close?.()
  assert.equal(events.slice(2), ['closed', 'finished'])
})

test('a body that is left amid the way ends there, though the host only closes', () => {
  const { result } = call('/stream')
  const iterator = result[Symbol.iterator]()
  assert.is(String(iterator.next().value), 'a')
  result.close?.()
  assert.equal(events.slice(2), ['begun', 'ended', 'closed', 'finished'])
  result.close?.()
  assert.is(events.length, 6)
})

test('a body that came to its end is closed once; closers run though nothing streams', () => {
  const { result } = call('/stream')
  assert.is([...result].map(String).join(''), 'abc')
  assert.equal(events.slice(2), ['begun', 'ended'])
  result.close?.()
  assert.equal(events.slice(4), ['closed', 'finished'])
  const other = call('/closers').result
  assert.is([...other].map(String).join(''), 'text')
  other.close?.()
  assert.equal(events.slice(2), ['closed', 'finished'])
})

test('a body that only async code can iterate is a 500', () => {
  const { result } = call('/async')
  assert.is([...result].map(String).join(''), '500 Internal Server Error\n')
  assert.equal(events, ['started', 'log Internal Server Error: /async', '500 Internal Server Error content-type: text/plain; charset=utf-8, content-length: 26', 'finished'])
})

test('where startResponse throws, the request is over, and the host gets its error', () => {
  for (const path of ['/text', '/stream']) {
    try {
      call(path, () => { throw new Error('the host') })
      assert.unreachable()
    } catch (error) {
      assert.is((error as Error).message, 'the host')
    }
    assert.equal(events.filter((event) => event !== 'closed'), ['started', 'finished'], path)
  }
})

test('async code that the loop itself would have to wait for: a 500 that is whole, and the log says why', () => {
  const lines: string[] = []
  const stack = new Stack({
    module: import.meta.url,
    middleware: [async(async (request, next) => next(request), 'waits')],
    routes: [route('/', () => HttpResponse.text('never'))],
    log: (_level, message, error) => lines.push(`${message} ${String((error as { readonly code?: unknown } | undefined)?.code)}`),
  })
  const statuses: string[] = []
  const blocks = stack.toSync()(environOf({ PATH_INFO: '/' }), (status) => {
    statuses.push(status)
    return () => {}
  })
  assert.equal(statuses, ['500 Internal Server Error'])
  assert.match(Buffer.concat([...blocks as Iterable<Uint8Array>]).toString(), 'Internal Server Error')
  assert.ok(lines.some((line) => line.endsWith('ERR_TSGI_WOULD_DEADLOCK')), lines.join())
})

test.run()
