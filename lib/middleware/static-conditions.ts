import type { HeaderList } from '../contract/headers.ts'

/** What tells one state of a representation from another. */
export interface Validators {
  /** With its quotes, and `W/` if it is weak; null for none. */
  readonly etag: string | null
  /** In seconds since 1970; null for none. */
  readonly lastModified: number | null
}

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
 * Evaluates the preconditions of a GET or HEAD in the order of RFC 9110 13.2.2, up to If-Range: 412 and 304 are the answer
 * then, null lets the request go on.
 */
export function checkConditions(headers: HeaderList, { etag, lastModified }: Validators): 304 | 412 | null {
  const match = listOf(headers, 'if-match')
  if (match !== null) {
    if (match !== '*' && !hasTag(match, etag, true)) return 412
  } else {
    const since = dateOf(headers, 'if-unmodified-since')
    if (since !== null && lastModified !== null && lastModified > since) return 412
  }
  const noneMatch = listOf(headers, 'if-none-match')
  if (noneMatch !== null) return noneMatch === '*' || hasTag(noneMatch, etag, false) ? 304 : null
  const since = dateOf(headers, 'if-modified-since')
  return since !== null && lastModified !== null && lastModified <= since ? 304 : null
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
  if (value.includes('"')) return etag !== null && isStrong(etag) && value === etag
  const date = parseHttpDate(value)
  return settled && date !== null && date === lastModified
}

/** The value of a list, its lines joined; null if there is none. */
function listOf(headers: HeaderList, name: string): string | null {
  const values = headers.getAll(name)
  return values.length === 0 ? null : values.join(', ').trim()
}

/** A date that counts: neither repeated nor malformed (RFC 9110 13.1.3, 13.1.4). */
function dateOf(headers: HeaderList, name: string): number | null {
  const [value, ...others] = headers.getAll(name)
  return value === undefined || others.length > 0 ? null : parseHttpDate(value.trim())
}

const TAG = /[ \t,]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")(?=[ \t]*(?:,|$))/y

/** Whether a tag is in a list of them; by the strong comparison, or the weak one (RFC 9110 8.8.3.2). */
function hasTag(list: string, tag: string | null, strong: boolean): boolean {
  if (tag === null || (strong && !isStrong(tag))) return false
  for (TAG.lastIndex = 0; ;) {
    // A list that is malformed further on has what stands before.
    const found = TAG.exec(list)?.[1]
    if (found === undefined) return false
    if (strong ? found === tag : opaque(found) === opaque(tag)) {
      TAG.lastIndex = 0
      return true
    }
  }
}

function isStrong(tag: string): boolean {
  return !tag.startsWith('W/')
}

function opaque(tag: string): string {
  return isStrong(tag) ? tag : tag.slice(2)
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const TIME = '(\\d\\d):(\\d\\d):(\\d\\d)'
const IMF_FIXDATE = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\\d\\d) (${MONTHS.join('|')}) (\\d{4}) ${TIME} GMT$`)
const RFC850_DATE = new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\\d\\d)-(${MONTHS.join('|')})-(\\d\\d) ${TIME} GMT$`)
const ASCTIME_DATE = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (${MONTHS.join('|')}) ([ \\d]\\d) ${TIME} (\\d{4})$`)

/** Reads a date in any of its three forms (RFC 9110 5.6.7), to seconds since 1970; null for a malformed one. */
export function parseHttpDate(value: string, now: number = Date.now()): number | null {
  const fixed = IMF_FIXDATE.exec(value)
  if (fixed !== null) return secondsOf(fixed[3], fixed[2], fixed[1], fixed[4], fixed[5], fixed[6])
  const old = RFC850_DATE.exec(value)
  if (old !== null) {
    const year = Math.floor(new Date(now).getUTCFullYear() / 100) * 100 + Number(old[3])
    const date = secondsOf(year, old[2], old[1], old[4], old[5], old[6])
    // One that seems to be more than 50 years ahead is of the last century.
    return date === null || date * 1000 <= new Date(now).setUTCFullYear(new Date(now).getUTCFullYear() + 50) ? date : secondsOf(year - 100, old[2], old[1], old[4], old[5], old[6])
  }
  const c = ASCTIME_DATE.exec(value)
  return c === null ? null : secondsOf(c[6], c[1], c[2], c[3], c[4], c[5])
}

type Digits = string | number | undefined

function secondsOf(year: Digits, month: string | undefined, day: Digits, hour: Digits, minute: Digits, second: Digits): number | null {
  const [date, hours, minutes, seconds] = [Number(day), Number(hour), Number(minute), Number(second)]
  // A leap second is allowed.
  if (date < 1 || date > 31 || hours > 23 || minutes > 59 || seconds > 60) return null
  const time = new Date(0)
  // By its setters, because Date.UTC takes the years 0 to 99 for others.
  time.setUTCFullYear(Number(year), MONTHS.indexOf(month ?? ''), date)
  time.setUTCHours(hours, minutes, seconds)
  return time.getTime() / 1000
}
