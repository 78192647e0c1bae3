import type { Application, HttpPart } from '../../lib/contract/application.ts'
import { UnsupportedScope } from '../../lib/contract/errors.ts'
import { CgiCall } from './call.ts'
import { Gate } from './gate.ts'
import { cgiSettings, type CgiSettings, type FromCgiOptions } from './options.ts'
import { processes, type StartProgram } from './process.ts'

/**
 * Makes an Application of a program that speaks CGI (RFC 3875), which is run once for each request. It is found by its
 * path, or by its name in PATH. No shell takes part.
 *
 * Throws `LoadFailed` where there is no such program, and `InvalidOption`. A program that fails is answered for with
 * 502, 503 or 504; once its response has begun, that is broken off, and the request fails with `CgiError`.
 */
export function fromCgi(program: string, options?: FromCgiOptions): HttpPart
export function fromCgi(program: string, options: FromCgiOptions = {}): Application {
  const settings = cgiSettings(program, options)
  return cgiApplication(settings, processes(settings))
}

/** The same for what is started in any way. */
export function cgiApplication(settings: CgiSettings, start: StartProgram): Application {
  const gate = new Gate(settings.concurrency, settings.queueLimit)
  return async (scope, receive, send) => {
    if (scope.type !== 'http') throw new UnsupportedScope(scope.type)
    await new CgiCall(settings, start, gate, scope, receive, send).run()
  }
}
