import { existsSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { join } from 'node:path'
import { rejects } from 'node:assert/strict'
import * as assert from 'uvu/assert'
import { bindsOf, withInheritedSockets } from '../../lib/server/binds.ts'
import { completeOptions } from '../../lib/server/options.ts'
import { InvalidOption, ListenFailed, serve, type Application, type HttpScope, type ServerOptions } from '../../lib/index.ts'
import { authority, issue } from '../support/certificates.ts'
import { commandArgs, runCommand, startProcess, tempFolder } from '../support/command.ts'
import { rawClient } from '../support/raw-client.ts'
import { suite, type TestContext } from '../support/suite.ts'
import { runProgram, scopeTeller } from '../support/tls-server.ts'

const test = suite('binds')

const tellSource = `export default async (scope, receive, send) => {
  if (scope.type !== 'http') throw new Error('HTTP only')
  const { scheme, client, server } = scope
  await send({ type: 'http.response.start', status: 200, headers: [] })
  await send({ type: 'http.response.body', body: JSON.stringify({ scheme, client, server }) })
}`

type Told = Pick<HttpScope, 'scheme' | 'client' | 'server'>

/** What the application tells over a plain connection. */
async function tell(t: TestContext, where: { path: string } | { port: number; host?: string }): Promise<Told> {
  const client = await rawClient(t, where)
  client.send('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  await client.ended
  return JSON.parse(client.received.slice(client.received.indexOf('\r\n\r\n') + 4)) as Told
}

function portOf(url: string | undefined): number {
  return Number(new URL(url ?? '').port)
}

test('each form of a bind is read', () => {
  const rows: readonly (readonly [string, object])[] = [
    ['http://127.0.0.1:8000', { type: 'tcp', host: '127.0.0.1', port: 8000, https: false }],
    ['HTTPS://example.com:0', { type: 'tcp', host: 'example.com', port: 0, https: true }],
    ['http://[::]:65535', { type: 'tcp', host: '::', port: 65535, https: false }],
    ['unix:/run/app.sock', { type: 'unix', path: '/run/app.sock' }],
    ['unix:///run/app.sock', { type: 'unix', path: '/run/app.sock' }],
    ['fd://3', { type: 'fd', fd: 3 }],
  ]
  for (const [text, bind] of rows) assert.equal(bindsOf({ ...completeOptions({}), bind: [text] }), [bind], text)
})

test('a malformed bind is an InvalidOption that names it, and so are addresses that exclude each other', () => {
  for (const text of ['', '127.0.0.1:80', 'http://a', 'http://a:', 'http://:80', 'http://a:65536', 'http://a:80/', 'http://a:80/x', 'http://::1:80', 'http://[1.2.3.4]:80', 'http://[x]:80', 'ftp://a:1', 'http://u@a:1', 'unix:', 'unix:x', 'unix://run/x', 'fd:3', 'fd://', 'fd://x', 'https+fd://3']) {
    assert.throws(() => completeOptions({ bind: ['http://a:1', text] }), (error: Error) => error instanceof InvalidOption && error.message.startsWith('bind must be of the form ') && error.message.endsWith(`found ${JSON.stringify(text)}`), text)
  }
  const bind = ['http://a:1']
  const rows: readonly (readonly [ServerOptions, RegExp])[] = [
    [{ bind, host: 'a' }, /^bind must be the only address/],
    [{ bind, port: 1 }, /^bind must be the only address/],
    [{ bind, uds: '/x' }, /^bind must be the only address/],
    [{ bind, fd: 3 }, /^bind must be the only address/],
    [{ fd: 3, uds: '/x' }, /^fd must be the only address/],
    [{ fd: 3, port: 1 }, /^fd must be the only address/],
    [{ fd: -1 }, /^fd must be a whole number/],
    [{ fd: 1.5 }, /^fd must be a whole number/],
  ]
  for (const [options, says] of rows) assert.throws(() => completeOptions(options), (error: Error) => says.test(error.message), JSON.stringify(options))
})

test('every place is served, url is the first, and scopes tell by which the client came', async (t) => {
  const path = join(tempFolder(t).path, 'app.sock')
  const server = await serve(scopeTeller, { bind: ['http://127.0.0.1:0', `unix:${path}`, 'http://[::1]:0'], accessLog: false })
  t.after(() => server.close())
  const [first, second, third] = server.urls
  assert.match(first ?? '', /^http:\/\/127\.0\.0\.1:[1-9]\d*$/)
  assert.is(second, `unix:${path}`)
  assert.match(third ?? '', /^http:\/\/\[::1\]:[1-9]\d*$/)
  assert.is(server.url, first)
  assert.equal(server.addresses, [['127.0.0.1', portOf(first)], [path, null], ['::1', portOf(third)]])
  assert.equal((await tell(t, { port: portOf(first), host: '127.0.0.1' })).server, ['127.0.0.1', portOf(first)])
  assert.equal((await tell(t, { port: portOf(third), host: '::1' })).server, ['::1', portOf(third)])
  const { client, server: address } = await tell(t, { path })
  assert.equal([client, address], [null, [path, null]])
  await server.close()
  assert.not.ok(existsSync(path))
})

test('[::] is dual stack: an IPv4 client has its IPv4 address', async (t) => {
  const server = await serve(scopeTeller, { bind: ['http://[::]:0'], accessLog: false })
  t.after(() => server.close())
  assert.match(server.url, /^http:\/\/\[::\]:\d+$/)
  assert.equal((await tell(t, { port: portOf(server.url), host: '::1' })).client?.[0], '::1')
  const four = await tell(t, { port: portOf(server.url), host: '127.0.0.1' })
  assert.equal([four.client?.[0], four.server?.[0]], ['127.0.0.1', '127.0.0.1'])
})

test('when one place cannot be had, those that were open are closed and the application is shut down', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  t.after(() => new Promise((resolve) => taken.close(resolve)))
  const { port } = taken.address() as { port: number }
  const path = join(tempFolder(t).path, 'app.sock')
  const events: string[] = []
  const app: Application = async (scope, receive, send) => {
    if (scope.type !== 'lifespan') throw new Error('lifespan only')
    for (;;) {
      const { type } = await receive()
      events.push(type)
      if (type === 'lifespan.startup') await send({ type: 'lifespan.startup.complete' })
      else return send({ type: 'lifespan.shutdown.complete' })
    }
  }
  await rejects(serve(app, { bind: [`unix:${path}`, `http://127.0.0.1:${port}`] }), (error: unknown) => error instanceof ListenFailed && error.message === `cannot listen on 127.0.0.1:${port}: the address is in use`)
  assert.equal(events, ['lifespan.startup', 'lifespan.shutdown'])
  assert.not.ok(existsSync(path))
  await rejects(serve(app, { fd: 999_999 }), (error: unknown) => error instanceof ListenFailed && /^cannot listen on fd:\/\/999999: not a socket that listens/.test(error.message))
})

test('sockets of systemd count for the process that LISTEN_PID names, where no address is given; the variables go', () => {
  const mine = { LISTEN_PID: String(process.pid), LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b' }
  const env: NodeJS.ProcessEnv = { ...mine, OTHER: '1' }
  assert.equal(withInheritedSockets({ accessLog: false }, env), { accessLog: false, bind: ['fd://3', 'fd://4'] })
  assert.equal(env, { OTHER: '1' })
  const foreign = { ...mine, LISTEN_PID: '1' }
  assert.equal(withInheritedSockets({}, foreign), {})
  assert.is(foreign.LISTEN_FDS, '2')
  for (const options of [{ port: 1 }, { host: 'a' }, { uds: '/x' }, { fd: 5 }, { bind: ['http://a:1'] }]) assert.equal(withInheritedSockets(options, { ...mine }), options)
  for (const count of ['0', '', '-1', 'x', '99999']) assert.equal(withInheritedSockets({}, { ...mine, LISTEN_FDS: count }), {})
})

test.needing(['openssl', 'curl'], () => {
  test('the command serves http, https and a unix socket at one time, with a start line that names all', async (t) => {
    const folder = tempFolder(t)
    const path = join(folder.path, 'app.sock')
    const { cert, key } = issue()
    for (const more of [[], ['--reload']]) {
      const running = startProcess(t, [folder.write('app.mjs', tellSource), '--no-access-log', '--tls-cert', cert, '--tls-key', key, '--bind', 'http://127.0.0.1:0', '--bind', 'https://127.0.0.1:0', '--bind', `unix:${path}`, ...more])
      const [, plain = '', secure = '', unix] = await running.output(/serves .* on (http:\S+) and (https:\S+) and (unix:\S+) \(/)
      assert.is(unix, `unix:${path}`)
      const ask = async (...args: readonly string[]): Promise<Told> => {
        const { stdout, stderr } = await runProgram('curl', ['-sS', '--http1.1', '--max-time', '5', ...args])
        assert.is(stderr, '')
        return JSON.parse(stdout) as Told
      }
      assert.equal([(await ask(plain)).scheme, (await ask('--cacert', authority().cert, secure)).scheme], ['http', 'https'])
      const { client, server } = await ask('--unix-socket', path, 'http://x/')
      assert.equal([client, server], [null, [path, null]])
      running.kill('SIGTERM')
      const ended = await running.ended
      assert.equal([ended.code, ended.stderr], [0, ''])
    }
  }, 30)
})

/** Opens a TCP and a unix socket as 3 and 4, as systemd does, and becomes the program. */
const activation = `
import os, socket, sys
tcp = socket.socket(); tcp.bind(('127.0.0.1', 0)); tcp.listen()
unix = socket.socket(socket.AF_UNIX); unix.bind(sys.argv[1]); unix.listen()
high = [os.dup2(each.fileno(), 100 + n) for n, each in enumerate([tcp, unix])]
for n, fd in enumerate(high): os.dup2(fd, 3 + n); os.close(fd)
if sys.argv[2] == 'systemd': os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2')
os.execv(sys.argv[3], sys.argv[3:])
`

test.needing(['python3'], () => {
  test('sockets that are handed over are served: by systemd\'s variables, --fd, and --bind fd://N', async (t) => {
    const folder = tempFolder(t)
    const app = folder.write('app.mjs', tellSource + '\nconsole.log(`app: ${process.env.LISTEN_FDS} ${process.env.LISTEN_PID}`)')
    const rows: readonly (readonly [string, readonly string[], RegExp])[] = [
      ['systemd', [], /on (http:\S+) and (unix:\S+) \(/],
      ['systemd', ['--reload'], /on (http:\S+) and (unix:\S+) \(/],
      ['none', ['--bind', 'fd://4', '--bind', 'fd://3'], /on (unix:\S+) and (http:\S+) \(/],
      ['none', ['--fd', '3'], /on (http:\S+) \(/],
    ]
    for (const [index, [how, args, line]] of rows.entries()) {
      const path = join(folder.path, `${index}.sock`)
      const running = startProcess(t, [app, ...args], { program: ['/usr/bin/env', 'python3', '-c', activation, path, how, process.execPath, ...commandArgs] })
      const urls = (await running.output(line)).slice(1)
      const port = portOf(urls.find((url) => url.startsWith('http')))
      assert.equal((await tell(t, { port, host: '127.0.0.1' })).server, ['127.0.0.1', port])
      if (urls.length > 1) {
        assert.ok(urls.includes(`unix:${path}`))
        const { client, server } = await tell(t, { path })
        assert.equal([client, server], [null, [path, null]])
      }
      assert.match(running.stdout, /^app: undefined undefined$/m)
      running.kill('SIGTERM')
      assert.is((await running.ended).code, 0)
    }
    const wrong = await runCommand(t, [app, '--fd', '0'])
    assert.equal([wrong.code, /^tsgi: cannot listen on fd:\/\/0: /.test(wrong.stderr)], [1, true])
  }, 40)
})

test('a client that has reset its connection before it is accepted does not pass for one on a unix socket', async (t) => {
  const seen: unknown[] = []
  const server = await serve(async (scope, receive, send) => {
    if (scope.type === 'http') seen.push(scope.client)
    await scopeTeller(scope, receive, send)
  }, { port: 0, accessLog: false })
  t.after(() => server.close())
  for (let i = 0; i < 20; i++) {
    await new Promise<void>((resolve) => {
      const socket = connect(portOf(server.url), '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n', () => socket.resetAndDestroy()))
      socket.on('close', () => resolve()).on('error', () => {})
    })
  }
  await tell(t, { port: portOf(server.url), host: '127.0.0.1' })
  assert.equal(seen.filter((client) => client === null), [])
})

test.run()
