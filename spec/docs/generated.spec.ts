/** What the documents take from data of the code is what the code says. `UPDATE_DOCS=1` writes the generated parts anew. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import * as errors from '../../lib/contract/errors.ts'
import { optionKinds } from '../../lib/server/options.ts'
import { errorClasses, generators } from '../support/docs-generated.ts'
import { codeSpans, document, documents, generatedNames, regenerated, root, tables } from '../support/docs-markdown.ts'
import { suite } from '../support/suite.ts'

const test = suite('generated parts of the documents')

function generate(name: string): string {
  const generator = generators[name]
  if (generator === undefined) throw new Error(`no generator is called ${name}`)
  return generator()
}

test('the generated parts are what the data gives', () => {
  const stale: string[] = []
  for (const each of documents()) {
    const text = regenerated(each, generate)
    if (text === each.text) continue
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(join(root, each.path), text)
    else stale.push(`${each.path} is not what the code says: UPDATE_DOCS=1 npm run specs -- docs/generated`)
  }
  assert.equal(stale, [])
})

test('every generated part stands in exactly one document', () => {
  assert.equal(documents().flatMap(generatedNames).sort(), Object.keys(generators).sort())
})

test('spec/errors.md has a row for each error class with its code, and no other row', () => {
  // Any argument will do: only the code is looked at.
  const inCode = Object.entries(errors)
    .filter(([, value]) => value.prototype instanceof errors.TsgiError)
    .map(([name, value]) => `${(Reflect.construct(value, [[], []]) as errors.TsgiError).code} ${name}`)
  const [codes, advice, ...others] = tables(document('spec/errors.md'))
  assert.is(others.length, 0)
  assert.ok(inCode.length > 10)
  assert.equal(codes?.rows.map((row) => codeSpans(row.slice(0, 2).join(' ')).join(' ')).sort(), inCode.sort())
  assert.equal(advice?.rows.map(([name = '']) => codeSpans(name)[0]).sort(), inCode.map((each) => each.split(' ')[1]).sort())
  assert.equal(errorClasses().filter(({ meaning }) => meaning === ''), [])
})

test('codes are stable: each has the form that they all have, and belongs to one class', () => {
  const codes = errorClasses().map(({ code }) => code)
  assert.equal(codes.filter((code) => !/^ERR_TSGI_[A-Z]+(?:_[A-Z]+)*$/.test(code)), [])
  assert.is(new Set(codes).size, codes.length)
})

test('every option of serve() is in spec/options.md', () => {
  const keys = tables(document('spec/options.md')).filter(({ columns }) => columns[1] === 'API key').flatMap(({ rows }) => rows.flatMap(([, key = '']) => codeSpans(key)))
  assert.equal(keys.sort(), Object.keys(optionKinds).sort())
})

test.run()
