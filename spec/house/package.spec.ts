import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly exports: Record<string, string | { readonly default: string; readonly types: string }>
}

const test = suite('the package')

test('packed and installed, every export can be imported, has types, and the command serves', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tsgi-package-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root, env: { ...process.env, npm_config_loglevel: 'silent' } })
  const [{ filename, files }] = JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as [{ filename: string; files: { path: string }[] }]
  const packed = new Set(files.map(({ path }) => path))
  for (const [name, target] of Object.entries(manifest.exports)) {
    if (typeof target === 'string') continue
    for (const path of [target.default, target.types]) assert.ok(packed.has(path.slice(2)), `${name}: ${path} is packed`)
  }
  assert.ok(![...packed].some((path) => /^(?:spec\/.*\.ts$|playground\/|dist\/spec\/|dist\/playground\/)/.test(path)), 'nothing else is packed')

  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', '--no-package-lock', join(folder, filename)], { cwd: folder })
  const names = Object.keys(manifest.exports).filter((name) => name !== './package.json').map((name) => name.replace('.', 'tsgi'))
  writeFileSync(join(folder, 'imports.js'), names.map((name, index) => `import * as m${index} from '${name}'\nif (Object.keys(m${index}).length === 0) throw new Error('${name} exports nothing')`).join('\n'))
  await run(process.execPath, ['imports.js'], { cwd: folder })

  writeFileSync(join(folder, 'app.js'), `import { application } from 'tsgi'
export default application({ http: async (scope, receive, send) => {
  await send({ type: 'http.response.start', status: 200 })
  await send({ type: 'http.response.body', body: 'installed' })
} })`)
  writeFileSync(join(folder, 'check.js'), `import app from './app.js'
import { testClient } from 'tsgi/testing'
const client = await testClient(app)
console.log(await (await client.fetch('/')).text())
await client.close()`)
  assert.is((await run(process.execPath, ['check.js'], { cwd: folder })).stdout, 'installed\n')
  const version = await run(join(folder, 'node_modules/.bin/tsgi'), ['--version'], { cwd: folder })
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)

  // TypeScript: with tsx beside it.
  symlinkSync(join(root, 'node_modules/tsx'), join(folder, 'node_modules/tsx'))
  symlinkSync(join(root, 'node_modules/esbuild'), join(folder, 'node_modules/esbuild'))
  writeFileSync(join(folder, 'typed.ts'), `import type { Application } from 'tsgi'
enum Kind { Typed }
const app: Application = async (scope, receive, send) => {
  if (scope.type !== 'http') throw new Error('HTTP only')
  await send({ type: 'http.response.start', status: 200 })
  await send({ type: 'http.response.body', body: Kind[0] })
}
export default app`)
  const command = spawn(process.execPath, ['node_modules/.bin/tsgi', 'typed.ts', '--port', '0'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => command.kill())
  const [line] = await once(command.stdout, 'data') as [Buffer]
  const url = /http:\S+/.exec(line.toString())?.[0] ?? ''
  assert.is(await (await fetch(url)).text(), 'Typed')
  command.kill()
  assert.equal(await once(command, 'exit'), [0, null])
}, 60)

test.run()
