/** Applications that a WSGI host calls. The loop imports them, and so does the spec, which sees their state. */
import { threadId } from 'node:worker_threads'
import { setImmediate as turn } from 'node:timers/promises'
import { application, disconnectSignal, type Application, type HttpScope, type Receive, type Send } from '../../../lib/index.ts'
import { onThreads } from '../../../lib/threads/index.ts'
import { fromWsgi } from '../../../adapters/wsgi/from-wsgi.ts'
import { deferred, type Deferred } from '../../support/deferred.ts'

/** What the spec has an application wait for, and hears of it. */
export const stage: { gate: Deferred<void>; told: Deferred<unknown>; sends: number; starts: number; refuseStart: boolean } = {
  gate: deferred(), told: deferred(), sends: 0, starts: 0, refuseStart: false,
}

/** Makes the stage new for a test. */
export function clear(): typeof stage {
  return Object.assign(stage, { gate: deferred<void>(), told: deferred<unknown>(), sends: 0, refuseStart: false })
}

const threads = onThreads<typeof import('./sync-work.ts')>(new URL('./sync-work.ts', import.meta.url))

async function text(send: Send, body: string, status = 200, headers: readonly (readonly [string, string])[] = []): Promise<void> {
  await send({ type: 'http.response.start', status, headers })
  await send({ type: 'http.response.body', body })
}

/** What an exception class says. */
const nameOf = (error: unknown): string => error instanceof Error ? error.constructor.name : String(error)

const http = (run: (scope: HttpScope, receive: Receive, send: Send) => Promise<void>): Application => application({ http: async (scope, receive, send) => run(scope, receive as Receive, send as Send) })

/** Tells its scope. */
export const scope: Application = http(async ({ asgi: _, headers, extensions, state, ...rest }, _receive, send) => {
  await text(send, JSON.stringify({ ...rest, headers: [...headers], extensions, state }))
})

/** Answers with the head that the query string has as JSON. */
export const answer: Application = http(async ({ queryString }, _receive, send) => {
  const { status = 200, headers = [], body = '' } = JSON.parse(decodeURIComponent(queryString)) as { status?: number; headers?: [string, string][]; body?: string }
  await text(send, body, status, headers)
})

/** Sends back each part of the body as it comes. */
export const echo: Application = http(async (_scope, receive, send) => {
  await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'application/octet-stream']] })
  for (;;) {
    const event = await receive()
    if (event.type !== 'http.request') return
    await send({ type: 'http.response.body', body: event.body, moreBody: event.moreBody })
    if (!event.moreBody) return
  }
})

/** Takes one part of the body, and no more. */
export const takesOne: Application = http(async (_scope, receive, send) => {
  const event = await receive()
  await text(send, event.type === 'http.request' ? Buffer.from(event.body).toString() : event.type)
})

/** Sends `one`, and `two` when the gate opens. */
export const twoParts: Application = http(async (_scope, _receive, send) => {
  await send({ type: 'http.response.start', status: 200 })
  await send({ type: 'http.response.body', body: 'one', moreBody: true })
  await stage.gate.promise
  await send({ type: 'http.response.body', body: 'two' })
})

/** Sends until its client has left; tells what it sees of that. */
export const endless: Application = http(async (scope, receive, send) => {
  await send({ type: 'http.response.start', status: 200 })
  const signal = disconnectSignal(scope)
  try {
    for (;; stage.sends++) await send({ type: 'http.response.body', body: `block ${stage.sends};`, moreBody: true })
  } catch (error) {
    stage.told.resolve([nameOf(error), (await receive()).type, signal.aborted])
    throw error
  }
})

/** Sends its head and then nothing; tells when its client has left. */
export const silent: Application = http(async (scope, receive, send) => {
  await send({ type: 'http.response.start', status: 200 })
  await send({ type: 'http.response.body', moreBody: true })
  stage.gate.resolve()
  const signal = disconnectSignal(scope)
  while ((await receive()).type !== 'http.disconnect');
  stage.told.resolve(['http.disconnect', signal.aborted])
})

/** Reads to the end, or until its client has left. */
export const reads: Application = http(async (scope, receive, send) => {
  const signal = disconnectSignal(scope)
  const types: string[] = []
  for (;;) {
    const event = await receive()
    types.push(event.type)
    if (event.type !== 'http.request' || !event.moreBody) break
  }
  stage.told.resolve([types.at(-1), signal.aborted])
  await text(send, 'read')
})

export const failsBefore: Application = http(async (_scope, _receive, send) => {
  await send({ type: 'http.response.start', status: 200 })
  throw new RangeError('before the head')
})

export const failsAfter: Application = http(async (_scope, _receive, send) => {
  await send({ type: 'http.response.start', status: 200 })
  await send({ type: 'http.response.body', body: 'some', moreBody: true })
  throw new RangeError('after the head')
})

/** Goes on when its response is complete. */
export const goesOn: Application = http(async (_scope, _receive, send) => {
  await text(send, 'done')
  await stage.gate.promise
  stage.told.resolve('went on')
})

/** Waits for more of the body while it answers. */
export const answersEarly: Application = http(async (_scope, receive, send) => {
  void receive()
  await send({ type: 'http.response.start', status: 200 })
  for (const body of ['a', 'b', 'c']) await send({ type: 'http.response.body', body, moreBody: true })
  await send({ type: 'http.response.body', body: 'd' })
})

/** Calls sync functions at every stage; they tell their thread. */
export const callsSync: Application = http(async (_scope, receive, send) => {
  const places = [await threads.where()]
  await receive()
  places.push(await threads.where())
  await send({ type: 'http.response.start', status: 200 })
  await send({ type: 'http.response.body', body: '-', moreBody: true })
  places.push(await threads.where())
  await send({ type: 'http.response.body', body: places.join() })
})

const members: Send[] = []

/** Two requests that meet: each part is sent to both, by whoever comes second. */
export const meets: Application = http(async (_scope, receive, send) => {
  await send({ type: 'http.response.start', status: 200 })
  members.push(send)
  if (members.length === 2) {
    for (const member of members) await member({ type: 'http.response.body', body: 'to all;', moreBody: true })
    for (const member of members.splice(0)) await member({ type: 'http.response.body', body: 'bye' })
  } else {
    while ((await receive()).type !== 'http.disconnect');
  }
})

/** Has a lifespan. */
export const lives: Application = application({
  async *lifespan() {
    if (stage.refuseStart) throw new Error('not today')
    yield { starts: ++stage.starts, place: await threads.where() }
  },
  http: async ({ state }, _receive, send) => text(send as Send, JSON.stringify(state)),
})

/** The thread of the loop. */
export const loopThread: Application = http(async (_scope, _receive, send) => text(send, `loop ${threadId}`))

/** Sync applications, on threads. */
const syncApp = (name: string): Application => fromWsgi(new URL(`./sync-apps.ts#${name}`, import.meta.url))
export const syncEcho: Application = syncApp('echo')
export const syncWhere: Application = syncApp('where')
export const syncLong: Application = syncApp('long')
/** A sync one, which an async one is made of, which a sync one is made of. */
export const twice: Application = fromWsgi(new URL('./round-apps.ts#syncEcho', import.meta.url))

/** What a host waits for that waits for ever. */
export async function never(): Promise<void> {
  await turn()
  await new Promise(() => {})
}
