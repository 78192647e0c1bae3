import { execFile, spawnSync, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { UsageError, type ClientName } from './options.ts'
import { pinned } from './processors.ts'

const run = promisify(execFile)

/** What one burst of requests looks like. */
export interface HttpLoad {
  readonly client: ClientName
  readonly url: string
  /** Keep-alive connections; each has one request under way at a time. */
  readonly connections: number
  readonly seconds: number
  /** Header fields beside Host. */
  readonly fields: Readonly<Record<string, string>>
  /** The processor the client is bound to; null for any. */
  readonly processor: number | null
  /** Is told of the client's process. */
  started(client: ChildProcess): void
}

/** What a load client reports; errors are connections that failed and responses that were not the expected ones. */
interface Outcome {
  readonly requests: number
  readonly errors: number
}

/** The client asked for, or wrk where it is installed. */
export function httpClient(wanted: ClientName | null): ClientName {
  if (wanted === 'node') return 'node'
  const installed = spawnSync('wrk', ['--version']).error === undefined
  if (wanted === 'wrk' && !installed) throw new UsageError('wrk is not on the PATH; try --client node')
  return installed ? 'wrk' : 'node'
}

/** Sends requests for a while. Resolves to how many were answered, and fails if any was not. */
export async function loadHttp(load: HttpLoad): Promise<number> {
  const { requests, errors } = load.client === 'wrk' ? await runWrk(load) : await runNode(load)
  if (errors > 0 || requests === 0) throw new Error(`${load.url}: ${requests} requests answered, ${errors} errors`)
  return requests
}

async function runWrk(load: HttpLoad): Promise<Outcome> {
  const [command, args] = pinned(load.processor, 'wrk', [
    '--threads', '1',
    '--connections', String(load.connections),
    '--duration', `${load.seconds}s`,
    // It may be stopped between a request and its answer.
    '--timeout', `${load.seconds}s`,
    '--script', fileURLToPath(new URL('wrk.lua', import.meta.url)),
    ...Object.entries(load.fields).flatMap(([name, value]) => ['--header', `${name}: ${value}`]),
    load.url,
  ])
  const running = run(command, args)
  load.started(running.child)
  const { stdout } = await running
  return JSON.parse(stdout.slice(stdout.lastIndexOf('{'))) as Outcome
}

async function runNode(load: HttpLoad): Promise<Outcome> {
  const program = fileURLToPath(new URL('node-client.ts', import.meta.url))
  const { url, connections, seconds, fields } = load
  const [command, args] = pinned(load.processor, process.execPath, [
    '--import', import.meta.resolve('tsx'), program, JSON.stringify({ url, connections, seconds, fields }),
  ])
  const running = run(command, args)
  load.started(running.child)
  const { stdout } = await running
  return JSON.parse(stdout) as Outcome
}
