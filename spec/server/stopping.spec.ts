import { Agent, request } from 'node:http'
import * as assert from 'uvu/assert'
import { serveCommand, startProcess, tempFolder, type Serving } from '../support/command.ts'
import { rawClient } from '../support/raw-client.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('stopping')

/** `/slow?ms` answers late, `/sse` streams events and never ends, `/hang` never answers and never returns. */
const source = `
export default async (scope, receive, send) => {
  if (scope.type === 'lifespan') {
    await receive()
    await send({ type: 'lifespan.startup.complete' })
    await receive()
    console.log('app: shutdown')
    if (process.env.FAIL_SHUTDOWN) throw new Error('cannot close the database')
    return send({ type: 'lifespan.shutdown.complete' })
  }
  const gone = async () => { while ((await receive()).type !== 'http.disconnect'); }
  console.log('app: ' + scope.path)
  if (scope.path === '/sse') {
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/event-stream']] })
    await send({ type: 'http.response.body', body: 'data: 1\\n\\n', moreBody: true })
    await gone()
    console.log('app: /sse has lost its client')
    return
  }
  if (scope.path === '/hang') await gone()
  if (scope.path === '/stuck') await new Promise(() => {})
  if (scope.path === '/slow') await new Promise((resolve) => setTimeout(resolve, Number(scope.queryString)))
  await send({ type: 'http.response.start', status: 200, headers: [] })
  await send({ type: 'http.response.body', body: 'first,', moreBody: true })
  await send({ type: 'http.response.body', body: 'last' })
  if (scope.path === '/slow') console.log('app: /slow is answered')
}`

function serveApp(t: TestContext, args: readonly string[] = [], env: Record<string, string> = {}): Promise<Serving> {
  return serveCommand(t, [tempFolder(t).write('app.mjs', source), ...args], { env })
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal}: running requests are finished, event streams end at once, idle connections get a FIN, exit code 0`, async (t) => {
    const serving = await serveApp(t)
    const [slow, sse, used, unused] = await Promise.all([1, 2, 3, 4].map(() => rawClient(t, serving)))
    assert.ok(slow !== undefined && sse !== undefined && used !== undefined && unused !== undefined)
    used.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    await used.until(/first,[^]*last\r\n0\r\n\r\n$/)
    sse.send('GET /sse HTTP/1.1\r\nhost: x\r\n\r\n')
    await sse.until(/data: 1/)
    slow.send('GET /slow?600 HTTP/1.1\r\nhost: x\r\n\r\n')
    await serving.output(/^app: \/slow$/m)

    const stopped = performance.now()
    serving.kill(signal)
    assert.is(await sse.ended, 'FIN')
    assert.ok(performance.now() - stopped < 1000, 'the event stream ends in less than a second')
    assert.match(sse.received, /\r\n0\r\n\r\n$/, 'and properly')
    assert.equal(await Promise.all([used.ended, unused.ended]), ['FIN', 'FIN'])
    assert.is(await slow.ended, 'FIN')
    assert.match(slow.received, /^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n[^]*first,[^]*last\r\n0\r\n\r\n$/)
    for (const client of [slow, sse, used, unused]) client.socket.end()

    const { code, stdout, stderr } = await serving.ended
    assert.equal([code, stderr], [0, ''])
    assert.match(stdout, /^stopping: waits for 2 requests, at most 30 seconds; a second signal ends at once$/m)
    assert.ok(stdout.indexOf('app: /slow is answered') < stdout.indexOf('app: shutdown'), 'the shutdown comes after the last exchange')
    assert.match(stdout, /"GET \/sse HTTP\/1\.1" 200 [\d.]+ ms 9 bytes/)
  })
}

test('an idle server stops at once; no connection is accepted after the signal', async (t) => {
  const serving = await serveApp(t)
  const stopped = performance.now()
  serving.kill('SIGTERM')
  const { code, stdout } = await serving.ended
  assert.ok(performance.now() - stopped < 1000)
  assert.is(code, 0)
  assert.match(stdout, /^stopping\napp: shutdown\n$/m)
  await fetch(serving.url).then(() => assert.unreachable('nobody listens'), (error: Error) => assert.match(String((error.cause as Error).message), /ECONNREFUSED/))
})

test('an event stream alone does not hold the stop up: under a second from signal to exit', async (t) => {
  const serving = await serveApp(t)
  const response = await fetch(`${serving.url}/sse`)
  const reader = response.body?.getReader()
  await reader?.read()
  const stopped = performance.now()
  serving.kill('SIGTERM')
  assert.equal((await reader?.read())?.done, true)
  const { code, stdout } = await serving.ended
  const seconds = (performance.now() - stopped) / 1000
  assert.ok(seconds < 1, `${seconds.toFixed(2)} s`)
  assert.is(code, 0)
  assert.match(stdout, /app: \/sse has lost its client\n[^]*app: shutdown/)
})

test('a request that takes longer than --timeout-graceful-shutdown is cut off, and its application hears of it', async (t) => {
  const serving = await serveApp(t, ['--timeout-graceful-shutdown', '0.3'])
  const [hanging, stuck] = await Promise.all([rawClient(t, serving), rawClient(t, serving)])
  hanging.send('GET /hang HTTP/1.1\r\nhost: x\r\n\r\n')
  stuck.send('GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n')
  await serving.output(/app: \/stuck/)
  await serving.output(/app: \/hang/)
  const stopped = performance.now()
  serving.kill('SIGTERM')
  await Promise.all([hanging.ended, stuck.ended])
  const { code, stdout, stderr } = await serving.ended
  const seconds = (performance.now() - stopped) / 1000
  assert.ok(seconds >= 0.3 && seconds < 3, `${seconds.toFixed(2)} s`)
  assert.is(code, 0)
  assert.is(stderr, 'warning: not finished within 0.3 seconds, cut off: 2 running, 2 connected\n')
  assert.equal([hanging.received, stuck.received], ['', ''], 'no answer that nobody gave')
  assert.match(stdout, /at most 0\.3 seconds[^]*app: shutdown/)
})

test('a second signal ends at once: exit code 143 after SIGTERM, 130 after SIGINT; the same key press twice does not', async (t) => {
  const ends = await Promise.all((['SIGTERM', 'SIGINT'] as const).map(async (signal) => {
    const serving = await serveApp(t)
    const client = await rawClient(t, serving)
    client.send('GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n')
    await serving.output(/app: \/stuck/)
    serving.kill(signal)
    await serving.output(/a second signal ends at once/)
    serving.kill(signal)
    await new Promise((resolve) => setTimeout(resolve, 600))
    assert.not.match(serving.stdout, /app: shutdown/)
    const second = performance.now()
    serving.kill(signal)
    const { code } = await serving.ended
    assert.ok(performance.now() - second < 500)
    return code
  }))
  assert.equal(ends, [143, 130])
})

test('a shutdown that fails is logged, exit code 1', async (t) => {
  const serving = await serveApp(t, [], { FAIL_SHUTDOWN: '1' })
  serving.kill('SIGTERM')
  const { code, stderr } = await serving.ended
  assert.is(code, 1)
  assert.match(stderr, /^error: stopped with an error\nLifespanFailed: the application threw at shutdown: cannot close the database\n[^]*caused by: Error: cannot close the database\n {4}at [^]*app\.mjs/)
})

test('under load of keep-alive clients every request that was sent whole is answered in full, and no connection is reset', async (t) => {
  const serving = await serveApp(t, ['--no-access-log'])
  const clients = 20
  let answered = 0
  let refused = 0
  const wrong: string[] = []
  const firsts: Promise<void>[] = []

  /** Sends requests on one connection until it closes; tells of each that got no whole answer. */
  const drive = async (first: () => void): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    for (let over = false; !over;) {
      await new Promise<void>((resolve) => {
        let head = false
        const outgoing = request(serving.url, { agent }, (response) => {
          head = true
          let text = ''
          response.setEncoding('utf8').on('data', (part: string) => (text += part))
          response.on('end', () => {
            if (text === 'first,last') answered++
            else wrong.push(`an answer was ${JSON.stringify(text)}`)
            first()
            over = response.headers.connection === 'close'
            resolve()
          })
          response.on('aborted', () => wrong.push('an answer was cut off'))
        })
        outgoing.on('error', (error: NodeJS.ErrnoException) => {
          over = true
          if (head) wrong.push(error.message)
          // "socket hang up" is a FIN that crossed the request; anything else is a reset.
          else if (error.code === 'ECONNREFUSED' || error.message === 'socket hang up') refused++
          else wrong.push(`${error.code}: ${error.message}`)
          resolve()
        })
        outgoing.end()
      })
    }
  }
  const drives = Array.from({ length: clients }, () => new Promise<void>((resolve) => {
    firsts.push(new Promise((first) => void drive(first).then(resolve)))
  }))
  await Promise.all(firsts)
  await new Promise((resolve) => setTimeout(resolve, 200))
  serving.kill('SIGTERM')
  await Promise.all(drives)
  const { code } = await serving.ended
  const handled = serving.stdout.split('\n').filter((line) => line === 'app: /').length
  assert.equal(wrong, [])
  assert.is(code, 0)
  assert.ok(answered > clients, `${answered} answers`)
  assert.is(answered, handled, 'every request that reached the application was answered in full')
  assert.ok(refused <= clients)
}, 20)

test("SIGTERM to npm's own process stops the server: exit code 0, nothing stays behind", async (t) => {
  const app = tempFolder(t).write('app.mjs', source)
  const npm = startProcess(t, [app, '--port', '0'], { program: ['npm', 'start', '--silent', '--'] })
  const [, url = ''] = await npm.output(/serves .* on (\S+) \(/)
  const client = await rawClient(t, { port: Number(new URL(url).port) })
  client.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await client.until(/last/)
  npm.kill('SIGTERM')
  const { code, stdout } = await npm.ended
  assert.is(code, 0)
  assert.match(stdout, /stopping\n[^]*app: shutdown\n$/)
  assert.is(await client.ended, 'FIN')
  await fetch(url).then(() => assert.unreachable('the server is gone'), (error: Error) => assert.match(String((error.cause as Error).message), /ECONNREFUSED/))
}, 20)

test('a signal while the application starts: it comes to its start, is shut down, exit code 0', async (t) => {
  const file = tempFolder(t).write('app.mjs', `import { application } from 'tsgi'
export default application({ lifespan: async function* () {
  console.log('app: starting')
  await new Promise((resolve) => setTimeout(resolve, 300))
  yield {}
  console.log('app: shutdown')
} })`)
  const running = startProcess(t, [file, '--port', '0'])
  await running.output(/app: starting/)
  running.kill('SIGTERM')
  const { code, stdout } = await running.ended
  assert.is(code, 0)
  assert.match(stdout, /app: shutdown/)
})

test.run()
