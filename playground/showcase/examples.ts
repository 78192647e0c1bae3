/** The examples of the showcase. To add one: an entry here, and its try-out, page/try/NAME.js for the path /NAME. */
import type { Application } from 'tsgi'
import { fromFetch } from 'tsgi/adapters/fetch'
import { fromNode } from 'tsgi/adapters/node'
import { fromWsgi } from 'tsgi/adapters/wsgi'
import blocking from '../blocking/app.ts'
import chat from '../chat/app.ts'
import django, { installed as djangoInstalled } from '../django/app.ts'
import echo from '../echo.ts'
import express from '../express.ts'
import git, { installed as gitInstalled } from '../git/app.ts'
import hello from '../hello.ts'
import hono from '../hono.ts'
import site from '../site/async.ts'
import sse from '../sse.ts'
import syncCallsAsync from '../sync-calls-async/app.ts'
import upload from '../upload.ts'
import websocketEcho from '../websocket-echo.ts'

/** An application and what its card says. */
export interface Example {
  /** Where the application is mounted: `/` and one name. */
  readonly path: `/${string}`
  readonly application: Application
  readonly name: string
  /** What there is to see and to learn; HTML. */
  readonly shows: string
  /** The file to read, in the playground. */
  readonly source: string
}

export const examples: readonly Example[] = [
  {
    path: '/hello',
    application: hello,
    name: 'Hello',
    shows: 'The smallest application: one function, two events, the same text for every request.',
    source: 'hello.ts',
  },
  {
    path: '/echo',
    application: echo,
    name: 'Echo',
    shows: 'Streams a body back while it comes. Neither side can run ahead of the other, so memory stays small.',
    source: 'echo.ts',
  },
  {
    path: '/sse',
    application: sse,
    name: 'Clock',
    shows: 'Server-sent events, one each second. When you leave, the application hears of it and ends.',
    source: 'sse.ts',
  },
  {
    path: '/upload',
    application: upload,
    name: 'Upload',
    shows: 'Takes a file as a raw stream and hashes it on the way. A file over the limit is refused early.',
    source: 'upload.ts',
  },
  {
    path: '/websocket-echo',
    application: websocketEcho,
    name: 'WebSocket echo',
    shows: 'Each message comes back. The application waits for <code>receive</code> and <code>send</code>; frames, pings and the closing are the server’s.',
    source: 'websocket-echo.ts',
  },
  {
    path: '/chat',
    application: chat,
    name: 'Chat',
    shows: 'Rooms, names, and who is here. Open it in several tabs, then restart the server: they all come back. Nobody waits for a slow member.',
    source: 'chat/app.ts',
  },
  {
    path: '/blocking',
    application: blocking,
    name: 'Blocking',
    shows: 'A clock ticks while <code>scryptSync</code> runs. On the event loop that stops the clock and everybody else; on a thread, by <code>onThreads</code>, nobody notices.',
    source: 'blocking/app.ts',
  },
  {
    path: '/sync-calls-async',
    application: syncCallsAsync,
    name: 'Sync calls async',
    shows: 'A report written without an <code>await</code> fetches its figures, by <code>asyncToSync</code>, from this very server, which is free to answer.',
    source: 'sync-calls-async/app.ts',
  },
  {
    path: '/guestbook',
    application: fromWsgi(new URL('../guestbook/app.js', import.meta.url)),
    name: 'Guestbook',
    shows: 'Code from before promises: SQLite, uploads, sessions and slow passwords, all by calls that block. <code>fromWsgi</code> runs it on threads, and the clock above ticks on.',
    source: 'guestbook/app.ts',
  },
  {
    path: '/site',
    application: site,
    name: 'Site',
    shows: 'A garden’s log: settings, layers, views and templates, as one knows it. Sync, async and neutral parts stand in one <code>Stack</code>, which <code>toAsync</code> runs here and <code>toSync</code> on threads.',
    source: 'site/settings.ts',
  },
  {
    path: '/express',
    application: fromNode(express),
    name: 'Express',
    shows: 'An application of Express, unchanged: <code>fromNode</code> gives it requests and responses that it takes for Node’s own.',
    source: 'express.ts',
  },
  {
    path: '/hono',
    application: fromFetch(hono),
    name: 'Hono',
    shows: 'An application of Hono, unchanged: <code>fromFetch</code> runs whatever answers a <code>Request</code> with a <code>Response</code>.',
    source: 'hono.ts',
  },
  ...gitInstalled ? [{
    path: '/git',
    application: git,
    name: 'Git',
    shows: 'A real repository: clone it, change it, push. <code>fromCgi</code> runs git’s own CGI program for each request.',
    source: 'git/app.ts',
  } as const] : [],
  ...djangoInstalled ? [{
    path: '/django',
    application: django,
    name: 'Django',
    shows: 'A Django site on real uWSGI, behind <code>fromUwsgi</code>: its admin comes to you over HTTP/2. Log in as admin, admin. The first visit starts it.',
    source: 'django/app.ts',
  } as const] : [],
]
