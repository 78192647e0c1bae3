import { readdirSync, readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.ts'

const root = resolve(import.meta.dirname, '../..')

/** Which rooms a room of lib may import, beside itself. A room that is missing here fails. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  exchange: ['contract'],
  semantics: ['contract'],
  middleware: ['semantics', 'contract'],
  testing: ['exchange', 'contract'],
  protocols: ['exchange', 'contract'],
  threads: ['contract'],
  stack: ['threads', 'semantics', 'contract'],
  server: ['protocols', 'exchange', 'contract', 'middleware'],
  supervisor: ['server', 'contract'],
  cli: ['supervisor', 'server', 'protocols', 'threads', 'exchange', 'contract'],
  'index.ts': ['server', 'exchange', 'contract'],
}

interface Import {
  readonly file: string
  readonly target: string
  readonly typeOnly: boolean
}

function sources(folder: string): string[] {
  return readdirSync(resolve(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => resolve(root, folder, name))
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(/^(import|export)( type)? [^'"]*?from '([^']+)'/gm)].map(([, , type, specifier = '']) => ({
    file,
    target: specifier.startsWith('.') ? resolve(dirname(file), specifier) : specifier,
    typeOnly: type !== undefined,
  }))
}

function roomOf(file: string): string {
  return relative(resolve(root, 'lib'), file).split('/', 1)[0] ?? ''
}

const files = sources('lib')
const imports = files.flatMap(importsOf)
const test = suite('the house')

test('rooms of lib import only the rooms that the design allows', () => {
  const wrong: string[] = []
  for (const { file, target } of imports) {
    if (!target.startsWith('/')) continue
    const from = roomOf(file)
    const to = roomOf(target)
    const allowed = arrows[from]
    if (allowed === undefined) wrong.push(`${from} is a room that has no arrows`)
    else if (from !== to && !allowed.includes(to)) wrong.push(`${relative(root, file)} imports ${relative(root, target)}`)
  }
  assert.equal(wrong, [])
})

test('lib imports no library but ws, and that in one file', () => {
  const outside = imports.filter(({ target }) => !target.startsWith('/') && !target.startsWith('node:'))
  assert.equal(outside.map(({ file, target }) => `${relative(root, file)} imports ${target}`), ['lib/protocols/websocket/ws.ts imports ws'])
})

test('no files of lib import each other in a circle', () => {
  const edges = new Map<string, string[]>()
  for (const { file, target, typeOnly } of imports) {
    if (!typeOnly && target.startsWith('/')) edges.set(file, [...(edges.get(file) ?? []), target])
  }
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      circles.push([...path.slice(path.indexOf(file)), file].map((each) => relative(root, each)).join(' -> '))
      return
    }
    if (done.has(file)) return
    for (const next of edges.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  assert.equal(circles, [])
})

test('every room of lib is in the table', () => {
  const rooms = new Set(files.map(roomOf))
  assert.equal([...rooms].filter((room) => !(room in arrows)), [])
})

test('the playground imports tsgi as its users do', () => {
  const wrong = sources('playground').flatMap(importsOf)
    .filter(({ file, target }) => target.includes('/lib/') && relative(root, file) !== 'playground/start.ts')
  assert.equal(wrong.map(({ file, target }) => `${relative(root, file)} imports ${relative(root, target)}`), [])
})

test.run()
