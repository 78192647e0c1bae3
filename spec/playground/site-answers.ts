/** What answers of the site are held to: the same in both modes, from the threads that are meant. */
import type { Mode } from '../../lib/stack/route.ts'
import { decoded, type Answer } from './site-driver.ts'

/** What may differ between two servers, by name, and nothing else. */
const times: Readonly<Record<string, (value: string) => string>> = {
  'date': () => 'TIME',
  'x-request-id': (value) => value.replace(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'ID'),
  'server-timing': (value) => value.replace(/dur=[\d.]+/, 'dur=TIME'),
  // Signed with the time; a session has a random name too.
  'set-cookie': (value) => value.replace(/^plot9=[\w-]+\.\w+\.[\w-]+;/, 'plot9=SIGNED;'),
  // How long to wait.
  'ratelimit': (value) => value.replace(/t=\d+/, 't=TIME'),
  'retry-after': (value) => value.replace(/^(?:29|30)$/, 'TIME'),
}

/** Tokens and the names of pictures are random. */
const RANDOM: readonly (readonly [pattern: RegExp, word: string])[] = [
  [/(name="csrfToken" value=")[\w-]{86}"/g, '$1TOKEN"'],
  [/(\/pictures\/)[0-9a-f-]{36}/g, '$1PICTURE'],
]

/** An answer as text, without what may differ. */
export function normal(path: string, answer: Answer): string {
  const { status, reason, fields } = answer
  let body = decoded(answer).toString('latin1')
  const before = body
  for (const [pattern, word] of RANDOM) body = body.replace(pattern, word)
  const isRandom = body !== before
  // A stream that is compressed piece by piece is the same only once it is unpacked: the modes have other ways for that.
  if (!isRandom && answer.field('content-length') !== null) body += `\n${answer.body.toString('hex')}`
  const lines = fields.filter(([name]) => name !== 'x-ran-on').map(([name, value]) => {
    // What is made of all bytes of a page differs with its token.
    if (isRandom && name === 'etag') return `${name}: ${value.replace(/^W\/"[\w-]{27}"$/, 'W/TAG')}`
    if (isRandom && name === 'content-length' && answer.field('content-encoding') !== null) return `${name}: SIZE`
    if (path.startsWith('/pictures/') && name === 'last-modified') return `${name}: TIME`
    return `${name}: ${times[name]?.(value) ?? value}`
  })
  return [`${status} ${reason}`, ...lines, '', body].join('\n')
}

/** The layers by where they run; those of the middle await. */
export const LAYERS: readonly (readonly string[])[] = [
  ['requestId', 'serverTiming', 'securityHeaders', 'trustedHosts', 'compression', 'conditional', 'cors', 'bodyLimit', 'slashes'],
  ['rateLimit', 'closing', 'sessions'],
  ['visitor', 'csrf', 'account'],
]
const ASYNC_VIEWS: ReadonlySet<string> = new Set(['/posts/:id/picture', '/api/posts', '/api/posts/:id', '/api/posts.ndjson'])

/** What `x-ran-on` says of a request that came as far as to a layer, or to a view. */
export function ranTo(mode: Mode, last: string): string {
  const home = mode === 'async' ? 'loop' : 'thread'
  const all = LAYERS.flatMap((names, index) => names.map((name): [string, string] => [name, [home, 'loop', 'thread'][index] ?? '']))
  const at = all.findIndex(([name]) => name === last)
  const reached = at >= 0 ? all.slice(0, at + 1) : [...all, [last, ASYNC_VIEWS.has(last) ? 'loop' : 'thread']]
  return reached.map(([name, thread]) => `${name}=${thread}`).join(', ')
}
