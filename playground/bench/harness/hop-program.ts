import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Contestant } from './workload.ts'

/** What a program is asked to do, as one line of JSON. */
export interface HopOrders {
  /** `hop`: a sync function on a thread. `nested`: it calls an async one on the loop. Others are the contestant's own. */
  readonly call: string
  /** Calls that are under way at a time. */
  readonly inFlight: number
  readonly seconds: number
}

/** What it answers, once it is done, in the same way; times in microseconds. */
export interface Hops {
  readonly hops: number
  readonly wall: number
  /** Of all its threads. */
  readonly cpu: number
}

/**
 * A contestant that calls itself, from its event loop to a thread and back, and takes the time. It reads orders from
 * standard input until that ends; its first line on standard output says that it is ready.
 */
export class HopProgram {
  readonly #name: string
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  #errors = ''

  private constructor(name: string, child: ChildProcess, lines: AsyncIterator<string>) {
    this.#name = name
    this.#child = child
    this.#lines = lines
    child.stderr?.on('data', (text: Buffer) => (this.#errors = (this.#errors + text).slice(-4000)))
    child.on('error', (error) => (this.#errors += error.message))
    // A program that has ended is found out by the answer that does not come.
    child.stdin?.on('error', () => {})
  }

  /** Starts a contestant; resolves once it is ready. */
  static async start(contestant: Contestant, nodeOptions: readonly string[] = []): Promise<HopProgram> {
    const program = fileURLToPath(contestant.program)
    const { command = process.execPath } = contestant
    const child = spawn(command, contestant.command === undefined ? [...nodeOptions, program] : [program], { stdio: 'pipe' })
    const started = new HopProgram(contestant.name, child, createInterface(child.stdout)[Symbol.asyncIterator]())
    await started.#answer()
    return started
  }

  /** Has it hop for a while. */
  async measure(orders: HopOrders): Promise<Hops> {
    this.#child.stdin?.write(`${JSON.stringify(orders)}\n`)
    const { hops, wall, cpu } = await this.#answer() as Hops
    if (!(hops > 0 && wall > 0)) throw new Error(`${this.#name} made ${hops} hops in ${wall} us`)
    return { hops, wall, cpu }
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const closed = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.kill('SIGKILL')
    await closed
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#lines.next() as IteratorResult<string, undefined>
    if (done === true) {
      await this.stop()
      throw new Error(`${this.#name} has ended:\n${this.#errors}`)
    }
    return JSON.parse(value)
  }
}
