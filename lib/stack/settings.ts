import { InvalidOption, InvalidStack } from '../contract/errors.ts'
import type { ModuleRef } from '../threads/index.ts'
import { functionName } from '../threads/module.ts'
import type { FunctionName } from '../threads/protocol.ts'
import { Layer } from './layer.ts'
import { route, type Route, type View } from './route.ts'
import { Stack, type LayerFactory, type StackOptions } from './stack.ts'

/**
 * What a module of settings exports: the options of a stack, layers and views by their places. A place is a file beside
 * the settings and an export: `./middleware.js#auth`; the whole list of routes may be a place too.
 */
export interface StackSettings extends Omit<StackOptions, 'module' | 'export' | 'middleware' | 'routes'> {
  readonly middleware?: readonly (string | Layer | LayerFactory)[] | undefined
  readonly routes?: string | readonly (Route | readonly [pattern: string, view: string | View])[] | undefined
}

const stacks = new Map<string, Promise<Stack>>()

/** Makes the stack that a module of settings describes, once. Rejects with `InvalidStack`, `InvalidOption` and `LoadFailed`. */
export async function stackFromSettings(settings: ModuleRef): Promise<Stack> {
  const module = new URL(functionName(settings).href)
  let stack = stacks.get(module.href)
  if (stack === undefined) stacks.set(module.href, stack = make(module))
  return await stack
}

async function make(module: URL): Promise<Stack> {
  const { middleware = [], routes = [], ...options } = await importOf(module) as StackSettings
  if (!Array.isArray(middleware)) throw new InvalidOption(`middleware of ${module.href}`, 'a list of layers and of their places', middleware)
  const layers = await Promise.all(middleware.map(async (each) => typeof each === 'string' ? await placed(module, each) as Layer | LayerFactory : each))
  const table = typeof routes === 'string' ? await placed(module, routes) as readonly Route[] : routes
  if (!Array.isArray(table as unknown)) throw new InvalidOption(`routes of ${module.href}`, 'a list of routes, or its place', table)
  const made = await Promise.all(table.map(async (each) => {
    if (!Array.isArray(each)) return each as Route
    const [pattern, view] = each as readonly [string, string | View]
    return route(pattern, typeof view === 'string' ? await placed(module, view) as View : view)
  }))
  return new Stack({ ...options, middleware: layers, routes: made }, { href: module.href, export: '', settings: true })
}

/** What stands at a place: as elsewhere, a missing `.js` stands for the `.ts` beside it. */
async function placed(settings: URL, place: string): Promise<unknown> {
  const { href, name } = nameOf(settings, place)
  const exports = await importOf(new URL(href))
  if (exports[name] !== undefined) return exports[name]
  throw new InvalidStack(`${place}, named in ${settings.href}: there is no export ${JSON.stringify(name)} (there are ${Object.keys(exports).join(', ') || 'none'})`)
}

function nameOf(settings: URL, place: string): FunctionName {
  try {
    return functionName(new URL(place, settings))
  } catch (error) {
    throw new InvalidStack(`${place}, named in ${settings.href}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

async function importOf(module: URL): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(module.href) as Readonly<Record<string, unknown>>
  } catch (error) {
    throw new InvalidStack(`${module.href} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
