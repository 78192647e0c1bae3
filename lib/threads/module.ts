import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { InvalidOption, LoadFailed } from '../contract/errors.ts'
import type { FunctionName } from './protocol.ts'

/** A file URL whose `#fragment` names the export, `default` if there is none: `new URL('./legacy.js#render', import.meta.url)`. */
export type ModuleRef = URL

// TypeScript's own names for its output: a missing one stands for its source.
const sources: readonly (readonly [RegExp, string])[] = [[/\.js$/, '.ts'], [/\.mjs$/, '.mts'], [/\.cjs$/, '.cts']]

/** What references name: a program has as many as it has functions, and looks each up often. */
const named = new Map<string, FunctionName>()

/** What a reference names; a missing `.js` falls back to the `.ts` beside it. Throws `LoadFailed` where there is no such file, and `InvalidOption`. */
export function functionName(ref: ModuleRef): FunctionName {
  if (!(ref instanceof URL) || ref.protocol !== 'file:') throw new InvalidOption('a module', 'a file URL', ref)
  let name = named.get(ref.href)
  if (name === undefined) {
    name = { href: existingModule(ref), name: exportNameOf(ref) }
    named.set(ref.href, name)
  }
  return name
}

function exportNameOf(ref: ModuleRef): string {
  return ref.hash === '' ? 'default' : decodeURIComponent(ref.hash.slice(1))
}

function existingModule(ref: ModuleRef): string {
  const module = new URL(ref)
  module.hash = ''
  if (existsSync(module)) return module.href
  for (const [output, source] of sources) {
    const other = new URL(module)
    other.pathname = other.pathname.replace(output, source)
    if (other.pathname !== module.pathname && existsSync(other)) return other.href
  }
  throw new LoadFailed(`${fileURLToPath(module)}: no such file, expected a module that exports ${JSON.stringify(exportNameOf(ref))}`)
}

const loaded = new Map<string, Record<string, unknown>>()

/** Says that this thread has a module already: calls of its functions need not load it. */
export function provideModule(ref: ModuleRef, exports: object): void {
  loaded.set(functionName(ref).href, exports as Record<string, unknown>)
}

/** The function, if its module has been loaded. Throws `LoadFailed` if that has no such export. */
export function loadedFunction({ href, name }: FunctionName): Function | null {
  const exports = loaded.get(href)
  return exports === undefined ? null : exportOf(href, name, exports)
}

/** Loads the module, once, and gives its function. Throws `LoadFailed`. */
export async function loadFunction({ href, name }: FunctionName): Promise<Function> {
  let exports = loaded.get(href)
  if (exports === undefined) {
    try {
      exports = await import(href) as Record<string, unknown>
    } catch (error) {
      throw failed(href, name, error)
    }
    loaded.set(href, exports)
  }
  return exportOf(href, name, exports)
}

/** The same where nothing can be awaited: a module with an `await` at its top cannot be loaded. Throws `LoadFailed`. */
export function loadFunctionNow({ href, name }: FunctionName): Function {
  let exports = loaded.get(href)
  if (exports === undefined) {
    try {
      exports = createRequire(import.meta.url)(fileURLToPath(href)) as Record<string, unknown>
    } catch (error) {
      const { code } = Object(error) as { readonly code?: unknown }
      if (code !== 'ERR_REQUIRE_ASYNC_MODULE') throw failed(href, name, error)
      throw new LoadFailed(`${fileURLToPath(href)}: has an await at its top, and export ${JSON.stringify(name)} is first called where its thread is blocked: refer to it before the first call on any thread, or call it from the loop first`, { cause: error })
    }
    loaded.set(href, exports)
  }
  return exportOf(href, name, exports)
}

/** Loads a module early. What cannot be loaded fails the call that names it. */
export async function preload(href: string): Promise<void> {
  try {
    loaded.set(href, await import(href) as Record<string, unknown>)
  } catch {
    // Found again by that call.
  }
}

function exportOf(href: string, name: string, exports: Record<string, unknown>): Function {
  let found = exports[name]
  // A CommonJS module's `exports.default` counts as its default export.
  if (name === 'default' && typeof found !== 'function') found = (found as { default?: unknown } | null | undefined)?.default
  if (typeof found === 'function') return found
  const names = Object.keys(exports).filter((each) => typeof exports[each] === 'function')
  const others = names.length === 0 ? 'it exports no function' : `it exports ${names.join(', ')}`
  throw new LoadFailed(`${fileURLToPath(href)}: export ${JSON.stringify(name)} is ${name in exports ? 'not a function' : 'missing'} (${others})`)
}

function failed(href: string, name: string, error: unknown): LoadFailed {
  const reason = error instanceof Error ? `${error.name}: ${error.message.split('\n', 1)[0]}` : String(error)
  return new LoadFailed(`${fileURLToPath(href)}: cannot be loaded for its export ${JSON.stringify(name)}: ${reason}`, { cause: error })
}
