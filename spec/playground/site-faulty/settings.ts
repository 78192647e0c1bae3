/** The settings of the site, but each layer throws where `x-fault` says so: `NAME` before it does its work, `NAME late` after. */
import { Layer, pass, type HttpRequest, type LayerFactory } from 'tsgi/stack'
import * as layers from '../../../playground/site/middleware.ts'
import { middleware as original } from '../../../playground/site/settings.ts'

export { debug, errorPages, limits } from '../../../playground/site/settings.ts'
export { routes } from '../../../playground/site/urls.ts'

export const middleware: readonly LayerFactory[] = original.map((each) => {
  const found = typeof each === 'string' ? layers[each.replace('./middleware.js#', '') as keyof typeof layers] : each
  return () => faulty(found instanceof Layer ? found : found())
})

function fault(request: HttpRequest, name: string): void {
  if (request.headers.get('x-fault') === name) throw new Error(`the layer ${name} has failed`)
}

/** A layer of the same kind. */
function faulty({ name, neutral, sync, async }: Layer): Layer {
  return new Layer(name, neutral === null ? null : {
    ...neutral,
    *process(request) {
      fault(request, name)
      const response = yield* neutral.process?.(request) ?? pass(request)
      fault(request, `${name} late`)
      return response
    },
  }, sync === null ? null : {
    ...sync,
    process(request, next) {
      fault(request, name)
      const response = sync.process?.(request, next) ?? next(request)
      fault(request, `${name} late`)
      return response
    },
  }, async === null ? null : {
    ...async,
    async process(request, next) {
      fault(request, name)
      const response = await (async.process?.(request, next) ?? next(request))
      fault(request, `${name} late`)
      return response
    },
  })
}
