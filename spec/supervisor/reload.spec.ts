import { mkdirSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { answering, serveCommand, tempFolder, type Folder, type Serving } from '../support/command.ts'
import { rawClient, type RawClient } from '../support/raw-client.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('reload')

/** Answers with a word of its own, one of an imported file, and its process. */
function source(word: string): string {
  return `import { part } from './part.ts'
export default async (scope, receive, send) => {
  if (scope.type !== 'http') throw new Error('HTTP only')
  if (scope.path === '/reject') void Promise.reject(new Error('stray'))
  if (scope.path === '/exit') process.exit(7)
  const sse = scope.path === '/sse'
  if (scope.path === '/stuck') await new Promise(() => {})
  await send({ type: 'http.response.start', status: 200, headers: [['content-type', sse ? 'text/event-stream' : 'text/plain']] })
  await send({ type: 'http.response.body', body: '${word} ' + part + ' ' + process.pid, moreBody: sse })
  if (sse) while ((await receive()).type !== 'http.disconnect');
}
`
}

interface Reloading {
  readonly folder: Folder
  readonly serving: Serving
  /** What `/` answers: the two words, and the worker's process. */
  ask(): Promise<{ words: string; pid: number }>
}

async function serveReloading(t: TestContext, args: readonly string[] = []): Promise<Reloading> {
  const folder = tempFolder(t)
  folder.write('node_modules/dependency/index.js', 'one')
  folder.write('part.ts', "export const part: string = 'a'")
  const serving = await serveCommand(t, [folder.write('app.ts', source('one')), '--reload', '--no-access-log', ...args])
  return {
    folder,
    serving,
    async ask() {
      const [, words = '', pid] = /^(.*) (\d+)$/.exec(await (await fetch(serving.url, { headers: { connection: 'close' } })).text()) ?? []
      return { words, pid: Number(pid) }
    },
  }
}

/** Resolves once there is no such process; a zombie counts as none. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('a change restarts: in the application, in a file that it imports, in a new folder, but not in node_modules or a file of data', async (t) => {
  const { folder, serving, ask } = await serveReloading(t)
  const first = await ask()
  assert.is(first.words, 'one a')
  assert.is.not(first.pid, serving.pid)

  folder.write('app.ts', source('two'))
  await serving.output(/app\.ts has changed, restarting/)
  const second = await ask()
  assert.is(second.words, 'two a')
  assert.is.not(second.pid, first.pid)

  let from = serving.stdout.length
  folder.write('part.ts', "export const part: string = 'b'")
  await serving.output(/part\.ts has changed, restarting/, 'stdout', from)
  const third = await ask()
  assert.is(third.words, 'two b')

  from = serving.stdout.length
  folder.write('node_modules/dependency/index.js', 'two')
  folder.write('data.json', '{}')
  folder.write('.cache/thing.js', '1')
  mkdirSync(`${folder.path}/views`)
  await new Promise((resolve) => setTimeout(resolve, 400))
  assert.is(serving.stdout.slice(from), '')
  assert.is((await ask()).pid, third.pid, 'still the same worker')

  folder.write('views/page.ts', 'export {}')
  await serving.output(/page\.ts has changed, restarting/, 'stdout', from)
  assert.is.not((await ask()).pid, third.pid)
  await gone(first.pid)
  await gone(second.pid)
  await gone(third.pid)
}, 20)

test('no connection is refused or reset while it restarts under a steady stream of requests', async (t) => {
  const { folder, serving, ask } = await serveReloading(t)
  await ask()
  const answers: string[] = []
  const wrong: string[] = []
  let over = false
  const stream = async (): Promise<void> => {
    while (!over) {
      try {
        const client = await rawClient(t, serving)
        client.send('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
        const how = await client.ended
        const word = /\r\n\r\n(\w+) a \d+$/.exec(client.received)?.[1]
        if (how !== 'FIN' || word === undefined) wrong.push(`${how} after ${JSON.stringify(client.received)}`)
        else answers.push(word)
        client.socket.destroy()
      } catch (error) {
        wrong.push(String(error))
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  const streams = [stream(), stream(), stream(), stream()]
  for (const word of ['two', 'three', 'four']) {
    folder.write('app.ts', source(word))
    const changed = performance.now()
    while (answers.at(-1) !== word && wrong.length === 0) {
      if (performance.now() - changed > 8000) wrong.push(`no answer ${word} in 8 s: ${serving.stdout}${serving.stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  over = true
  await Promise.all(streams)
  assert.equal(wrong, [])
  assert.ok(answers.length > 40, `${answers.length} answers`)
  const order = ['one', 'two', 'three', 'four']
  assert.ok(order.every((word) => answers.includes(word)))
}, 25)

test('a syntax error is shown, requests wait, the next change mends it; so with a worker that exits; a stray rejection ends nothing', async (t) => {
  const { folder, serving, ask } = await serveReloading(t)
  await ask()
  folder.write('app.ts', 'export default = 1')
  await serving.output(/^tsgi: \S*app\.ts: \S*app\.ts:1:15: ERROR: Unexpected "="\n/m, 'stderr')
  await serving.output(/^warning: the application is not running; it starts again when a source file changes$/m, 'stderr')
  const waiting = ask()
  folder.write('app.ts', source('mended'))
  const { words, pid } = await waiting
  assert.is(words, 'mended a')

  await fetch(`${serving.url}/reject`)
  await serving.output(/a promise was rejected and nobody took it\nError: stray/, 'stderr')
  assert.is((await ask()).pid, pid)
  const from = serving.stderr.length
  await fetch(`${serving.url}/exit`).then(() => assert.unreachable('the worker is gone'), () => {})
  await serving.output(/the application is not running/, 'stderr', from)
  const again = ask()
  folder.write('part.ts', "export const part = 'c'")
  assert.is((await again).words, 'mended c')
}, 20)

test('an open event stream holds up neither the restart nor the stop: SIGTERM ends both processes, exit code 0', async (t) => {
  const { folder, serving, ask } = await serveReloading(t)
  const openPage = async (): Promise<RawClient> => {
    const page = await rawClient(t, serving)
    page.send('GET /sse HTTP/1.1\r\nhost: x\r\n\r\n')
    await page.until(/ a /)
    return page
  }
  const first = await ask()
  const page = await openPage()
  const changed = performance.now()
  folder.write('app.ts', source('two'))
  assert.is(await page.ended, 'FIN')
  page.socket.end()
  const seconds = (performance.now() - changed) / 1000
  assert.ok(seconds < 1.5, `${seconds.toFixed(2)} s`)
  const second = await ask()
  assert.is(second.words, 'two a')
  await gone(first.pid)

  const other = await openPage()
  serving.kill('SIGTERM')
  assert.is(await other.ended, 'FIN')
  other.socket.end()
  const { code, stdout, stderr } = await serving.ended
  assert.equal([code, stderr], [0, ''])
  assert.match(stdout, /^stopping$/m)
  await gone(second.pid)
  await ask().then(() => assert.unreachable('nobody listens'), (error: Error) => assert.match(String((error.cause as Error).message), /ECONNREFUSED/))
}, 20)

test('SIGKILL of the supervisor ends the worker too', async (t) => {
  const { serving, ask } = await serveReloading(t)
  const { pid } = await ask()
  serving.kill('SIGKILL')
  await gone(pid)
})

test('a second signal ends both at once', async (t) => {
  const { serving, ask } = await serveReloading(t)
  const { pid } = await ask()
  const client = await rawClient(t, serving)
  client.send('GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n')
  await new Promise((resolve) => setTimeout(resolve, 100))
  serving.kill('SIGTERM')
  await serving.output(/stopping/)
  await new Promise((resolve) => setTimeout(resolve, 600))
  serving.kill('SIGTERM')
  assert.is((await serving.ended).code, 143)
  await gone(pid)
})

test('--reload serves on a unix socket too', async (t) => {
  const folder = tempFolder(t)
  const path = `${folder.path}/app.sock`
  const serving = await serveCommand(t, [folder.write('app.mjs', `export default ${answering('by file')}`), '--reload', '--uds', path])
  assert.is(serving.url, `unix:${path}`)
  const client = await rawClient(t, { path })
  client.send('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  await client.until(/by file/)
  serving.kill('SIGTERM')
  assert.is((await serving.ended).code, 0)
})

test.run()
