/** The environment of a CGI program. */
export type CgiEnv = Readonly<Record<string, string | undefined>>

/** The variables of an environment, names and values in turn, one character per byte. */
export function requestVariables(env: CgiEnv): string[] {
  const variables: string[] = []
  for (const [name, value] of Object.entries(env)) {
    // CVE-2016-5385: where HTTP_PROXY is, it is a setting for programs, never a field.
    if (value === undefined || name === 'HTTP_PROXY') continue
    // Node has decoded them as UTF-8.
    variables.push(name, /^[\0-\x7f]*$/.test(value) ? value : Buffer.from(value).toString('latin1'))
  }
  return variables
}
