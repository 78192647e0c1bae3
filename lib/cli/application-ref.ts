import { statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { LoadFailed, UsageError } from '../contract/errors.ts'
import type { ModuleRef } from '../server/load.ts'
import { importInThreads } from '../threads/start-thread.ts'
import { resolveSelf } from './resolve-self.ts'

/** What `path` or `path:export` names. Throws `UsageError` when there is no such file. */
export function applicationRef(argument: string): ModuleRef {
  const [path, name] = split(argument)
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) throw new UsageError(`${path}: no such file, expected the module of an application`)
  if (!stats.isFile()) throw new UsageError(`${path}: not a file, expected the module of an application`)
  const ref = pathToFileURL(resolve(path))
  if (name !== undefined) ref.hash = encodeURIComponent(name)
  return ref
}

/** The last colon parts path and export, unless the whole is a file's name. */
function split(argument: string): readonly [path: string, name: string | undefined] {
  const colon = argument.lastIndexOf(':')
  if (colon < 1 || statSync(argument, { throwIfNoEntry: false }) !== undefined) return [argument, undefined]
  const name = argument.slice(colon + 1)
  if (name === '') throw new UsageError(`${argument}: no export after the colon, expected PATH:EXPORT`)
  return [argument.slice(0, colon), name]
}

/**
 * Makes the module loadable: it may import `tsgi` wherever it lies, and TypeScript is loaded by tsx if it can be found from the module or from here, else by Node itself.
 * Throws `LoadFailed` when neither can.
 */
export async function prepareFor(ref: ModuleRef): Promise<void> {
  resolveSelf()
  importInThreads(new URL(import.meta.url.replace(/application-ref(?=\.\w+$)/, 'in-threads')))
  if (!/\.[cm]?tsx?$/.test(ref.pathname) || isTsxLoaded()) return
  for (const from of [ref, import.meta.url]) {
    const require = createRequire(from)
    try {
      await import(pathToFileURL(require.resolve('tsx')).href) // what `node --import tsx` does
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    }
  }
  if (!('typescript' in process.features) || !process.features.typescript) {
    throw new LoadFailed(`${decodeURIComponent(ref.pathname)}: Node ${process.versions.node} cannot load TypeScript by itself; install tsx, or use Node 22.18 or later`)
  }
}

function isTsxLoaded(): boolean {
  return [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(' ')].some((argument) => /\btsx\b/.test(argument))
}
