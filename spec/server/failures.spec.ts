import * as assert from 'uvu/assert'
import { serveCommand, startProcess, commandArgs, tempFolder, type Serving } from '../support/command.ts'
import { rawClient, type RawClient } from '../support/raw-client.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('failures')

const source = `
export default async (scope, receive, send) => {
  if (scope.type !== 'http') throw new Error('HTTP only')
  const start = () => send({ type: 'http.response.start', status: 200, headers: [] })
  switch (scope.path) {
    case '/throws': throw new TypeError('no such thing')
    case '/text': throw 'only text'
    case '/late': await start(); await send({ type: 'http.response.body', body: 'half', moreBody: true }); throw new Error('half way')
    case '/early': await start(); return
    case '/rejects': void Promise.reject(new Error('nobody awaits this')); break
    case '/uncaught': setImmediate(() => { throw new Error('nobody catches this') }); break
    case '/gone': {
      console.log('app: waits')
      while ((await receive()).type !== 'http.disconnect');
      console.log('app: disconnected')
      await start()
    }
  }
  await start()
  await send({ type: 'http.response.body', body: 'fine' })
}`

function serveApp(t: TestContext): Promise<Serving> {
  return serveCommand(t, [tempFolder(t).write('app.mjs', source)])
}

test('an error of the application is logged once with stack, method and path, and the server goes on', async (t) => {
  const serving = await serveApp(t)
  const response = await fetch(`${serving.url}/throws?q=%22`, { method: 'PUT' })
  assert.is(response.status, 500)
  assert.not.match(await response.text(), /no such thing|app\.mjs/, 'the client is told nothing of the inside')
  assert.is((await fetch(`${serving.url}/text`)).status, 500)
  const late = await rawClient(t, serving)
  late.send('GET /late HTTP/1.1\r\nhost: x\r\n\r\n')
  await late.ended
  assert.match(late.received, /half/)
  assert.not.match(late.received, /\r\n0\r\n/)
  assert.is((await fetch(`${serving.url}/early`)).status, 500)
  assert.is(await (await fetch(serving.url)).text(), 'fine')

  serving.kill('SIGTERM')
  const { code, stdout, stderr } = await serving.ended
  assert.is(code, 0)
  assert.match(stderr, /^error: PUT \/throws: the application failed\nTypeError: no such thing\n {4}at .*app\.mjs:6/m)
  assert.match(stderr, /^error: GET \/text: the application failed\nonly text$/m)
  assert.match(stderr, /^error: GET \/late: the application failed\nError: half way\n {4}at .*app\.mjs:8/m)
  assert.match(stderr, /^error: GET \/early: the application failed\nIncompleteResponse: the application returned too early, expected it to send /m)
  assert.is(stderr.match(/^error: /gm)?.length, 4, 'each once')
  assert.is(stdout.match(/" (?:500|200) /g)?.length, 5, 'and each is in the access log')
})

test('a rejection that nobody takes and an exception that nobody catches are logged and end nothing', async (t) => {
  const serving = await serveApp(t)
  const waiting = await rawClient(t, serving)
  waiting.send('GET /gone HTTP/1.1\r\nhost: x\r\n\r\n')
  await serving.output(/app: waits/)
  assert.is(await (await fetch(`${serving.url}/rejects`)).text(), 'fine')
  await serving.output(/^error: a promise was rejected and nobody took it\nError: nobody awaits this\n {4}at .*app\.mjs/m, 'stderr')
  assert.is(await (await fetch(`${serving.url}/uncaught`)).text(), 'fine')
  await serving.output(/^error: an exception was thrown and nobody caught it\nError: nobody catches this\n {4}at .*app\.mjs/m, 'stderr')
  assert.is(await (await fetch(serving.url)).text(), 'fine')
  assert.is(waiting.received, '', "the others' requests go on")
})

test('a client that leaves is no error: its application hears of it, ClientDisconnected is not logged', async (t) => {
  const serving = await serveApp(t)
  const leaving = await rawClient(t, serving)
  leaving.send('POST /gone HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12')
  await serving.output(/app: waits/)
  leaving.socket.destroy()
  await serving.output(/app: disconnected/)
  await serving.output(/"POST \/gone HTTP\/1\.1" - \S+ ms 0 bytes, not finished$/m)
  assert.is(serving.stderr, '')
})

test.needing(['sh'], () => {
  test('out of file descriptors: the server lives, turns away who is too many, logs at most about a line a second, and serves again when some are free', async (t) => {
    const app = tempFolder(t).write('app.mjs', source)
    const limited = startProcess(t, [app, '--port', '0', '--no-access-log'], { program: ['sh', '-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath, ...commandArgs] })
    const [, url = ''] = await limited.output(/serves .* on (\S+) \(/)
    const port = Number(new URL(url).port)
    const began = performance.now()
    const clients: RawClient[] = []
    for (let n = 0; n < 150; n++) clients.push(await rawClient(t, { port }))
    const [first] = clients
    // libuv accepts and closes what it has no descriptor for, so that the rest does not wait for ever.
    await clients.at(-1)?.ended
    first?.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    await first?.until(/fine/)
    for (const client of clients) client.socket.destroy()
    let text = ''
    for (let tries = 0; text !== 'fine' && tries < 40; tries++) {
      text = await fetch(url).then((response) => response.text(), () => '')
      if (text !== 'fine') await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.is(text, 'fine')
    const seconds = (performance.now() - began) / 1000
    const lines = limited.stderr.match(/\n/g)?.length ?? 0
    assert.ok(lines <= seconds + 1, `${lines} lines in ${seconds.toFixed(1)} s:\n${limited.stderr}`)
    limited.kill('SIGTERM')
    assert.is((await limited.ended).code, 0)
  }, 20)
})

test.run()
