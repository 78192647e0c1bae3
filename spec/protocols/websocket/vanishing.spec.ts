import * as assert from 'uvu/assert'
import { application, type ExchangeObserver } from '../../../lib/index.ts'
import { deferred } from '../../support/deferred.ts'
import { rawServer } from '../../support/raw-socket.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { frame, openWebSocket, TEXT } from '../../support/websocket-raw.ts'
import { held } from './recorder.ts'

const test = suite('WebSocket: clients that vanish')

/** How many connect, talk and vanish. */
const CLIENTS = Number(process.env['CLIENTS'] ?? 1000)

/** Clients that connect, talk and vanish in every way; resolves when each application has returned. */
async function vanish(port: number, count: number, done: () => Promise<void>, t: TestContext): Promise<void> {
  for (let made = 0; made < count; made += 100) {
    await Promise.all(Array.from({ length: Math.min(100, count - made) }, async (_, index) => {
      const socket = await openWebSocket(t, port)
      socket.send(frame(TEXT, 'Hello'))
      assert.is((await socket.next()).payload.toString(), 'Hello')
      // Some within a frame, some with answers under way.
      if (index % 4 >= 2) socket.send(frame(TEXT, 'unread'), frame(TEXT, 'cut short').subarray(0, 9))
      if (index % 2 === 0) socket.raw.socket.resetAndDestroy()
      else socket.raw.socket.destroy()
      await socket.raw.closed
    }))
  }
  await done()
}

test(`${CLIENTS} clients connect, talk and vanish, half of them by RST: each application hears of it once, nothing stays`, async (t) => {
  let wanted = 0
  let finished = 0
  let told = 0
  let calls = 0
  const codes = new Map<number, number>()
  const errors: unknown[] = []
  let all = deferred()
  const observer: ExchangeObserver = {
    received: (_exchange, event) => void (event.type === 'websocket.disconnect' && told++),
    finished: ({ error }) => {
      if (error !== undefined) errors.push(error)
      if (++finished === wanted) all.resolve()
    },
  }
  const server = await rawServer(t, application({
    websocket: async (_scope, receive, send) => {
      calls++
      await receive()
      await send({ type: 'websocket.accept' })
      for (;;) {
        const event = await receive()
        if (event.type === 'websocket.disconnect') {
          codes.set(event.code, (codes.get(event.code) ?? 0) + 1)
          return
        }
        if (event.type === 'websocket.receive') await send({ type: 'websocket.send', text: event.text }).catch(() => {})
      }
    },
  }), { observer })
  const round = async (count: number): Promise<{ heap: number; resources: string[] }> => {
    wanted += count
    all = deferred()
    const cleaners: (() => unknown)[] = []
    await vanish(server.port, count, () => all.promise, { after: (clean) => cleaners.push(clean) })
    await held()
    // No client is kept by its cleaner when the heap is weighed.
    for (const clean of cleaners.splice(0)) clean()
    const total = await held()
    return { heap: total, resources: process.getActiveResourcesInfo().filter((name) => name !== 'Timeout').sort() }
  }
  await round(300)
  const before = await round(300)
  const after = await round(CLIENTS)
  const growth = after.heap - before.heap
  if (process.env['FIGURES'] !== undefined) console.log(`\n  ${CLIENTS} vanished: held memory ${growth >= 0 ? '+' : ''}${growth.toFixed(2)} MiB; codes ${JSON.stringify([...codes])}`)
  const count = 600 + CLIENTS
  assert.equal([calls, finished, told, errors], [count, count, count, []])
  assert.equal([...codes], [[1006, count]])
  assert.equal(after.resources, before.resources)
  assert.ok(growth < 2, `held memory grew by ${growth.toFixed(2)} MiB`)
}, 120)

test.run()
