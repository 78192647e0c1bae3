/** The codings that can be made (RFC 9110 8.4.1, RFC 7932, RFC 8878). */
export type Coding = 'br' | 'zstd' | 'gzip'

const WEIGHT = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/**
 * Picks a coding for a request by its `accept-encoding` (RFC 9110 12.5.3): the one of the highest weight, and of those the
 * first that is offered. null stands for none: where there is no field, where the client likes it as it is better, and
 * where it accepts nothing at all.
 */
export function chooseCoding(fields: readonly string[], offered: readonly Coding[]): Coding | null {
  const weights = weightsOf(fields)
  const any = weights.get('*') ?? 0
  let best: Coding | null = null
  let most = 0
  for (const coding of offered) {
    const weight = weights.get(coding) ?? any
    if (weight <= most) continue
    best = coding
    most = weight
  }
  return (weights.get('identity') ?? any) > most ? null : best
}

function weightsOf(fields: readonly string[]): Map<string, number> {
  const weights = new Map<string, number>()
  for (const field of fields) {
    for (const item of field.split(',')) {
      const [coding = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
      if (coding === '' || parameters.length > 1) continue
      const [name = '', value = ''] = parameters[0]?.split('=', 2) ?? ['q', '1']
      if (name !== 'q' || !WEIGHT.test(value)) continue
      // RFC 9110 8.4.1.3.
      const known = coding === 'x-gzip' ? 'gzip' : coding
      if (!weights.has(known)) weights.set(known, Number(value))
    }
  }
  return weights
}
