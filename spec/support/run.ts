/**
 * Runs every spec in a process of its own, and ends with a line that counts all tests. Those that measure memory
 * and time run two at a time, the others three: of these one that mostly waits beside two that work.
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const FILE_LIMIT = 240
const root = resolve(import.meta.dirname, '../..')

interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** Runs one spec; resolves to its counts and what it printed. */
function runSpec(file: string): Promise<{ counts: Counts; output: string; seconds: number }> {
  return new Promise((done) => {
    const started = performance.now()
    const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', '--expose-gc', file], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, FORCE_COLOR: '0' },
    })
    let output = ''
    let counts: Counts | undefined
    child.stdout?.on('data', (text) => (output += text))
    child.stderr?.on('data', (text) => (output += text))
    child.on('message', (message) => (counts = message as Counts))
    const timer = setTimeout(() => {
      output += `\n  FAIL not done after ${FILE_LIMIT} s\n`
      child.kill('SIGKILL')
    }, FILE_LIMIT * 1000)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (counts === undefined) output += `\n  FAIL ended by ${signal ?? `exit code ${code}`} before its tests were done\n`
      done({ counts: counts ?? { passed: 0, failed: 1, skipped: 0 }, output, seconds: (performance.now() - started) / 1000 })
    })
  })
}

const { positionals } = parseArgs({ allowPositionals: true })
const files = readdirSync(resolve(root, 'spec'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.spec.ts'))
  .filter((name) => positionals.length === 0 || positionals.some((wanted) => name.includes(wanted)))
  .sort()
  .map((name) => resolve(root, 'spec', name))

const total: Counts = { passed: 0, failed: 0, skipped: 0 }
async function worker(queue: string[]): Promise<void> {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const { counts, output, seconds } = await runSpec(file)
    total.passed += counts.passed
    total.failed += counts.failed
    total.skipped += counts.skipped
    console.log(`${counts.failed > 0 ? 'FAIL' : 'ok  '} ${relative(root, file)}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped (${seconds.toFixed(1)} s)`)
    if (counts.failed > 0) console.log(output)
    else for (const line of output.split('\n')) if (line.includes('SKIPPED')) console.log(line)
  }
}

const measured = (file: string): boolean => /(?:attacks|unread|memory|timeouts|pipelining|ring|limits|death|vanishing)\.spec\.ts$/.test(file)
const waiting = (file: string): boolean => /(?:behaviour\/http|behaviour\/http-wire|http2\/connections|reload|closing|keep-alive|stopping|cgi\/failures|uwsgi\/responses)\.spec\.ts$/.test(file)
const lanes = (count: number, queue: string[]): Promise<void>[] => Array.from({ length: count }, () => worker(queue))
await Promise.all(lanes(2, files.filter(measured)))
const working = files.filter((file) => !measured(file) && !waiting(file))
await Promise.all([...lanes(2, working), worker(files.filter(waiting)).then(() => worker(working))])
if (files.length === 0) {
  console.error('no spec matches')
  total.failed++
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed > 0 ? 1 : 0
