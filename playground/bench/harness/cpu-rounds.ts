import type { ChildProcess } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { RunningContestant } from './contestant.ts'
import { column, median, restlessRemark, type Report } from './report.ts'
import { versionOf } from './versions.ts'
import type { Bench, Contestant } from './workload.ts'

/** Seconds of load before anything counts, so that all code is compiled. */
const WARM_UP = 2
/** Milliseconds of a contestant's turn. */
const TURN = 200

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
  /**
   * Puts a contestant under load; resolves to how many units it has served. `started` is told of the client's process,
   * which is stopped while others have their turns.
   */
  load(contestant: RunningContestant, seconds: number, started: (client: ChildProcess) => void): Promise<number>
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
 * the next; they are warmed up, then measured at the same time: their clients stay connected and take turns, to and fro,
 * so short that all meet the same neighbours.
 */
export async function cpuRounds(bench: Bench, plan: CpuRounds): Promise<Report> {
  const rounds: Measurement[][] = []
  for (let round = 1; round <= bench.options.rounds; round++) rounds.push(await measureRound(bench, plan, round))
  return reportOf(bench, plan, rounds)
}

async function measureRound(bench: Bench, plan: CpuRounds, round: number): Promise<Measurement[]> {
  const { rounds, seconds } = bench.options
  const progress = (text: string): void => bench.progress(`${plan.title}: round ${round} of ${rounds}, ${text}`)
  const servers: RunningContestant[] = []
  try {
    for (const contestant of bench.contestants) {
      progress(`starting ${contestant.name}`)
      const server = await RunningContestant.start(contestant, { processor: bench.processors.server, args: plan.args, nodeOptions: contestant.command === undefined ? plan.nodeOptions ?? [] : [] })
      servers.push(server)
      await plan.check(server)
      await plan.load(server, WARM_UP, () => {})
    }
    progress('all in turn')
    return await measureInTurn(plan, servers, seconds)
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
  }
}

/** A server and its client, which has its turns. */
class Running {
  readonly server: RunningContestant
  readonly #cpuBefore: number
  #client: ChildProcess | null = null
  #time = 0
  #since: number | null = null

  constructor(server: RunningContestant) {
    this.server = server
    this.#cpuBefore = server.cpu
  }

  async measure(plan: CpuRounds, seconds: number): Promise<Measurement> {
    const units = await plan.load(this.server, seconds, (client) => {
      this.#client = client
      this.pause()
    })
    this.pause()
    const cpu = this.server.cpu - this.#cpuBefore
    return { contestant: this.server.name, cpu: cpu / units, busy: cpu / 1000 / this.#time, units }
  }

  goOn(): void {
    this.#client?.kill('SIGCONT')
    this.#since ??= performance.now()
  }

  pause(): void {
    this.#client?.kill('SIGSTOP')
    if (this.#since !== null) this.#time += performance.now() - this.#since
    this.#since = null
  }
}

async function measureInTurn(plan: CpuRounds, servers: readonly RunningContestant[], seconds: number): Promise<Measurement[]> {
  const running = servers.map((server) => new Running(server))
  const whole = seconds * servers.length
  const measurements = running.map((each) => each.measure(plan, whole))
  const all = Promise.all(measurements)
  let over = false
  all.then(() => (over = true), () => (over = true))
  const end = performance.now() + whole * 1000
  try {
    for (let order = running; !over && performance.now() < end; order = order.toReversed()) {
      for (const each of order) {
        each.goOn()
        await wait(TURN)
        each.pause()
      }
    }
    // A client that had its first turn late has some time left.
    for (const [at, each] of running.entries()) {
      each.goOn()
      await measurements[at]
    }
    return await all
  } finally {
    for (const each of running) each.goOn()
  }
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
