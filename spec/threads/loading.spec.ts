/** Modules are named by a file URL, and loaded on the thread. */
import { pathToFileURL } from 'node:url'
import * as assert from 'uvu/assert'
import { InvalidOption, LoadFailed } from '../../lib/index.ts'
import { asyncToSync, onThreads, syncToAsync, ThreadPool } from '../../lib/threads/index.ts'
import { startProcess, tempFolder } from '../support/command.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('loading modules on threads')
type Functions = Readonly<Record<string, (...args: readonly unknown[]) => Promise<unknown>>>

/** A folder with files, and the functions of one of them on a thread of its own that has started already. */
async function opened(t: TestContext, files: Readonly<Record<string, string>>, name: string): Promise<Functions> {
  const folder = tempFolder(t)
  for (const [file, text] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) folder.write(file, text)
  const pool = new ThreadPool({ threads: 1 })
  t.after(() => pool.close())
  const work = onThreads<typeof import('./modules/work.ts')>(new URL('./modules/work.ts', import.meta.url), { pool })
  await work.add(1, 1)
  return onThreads(pathToFileURL(`${folder.path}/${name}`), { pool }) as unknown as Functions
}

async function loadFailed(call: Promise<unknown> | undefined, message: RegExp): Promise<LoadFailed> {
  const error = await rejection(call ?? Promise.resolve())
  assert.instance(error, LoadFailed, String(error))
  assert.match(error.message, message)
  return error as LoadFailed
}

test('a file that is not there is a LoadFailed at once, by each of the three', () => {
  const gone = new URL('./modules/gone.js#render', import.meta.url)
  for (const make of [() => onThreads(gone), () => syncToAsync(gone), () => asyncToSync(gone)]) {
    assert.throws(make, (error: Error) => error instanceof LoadFailed && /modules\/gone\.js: no such file, expected a module that exports "(render|default)"/.test(error.message))
  }
})

test('what is no file URL is an InvalidOption at once', () => {
  for (const wrong of [new URL('https://example.com/a.js'), new URL('data:text/javascript,'), './a.js' as unknown as URL]) {
    for (const make of [() => onThreads(wrong), () => asyncToSync(wrong)]) assert.throws(make, (error: Error) => error instanceof InvalidOption)
  }
})

test('an export that is missing, or no function, is named, with those that there are', async (t) => {
  const functions = await opened(t, { 'm.js': 'export const a = 1, b = () => 2, c = () => 3' }, 'm.js')
  await loadFailed(functions['render']?.(), /m\.js: export "render" is missing \(it exports b, c\)/)
  await loadFailed(functions['a']?.(), /m\.js: export "a" is not a function \(it exports b, c\)/)
  assert.is(await functions['b']?.(), 2)
})

test('a module that throws, or does not parse, fails each call with its reason', async (t) => {
  const throwing = await opened(t, { 'm.js': 'throw new RangeError("not today")' }, 'm.js')
  for (let i = 0; i < 2; i++) {
    const error = await loadFailed(throwing['render']?.(), /m\.js: cannot be loaded for its export "render": RangeError: not today/)
    assert.instance(error.cause, RangeError)
  }
  const broken = await opened(t, { 'm.js': 'export function (' }, 'm.js')
  await loadFailed(broken['render']?.(), /m\.js: cannot be loaded for its export "render": /)
  const importing = await opened(t, { 'm.js': 'import "./gone.js"' }, 'm.js')
  await loadFailed(importing['render']?.(), /m\.js: cannot be loaded for its export "render": .*gone\.js/)
})

test('default export, CommonJS, names that need encoding', async (t) => {
  const esm = await opened(t, { 'm.js': 'export default () => "default"\nconst odd = () => "odd"\nexport { odd as "größer #1" }' }, 'm.js')
  assert.equal([await esm['default']?.(), await esm['größer #1']?.()], ['default', 'odd'])
  const common = await opened(t, { 'm.cjs': 'exports.render = () => "render"\nexports.default = () => "default"' }, 'm.cjs')
  assert.equal([await common['render']?.(), await common['default']?.()], ['render', 'default'])
  const one = await opened(t, { 'm.cjs': 'module.exports = () => "one"' }, 'm.cjs')
  assert.is(await one['default']?.(), 'one')
})

test('a missing .js stands for the .ts beside it', async (t) => {
  const typed = await opened(t, { 'm.ts': 'export function render(name: string): string { return `hello ${name satisfies string}` }' }, 'm.js')
  assert.is(await typed['render']?.('Ada'), 'hello Ada')
})

const top = 'const name = await Promise.resolve("top")\nexport function render() { return name }'
const asking = (lib: string): string => `import { asyncToSync, onThreads } from '${lib}'
const ask = asyncToSync(new URL('./ask.js#asyncAsk', import.meta.url))
export function first() { return ask() }
export async function asyncAsk() { return onThreads(new URL('./top.js', import.meta.url)).render() }`

test('an await at the top of a module is no hindrance to a call', async (t) => {
  const functions = await opened(t, { 'top.js': top }, 'top.js')
  assert.is(await functions['render']?.(), 'top')
})

test('where the module is first needed while the thread is parked, it is a LoadFailed; loaded before, it is not', async (t) => {
  const lib = new URL('../../lib/threads/index.ts', import.meta.url).href
  const files = { 'top.js': top, 'ask.js': asking(lib) }
  const unprepared = await opened(t, files, 'ask.js')
  await loadFailed(unprepared['first']?.(), /top\.js.*"render"/)
  const folder = tempFolder(t)
  for (const [file, text] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) folder.write(file, text)
  const pool = new ThreadPool({ threads: 1 })
  t.after(() => pool.close())
  const [top_, ask] = ['top.js', 'ask.js'].map((name) => onThreads(pathToFileURL(`${folder.path}/${name}`), { pool }) as unknown as Functions)
  assert.is(await ask?.['first']?.(), 'top', 'it was referred to before the thread was started')
  assert.is(await top_?.['render']?.(), 'top')
})

test('a module is one copy, whether it is first needed by a call or by one beneath it', async (t) => {
  const lib = new URL('../../lib/threads/index.ts', import.meta.url).href
  const count = 'let count: number = 0\nexport function next(): number { return ++count }'
  const ask = `import { asyncToSync, onThreads } from '${lib}'
const there = onThreads<any>(new URL('./count.ts', import.meta.url))
const ask = asyncToSync<any>(new URL('./ask.ts#asyncAsk', import.meta.url))
export function beneath(): unknown { return ask() }
export async function asyncAsk(): Promise<unknown> { return there.next() }`
  const folder = tempFolder(t)
  folder.write('package.json', '{ "type": "module" }')
  folder.write('count.ts', count)
  folder.write('ask.ts', ask)
  const pool = new ThreadPool({ threads: 1 })
  t.after(() => pool.close())
  const here = onThreads<{ next(): number }>(pathToFileURL(`${folder.path}/count.ts`), { pool })
  const there = onThreads<{ beneath(): number }>(pathToFileURL(`${folder.path}/ask.ts`), { pool })
  assert.equal([await there.beneath(), await here.next(), await there.beneath()], [1, 2, 3])
})

test('modules of async functions are not loaded on threads that have no call for them', async (t) => {
  const folder = tempFolder(t)
  folder.write('package.json', '{ "type": "module" }')
  folder.write('loop.js', `import { isMainThread } from 'node:worker_threads'
globalThis.loadedLoop = true
export async function load() {}`)
  folder.write('seen.js', 'export function seen() { return globalThis.loadedLoop === true }')
  asyncToSync(pathToFileURL(`${folder.path}/loop.js`))
  const pool = new ThreadPool({ threads: 1 })
  t.after(() => pool.close())
  assert.is(await onThreads<{ seen(): boolean }>(pathToFileURL(`${folder.path}/seen.js`), { pool }).seen(), false)
})

/** Runs a program outside of the repository and gives what it prints. */
async function printed(t: TestContext, flags: readonly string[], files: Readonly<Record<string, string>>): Promise<string> {
  const folder = tempFolder(t)
  for (const [file, text] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) folder.write(file, text)
  const began = performance.now()
  const { stdout, stderr, code } = await startProcess(t, [`${folder.path}/main.ts`], { program: [process.execPath, ...flags] }).ended
  assert.is(code, 0, stderr)
  assert.ok(performance.now() - began < 15_000)
  return stdout
}

test('TypeScript outside of the repository; idle threads hold no process open', async (t) => {
  const lib = new URL('../../lib/threads/index.ts', import.meta.url).href
  const files = {
    'main.ts': `import { onThreads, ThreadPool } from '${lib}'
const url = new URL('./work.ts', import.meta.url)
console.log(await onThreads<typeof import('./work.ts')>(url).shout('a'))
console.log(await onThreads<typeof import('./work.ts')>(url, { pool: new ThreadPool({ threads: 2 }) }).shout('b'))`,
    'work.ts': 'import { upper } from "./upper.ts"\nexport function shout(text: string): string { return upper(text) + "!" }',
    'upper.ts': 'export const upper = (text: string): string => text.toUpperCase()',
  }
  assert.is(await printed(t, ['--conditions=source', '--import', 'tsx'], files), 'A!\nB!\n')
}, 30)

test('threads start under --eval, as a script and as a module', async (t) => {
  const folder = tempFolder(t)
  folder.write('work.mjs', 'import { isMainThread } from "node:worker_threads"\nexport const where = () => isMainThread')
  const lib = new URL('../../lib/threads/index.ts', import.meta.url).href
  const code = `import('${lib}').then(async ({ onThreads }) => console.log(await onThreads(new URL('${pathToFileURL(folder.path)}/work.mjs')).where()))`
  for (const type of ['module', 'commonjs']) {
    const program = [process.execPath, '--conditions=source', '--import', 'tsx', `--input-type=${type}`, '--eval']
    const { stdout, stderr, code: exit } = await startProcess(t, [code], { program }).ended
    assert.equal([stdout, stderr, exit], ['false\n', '', 0], type)
  }
}, 30)

test('a process that has a call under way waits for it', async (t) => {
  const lib = new URL('../../lib/threads/index.ts', import.meta.url).href
  const files = {
    'main.ts': `import { onThreads } from '${lib}'
void onThreads<any>(new URL('./work.ts', import.meta.url)).slow().then((text: string) => console.log(text))`,
    'work.ts': 'export function slow(): string { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)\nreturn "done" }',
  }
  assert.is(await printed(t, ['--conditions=source', '--import', 'tsx'], files), 'done\n')
}, 30)

test.run()
