import { parseArgs } from 'node:util'
import { UsageError } from '../contract/errors.ts'
import type { OptionKey, ServerOptions } from '../server/options.ts'
import type { Interface } from './interface.ts'
import { optionTable, type CommandOption } from './option-table.ts'

/** A command line, understood. */
export interface CommandLine {
  /** `path` or `path:export`; undefined if none was given. */
  readonly application: string | undefined
  readonly options: ServerOptions
  /** What model of application it is. */
  readonly interface: Interface
  /** Threads of the shared pool, and calls that may wait for one; undefined for the defaults. */
  readonly threads: number | undefined
  readonly threadQueue: number | undefined
  readonly reload: boolean
  readonly help: boolean
  readonly version: boolean
}

const byFlag = new Map<string, { option: CommandOption; negated: boolean }>()
for (const option of optionTable) {
  byFlag.set(option.flag, { option, negated: false })
  if (option.kind.type === 'boolean' && option.key !== null) byFlag.set(`no-${option.flag}`, { option, negated: true })
}

/** Reads the arguments after the program's name; throws `UsageError`. Ranges are checked with the options themselves. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const config = Object.fromEntries([...byFlag].map(([flag, { option }]) => [flag, { type: option.kind.type === 'boolean' ? 'boolean' : 'string', multiple: true } as const]))
  const { tokens } = parseArgs({ args: [...args], options: { ...config, h: { type: 'boolean' } }, strict: false, allowPositionals: true, tokens: true })
  const options: Partial<Record<OptionKey, unknown>> = {}
  const set = new Set<string>()
  const numbers = new Map<string, number>()
  const choices = new Map<string, string>()
  let application: string | undefined
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (application !== undefined) throw new UsageError(`${token.value}: one application only, found a second after ${application}`)
      application = token.value
    } else if (token.kind === 'option') {
      const flag = token.name === 'h' && token.rawName === '-h' ? 'help' : token.name
      const entry = byFlag.get(flag)
      if (entry === undefined || (token.rawName !== `--${flag}` && flag !== 'help')) throw new UsageError(`unknown option ${token.rawName}${suggestion(token.name)}`)
      const { option, negated } = entry
      set.add(option.flag)
      // `--uds --reload`: a value was forgotten. One that does begin with dashes comes as `--uds=--odd`.
      if (option.kind.type !== 'boolean' && !token.inlineValue && token.value?.startsWith('--') === true) throw missingValue(option)
      if (option.key !== null) options[option.key] = valueOf(option, negated, token.value, options[option.key])
      else if (option.kind.type === 'integer') numbers.set(option.flag, Number(valueOf(option, negated, token.value, undefined)))
      else if (option.kind.type === 'choice') choices.set(option.flag, String(valueOf(option, negated, token.value, undefined)))
      else if (token.value !== undefined) throw new UsageError(`--${flag} takes no value, found ${JSON.stringify(token.value)}`)
    }
  }
  return {
    application,
    options: options as ServerOptions,
    interface: (choices.get('interface') ?? 'auto') as Interface,
    threads: numbers.get('threads'),
    threadQueue: numbers.get('thread-queue'),
    reload: set.has('reload'),
    help: set.has('help'),
    version: set.has('version'),
  }
}

function valueOf(option: CommandOption, negated: boolean, value: string | undefined, before: unknown): unknown {
  const flag = `--${option.flag}`
  if (option.kind.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`${flag} takes no value, found ${JSON.stringify(value)}; to turn it off, use --no-${option.flag}`)
    return !negated
  }
  if (value === undefined) throw missingValue(option)
  switch (option.kind.type) {
    case 'integer':
    case 'seconds':
      return numberOf(option, value)
    case 'list':
      return [...(Array.isArray(before) ? before : []), value]
    case 'choice':
      if (!option.kind.choices.includes(value)) throw new UsageError(`${flag} must be one of ${option.kind.choices.join(', ')}, found ${JSON.stringify(value)}`)
      return value
    default:
      return value
  }
}

function missingValue({ flag, value }: CommandOption): UsageError {
  return new UsageError(`--${flag} needs a value: --${flag} ${value}`)
}

function numberOf(option: CommandOption, text: string): number {
  const { kind } = option
  const number = /^[0-9]+(?:\.[0-9]+)?$/.test(text) ? Number(text) : NaN
  if (kind.type === 'integer' && !(Number.isInteger(number) && number >= kind.min && number <= kind.max)) {
    throw new UsageError(`--${option.flag} must be a whole number from ${kind.min} to ${kind.max}, found ${JSON.stringify(text)}`)
  }
  if (Number.isNaN(number)) throw new UsageError(`--${option.flag} must be a number of seconds, 0 or more, found ${JSON.stringify(text)}`)
  return number
}

/** `, did you mean --port?`, if some flag is near. */
function suggestion(name: string): string {
  let best = ''
  let least = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const flag of byFlag.keys()) {
    const d = flag.startsWith(name) && name.length > 2 ? 1 : distance(name, flag)
    if (d < least && d < flag.length) {
      least = d
      best = flag
    }
  }
  return best === '' ? '; --help lists the options' : `, did you mean --${best}?`
}

/** The Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
