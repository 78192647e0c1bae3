/** The two ways in which a WSGI application runs: each test runs in both. */
import { fromWsgi, type WsgiApplication } from '../../../adapters/wsgi/index.ts'
import type { Application } from '../../../lib/index.ts'
import { testClient, type TestClient, type TestClientOptions } from '../../../lib/testing/index.ts'
import { ThreadPool } from '../../../lib/threads/index.ts'
import type { TestContext, TestSuite } from '../../support/suite.ts'
import * as apps from './apps.ts'
import { Probe } from './probe.ts'

export type AppName = { [K in keyof typeof apps]: (typeof apps)[K] extends (...args: never[]) => unknown ? K : never }[keyof typeof apps]

/** Idle, it holds nothing open. */
export const pool: ThreadPool = new ThreadPool({ threads: 1 })

/** An application of apps.ts in one of the modes. */
export type Mode = (name: AppName) => Application

export const inline: Mode = (name) => fromWsgi(apps[name] as WsgiApplication)
export const onThread: Mode = (name) => fromWsgi(new URL(`./apps.js#${name}`, import.meta.url), { pool })

export interface Opened {
  readonly client: TestClient
  readonly probe: Probe
}

/** Calls an application without a server; it is closed after the test. */
export async function open(t: TestContext, app: Application, options?: TestClientOptions): Promise<Opened> {
  const probe = new Probe()
  const client = await testClient((scope, receive, send) => probe.run(() => app(scope, receive, send)), options)
  t.after(() => client.close())
  return { client, probe }
}

/** Defines a test twice: inline, and on a thread. */
export function both(test: TestSuite, rule: string, body: (t: TestContext, mode: Mode) => unknown, limit?: number): void {
  test(`${rule} (inline)`, (t) => body(t, inline), limit)
  test(`${rule} (on a thread)`, (t) => body(t, onThread), limit)
}
