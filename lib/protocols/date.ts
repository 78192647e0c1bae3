let text = ''

/** The value of a `date` field (RFC 9110 6.6.1), made once a second. */
export function currentDate(): string {
  if (text === '') {
    const now = Date.now()
    text = new Date(now).toUTCString()
    setTimeout(forget, 1000 - (now % 1000)).unref()
  }
  return text
}

function forget(): void {
  text = ''
}
