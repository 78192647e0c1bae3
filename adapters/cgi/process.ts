import { spawn, type ChildProcess } from 'node:child_process'
import { Readable, type Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { CgiSettings } from './options.ts'
import { StderrLog } from './stderr-log.ts'
import type { ProgramEnv } from './variables.ts'

/** How a program ended: by a code, by a signal, or because it could not be started. */
export interface Exit {
  readonly code: number | null
  readonly signal: string | null
  readonly error: NodeJS.ErrnoException | null
}

/** A program that runs. */
export interface Program {
  /** null where it reads a file, or nothing. */
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly exited: Promise<Exit>
  /** Ends it and all that it has started. */
  stop(): void
  /** Lets go of its output; resolves once nothing of it is left here. */
  close(): Promise<void>
}

/** Starts a program with an environment; its input is a pipe, nothing, or an open file. */
export type StartProgram = (env: ProgramEnv, stdin: 'pipe' | 'ignore' | number) => Program

/** Programs that run, to be killed with this process. */
const running = new Set<GroupLeader>()

function killAll(): void {
  for (const program of running) program.kill('SIGKILL')
}

/** Starts processes, each the leader of a process group of its own. */
export function processes(settings: CgiSettings): StartProgram {
  return (env, stdin) => new GroupLeader(settings, env, stdin)
}

class GroupLeader implements Program {
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  readonly #grace: number
  readonly #log: StderrLog
  /** When what is left of the group is killed; 0 before it is stopped. */
  #deadline = 0

  constructor({ file, args, cwd, grace, name, log }: CgiSettings, env: ProgramEnv, stdin: 'pipe' | 'ignore' | number) {
    const child = spawn(file, args, { cwd, env, stdio: [stdin, 'pipe', 'pipe'], detached: true, windowsHide: true })
    this.#child = child
    this.#grace = grace
    this.#log = new StderrLog(name, log)
    // Undefined where there was no file descriptor left for them.
    this.stdin = child.stdin ?? null
    this.stdout = child.stdout ?? Readable.from([])
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal, error: null }))
      child.once('error', (error) => resolve({ code: null, signal: null, error }))
    })
    // A program need not read its input.
    child.stdin?.on('error', () => {})
    child.stdout?.on('error', () => {})
    child.stderr?.on('error', () => {}).on('data', (bytes: Buffer) => this.#log.push(bytes))
    if (running.size === 0) process.on('exit', killAll)
    running.add(this)
  }

  stop(): void {
    if (this.#deadline !== 0 || !this.kill('SIGTERM')) return
    this.#deadline = performance.now() + this.#grace * 1000
  }

  async close(): Promise<void> {
    this.stdin?.destroy()
    this.stdout.destroy()
    if (this.#deadline === 0) await this.exited
    else await this.#groupEnded()
    const { stderr } = this.#child
    if (stderr?.destroyed === false) await ended(stderr)
    this.#log.end()
    running.delete(this)
    if (running.size === 0) process.off('exit', killAll)
  }

  /** Signals the group; false if it has no member. */
  kill(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#child
    if (pid === undefined) return false
    try {
      return process.kill(-pid, signal)
    } catch {
      return false
    }
  }

  /** Waits for all of the group, which may outlive its leader, and kills what is left at the deadline. */
  async #groupEnded(): Promise<void> {
    for (let pause = 1; this.kill(0); pause = Math.min(2 * pause, 50)) {
      if (performance.now() >= this.#deadline) {
        this.kill('SIGKILL')
        break
      }
      await delay(pause)
    }
    await this.exited
  }
}

/** Waits for the end of a stream for a moment: what the program has left behind may hold it. */
function ended(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => stream.destroy(), 250)
    stream.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
