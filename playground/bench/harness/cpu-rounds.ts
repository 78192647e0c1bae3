import { RunningContestant } from './contestant.ts'
import { column, median, restlessRemark, type Report } from './report.ts'
import { versionOf } from './versions.ts'
import type { Bench, Contestant } from './workload.ts'

/** Seconds of load before anything counts, so that all code is compiled. */
const WARM_UP = 2

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

/** A contestant's process and what it has taken so far: CPU microseconds, milliseconds, units. */
interface Running {
  readonly server: RunningContestant
  cpu: number
  time: number
  units: number
}

interface Measurement {
  readonly contestant: string
  /** CPU microseconds per unit. */
  readonly cpu: number
  /** The share of the time in which the server was at work. */
  readonly busy: number
  readonly units: number
}

/**
 * Measures the CPU time that servers take for a unit. Each round has processes of its own, since one may be luckier than
 * the next; they are warmed up, then measured in turn for a second each, to and fro, so that all meet the same neighbours.
 */
export async function cpuRounds(bench: Bench, plan: CpuRounds): Promise<Report> {
  const rounds: Measurement[][] = []
  for (let round = 1; round <= bench.options.rounds; round++) rounds.push(await measureRound(bench, plan, round))
  return reportOf(bench, plan, rounds)
}

async function measureRound(bench: Bench, plan: CpuRounds, round: number): Promise<Measurement[]> {
  const { rounds, seconds } = bench.options
  const progress = (name: string): void => bench.progress(`${plan.title}: round ${round} of ${rounds}, ${name}`)
  const running: Running[] = []
  try {
    for (const contestant of bench.contestants) {
      progress(`starting ${contestant.name}`)
      const server = await RunningContestant.start(contestant, { processor: bench.processors.server, args: plan.args, nodeOptions: contestant.command === undefined ? plan.nodeOptions ?? [] : [] })
      running.push({ server, cpu: 0, time: 0, units: 0 })
      await plan.check(server)
      await plan.load(server, WARM_UP)
    }
    for (let left = seconds; left > 0; left--) {
      for (const each of running) {
        progress(each.server.name)
        await measure(each, plan, Math.min(1, left))
      }
      running.reverse()
    }
    return running.map(({ server, cpu, time, units }) => ({ contestant: server.name, cpu: cpu / units, busy: cpu / 1000 / time, units }))
  } finally {
    await Promise.all(running.map(({ server }) => server.stop()))
  }
}

async function measure(each: Running, plan: CpuRounds, seconds: number): Promise<void> {
  const startedAt = performance.now()
  const before = each.server.cpu
  each.units += await plan.load(each.server, seconds)
  each.cpu += each.server.cpu - before
  each.time += performance.now() - startedAt
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
