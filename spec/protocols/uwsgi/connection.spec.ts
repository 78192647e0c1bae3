import { once } from 'node:events'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { application, bodyChunks, ClientDisconnected, disconnectSignal, type Application, type ServerOptions } from '../../../lib/index.ts'
import { serve } from '../../../lib/server/server.ts'
import { runCommand, startProcess, tempFolder } from '../../support/command.ts'
import { deferred } from '../../support/deferred.ts'
import { rawSocket, seconds, type RawSocket } from '../../support/raw-socket.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { packet, packetHeader, requestVariables } from '../../support/uwsgi.ts'

const test = suite('uwsgi connections')
const request = packet(requestVariables({}))
const post = (contentLength: number): Buffer => packet(requestVariables({ method: 'POST', contentLength }))

const echo = application({
  http: async (scope, receive, send) => {
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: `${scope.method} ${scope.path} `, moreBody: true })
    for await (const chunk of bodyChunks(receive)) await send({ type: 'http.response.body', body: chunk, moreBody: true })
    await send({ type: 'http.response.body' })
  },
})

interface Uwsgi {
  readonly refused: string[]
  readonly close: () => Promise<void>
  connect(): Promise<RawSocket>
}

async function open(t: TestContext, app: Application = echo, options: ServerOptions = {}): Promise<Uwsgi> {
  const refused: string[] = []
  const write = process.stdout.write.bind(process.stdout)
  process.stdout.write = ((text: string | Uint8Array, ...rest: never[]): boolean => {
    if (typeof text === 'string' && text.includes(' refused ')) return refused.push(text) > 0
    return write(text, ...rest)
  }) as typeof process.stdout.write
  t.after(() => (process.stdout.write = write))
  const server = await serve(app, { bind: ['uwsgi://127.0.0.1:0'], accessLog: true, logLevel: 'info', ...options })
  t.after(() => server.close({ timeout: 0.2 }))
  const port = Number(new URL(server.url).port)
  return { refused, close: () => server.close(), connect: () => rawSocket(t, { port, host: '127.0.0.1' }) }
}

test('a response is plain HTTP, and its end is that of the connection', async (t) => {
  const server = await open(t, echo, { accessLog: false })
  const socket = await server.connect()
  socket.write(Buffer.concat([post(3), Buffer.from('abc')]))
  const text = await socket.toEnd()
  assert.match(text, /^HTTP\/1\.1 200 OK\r\ndate: [^\r]+\r\nconnection: close\r\n\r\nPOST \/ abc$/)
  assert.not.match(text, /transfer-encoding/)
})

test('bytes behind the request are nobody\'s: they are neither its body nor another request', async (t) => {
  const server = await open(t, echo, { accessLog: false })
  const socket = await server.connect()
  socket.write(Buffer.concat([post(3), Buffer.from('abcdef'), request]))
  assert.match(await socket.toEnd(), /\r\n\r\nPOST \/ abc$/)
})

test('what is no packet is logged and closed without an answer', async (t) => {
  const server = await open(t)
  const rows: readonly (readonly [Uint8Array, RegExp])[] = [
    [Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'), /looks like HTTP/],
    [Buffer.from([0x16, 3, 1, 0, 5]), /looks like TLS/],
    [packetHeader(100, 0), /modifier1 is 100/],
    [packetHeader(0, 0, 7), /modifier2 is 7/],
    [Buffer.concat([packetHeader(0, 3), Buffer.from([9, 0, 65])]), /longer than its block/],
  ]
  for (const [bytes, reason] of rows) {
    const before = server.refused.length
    const socket = await server.connect()
    socket.write(bytes)
    assert.is(await socket.toEnd(), '')
    while (server.refused.length === before) await new Promise((resolve) => setImmediate(resolve))
    assert.match(server.refused.at(-1) ?? '', reason)
  }
})

test('a packet that is cut short is logged and closed, an empty connection only closed', async (t) => {
  const server = await open(t)
  const socket = await server.connect()
  socket.write(request.subarray(0, 20))
  socket.end()
  assert.is(await socket.toEnd(), '')
  while (server.refused.length === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.match(server.refused[0] ?? '', /ended within the packet/)
  const empty = await server.connect()
  empty.end()
  assert.is(await empty.toEnd(), '')
  assert.is(server.refused.length, 1)
})

test('a request that is not served is answered', async (t) => {
  const server = await open(t, echo, { accessLog: false, limitHead: 1000, limitRequestLine: 1000 })
  const rows: readonly (readonly [Buffer, string])[] = [
    [packet(requestVariables({ method: 'get' })), '501'],
    [packet(requestVariables({ headers: [['x', 'a\nb']] })), '400'],
    [packet({ REQUEST_METHOD: 'GET' }), '400'],
    [packet(requestVariables({ method: 'POST', headers: [['transfer-encoding', 'chunked']] })), '411'],
    [packet(requestVariables({ headers: [['x', 'x'.repeat(2000)]] })), '431'],
    [packetHeader(0, 65535), '431'],
  ]
  for (const [bytes, status] of rows) {
    const socket = await server.connect()
    socket.write(bytes)
    assert.match(await socket.toEnd(), new RegExp(`^HTTP/1\\.1 ${status} `))
  }
})

test('a packet has `timeoutHead` to come, however it dribbles in; a body 408 after `timeoutBody`', async (t) => {
  const server = await open(t, echo, { timeoutHead: 0.5, timeoutBody: 0.5 })
  const slow = await server.connect()
  let at = 0
  const timer = setInterval(() => slow.write(request.subarray(at, ++at)), 30)
  t.after(() => clearInterval(timer))
  const time = await seconds(slow.toEnd())
  assert.ok(time >= 0.4 && time < 1.5, `${time}`)
  assert.is(slow.text, '')
  while (server.refused.length === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.match(server.refused[0] ?? '', /no complete packet within 0.5 seconds/)
  const waiting = application({
    http: async (_scope, receive, send) => {
      for await (const _ of bodyChunks(receive));
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body' })
    },
  })
  const other = await open(t, waiting, { timeoutBody: 0.4, accessLog: false })
  const body = await other.connect()
  body.write(Buffer.concat([post(10), Buffer.from('abc')]))
  assert.match(await body.toEnd(), /^HTTP\/1\.1 408 /)
})

test('a peer that is gone is a disconnect: at once within the body, and after `timeoutHalfClose` behind it', async (t) => {
  const seen: string[] = []
  const told = deferred()
  const server = await open(t, application({
    http: async (scope, receive) => {
      const aborted = once(disconnectSignal(scope), 'abort')
      for (;;) {
        const event = await receive()
        seen.push(event.type)
        if (event.type === 'http.disconnect') break
      }
      await aborted
      if (seen.filter((each) => each === 'http.disconnect').length === 2) told.resolve()
      throw new ClientDisconnected()
    },
  }), { accessLog: false, timeoutHalfClose: 0.3 })
  const cut = await server.connect()
  cut.write(Buffer.concat([post(10), Buffer.from('abc')]))
  cut.end()
  await cut.ended
  const gone = await server.connect()
  gone.write(request)
  gone.end()
  await told.promise
  assert.is(seen.at(-1), 'http.disconnect')
})

test('a peer that has closed its side still gets its response', async (t) => {
  const server = await open(t, echo, { accessLog: false })
  const socket = await server.connect()
  socket.write(request)
  socket.end()
  assert.match(await socket.toEnd(), /GET \/ $/)
})

test('a response that is broken off resets the connection, so that it cannot pass for whole', async (t) => {
  const failing = deferred()
  const server = await open(t, application({
    http: async (_scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: 'part', moreBody: true })
      await failing.promise
      throw new ClientDisconnected('expected by this test')
    },
  }), { accessLog: false })
  const socket = await server.connect()
  socket.write(request)
  // A reset that comes together with data is a mere end to a client on Node.
  await socket.until('part')
  failing.resolve()
  assert.is(await socket.ended, 'RST', socket.text)
})

test('an early answer to a large upload is delivered', async (t) => {
  const server = await open(t, application({
    http: async (_scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 413 })
      await send({ type: 'http.response.body', body: 'x'.repeat(500_000) })
    },
  }), { accessLog: false })
  const socket = await server.connect()
  socket.write(post(2 ** 30))
  for (let i = 0; i < 20; i++) socket.write(Buffer.alloc(65536))
  const text = await socket.toEnd()
  assert.match(text, /^HTTP\/1\.1 413 /)
  assert.is(text.slice(text.indexOf('\r\n\r\n') + 4), 'x'.repeat(500_000))
})

test('a peer that takes nothing for `timeoutSend` counts as gone', async (t) => {
  const caught = deferred<unknown>()
  const server = await open(t, application({
    http: async (_scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      try {
        for (;;) await send({ type: 'http.response.body', body: Buffer.alloc(65536), moreBody: true })
      } catch (error) {
        caught.resolve(error)
        throw error
      }
    },
  }), { accessLog: false, timeoutSend: 0.5 })
  const socket = await server.connect()
  socket.socket.pause()
  socket.write(request)
  assert.instance(await caught.promise, ClientDisconnected)
})

test('a server that stops answers what is under way, and closes idle connections', async (t) => {
  const go = deferred()
  const entered = deferred()
  const server = await open(t, application({
    http: async (_scope, _receive, send) => {
      entered.resolve()
      await go.promise
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: 'late' })
    },
  }), { accessLog: false })
  const idle = await server.connect()
  const busy = await server.connect()
  busy.write(request)
  await entered.promise
  const closed = server.close()
  assert.is(await idle.toEnd(), '')
  go.resolve()
  assert.match(await busy.toEnd(), /late$/)
  idle.end()
  busy.end()
  await closed
})

test('root path: the option is prepended, unless the front server says SCRIPT_NAME', async (t) => {
  const server = await open(t, application({
    http: async (scope, _receive, send) => {
      await send({ type: 'http.response.start', status: 200 })
      await send({ type: 'http.response.body', body: `${scope.rootPath} ${scope.rawPath}` })
    },
  }), { accessLog: false, rootPath: '/opt' })
  for (const [variables, expected] of [[requestVariables({ path: '/x' }), '/opt /opt/x'], [[...requestVariables({ path: '/x' }), 'SCRIPT_NAME', '/s', 'REQUEST_URI', '/s/x'], '/s /s/x']] as const) {
    const socket = await server.connect()
    socket.write(packet(variables))
    assert.is((await socket.toEnd()).split('\r\n\r\n')[1], expected)
  }
})

test('`--bind uwsgi://…` and `uwsgi:/…`: the start line has the URLs, with HTTP beside them and with --reload', async (t) => {
  const folder = tempFolder(t)
  const path = join(folder.path, 'app.sock')
  const app = folder.write('app.mjs', `export default async (scope, receive, send) => {
    if (scope.type !== 'http') throw new Error('HTTP only')
    await send({ type: 'http.response.start', status: 200 })
    await send({ type: 'http.response.body', body: 'served' })
  }`)
  for (const more of [[], ['--reload']]) {
    const running = startProcess(t, [app, '--no-access-log', '--bind', 'http://127.0.0.1:0', '--bind', 'uwsgi://127.0.0.1:0', '--bind', `uwsgi:${path}`, ...more])
    const [, url = '', unix = ''] = await running.output(/serves .* on http:\S+ and (uwsgi:\/\/\S+) and (uwsgi:\S+) \(/)
    assert.is(unix, `uwsgi:${path}`)
    for (const where of [{ port: Number(new URL(url).port), host: '127.0.0.1' }, { path }]) {
      const socket = await rawSocket(t, where)
      socket.write(request)
      assert.match(await socket.toEnd(), /served$/)
    }
    running.kill('SIGTERM')
    await running.ended
  }
  const refused = await runCommand(t, [app, '--bind', 'uwsgi://127.0.0.1'])
  assert.is(refused.code, 2)
}, 30)

test.run()
