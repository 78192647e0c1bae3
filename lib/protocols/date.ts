let second = 0
let text = ''

/** The value of a `date` field (RFC 9110 6.6.1), made once a second. */
export function currentDate(): string {
  const now = Date.now()
  const current = now - (now % 1000)
  if (current !== second) {
    second = current
    text = new Date(current).toUTCString()
  }
  return text
}
