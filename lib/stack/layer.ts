import { InvalidOption } from '../contract/errors.ts'
import type { Neutral } from './effects.ts'
import type { AsyncHttpRequest, NeutralHttpRequest, SyncHttpRequest } from './request.ts'
import type { HttpResponse, TemplateResponse } from './response.ts'
import type { Params, View } from './route.ts'

/** What `hook` may give: nothing lets the request go on. */
type Maybe = HttpResponse | undefined | void

/** What a sync layer may do; each part may be left out. */
export interface SyncHooks {
  /** Answers a request, mostly by `next`, which has the layers beneath answer. */
  process?(request: SyncHttpRequest, next: (request: SyncHttpRequest) => HttpResponse): HttpResponse
  /** Called before the view, from the first layer to the last; a response takes the view's place. */
  processView?(request: SyncHttpRequest, view: View, params: Params): Maybe
  /** Called for a response that is yet to be rendered, from the last layer to the first; gives it or another. */
  processTemplateResponse?(request: SyncHttpRequest, response: TemplateResponse): TemplateResponse
  /** Called for an error of the view, from the last layer to the first; a response answers it. */
  processException?(request: SyncHttpRequest, error: unknown): Maybe
}

/** The same for an async layer. */
export interface AsyncHooks {
  process?(request: AsyncHttpRequest, next: (request: AsyncHttpRequest) => Promise<HttpResponse>): Promise<HttpResponse>
  processView?(request: AsyncHttpRequest, view: View, params: Params): Promise<Maybe>
  processTemplateResponse?(request: AsyncHttpRequest, response: TemplateResponse): Promise<TemplateResponse>
  processException?(request: AsyncHttpRequest, error: unknown): Promise<Maybe>
}

/** The same for a neutral layer, which passes a request on by `yield* pass(request)`. */
export interface NeutralHooks {
  process?(request: NeutralHttpRequest): Neutral<HttpResponse>
  processView?(request: NeutralHttpRequest, view: View, params: Params): Neutral<Maybe>
  processTemplateResponse?(request: NeutralHttpRequest, response: TemplateResponse): Neutral<TemplateResponse>
  processException?(request: NeutralHttpRequest, error: unknown): Neutral<Maybe>
}

/** One layer of a stack, made by `neutral`, `sync`, `async` or `dual`. */
export class Layer {
  readonly name: string
  readonly neutral: NeutralHooks | null
  readonly sync: SyncHooks | null
  readonly async: AsyncHooks | null

  constructor(name: string, neutral: NeutralHooks | null, sync: SyncHooks | null, async: AsyncHooks | null) {
    this.name = name
    this.neutral = neutral
    this.sync = sync
    this.async = async
  }

  /** Whether it can run in sync mode as it is. */
  get syncCapable(): boolean {
    return this.neutral !== null || this.sync !== null
  }

  /** Whether it can run in async mode as it is. */
  get asyncCapable(): boolean {
    return this.neutral !== null || this.async !== null
  }
}

type SyncProcess = NonNullable<SyncHooks['process']>
type AsyncProcess = NonNullable<AsyncHooks['process']>
type NeutralProcess = NonNullable<NeutralHooks['process']>

/**
 * A layer that is written once and runs in either mode, where its neighbours run:
 * `neutral(function* (request) { const response = yield* pass(request); return response })`. `name` is what logs and
 * `describe()` call it; default: the function's.
 */
export function neutral(layer: NeutralProcess | NeutralHooks, name?: string): Layer {
  return new Layer(name ?? nameOf(layer), hooks('neutral', layer), null, null)
}

/** A layer that blocks: it runs on a thread. `sync((request, next) => next(request))`. */
export function sync(layer: SyncProcess | SyncHooks, name?: string): Layer {
  return new Layer(name ?? nameOf(layer), null, hooks('sync', layer), null)
}

/** A layer that awaits: it runs on the event loop. `async(async (request, next) => next(request))`. */
export function async(layer: AsyncProcess | AsyncHooks, name?: string): Layer {
  return new Layer(name ?? nameOf(layer), null, null, hooks('async', layer))
}

/** A layer that brings both forms; it runs in the one that its neighbours do. */
export function dual(forms: { readonly sync?: SyncProcess | SyncHooks; readonly async?: AsyncProcess | AsyncHooks }, name?: string): Layer {
  const { sync: inSync, async: inAsync } = forms
  return new Layer(
    name ?? nameOf(inSync ?? inAsync ?? {}),
    null,
    inSync === undefined ? null : hooks('the sync form of dual', inSync),
    inAsync === undefined ? null : hooks('the async form of dual', inAsync),
  )
}

function hooks<H extends object>(what: string, given: unknown): H {
  if (typeof given === 'function') return { process: given } as unknown as H
  if (typeof given === 'object' && given !== null) return given as H
  throw new InvalidOption(what, 'a function or an object of hooks', given)
}

function nameOf(layer: object): string {
  if (typeof layer === 'function') return layer.name
  const { name } = layer as { readonly name?: unknown }
  return typeof name === 'string' ? name : ''
}
