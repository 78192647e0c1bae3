import type { Options } from './options.ts'
import type { Processors } from './processors.ts'
import type { Report } from './report.ts'

/** A program that takes part, most often a server. */
export interface Contestant {
  /** Its name in tables and for `--only`. */
  readonly name: string
  /** The program. */
  readonly program: URL
  /** What runs the program; plain `node` if nothing is said. */
  readonly command?: string
  /** The package whose version is shown; none for a part of Node. */
  readonly package?: string
  /** The version that is shown, of what is no package. */
  readonly version?: string
}

/** What figures depend on: a name and a value each. */
export type Conditions = Readonly<Record<string, string | number>>

/** What a workload gets. */
export interface Bench {
  readonly options: Options
  readonly processors: Processors
  /** The workload's contestants that run: the control and what `--only` names. */
  readonly contestants: readonly Contestant[]
  /** Says what is going on. */
  progress(text: string): void
}

/** One thing to measure: a module in workloads/ exports it as `workload`. */
export interface Workload {
  /** One line for the help. */
  readonly description: string
  /** All contestants, in the order in which they are measured. */
  readonly contestants: readonly Contestant[]
  /** The name of the contestant that the others are compared with. */
  readonly control: string
  /** Lines printed below the tables: what the figures mean. */
  readonly legend: readonly string[]
  /** What else its figures depend on, to be shown above them. Throws `UsageError` for what cannot be had. */
  conditions(options: Options, processors: Processors): Conditions
  /** Measures; yields each table once it is there. */
  run(bench: Bench): AsyncIterable<Report>
}
