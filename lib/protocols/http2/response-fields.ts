import type { OutgoingHttpHeaders } from 'node:http2'

/** Fields of a connection, which HTTP/2 does not have (RFC 9113 8.2.2). */
const connectionFields: ReadonlySet<string> = new Set(['connection', 'http2-settings', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'])

/** Fields as node:http2 takes them; those that HTTP/2 does not have are left out. `flat` has names and values in turn. */
export function responseFields(flat: readonly string[]): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = {}
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] as string
    const value = flat[i + 1] as string
    const before = fields[name]
    if (before === undefined) {
      if (!connectionFields.has(name)) fields[name] = value
    } else if (Array.isArray(before)) {
      before.push(value)
    } else {
      fields[name] = [String(before), value]
    }
  }
  return fields
}

/** The same with each name once: for names that node:http2 does not let stand twice. Lists mean the same (RFC 9110 5.3). */
export function joinedFields(fields: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const joined: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(fields)) joined[name] = Array.isArray(value) && name !== 'set-cookie' ? value.join(', ') : value
  return joined
}
