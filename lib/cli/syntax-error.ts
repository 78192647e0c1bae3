import { spawnSync } from 'node:child_process'
import { LoadFailed } from '../contract/errors.ts'
import type { ModuleRef } from '../server/load.ts'

const TIME_LIMIT = 5000
const PLACE = /^(?:file:\/\/)?(\/.*|[A-Za-z]:\\.*):(\d+)$/m

/**
 * The same error, with file and line if it is a syntax error that does not say where it is: of an ES module Node
 * tells that only when it prints the error itself, at the end of a process.
 */
export function located(error: unknown, ref: ModuleRef): unknown {
  if (!(error instanceof LoadFailed) || !isSyntaxError(error.cause) || /:\d+/.test(error.message)) return error
  const module = new URL(ref)
  module.hash = ''
  const importing = `import ${JSON.stringify(module.href)}`
  const { stderr } = spawnSync(process.execPath, [...process.execArgv, '--input-type=module', '--eval', importing], { encoding: 'utf8', timeout: TIME_LIMIT, stdio: ['ignore', 'ignore', 'pipe'] })
  const [, file, line] = PLACE.exec(stderr) ?? []
  if (file === undefined) return error
  return new LoadFailed(`${error.message} (${decodeURIComponent(file)}:${line})`, { cause: error.cause })
}

/** Whether loading failed because of what the source says; loaders have a class of their own for that. */
export function isSyntaxError(error: unknown): boolean {
  return error instanceof SyntaxError || (error instanceof Error && error.name === 'TransformError')
}
