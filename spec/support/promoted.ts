import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { commandArgs, serveCommand } from './command.ts'
import type { TestContext } from './suite.ts'

/** Collections of young objects that are looked at: the last ones. */
const LAST = 20

/**
 * Bytes that became old in a server at a collection of its young objects, on average, while h2load asked it for so much:
 * of what was answered long before, nothing should. `args` are the server's, `load` h2load's.
 */
export async function promotedUnder(t: TestContext, args: readonly string[], load: readonly string[]): Promise<number> {
  const program = [process.execPath, '--trace-gc', '--trace-gc-nvp', ...commandArgs]
  const server = await serveCommand(t, [...args, '--no-access-log'], { program })
  const { stdout } = await promisify(execFile)('h2load', [...load, server.url])
  const [, failed] = /, (\d+) failed/.exec(String(stdout)) ?? []
  if (failed !== '0') throw new Error(`not everything was answered: ${String(stdout)}`)
  server.kill('SIGTERM')
  const ended = await server.ended
  const promoted = [...ended.stdout.matchAll(/\bgc"?[=:]"?s\b.*\bpromoted"?[=:](\d+)/g)].map(([, bytes]) => Number(bytes)).slice(-LAST)
  if (promoted.length < LAST) throw new Error(`${promoted.length} collections, ${LAST} are needed`)
  return promoted.reduce((sum, bytes) => sum + bytes, 0) / LAST
}
