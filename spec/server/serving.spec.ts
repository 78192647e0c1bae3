import { existsSync, writeFileSync } from 'node:fs'
import { execFile } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { answering, runCommand, serveCommand, startProcess, tempFolder, type Ended } from '../support/command.ts'
import { rawClient } from '../support/raw-client.ts'
import { suite } from '../support/suite.ts'

const test = suite('serving')
const run = promisify(execFile)

/** Answers with its scope as JSON. */
const scopeApp = `export default async (scope, receive, send) => {
  if (scope.type !== 'http') throw new Error('HTTP only')
  const { path, rawPath, rootPath, scheme, client, server, queryString } = scope
  await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'application/json'], ['x-own', 'mine']] })
  await send({ type: 'http.response.body', body: JSON.stringify({ path, rawPath, rootPath, scheme, client, server, queryString, host: scope.headers.get('host') }) })
}`

test('--port 0 prints the port that the system picked', async (t) => {
  const folder = tempFolder(t)
  const serving = await serveCommand(t, [folder.write('app.mjs', scopeApp), '--root-path', '/api/v1', '--header', 'X-One: 1', '--header', 'x-own: default', '--header', 'x-one: 2', '--server-header', 'gate', '--no-date-header'])
  assert.match(serving.url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/)

  const response = await fetch(`${serving.url}/a%20b?q=1`)
  const scope = await response.json() as Record<string, unknown>
  assert.equal([scope['path'], scope['rawPath'], scope['rootPath'], scope['queryString']], ['/api/v1/a b', '/api/v1/a%20b', '/api/v1', 'q=1'], '--root-path is prepended')
  assert.equal(scope['server'], ['127.0.0.1', serving.port])
  assert.is(response.headers.get('x-one'), '1, 2', '--header may be repeated')
  assert.is(response.headers.get('x-own'), 'mine', "the application's own field wins")
  assert.is(response.headers.get('server'), 'gate')
  assert.is(response.headers.get('date'), null)
})

test('without options there is a date and no server header', async (t) => {
  const folder = tempFolder(t)
  const serving = await serveCommand(t, [folder.write('app.mjs', scopeApp)])
  const { headers } = await fetch(serving.url)
  assert.ok(Math.abs(Date.parse(headers.get('date') ?? '') - Date.now()) < 5000)
  assert.is(headers.get('server'), null)
})

test('each request is a line of the access log: client, method, path with query, status, duration, bytes', async (t) => {
  const folder = tempFolder(t)
  const app = folder.write('app.mjs', `export default async (scope, receive, send) => {
    if (scope.type !== 'http') throw new Error('HTTP only')
    if (scope.path === '/fail') throw new Error('no')
    await send({ type: 'http.response.start', status: 201, headers: [] })
    await send({ type: 'http.response.body', body: 'twelve bytes' })
  }`)
  const serving = await serveCommand(t, [app])
  const start = String.raw`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d 127\.0\.0\.1 `
  const expectLine = async (rest: string): Promise<void> => {
    await serving.output(new RegExp(start + rest + '$', 'm'))
  }
  await (await fetch(`${serving.url}/a/b?c=d&e`, { method: 'POST', body: 'x' })).text()
  await expectLine(String.raw`"POST /a/b\?c=d&e HTTP/1\.1" 201 \d+(?:\.\d)? ms 12 bytes`)
  await fetch(`${serving.url}/head`, { method: 'HEAD' })
  await expectLine(String.raw`"HEAD /head HTTP/1\.1" 201 \d+(?:\.\d)? ms 0 bytes`)
  await (await fetch(`${serving.url}/fail`)).text()
  await expectLine(String.raw`"GET /fail HTTP/1\.1" 500 \d+(?:\.\d)? ms \d+ bytes`)

  const quoted = await rawClient(t, serving)
  quoted.send('GET /a"%200"?b"%0a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  await quoted.ended
  await expectLine(String.raw`"GET /a%22%200%22\?b%22%0a HTTP/1\.1" 201 \d+(?:\.\d)? ms 12 bytes`)

  const refused = await rawClient(t, serving)
  refused.send('GET /bad"\u001b[31m HTTP/1.1\r\nhost: x\r\n\r\n')
  await refused.ended
  assert.match(refused.received, /^HTTP\/1\.1 400 /)
  await serving.output(new RegExp(`${start}refused 400: [ -~]+$`, 'm'))

  assert.is(serving.stdout.trimEnd().split('\n').length, 6, 'the start-up line and one line a request')
})

test('--no-access-log and --log-level leave lines out', async (t) => {
  const folder = tempFolder(t)
  const app = folder.write('app.mjs', `export default ${answering('ok')}`)
  const [quiet, warn, debug] = await Promise.all([
    serveCommand(t, [app, '--no-access-log']),
    warnOnly(),
    serveCommand(t, [app, '--log-level', 'debug']),
  ])
  /** There is no start-up line at this level: the address must be known. */
  async function warnOnly(): Promise<Ended> {
    const path = `${folder.path}/quiet.sock`
    const running = startProcess(t, [app, '--uds', path, '--log-level', 'warn'])
    while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 20))
    const client = await rawClient(t, { path })
    client.send('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    await client.ended
    assert.match(client.received, /^HTTP\/1\.1 200 /)
    running.kill('SIGTERM')
    return running.ended
  }
  for (const serving of [quiet, debug]) {
    await (await fetch(serving.url)).text()
    serving.kill('SIGTERM')
    assert.is((await serving.ended).code, 0)
  }
  assert.match(quiet.stdout, /^tsgi .*\nstopping\n$/)
  assert.equal([warn.stdout, warn.stderr], ['', ''])
  assert.match(debug.stdout, /^debug: the application has no lifespan: Error: HTTP only$/m)
  assert.match(debug.stdout, /"GET \/ HTTP\/1\.1" 200/)
})

test('--uds: a stale socket file is replaced, a live one and any other file are refused, and the file goes when the server stops', async (t) => {
  const folder = tempFolder(t)
  const app = folder.write('app.mjs', scopeApp)
  const path = `${folder.path}/app.sock`
  const first = await serveCommand(t, [app, '--uds', path])
  assert.is(first.url, `unix:${path}`)

  const client = await rawClient(t, { path })
  client.send('GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  await client.ended
  const scope = JSON.parse(client.received.slice(client.received.indexOf('\r\n\r\n'))) as Record<string, unknown>
  assert.equal([scope['client'], scope['server']], [null, [path, null]])
  await first.output(/^\S+ \S+ - "GET \/x HTTP\/1\.1" 200 /m)

  const second = await runCommand(t, [app, '--uds', path])
  assert.equal([second.code, second.stderr], [1, `tsgi: cannot listen on ${path}: another server listens there\n`])
  assert.ok(existsSync(path))

  first.kill('SIGKILL')
  await first.ended
  assert.ok(existsSync(path), 'a killed server leaves its file')
  const third = await serveCommand(t, [app, '--uds', path])
  third.kill('SIGTERM')
  assert.is((await third.ended).code, 0)
  assert.not.ok(existsSync(path), 'a stopped one does not')

  writeFileSync(path, 'notes')
  const fourth = await runCommand(t, [app, '--uds', path])
  assert.equal([fourth.code, fourth.stderr], [1, `tsgi: cannot listen on ${path}: the file exists and is not a socket\n`])
}, 20)

test.needing(['curl'], () => {
  test('curl --unix-socket', async (t) => {
    const folder = tempFolder(t)
    const path = `${folder.path}/app.sock`
    await serveCommand(t, [folder.write('app.mjs', `export default ${answering('by file')}`), '--uds', path])
    const { stdout } = await run('curl', ['-sS', '--max-time', '5', '--unix-socket', path, 'http://app/x'])
    assert.is(stdout, 'by file')
  })
})

if (Object.values(networkInterfaces()).flat().some((each) => each?.address === '::1')) {
  test('--host ::1: the URL has brackets, the scope has none', async (t) => {
    const folder = tempFolder(t)
    const serving = await serveCommand(t, [folder.write('app.mjs', scopeApp), '--host', '::1'])
    assert.match(serving.url, /^http:\/\/\[::1\]:\d+$/)
    const scope = await (await fetch(serving.url)).json() as Record<string, unknown>
    assert.equal([(scope['client'] as unknown[])[0], scope['server']], ['::1', ['::1', serving.port]])
  })

  test('an IPv4 client of a server on :: is written as IPv4', async (t) => {
    const folder = tempFolder(t)
    const serving = await serveCommand(t, [folder.write('app.mjs', scopeApp), '--host', '::'])
    const scope = await (await fetch(`http://127.0.0.1:${serving.port}`)).json() as Record<string, unknown>
    assert.equal([(scope['client'] as unknown[])[0], scope['server']], ['127.0.0.1', ['127.0.0.1', serving.port]])
  })
} else {
  test.skip('--host ::1', 'this machine has no IPv6 loopback address')
}

test('--proxy-headers believes a trusted proxy, in the scope and in the access log, and nobody else', async (t) => {
  const folder = tempFolder(t)
  const app = folder.write('app.mjs', scopeApp)
  const headers = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.example' }
  const [trusting, distant, off] = await Promise.all([
    serveCommand(t, [app, '--proxy-headers']),
    serveCommand(t, [app, '--proxy-headers', '--forwarded-allow-ips', '10.0.0.0/8', '--forwarded-allow-ips', '192.0.2.1']),
    serveCommand(t, [app]),
  ])
  const seen = async (serving: { url: string }): Promise<unknown[]> => {
    const { client, scheme, host } = await (await fetch(serving.url, { headers })).json() as { client: unknown[]; scheme: string; host: string }
    return [client[0], scheme, host]
  }
  assert.equal(await seen(trusting), ['203.0.113.9', 'https', 'shop.example'])
  await trusting.output(/^\S+ \S+ 203\.0\.113\.9 "GET \/ /m)
  assert.equal(await seen(distant), ['127.0.0.1', 'http', `127.0.0.1:${distant.port}`])
  assert.equal(await seen(off), ['127.0.0.1', 'http', `127.0.0.1:${off.port}`])
})

test.run()
