import { isMainThread, threadId } from 'node:worker_threads'
import type { ActiveRequest } from './active.ts'
import type { HttpResponse } from './response.ts'
import type { Mode, Route } from './route.ts'

/** The thread on which each layer ran, by its number, and behind them the view's; nothing stands for what was not reached. */
export type RanOn = (string | undefined)[]

/** This thread, for code of one mode: without a module all of async mode runs on the event loop. */
export function thisThread({ plan, stack }: ActiveRequest, mode: Mode): string {
  const onLoop = mode === 'async' || isMainThread || (plan.home === 'async' && stack.name === null)
  return onLoop ? 'loop' : `thread ${threadId}`
}

/** Says on a response where the layers and the view ran, the outermost first. */
export function tellRanOn(response: HttpResponse, { plan, stack, routeIndex }: ActiveRequest, ranOn: RanOn): void {
  const parts: string[] = []
  for (const [index, thread] of ranOn.entries()) {
    if (thread !== undefined) parts.push(`${escaped(plan.layers[index]?.name ?? (stack.routes[routeIndex] as Route).pattern)}=${thread}`)
  }
  response.headers.set('x-ran-on', parts.join(', '))
}

/** A name as it can stand in the list, by percent-encoding what cannot. */
function escaped(name: string): string {
  return name.replace(/[^\x21-\x7e]+|[%,=]/g, (part) => encodeURIComponent(Buffer.from(part).toString()))
}
