import { isMainThread } from 'node:worker_threads'
import { ClientDisconnected } from '../../lib/contract/errors.ts'
import type { StartResponse, WsgiApplication } from '../../lib/contract/wsgi.ts'
import { asyncToSync, type ModuleRef } from '../../lib/threads/index.ts'
import { functionName, preload } from '../../lib/threads/module.ts'
import { expectModule } from '../../lib/threads/start-thread.ts'
import { HostCall } from './to-wsgi-host.ts'
import { wsgiRequest } from './to-wsgi-request.ts'

// The loop will call functions of it here.
void preload(functionName(new URL('./to-wsgi-host.js', import.meta.url)).href)

const runApplication = asyncToSync<typeof import('./to-wsgi-loop.ts').runApplication>(new URL('./to-wsgi-loop.js#runApplication', import.meta.url))

/**
 * Makes a sync callable of an application, which is named by its module: it runs on the event loop that owns the thread
 * of the call, or on a helper thread in a Worker of your own. Call it on threads only: on the main thread a call throws
 * `WouldDeadlock` at once.
 *
 * Bodies stream both ways, the response through the `write` of `startResponse`; the callable returns when the response is
 * complete, with its last block. The application's lifespan starts with the first request of a loop; it is never shut
 * down, as WSGI does not tell of the end.
 *
 * Throws `LoadFailed` where there is no such module, and `InvalidOption`. Calls throw what the host's own functions throw,
 * what the application throws once its response has begun, `LoadFailed` and `LifespanFailed`.
 */
export function toWsgi(source: ModuleRef): WsgiApplication {
  const { href, name } = functionName(source)
  if (!isMainThread) expectModule(href)
  return (environ, startResponse) => {
    if (/[a-z]/.test(environ.REQUEST_METHOD)) return notImplemented(startResponse)
    const call = new HostCall(environ, startResponse)
    try {
      const answer = runApplication({ id: call.id, over: call.over, under: call.under, href, name, request: wsgiRequest(environ) })
      // The host's own error, not its clone.
      if (answer === 'read failed') throw thrownBy(call.readFailure)
      if (answer === 'write failed' || call.writeFailure !== null) throw thrownBy(call.writeFailure)
      const [head, block, errors] = answer
      if (errors !== '') {
        environ['wsgi.errors'].write(errors)
        environ['wsgi.errors'].flush()
      }
      if (head !== null) call.start(head)
      return block === null ? [] : [block]
    } catch (error) {
      // What the host did comes before what the application made of it.
      throw call.writeFailure === null ? error : call.writeFailure.error
    } finally {
      call.end()
    }
  }
}

function thrownBy(failure: { readonly error: unknown } | null): unknown {
  return failure === null ? new ClientDisconnected('the host could not be called') : failure.error
}

/** HTTP's methods are case-sensitive and ASGI's are not: one would slip past what a host forbids to the other. */
function notImplemented(startResponse: StartResponse): Uint8Array[] {
  const text = Buffer.from('Not Implemented')
  startResponse('501 Not Implemented', [['content-type', 'text/plain; charset=utf-8'], ['content-length', String(text.length)]])
  return [text]
}
