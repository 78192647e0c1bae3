import { AsyncLocalStorage } from 'node:async_hooks'
import * as assert from 'uvu/assert'
import type { Application, HttpReceiveEvent, HttpScope, Receive, Send } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { occurrences, pass, rawServer, seconds } from '../../support/raw-socket.ts'
import { suite } from '../../support/suite.ts'

const test = suite('HTTP/1.1 pipelining')

const bare = { dateHeader: false }

function http(app: (scope: HttpScope, receive: Receive, send: Send) => Promise<void>): Application {
  return async (scope, receive, send) => {
    if (scope.type === 'http') await app(scope, receive, send)
    else throw new Error('HTTP only')
  }
}

function reply(send: Send, body: string): Promise<void> {
  void send({ type: 'http.response.start', status: 200, headers: [] })
  return send({ type: 'http.response.body', body })
}

async function textOf(receive: Receive): Promise<string> {
  let text = ''
  for (;;) {
    const event = await receive() as HttpReceiveEvent
    if (event.type === 'http.disconnect') return `${text} cut`
    text += Buffer.from(event.body).toString('latin1')
    if (!event.moreBody) return text
  }
}

const get = (path: string | number, fields = ''): string => `GET /${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
const bodies = (bytes: string): string[] => bytes.match(/<.*?>/g) ?? []

for (const [kind, wait] of [['that never waits', null], ['that waits a microtask', () => Promise.resolve()], ['that waits a turn', () => new Promise((resolve) => setImmediate(resolve))]] as const) {
  test(`1,000 requests in one write are answered in order, one at a time, with few writes: an application ${kind}`, async (t) => {
    let running = 0
    let most = 0
    const app = http(async (scope, _receive, send) => {
      most = Math.max(most, ++running)
      if (wait !== null) await wait()
      running--
      await reply(send, `<${scope.rawPath}>`)
    })
    const server = await rawServer(t, app, bare)
    const socket = await server.connect()
    const count = 1000
    socket.write(Array.from({ length: count }, (_, index) => get(index, index === count - 1 ? 'Connection: close\r\n' : '')).join(''))
    const bytes = await socket.toEnd()
    assert.equal(bodies(bytes), Array.from({ length: count }, (_, index) => `</${index}>`))
    assert.is(occurrences(bytes, 'HTTP/1.1 200 OK\r\n'), count)
    assert.is(most, 1)
    // An application that waits for the loop in each request has one write in each turn of it.
    if (kind !== 'that waits a turn') assert.ok(socket.reads <= 20, `${socket.reads} reads`)
  })
}

test('bodies between the requests, of both framings, and cut anywhere', async (t) => {
  const app = http(async (scope, receive, send) => reply(send, `<${scope.rawPath} ${await textOf(receive)}>`))
  const server = await rawServer(t, app, bare)
  const requests = Array.from({ length: 60 }, (_, index) => [
    get(index),
    `POST /${index} HTTP/1.1\r\nHost: a\r\nContent-Length: ${index}\r\n\r\n${'x'.repeat(index)}`,
    `POST /${index} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${index > 0 ? `${index.toString(16)}\r\n${'y'.repeat(index)}\r\n` : ''}0\r\n\r\n`,
  ][index % 3] ?? '').join('') + get('last', 'Connection: close\r\n')
  const expected = [...Array.from({ length: 60 }, (_, index) => `</${index} ${['', 'x', 'y'][index % 3]?.repeat(index)}>`), '</last >']
  for (const size of [requests.length, 1000, 37]) {
    const socket = await server.connect()
    for (let at = 0; at < requests.length; at += size) {
      socket.write(requests.slice(at, at + size))
      if (size < requests.length) await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(bodies(await socket.toEnd()), expected, `pieces of ${size}`)
  }
})

test('the next request begins only when the response before it is complete', async (t) => {
  const first = deferred()
  const begun: string[] = []
  const app = http(async (scope, _receive, send) => {
    begun.push(scope.path)
    await send({ type: 'http.response.start', status: 200, headers: [] })
    await send({ type: 'http.response.body', body: `<${scope.path}`, moreBody: true })
    if (scope.path === '/1') await first.promise
    await send({ type: 'http.response.body', body: '>' })
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.write(get(1) + get(2, 'Connection: close\r\n'))
  await socket.until('</1')
  await pass(0.05)
  assert.equal(begun, ['/1'])
  first.resolve()
  await socket.toEnd()
  assert.equal(begun, ['/1', '/2'])
})

test('an application that goes on after its response does not hold the next request back, nor disturb it', async (t) => {
  const more = deferred()
  const late: unknown[] = []
  const app = http(async (scope, receive, send) => {
    await reply(send, `<${scope.path}>`)
    if (scope.path !== '/1') return more.resolve()
    await more.promise
    late.push(await receive())
    late.push(await send({ type: 'http.response.start', status: 500, headers: [] }), await reply(send, 'late'))
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  socket.write(get(1) + get(2))
  await socket.until('</2>')
  await pass(0.02)
  socket.write(get(3, 'Connection: close\r\n'))
  assert.equal((await socket.toEnd()).match(/HTTP\/1.1 \d+|<.*?>|late/g), ['HTTP/1.1 200', '</1>', 'HTTP/1.1 200', '</2>', 'HTTP/1.1 200', '</3>'])
  assert.equal(late, [{ type: 'http.disconnect' }, undefined, undefined])
})

for (const how of ['run', 'enterWith'] as const) {
  for (const waits of [false, true]) {
    test(`the AsyncLocalStorage of one request is not seen by the next (${how}, an application that ${waits ? 'waits' : 'never waits'})`, async (t) => {
      const storage = new AsyncLocalStorage<string>()
      const seen: unknown[] = []
      const app = http(async (scope, _receive, send) => {
        seen.push(storage.getStore())
        const answer = async (): Promise<void> => {
          if (waits) await new Promise((resolve) => setTimeout(resolve, 2))
          await reply(send, `<${scope.path} ${storage.getStore()}>`)
        }
        if (how === 'run') return storage.run(scope.path, answer)
        storage.enterWith(scope.path)
        return answer()
      })
      const server = await rawServer(t, app, bare)
      const socket = await server.connect()
      // Pipelined, on a connection that is kept alive, and on another connection.
      socket.write(get(1) + get(2) + get(3))
      await socket.until('</3')
      socket.write(get(4) + get(5, 'Connection: close\r\n'))
      assert.equal(bodies(await socket.toEnd()), [1, 2, 3, 4, 5].map((path) => `</${path} /${path}>`))
      await server.exchange(get(6) + get(7, 'Connection: close\r\n'))
      assert.equal(seen, new Array(7).fill(undefined))
    })
  }
}

test('a slow body behind a pipelined request is read on', async (t) => {
  const app = http(async (scope, receive, send) => {
    await pass(0.02)
    await reply(send, `<${scope.path} ${(await textOf(receive)).length}>`)
  })
  const server = await rawServer(t, app, bare)
  const socket = await server.connect()
  const size = 3_000_000
  socket.write(`${get(1)}POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
  socket.write(Buffer.alloc(size, 'x'))
  socket.write(get(3, 'Connection: close\r\n'))
  assert.equal(bodies(await socket.toEnd()), ['</1 0>', `</2 ${size}>`, '</3 0>'])
})

test('pipelined requests of a client that reads slowly are all answered, after its FIN too', async (t) => {
  const large = 'x'.repeat(50_000)
  const app = http(async (scope, _receive, send) => reply(send, `<${scope.path} ${large}>`))
  const server = await rawServer(t, app, { ...bare, timeoutKeepAlive: 0.2, timeoutHalfClose: 0.3 })
  for (const fin of [false, true]) {
    const socket = await server.connect()
    socket.socket.pause()
    const count = 400
    socket.write(Array.from({ length: count }, (_, index) => get(index, index === count - 1 ? 'Connection: close\r\n' : '')).join(''))
    if (fin) socket.end()
    // Longer than the idle time: a connection with requests to answer is not idle.
    await pass(0.6)
    for (let read = 0; read < 12 && socket.ending === null; read++) {
      await pass(0.05)
      const before = socket.length
      socket.socket.resume()
      await socket.untilLength(before + 1_000_000)
      socket.socket.pause()
    }
    socket.socket.resume()
    assert.equal(bodies(await socket.toEnd()).length, count, fin ? 'after a FIN' : 'without a FIN')
  }
}, 20)

/** Memory that is held, without what only waits to be collected. */
function held(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test('100,000 pipelined requests whose replies nobody reads: reading stops, memory is bounded, others are served', async (t) => {
  let calls = 0
  const app = http(async (_scope, _receive, send) => {
    calls++
    await reply(send, 'x'.repeat(1000))
  })
  const server = await rawServer(t, app, bare)
  const flood = Buffer.from(get('flood').repeat(1000))
  const attack = async (): Promise<number> => {
    const socket = await server.connect()
    socket.socket.pause()
    for (let count = 0; count < 100; count++) socket.write(flood)
    await new Promise((resolve) => setImmediate(resolve))
    for (let before = -1; calls !== before; await pass(0.05)) {
      before = calls
      const time = await seconds(server.exchange(get('probe', 'Connection: close\r\n')))
      assert.ok(time < 0.25, `a probe took ${time} s`)
      calls--
    }
    const memory = held()
    socket.socket.destroy()
    await socket.closed
    return memory
  }
  await attack()
  const before = held()
  calls = 0
  const growth = (await attack() - before) / 2 ** 20
  assert.ok(growth < 10, `memory grew by ${growth.toFixed(1)} MiB`)
  assert.ok(calls < 20_000, `${calls} of 100,000 were served`)
}, 20)

test.run()
