import { isUtf8 } from 'node:buffer'
import { join, posix } from 'node:path'
import type { HttpScope } from '../../lib/contract/scope.ts'
import { gatewayVariables } from '../gateway-variables.ts'
import { PATH, type CgiSettings } from './options.ts'

/** The environment of a program for one request. */
export type ProgramEnv = Record<string, string>

// RFC 3875 4.1.18: a program need not know how the client has proved who it is.
const secrets: ReadonlySet<string> = new Set(['HTTP_AUTHORIZATION', 'HTTP_PROXY_AUTHORIZATION'])

/**
 * The variables of RFC 3875 4.1, without CONTENT_LENGTH, and those of the options. A sentence that says why there are
 * none, where the path is one that no program should see.
 */
export function cgiVariables(scope: HttpScope, settings: CgiSettings): ProgramEnv | string {
  const env: ProgramEnv = { PATH, REMOTE_ADDR: '' }
  for (const [name, value] of gatewayVariables(scope)) {
    if (secrets.has(name) && !settings.authorization) continue
    const text = asText(value)
    if (text === null && !name.startsWith('HTTP_') && !name.startsWith('SSL_')) return `${name} is not UTF-8`
    // A field that is not UTF-8 is taken for Latin-1: Node gives a program UTF-8 only.
    env[name] = text ?? value
  }
  // RFC 3875 4.1.16 wants two numbers.
  if (env['SERVER_PROTOCOL'] === 'HTTP/2') env['SERVER_PROTOCOL'] = 'HTTP/2.0'
  env['REMOTE_HOST'] = env['REMOTE_ADDR'] ?? ''
  env['REQUEST_SCHEME'] = scope.scheme
  env['SCRIPT_FILENAME'] = settings.script ?? settings.file
  // php-cgi refuses to run without.
  env['REDIRECT_STATUS'] = '200'
  const fault = setPath(env, settings.documentRoot)
  if (fault !== null) return fault
  return Object.assign(env, typeof settings.env === 'function' ? settings.env(scope) : settings.env)
}

/** RFC 3875 4.1.5 and 4.1.6. Returns why the path is refused, null if it is not. */
function setPath(env: ProgramEnv, documentRoot: string | null): string | null {
  const info = env['PATH_INFO'] ?? ''
  if (info.includes('\0')) return 'PATH_INFO has a NUL'
  // Other servers resolve these before, so programs are not used to them.
  if (/(?:^|\/)\.\.(?:\/|$)/.test(info)) return 'PATH_INFO has a segment `..`'
  if (documentRoot !== null) env['DOCUMENT_ROOT'] = documentRoot
  if (info === '') delete env['PATH_INFO']
  else if (documentRoot !== null) env['PATH_TRANSLATED'] = join(documentRoot, posix.normalize(info))
  return null
}

/** What bytes, a character for each, say in UTF-8; null if they are none. */
function asText(value: string): string | null {
  if (/^[\0-\x7f]*$/.test(value)) return value
  const bytes = Buffer.from(value, 'latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : null
}
