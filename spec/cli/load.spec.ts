import * as assert from 'uvu/assert'
import { answering, runCommand, serveCommand, tempFolder } from '../support/command.ts'
import { suite } from '../support/suite.ts'

const test = suite('loading an application')

/** Each form of application, by the name of its file, and the arguments that it needs. */
const forms: readonly (readonly [file: string, source: string, args?: readonly string[], named?: string])[] = [
  ['app.ts', `enum Word { Hello = 'app.ts' }\nconst app: unknown = ${answering('app.ts')}\nexport default app\nif (Word.Hello !== 'app.ts') throw new Error()`],
  ['typed.mts', `const app: unknown = ${answering('typed.mts')}\nexport default app`],
  ['esm.js', `import { sep } from 'node:path'\nexport default ${answering('esm.js')}\nexport { sep }`],
  ['app.mjs', `export default ${answering('app.mjs')}`],
  ['app.cjs', `module.exports = ${answering('app.cjs')}`],
  ['common.js', `module.exports = ${answering('common.js')}`],
  ['named.cjs', `exports.admin = ${answering('named.cjs')}`, [], 'admin'],
  ['compiled.cjs', `Object.defineProperty(exports, '__esModule', { value: true })\nexports.default = ${answering('compiled.cjs')}`],
  ['named.mjs', `export const admin = ${answering('named.mjs')}`, [], 'admin'],
  ['factory.mjs', `export const make = () => ${answering('factory.mjs')}`, ['--factory'], 'make'],
  ['async-factory.mts', `export default async (): Promise<unknown> => { await null\n return ${answering('async-factory.mts')} }`, ['--factory']],
  ['with:colon.mjs', `export default ${answering('with:colon.mjs')}`],
  ['späße %41#1.mjs', `export default ${answering('späße %41#1.mjs')}`],
  ['imports.ts', `import { text } from './part.js'\nexport default ${answering('imports.ts')}\nif (text !== 'part') throw new Error()`],
]

test('an application outside of the checkout, with no package.json near it, is served in every form', async (t) => {
  const folder = tempFolder(t)
  folder.write('part.ts', "export const text: string = 'part'")
  const queue = [...forms]
  const wrong: string[] = []
  const worker = async (): Promise<void> => {
    for (let form = queue.shift(); form !== undefined; form = queue.shift()) {
      const [file, source, args = [], named] = form
      const path = folder.write(file, source)
      try {
        const serving = await serveCommand(t, [named === undefined ? path : `${path}:${named}`, ...args])
        const text = await (await fetch(serving.url)).text()
        if (text !== file) wrong.push(`${file}: ${text}`)
        serving.kill('SIGTERM')
        await serving.ended
      } catch (error) {
        wrong.push(`${file}: ${String(error)}`)
      }
    }
  }
  await Promise.all([worker(), worker()])
  assert.equal(wrong, [])
}, 40)

test('the package.json beside an application tells how its .js is read', async (t) => {
  const folder = tempFolder(t)
  folder.write('package.json', '{ "type": "module" }')
  const esm = folder.write('esm.js', `export default ${answering('esm')}\nif (typeof import.meta.url !== 'string') throw new Error()`)
  folder.write('common/package.json', '{ "type": "commonjs" }')
  const common = folder.write('common/app.js', `module.exports = ${answering('common')}\nif (typeof require !== 'function') throw new Error()`)
  const [first, second] = await Promise.all([serveCommand(t, [esm]), serveCommand(t, [common])])
  assert.is(await (await fetch(first.url)).text(), 'esm')
  assert.is(await (await fetch(second.url)).text(), 'common')
})

test('an application of the checkout imports tsgi as a user does', async (t) => {
  const serving = await serveCommand(t, ['playground/hello.ts'])
  assert.is(await (await fetch(serving.url)).text(), 'Hello, world!\n')
  assert.match(serving.stdout, /^tsgi \d+\.\d+\.\d+\S* serves playground\/hello\.ts on http:\/\/127\.0\.0\.1:\d+ \(Ctrl\+C stops it\)\n/)
})

test('an application outside of the checkout imports tsgi all the same', async (t) => {
  const folder = tempFolder(t)
  const app = (language: string): string => `import { application } from 'tsgi'
    export default application({ http: async (scope, receive, send) => {
      await send({ type: 'http.response.start', status: 200, headers: [] })
      await send({ type: 'http.response.body', body: '${language}' })
    } })`
  const [typed, plain] = await Promise.all([serveCommand(t, [folder.write('typed.ts', app('ts'))]), serveCommand(t, [folder.write('plain.mjs', app('mjs'))])])
  assert.is(await (await fetch(typed.url)).text(), 'ts')
  assert.is(await (await fetch(plain.url)).text(), 'mjs')
})

test('an application that imports a package that it cannot reach is told which', async (t) => {
  const folder = tempFolder(t)
  const app = folder.write('app.ts', "import { thing } from 'no-such-package'\nexport default thing")
  const { code, stderr } = await runCommand(t, [app, '--port', '0'])
  assert.match(stderr, /^tsgi: \S*app\.ts: Error: Cannot find (?:module|package) 'no-such-package'[^\n]*\n$/)
  assert.is(code, 1)
})

test.run()
