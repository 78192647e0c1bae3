import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
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
  return (env, stdin) => {
    checkDescriptors()
    return new GroupLeader(settings, env, stdin)
  }
}

/** What the start of a program takes: three pairs of sockets, and a pipe for the news of it. */
const DESCRIPTORS = 8

/** Throws EMFILE where these are not to be had: Node 20 closes no socket of a program whose start fails by that. */
function checkDescriptors(): void {
  const opened: number[] = []
  try {
    while (opened.length < DESCRIPTORS) opened.push(openSync(devNull, 'r'))
  } finally {
    for (const each of opened) closeSync(each)
  }
}

class GroupLeader implements Program {
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  readonly #grace: number
  readonly #log: StderrLog
  /** Resolves once nothing is left of a group that is stopped; null before it is. */
  #ending: Promise<void> | null = null
  /** Whether the group is known to have no member: its number may be another one's. */
  #empty = false

  constructor({ file, args, cwd, grace, name, log }: CgiSettings, env: ProgramEnv, stdin: 'pipe' | 'ignore' | number) {
    const child = spawn(file, args, { cwd, env, stdio: [stdin, 'pipe', 'pipe'], detached: true, windowsHide: true })
    this.#child = child
    this.#grace = grace
    this.#log = new StderrLog(name, log)
    // Undefined where there was no file descriptor left for them.
    this.stdin = child.stdin ?? null
    this.stdout = child.stdout ?? Readable.from([])
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#empty = !this.kill(0)
        resolve({ code, signal, error: null })
      })
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
    if (this.#ending === null && this.kill('SIGTERM')) this.#ending = this.#groupEnded()
  }

  async close(): Promise<void> {
    this.stdin?.destroy()
    this.stdout.destroy()
    await this.exited
    await this.#ending
    const { stderr } = this.#child
    if (stderr?.destroyed === false) await ended(stderr)
    this.#log.end()
    running.delete(this)
    if (running.size === 0) process.off('exit', killAll)
  }

  /** Signals the group; false if it has no member. */
  kill(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#child
    if (pid === undefined || this.#empty) return false
    try {
      return process.kill(-pid, signal)
    } catch {
      return false
    }
  }

  /** Waits for all of the group, which may outlive its leader, and kills what is left after the grace. */
  async #groupEnded(): Promise<void> {
    const deadline = performance.now() + this.#grace * 1000
    for (let pause = 1; this.kill(0); pause = Math.min(2 * pause, 50)) {
      if (performance.now() >= deadline) {
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
