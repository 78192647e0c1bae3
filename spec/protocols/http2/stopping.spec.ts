import * as assert from 'uvu/assert'
import type { Send, ServerOptions } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { gone, http, reply, soon } from '../../support/http2-apps.ts'
import { ACK, DATA, END_STREAM, frame, HIGHEST_STREAM, http2Raw, NO_ERROR, PING, request } from '../../support/http2-raw.ts'
import { pass, rawServer, seconds } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

const test = suite('HTTP/2 when the server stops')

test('a stream under way: GOAWAY with the highest stream, a ping, then GOAWAY with the last stream; requests between are served (RFC 9113 6.8)', async (t) => {
  const held: Send[] = []
  const server = await rawServer(t, http(async (scope, receive, send) => {
    if (scope.path !== '/held') return reply(send, scope.path)
    held.push(send)
    await gone(receive)
  }))
  const client = await http2Raw(t, server.port, { polite: false })
  client.write(request(1, { ':path': '/held' }))
  await soon(() => held.length === 1)
  const closed = server.server.close({ timeout: 5 })
  const ping = await client.frame(PING)
  assert.is(ping.flags, 0)
  assert.equal(client.goaways(), [{ last: HIGHEST_STREAM, code: NO_ERROR }])
  assert.is((await client.ask(3, { ':path': '/between' })).body, '/between')
  client.write(frame(PING, ACK, 0, ping.payload))
  assert.equal(await client.goaway(), { last: 3, code: NO_ERROR })
  client.write(request(5, { ':path': '/late' }))
  for (const send of held) await reply(send, 'held')
  assert.is((await client.whole(1)).body, 'held')
  await client.ended
  client.socket.end()
  assert.is(client.answer(5).status, 0, 'a request after the second GOAWAY is not served')
  assert.ok(await seconds(closed) < 0.5)
})

test('an idle connection: a ping, then GOAWAY with the last stream; a request that was on its way is served', async (t) => {
  const server = await rawServer(t, http(async (scope, _receive, send) => reply(send, scope.path)))
  const client = await http2Raw(t, server.port, { polite: false })
  await client.ask(1)
  const closed = server.server.close({ timeout: 5 })
  const ping = await client.frame(PING)
  client.write(request(3, { ':path': '/between' }), frame(PING, ACK, 0, ping.payload))
  assert.is((await client.whole(3)).body, '/between')
  await client.ended
  client.socket.end()
  assert.equal(client.goaways().at(-1), { last: 3, code: NO_ERROR })
  assert.ok(await seconds(closed) < 0.5)
})

for (const busy of [false, true]) {
  test(`a client that never answers the ping, ${busy ? 'with a stream under way' : 'idle'}, is waited for a second`, async (t) => {
    let release: Send | undefined
    const server = await rawServer(t, http(async (scope, receive, send) => {
      if (scope.path !== '/held') return reply(send)
      release = send
      await gone(receive)
    }))
    const client = await http2Raw(t, server.port, { polite: false })
    await client.ask(1)
    if (busy) {
      client.write(request(3, { ':path': '/held' }))
      await soon(() => release !== undefined)
    }
    const start = performance.now()
    const closed = server.server.close({ timeout: 5 })
    if (busy) {
      assert.equal(await client.goaway(), { last: 3, code: NO_ERROR })
      await reply(release as Send, 'held')
      assert.is((await client.whole(3)).body, 'held')
    }
    await client.ended
    await closed
    const time = (performance.now() - start) / 1000
    assert.ok(time > 0.9 && time < 2, `after ${time} s`)
  })
}

test('a client that leaves while the server waits for its ping is not waited for', async (t) => {
  const server = await rawServer(t, http(async (_scope, _receive, send) => reply(send)))
  for (const how of ['end', 'destroy', 'resetAndDestroy'] as const) {
    const client = await http2Raw(t, server.port)
    await client.ask(1)
    client.socket[how]()
  }
  assert.ok(await seconds(server.server.close({ timeout: 5 })) < 0.5)
})

test('event streams end at once and whole, their applications told; those that begin while the server stops, too', async (t) => {
  const told: string[] = []
  const hold = deferred()
  const server = await rawServer(t, http(async (scope, receive, send) => {
    if (scope.path === '/late') await hold.promise
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/event-stream']] })
    await send({ type: 'http.response.body', body: 'data: 1\n\n', moreBody: true })
    await gone(receive)
    told.push(scope.path)
  }))
  const client = await http2Raw(t, server.port)
  client.write(request(1, { ':path': '/sse' }), request(3, { ':path': '/late' }))
  await client.until(() => client.answer(1).body !== '')
  const closed = server.server.close({ timeout: 5 })
  const { body, ended, reset } = await client.whole(1)
  assert.equal([body, ended, reset], ['data: 1\n\n', true, null])
  assert.equal(told, ['/sse'])
  hold.resolve()
  assert.equal([(await client.whole(3)).ended, client.answer(3).body], [true, 'data: 1\n\n'])
  assert.equal(told, ['/sse', '/late'])
  await client.ended
  assert.ok(await seconds(closed) < 0.5)
})

test('responses that a client is slow to read arrive whole, though its connection is idle, or the server stops', async (t) => {
  const MANY = 1000
  const body = 'x'.repeat(15_000) // of all together the system takes only a part
  const readLate = async (options: ServerOptions, seconds: number, stops: boolean): Promise<void> => {
    let answered = 0
    const app = http(async (_scope, _receive, send) => {
      await reply(send, body)
      answered++
    })
    const server = await rawServer(t, app, { h2MaxStreams: MANY, ...options })
    const client = await http2Raw(t, server.port)
    await client.ping()
    client.socket.pause()
    client.write(...Array.from({ length: MANY }, (_, index) => request(index * 2 + 1)))
    for (let before = -1; before !== answered;) {
      before = answered
      await pass(0.3)
    }
    const closed = stops ? server.server.close({ timeout: 10 }) : null
    await pass(seconds)
    client.socket.resume()
    await client.ended
    assert.is(client.all(DATA).filter(({ flags }) => flags === END_STREAM).length, answered)
    await closed
  }
  // Longer than a client is waited for that owes nothing but its FIN.
  await Promise.all([readLate({}, 3, true), readLate({ h2IdleTimeout: 0.5 }, 7, false)])
}, 20)

test('past the deadline streams are cut off and their applications told', async (t) => {
  let told = 0
  const server = await rawServer(t, http(async (_scope, receive) => {
    await gone(receive)
    told++
  }), { logLevel: 'error' })
  const client = await http2Raw(t, server.port)
  client.write(request(1), request(3))
  await client.ping()
  assert.ok(await seconds(server.server.close({ timeout: 0.3 })) < 1)
  assert.is(told, 2)
  await client.ended
})

test.run()
