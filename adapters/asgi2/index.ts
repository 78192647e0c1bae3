import type { Application, Receive, Send } from '../../lib/contract/application.ts'
import { InvalidOption } from '../../lib/contract/errors.ts'
import type { Scope } from '../../lib/contract/scope.ts'

/** What an ASGI 2 application gives for a scope: an async function, or an object with one that is called `call`. */
export type Asgi2Instance =
  | ((receive: Receive, send: Send) => Promise<void>)
  | { call(receive: Receive, send: Send): Promise<void> }

/** An application of ASGI 2: called twice, first with the scope. Or a class, whose constructor takes the scope. */
export type Asgi2Application = ((scope: Scope) => Asgi2Instance) | (new (scope: Scope) => Asgi2Instance)

/**
 * Runs an application of ASGI 2: `(scope) => async (receive, send) => {…}`. What it throws when it is given the scope
 * counts as thrown by the application, so it may refuse the lifespan there.
 */
export function fromAsgi2(app: Asgi2Application): Application {
  if (typeof app !== 'function') throw new InvalidOption('app', 'a function or a class that takes a scope', app)
  const instantiate = isClass(app)
    ? (scope: Scope) => new (app as new (scope: Scope) => Asgi2Instance)(scope)
    : app as (scope: Scope) => Asgi2Instance
  return async (scope, receive, send) => {
    const instance = instantiate(scope)
    if (typeof instance === 'function') return instance(receive, send)
    if (typeof instance?.call === 'function') return instance.call(receive, send)
    throw new InvalidOption('what an ASGI 2 application gives for a scope', 'an async function of receive and send', instance)
  }
}

/**
 * Whether something has the shape of an ASGI 2 application: a class, or a function of exactly one parameter that is
 * not async. It is not called. A function from `Request` to `Response` has that shape too.
 */
export function isDoubleCallable(app: unknown): app is Asgi2Application {
  if (typeof app !== 'function') return false
  return isClass(app) || (app.length === 1 && Object.getPrototypeOf(app) === Function.prototype)
}

// Async functions and generators have prototypes of their own; a class shows itself only in its source.
function isClass(app: Function): boolean {
  return /^class\b/.test(Function.prototype.toString.call(app))
}
