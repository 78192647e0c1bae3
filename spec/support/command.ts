/** Runs the `tsgi` command as users do: as a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { TestContext } from './suite.ts'

/** The top of the checkout. */
export const root: string = resolve(import.meta.dirname, '../..')

/** What `node` is given to run the command from the sources. */
export const commandArgs: readonly string[] = ['--conditions=source', '--import', 'tsx', 'playground/start.ts']

/** How a process ended, and what it said. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A process that runs. */
export interface Running {
  readonly pid: number
  /** What it has written to stdout so far. */
  readonly stdout: string
  readonly stderr: string
  /** Resolves once it has ended and its output is complete. */
  readonly ended: Promise<Ended>
  kill(signal: NodeJS.Signals): void
  /** Resolves once what it wrote matches, from `from` on; rejects when it ends first. */
  output(pattern: RegExp, stream?: 'stdout' | 'stderr', from?: number): Promise<RegExpExecArray>
}

/** A command that serves. */
export interface Serving extends Running {
  readonly url: string
  readonly port: number
}

export interface CommandSettings {
  /** The program and its arguments in place of `node` and `commandArgs`; the command's own arguments follow. */
  readonly program?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Starts a process; it is ended after the test. */
export function startProcess(t: TestContext, args: readonly string[], { program = [process.execPath, ...commandArgs], env = {} }: CommandSettings = {}): Running {
  const [file = '', ...rest] = [...program, ...args]
  const child = spawn(file, rest, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const running = new ChildOutput(child)
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await running.ended
  })
  return running
}

/** Runs the command to its end. */
export async function runCommand(t: TestContext, args: readonly string[], settings?: CommandSettings): Promise<Ended> {
  return startProcess(t, args, settings).ended
}

/** Starts the command on a free port (if `args` names no other address) and waits for the line with its URL. */
export async function serveCommand(t: TestContext, args: readonly string[], settings?: CommandSettings): Promise<Serving> {
  const address = args.some((arg) => arg === '--uds' || arg === '--port') ? [] : ['--port', '0']
  const running = startProcess(t, [...args, ...address], settings)
  const [, url = ''] = await running.output(/serves .* on (\S+) \(/)
  return Object.assign(running, { url, port: url.startsWith('http') ? Number(new URL(url).port) : 0 })
}

class ChildOutput implements Running {
  stdout = ''
  stderr = ''
  readonly ended: Promise<Ended>
  readonly #child: ChildProcess

  constructor(child: ChildProcess) {
    this.#child = child
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      child.emit('said')
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      child.emit('said')
    })
    child.setMaxListeners(0)
    this.ended = once(child, 'close').then(([code, signal]) => ({
      code: code as number | null, signal: signal as NodeJS.Signals | null, stdout: this.stdout, stderr: this.stderr,
    }))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async output(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout', from = 0): Promise<RegExpExecArray> {
    let over = false
    void this.ended.then(() => {
      over = true
      this.#child.emit('said')
    })
    for (;;) {
      const match = pattern.exec(this[stream].slice(from))
      if (match !== null) return match
      if (over) throw new Error(`ended before it wrote ${pattern}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`)
      await once(this.#child, 'said')
    }
  }
}

/** A folder outside of the checkout, removed after the test. */
export interface Folder {
  readonly path: string
  /** Writes a file and returns its path. */
  write(name: string, text: string): string
}

/** Makes a folder in the system's place for temporary files: no package.json above it, no node_modules. */
export function tempFolder(t: TestContext): Folder {
  const path = mkdtempSync(join(tmpdir(), 'tsgi-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return {
    path,
    write(name, text) {
      const file = join(path, name)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
      return file
    },
  }
}

/** The source of an application that answers every request with a text. */
export function answering(text: string): string {
  return `async (scope, receive, send) => {
    if (scope.type !== 'http') throw new Error('HTTP only')
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain']] })
    await send({ type: 'http.response.body', body: ${JSON.stringify(text)} })
  }`
}
