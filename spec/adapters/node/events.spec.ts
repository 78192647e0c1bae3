/** The events of requests and responses come in the order in which those of node:http come. */
import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { pipeline, Readable } from 'node:stream'
import * as assert from 'uvu/assert'
import { deferred, type Deferred } from '../../support/deferred.ts'
import { suite, type TestContext } from '../../support/suite.ts'
import { onNodeHttp, onTsgi } from './hosts.ts'

const test = suite('events of node listeners')

/** What one host is heard to do. */
class Recorder {
  readonly log: string[] = []
  /** Settled by the listener, or when the response is closed. */
  readonly done: Deferred<void> = deferred()

  watch(request: IncomingMessage, response: ServerResponse): void {
    for (const name of ['end', 'aborted', 'error', 'close']) request.on(name, (error?: { code?: string }) => this.log.push(`request ${name}${error?.code === undefined ? '' : ` ${error.code}`}`))
    for (const name of ['prefinish', 'finish', 'drain', 'error', 'close', 'pipe', 'unpipe']) response.on(name, (error?: { code?: string }) => this.log.push(`response ${name}${error?.code === undefined ? '' : ` ${error.code}`}`))
    response.once('close', () => setTimeout(() => this.done.resolve(), 10))
  }
}

type Act = (recorder: Recorder, request: IncomingMessage, response: ServerResponse) => unknown

type Drive = (socket: Socket, recorder: Recorder) => unknown

/** Runs the same on both hosts and compares what was heard. `drive` gets a socket that has sent `head`. */
async function same(t: TestContext, head: string, act: Act, drive: Drive = () => {}): Promise<string[]> {
  const [there = [], here = []] = await both(t, head, act, drive)
  assert.equal(here, there)
  return there
}

/** What is heard with node:http, and with tsgi. */
async function both(t: TestContext, head: string, act: Act, drive: Drive = () => {}): Promise<string[][]> {
  const logs: string[][] = []
  for (const host of [onNodeHttp, onTsgi]) {
    const recorder = new Recorder()
    const listener: RequestListener = (request, response) => {
      recorder.watch(request, response)
      act(recorder, request, response)
    }
    const { port } = new URL(await host(t, listener))
    const socket = connect(Number(port), '127.0.0.1')
    socket.on('error', () => {}).on('data', () => {})
    t.after(() => socket.destroy())
    await once(socket, 'connect')
    socket.write(head)
    await drive(socket, recorder)
    await recorder.done.promise
    logs.push(recorder.log)
  }
  return logs
}

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const post = (length: number, body: string): string => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${body}`

test('a response at once', async (t) => {
  const log = await same(t, get, ({ log }, request, response) => {
    response.end('x', () => log.push('ended'))
    log.push(`after end: ${[response.writableEnded, response.finished, response.headersSent, response.writableFinished, request.complete]}`)
    response.on('close', () => log.push(`at close: ${[response.writableFinished, response.destroyed, response.closed, response.errored ?? null, response.socket === null, request.socket.destroyed]}`))
    setImmediate(() => log.push(`later: ${[request.complete, request.readableEnded, request.aborted]}`))
  })
  assert.ok(log.includes('response finish') && log.includes('response close') && !log.includes('request aborted'))
})

test('a response after a while', async (t) => {
  await same(t, get, ({ log }, request, response) => setTimeout(() => {
    log.push(`complete: ${request.complete}`)
    response.writeHead(200)
    response.write('a', () => log.push('written'))
    setTimeout(() => response.end(), 5)
  }, 5))
})

test('a request that is read to its end', async (t) => {
  const log = await same(t, post(6, 'abc'), ({ log }, request, response) => {
    request.on('data', (chunk: Buffer) => log.push(`data ${chunk}`)).on('end', () => response.end(`complete: ${request.complete}`))
  }, async (socket, { log }) => {
    while (!log.includes('data abc')) await new Promise(setImmediate)
    socket.write('def')
  })
  assert.equal(log.slice(0, 3), ['data abc', 'data def', 'request end'])
})

test('a request that nobody reads', async (t) => {
  const [there = [], log = []] = await both(t, post(3, 'abc'), (_recorder, _request, response) => setTimeout(() => response.end('x'), 5))
  // What node:http has read already it gives to nobody after the response's `close` in some versions, before it in others.
  assert.equal([...log].sort(), [...there].sort())
  assert.ok(log.includes('request end') && log.includes('request close'))
})

test('a request that is read after its response: it comes whole, if a little later', async (t) => {
  const [there = [], here = []] = await both(t, post(6, 'abc'), ({ log }, request, response) => {
    request.on('data', (chunk: Buffer) => log.push(`data ${chunk}`))
    response.end('x')
  }, async (socket, { log }) => {
    while (!log.includes('data abc')) await new Promise(setImmediate)
    socket.write('def')
    while (!log.includes('request close')) await new Promise(setImmediate)
  })
  assert.equal(here.filter((each) => each.startsWith('request') || each.startsWith('data')), ['data abc', 'data def', 'request end', 'request close'])
  assert.equal([...here].sort(), [...there].sort())
})

test('a response that is piped into', async (t) => {
  const log = await same(t, get, (_recorder, _request, response) => Readable.from([Buffer.alloc(10), Buffer.alloc(10)]).pipe(response))
  assert.ok(log.includes('response pipe') && log.includes('response unpipe'))
})

test('drain follows a write that fills', async (t) => {
  const log = await same(t, get, ({ log }, _request, response) => {
    log.push(`room: ${response.write(Buffer.alloc(1_000_000))} ${response.writableNeedDrain}`)
    response.once('drain', () => {
      log.push(`drained: ${response.writableNeedDrain} ${response.writableLength}`)
      response.end('x')
    })
  })
  assert.equal(log.slice(0, 3), ['room: false true', 'response drain', 'drained: false 0'])
})

for (const [how, leave] of [['by a reset', (socket: Socket) => socket.resetAndDestroy()], ['with its side closed first', (socket: Socket) => socket.destroy()]] as const) {
  test(`a client that leaves within its body, ${how}`, async (t) => {
    const log = await same(t, post(9, 'abc'), ({ log }, request) => {
      request.on('data', () => log.push('data'))
    }, async (socket, { log }) => {
      while (!log.includes('data')) await new Promise(setImmediate)
      leave(socket)
    })
    for (const each of ['request aborted', 'request error ECONNRESET', 'request close', 'response close']) assert.ok(log.includes(each), each)
    assert.not(log.includes('response finish'))
  })
}

test('a client that leaves while it waits', async (t) => {
  const log = await same(t, get, ({ log }, request, response) => {
    log.push('called')
    response.on('close', () => {
      log.push(`at close: ${[request.aborted, request.destroyed, response.destroyed, response.writableEnded, response.socket?.destroyed]}`)
      log.push(`write: ${response.write('x', (error) => log.push(`written: ${(error as { code?: string } | null)?.code}`))}`)
      response.end('y')
      log.push(`ended: ${[response.writableEnded, response.writableFinished]}`)
    })
  }, async (socket, { log }) => {
    while (log.length === 0) await new Promise(setImmediate)
    socket.resetAndDestroy()
  })
  assert.ok(log.includes('request aborted') && log.includes('write: false'))
})

test('a client that leaves within the response', async (t) => {
  const log = await same(t, get, ({ log }, _request, response) => {
    const timer = setInterval(() => response.write('x'), 2)
    log.push('called')
    response.on('close', () => clearInterval(timer))
  }, async (socket, { log }) => {
    while (log.length === 0) await new Promise(setImmediate)
    await once(socket, 'data')
    socket.resetAndDestroy()
  })
  assert.ok(log.includes('response close') && !log.includes('response finish'))
})

test('a client that leaves before it has taken a response that is ended', async (t) => {
  const [, log = []] = await both(t, get, ({ log }, _request, response) => {
    response.end(Buffer.alloc(30_000_000))
    log.push('called')
  }, async (socket, { log }) => {
    socket.pause()
    while (log.length === 0) await new Promise(setImmediate)
    await new Promise((resolve) => setTimeout(resolve, 20))
    socket.resetAndDestroy()
  })
  // Versions of node:http differ about `finish` here.
  assert.ok(log.includes('response close'))
})

test('a listener that destroys its response', async (t) => {
  await same(t, get, (_recorder, _request, response) => {
    response.write('x')
    setTimeout(() => response.destroy(), 5)
  })
})

test('a listener that destroys its request', async (t) => {
  await same(t, post(9, 'abc'), (_recorder, request) => setTimeout(() => request.destroy(), 5))
})

test('a pipeline whose source fails', async (t) => {
  const log = await same(t, get, ({ log }, _request, response) => {
    const source = new Readable({ read() {} })
    source.push('begun')
    pipeline(source, response, (error) => log.push(`pipeline: ${error?.message}`))
    setTimeout(() => source.destroy(new Error('broken')), 5)
  })
  assert.ok(log.includes('pipeline: broken'))
})

test('a pipeline whose client leaves', async (t) => {
  const log = await same(t, get, ({ log }, _request, response) => {
    const source = new Readable({ read() {} })
    source.push('begun')
    pipeline(source, response, (error) => log.push(`pipeline: ${(error as { code?: string } | null)?.code}, ${source.destroyed}`))
  }, async (socket) => {
    await once(socket, 'data')
    socket.resetAndDestroy()
  })
  assert.ok(log.includes('pipeline: ERR_STREAM_PREMATURE_CLOSE, true'))
})

test('a loop over the request', async (t) => {
  await same(t, post(6, 'abcdef'), async ({ log }, request, response) => {
    for await (const chunk of request) log.push(`chunk ${String(chunk)}`)
    response.end('x')
  })
})

test('a write after the end', async (t) => {
  const log = await same(t, get, ({ log }, _request, response) => {
    response.end('x')
    log.push(`write: ${response.write('late', (error) => log.push(`written: ${(error as { code?: string } | null)?.code}`))}`)
    response.end('later')
    response.end(() => log.push('end'))
  })
  assert.ok(log.includes('response error ERR_STREAM_WRITE_AFTER_END'))
})

test('a time limit that runs out', async (t) => {
  const log = await same(t, get, ({ log }, _request, response) => response.setTimeout(20, () => {
    log.push('timeout')
    response.statusCode = 503
    response.end()
  }))
  assert.ok(log.includes('timeout'))
  await same(t, get, (_recorder, request) => request.socket.setTimeout(20))
})

test.run()
