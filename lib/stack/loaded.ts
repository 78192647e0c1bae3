import type { ThreadPool } from '../threads/index.ts'
import type { Layer } from './layer.ts'
import type { StackLog } from './log.ts'
import type { HttpRequest } from './request.ts'
import type { HttpResponse } from './response.ts'
import type { RequestLimits } from './limits.ts'
import type { Mode, Route } from './route.ts'
import { plan, type Plan } from './plan.ts'

/** What is told of each request, once: `requestStarted`, `requestFinished`, and `gotRequestException` for one that nobody handled. */
export type Signal = 'requestStarted' | 'requestFinished' | 'gotRequestException'
export type SignalListener = (request: HttpRequest, error?: unknown) => void

/** Makes the page for a status, of a request that failed. It does not block and does not wait. */
export type ErrorPage = (request: HttpRequest, error: unknown) => HttpResponse

/** Names a stack, so that a thread can find its own copy: the module that makes it, and the export. */
export interface StackName {
  readonly href: string
  /** Empty where the module makes one stack only. */
  readonly export: string
  /** Whether the module is one of settings, which names what the stack is made of. */
  readonly settings: boolean
}

/** A stack whose layers have been made. */
export interface LoadedStack {
  /** Null for a stack that has no module: sync layers run inline. */
  readonly name: StackName | null
  readonly pool: ThreadPool | undefined
  readonly layers: readonly Layer[]
  readonly names: readonly string[]
  readonly routes: readonly Route[]
  readonly hooks: Hooks
  readonly errorPages: Readonly<Record<number, ErrorPage>>
  readonly limits: RequestLimits
  readonly debug: boolean
  readonly log: StackLog
  emit(signal: Signal, request: HttpRequest, error?: unknown): void
  /** Which layer runs in which mode, for callers of one mode. */
  plan(home: Mode): Plan
}

/** The numbers of the layers that have a hook, in the order in which they are called. */
export interface Hooks {
  readonly processView: readonly number[]
  readonly processTemplateResponse: readonly number[]
  readonly processException: readonly number[]
}

/** Finds the hooks: before the view from the first layer to the last, after it the other way. */
export function hooksOf(layers: readonly Layer[]): Hooks {
  const having = (hook: keyof Hooks): number[] => layers.flatMap((layer, index) => [layer.neutral, layer.sync, layer.async].some((each) => each?.[hook] !== undefined) ? [index] : [])
  return {
    processView: having('processView'),
    processTemplateResponse: having('processTemplateResponse').reverse(),
    processException: having('processException').reverse(),
  }
}

/** Makes plans once, and logs the changes of mode of each where there is a log. */
export function planner(layers: readonly Layer[], names: readonly string[], routes: readonly Route[], threads: boolean, log: StackLog | null): (home: Mode) => Plan {
  const plans: Partial<Record<Mode, Plan>> = {}
  return (home) => plans[home] ??= logged(plan(home, layers, names, routes, threads), log)
}

function logged(made: Plan, log: StackLog | null): Plan {
  let mode = made.home
  for (const { name, mode: next } of made.layers) {
    if (next !== mode) log?.('debug', `${next === 'sync' ? 'Synchronous' : 'Asynchronous'} handler adapted for ${name}.`)
    mode = next
  }
  return made
}
