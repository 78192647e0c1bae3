import type { Writable } from 'node:stream'
import type { ServerOptions } from '../../lib/server/options.ts'
import { issue } from '../support/certificates.ts'
import type { DriverOptions } from './driver.ts'

/** A server on a free port, that says nothing unless there is an error. */
export function serverOptions(secure: boolean, options: DriverOptions): ServerOptions {
  const quiet = { port: 0, accessLog: false, logLevel: 'error', ...options } as const
  if (!secure) return quiet
  const { cert, key } = issue()
  return { ...quiet, tlsCert: cert, tlsKey: key }
}

/** Resolves once a stream has room again, or is closed. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done)
      resolve()
    }
    stream.on('drain', done).on('close', done)
  })
}
