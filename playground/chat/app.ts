/** A chat: rooms with names, presence and a short memory, and a page that comes back by itself when the line breaks. */
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { application, messages, type Application } from 'tsgi'
import { readPageFiles } from '../page-files.ts'
import { Guest } from './guest.ts'
import { Rooms } from './rooms.ts'
import { limits as defaults, type Limits } from './wire.ts'

const page = await readPageFiles(join(import.meta.dirname, 'page'))

/** The application, with rooms of its own. */
export function chat(limits: Limits = defaults): Application {
  const rooms = new Rooms(limits)
  return application({
    websocket: async (scope, receive, send) => {
      // To close what was not accepted is to refuse it: the client gets a 403.
      if (scope.path !== `${scope.rootPath}/socket`) return send({ type: 'websocket.close' })
      await send({ type: 'websocket.accept' })
      const guest = new Guest(rooms, send)
      try {
        for await (const message of messages(receive)) {
          await guest.hear(message)
          // While this waits, the server reads no more than a few messages: a client that floods is held back.
          await setTimeout(limits.pace)
        }
      } finally {
        guest.leave()
      }
    },

    http: async (scope, _receive, send) => {
      const path = scope.path.slice(scope.rootPath.length)
      const file = page.get(path)
      if (file !== undefined) {
        await send({ type: 'http.response.start', status: 200, headers: [['content-type', file.type], ...pageHeaders] })
        await send({ type: 'http.response.body', body: file.body })
      } else if (path === '') {
        // Where the chat is mounted as /chat: the page is /chat/, or else its relative addresses would miss.
        await send({ type: 'http.response.start', status: 307, headers: [['location', `${scope.rootPath}/`]] })
        await send({ type: 'http.response.body' })
      } else {
        await send({ type: 'http.response.start', status: 404, headers: [['content-type', 'text/plain; charset=utf-8']] })
        await send({ type: 'http.response.body', body: 'Nothing is here.\n' })
      }
    },
  })
}

const pageHeaders = [
  ['cache-control', 'no-cache'],
  // Should markup ever slip in with a message, no script of it would run.
  ['content-security-policy', 'default-src \'self\'; img-src data:'],
] as const

const app: Application = chat()

export default app
