/** The loop that runs the applications of `toWsgi`. */
import type { Application } from '../../lib/contract/application.ts'
import { headerList, type HeaderPair } from '../../lib/contract/headers.ts'
import type { State } from '../../lib/contract/scope.ts'
import { fileExtensions } from '../../lib/exchange/extensions.ts'
import { HttpExchange } from '../../lib/exchange/http.ts'
import { LifespanExchange } from '../../lib/exchange/lifespan.ts'
import type { ExchangeObserver } from '../../lib/exchange/observer.ts'
import { httpScope, type HttpScopeObject } from '../../lib/exchange/scope.ts'
import type { ExchangeSettings } from '../../lib/exchange/settings.ts'
import { loadFunction } from '../../lib/threads/module.ts'
import type { FunctionName } from '../../lib/threads/protocol.ts'
import { onClientGone } from './on-loop.ts'
import type { WsgiRequest } from './to-wsgi-request.ts'
import { failureText, WsgiTransport, type WsgiAnswer } from './wsgi-transport.ts'

/** A call of the callable. */
export interface LoopCall extends FunctionName {
  readonly id: string
  /** Its first word is 0 until the call is over. */
  readonly over: Int32Array
  /** The call of `fromWsgi`, on this loop, that it is beneath: that one hears of the client. */
  readonly under: number | null
  readonly request: WsgiRequest
}

/** An application that has started. */
interface Started {
  readonly app: Application
  readonly state: State
}

/** Seconds that an application has to start: as long as a server gives it. */
const STARTUP = 60

const started = new Map<string, Promise<Started>>()

/** Errors that came too late to be told to a host. */
const observer: ExchangeObserver = {
  untimed: true,
  finished: (exchange) => {
    if (exchange.error !== undefined && !WsgiTransport.hasTold(exchange)) console.error(failureText(exchange.scope, exchange.error))
  },
}
const settings: ExchangeSettings = { observer, defaultHeaders: [], debug: false, messageQueue: 0 }

/**
 * Runs an application for a thread that is parked meanwhile; resolves when the response is complete. Nothing but one
 * call for the whole request keeps the thread at hand for sync functions that the application calls. Rejects with what
 * breaks the response off.
 */
export async function runApplication({ id, over, under, href, name, request }: LoopCall): Promise<WsgiAnswer> {
  const { app, state } = await startedApplication({ href, name })
  const { contentLength } = request
  const scope = scopeOf(request, state)
  return new Promise((resolve, reject) => {
    const transport = new WsgiTransport(id, contentLength, { resolve, reject })
    const exchange = new HttpExchange(transport, settings, scope, { body: contentLength !== 0, expectContinue: false, trailers: false })
    transport.begin(exchange)
    void whenOver(over).then(() => transport.left())
    if (under !== null) onClientGone(under, () => transport.left())
    // The exchange does not tell when the application asks for more of the body.
    exchange.run((given, receive, send) => app(given, () => {
      const event = receive()
      transport.wanted()
      return event
    }, send))
  })
}

/** Starts an application once; one that fails to start is tried again with the next request. */
function startedApplication(name: FunctionName): Promise<Started> {
  const key = `${name.href}#${name.name}`
  let starting = started.get(key)
  if (starting === undefined) {
    starting = startApplication(name)
    started.set(key, starting)
    starting.catch(() => started.delete(key))
  }
  return starting
}

async function startApplication(name: FunctionName): Promise<Started> {
  const app = await loadFunction(name) as Application
  const lifespan = new LifespanExchange({
    mode: 'auto',
    startup: STARTUP,
    shutdown: 0,
    unsupported: () => {},
    failed: (error) => console.error('the application\'s lifespan ended early:', error),
  })
  await lifespan.startup(app)
  return { app, state: lifespan.state }
}

function scopeOf(request: WsgiRequest, state: State): HttpScopeObject {
  const { headers, rootPath } = request
  const pairs: HeaderPair[] = []
  for (let i = 0; i < headers.length; i += 2) pairs.push([headers[i] ?? '', headers[i + 1] ?? ''])
  // The path has the root in it already.
  return { ...httpScope({ ...request, headers: headerList(pairs), extensions: fileExtensions }, '', state), rootPath }
}

/** `Atomics.waitAsync`, which the types of this version of JavaScript do not have. */
interface AsyncAtomics {
  waitAsync(words: Int32Array, index: number, value: number): { readonly value: Promise<string> | string }
}

async function whenOver(over: Int32Array): Promise<void> {
  await (Atomics as unknown as AsyncAtomics).waitAsync(over, 0, 0).value
}
