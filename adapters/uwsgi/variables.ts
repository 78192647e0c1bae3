import type { HttpScope } from '../../lib/contract/scope.ts'
import { gatewayVariables } from '../gateway-variables.ts'

/** The variables of a request but for CONTENT_LENGTH, names and values in turn, by the rules of WSGI's environ. */
export function variablesOf(scope: HttpScope, modifier1: number): readonly string[] {
  const known = gatewayVariables(scope)
  known.set('UWSGI_SCHEME', scope.scheme).set('REQUEST_SCHEME', scope.scheme)
  // That modifier has the server strip SCRIPT_NAME itself.
  if (modifier1 === 30) known.set('PATH_INFO', `${known.get('SCRIPT_NAME') ?? ''}${known.get('PATH_INFO') ?? ''}`)
  // RFC 3875 4.1.8: it is always set. The others as nginx does.
  for (const name of ['REMOTE_ADDR', 'CONTENT_TYPE']) if (!known.has(name)) known.set(name, '')
  return [...known].flat()
}
