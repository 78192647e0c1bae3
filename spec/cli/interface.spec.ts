/** `--interface`: applications of each model under the command. */
import { writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { answering, runCommand, serveCommand, tempFolder, type Folder, type Serving } from '../support/command.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('--interface')

/** A sync application that answers with a text. */
function wsgi(text: string): string {
  return `(environ, startResponse) => {
    startResponse('200 OK', [['content-type', 'text/plain']])
    return [${JSON.stringify(text)} + ' ' + environ['wsgi.multithread']]
  }`
}

const typed = `import type { Environ, StartResponse } from 'tsgi/adapters/wsgi'
enum Word { Sync = 'typed' }
export function legacy(environ: Environ, startResponse: StartResponse): string[] {
  startResponse('200 OK', [])
  return [Word.Sync + environ.PATH_INFO]
}`
const asgi2 = `export default (scope) => ${answering('asgi2').replace('(scope, receive, send)', '(receive, send)')}`
const hono = `import { Hono } from '${import.meta.resolve('hono')}'
export default new Hono().get('/', (c) => c.text('hono'))`
const express = `import express from '${import.meta.resolve('express')}'
export default express().get('/', (request, response) => { response.send('express') })`
const koa = `import Koa from '${import.meta.resolve('koa')}'
const app = new Koa()
app.use((context) => { context.body = 'koa' })
export default app`
const fastify = `import fastify from '${import.meta.resolve('fastify')}'
const app = fastify()
app.get('/', async () => 'fastify')
export default app`
const listener = 'export default (request, response) => response.end("listener")'

/** The model that is named, none for `auto`; the file, its text, the export and further arguments; what it answers. */
const served: readonly (readonly [model: string, file: string, source: string, answer: string, args?: readonly string[], named?: string])[] = [
  ['wsgi', 'legacy.js', `module.exports = ${wsgi('common')}`, 'common true'],
  ['wsgi', 'legacy.mjs', `export default ${wsgi('esm')}`, 'esm true'],
  ['wsgi', 'waits.mjs', `const text = await Promise.resolve('waited')\nexport default ${wsgi('')}\nif (text !== 'waited') throw new Error()`, ' true'],
  ['wsgi', 'legacy.ts', typed, 'typed/', [], 'legacy'],
  ['wsgi', 'factory.mjs', `export const make = () => ${wsgi('inline')}`, 'inline false', ['--factory'], 'make'],
  ['async', 'app.mjs', `export default ${answering('async')}`, 'async'],
  ['async', 'rest.mjs', `const app = ${answering('rest')}\nexport default (...args) => app(...args)`, 'rest'],
  ['asgi2', 'asgi2.mjs', asgi2, 'asgi2'],
  ['fetch', 'fetch.mjs', 'export default (request) => new Response(new URL(request.url).pathname)', '/'],
  ['fetch', 'hono.mjs', hono, 'hono'],
  ['node', 'listener.mjs', listener, 'listener'],
  ['node', 'express.mjs', express, 'express'],
  ['', 'app-auto.mjs', `export default ${answering('async')}`, 'async'],
  ['', 'rest-auto.mjs', `const app = ${answering('rest')}\nexport default (...args) => app(...args)`, 'rest'],
  ['', 'hono-auto.mjs', hono, 'hono'],
  ['', 'express-auto.mjs', express, 'express'],
  ['', 'koa-auto.mjs', koa, 'koa'],
  ['', 'fastify-auto.mjs', fastify, 'fastify'],
  ['', 'server-auto.mjs', "import { createServer } from 'node:http'\nexport default createServer((request, response) => response.end('server'))", 'server'],
  ['', 'factory-auto.mjs', `${hono.replace('export default', 'const app =')}\nexport default async () => app`, 'hono', ['--factory']],
]

test('an application of each model is served, and found out where it is plain', async (t) => {
  const folder = tempFolder(t)
  const queue = [...served]
  const wrong: string[] = []
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [model, file, source, answer, args = [], named] = next
      const path = folder.write(file, source)
      const flags = model === '' ? [] : ['--interface', model]
      try {
        const serving = await serveCommand(t, [named === undefined ? path : `${path}:${named}`, ...flags, ...args, '--threads', '1'])
        const text = await (await fetch(serving.url)).text()
        if (text !== answer) wrong.push(`${model} ${file}: ${text}`)
        serving.kill('SIGTERM')
        const { code } = await serving.ended
        if (code !== 0) wrong.push(`${model} ${file}: ended with ${code}`)
      } catch (error) {
        wrong.push(`${model} ${file}: ${String(error)}`)
      }
    }
  }
  await Promise.all([worker(), worker()])
  assert.equal(wrong, [])
}, 150)

const several = (found: string, fits: string): string => `is ${found}, which fits several models, or none; say which it is by --interface: ${fits}`

/** The model, the file's text, the export; what is said of the file, and the exit code. */
const refused: readonly (readonly [model: string, source: string, says: string, code?: number, named?: string])[] = [
  ['auto', `export default ${wsgi('x')}`, `export "default" ${several('a function of 2 parameters', 'wsgi for (environ, startResponse), node for (request, response)')}`],
  ['auto', 'export default (scope) => 1', `export "default" ${several('a function of 1 parameter', 'asgi2 for (scope), fetch for (request)')}`],
  ['auto', 'export default (a, b, c, d) => 1', `export "default" ${several('a function of 4 parameters', 'async, asgi2, wsgi, node or fetch')}`],
  ['auto', 'export default { name: 1 }', 'export "default" is an object with name, expected an application: a function (scope, receive, send), an object with fetch (Hono, h3), or an application of Express, Koa, Fastify, Connect, Polka or Hapi'],
  ['async', 'export default {}', 'export "default" is an object with no keys, expected a function (scope, receive, send) (--interface async)'],
  ['asgi2', 'export default 5', 'export "default" is 5, expected a function (scope) that gives a function (receive, send) (--interface asgi2)'],
  ['node', 'export default {}', 'export "default" is an object with no keys, expected a listener (request, response), or an application of Express, Koa, Fastify, Connect, Polka or Hapi (--interface node)'],
  ['fetch', 'export default {}', 'export "default" is an object with no keys, expected a function (request), or an object with a method fetch (--interface fetch)'],
  ['wsgi', `export const other = ${wsgi('x')}`, 'export "default" is missing (it exports other)'],
  ['wsgi', `export default ${wsgi('x')}`, 'export "admin" is missing (it exports default)', 2, 'admin'],
  ['wsgi', 'export default 5', 'export "default" is not a function (it exports no function)'],
  ['wsgi', 'export default async (environ, startResponse) => []', 'export "default" is an async function, expected a sync one (environ, startResponse)'],
  ['wsgi', 'throw new RangeError("not today")', 'cannot be loaded for its export "default": RangeError: not today (--log-level debug shows the stack)', 1],
]

test('what is no application of the model is refused before anything listens, in one line', async (t) => {
  const folder = tempFolder(t)
  const queue = refused.map((each, index) => [`${index}.mjs`, ...each] as const)
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [file, model, source, says, exit = 2, named] = next
      const path = folder.write(file, source)
      const { code, stdout, stderr } = await runCommand(t, [named === undefined ? path : `${path}:${named}`, '--interface', model, '--port', '0', '--threads', '1'])
      assert.equal([stdout, stderr, code], ['', `tsgi: ${path}: ${says}\n`, exit])
    }
  }
  await Promise.all([worker(), worker()])
}, 100)

test('a model that there is not is refused', async (t) => {
  const { code, stderr } = await runCommand(t, ['playground/hello.ts', '--interface', 'cgi'])
  assert.equal([stderr, code], ['tsgi: --interface must be one of auto, async, asgi2, wsgi, node, fetch, found "cgi"\n', 2])
})

test('--reload restarts a sync application, and one that is broken until it is mended', async (t) => {
  const folder = tempFolder(t)
  const path = folder.write('legacy.mjs', `export default ${wsgi('one')}`)
  const serving = await serveCommand(t, [path, '--interface', 'wsgi', '--reload', '--threads', '1', '--no-access-log'])
  const ask = async (): Promise<string> => (await fetch(serving.url, { headers: { connection: 'close' } })).text()
  const change = async (source: string): Promise<void> => {
    const { length } = serving.stdout
    writeFileSync(path, source)
    await serving.output(/has changed, restarting\n/, 'stdout', length)
  }
  assert.is(await ask(), 'one true')
  await change(`export default ${wsgi('two')}`)
  assert.is(await ask(), 'two true')
  await change(`export const other = ${wsgi('three')}`)
  await serving.output(/legacy\.mjs: export "default" is missing \(it exports other\)\n/, 'stderr')
  await change(`export default ${wsgi('four')}`)
  assert.is(await ask(), 'four true')
}, 40)

const mixed = `import { existsSync } from 'node:fs'
import { fromWsgi } from 'tsgi/adapters/wsgi'
const legacy = fromWsgi(new URL('./legacy.js', import.meta.url))
export default async (scope, receive, send) => {
  if (scope.type !== 'http' || scope.path !== '/async') return legacy(scope, receive, send)
  await send({ type: 'http.response.start', status: 200 })
  await send({ type: 'http.response.body', body: 'async' })
}`

const blocking = `import { existsSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
const word = new Int32Array(new SharedArrayBuffer(4))
export default function* (environ, startResponse) {
  startResponse('200 OK', [['content-type', 'text/plain']])
  if (environ.PATH_INFO === '/block') {
    console.log('blocking')
    while (!existsSync(new URL('./go', import.meta.url))) Atomics.wait(word, 0, 0, 5)
  }
  if (environ.PATH_INFO === '/lines') {
    for (const file of ['one', 'two', 'three']) {
      yield file + '\\n'
      while (!existsSync(new URL('./' + file, import.meta.url))) Atomics.wait(word, 0, 0, 5)
    }
  }
  yield String(threadId)
}`

async function mixedServer(t: TestContext): Promise<{ readonly folder: Folder; readonly serving: Serving; ask(path: string): Promise<string> }> {
  const folder = tempFolder(t)
  folder.write('package.json', '{ "type": "module" }')
  folder.write('legacy.js', blocking)
  const serving = await serveCommand(t, [folder.write('app.js', mixed), '--threads', '2', '--no-access-log'])
  return { folder, serving, ask: async (path) => (await fetch(new URL(path, serving.url))).text() }
}

test('--threads 2: a blocked request holds up neither async routes nor the requests of the other thread', async (t) => {
  const { folder, serving, ask } = await mixedServer(t)
  let over = false
  const blocked = ask('/block').finally(() => (over = true))
  blocked.catch(() => {})
  await serving.output(/blocking\n/)
  const all = await Promise.all(Array.from({ length: 60 }, (_, i) => ask(i % 3 === 0 ? '/async' : '/quick')))
  const threads = new Set(all.filter((text) => text !== 'async'))
  assert.equal([threads.size, all.filter((text) => text === 'async').length, over], [1, 20, false])
  folder.write('go', '')
  assert.is.not(await blocked, [...threads][0])
}, 40)

test('--threads 2: a generator\'s lines arrive one by one, as they are made', async (t) => {
  const { folder, serving } = await mixedServer(t)
  const reader = (await fetch(new URL('/lines', serving.url))).body?.getReader()
  for (const line of ['one', 'two', 'three']) {
    assert.is(Buffer.from((await reader?.read())?.value ?? []).toString(), `${line}\n`)
    folder.write(line, '')
  }
  assert.match(Buffer.from((await reader?.read())?.value ?? []).toString(), /^\d+$/)
}, 40)

test.run()
