import type { HeaderList } from '../contract/headers.ts'
import type { Validators } from '../semantics/conditions.ts'
import { stronglySame } from '../semantics/entity-tag.ts'
import { parseHttpDate } from '../semantics/http-date.ts'

/** A time stamp of whole seconds is taken to be coarse: FAT counts by two. */
const COARSE = 2_000_000_000n
/** Others are as fine as the ticks of a kernel, which are some milliseconds. */
const FINE = 100_000_000n

/**
 * Whether a change at `modified` is so long ago, in nanoseconds, that a further one would have another time. Before that
 * the same size and time may stand for different bytes, so that no validator made of them is strong (RFC 9110 8.8.1).
 */
export function isSettled(modified: bigint, now: bigint): boolean {
  return now - modified > (modified % 1_000_000_000n === 0n ? COARSE : FINE)
}

/**
 * Whether If-Range (RFC 9110 13.1.5) lets the Range field count; true without one. `settled` tells whether the date is
 * a strong validator by what the server knows; that the client's copy is not too young for it, the client has to know.
 */
export function rangeCounts(headers: HeaderList, { etag, lastModified }: Validators, settled: boolean): boolean {
  const values = headers.getAll('if-range')
  if (values.length === 0) return true
  const value = values[0]?.trim() ?? ''
  if (values.length > 1) return false
  if (value.includes('"')) return etag !== null && stronglySame(value, etag)
  const date = parseHttpDate(value)
  return settled && date !== null && date === lastModified
}
