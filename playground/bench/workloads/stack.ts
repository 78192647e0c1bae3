import { get } from 'node:http'
import { cpuRounds } from '../harness/cpu-rounds.ts'
import { httpClient, loadHttp } from '../harness/load.ts'
import { pinningText } from '../harness/processors.ts'
import { column, median, type Report, type Row } from '../harness/report.ts'
import type { Workload } from '../harness/workload.ts'
import { honoLayers, koaLayers, tsgiStack } from '../servers/index.ts'

const CONNECTIONS = 64
const LAYERS = 10

const variants = [
  { title: 'no layers', args: ['0'] },
  { title: 'ten layers', args: [String(LAYERS)] },
] as const

/** Layers that do nothing, above hello world: what they cost. */
export const workload: Workload = {
  description: `hello world beneath ${LAYERS} layers that pass it on, and beneath none, ${CONNECTIONS} connections: CPU time per request`,
  contestants: [koaLayers, honoLayers, tsgiStack],
  control: koaLayers.name,
  legend: [
    'CPU us/request  user and system time of the server process per request; median of the rounds',
    'of koa          that time as a share of what koa takes in the same round: lower is better; median of the rounds,',
    '                then the lowest and the highest of them',
    'busy            how much of the time the server was at work; well below 100%, the load client or another program on',
    '                this machine held it up, and the figures are worth less',
    'ten / none      what ten layers make of it: the medians of the tables above. tsgi should be at 1.15 at most, and with',
    '                ten layers at 0.6 of koa and 0.8 of hono at most',
  ],
  conditions: (options, processors) => ({
    seconds: options.seconds,
    client: httpClient(options.client),
    pinning: pinningText(processors),
  }),
  async *run(bench) {
    const client = httpClient(bench.options.client)
    const reports: Report[] = []
    for (const { title, args } of variants) {
      const report = await cpuRounds(bench, {
        title,
        unit: 'request',
        control: koaLayers.name,
        args,
        check: ({ name, url }) => check(name, url),
        load: ({ url }, seconds, started) => loadHttp({ client, url, started, connections: CONNECTIONS, seconds, fields: {}, processor: bench.processors.client }),
      })
      reports.push(report)
      yield report
    }
    const [none, ten] = reports
    if (none !== undefined && ten !== undefined) yield comparison(none, ten)
  },
}

/** What the layers have added, and how tsgi with them stands to the others. */
function comparison(none: Report, ten: Report): Report {
  const mine = figureOf(ten, tsgiStack.name)
  return {
    title: 'ten layers and none',
    columns: [column('ratio', 'ten / none', 2), column('mine', 'tsgi / this one, with ten', 2)],
    rows: ten.rows.map((row): Row => {
      const own = row.figures['cpu'] ?? NaN
      return { contestant: row.contestant, version: row.version, figures: { ratio: own / figureOf(none, row.contestant), mine: mine / own }, rounds: [] }
    }),
  }
}

function figureOf(report: Report, contestant: string): number {
  const found = report.rows.find((row) => row.contestant === contestant)
  return found === undefined ? NaN : median(found.rounds.map(({ cpu }) => cpu ?? NaN))
}

/** All contestants must give the same answer. */
async function check(name: string, url: string): Promise<void> {
  const { status, type, body } = await new Promise<{ status: number | undefined; type: string; body: string }>((done, fail) => {
    get(url, { agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('end', () => done({ status: response.statusCode, type: response.headers['content-type'] ?? '', body }))
      response.on('error', fail)
    }).on('error', fail)
  })
  if (status !== 200 || !/^text\/plain\b/.test(type) || body !== 'Hello world!') throw new Error(`${name} answered ${status} '${type}' '${body}'`)
}
