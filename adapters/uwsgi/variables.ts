import type { HttpScope } from '../../lib/contract/scope.ts'
import type { WsgiErrors, WsgiInput } from '../../lib/contract/wsgi.ts'
import { inlineEnviron } from '../wsgi/environ.ts'

/** What is about the client's connection to us (RFC 9110 7.6.1), or is said in another way. */
const dropped: ReadonlySet<string> = new Set([
  'RAW_URI', 'CONTENT_LENGTH', 'HTTP_CONNECTION', 'HTTP_EXPECT', 'HTTP_HTTP2_SETTINGS', 'HTTP_KEEP_ALIVE',
  'HTTP_PROXY_CONNECTION', 'HTTP_TE', 'HTTP_TRAILER', 'HTTP_TRANSFER_ENCODING', 'HTTP_UPGRADE',
])

// They are not for another process.
const noInput = null as unknown as WsgiInput
const noErrors = null as unknown as WsgiErrors

/** The variables of a request but for CONTENT_LENGTH, names and values in turn, by the rules of WSGI's environ. */
export function variablesOf(scope: HttpScope, modifier1: number): readonly string[] {
  const environ = inlineEnviron(scope, noInput, noErrors)
  const named = scope.headers.getAll('connection').join().split(',').map((name) => `HTTP_${name.trim().toUpperCase().replaceAll('-', '_')}`)
  const variables: string[] = ['UWSGI_SCHEME', scope.scheme, 'REQUEST_SCHEME', scope.scheme]
  for (const [name, value] of Object.entries(environ)) {
    if (typeof value !== 'string' || name.includes('.') || dropped.has(name) || named.includes(name)) continue
    // That modifier has the server strip SCRIPT_NAME itself.
    variables.push(name, name === 'PATH_INFO' && modifier1 === 30 ? `${String(environ['SCRIPT_NAME'])}${value}` : value)
  }
  // RFC 3875 4.1.8: it is always set. The others as nginx does.
  for (const name of ['REMOTE_ADDR', 'CONTENT_TYPE']) if (environ[name] === undefined) variables.push(name, '')
  return variables
}
