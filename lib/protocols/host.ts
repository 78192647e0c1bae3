import { isIPv6 } from 'node:net'

// reg-name of RFC 3986 3.2.2 without the comma: it would pass for a list of hosts.
const REG_NAME = /^(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+$/

// The valid one seen last: a server sees the same one again and again.
let lastValid = ''

/** Whether a text is `uri-host [ ":" port ]` (RFC 9110 7.2), not empty. */
export function isAuthority(text: string): boolean {
  if (text === lastValid) return text !== ''
  const valid = check(text)
  if (valid) lastValid = text
  return valid
}

/** The same for a range of bytes, which is not made into text if it is the authority seen last. */
export function isAuthorityIn(bytes: Buffer, start: number, end: number): boolean {
  const last = lastValid
  let same = end - start === last.length && end > start
  for (let i = 0; same && i < last.length; i++) same = bytes[start + i] === last.charCodeAt(i)
  return same || isAuthority(bytes.toString('latin1', start, end))
}

function check(text: string): boolean {
  const literalEnd = text.startsWith('[') ? text.indexOf(']') + 1 : 0
  const colon = text.indexOf(':', literalEnd)
  const host = colon < 0 ? text : text.slice(0, colon)
  if (colon >= 0) {
    const port = text.slice(colon + 1)
    if (!/^[0-9]*$/.test(port) || Number(port) > 65535) return false
  }
  if (!host.startsWith('[')) return REG_NAME.test(host)
  if (!host.endsWith(']')) return false
  const literal = host.slice(1, -1)
  return (isIPv6(literal) && !literal.includes('%')) || /^v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+;=:]+$/i.test(literal)
}
