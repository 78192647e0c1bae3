/** Code that blocks, beside a clock that ticks: called on the loop it stops the clock, called on a thread it does not. */
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { application, disconnectSignal, type Application, type HttpApplication } from 'tsgi'
import { onThreads } from 'tsgi/threads'
import { readPageFiles } from '../page-files.ts'
import * as jobs from './jobs.ts'

const page = await readPageFiles(join(import.meta.dirname, 'page'))

// The same functions. Functions cannot go to another thread, so the module is named, and each thread loads its own copy.
const threads = onThreads<typeof jobs>(new URL('./jobs.ts', import.meta.url))

/** Each takes about a second, on the loop or on a thread. */
const work = {
  scrypt: { loop: async () => jobs.scrypt(20), thread: (signal: AbortSignal) => threads.$with({ signal }).scrypt(20) },
  gzip: { loop: async () => jobs.gzip(16), thread: (signal: AbortSignal) => threads.$with({ signal }).gzip(16) },
}

/** Milliseconds between two ticks. */
const TICK = 100

/** Ticks, by server-sent events, until the client leaves. */
const clock: HttpApplication = async (scope, _receive, send) => {
  await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/event-stream'], ['cache-control', 'no-store']] })
  const signal = disconnectSignal(scope)
  for (;;) {
    await send({ type: 'http.response.body', body: `data: ${Date.now()}\n\n`, moreBody: true })
    await setTimeout(TICK, undefined, { signal })
  }
}

const app: Application = application({
  http: async (scope, receive, send) => {
    const path = scope.path.slice(scope.rootPath.length)
    const answer = async (status: number, type: string, body: string, ...headers: [string, string][]): Promise<void> => {
      await send({ type: 'http.response.start', status, headers: [['content-type', type], ...headers] })
      await send({ type: 'http.response.body', body })
    }
    if (path === '/clock') return clock(scope, receive, send)

    const [, name, where] = /^\/(scrypt|gzip)\/(loop|thread)$/.exec(path) ?? []
    if (name !== undefined && where !== undefined) {
      // POST, so that nothing but a button starts it: no prefetch, no picture in a foreign page.
      if (scope.method !== 'POST') return answer(405, 'text/plain; charset=utf-8', 'POST it.\n', ['allow', 'POST'])
      // A job that waits for a thread is dropped when its client leaves.
      const result = await work[name as keyof typeof work][where as 'loop' | 'thread'](disconnectSignal(scope))
      return answer(200, 'application/json', JSON.stringify(result) + '\n', ['cache-control', 'no-store'])
    }

    // Where this is mounted as /blocking, the page is /blocking/, or else its relative addresses would miss.
    if (path === '') return answer(307, 'text/plain; charset=utf-8', '', ['location', `${scope.rootPath}/`])
    const file = page.get(path)
    if (file === undefined) return answer(404, 'text/plain; charset=utf-8', 'Nothing is here.\n')
    await answer(200, file.type, file.body, ['cache-control', 'no-cache'], ['content-security-policy', 'default-src \'self\'; img-src data:'])
  },
})

export default app
