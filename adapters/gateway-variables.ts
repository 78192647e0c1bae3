import type { HttpScope } from '../lib/contract/scope.ts'
import type { WsgiErrors, WsgiInput } from '../lib/contract/wsgi.ts'
import { inlineEnviron } from './wsgi/environ.ts'

/** What is about the client's connection to us (RFC 9110 7.6.1), or is said in another way. */
const dropped: ReadonlySet<string> = new Set([
  'RAW_URI', 'CONTENT_LENGTH', 'HTTP_CONNECTION', 'HTTP_EXPECT', 'HTTP_HTTP2_SETTINGS', 'HTTP_KEEP_ALIVE',
  'HTTP_PROXY_CONNECTION', 'HTTP_TE', 'HTTP_TRAILER', 'HTTP_TRANSFER_ENCODING', 'HTTP_UPGRADE',
])

/** Names that every program can read, shells too. */
const NAME = /^[A-Z][A-Z0-9_]*$/

// They are not for another process.
const noInput = null as unknown as WsgiInput
const noErrors = null as unknown as WsgiErrors

/**
 * The variables of a request (RFC 3875 4.1) for a program of another process, but for CONTENT_LENGTH: those of WSGI's
 * environ, whose values have one character per byte, without the fields of the client's connection.
 */
export function gatewayVariables(scope: HttpScope): Map<string, string> {
  const variables = new Map<string, string>()
  const environ = inlineEnviron(scope, noInput, noErrors)
  for (const name in environ) {
    const value = environ[name]
    if (typeof value === 'string' && NAME.test(name) && !dropped.has(name)) variables.set(name, value)
  }
  for (const option of scope.headers.getAll('connection').join().split(',')) {
    const name = `HTTP_${option.trim().toUpperCase().replaceAll('-', '_')}`
    // RFC 9110 7.6.1: no option may name what is for everybody. Without this one the request is another.
    if (name !== 'HTTP_HOST') variables.delete(name)
  }
  return variables
}
