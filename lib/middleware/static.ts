import type { Application, Send } from '../contract/application.ts'
import { InvalidOption, UnsupportedScope } from '../contract/errors.ts'
import type { HttpScope } from '../contract/scope.ts'
import { acceptedCodings } from '../semantics/codings.ts'
import { StaticFolder, type OpenFile } from './static-folder.ts'
import { endings, readStaticOptions, type StaticFilesOptions, type StaticSettings } from './static-options.ts'
import { lastSegment, wantedPath } from './static-path.ts'
import { sendFile, type Chosen } from './static-response.ts'
import { sendText } from './static-send.ts'

export type { StaticFile, StaticFilesOptions } from './static-options.ts'

/**
 * Serves the files of a folder to GET and HEAD: the path beneath the present `rootPath` is the file's, so that it may be
 * mounted. What is not found, and every other method, goes to `app`; without one (`null`) it is 404, or 405 for a file
 * that is there. WebSockets and the lifespan are the application's. Throws `InvalidOption`.
 *
 * - Conditions are evaluated in the order of RFC 9110 13.2.2. The entity tag is made of size and time, and strong as soon
 *   as a further change would show in the time: after a tenth of a second, two seconds where the time is a whole second.
 * - Ranges (RFC 9110 14): one, or several as `multipart/byteranges`. At most 64; more, another unit and malformed ones
 *   give the whole file. Those that overlap become one.
 * - A sibling in a coding that the client takes (`.br`, `.zst`, `.gz`) is sent in place of the file. Conditions and
 *   ranges are about what is sent. 406 if the client will have no plain file, and there is no other.
 * - A folder has its index; without its slash it is a redirect (308) to a relative address, the query kept.
 * - A path with dot segments, empty segments, encoded separators, control characters, bytes that are not UTF-8, or a name
 *   that begins with a dot is not found. Neither is a symbolic link that leads out of the folder, a fifo, a device, or
 *   what may not be read. With too many files open the answer is 503.
 * - With `http.response.zerocopysend` the server sends the opened file itself: what was checked is what is sent. The
 *   extension `http.response.pathsend` is not used, because a path may lead to another file by then.
 */
export function staticFiles(app: Application | null, options: StaticFilesOptions): Application {
  const settings = readStaticOptions(options)
  if (app !== null && typeof app !== 'function') throw new InvalidOption('app', 'an application, or null', app)
  const folder = new StaticFolder(settings.root)
  return async (scope, receive, send) => {
    if (scope.type !== 'http') {
      if (app !== null) return app(scope, receive, send)
      if (scope.type === 'websocket') return send({ type: 'websocket.close' })
      throw new UnsupportedScope((scope as { type: string }).type)
    }
    if (app !== null && !reads(scope)) return app(scope, receive, send)
    // All that is opened on the way is closed at the end, whatever happens.
    const opened: OpenFile[] = []
    try {
      const found = await find(scope, folder, settings, opened)
      if (found !== null) return await answer(scope, send, settings, found)
    } finally {
      for (const { handle } of opened) await handle.close()
    }
    return app === null ? sendText(send, 404, 'Not Found') : app(scope, receive, send)
  }
}

/** What a path leads to: a file, a folder that lacks its slash, or an answer that says why there is none of them. */
type Found =
  | Chosen
  | { readonly status: 308 | 405 | 406 | 503 }

async function answer(scope: HttpScope, send: Send, settings: StaticSettings, found: Found): Promise<void> {
  if (!('status' in found)) return sendFile(scope, send, settings, found)
  switch (found.status) {
    case 308: {
      // Relative, and with one segment only: it cannot lead to another host, and needs no knowledge of what a proxy took away.
      const to = `./${lastSegment(scope.rawPath)}/${scope.queryString === '' ? '' : `?${scope.queryString}`}`
      return sendText(send, 308, `Moved to ${to}`, [['location', to]])
    }
    case 405: return sendText(send, 405, 'Method Not Allowed', [['allow', 'GET, HEAD']])
    case 406: return sendText(send, 406, 'Not Acceptable: there is no copy in any of these codings', [['vary', 'accept-encoding']])
    case 503: return sendText(send, 503, 'Service Unavailable', [['retry-after', '1']])
  }
}

/** Null where nothing is found. */
async function find(scope: HttpScope, folder: StaticFolder, settings: StaticSettings, opened: OpenFile[]): Promise<Found | null> {
  const wanted = wantedPath(scope, settings.dotfiles)
  if (wanted === null) return null
  try {
    const { segments, slash } = wanted
    const file = await open(folder, segments, opened)
    if (file === null || (file !== 'folder' && slash)) return null
    if (file !== 'folder') return await choose(scope, folder, settings, { file, segments }, opened)
    for (const name of settings.index) {
      const within = [...segments, name]
      const index = await open(folder, within, opened)
      if (index === null || index === 'folder') continue
      if (!slash && lastSegment(scope.rawPath) !== '') return { status: reads(scope) ? 308 : 405 }
      return await choose(scope, folder, settings, { file: index, segments: within }, opened)
    }
    return null
  } catch (error) {
    // The process, or the system, has no descriptors left: that says nothing about the path.
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EMFILE' || code === 'ENFILE') return { status: 503 }
    throw error
  }
}

/** Chooses between a file and its siblings in other codings. */
async function choose(
  scope: HttpScope, folder: StaticFolder, { encodings }: StaticSettings, { file, segments }: { readonly file: OpenFile; readonly segments: readonly string[] }, opened: OpenFile[],
): Promise<Found> {
  if (!reads(scope)) return { status: 405 }
  const path = segments.join('/')
  if (encodings.length === 0) return { file, path, encoding: null }
  for (const coding of acceptedCodings(scope.headers.getAll('accept-encoding'), encodings)) {
    if (coding === 'identity') return { file, path, encoding: null }
    const sibling = await open(folder, [...segments.slice(0, -1), `${segments.at(-1)}${endings[coding]}`], opened)
    if (sibling !== null && sibling !== 'folder') return { file: sibling, path, encoding: coding }
  }
  return { status: 406 }
}

async function open(folder: StaticFolder, segments: readonly string[], opened: OpenFile[]): Promise<OpenFile | 'folder' | null> {
  const found = await folder.open(segments)
  if (found !== null && found !== 'folder') opened.push(found)
  return found
}

function reads({ method }: HttpScope): boolean {
  return method === 'GET' || method === 'HEAD'
}
