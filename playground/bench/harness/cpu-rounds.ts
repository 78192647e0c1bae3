import { RunningContestant } from './contestant.ts'
import { column, median, restlessRemark, type Report } from './report.ts'
import { versionOf } from './versions.ts'
import type { Bench, Contestant } from './workload.ts'

/** Seconds of load before anything counts, so that all code is compiled. */
const WARM_UP = 1

/** One table of CPU figures. */
export interface CpuRounds {
  readonly title: string
  /** What is counted: `request`, `message`. */
  readonly unit: string
  /** The contestant that the others are compared with. */
  readonly control: string
  /** Another contestant that they are compared with, in a column of its own. */
  readonly also?: string
  /** Arguments of every contestant's program. */
  readonly args: readonly string[]
  /** Options of Node for those that run on it. */
  readonly nodeOptions?: readonly string[]
  /** Fails when a contestant does not do what all are meant to do. */
  check(contestant: RunningContestant): Promise<void>
  /** Puts a contestant under load; resolves to how many units it has served. */
  load(contestant: RunningContestant, seconds: number): Promise<number>
}

interface Measurement {
  readonly contestant: string
  /** CPU microseconds per unit. */
  readonly cpu: number
  /** The share of the time in which the server was at work. */
  readonly busy: number
  readonly units: number
}

/** Measures the CPU time that servers take for a unit: all are started and warmed up, then measured in turn, by rounds. */
export async function cpuRounds(bench: Bench, plan: CpuRounds): Promise<Report> {
  const running: RunningContestant[] = []
  try {
    for (const contestant of bench.contestants) {
      bench.progress(`${plan.title}: starting ${contestant.name}`)
      const server = await RunningContestant.start(contestant, { processor: bench.processors.server, args: plan.args, nodeOptions: contestant.command === undefined ? plan.nodeOptions ?? [] : [] })
      running.push(server)
      await plan.check(server)
      await plan.load(server, WARM_UP)
    }
    const rounds: Measurement[][] = []
    for (let round = 1; round <= bench.options.rounds; round++) {
      const measurements: Measurement[] = []
      for (const server of running) {
        bench.progress(`${plan.title}: round ${round} of ${bench.options.rounds}, ${server.name}`)
        measurements.push(await measure(server, plan, bench.options.seconds))
      }
      rounds.push(measurements)
    }
    return reportOf(bench, plan, rounds)
  } finally {
    await Promise.all(running.map((server) => server.stop()))
  }
}

async function measure(server: RunningContestant, plan: CpuRounds, seconds: number): Promise<Measurement> {
  const startedAt = performance.now()
  const before = server.cpu
  const units = await plan.load(server, seconds)
  const taken = server.cpu - before
  return { contestant: server.name, cpu: taken / units, busy: taken / 1000 / (performance.now() - startedAt), units }
}

function reportOf(bench: Bench, plan: CpuRounds, rounds: readonly (readonly Measurement[])[]): Report {
  const rows = bench.contestants.map((contestant) => rowOf(contestant, plan, rounds))
  return {
    title: plan.title,
    ...restlessRemark(rows),
    columns: [
      column('cpu', `CPU us/${plan.unit}`, 1),
      column('ratio', `of ${plan.control}`, 2),
      column('lowest', 'lowest', 2),
      column('highest', 'highest', 2),
      ...plan.also === undefined ? [] : [column('also', `of ${plan.also}`, 2)],
      column('busy', 'busy', 0, '%'),
    ],
    rows,
  }
}

function rowOf(contestant: Contestant, plan: CpuRounds, rounds: readonly (readonly Measurement[])[]) {
  const figures = rounds.map((measurements) => {
    const { cpu, busy, units } = find(measurements, contestant.name)
    const also = plan.also === undefined ? {} : { also: cpu / find(measurements, plan.also).cpu }
    return { cpu, ratio: cpu / find(measurements, plan.control).cpu, ...also, busy: busy * 100, units }
  })
  const ratios = figures.map(({ ratio }) => ratio)
  return {
    contestant: contestant.name,
    version: versionOf(contestant),
    figures: {
      cpu: median(figures.map(({ cpu }) => cpu)),
      ratio: median(ratios),
      lowest: Math.min(...ratios),
      highest: Math.max(...ratios),
      ...plan.also === undefined ? {} : { also: median(figures.map(({ also = NaN }) => also)) },
      busy: median(figures.map(({ busy }) => busy)),
    },
    rounds: figures,
  }
}

function find(measurements: readonly Measurement[], name: string): Measurement {
  const found = measurements.find(({ contestant }) => contestant === name)
  if (found === undefined) throw new Error(`${name} was not measured`)
  return found
}
