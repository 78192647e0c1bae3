const MONTHS = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec'
const TIME = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)'
const FORMS: readonly RegExp[] = [
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\\d\\d) (?<month>${MONTHS}) (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\\d\\d)-(?<month>${MONTHS})-(?<year>\\d\\d) ${TIME} GMT$`),
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>${MONTHS}) (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
]

/** Reads a date in any of its three forms (RFC 9110 5.6.7), to seconds since 1970; null for a malformed one. */
export function parseHttpDate(value: string, now: number = Date.now()): number | null {
  const fields = FORMS.map((form) => form.exec(value)?.groups).find((groups) => groups !== undefined)
  if (fields === undefined) return null
  const { year = '' } = fields
  if (year.length === 4) return secondsOf(Number(year), fields)
  const current = new Date(now).getUTCFullYear()
  const full = current - current % 100 + Number(year)
  const date = secondsOf(full, fields)
  // One that seems to be more than 50 years ahead is of the last century.
  return date === null || date * 1000 <= new Date(now).setUTCFullYear(current + 50) ? date : secondsOf(full - 100, fields)
}

function secondsOf(year: number, { month = '', day = '', hour = '', minute = '', second = '' }: Readonly<Record<string, string>>): number | null {
  // A leap second is allowed.
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null
  const time = new Date(0)
  // By its setters, because Date.UTC takes the years 0 to 99 for others.
  time.setUTCFullYear(year, MONTHS.indexOf(month) / 4, Number(day))
  if (time.getUTCDate() !== Number(day)) return null
  return time.setUTCHours(Number(hour), Number(minute), Number(second)) / 1000
}
