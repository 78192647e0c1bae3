/**
 * Compares servers by the CPU time they take, which another machine or a busy one disturbs little: not by requests
 * per second. The workload `sync` compares wall time too. `npm run bench -- --help` says how. A workload is a module in workloads/; its name is the file's.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { readOptions, UsageError } from './harness/options.ts'
import { findProcessors } from './harness/processors.ts'
import { tableText, type Report } from './harness/report.ts'
import type { Bench, Conditions, Contestant, Workload } from './harness/workload.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const folder = new URL('workloads/', import.meta.url)
const names = readdirSync(folder).filter((file) => file.endsWith('.ts')).map((file) => file.slice(0, -3)).sort()

async function load(name: string): Promise<Workload> {
  const { workload } = await import(new URL(`${name}.ts`, folder).href) as { workload: Workload }
  return workload
}

async function help(): Promise<string> {
  const workloads = await Promise.all(names.map(async (name) => ({ name, ...await load(name) })))
  return `Usage: npm run bench -- WORKLOAD [options]

Workloads
${workloads.map(({ name, description, contestants }) => `  ${name.padEnd(10)}  ${description}
              contestants: ${contestants.map((contestant) => contestant.name).join(', ')}`).join('\n')}

Options
  --rounds N         how often every contestant is measured (5)
  --seconds N        how long one measurement of CPU time takes (4)
  --only NAME,NAME   these contestants, and the one that the others are compared with
  --json FILE        write the figures of every round to FILE
  --client NAME      the load client: wrk, or node for the one that comes with the benchmark (wrk where there is one)
  --no-build         measure dist as it is, without npm run build
  --help             this text`
}

function chosen(workload: Workload, only: readonly string[] | null): readonly Contestant[] {
  if (only === null) return workload.contestants
  const known = workload.contestants.map(({ name }) => name)
  const unknown = only.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new UsageError(`no contestant '${unknown}'; there are ${known.join(', ')}`)
  return workload.contestants.filter(({ name }) => name === workload.control || only.includes(name))
}

/** tsgi is measured as users run it: compiled. */
function build(): void {
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm run build failed:\n${stdout}${stderr}`)
}

/** Fails at once, not after minutes of measuring. */
function checkWritable(file: string): void {
  try {
    closeSync(openSync(file, 'a'))
  } catch {
    throw new UsageError(`cannot write '${file}'`)
  }
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  if (options.help) return console.log(await help())
  const { workload: name } = options
  if (name === null) throw new UsageError(`which workload? There are ${names.join(', ')}`)
  if (!names.includes(name)) throw new UsageError(`no workload '${name}'; there are ${names.join(', ')}`)
  const workload = await load(name)
  const contestants = chosen(workload, options.only)
  if (options.json !== null) checkWritable(options.json)
  if (!existsSync('/proc/self/stat')) throw new Error('the benchmark reads CPU times from /proc, which only Linux has')

  const processors = findProcessors()
  const about = {
    node: process.version,
    processor: `${availableParallelism()} x ${cpus()[0]?.model ?? 'unknown'}`,
    rounds: options.rounds,
    ...workload.conditions(options, processors),
  }
  console.log(`${name}: ${workload.description}`)
  console.log(Object.entries(about).map(([key, value]) => `  ${key.padEnd(9)}  ${value}`).join('\n'))
  if (options.build && contestants.some((contestant) => contestant.package === 'tsgi')) {
    progress('npm run build')
    build()
  }
  const bench: Bench = { options, processors, contestants, progress }
  const reports: Report[] = []
  for await (const report of workload.run(bench)) {
    reports.push(report)
    progress('')
    console.log(`\n${tableText(report)}`)
  }
  console.log(`\n${workload.legend.map((line) => `  ${line}`).join('\n')}`)
  if (options.json !== null) writeFileSync(options.json, jsonText(name, about, reports))
}

function jsonText(workload: string, about: Conditions, reports: readonly Report[]): string {
  const tables = reports.map(({ title, rows }) => ({ title, rows }))
  return `${JSON.stringify({ workload, ...about, tables }, null, 2)}\n`
}

try {
  await main()
} catch (error) {
  progress('')
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
