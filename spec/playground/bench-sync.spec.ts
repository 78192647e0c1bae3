import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as assert from 'uvu/assert'
import { HopProgram } from '../../playground/bench/harness/hop-program.ts'
import { hopRounds } from '../../playground/bench/harness/hop-rounds.ts'
import { tableText, type Report } from '../../playground/bench/harness/report.ts'
import type { Bench, Contestant } from '../../playground/bench/harness/workload.ts'
import { hellos, hops, workload } from '../../playground/bench/workloads/sync.ts'
import { rejection } from '../support/rejection.ts'
import { suite, type TestContext } from '../support/suite.ts'

const test = suite('the sync benchmark')
const root = resolve(import.meta.dirname, '../..')
const SOURCE = ['--conditions=source', '--import', import.meta.resolve('tsx')]

function bench(contestants: readonly Contestant[], rounds = 2, seconds = 0.05): Bench {
  const options = { workload: 'sync', rounds, seconds, only: null, json: null, client: null, build: false, help: false }
  return { options, processors: { server: null, client: null }, contestants, progress: () => {} }
}

/** A program that answers the orders as `answer`, an expression over `orders` and how many came before, says. */
function program(t: TestContext, name: string, answer: string): Contestant {
  const folder = mkdtempSync(join(tmpdir(), 'tsgi-hops-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'program.mjs')
  writeFileSync(file, `import { createInterface } from 'node:readline'
let count = 0
console.log('"ready"')
for await (const line of createInterface(process.stdin)) {
  const orders = JSON.parse(line)
  console.log(JSON.stringify(${answer}))
  count++
}`)
  return { name, program: pathToFileURL(file) }
}

async function all(reports: AsyncIterable<Report>): Promise<Report[]> {
  const found: Report[] = []
  for await (const report of reports) found.push(report)
  return found
}

test('figures are those of a hop; a share is taken round by round, of the fastest control', async (t) => {
  // The warm-up is order 0, which counts for nothing; a round is four orders.
  const slow = program(t, 'slow', '{ hops: 10, wall: 1000 * (Math.ceil(count / 4) || 9), cpu: 50 }')
  const fast = program(t, 'fast', '{ hops: 10, wall: [1e9, 100, 200, 400][Math.ceil(count / 4)], cpu: 20 }')
  const ours = program(t, 'ours', '{ hops: orders.inFlight, wall: [1, 20, 20, 20][Math.ceil(count / 4)] * orders.inFlight, cpu: 8 * orders.inFlight }')
  const row = (contestant: Contestant, control: boolean) => ({ name: contestant.name, contestant, version: null, call: 'hop', control })
  const rows = [row(slow, true), row(fast, true), row(ours, false)]
  const [report] = await all(hopRounds(bench([slow, fast, ours], 3), [{ title: 'a title', inFlight: 4, rows }]))
  assert.ok(report !== undefined)
  assert.equal(report.rows.map(({ contestant, figures }) => [contestant, figures]), [
    ['slow', { wall: 200, ratio: 10, lowest: 7.5, highest: 10, cpu: 5 }],
    ['fast', { wall: 20, ratio: 1, lowest: 1, highest: 1, cpu: 2 }],
    ['ours', { wall: 20, ratio: 1, lowest: 0.5, highest: 2, cpu: 8 }],
  ])
  const shown = tableText(report)
  assert.match(shown, /us\/hop +of fast +lowest +highest +CPU us\/hop/)
  assert.match(shown, /The rounds differ much/)
}, 30)

const faults: readonly (readonly [rule: string, answer: string, error: RegExp])[] = [
  ['a program that ends', 'process.exit(3)', /^Error: broken has ended:/],
  ['a program that throws, with what it said', '(() => { throw new Error("a wrong result") })()', /^Error: broken has ended:[^]*a wrong result/],
  ['no hops', '{ hops: 0, wall: 1, cpu: 1 }', /^Error: broken made 0 hops in 1 us/],
]

for (const [rule, answer, error] of faults) {
  test(`a measurement fails by ${rule}`, async (t) => {
    const running = await HopProgram.start(program(t, 'broken', answer))
    t.after(() => running.stop())
    assert.match(String(await rejection(running.measure({ call: 'hop', inFlight: 1, seconds: 0.1 }))), error)
  })
}

test('without asgiref the benchmark says so in one line, with exit code 2', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tsgi-no-asgiref-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'asgiref'))
  writeFileSync(join(folder, 'asgiref/__init__.py'), 'raise ImportError')
  const args = [...SOURCE, 'playground/bench/bench.ts', 'sync']
  const [code, stderr] = await new Promise<[unknown, string]>((done) => {
    execFile(process.execPath, args, { cwd: root, env: { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' } }, (error, _stdout, text) => done([error?.code, text]))
  })
  assert.is(stderr, 'bench: /usr/bin/python3 has no asgiref to compare with; on Debian: apt-get install python3-asgiref\n')
  assert.is(code, 2)
}, 30)

test('sync applications are compared with the async one; where uvicorn is missing, the table says so', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tsgi-no-uvicorn-'))
  mkdirSync(join(folder, 'uvicorn'))
  writeFileSync(join(folder, 'uvicorn/__init__.py'), 'raise ImportError')
  const before = { PYTHONPATH: process.env['PYTHONPATH'], PYTHONDONTWRITEBYTECODE: process.env['PYTHONDONTWRITEBYTECODE'] }
  Object.assign(process.env, { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' })
  t.after(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    rmSync(folder, { recursive: true, force: true })
  })
  const { options, ...rest } = bench(workload.contestants, 2, 1)
  const report = await hellos({ ...rest, options: { ...options, client: 'node' } }, SOURCE)
  assert.ok(report !== null)
  assert.equal(report.rows.map(({ contestant }) => contestant), ['wsgi-threads', 'wsgi-inline', 'async'])
  for (const { contestant, figures, rounds } of report.rows) {
    assert.is(rounds.length, 2)
    for (const key of ['cpu', 'ratio', 'busy']) assert.ok((figures[key] ?? 0) > 0, `${contestant}: ${key} ${figures[key]}`)
  }
  const shown = tableText(report)
  assert.match(shown, /CPU us\/request +of async +lowest +highest +busy/)
  assert.match(shown, /\n  \S*python3 has no uvicorn to compare with; on Debian: apt-get install python3-uvicorn python3-uvloop python3-httptools$/)
}, 60)

test('without servers of sync applications there is no table of them', async () => {
  assert.is(await hellos(bench(workload.contestants.slice(0, 2))), null)
})

test.needing(['/usr/bin/python3:asgiref'], () => {
  test('tsgi and asgiref hop in all ways that are compared', async () => {
    const reports = await all(hops(bench(workload.contestants, 2, 0.2), SOURCE))
    assert.equal(reports.map(({ title, rows }) => [title, rows.map(({ contestant }) => contestant)]), [
      ['one at a time', ['asgiref', 'tsgi']],
      ['16 in flight', ['asgiref', 'asgiref, pool', 'tsgi']],
      ['nested', ['asgiref', 'tsgi']],
    ])
    for (const { title, rows } of reports) {
      for (const { contestant, version, figures, rounds } of rows) {
        assert.match(version ?? '', /^\d+\.\d+/, contestant)
        assert.is(rounds.length, 2)
        for (const key of ['wall', 'ratio', 'cpu']) assert.ok((figures[key] ?? 0) > 0, `${title}, ${contestant}: ${key} ${figures[key]}`)
      }
    }
  }, 60)

  test('the versions of asgiref and of Python are shown', () => {
    const { asgiref, python } = workload.conditions(bench([]).options, { server: null, client: null })
    assert.match(String(asgiref), /^\d+\.\d+/)
    assert.match(String(python), /^3\.\d+/)
  })
})

test.run()
