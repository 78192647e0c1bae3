import type { ResponseHeaders } from '../response-headers.ts'

/** Adds names to `vary`, beside those that are there (RFC 9110 12.5.5). */
export function addVary(headers: ResponseHeaders, ...names: readonly string[]): void {
  const found = headers.getAll('vary').flatMap((field) => field.split(',')).map((each) => each.trim()).filter((each) => each !== '')
  const known = new Set(found.map((each) => each.toLowerCase()))
  const more = known.has('*') ? [] : names.filter((name) => !known.has(name.toLowerCase()))
  if (more.length > 0) headers.set('vary', [...found, ...more].join(', '))
}
