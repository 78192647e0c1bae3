const MONTHS = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec'
const TIME = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)'
/** The three forms of RFC 9110 5.6.7. */
const FORMS: readonly RegExp[] = [
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\\d\\d) (?<month>${MONTHS}) (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\\d\\d)-(?<month>${MONTHS})-(?<year>\\d\\d) ${TIME} GMT$`),
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>${MONTHS}) (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
]

/** The seconds of a date of HTTP; null for what is none. */
export function parseHttpDate(text: string, now: number = Date.now()): number | null {
  for (const form of FORMS) {
    const { day = '', month = '', year = '', hour = '', minute = '', second = '' } = form.exec(text)?.groups ?? {}
    if (day === '') continue
    const parts = [MONTHS.indexOf(month) / 4, Number(day), Number(hour), Number(minute), Number(second)] as const
    const seconds = Date.UTC(Number(year), ...parts) / 1000
    const date = new Date(seconds * 1000)
    if (date.getUTCDate() !== parts[1] || parts[2] > 23 || parts[3] > 59 || parts[4] > 60) return null
    if (year.length === 4) return seconds
    // A year of two digits that would be more than 50 years in the future is one of the past.
    const century = Math.floor(new Date(now).getUTCFullYear() / 100) * 100
    const full = century + Number(year)
    return Date.UTC(full > new Date(now).getUTCFullYear() + 50 ? full - 100 : full, ...parts) / 1000
  }
  return null
}
