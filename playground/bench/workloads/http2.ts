import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:http2'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunningContestant } from '../harness/contestant.ts'
import { cpuRounds } from '../harness/cpu-rounds.ts'
import { loadH2, needProgram, type H2Load } from '../harness/h2load.ts'
import { pinningText } from '../harness/processors.ts'
import type { Workload } from '../harness/workload.ts'
import { nodeHttp2, nodeHttp2Compat, tsgiHttp2 } from '../servers/index.ts'

interface Table extends Pick<H2Load, 'protocol' | 'connections' | 'streams'> {
  readonly title: string
  readonly variant: string
}

const tables: readonly Table[] = [
  { title: 'hello world over HTTP/2, 8 connections with 16 streams', variant: 'h2', protocol: 'h2', connections: 8, streams: 16 },
  { title: 'hello world over TLS, HTTP/1.1, 64 keep-alive connections', variant: 'hello', protocol: 'http/1.1', connections: 64, streams: 1 },
  { title: '1 MiB over TLS, HTTP/1.1, 8 keep-alive connections', variant: 'large', protocol: 'http/1.1', connections: 8, streams: 1 },
]

/** HTTP/2 and TLS. */
export const workload: Workload = {
  description: 'hello world over HTTP/2 and over TLS, and 1 MiB over TLS: CPU time per request',
  contestants: [nodeHttp2, nodeHttp2Compat, tsgiHttp2],
  control: nodeHttp2.name,
  legend: [
    'CPU us/request  user and system time of the server process per request; median of the rounds',
    'of node         that time as a share of what node takes in the same round: lower is better; median of the rounds,',
    '                then the lowest and the highest of them. A server that is the bottleneck has the inverse throughput',
    'busy            how much of the time the server was at work; well below 100%, the load client or another program on',
    '                this machine held it up, and the figures are worth less',
    'node            the `stream` event of node:http2; node:https in the tables over TLS',
    'node-compat     the compatibility API of node:http2',
  ],
  conditions: (options, processors) => {
    needProgram('h2load', 'nghttp2-client')
    needProgram('openssl', 'openssl')
    return { seconds: options.seconds, client: 'h2load', pinning: pinningText(processors) }
  },
  async *run(bench) {
    const folder = mkdtempSync(join(tmpdir(), 'tsgi-bench-'))
    try {
      const cert = join(folder, 'cert.pem')
      const key = join(folder, 'key.pem')
      execFileSync('openssl', [
        'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', key, '-out', cert,
      ], { stdio: 'ignore' })
      for (const { title, variant, ...load } of tables) {
        const contestants = bench.contestants.filter(({ name }) => variant === 'h2' || name !== nodeHttp2Compat.name)
        yield await cpuRounds({ ...bench, contestants }, {
          title,
          unit: 'request',
          control: nodeHttp2.name,
          args: [variant, cert, key],
          check: (server) => check(server, variant),
          load: ({ url }, seconds, started) => loadH2({ url, started, seconds, processor: bench.processors.client, ...load }),
        })
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}

/** All contestants must give the same answer. */
async function check({ name, url }: RunningContestant, variant: string): Promise<void> {
  const { status, type, body } = variant === 'h2' ? await overHttp2(url) : await overTls(url)
  const expected = variant === 'large' ? 'x'.repeat(1024 * 1024) : 'Hello world!'
  if (status !== 200 || !/^text\/plain\b/.test(type) || body !== expected) throw new Error(`${name} answered ${status} '${type}' '${body.slice(0, 100)}'`)
}

interface Answer {
  readonly status: number | undefined
  readonly type: string
  readonly body: string
}

function overHttp2(url: string): Promise<Answer> {
  return new Promise((done, fail) => {
    const session = connect(url)
    session.on('error', fail)
    const stream = session.request({ ':path': '/' })
    let status: number | undefined
    let type = ''
    let body = ''
    stream.setEncoding('utf8')
    stream.on('response', (headers) => {
      status = headers[':status']
      type = headers['content-type'] ?? ''
    })
    stream.on('data', (text: string) => (body += text))
    stream.on('end', () => {
      session.close()
      done({ status, type, body })
    })
  })
}

function overTls(url: string): Promise<Answer> {
  return new Promise((done, fail) => {
    request(url, { agent: false, rejectUnauthorized: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('end', () => done({ status: response.statusCode, type: response.headers['content-type'] ?? '', body }))
    }).on('error', fail).end()
  })
}
