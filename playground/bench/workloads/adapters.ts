import { cpuRounds } from '../harness/cpu-rounds.ts'
import { checkHello } from '../harness/hello.ts'
import { httpClient, loadHttp } from '../harness/load.ts'
import { pinningText } from '../harness/processors.ts'
import type { Contestant, Workload } from '../harness/workload.ts'
import { expressNode, expressTsgi, hono, honoSrvx, honoTsgi } from '../servers/index.ts'

const CONNECTIONS = 64

interface Table {
  readonly title: string
  readonly control: Contestant
  readonly others: readonly Contestant[]
}

const tables: readonly Table[] = [
  { title: 'Express 5', control: expressNode, others: [expressTsgi] },
  { title: 'Hono', control: honoSrvx, others: [honoTsgi, hono] },
]

/** Applications of frameworks, on tsgi and on the servers that they mostly run on. */
export const workload: Workload = {
  description: `applications of Express and Hono, hello world, ${CONNECTIONS} keep-alive connections: CPU time per request`,
  contestants: tables.flatMap(({ control, others }) => [control, ...others]),
  control: expressNode.name,
  legend: [
    'CPU us/request  user and system time of the server process per request; median of the rounds',
    'of …            that time as a share of what the first row takes in the same round: lower is better; median of the',
    '                rounds, then the lowest and the highest of them',
    'busy            how much of the time the server was at work; well below 100%, the load client or another program on',
    '                this machine held it up, and the figures are worth less',
    'express         Express on node:http',
    'hono            Hono on @hono/node-server, which replaces the global Request and Response by light ones of its own',
  ],
  conditions: (options, processors) => ({
    seconds: options.seconds,
    client: httpClient(options.client),
    pinning: pinningText(processors),
  }),
  async *run(bench) {
    const client = httpClient(bench.options.client)
    for (const { title, control, others } of tables) {
      const contestants = [control, ...others.filter((each) => bench.contestants.includes(each))]
      if (contestants.length === 1) continue
      yield await cpuRounds({ ...bench, contestants }, {
        title,
        unit: 'request',
        control: control.name,
        args: [],
        check: checkHello,
        load: ({ url }, seconds, started) => loadHttp({ client, url, started, connections: CONNECTIONS, seconds, fields: {}, processor: bench.processors.client }),
      })
    }
  },
}
