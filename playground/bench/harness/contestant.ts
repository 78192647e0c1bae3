import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { cpuTime, descriptorCount } from './proc.ts'
import { pinned } from './processors.ts'
import type { Contestant } from './workload.ts'

const START_LIMIT = 15_000

/** How a contestant is started. */
export interface StartOptions {
  /** The processor it is bound to; null for any. */
  readonly processor: number | null
  /** Options of Node itself. */
  readonly nodeOptions?: readonly string[]
  /** Arguments of the program. */
  readonly args?: readonly string[]
}

/** A contestant's process. */
export class RunningContestant {
  readonly name: string
  readonly url: string
  readonly #child: ChildProcess
  readonly #pid: number

  private constructor(name: string, url: string, child: ChildProcess, pid: number) {
    this.name = name
    this.url = url
    this.#child = child
    this.#pid = pid
  }

  /** Starts a contestant; resolves once it listens. */
  static async start(contestant: Contestant, options: StartOptions): Promise<RunningContestant> {
    const [command, args] = pinned(options.processor, contestant.command ?? process.execPath, [
      ...options.nodeOptions ?? [], fileURLToPath(contestant.program), ...options.args ?? [],
    ])
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    let output = ''
    const keep = (text: Buffer): void => {
      output = (output + text).slice(-4000)
    }
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    const signal = AbortSignal.timeout(START_LIMIT)
    const ended = once(child, 'close', { signal }).then(([code]) => {
      throw new Error(`${contestant.name} ended with code ${code} before it listened:\n${output}`)
    })
    try {
      const [message] = await Promise.race([once(child, 'message', { signal }), ended]) as [{ url: string }]
      ended.catch(() => {})
      // `taskset` becomes the program that it starts, so this is the contestant's own.
      return new RunningContestant(contestant.name, message.url, child, child.pid as number)
    } catch (error) {
      child.kill('SIGKILL')
      throw signal.aborted ? new Error(`${contestant.name} did not listen within ${START_LIMIT / 1000} seconds:\n${output}`) : error
    }
  }

  /** The CPU time in microseconds that it has taken so far. */
  get cpu(): number {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw new Error(`${this.name} has ended`)
    return cpuTime(this.#pid)
  }

  /** Open file descriptors: its connections, and a few more. */
  get descriptors(): number {
    return descriptorCount(this.#pid)
  }

  /** Sends a question to the program and resolves to what it answers. */
  async ask(question: string): Promise<unknown> {
    const answer = once(this.#child, 'message')
    this.#child.send(question)
    return (await answer)[0]
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const closed = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await closed
  }
}
