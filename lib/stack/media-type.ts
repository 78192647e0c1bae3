/** A media type: `text/plain; charset=utf-8`. */
export interface MediaType {
  /** In lower case, without parameters: `text/plain`. */
  readonly type: string
  /** The parameters, names in lower case. */
  readonly parameters: ReadonlyMap<string, string>
}

const TYPE = /^[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*(?=;|$)/
// RFC 9110 5.6.6; an empty one is allowed.
const PARAMETER = /;(?:[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)")[ \t]*|[ \t]*)(?=;|$)/y

/** Reads a media type (RFC 9110 8.3.1); null for one that is malformed, or has a parameter twice. */
export function parseMediaType(value: string): MediaType | null {
  const start = TYPE.exec(value)
  if (start === null) return null
  const parameters = new Map<string, string>()
  let at = start[0].length
  while (at < value.length) {
    PARAMETER.lastIndex = at
    const found = PARAMETER.exec(value)
    if (found === null) return null
    at = PARAMETER.lastIndex
    if (found[1] === undefined) continue
    const name = found[1].toLowerCase()
    if (parameters.has(name)) return null
    parameters.set(name, found[2] ?? (found[3] ?? '').replace(/\\(.)/g, '$1'))
  }
  return { type: (start[1] ?? '').toLowerCase(), parameters }
}
