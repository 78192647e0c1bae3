import type { ActiveRequest } from './active.ts'
import { checkedHook, checkedTemplate, checked } from './checked.ts'
import { runAsync, runSync } from './run.ts'
import type { AsyncView, SyncView } from './route.ts'
import type { Answer, Target } from './target.ts'

/** Carries a target out, blocking. */
export function performSync(active: ActiveRequest, target: Target): Answer {
  const { core, plan } = active
  switch (target.type) {
    case 'layers':
      return runSync(active, target.from)
    case 'view':
      active.runs(plan.layers.length, 'sync')
      return checked(viewName(active), (active.route.view as SyncView)(active.sync, core.params))
  }
  active.runs(target.layer, 'sync')
  const planned = plan.layers[target.layer]
  const hooks = planned?.layer.sync
  const name = `${planned?.name}.${target.type}`
  switch (target.type) {
    case 'processView':
      return checkedHook(name, hooks?.processView?.(active.sync, active.route.view, core.params))
    case 'processTemplateResponse':
      return hooks?.processTemplateResponse === undefined ? target.response : checkedTemplate(name, hooks.processTemplateResponse(active.sync, target.response))
    case 'processException':
      return checkedHook(name, hooks?.processException?.(active.sync, target.error))
  }
}

/** The same, awaiting. */
export async function performAsync(active: ActiveRequest, target: Target): Promise<Answer> {
  const { core, plan } = active
  switch (target.type) {
    case 'layers':
      return runAsync(active, target.from)
    case 'view':
      active.runs(plan.layers.length, 'async')
      return checked(viewName(active), await (active.route.view as AsyncView)(active.async, core.params))
  }
  active.runs(target.layer, 'async')
  const planned = plan.layers[target.layer]
  const hooks = planned?.layer.async
  const name = `${planned?.name}.${target.type}`
  switch (target.type) {
    case 'processView':
      return checkedHook(name, await hooks?.processView?.(active.async, active.route.view, core.params))
    case 'processTemplateResponse':
      return hooks?.processTemplateResponse === undefined ? target.response : checkedTemplate(name, await hooks.processTemplateResponse(active.async, target.response))
    case 'processException':
      return checkedHook(name, await hooks?.processException?.(active.async, target.error))
  }
}

function viewName({ route }: ActiveRequest): string {
  return `the view of ${route.pattern}`
}
