/** A part of a file: from the byte `start` up to and without `end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** More than these, and the field is ignored. */
const MOST_RANGES = 64

// RFC 9110 14.1: the name of a unit has no case.
const BYTES = /^bytes=/i
const SPEC = /^[ \t]*(?:(\d+)-(\d*)|-(\d+))?[ \t]*$/

/**
 * Reads a Range field (RFC 9110 14.2) for a file of `size` bytes. Null if it is to be ignored: another unit, malformed,
 * or too many. No ranges if none is satisfiable. Those that overlap are made one (15.3.7.2), so that all together are never
 * larger than the file.
 */
export function readRanges(value: string, size: number): readonly ByteRange[] | null {
  // An empty file has no bytes that a Content-Range could name.
  if (!BYTES.test(value) || size === 0) return null
  const specs = value.slice('bytes='.length).split(',', MOST_RANGES + 1)
  if (specs.length > MOST_RANGES) return null
  let ranges: ByteRange[] = []
  let count = 0
  for (const spec of specs) {
    const found = SPEC.exec(spec)
    if (found === null) return null
    const [, first, last = '', suffix] = found
    if (first === undefined && suffix === undefined) continue // RFC 9110 5.6.1.2: an empty member of a list
    count++
    const start = first === undefined ? Math.max(0, size - Number(suffix)) : Number(first)
    // RFC 9110 14.1.1: a last position below the first makes the whole field invalid.
    if (first !== undefined && last !== '' && Number(last) < start) return null
    const end = last === '' ? size : Math.min(size, Number(last) + 1)
    if (start < size) ranges = added(ranges, { start, end })
  }
  return count === 0 ? null : ranges
}

/** Puts a range at the end of others, or, made one with those that it overlaps, where the first of them stood. */
function added(ranges: readonly ByteRange[], { start, end }: ByteRange): ByteRange[] {
  // The others do not overlap each other, so that one look at them is enough.
  const overlaps = (other: ByteRange): boolean => other.start < end && start < other.end
  const met = ranges.filter(overlaps)
  const one = { start: Math.min(start, ...met.map((other) => other.start)), end: Math.max(end, ...met.map((other) => other.end)) }
  const at = met[0] === undefined ? ranges.length : ranges.indexOf(met[0])
  return [...ranges.slice(0, at), one, ...ranges.slice(at).filter((other) => !overlaps(other))]
}
