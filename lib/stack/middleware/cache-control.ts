import type { ResponseHeaders } from '../response-headers.ts'

const DIRECTIVE = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:=(?:"(?:[^"\\]|\\.)*"|[^\s,]*))?/g

/** The directives of `cache-control` as they stand there, by their names in lower case (RFC 9111 5.2). */
export function cacheDirectives(headers: ResponseHeaders): Map<string, string> {
  const found = new Map<string, string>()
  for (const field of headers.getAll('cache-control')) for (const [whole, name = ''] of field.matchAll(DIRECTIVE)) found.set(name.toLowerCase(), whole)
  return found
}

/** Keeps caches that people share from storing a response that is for one of them: what it says of itself is made stricter, never looser. */
export function keepPrivate(headers: ResponseHeaders): void {
  const directives = cacheDirectives(headers)
  if (directives.size === 0) return headers.set('cache-control', 'no-store')
  if (directives.get('private') === 'private' || directives.has('no-store')) return
  // `private="name"` is about that field alone.
  for (const name of ['public', 's-maxage', 'private']) directives.delete(name)
  headers.set('cache-control', ['private', ...directives.values()].join(', '))
}
