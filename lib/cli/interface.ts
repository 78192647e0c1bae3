import type { Application } from '../contract/application.ts'
import { LoadFailed } from '../contract/errors.ts'
import type { WsgiApplication } from '../contract/wsgi.ts'
import { loadExport, placeOf, type LoadApplication } from '../server/load.ts'

/** The models of application that the command can serve; `auto` finds out. */
export const interfaces = ['auto', 'async', 'asgi2', 'wsgi', 'node', 'fetch'] as const
export type Interface = (typeof interfaces)[number]

/** How an application of a model is loaded; adapters are loaded when they are needed. */
export function loaderFor(model: Interface): LoadApplication {
  return async (ref, factory) => {
    if (model === 'wsgi' && !factory) {
      const { checkWsgi, fromWsgi } = await import('../../adapters/wsgi/from-wsgi.ts')
      const app = fromWsgi(ref)
      await checkWsgi(ref)
      return app
    }
    const found = await loadExport(ref, factory)
    return adapted(model === 'auto' ? await modelOf(found, placeOf(ref)) : model, found, placeOf(ref))
  }
}

/** Makes a tsgi application of what the module exports. Throws `LoadFailed` where it is none of that model. */
async function adapted(model: Exclude<Interface, 'auto'>, found: unknown, place: string): Promise<Application> {
  const refuse = (expected: string): LoadFailed => new LoadFailed(`${place} is ${shown(found)}, expected ${expected} (--interface ${model})`)
  switch (model) {
    case 'async':
      if (typeof found !== 'function') throw refuse('a function (scope, receive, send)')
      return found as Application
    case 'asgi2': {
      if (typeof found !== 'function') throw refuse('a function (scope) that gives a function (receive, send)')
      const { fromAsgi2 } = await import('../../adapters/asgi2/index.ts')
      return fromAsgi2(found as Parameters<typeof fromAsgi2>[0])
    }
    case 'wsgi': {
      if (typeof found !== 'function') throw refuse('a function (environ, startResponse)')
      // What a factory has made lives on this thread only.
      const { fromWsgi } = await import('../../adapters/wsgi/index.ts')
      return fromWsgi(found as WsgiApplication)
    }
    case 'node': {
      const { fromNode, nodeListener } = await import('../../adapters/node/index.ts')
      if (typeof found !== 'function' && nodeListener(found) === null) throw refuse('a listener (request, response), or an application of Express, Koa, Fastify, Connect, Polka or Hapi')
      return fromNode(found as Parameters<typeof fromNode>[0])
    }
    case 'fetch': {
      if (typeof found !== 'function' && !hasMethod(found, 'fetch')) throw refuse('a function (request), or an object with a method fetch')
      const { fromFetch } = await import('../../adapters/fetch/index.ts')
      return fromFetch(found as Parameters<typeof fromFetch>[0])
    }
  }
}

/** Finds out of what model an export is. Throws `LoadFailed` with what was looked for where it can be several, or none. */
async function modelOf(found: unknown, place: string): Promise<Exclude<Interface, 'auto'>> {
  if (hasMethod(found, 'fetch')) return 'fetch'
  if (hasMethod(found, 'handle') && typeof found === 'function') return 'node'
  if (typeof found === 'function') {
    if (found.length === 3 || found.length === 0) return 'async'
    const fits = found.length === 1 ? 'asgi2 for (scope), fetch for (request)' : found.length === 2 ? 'wsgi for (environ, startResponse), node for (request, response)' : 'async, asgi2, wsgi, node or fetch'
    throw new LoadFailed(`${place} is ${shown(found)}, which fits several models, or none; say which it is by --interface: ${fits}`)
  }
  if (typeof found === 'object' && found !== null) {
    const { nodeListener } = await import('../../adapters/node/index.ts')
    if (nodeListener(found) !== null) return 'node'
  }
  throw new LoadFailed(`${place} is ${shown(found)}, expected an application: a function (scope, receive, send), an object with fetch (Hono, h3), or an application of Express, Koa, Fastify, Connect, Polka or Hapi`)
}

function hasMethod(value: unknown, name: string): boolean {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false
  return typeof (value as Record<string, unknown>)[name] === 'function'
}

function shown(value: unknown): string {
  if (typeof value === 'function') return /^class\b/.test(Function.prototype.toString.call(value)) ? 'a class' : `a function of ${value.length} parameter${value.length === 1 ? '' : 's'}`
  if (typeof value === 'object' && value !== null) return `an object with ${Object.keys(value).slice(0, 5).join(', ') || 'no keys'}`
  return value === undefined ? 'missing' : String(value)
}
