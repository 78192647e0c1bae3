import type { HeaderList } from '../contract/headers.ts'
import { parseTags, stronglySame, weaklySame } from './entity-tag.ts'
import { parseHttpDate } from './http-date.ts'

/** What tells one state of a representation from another. */
export interface Validators {
  /** With its quotes, and `W/` if it is weak; null for none. */
  readonly etag: string | null
  /** In seconds since 1970; null for none. */
  readonly lastModified: number | null
}

/**
 * Evaluates the preconditions of a GET or HEAD in the order of RFC 9110 13.2.2, up to If-Range: 412 and 304 are the answer
 * then, null lets the request go on.
 */
export function checkConditions(headers: HeaderList, { etag, lastModified }: Validators): 304 | 412 | null {
  const match = headers.getAll('if-match')
  if (match.length > 0) {
    if (!isListed(match, etag, stronglySame)) return 412
  } else {
    const since = dateOf(headers, 'if-unmodified-since')
    if (since !== null && lastModified !== null && lastModified > since) return 412
  }
  const noneMatch = headers.getAll('if-none-match')
  if (noneMatch.length > 0) return isListed(noneMatch, etag, weaklySame) ? 304 : null
  const since = dateOf(headers, 'if-modified-since')
  return since !== null && lastModified !== null && lastModified <= since ? 304 : null
}

function isListed(lines: readonly string[], etag: string | null, same: (one: string, other: string) => boolean): boolean {
  const tags = parseTags(lines.join(','))
  return tags === '*' || (etag !== null && tags.some((tag) => same(tag, etag)))
}

/** A date that counts: neither repeated nor malformed (RFC 9110 13.1.3, 13.1.4). */
function dateOf(headers: HeaderList, name: string): number | null {
  const [value, ...others] = headers.getAll(name)
  return value === undefined || others.length > 0 ? null : parseHttpDate(value.trim())
}
