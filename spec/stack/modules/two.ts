/** Two stacks in one module, and three that are wrong. */
import { threadId } from 'node:worker_threads'
import type { WsgiApplication } from '../../../lib/contract/wsgi.ts'
import type { Application } from '../../../lib/index.ts'
import { HttpResponse, route, Stack } from '../../../lib/stack/index.ts'
import { ThreadPool } from '../../../lib/threads/index.ts'

export const pool: ThreadPool = new ThreadPool({ threads: 1 })

const answering = (text: string) => [route('/', () => HttpResponse.text(`${text} ${threadId === 0 ? 'loop' : 'thread'}`)), route('/async', async () => HttpResponse.text(text))]

export const first: Stack = new Stack({ module: import.meta.url, export: 'first', pool, middleware: [], routes: answering('first') })
export const second: Stack = new Stack({ module: import.meta.url, export: 'second', pool, middleware: [], routes: answering('second') })
export const unnamed: Stack = new Stack({ module: import.meta.url, pool, middleware: [], routes: answering('unnamed'), log: () => {} })
export const twins: readonly Stack[] = ['a', 'b'].map((text) => new Stack({ module: import.meta.url, export: 'twin', pool, middleware: [], routes: answering(text), log: () => {} }))

const both = (one: Application, other: Application): Application => async (scope, receive, send) => scope.type === 'http' && scope.headers.has('x-second') ? other(scope, receive, send) : one(scope, receive, send)
export const app: Application = both(first.toAsync(), second.toAsync())
const [firstSync, secondSync] = [first.toSync(), second.toSync()]
export const wsgi: WsgiApplication = (environ, startResponse) => (environ['HTTP_X_SECOND'] === undefined ? firstSync : secondSync)(environ, startResponse)
