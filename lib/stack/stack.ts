import type { Application, HttpPart } from '../contract/application.ts'
import { ClientDisconnected, InvalidOption, InvalidStack, MiddlewareNotUsed, UnsupportedScope } from '../contract/errors.ts'
import type { WsgiApplication } from '../contract/wsgi.ts'
import type { ThreadPool } from '../threads/index.ts'
import { ActiveRequest } from './active.ts'
import { outgoing } from './checked.ts'
import { describe } from './describe.ts'
import { Layer } from './layer.ts'
import { requestLimits, type RequestLimits } from './limits.ts'
import { hooksOf, planner, type ErrorPage, type LoadedStack, type Signal, type SignalListener, type StackName } from './loaded.ts'
import { consoleLog, logResponse, type StackLog } from './log.ts'
import { neighbours } from './plan.ts'
import { register } from './registry.ts'
import { HttpRequest } from './request.ts'
import type { HttpResponse } from './response.ts'
import type { Mode, Route } from './route.ts'
import { runAsync, runSync } from './run.ts'
import './sides.ts'
import { waysOf } from './ways.ts'

/** The body of a response as a host of PEP 3333 iterates it. */
type WsgiBlocks = ReturnType<HttpResponse['toWsgi']>

/** What makes a layer when the stack is loaded; it may throw `MiddlewareNotUsed`. */
export type LayerFactory = () => Layer

export interface StackOptions {
  /** `import.meta.url` of the module that makes the stack, so that threads can make their own copy. Default: sync layers run inline. */
  readonly module?: string | undefined
  /** The export that holds the stack; needed where the module makes several. */
  readonly export?: string | undefined
  /** From the outermost to the innermost. */
  readonly middleware: readonly (Layer | LayerFactory)[]
  /** The first that matches answers. */
  readonly routes: readonly Route[]
  /** The threads for what blocks. Default: one pool that all share. */
  readonly pool?: ThreadPool | undefined
  /** Whether adaptations are logged, a 500 shows its error, and `x-ran-on` says where each layer ran. Default: false. */
  readonly debug?: boolean | undefined
  /** Pages for statuses of errors, in place of a line of text. They must be quick. */
  readonly errorPages?: Readonly<Record<number, ErrorPage>> | undefined
  /** How much of a request's body is taken. */
  readonly limits?: Partial<RequestLimits> | undefined
  /** Where messages go. Default: the console. */
  readonly log?: StackLog | undefined
}

/** One list of layers and routes that answers in async mode, for tsgi, and in sync mode, for a WSGI-style host. */
export class Stack {
  readonly #options: StackOptions
  readonly #name: StackName | null
  readonly #listeners = new Map<Signal, SignalListener[]>()
  #loaded: LoadedStack | null = null

  /** Throws `InvalidOption`; `name` is for stacks that are made of settings. */
  constructor(options: StackOptions, name?: StackName) {
    const { module, middleware, routes } = options
    if (!Array.isArray(middleware)) throw new InvalidOption('middleware', 'a list of layers', middleware)
    if (!Array.isArray(routes)) throw new InvalidOption('routes', 'a list of routes', routes)
    if (module !== undefined && !(typeof module === 'string' && module.startsWith('file:'))) throw new InvalidOption('module', 'import.meta.url', module)
    this.#options = options
    this.#name = name ?? (module === undefined ? null : { href: moduleOf(module), export: options.export ?? '', settings: false })
    if (this.#name !== null) register(this.#name, this)
  }

  /** The stack as a tsgi application, for HTTP; `application()` adds the rest. Throws `InvalidStack`. */
  toAsync(): HttpPart
  toAsync(): Application {
    const stack = this.#load('async')
    return async (scope, receive, send) => {
      if (scope.type !== 'http') throw new UnsupportedScope(scope.type)
      const request = HttpRequest.from(scope, receive, stack.limits)
      const active = new ActiveRequest(stack, stack.plan('async'), request.core, waysOf(stack))
      stack.emit('requestStarted', request)
      let response: HttpResponse | null = null
      try {
        response = outgoing(active, await runAsync(active, 0))
        logResponse(stack.log, response, request.path)
        await response.send(send, response.streaming ? request.signal : undefined)
      } catch (error) {
        if (!(error instanceof ClientDisconnected)) throw error
      } finally {
        response?.close()
        await active.ways.endedAsync(active)
        await request.core.closeAsync()
        stack.emit('requestFinished', request)
      }
    }
  }

  /** The stack as a sync application (PEP 3333). Throws `InvalidStack`. */
  toSync(): WsgiApplication {
    const stack = this.#load('sync')
    return (environ, startResponse) => {
      const request = HttpRequest.fromEnviron(environ, stack.limits)
      const active = new ActiveRequest(stack, stack.plan('sync'), request.core, waysOf(stack))
      let blocks: WsgiBlocks | null = null
      let over = false
      const close = (): void => {
        if (over) return
        over = true
        try {
          blocks?.close()
        } finally {
          active.ways.endedSync(active)
          request.core.close()
          stack.emit('requestFinished', request)
        }
      }
      stack.emit('requestStarted', request)
      try {
        const response = outgoing(active, runSync(active, 0))
        logResponse(stack.log, response, request.path)
        blocks = response.toWsgi(startResponse)
        if (response.streaming || response.hasClosers) return { [Symbol.iterator]: () => (blocks as WsgiBlocks)[Symbol.iterator](), close }
      } catch (error) {
        close()
        throw error
      }
      // A host may send a list at once.
      const whole = [...blocks]
      close()
      return whole
    }
  }

  /** Shows the layers, the modes in which they run, and where a request changes threads. Throws `InvalidStack`. */
  describe(home: Mode = 'async'): string {
    const stack = this.#load(home)
    return describe(stack, stack.plan(home))
  }

  /** Calls a listener for each request at that point: on the thread where that is. What it throws is logged. */
  on(signal: Signal, listener: SignalListener): this {
    const listeners = this.#listeners.get(signal)
    if (listeners === undefined) this.#listeners.set(signal, [listener])
    else listeners.push(listener)
    return this
  }

  /** The stack as it is when its layers are made; private to this room. Throws `InvalidStack`. */
  loaded(): LoadedStack {
    return this.#loaded ??= this.#make()
  }

  #load(home: Mode): LoadedStack {
    const stack = this.loaded()
    stack.plan(home)
    return stack
  }

  #make(): LoadedStack {
    const { middleware, routes, pool, debug = false, errorPages = {}, log = consoleLog } = this.#options
    const given = middleware.map((each, index) => (each instanceof Layer ? each.name : typeof each === 'function' ? each.name : '') || `middleware[${index}]`)
    const layers: Layer[] = []
    const names: string[] = []
    middleware.forEach((each, index) => {
      const name = given[index] ?? ''
      const layer = each instanceof Layer ? each : this.#made(each, name, neighbours(given, index))
      if (layer === null) return
      layers.push(layer)
      names.push(layer.name || name)
    })
    return {
      name: this.#name,
      pool,
      layers,
      names,
      routes,
      hooks: hooksOf(layers),
      errorPages,
      limits: requestLimits(this.#options.limits),
      debug,
      log,
      emit: (signal, request, error) => this.#emit(signal, request, error, log),
      plan: planner(layers, names, routes, this.#name !== null, debug ? log : null),
    }
  }

  #made(factory: unknown, name: string, where: string): Layer | null {
    if (typeof factory !== 'function') throw new InvalidStack(`${name} is no layer${where}: expected what neutral, sync, async or dual gives, or a function that gives it`)
    let layer: unknown
    try {
      layer = (factory as LayerFactory)()
    } catch (error) {
      if (!(error instanceof MiddlewareNotUsed)) throw error
      const { debug = false, log = consoleLog } = this.#options
      if (debug) log('debug', `MiddlewareNotUsed: ${name}${error.message === '' ? '' : ` (${error.message})`}`)
      return null
    }
    if (layer instanceof Layer) return layer
    const promise = typeof (layer as { readonly then?: unknown } | null | undefined)?.then === 'function'
    // It is not waited for; that it fails must not end the process.
    if (promise) void Promise.resolve(layer).catch(() => {})
    throw new InvalidStack(`the factory ${name} gave ${layer === undefined ? 'nothing' : promise ? 'a promise, which is not waited for' : 'no layer'}${where}: expected what neutral, sync, async or dual gives`)
  }

  #emit(signal: Signal, request: HttpRequest, error: unknown, log: StackLog): void {
    for (const listener of this.#listeners.get(signal) ?? []) {
      try {
        listener(request, error)
      } catch (failure) {
        log('error', `a listener of ${signal} failed`, failure)
      }
    }
  }
}

function moduleOf(url: string): string {
  const module = new URL(url)
  module.hash = ''
  module.search = ''
  return module.href
}
