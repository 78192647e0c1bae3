import * as assert from 'uvu/assert'
import { application, type Application } from '../../lib/index.ts'
import { messageLog } from '../../lib/middleware/index.ts'
import { testClient } from '../../lib/testing/index.ts'
import { suite } from '../support/suite.ts'

const test = suite('message log')

async function linesOf(app: Application, path: string, body?: string): Promise<readonly string[]> {
  const lines: string[] = []
  await using client = await testClient(messageLog(app, { log: (line) => lines.push(line.replace(/^\[\d+\] /, '')) }), { lifespan: false, raiseApplicationErrors: false })
  await (await client.fetch(path, body === undefined ? {} : { method: 'POST', body })).text().catch(() => {})
  return lines
}

test('each event is a line, bodies by their size, and so is the end', async () => {
  const app = application({
    http: async (_scope, receive, send) => {
      await receive()
      await send({ type: 'http.response.start', status: 201, headers: [['a', 'b']] })
      await send({ type: 'http.response.body', body: Buffer.from('12345') })
    },
  })
  assert.equal(await linesOf(app, '/a%20b', 'hi'), [
    'http POST /a%20b HTTP/1.1',
    'receive http.request body=<2 bytes> moreBody=true',
    'send http.response.start status=201 headers=<1 items>',
    'send http.response.body body=<5 bytes>',
    'returned',
  ])
})

test('a refused event and an error that is thrown are told, and go on', async () => {
  const app = application({
    http: async (_scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 1 }).catch(() => {})
      throw new RangeError('boom')
    },
  })
  const [, refused, threw] = await linesOf(app, '/')
  assert.match(refused ?? '', /^send http\.response\.start status=1: InvalidEvent: http\.response\.start: status must be/)
  assert.is(threw, 'threw RangeError: boom')
})

test('calls have numbers of their own', async () => {
  const numbers = new Set<string>()
  const app = messageLog(application({ http: async (_scope, _receive, send) => send({ type: 'http.response.start', status: 200 }) }), { log: (line) => numbers.add(line.split(' ', 1)[0] ?? '') })
  await using client = await testClient(app, { lifespan: false, raiseApplicationErrors: false })
  for (let i = 0; i < 3; i++) await client.fetch('/').catch(() => {})
  assert.is(numbers.size, 3)
})

test.run()
