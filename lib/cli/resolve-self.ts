import * as nodeModule from 'node:module'

/** How `node:module` looks to this file: the parts that not every version, or no type, has. */
interface ModuleApi {
  registerHooks?(hooks: { resolve: ResolveHook }): unknown
  register(specifier: string): void
  readonly Module: { _resolveFilename?: ResolveFilename }
}

type ResolveHook = (specifier: string, context: { parentURL?: string }, next: (specifier: string, context?: unknown) => unknown) => unknown
type ResolveFilename = (request: string, parent: unknown, ...rest: unknown[]) => string

const api = nodeModule as unknown as ModuleApi

/**
 * Lets an application import `tsgi` where it is not installed: what cannot be found from the application's file is
 * looked for from here. One that has tsgi installed gets its own.
 */
export function resolveSelf(): void {
  if (api.registerHooks === undefined) {
    // Before Node 22.15 the hooks of `import` live in a thread of their own.
    api.register(`data:text/javascript,${encodeURIComponent(importHook)}`)
  } else {
    api.registerHooks({
      resolve(specifier, context, next) {
        try {
          return next(specifier, context)
        } catch (error) {
          if (!isSelf(specifier)) throw error
          return next(specifier, { ...context, parentURL: import.meta.url })
        }
      },
    })
  }
  // tsx has CommonJS, and TypeScript outside of an ESM package, resolved by this alone.
  const require = nodeModule.createRequire(import.meta.url)
  const resolveFilename = api.Module._resolveFilename
  if (resolveFilename === undefined) return
  api.Module._resolveFilename = function (request, ...rest) {
    try {
      return resolveFilename.call(this, request, ...rest)
    } catch (error) {
      if (!isSelf(request)) throw error
      return require.resolve(request)
    }
  }
}

function isSelf(specifier: string): boolean {
  return specifier === 'tsgi' || specifier.startsWith('tsgi/')
}

const importHook = `
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context)
  } catch (error) {
    if (specifier !== 'tsgi' && !specifier.startsWith('tsgi/')) throw error
    return next(specifier, { ...context, parentURL: ${JSON.stringify(import.meta.url)} })
  }
}
`
