/** A coding of content that can be made, or lie ready (RFC 9110 8.4.1, RFC 7932, RFC 8878). */
export type Coding = 'br' | 'zstd' | 'gzip'

// RFC 9110 12.5.3, 12.4.2
const MEMBER = /^[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*(?:;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$/i

/**
 * The codings that a client takes by the lines of its `accept-encoding`, the one it likes best first, at the same weight
 * in the order of `offered` and the plain content last (RFC 9110 12.5.3). `identity` is absent if the client will not have
 * it. A malformed member is ignored.
 */
export function acceptedCodings(lines: readonly string[], offered: readonly Coding[]): readonly (Coding | 'identity')[] {
  const weights = new Map<string, number>()
  for (const member of lines.join(',').split(',')) {
    const [, name, weight = '1'] = MEMBER.exec(member) ?? []
    if (name === undefined) continue
    const coding = name.toLowerCase() === 'x-gzip' ? 'gzip' : name.toLowerCase()
    if (!weights.has(coding)) weights.set(coding, Number(weight))
  }
  const others = weights.get('*')
  const accepted: { readonly coding: Coding | 'identity'; readonly weight: number }[] = []
  for (const coding of offered) accepted.push({ coding, weight: weights.get(coding) ?? others ?? 0 })
  // One that nobody speaks of is acceptable, but less than what is asked for.
  accepted.push({ coding: 'identity', weight: weights.get('identity') ?? others ?? Number.MIN_VALUE })
  return accepted.filter(({ weight }) => weight > 0).sort((one, other) => other.weight - one.weight).map(({ coding }) => coding)
}
