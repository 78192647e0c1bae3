import { cpuRounds } from '../harness/cpu-rounds.ts'
import { checkHello } from '../harness/hello.ts'
import { httpClient, loadHttp } from '../harness/load.ts'
import { pinningText } from '../harness/processors.ts'
import type { Workload } from '../harness/workload.ts'
import { fastify, floor, hono, nodeHttp, srvx, tsgi } from '../servers/index.ts'

const CONNECTIONS = 64

/** With Host, the 14 fields that a browser sends for a page. */
const browserFields: Readonly<Record<string, string>> = {
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Accept': 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language': 'en-US,en;q=0.9,de;q=0.8',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Cache-Control': 'max-age=0',
  'Upgrade-Insecure-Requests': '1',
  'Sec-Ch-Ua': '"Chromium";v="140", "Not=A?Brand";v="24"',
  'Sec-Ch-Ua-Mobile': '?0',
  'Sec-Ch-Ua-Platform': '"Linux"',
  'Sec-Fetch-Site': 'none',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-Dest': 'document',
  'Cookie': 'session=abcdef0123456789; theme=dark',
}

const requests = [
  { name: '1 header', fields: {} },
  { name: '14 headers', fields: browserFields },
] as const

const applications = [
  { name: 'application does not read them', args: [] },
  { name: 'application reads them all', args: ['read'] },
] as const

/** Hello world over HTTP/1.1, on keep-alive connections. */
export const workload: Workload = {
  description: `hello world over HTTP/1.1, ${CONNECTIONS} keep-alive connections: CPU time per request`,
  contestants: [nodeHttp, floor, tsgi, srvx, fastify, hono],
  control: nodeHttp.name,
  legend: [
    'CPU us/request  user and system time of the server process per request; median of the rounds',
    'of node-http    that time as a share of what node-http takes in the same round: lower is better; median of the',
    '                rounds, then the lowest and the highest of them',
    'busy            how much of the time the server was at work; well below 100%, the load client or another program on',
    '                this machine held it up, and the figures are worth less',
    'node-http       bare node:http, without a framework',
    'floor           answers each read with fixed bytes and parses nothing: what a server on node:net can hardly beat',
  ],
  conditions: (options, processors) => ({
    seconds: options.seconds,
    client: httpClient(options.client),
    pinning: pinningText(processors),
  }),
  async *run(bench) {
    const client = httpClient(bench.options.client)
    for (const application of applications) {
      for (const request of requests) {
        yield await cpuRounds(bench, {
          title: `${request.name}, ${application.name}`,
          unit: 'request',
          control: nodeHttp.name,
          args: application.args,
          check: checkHello,
          load: ({ url }, seconds, started) => loadHttp({
            client, url, started, connections: CONNECTIONS, seconds, fields: request.fields, processor: bench.processors.client,
          }),
        })
      }
    }
  },
}
