import { read } from 'node:fs'
import { PassThrough, Readable, Transform } from 'node:stream'
import { promisify } from 'node:util'
import { cgiApplication } from '../../adapters/cgi/from-cgi.ts'
import { cgiSettings } from '../../adapters/cgi/options.ts'
import type { Exit, Program, StartProgram } from '../../adapters/cgi/process.ts'
import type { Application } from '../../lib/contract/application.ts'
import { serveCgi } from '../../lib/protocols/cgi/index.ts'
import { http1 } from './driver-http1.ts'
import type { Protocol } from './driver.ts'

const noTrailers = 'CGI has no trailers'
const noInterim = 'CGI has no interim responses'
const spooled = 'a body in chunks is read before the program starts: CONTENT_LENGTH is its length (RFC 3875 4.1.2)'
const noTrailersToLack = 'one of its responses lacks its trailers only, which nobody sees without trailers'

const cannot: Readonly<Record<string, string>> = {
  'headers are an iterable of pairs in order, with lower-case names, and find by any case': 'repeated fields are merged into one variable (RFC 3875 4.1.18)',
  'each scope has a shallow copy of the state that the lifespan made': 'each program has a lifespan of its own',
  'every byte that a value may have comes and goes unchanged': 'Node gives an environment in UTF-8 only',
  'a target comes as it was sent: nothing is resolved, decoded or joined': 'PATH_INFO with `..`, or that is not UTF-8, is refused',
  'bodies stream both ways at once': spooled,
  'receives that wait together are answered in order': spooled,
  'a client that sends faster than the application receives is held back': spooled,
  'a client that leaves within its body: bodyChunks throws ClientDisconnected': spooled,
  '100 Continue goes out when the application first receives, once, and not before': spooled,
  'an application that answers without receiving sends no 100 Continue': spooled,
  'an application that does not receive holds its own client only': spooled,
  'an early answer to an unfinished upload is delivered whole': spooled,
  'a failure before the head, with the body of the request unread: a 500, whole': spooled,
  'an upload that is broken off never passes for whole, received or not': spooled,
  'request trailers come with the last http.request, and never among the headers': noTrailers,
  'trailers that were announced go out after the body': noTrailers,
  'trailers go both ways, repeated ones too': noTrailers,
  'trailers that were announced and are none, or have no body before them': noTrailers,
  'RFC 9110 5.3: fields that are lists may be repeated in trailers, whatever they are': noTrailers,
  'framing, routing and authentication fields in trailers are refused (RFC 9110 6.5.1)': noTrailers,
  'an application that fails after the head breaks the response off': noTrailersToLack,
  'early hints go out before the start, and after it while the head is held; a late one is ignored': noInterim,
}

/** CGI both ways: HTTP/1.1 in front, `fromCgi` behind it, and each program is a call of `serveCgi` with streams of its own. */
export const cgi: Protocol = {
  ...http1,
  name: 'CGI',
  hasWebSockets: false,
  cannot,
  open: (app, options) => http1.open(cgiApplication(cgiSettings('/bin/sh', { log: () => {}, concurrency: 1000 }), programsOf(app)), options),
}

function programsOf(app: Application): StartProgram {
  return (env, stdin): Program => {
    const pipe = stdin === 'pipe' ? new PassThrough() : null
    const input = pipe ?? Readable.from(typeof stdin === 'number' ? blocksOf(stdin) : [])
    // Copies, as a pipe does: what was written may be changed.
    const stdout = new Transform({ transform: (chunk: Buffer, _encoding, done) => done(null, Buffer.from(chunk)) })
    stdout.on('error', () => {})
    const controller = new AbortController()
    const exited = serveCgi(app, { env, stdin: input, stdout, signal: controller.signal }).then((): Exit => ({ code: 0, signal: null, error: null }), (): Exit => ({ code: 1, signal: null, error: null }))
    void exited.then(() => {
      input.destroy()
      stdout.end()
    })
    return {
      stdin: pipe,
      stdout,
      exited,
      stop: () => controller.abort(),
      async close() {
        stdout.destroy()
        await exited
      },
    }
  }
}

async function* blocksOf(fd: number): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; ;) {
    const { bytesRead, buffer } = await promisify(read)(fd, Buffer.alloc(65536), 0, 65536, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
