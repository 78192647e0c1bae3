/**
 * A load client for WebSockets; a program of its own, whose parent is websocket-load.ts. It connects once. Asked to
 * run for some seconds, it sends messages, and answers how many came back or were delivered once all have.
 */
import { messageFrames, MARKS, WebSocketConnection } from './websocket-connection.ts'
import type { WebSocketAnswer, WebSocketOrders } from './websocket-load.ts'

const AT_ONCE = 50

const orders = JSON.parse(process.argv[2] ?? '') as WebSocketOrders
const connections: WebSocketConnection[] = []

let messages = 0
let busy = 0
let stopping = false
let done: () => void = () => {}

function tell(answer: WebSocketAnswer): void {
  process.send?.(answer, () => {})
}

/** The first failure is the last word. */
function fail(reason: string): void {
  if (!process.connected) return
  tell({ error: reason })
  process.disconnect()
}

/**
 * One round after the other: the first of the members sends `inFlight` messages in one write, and the next ones, which
 * are others, once every member has them all.
 */
function rounds(members: readonly WebSocketConnection[]): () => void {
  const { inFlight } = orders
  const frames = Array.from({ length: MARKS / inFlight }, (_, at) => messageFrames(at * inFlight, (at + 1) * inFlight))
  let sent = 0
  let missing = 0
  const send = (): void => {
    members[0]?.write(frames[sent % MARKS / inFlight] as Buffer)
    sent += inFlight
    missing = members.length * inFlight
  }
  for (const member of members) {
    let received = 0
    member.onMessage = (mark) => {
      if (received === sent) return fail('a message came that was not sent')
      if (mark !== received % MARKS) return fail(`message ${mark} came, not ${received % MARKS}`)
      received++
      if (--missing > 0) return
      messages += members.length * inFlight
      if (!stopping) send()
      else if (--busy === 0) done()
    }
  }
  return send
}

async function run(groups: readonly (() => void)[], seconds: number): Promise<number> {
  messages = 0
  stopping = false
  const all = new Promise<void>((resolve) => (done = resolve))
  let late: NodeJS.Timeout | undefined
  setTimeout(() => {
    stopping = true
    late = setTimeout(() => fail(`messages of ${busy} out of ${groups.length} senders are missing ${orders.patience} seconds later`), orders.patience * 1000)
  }, seconds * 1000)
  busy = groups.length
  for (const start of groups) start()
  await all
  clearTimeout(late)
  return messages
}

const url = new URL(orders.url)
while (connections.length < orders.connections) {
  const missing = Math.min(AT_ONCE, orders.connections - connections.length)
  connections.push(...await Promise.all(Array.from({ length: missing }, () => WebSocketConnection.open(url, fail))))
}
const groups = orders.pattern === 'broadcast' ? [rounds(connections)] : connections.map((connection) => rounds([connection]))
process.on('disconnect', () => process.exit())
process.on('message', async (seconds: number) => tell({ messages: await run(groups, seconds) }))
tell({ messages: 0 })
