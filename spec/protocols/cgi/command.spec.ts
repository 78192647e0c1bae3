/** `tsgi cgi app.js` as a real process: under `fromCgi`, and under lighttpd with mod_cgi. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import * as assert from 'uvu/assert'
import { fromCgi } from '../../../adapters/cgi/index.ts'
import { testClient, type TestClient } from '../../../lib/testing/index.ts'
import { startProcess, tempFolder, type Folder } from '../../support/command.ts'
import { rejection } from '../../support/rejection.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { until } from '../../adapters/cgi/programs.ts'
import { commandScript, minimal, teller } from './support.ts'

const test = suite('CGI, the command')

/** A folder with `app.mjs` and the program `app.cgi`. */
function program(t: TestContext, source = teller): { readonly folder: Folder; readonly file: string } {
  const folder = tempFolder(t)
  const file = folder.write('app.cgi', commandScript([folder.write('app.mjs', source)]))
  chmodSync(file, 0o755)
  return { folder, file }
}

async function open(t: TestContext): Promise<{ readonly client: TestClient; readonly logged: string[]; readonly folder: Folder }> {
  const { folder, file } = program(t)
  const logged: string[] = []
  const client = await testClient(fromCgi(file, { log: (line) => logged.push(line) }), { rootPath: '/app' })
  t.after(() => client.close().catch(() => {}))
  return { client, logged, folder }
}

test('under fromCgi it answers as it would here, and console.log goes to the log', async (t) => {
  const { client, logged } = await open(t)
  const response = await client.fetch('/a%2Fb?c', { headers: { 'x-one': '1' } })
  assert.is(response.status, 200)
  assert.equal(response.headers.getSetCookie(), ['a=1', 'b=2'])
  const told = await response.json() as { rawPath: string; rootPath: string; queryString: string; headers: readonly (readonly string[])[] }
  assert.equal([told.rawPath, told.rootPath, told.queryString], ['/app/a%2Fb', '/app', 'c'])
  assert.ok(told.headers.some(([name, value]) => name === 'x-one' && value === '1'))
  await until(() => logged.length > 0)
  assert.equal(logged, ['app.cgi: not part of the response'])
})

test('an application that fails: a 500, or half a response that is broken off; its error in the log', async (t) => {
  const { client, logged } = await open(t)
  assert.is((await client.fetch('/fails')).status, 500)
  await until(() => logged.some((line) => line.includes('Error: boom')))
  const half = await client.fetch('/half')
  assert.is(half.status, 200)
  assert.match((await rejection(half.text())).message, /ended with code 1/)
}, 20)

test('a client that leaves: the application hears of it, by SIGTERM', async (t) => {
  const { client, folder } = await open(t)
  const controller = new AbortController()
  const file = `${folder.path}/left`
  const response = await client.fetch(`/waits?${encodeURIComponent(file)}`, { signal: controller.signal })
  assert.is(response.status, 200)
  controller.abort()
  await until(() => existsSync(file))
}, 20)

test('it says what is wrong where no server runs it, or the command line is wrong', async (t) => {
  const folder = tempFolder(t)
  const app = folder.write('app.mjs', teller)
  const env = { ...minimal } as Record<string, string>
  for (const [args, message, variables] of [
    [[app], /no REQUEST_METHOD/, {}],
    [[], /no application/, env],
    [['--port', '1'], /takes PATH/, env],
    [[app, '--interface', 'x'], /expected auto, async/, env],
    [[`${folder.path}/none.mjs`], /no such file/, env],
  ] as const) {
    const file = folder.write('run', commandScript(args))
    const ended = await startProcess(t, [file], { program: ['/bin/sh'], env: variables }).ended
    assert.is(ended.code, 1)
    assert.is(ended.stdout, '')
    assert.match(ended.stderr, message)
  }
}, 30)

test.needing(['lighttpd'], () => {
  test('lighttpd with mod_cgi in front: requests, bodies, statuses, redirects', async (t) => {
    const { url, errors } = await lighttpd(t)
    const response = await fetch(`${url}/app.cgi/a%20b?c=d`, { headers: { 'x-one': '1' } })
    assert.is(response.status, 200)
    assert.equal(response.headers.getSetCookie(), ['a=1', 'b=2'])
    const told = await response.json() as Record<string, unknown>
    const { method, path, rootPath, queryString, scheme } = told
    assert.equal({ method, path, rootPath, queryString, scheme }, { method: 'GET', path: '/app.cgi/a b', rootPath: '/app.cgi', queryString: 'c=d', scheme: 'http' })
    assert.is((told['client'] as readonly unknown[])[0], '127.0.0.1')
    assert.ok((told['headers'] as readonly (readonly string[])[]).some(([name, value]) => name === 'x-one' && value === '1'))

    const head = await fetch(`${url}/app.cgi/`, { method: 'HEAD' })
    assert.equal([head.status, head.headers.get('content-type'), await head.text()], [200, 'application/json', ''])
    const missing = await fetch(`${url}/app.cgi/missing`)
    assert.equal([missing.status, await missing.text()], [404, 'not here'])
    const moved = await fetch(`${url}/app.cgi/moved`, { redirect: 'manual' })
    assert.equal([moved.status, moved.headers.get('location')], [303, 'http://a.example/b'])
    assert.is((await fetch(`${url}/app.cgi/fails`)).status, 500)

    const body = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, i) => i * 7))
    const echoed = await fetch(`${url}/app.cgi/echo`, { method: 'POST', body })
    assert.ok(Buffer.from(await echoed.arrayBuffer()).equals(body))
    // In chunks it is read first, so that its length is known.
    const parts = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < body.length; at += 100_000) yield body.subarray(at, at + 100_000)
    }
    const chunked = await fetch(`${url}/app.cgi/echo`, { method: 'POST', body: parts(), duplex: 'half' } as unknown as RequestInit)
    assert.ok(Buffer.from(await chunked.arrayBuffer()).equals(body))
    assert.match(errors(), /not part of the response/)
    assert.match(errors(), /boom/)
  }, 60)
})

/** Starts lighttpd on a free port, with a folder that has `app.cgi`. */
async function lighttpd(t: TestContext): Promise<{ readonly url: string; errors(): string }> {
  const folder = tempFolder(t)
  mkdirSync(`${folder.path}/www`)
  mkdirSync(`${folder.path}/tmp`)
  const app = folder.write('app.mjs', teller)
  chmodSync(folder.write('www/app.cgi', commandScript([app])), 0o755)
  const port = await freePort()
  const config = folder.write('lighttpd.conf', `
    server.modules = ( "mod_cgi" )
    server.document-root = "${folder.path}/www"
    server.bind = "127.0.0.1"
    server.port = ${port}
    server.errorlog = "${folder.path}/errors"
    server.breakagelog = "${folder.path}/stderr"
    server.upload-dirs = ( "${folder.path}/tmp" )
    cgi.assign = ( ".cgi" => "" )
  `)
  const child = spawn('lighttpd', ['-D', '-f', config], { stdio: 'ignore', env: { PATH: `${process.env['PATH']}:/usr/sbin` } })
  t.after(async () => {
    if (child.exitCode === null && child.kill()) await once(child, 'exit')
  })
  await listening(port)
  return { url: `http://127.0.0.1:${port}`, errors: () => readFileSync(`${folder.path}/stderr`, 'utf8') }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = connect({ port, host: '127.0.0.1' })
    const there = await new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)))
    socket.destroy()
    if (there) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test.run()
