import { on, once } from 'node:events'
import { WebSocket } from 'ws'
import type { RunningContestant } from '../harness/contestant.ts'
import { cpuRounds } from '../harness/cpu-rounds.ts'
import { UsageError } from '../harness/options.ts'
import { pinningText } from '../harness/processors.ts'
import type { Report } from '../harness/report.ts'
import { MESSAGE_LENGTH, messageText } from '../harness/websocket-connection.ts'
import { WebSocketLoad, type WebSocketOrders } from '../harness/websocket-load.ts'
import type { Bench, Workload } from '../harness/workload.ts'
import { tsgiWebSocket, ws } from '../servers/index.ts'

const CONNECTIONS = 64
const MEMBERS = 1000
const MANY = 8
const PATIENCE = 5

type Pattern = Pick<WebSocketOrders, 'pattern' | 'connections' | 'inFlight'> & { readonly title: string }

const patterns: readonly Pattern[] = [
  { title: 'echo, 1 message in flight', pattern: 'echo', connections: CONNECTIONS, inFlight: 1 },
  { title: `echo, ${MANY} messages in flight`, pattern: 'echo', connections: CONNECTIONS, inFlight: MANY },
  { title: `broadcast to ${MEMBERS.toLocaleString('en')}`, pattern: 'broadcast', connections: MEMBERS, inFlight: 1 },
  { title: `broadcast to ${MEMBERS.toLocaleString('en')}, ${MANY} messages in flight`, pattern: 'broadcast', connections: MEMBERS, inFlight: MANY },
]

/** Short messages over WebSockets. */
export const workload: Workload = {
  description: `WebSocket messages of ${MESSAGE_LENGTH} bytes, echoed and broadcast: CPU time per message sent`,
  contestants: [ws, tsgiWebSocket],
  control: ws.name,
  legend: [
    'CPU us/message  user and system time of the server process per message that it sends; median of the rounds',
    'of ws           that time as a share of what ws takes in the same round: lower is better; median of the rounds,',
    '                then the lowest and the highest of them',
    'busy            how much of the time the server was at work; well below 100%, the load client or another program on',
    '                this machine held it up, and the figures are worth less',
    `in flight       each of ${CONNECTIONS} connections sends so many messages in one write, waits for all their echoes, and repeats`,
    'broadcast       one connection sends a message, the server sends it to all, the sender too; the next follows once all',
    '                have it; counted are the messages delivered, and the one received is part of their cost; most of it is',
    '                the system\'s, for one write to each client, which no server on node:net can save',
    'ws              the library alone, without compression: no application interface, no backpressure, no pings',
    `All messages are text, of ${MESSAGE_LENGTH} ASCII bytes; binary ones are not measured. Handshakes are not part of the figures.`,
  ],
  conditions: (options, processors) => {
    if (options.client === 'wrk') throw new UsageError('wrk knows no WebSocket; leave --client out')
    return { seconds: options.seconds, pinning: pinningText(processors) }
  },
  async *run(bench) {
    for (const pattern of patterns) yield await measure(bench, pattern)
  },
}

async function measure(bench: Bench, { title, ...orders }: Pattern): Promise<Report> {
  const clients = new Map<RunningContestant, WebSocketLoad>()
  try {
    return await cpuRounds(bench, {
      title,
      unit: 'message',
      control: ws.name,
      args: [orders.pattern],
      check: ({ name, url }) => check(name, url, orders.pattern),
      // The warm-up connects, and the rounds find the client connected.
      load: async (server, seconds, started) => {
        const client = clients.get(server) ?? await WebSocketLoad.start({ url: server.url, patience: PATIENCE, ...orders }, bench.processors.client)
        clients.set(server, client)
        started(client.child)
        return client.run(seconds)
      },
    })
  } finally {
    await Promise.all([...clients.values()].map((client) => client.stop()))
  }
}

/** Whole texts must come back, as text and in order: to the sender alone, or to all. */
async function check(name: string, url: string, pattern: Pattern['pattern']): Promise<void> {
  const sent = [messageText(0), messageText(1)]
  const sender = new WebSocket(url)
  const other = new WebSocket(url)
  try {
    await Promise.all([sender, other].map((socket) => once(socket, 'open')))
    const answers = Promise.all([received(sender, sent.length), received(other, pattern === 'broadcast' ? sent.length : 0)])
    for (const text of sent) sender.send(text)
    for (const answer of await answers) {
      if (!answer.every((text, at) => text === sent[at])) throw new Error(`${name} answered ${JSON.stringify(answer)}`)
    }
  } finally {
    sender.terminate()
    other.terminate()
  }
}

/** The first text messages that come; fails when one is binary or missing. */
async function received(socket: WebSocket, count: number): Promise<string[]> {
  const texts: string[] = []
  if (count === 0) return texts
  for await (const [data, isBinary] of on(socket, 'message', { signal: AbortSignal.timeout(PATIENCE * 1000) })) {
    texts.push(isBinary === true ? 'a binary message' : String(data))
    if (texts.length === count) break
  }
  return texts
}
