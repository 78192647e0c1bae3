import { HopProgram, type HopOrders, type Hops } from './hop-program.ts'
import { column, median, restlessRemark, type Report } from './report.ts'
import type { Bench, Contestant } from './workload.ts'

/** Seconds of hops before anything counts, so that all code is compiled and all threads are there. */
const WARM_UP = 1
/** Parts of a round: in each part all have a turn, so that what disturbs a round disturbs all of them. */
const PARTS = 4

/** One way of a contestant to hop: a row of a table. */
export interface HopRow {
  readonly name: string
  readonly contestant: Contestant
  readonly version: string | null
  readonly call: string
  /** Whether it is one of those that the others are compared with; the fastest of them is. */
  readonly control: boolean
}

/** One table of times. */
export interface HopTable {
  readonly title: string
  readonly inFlight: number
  readonly rows: readonly HopRow[]
}

/** A round of one row: microseconds for each hop. */
interface Measurement {
  readonly wall: number
  readonly cpu: number
  readonly hops: number
}

/** Measures the time of a hop there and back: all programs are started, warmed up for each table, then measured in turn. */
export async function* hopRounds(bench: Bench, tables: readonly HopTable[], nodeOptions: readonly string[] = []): AsyncGenerator<Report> {
  const programs = new Map<Contestant, HopProgram>()
  try {
    for (const contestant of bench.contestants) {
      bench.progress(`starting ${contestant.name}`)
      programs.set(contestant, await HopProgram.start(contestant, nodeOptions))
    }
    for (const { title, inFlight, rows } of tables) {
      const taking = rows.flatMap((row) => {
        const program = programs.get(row.contestant)
        return program === undefined ? [] : [{ row, program, rounds: [] as Measurement[] }]
      })
      const { seconds } = bench.options
      const orders = (row: HopRow): HopOrders => ({ call: row.call, inFlight, seconds: seconds / PARTS })
      for (const { row, program } of taking) await program.measure({ ...orders(row), seconds: Math.min(WARM_UP, seconds) })
      for (let round = 1; round <= bench.options.rounds; round++) {
        bench.progress(`${title}: round ${round} of ${bench.options.rounds}`)
        const parts = taking.map((): Hops[] => [])
        for (let part = 0; part < PARTS; part++) {
          for (const [at, { row, program }] of taking.entries()) parts[at]?.push(await program.measure(orders(row)))
        }
        for (const [at, { rounds }] of taking.entries()) rounds.push(perHop(parts[at] ?? []))
      }
      yield reportOf(title, taking)
    }
  } finally {
    await Promise.all([...programs.values()].map((program) => program.stop()))
  }
}

function perHop(parts: readonly Hops[]): Measurement {
  const sum = (key: keyof Hops): number => parts.reduce((total, part) => total + part[key], 0)
  return { wall: sum('wall') / sum('hops'), cpu: sum('cpu') / sum('hops'), hops: sum('hops') }
}

function reportOf(title: string, taking: readonly { readonly row: HopRow; readonly rounds: readonly Measurement[] }[]): Report {
  const medians = taking.map(({ rounds }) => median(rounds.map(({ wall }) => wall)))
  const controls = taking.map(({ row }, at) => ({ at, control: row.control })).filter(({ control }) => control)
  const { at: fastest } = controls.reduce((best, each) => (medians[each.at] ?? NaN) < (medians[best.at] ?? NaN) ? each : best)
  const control = taking[fastest]
  const rows = taking.map(({ row, rounds }) => {
    const figures = rounds.map((each, round) => ({ ...each, ratio: each.wall / (control?.rounds[round]?.wall ?? NaN) }))
    const ratios = figures.map(({ ratio }) => ratio)
    return {
      contestant: row.name,
      version: row.version,
      figures: {
        wall: median(figures.map(({ wall }) => wall)),
        ratio: median(ratios),
        lowest: Math.min(...ratios),
        highest: Math.max(...ratios),
        cpu: median(figures.map(({ cpu }) => cpu)),
      },
      rounds: figures,
    }
  })
  return {
    title,
    columns: [
      column('wall', 'us/hop', 1),
      column('ratio', `of ${control?.row.name}`, 2),
      column('lowest', 'lowest', 2),
      column('highest', 'highest', 2),
      column('cpu', 'CPU us/hop', 1),
    ],
    rows,
    ...restlessRemark(rows),
  }
}
