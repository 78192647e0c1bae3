/** What the documents point at is there: files, headings, scripts, flags. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import { parseCommandLine } from '../../lib/cli/parse.ts'
import { completeOptions } from '../../lib/server/options.ts'
import { anchors, codeBlocks, codeSpans, document, documents, links, root } from '../support/docs-markdown.ts'
import { suite } from '../support/suite.ts'

const test = suite('what the documents point at')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string
  readonly license: string
  readonly scripts: Readonly<Record<string, string>>
  readonly engines: { readonly node: string }
}

/** The commands of the documents, without their comments. */
const commands = documents().flatMap((each) => codeBlocks(each)
  .filter(({ language }) => language === 'sh')
  .flatMap(({ code }) => code.split('\n').flatMap((line) => line.replace(/\s+#.*$/, '').split(' && ')))
  .filter((command) => command !== '')
  .map((command) => ({ path: each.path, command })))

test('every relative link leads to a file, and its anchor to a heading', () => {
  const wrong: string[] = []
  let count = 0
  for (const each of documents()) {
    for (const target of links(each)) {
      if (/^[a-z]+:/.test(target)) continue
      count++
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? each.path : join(dirname(each.path), path)
      if (!existsSync(join(root, file))) wrong.push(`${each.path}: ${target} does not exist`)
      else if (anchor !== undefined && !anchors(document(file)).has(anchor)) wrong.push(`${each.path}: ${target} is no heading`)
    }
  }
  assert.equal(wrong, [])
  assert.ok(count > 30)
})

test('every page of the contract is linked from the README', () => {
  const linked = new Set(links(document('README.md')))
  assert.equal(documents().map(({ path }) => path).filter((path) => path.startsWith('spec/') && !linked.has(path)), [])
})

test('the folder map of the README names every room of lib that there is', () => {
  const linked = links(document('README.md'))
  const rooms = linked.filter((target) => target.startsWith('lib/'))
  assert.ok(rooms.length > 5)
  assert.equal(rooms.filter((room) => !statSync(join(root, room)).isDirectory()), [])
})

test('every npm command that is shown has its script', () => {
  const wrong: string[] = []
  const shown = commands.filter(({ command }) => command.startsWith('npm '))
  assert.ok(shown.length > 5)
  for (const { path, command } of shown) {
    const [, first = '', second = ''] = command.split(' ')
    // `npm cit` is `npm ci` and then `npm test`.
    const script = first === 'run' ? second : first === 'cit' ? 'test' : first
    if (first !== 'ci' && manifest.scripts[script] === undefined) wrong.push(`${path}: ${command}`)
  }
  assert.equal(wrong, [])
})

test('every script that is shown has the files that it runs', () => {
  const missing: string[] = []
  for (const [name, script] of Object.entries(manifest.scripts)) {
    for (const [file] of script.matchAll(/(?:playground|spec)\/\S+/g)) if (!existsSync(join(root, file))) missing.push(`${name}: ${file}`)
  }
  assert.equal(missing, [])
})

test('every workload of the benchmark that is shown exists', () => {
  const workloads = commands.flatMap(({ command }) => /^npm run bench -- ([a-z]\w*)/.exec(command)?.[1] ?? [])
  assert.ok(workloads.length > 0)
  assert.equal(workloads.filter((name) => !existsSync(join(root, `playground/bench/workloads/${name}.ts`))), [])
})

test('every tsgi command that is shown is understood', () => {
  const shown = commands.flatMap(({ command }) => /^(?:tsgi|npm start --) (.*)$/.exec(command)?.[1] ?? [])
  assert.ok(shown.length > 3)
  for (const text of shown) {
    const args = [...text.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')
    const line = parseCommandLine(args)
    const { application = '' } = line
    assert.ok(application === 'app.ts' || (application.startsWith('playground/') && existsSync(join(root, application))), text)
    completeOptions(line.options)
  }
})

test('every flag that the text names exists', () => {
  const wrong: string[] = []
  for (const each of documents()) {
    for (const span of codeSpans(each.text.replaceAll(/^```.*?^```$/gms, ''))) {
      const flag = /^--(?!\[)[a-z-]+(?= |$)/.exec(span)?.[0]
      if (flag === undefined) continue
      try {
        parseCommandLine([flag])
      } catch (error) {
        if (!(error instanceof Error) || !/ needs a value/.test(error.message)) wrong.push(`${each.path}: ${span}`)
      }
    }
  }
  assert.equal(wrong, [])
})

test('the package\'s version has its part in the change log, its license its file, its Node its sentence', () => {
  assert.ok(document('CHANGELOG.md').text.includes(`\n## ${manifest.version}\n`))
  assert.ok(document('LICENSE').text.startsWith(`${manifest.license} License\n`))
  assert.ok(document('README.md').text.includes(`Node ${manifest.engines.node.replace('>=', '')} or later`))
})

test.run()
