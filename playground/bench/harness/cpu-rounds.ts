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

/** A part of a round: CPU microseconds, milliseconds, units. */
interface Part {
  readonly cpu: number
  readonly time: number
  readonly units: number
}

/** A contestant in one round. */
interface Measurement {
  readonly server: RunningContestant
  /** Second by second; those of one place were measured side by side. */
  readonly parts: Part[]
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
  const running: Measurement[] = []
  try {
    for (const contestant of bench.contestants) {
      progress(`starting ${contestant.name}`)
      const server = await RunningContestant.start(contestant, { processor: bench.processors.server, args: plan.args, nodeOptions: contestant.command === undefined ? plan.nodeOptions ?? [] : [] })
      running.push({ server, parts: [] })
      await plan.check(server)
      await plan.load(server, WARM_UP)
    }
    for (let second = 0; second < seconds; second++) {
      for (const { server, parts } of second % 2 === 0 ? running : running.toReversed()) {
        progress(server.name)
        parts.push(await measure(server, plan))
      }
    }
    return running
  } finally {
    await Promise.all(running.map(({ server }) => server.stop()))
  }
}

async function measure(server: RunningContestant, plan: CpuRounds): Promise<Part> {
  const startedAt = performance.now()
  const before = server.cpu
  const units = await plan.load(server, 1)
  return { cpu: server.cpu - before, time: performance.now() - startedAt, units }
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
  const each = rounds.map((measurements) => {
    const parts = find(measurements, contestant.name)
    return { parts, ratios: ratios(parts, find(measurements, plan.control)), also: plan.also === undefined ? [] : ratios(parts, find(measurements, plan.also)) }
  })
  const figures = each.map(({ parts, ratios, also }) => figuresOf(plan, parts, ratios, also))
  const shares = figures.map(({ ratio }) => ratio)
  return {
    contestant: contestant.name,
    version: versionOf(contestant),
    figures: {
      ...figuresOf(plan, each.flatMap(({ parts }) => parts), each.flatMap(({ ratios }) => ratios), each.flatMap(({ also }) => also)),
      lowest: Math.min(...shares),
      highest: Math.max(...shares),
    },
    rounds: figures,
  }
}

function figuresOf(plan: CpuRounds, parts: readonly Part[], ratios: readonly number[], also: readonly number[]) {
  return {
    cpu: median(parts.map(({ cpu, units }) => cpu / units)),
    ratio: median(ratios),
    ...plan.also === undefined ? {} : { also: median(also) },
    busy: median(parts.map(({ cpu, time }) => (cpu / 1000 / time) * 100)),
    units: parts.reduce((sum, { units }) => sum + units, 0),
  }
}

/** What one took of what another took beside it, second by second. */
function ratios(parts: readonly Part[], others: readonly Part[]): number[] {
  return parts.map(({ cpu, units }, at) => {
    const other = others[at]
    return other === undefined ? NaN : cpu / units / (other.cpu / other.units)
  })
}

function find(measurements: readonly Measurement[], name: string): readonly Part[] {
  const found = measurements.find(({ server }) => server.name === name)
  if (found === undefined) throw new Error(`${name} was not measured`)
  return found.parts
}
