import { execFile, spawnSync, type ChildProcess } from 'node:child_process'
import { promisify } from 'node:util'
import { UsageError } from './options.ts'
import { pinned } from './processors.ts'

const run = promisify(execFile)

/** What h2load is to do. */
export interface H2Load {
  readonly url: string
  readonly protocol: 'h2' | 'http/1.1'
  readonly connections: number
  /** Requests under way on each connection. */
  readonly streams: number
  readonly seconds: number
  /** The processor it is bound to; null for any. */
  readonly processor: number | null
  /** Is told of the client's process. */
  started(client: ChildProcess): void
}

/** Throws `UsageError` where the program is missing. */
export function needProgram(program: string, from: string): void {
  if (spawnSync(program, ['--version']).error !== undefined) throw new UsageError(`${program} is not on the PATH; it comes with ${from}`)
}

/** Sends requests for a while. Resolves to how many were answered, and fails if any was not. */
export async function loadH2({ url, protocol, connections, streams, seconds, processor, started }: H2Load): Promise<number> {
  const [command, args] = pinned(processor, 'h2load', [
    '--threads', '1', '--clients', String(connections), '--max-concurrent-streams', String(streams), '--duration', String(seconds),
    ...protocol === 'h2' ? [] : ['--h1'],
    url,
  ])
  const running = run(command, args)
  started(running.child)
  const { stdout } = await running
  const [, done = '0', failed = '0', errored = '0'] = /(\d+) succeeded, (\d+) failed, (\d+) errored/.exec(stdout) ?? []
  if (done === '0' || failed !== '0' || errored !== '0') throw new Error(`${url}: ${done} requests answered, ${failed} failed, ${errored} errors`)
  return Number(done)
}
