/** Sync code that calls async code: a report without an await, whose figures are fetched from this very server. */
import { setTimeout } from 'node:timers/promises'
import { application, disconnectSignal, type Application, type HttpScope } from 'tsgi'
import { onThreads } from 'tsgi/threads'
import type { Sales } from './report.ts'

const reports = onThreads<typeof import('./report.ts')>(new URL('./report.ts', import.meta.url))

/** A service that takes its time, and does not know everything. */
const shops: Readonly<Record<string, Sales | null>> = {
  lisbon: { sold: 1204, price: 3.5 },
  oslo: { sold: 311, price: 12.9 },
  quito: null,
  sapporo: { sold: 87, price: 48 },
}
const PAUSE = 60

const app: Application = application({
  http: async (scope, _receive, send) => {
    const answer = async (status: number, type: string, body: string): Promise<void> => {
      await send({ type: 'http.response.start', status, headers: [['content-type', `${type}; charset=utf-8`], ['cache-control', 'no-store']] })
      await send({ type: 'http.response.body', body })
    }
    const path = scope.path.slice(scope.rootPath.length)
    if (path === '' || path === '/') {
      const url = ownUrl(scope)
      if (url === null) return answer(501, 'text/plain', 'The report is fetched from a port of TCP, and this server has none.\n')
      // While the thread waits for its figures, the loop is free: it answers the requests that the report makes.
      return answer(200, 'text/plain', await reports.$with({ signal: disconnectSignal(scope) }).report(url))
    }

    if (path === '/shops') return answer(200, 'application/json', JSON.stringify(Object.keys(shops)))
    const name = /^\/shops\/(\w+)$/.exec(path)?.[1] ?? ''
    if (!Object.hasOwn(shops, name)) return answer(404, 'text/plain', 'Nothing is here.')
    await setTimeout(PAUSE)
    const sales = shops[name]
    if (sales === null) return answer(503, 'text/plain', 'the till is broken')
    await answer(200, 'application/json', JSON.stringify(sales))
  },
})

/**
 * Where this application is. Not the request's `host`: whoever sends that could have the server fetch from anywhere. With
 * --root-path it would be wrong, because that part of `rootPath` is a front server's.
 */
function ownUrl({ scheme, server, rootPath }: HttpScope): string | null {
  const [host, port] = server ?? []
  if (host === undefined || port === null || port === undefined) return null
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${encodeURI(rootPath)}`
}

export default app
