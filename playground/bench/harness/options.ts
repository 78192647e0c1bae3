import { parseArgs } from 'node:util'

/** A mistake in what the user asked for: shown as one line, exit code 2. */
export class UsageError extends Error {}

/** The load clients. `node` is our own, for machines without wrk. */
export type ClientName = 'wrk' | 'node'

/** What one run was asked to do. */
export interface Options {
  /** The workload's name; null when only help was asked for. */
  readonly workload: string | null
  /** How often every contestant is measured. */
  readonly rounds: number
  /** How long one measurement takes. */
  readonly seconds: number
  /** The contestants to run beside the control; null for all. */
  readonly only: readonly string[] | null
  /** The file that gets the figures as JSON; null for none. */
  readonly json: string | null
  /** The load client asked for; null for wrk where it is installed, else our own. */
  readonly client: ClientName | null
  /** Whether tsgi is compiled first. */
  readonly build: boolean
  readonly help: boolean
}

/** Reads the command line. Throws `UsageError`. */
export function readOptions(argv: readonly string[]): Options {
  const { values, positionals } = parse(argv)
  if (positionals.length > 1) throw new UsageError(`one workload at a time, not ${positionals.join(' and ')}`)
  return {
    workload: positionals[0] ?? null,
    rounds: positive('--rounds', values.rounds ?? '5'),
    seconds: positive('--seconds', values.seconds ?? '4'),
    only: values.only === undefined ? null : values.only.split(',').map((name) => name.trim()).filter((name) => name !== ''),
    json: values.json ?? null,
    client: clientName(values.client),
    build: values['no-build'] !== true,
    help: values.help === true,
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        only: { type: 'string' },
        json: { type: 'string' },
        client: { type: 'string' },
        'no-build': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    // Node adds advice in further sentences and lines.
    const [first = error.message] = error.message.split(/\. |\n/)
    throw new UsageError(first)
  }
}

function positive(name: string, text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new UsageError(`${name} takes a whole number above 0, not '${text}'`)
  return Number(text)
}

function clientName(text: string | undefined): ClientName | null {
  if (text === undefined || text === 'wrk' || text === 'node') return text ?? null
  throw new UsageError(`--client takes wrk or node, not '${text}'`)
}
