import type { Application } from '../contract/application.ts'
import { LoadFailed } from '../contract/errors.ts'

/** A file URL whose `#fragment` names the export, `default` if there is none. */
export type ModuleRef = URL

/** How a server gets the application that a reference names. */
export type LoadApplication = (ref: ModuleRef, factory: boolean) => Promise<Application>

/** Imports the application that `ref` names; with `factory`, calls the export to make it. Throws `LoadFailed`. */
export async function loadApplication(ref: ModuleRef, factory: boolean): Promise<Application> {
  const found = await loadExport(ref, factory)
  if (typeof found !== 'function') throw new LoadFailed(`${placeOf(ref)} is not a function, expected an application`)
  return found as Application
}

/** Imports what `ref` names, whatever it is; with `factory`, calls it and gives what it made. Throws `LoadFailed`. */
export async function loadExport(ref: ModuleRef, factory: boolean): Promise<unknown> {
  const name = nameOf(ref)
  const module = new URL(ref)
  module.hash = ''
  let exports: Record<string, unknown>
  try {
    exports = await import(module.href) as Record<string, unknown>
  } catch (error) {
    throw new LoadFailed(`${pathOf(module)}: ${describeImportError(error)}`, { cause: error })
  }
  const found = exportOf(exports, name)
  if (found === undefined || (factory && typeof found !== 'function')) {
    const names = Object.keys(exports).filter((each) => typeof exports[each] === 'function')
    const others = names.length === 0 ? 'it exports no function' : `it exports ${names.join(', ')}`
    throw new LoadFailed(`${pathOf(module)}: export ${JSON.stringify(name)} is ${found === undefined ? 'missing' : 'not a function'}, expected ${factory ? 'a function that makes an application' : 'an application'} (${others})`)
  }
  if (!factory) return found
  let made: unknown
  try {
    made = await (found as () => unknown)()
  } catch (error) {
    throw new LoadFailed(`${pathOf(module)}: the factory ${JSON.stringify(name)} threw ${describeImportError(error)}`, { cause: error })
  }
  if (made === undefined || made === null) throw new LoadFailed(`${pathOf(module)}: the factory ${JSON.stringify(name)} made nothing, expected an application`)
  return made
}

/** Module and export, for messages. */
export function placeOf(ref: ModuleRef): string {
  return `${pathOf(ref)}: export ${JSON.stringify(nameOf(ref))}`
}

function nameOf(ref: ModuleRef): string {
  return ref.hash === '' ? 'default' : decodeURIComponent(ref.hash.slice(1))
}

/** The export of a name; a CommonJS module's `exports.default` counts as its default export. */
function exportOf(exports: Record<string, unknown>, name: string): unknown {
  const found = exports[name]
  if (name !== 'default' || typeof found === 'function') return found
  return (found as { default?: unknown } | null | undefined)?.default ?? found
}

function pathOf(module: URL): string {
  return module.protocol === 'file:' ? decodeURIComponent(module.pathname) : module.href
}

/** One line for an error of `import()`; a syntax error says where it is. */
function describeImportError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const firstLine = error.message.split('\n', 1)[0] ?? ''
  if (!(error instanceof SyntaxError) && error.name !== 'TransformError') return `${error.name}: ${firstLine}`
  // Node puts "file:line" before the stack of a syntax error, TypeScript loaders "file:line:column: ERROR: text" in the message.
  const where = /^(file:\/\/\S+:\d+|\/\S+:\d+)\s*$/m.exec(error.stack?.split('\n    at ', 1)[0] ?? '')?.[1]
  const text = error.name === 'TransformError' ? error.message.split('\n').slice(1).join(' ') || firstLine : `SyntaxError: ${firstLine}`
  return where === undefined ? text : `${text} (${where})`
}
