import * as assert from 'uvu/assert'
import { disconnectSignal, serve, type Application, type HttpScope, type Receive } from '../../lib/index.ts'
import sse from '../../playground/sse.ts'
import { suite } from '../support/suite.ts'
import { firstOutcome, RawClient, start } from './support.ts'

const test = suite('playground clock')

/** The clock, and how it and its client part. */
function watchedClock(): { app: Application; told: Promise<unknown>; aborted: Promise<unknown>; returned: Promise<void> } {
  const events: Record<string, () => void> = {}
  const when = (name: string): Promise<void> => new Promise((resolve) => (events[name] = resolve))
  const watch = async (receive: Receive): Promise<void> => {
    while ((await receive()).type !== 'http.disconnect');
    events['told']?.()
  }
  return {
    app: async (scope, receive, send) => {
      if (scope.type === 'lifespan') return sse(scope, receive, send)
      void watch(receive)
      disconnectSignal(scope as HttpScope).addEventListener('abort', () => events['aborted']?.())
      await sse(scope, receive, send).finally(() => events['returned']?.())
    },
    told: when('told'),
    aborted: when('aborted'),
    returned: when('returned'),
  }
}

const LISTEN = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}

test('the clock ticks each second, as server-sent events', async (t) => {
  const response = await fetch(await start(t, sse))
  assert.is(response.headers.get('content-type'), 'text/event-stream')
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  t.after(() => reader?.cancel())
  const times: number[] = []
  while (times.length < 3) {
    const { value = '' } = await reader?.read() ?? {}
    const [, time] = /^event: tick\ndata: (\S+)\n\n$/.exec(value) ?? []
    assert.ok(time, JSON.stringify(value))
    times.push(Date.parse(time))
  }
  for (const [i, gap] of [1, 2].map((i) => (times[i] ?? 0) - (times[i - 1] ?? 0)).entries()) assert.ok(gap >= 990 && gap < 1900, `gap ${i}: ${gap} ms`)
})

test('the clock answers HEAD with its head alone', async (t) => {
  const response = await fetch(await start(t, sse), { method: 'HEAD' })
  assert.is(response.headers.get('content-type'), 'text/event-stream')
  assert.is(await response.text(), '')
})

test('the clock ends at once when its client breaks off: receive and the signal both say so, and no timer is left', async (t) => {
  const clock = watchedClock()
  const { outcome, options } = firstOutcome()
  const url = await start(t, clock.app, options)
  const before = timers()
  const client = new RawClient(t, url, LISTEN)
  await client.until('event: tick')
  const left = performance.now()
  client.socket.resetAndDestroy()
  await Promise.all([clock.told, clock.aborted, clock.returned])
  const took = performance.now() - left
  assert.ok(took < 500, `${took} ms`)
  const { disconnected, error } = await outcome
  assert.is(disconnected, true)
  assert.is(error, undefined)
  assert.ok(timers() <= before, `${timers()} timers, ${before} before`)
})

test('the clock ends within two ticks when its client closes properly, as a closed tab does', async (t) => {
  const clock = watchedClock()
  const client = new RawClient(t, await start(t, clock.app), LISTEN)
  await client.until('event: tick')
  const left = performance.now()
  client.socket.destroy()
  await Promise.all([clock.told, clock.aborted, clock.returned])
  const took = performance.now() - left
  assert.ok(took < 2900, `${took} ms`)
})

test('the clock ends at once, and properly, when the server stops', async (t) => {
  const server = await serve(sse, { port: 0, accessLog: false })
  t.after(() => server.close())
  const client = new RawClient(t, server.url, LISTEN)
  await client.until('event: tick')
  const began = performance.now()
  void server.close()
  await client.until('\r\n0\r\n\r\n')
  await server.closed
  assert.ok(performance.now() - began < 900)
})

test.run()
