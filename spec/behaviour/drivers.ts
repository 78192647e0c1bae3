/** The ways to call an application that the behaviour suite runs over. */
import { cgi } from './driver-cgi.ts'
import { http1, http1Tls } from './driver-http1.ts'
import { http2, http2Tls } from './driver-http2.ts'
import { inProcess } from './driver-in-process.ts'
import { fromUwsgiToUwsgi, uwsgi } from './driver-uwsgi.ts'
import type { Protocol } from './driver.ts'
import { suite, type TestSuite } from '../support/suite.ts'

export type * from './driver.ts'

/** Every protocol that there is; later ones join here. */
export const protocols: readonly Protocol[] = [inProcess, http1, http1Tls, http2, http2Tls, uwsgi, fromUwsgiToUwsgi, cgi]
/** Those that have WebSockets. */
export const webSocketProtocols: readonly Protocol[] = protocols.filter(({ hasWebSockets }) => hasWebSockets)

/** A suite of tests for one protocol: what it cannot do is skipped by name. */
export function protocolSuite(name: string, { cannot = {} }: Protocol): TestSuite {
  const inner = suite(name)
  const test = ((rule, body, limit) => {
    const reason = Object.hasOwn(cannot, rule) ? cannot[rule] : undefined
    if (reason === undefined) inner(rule, body, limit)
    else inner.skip(rule, reason)
  }) as TestSuite
  return Object.assign(test, { skip: inner.skip, needing: inner.needing, run: inner.run })
}
