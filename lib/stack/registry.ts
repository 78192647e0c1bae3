import { InvalidStack } from '../contract/errors.ts'
import type { LoadedStack, StackName } from './loaded.ts'

/** What makes a stack's layers. */
interface Loadable {
  loaded(): LoadedStack
}

/** The stacks that modules of this thread have made, by module. */
const made = new Map<string, { readonly name: StackName; readonly stack: Loadable }[]>()

/** Has a stack found by its name. */
export function register(name: StackName, stack: Loadable): void {
  const others = made.get(name.href)
  if (others === undefined) made.set(name.href, [{ name, stack }])
  else others.push({ name, stack })
}

/** The stack of a name, once its module has been loaded. Throws `InvalidStack`. */
export function stackOf(name: StackName): LoadedStack {
  const all = made.get(name.href) ?? []
  const named = name.export === '' ? all : all.filter((each) => each.name.export === name.export)
  const [found] = named
  if (found !== undefined && named.length === 1) return found.stack.loaded()
  const which = name.export === '' ? 'a stack' : `one stack ${JSON.stringify(name.export)}`
  throw new InvalidStack(`${name.href} makes ${all.length === 0 ? 'no stack when it is loaded on a thread' : `${all.length} stacks`}, expected ${which}: make it at the top of the module, and give each a name (export: '…') where there are several`)
}

/** Loads the module that makes a stack, or the settings that say what it is made of. */
export async function loadStack({ href, settings }: StackName): Promise<void> {
  if (!settings) {
    await import(href)
    return
  }
  const { stackFromSettings } = await import('./settings.ts')
  await stackFromSettings(new URL(href))
}
