/** Stacks in their two modes: called by the event loop, and on threads by WSGI. */
import { fromWsgi } from '../../adapters/wsgi/index.ts'
import type { Application } from '../../lib/index.ts'
import { testClient, type TestClient, type TestClientOptions } from '../../lib/testing/index.ts'
import type { ThreadPool } from '../../lib/threads/index.ts'
import type { Mode } from '../../lib/stack/route.ts'
import type { TestContext, TestSuite } from '../support/suite.ts'
import { Trace } from './modules/trace.ts'

/** What a module under test exports. */
export interface StackModule {
  readonly pool: ThreadPool
  readonly app: Application
}

export interface Opened {
  readonly client: TestClient
  readonly trace: Trace
  readonly mode: Mode
  readonly pool: ThreadPool
}

export const modes: readonly Mode[] = ['async', 'sync']

/** The application of a module, as a server has it: its `app`, or its `wsgi` on threads. */
export async function applicationOf(name: string, mode: Mode): Promise<{ readonly app: Application; readonly pool: ThreadPool }> {
  const url = new URL(`./modules/${name}.ts`, import.meta.url)
  const { app, pool } = await import(url.href) as StackModule
  // Before any thread starts: one that finds it later, with tsx, has a copy of its own for it.
  const onThreads = fromWsgi(new URL('#wsgi', url), { pool })
  return { app: mode === 'async' ? app : onThreads, pool }
}

/** A client of the stack in a module of modules/, in one mode. */
export async function openStack(t: TestContext, name: string, mode: Mode, options: TestClientOptions = { raiseApplicationErrors: false }): Promise<Opened> {
  const { app, pool } = await applicationOf(name, mode)
  const trace = new Trace()
  const client = await testClient((scope, receive, send) => trace.run(() => app(scope, receive, send)), { lifespan: false, ...options })
  t.after(() => client.close())
  return { client, trace, mode, pool }
}

/** Defines a test for both modes. */
export function inBothModes(test: TestSuite, name: string, rule: string, body: (opened: Opened, t: TestContext) => Promise<void>, limit?: number): void {
  for (const mode of modes) test(`${rule} (${mode} mode)`, async (t) => body(await openStack(t, name, mode), t), limit)
}

/** Resolves when no thread of the pool is at work. */
export async function idle(pool: ThreadPool): Promise<void> {
  while (pool.stats.busy > 0 || pool.stats.queued > 0) await new Promise((resolve) => setTimeout(resolve, 1))
}
