import { setTimeout } from 'node:timers/promises'
import { RunningContestant } from '../harness/contestant.ts'
import { IdleConnections } from '../harness/idle-client.ts'
import { column, median } from '../harness/report.ts'
import { versionOf } from '../harness/versions.ts'
import type { Contestant, Workload } from '../harness/workload.ts'
import { floor, nodeHttp, tsgi } from '../servers/index.ts'

const CONNECTIONS = 4000
/** Connections that come and go before the first reading, so that what is made once has been made. */
const WARM_UP = 50
/** Keeps V8's young generation, up to 32 MiB that any traffic fills and no connection owns, at its smallest. */
const SMALL_YOUNG_GENERATION = '--max-semi-space-size=1'

interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
}

type Figures = Record<'rss' | 'own' | 'heap' | 'native', number>

/** Memory of connections that wait for their next request. */
export const workload: Workload = {
  description: `memory of ${CONNECTIONS.toLocaleString('en')} idle keep-alive connections, each after one request`,
  contestants: [nodeHttp, floor, tsgi],
  control: nodeHttp.name,
  legend: [
    `KiB     resident memory that a fresh server gains by its first ${CONNECTIONS} idle connections, for one of them, after garbage`,
    '        collection, without the kernel\'s socket buffers; median of the rounds, then the lowest and the highest',
    `own     the same for the next ${CONNECTIONS}, with V8's young generation held small: what a connection itself keeps`,
    'heap    of that, JavaScript objects and buffers',
    'native  of that, memory of Node and libuv, and what pages have left over',
  ],
  conditions: () => ({}),
  async *run(bench) {
    const rounds: { contestant: string; figures: Figures }[] = []
    for (let round = 1; round <= bench.options.rounds; round++) {
      for (const contestant of bench.contestants) {
        bench.progress(`round ${round} of ${bench.options.rounds}, ${contestant.name}`)
        rounds.push({ contestant: contestant.name, figures: await measure(contestant) })
      }
    }
    yield {
      title: 'per idle connection',
      columns: [
        column('rss', 'KiB', 1), column('lowest', 'lowest', 1), column('highest', 'highest', 1),
        column('own', 'own', 1), column('heap', 'heap', 1), column('native', 'native', 1),
      ],
      rows: bench.contestants.map((contestant) => {
        const own = rounds.filter((round) => round.contestant === contestant.name).map(({ figures }) => figures)
        const rss = own.map((figures) => figures.rss)
        return {
          contestant: contestant.name,
          version: versionOf(contestant),
          figures: {
            rss: median(rss),
            lowest: Math.min(...rss),
            highest: Math.max(...rss),
            own: median(own.map((figures) => figures.own)),
            heap: median(own.map(({ heap }) => heap)),
            native: median(own.map(({ native }) => native)),
          },
          rounds: own,
        }
      }),
    }
  },
}

async function measure(contestant: Contestant): Promise<Figures> {
  const [none, first] = await readings(contestant, [], [0, CONNECTIONS])
  const [half, whole] = await readings(contestant, [SMALL_YOUNG_GENERATION], [CONNECTIONS, 2 * CONNECTIONS])
  const own = perConnection(half.rss, whole.rss)
  const heap = perConnection(half.heapUsed + half.external, whole.heapUsed + whole.external)
  return { rss: perConnection(none.rss, first.rss), own, heap, native: own - heap }
}

/** The memory of a fresh server at one number of idle connections, and at another. */
async function readings(
  contestant: Contestant, nodeOptions: readonly string[], [from, to]: readonly [number, number],
): Promise<[Memory, Memory]> {
  const server = await RunningContestant.start(contestant, { processor: null, nodeOptions: ['--expose-gc', ...nodeOptions] })
  const connections = new IdleConnections(server.url)
  try {
    const descriptors = server.descriptors
    await connections.open(WARM_UP)
    connections.close()
    for (let wait = 0; server.descriptors > descriptors && wait < 500; wait++) await setTimeout(10)
    await connections.open(from)
    const before = await memoryOf(server)
    await connections.open(to)
    const after = await memoryOf(server)
    const held = server.descriptors - descriptors
    if (held < to) throw new Error(`${contestant.name} holds ${held} of ${to} idle connections`)
    return [before, after]
  } finally {
    connections.close()
    await server.stop()
  }
}

async function memoryOf(server: RunningContestant): Promise<Memory> {
  return (await server.ask('memory') as { memory: Memory }).memory
}

/** KiB per connection. */
function perConnection(before: number, after: number): number {
  return (after - before) / CONNECTIONS / 1024
}
