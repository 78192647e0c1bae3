/** One element of `Forwarded` (RFC 7239 4): what one proxy says. Values are unquoted, not checked further. */
export interface ForwardedElement {
  readonly for?: string
  readonly proto?: string
  readonly host?: string
}

// parameter: a token, `=`, then a token or a quoted-string (RFC 9110 5.6.2, 5.6.4); sticky, so that it stays linear.
const PAIR = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)")/y
const BLANK = /[ \t]*/y

/**
 * Reads one `Forwarded` line (RFC 7239 4), left to right; null if it is malformed anywhere. Parameters are
 * case-insensitive, unknown ones are skipped, one given twice in an element is malformed. Empty elements are skipped
 * (RFC 9110 5.6.1). White space around `;` is taken, since many proxies write it; around `=` it is malformed.
 */
export function parseForwarded(line: string): readonly ForwardedElement[] | null {
  const elements: ForwardedElement[] = []
  let element = new Map<string, string>()
  let at = skipBlank(line, 0)
  for (;;) {
    PAIR.lastIndex = at
    const pair = PAIR.exec(line)
    if (pair !== null) {
      const [whole, name = '', token, quoted = ''] = pair
      const key = name.toLowerCase()
      if (element.has(key)) return null
      element.set(key, token ?? quoted.replace(/\\(.)/g, '$1'))
      at = skipBlank(line, at + whole.length)
    }
    const separator = line[at]
    if (separator !== ';') {
      if (separator !== ',' && separator !== undefined) return null
      if (element.size > 0) elements.push(Object.fromEntries(element))
      if (separator === undefined) return elements
      element = new Map()
    }
    at = skipBlank(line, at + 1)
  }
}

function skipBlank(line: string, at: number): number {
  BLANK.lastIndex = at
  return at + (BLANK.exec(line)?.[0].length ?? 0)
}
