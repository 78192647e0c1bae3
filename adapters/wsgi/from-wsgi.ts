import type { Application, HttpPart } from '../../lib/contract/application.ts'
import { InvalidOption, UnsupportedScope } from '../../lib/contract/errors.ts'
import type { Scope } from '../../lib/contract/scope.ts'
import type { WsgiApplication } from '../../lib/contract/wsgi.ts'
import { functionName, type ModuleRef } from '../../lib/threads/module.ts'
import type { ThreadPool } from '../../lib/threads/pool.ts'
import { expectModule } from '../../lib/threads/start-thread.ts'
import { syncToAsync } from '../../lib/threads/sync-to-async.ts'
import { serveInline } from './inline.ts'
import { serveOnThreads } from './on-loop.ts'
import type { check, handle } from './on-thread.ts'

/** How a WSGI application is run. */
export interface FromWsgiOptions {
  /** The threads to use, for an application that is named by its module. Default: one pool that all share. */
  readonly pool?: ThreadPool | undefined
  /**
   * Bytes of a request's body that are read before an application that runs inline is called; a longer one is
   * answered with 413. 0 is no limit. On a thread a body is read as the application asks for it. Default: 1048576.
   */
  readonly bodyLimit?: number | undefined
}

const MIB = 1024 * 1024

/**
 * Makes an Application of a sync one, as PEP 3333 describes it. One that is named by its module runs on threads, and may
 * block; bodies stream both ways. A function in place of a reference runs inline, on the event loop: right for quick
 * code, and it blocks the loop as long as it runs.
 *
 * Throws `LoadFailed` where there is no such module, and `InvalidOption`. Requests fail with `WsgiError` where the
 * application breaks PEP 3333, and with what it throws.
 */
export function fromWsgi(source: ModuleRef | WsgiApplication, options?: FromWsgiOptions): HttpPart
export function fromWsgi(source: ModuleRef | WsgiApplication, options: FromWsgiOptions = {}): Application {
  const { pool, bodyLimit = MIB } = options
  if (!Number.isInteger(bodyLimit) || bodyLimit < 0) throw new InvalidOption('bodyLimit', 'a whole number of bytes, 0 or more', bodyLimit)
  if (typeof source === 'function') {
    if (/^Async/.test(source.constructor.name)) throw new InvalidOption('the source of fromWsgi', 'a sync function', 'an async one')
    return (scope, receive, send) => scope.type === 'http' ? serveInline(source, bodyLimit, scope, receive, send) : unsupported(scope)
  }
  if (!(source instanceof URL)) throw new InvalidOption('the source of fromWsgi', 'a file URL or a function', source)
  const name = functionName(source)
  expectModule(name.href)
  const call = syncToAsync<typeof handle>(new URL('./on-thread.js#handle', import.meta.url), { pool })
  return (scope, receive, send) => scope.type === 'http' ? serveOnThreads(call, name, scope, receive, send) : unsupported(scope)
}

/** Loads the module on a thread. Rejects with `LoadFailed` where that fails, or there is no such export. */
export async function checkWsgi(source: ModuleRef): Promise<void> {
  const { href, name } = functionName(source)
  await syncToAsync<typeof check>(new URL('./on-thread.js#check', import.meta.url))(href, name)
}

async function unsupported(scope: Scope): Promise<never> {
  throw new UnsupportedScope(scope.type)
}
