/** What threads print comes at once, whole, and line by line, however slow the reader is. */
import * as assert from 'uvu/assert'
import { startProcess, tempFolder, type Ended } from '../support/command.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('output of threads')
const lib = new URL('../../lib/threads/index.ts', import.meta.url).href

const work = `const words = new Int32Array(new SharedArrayBuffer(4))
export function say(who: string, lines: number, ms: number): void {
  for (let i = 0; i < lines; i++) console.log(who + ' ' + i + ' ' + who.repeat(200))
  Atomics.wait(words, 0, 0, ms)
}
export function sayLong(who: string, lines: number): void {
  for (let i = 0; i < lines; i++) console.log(who + ' ' + i + ' ' + who.repeat(9000))
}
export function complain(ms: number): void {
  console.error('to stderr')
  process.stdout.write('636166c3a9', 'hex')
  process.stdout.write(Buffer.from('!'))
  Atomics.wait(words, 0, 0, ms)
}
let called = 0
export function write(): boolean {
  return process.stdout.write('x', () => called++) && process.stdout.write('y', 'utf8', () => called++) && process.stderr.write('', () => called++)
}
export function written(): number {
  return called
}
export function die(): void {
  console.log('D'.repeat(500_000))
}`

async function run(t: TestContext, main: string, reader: string): Promise<Ended> {
  const folder = tempFolder(t)
  folder.write('package.json', '{ "type": "module" }')
  folder.write('work.ts', work)
  const file = folder.write('main.ts', `import { onThreads, ThreadPool } from '${lib}'
const pool = new ThreadPool({ threads: 3 })
const work = onThreads<typeof import('./work.ts')>(new URL('./work.ts', import.meta.url), { pool })
${main}`)
  const script = `${process.execPath} --conditions=source --import tsx ${file} | ${reader}`
  return startProcess(t, ['-c', script], { program: ['sh'] }).ended
}

test('console.log of a blocked thread through a slow pipe: every byte', async (t) => {
  const lines = 3000
  const { stdout, stderr } = await run(t, `await work.say('x', ${lines}, 500)`, '(sleep 1; wc -c)')
  const bytes = Array.from({ length: lines }, (_, i) => `x ${i} ${'x'.repeat(200)}\n`.length).reduce((sum, each) => sum + each)
  assert.is(stdout.trim(), String(bytes), stderr)
}, 30)

test('lines of several threads do not mix, though the pipe is stuck for seconds', async (t) => {
  const { stdout, stderr } = await run(t, 'process.stdout.write("")\nawait Promise.all(["a", "b", "c"].map((who) => work.sayLong(who, 40)))', '(sleep 5; cat)')
  const lines = stdout.trimEnd().split('\n')
  assert.is(lines.length, 120, stderr)
  assert.is(lines.filter((line) => !/^(?:a \d+ a{9000}|b \d+ b{9000}|c \d+ c{9000})$/.test(line)).length, 0, 'lines that are mixed')
  for (const who of ['a', 'b', 'c']) assert.equal(lines.filter((line) => line.startsWith(who)).map((line) => Number(line.split(' ')[1])), Array.from({ length: 40 }, (_, i) => i))
}, 30)

test('a thread that is ended in the midst of its output does not keep the others from theirs', async (t) => {
  const main = `process.stdout.write('')
await work.say('w', 1, 0)
const given = work.$with({ timeout: 0.5, grace: 0 }).die().catch((error: Error) => error.name)
const name = await given
await new Promise((resolve) => setTimeout(resolve, 300))
await work.say('z', 1, 0)
console.error(name)`
  const { stdout, stderr } = await run(t, main, '(sleep 6; cat)')
  assert.match(stderr, /ThreadTimeout/)
  assert.match(stdout, /z 0 z{200}\n$/)
}, 30)

test('output comes while the thread is blocked; stderr, encodings and bytes too', async (t) => {
  const main = `const began = performance.now()
process.on('exit', () => process.stdout.write(performance.now() - began > 1000 ? ' late' : ' early'))
await work.complain(1200)`
  const { stdout, stderr } = await run(t, main, 'cat')
  assert.equal([stdout, stderr], ['café! late', 'to stderr\n'])
}, 30)

test('the callback of write is called', async (t) => {
  const { stdout, stderr } = await run(t, 'const one = work.$with({ threadKey: "k" })\nconst full = await one.write()\nconsole.log(full, await one.written())', 'cat')
  assert.is(stdout, 'xytrue 3\n', stderr)
}, 30)

test.run()
