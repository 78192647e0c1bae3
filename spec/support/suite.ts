import { execFileSync } from 'node:child_process'
import { suite as uvuSuite } from 'uvu'

/** What a test may use. */
export interface TestContext {
  /** Runs `clean` when the test is over, however it ended; the last one given runs first. */
  after(clean: () => unknown): void
}

export interface TestSuite {
  /** A test: its name states the rule, `limit` is its time in seconds (default 10). */
  (rule: string, body: (t: TestContext) => unknown, limit?: number): void
  /** Says that a test cannot run here, and why. */
  skip(rule: string, reason: string): void
  /** Tests that need programs, or modules of Python (`python3:NAME`): skipped where one is missing, which in CI is a failure. */
  needing(programs: readonly string[], define: () => void): void
  /** Runs the tests; the last line of a spec. */
  run(): void
}

const counts = { passed: 0, failed: 0, skipped: 0 }
let running = 0
const lastCleaners: (() => unknown)[] = []

/** Has something that tests share cleaned up when all of them are over. */
export function afterAll(clean: () => unknown): void {
  lastCleaners.push(clean)
}

/** A uvu suite whose tests have a time limit, clean up after themselves, and are counted for the closing line. */
export function suite(name: string): TestSuite {
  const inner = uvuSuite(name)
  const test = ((rule, body, limit = 10) => {
    inner(rule, async () => {
      const cleaners: (() => unknown)[] = []
      try {
        await withinLimit(rule, limit, async () => body({ after: (clean) => cleaners.push(clean) }))
        for (const clean of cleaners.splice(0).reverse()) await withinLimit(`cleaning up after "${rule}"`, 10, async () => clean())
        counts.passed++
      } catch (error) {
        counts.failed++
        for (const clean of cleaners.reverse()) await Promise.resolve().then(clean).catch(() => {})
        throw error
      }
    })
  }) as TestSuite
  test.skip = (rule, reason) => {
    counts.skipped++
    console.log(`  SKIPPED ${name}: ${rule}: ${reason}`)
  }
  test.needing = (programs, define) => {
    const missing = programs.filter((program) => !hasProgram(program))
    if (missing.length === 0) return define()
    if (process.env['CI'] === undefined) return test.skip(`all that needs ${programs.join(', ')}`, `${missing.join(', ')} not found`)
    inner(`${missing.join(', ')} must be there in CI`, () => {
      counts.failed++
      throw new Error(`not found: ${missing.join(', ')}`)
    })
  }
  test.run = () => {
    running++
    inner.after(() => {
      if (--running === 0) void finish()
    })
    inner.run()
  }
  return test
}

function hasProgram(program: string): boolean {
  const [name, module] = program.split(':')
  try {
    execFileSync('sh', ['-c', module === undefined ? `command -v ${name}` : `${name} -c 'import ${module}'`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

async function withinLimit(what: string, seconds: number, body: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${seconds} s: ${what}`)), seconds * 1000)
  })
  try {
    await Promise.race([body(), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Waits a little for handles to close, reports those that stay, and ends the process, which uvu would leave hanging. */
async function finish(): Promise<void> {
  // uvu prints the failures after this hook.
  await new Promise((resolve) => setImmediate(resolve))
  for (const clean of lastCleaners) await clean()
  let left = openHandles()
  for (let tries = 0; left.length > 0 && tries < 40; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    left = openHandles()
  }
  if (left.length > 0) {
    counts.failed++
    console.error(`  FAIL handles left open: ${left.join(', ')}`)
  }
  if (counts.failed > 0) process.exitCode = 1
  if (process.send === undefined) console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  else await new Promise((resolve) => process.send?.(counts, resolve))
  process.exit()
}

function openHandles(): string[] {
  const stdio = /^(?:TTYWrap|PipeWrap|FSReqPromise|CloseReq)$/
  return process.getActiveResourcesInfo().filter((name) => !stdio.test(name) && !(name === 'Timeout'))
}
