import { ClientDisconnected } from '../../lib/contract/errors.ts'
import type { HttpReceiveEvent } from '../../lib/contract/events.ts'
import { headerList, type HeaderPair } from '../../lib/contract/headers.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'
import type { Environ } from '../../lib/contract/wsgi.ts'
import type { ChunkReader, Reading } from '../../lib/stack/body.ts'
import { runAsync, runSync } from '../../lib/stack/effects.ts'
import type { Form } from '../../lib/stack/form.ts'
import type { RequestLimits } from '../../lib/stack/limits.ts'
import { HttpRequest, neutralRequest, type NeutralHttpRequest } from '../../lib/stack/request.ts'
import type { TestContext, TestSuite } from '../support/suite.ts'

/** A request that a test sends. */
export interface Sent {
  readonly method?: string
  readonly headers?: readonly HeaderPair[]
  /** The body, as it comes. */
  readonly body?: readonly (string | Uint8Array)[]
  /** The client leaves before the body is complete. */
  readonly cut?: boolean
  readonly limits?: Partial<RequestLimits>
}

/** A request by one of its faces, in one form for all. */
export interface Asked {
  readonly request: HttpRequest
  bytes(): Promise<Buffer>
  text(): Promise<string>
  json(): Promise<unknown>
  form(): Promise<Form>
  chunks(): Promise<string[]>
  /** How many parts of the body have been taken from the client. */
  taken(): number
}

/** An HTTP scope as a server makes it. */
export function scopeOf(given: Partial<HttpScope> = {}): HttpScope {
  return {
    type: 'http', asgi: { version: '3.0', specVersion: '2.5' }, httpVersion: '1.1', method: 'GET', scheme: 'http', path: '/', rawPath: '/',
    queryString: '', rootPath: '', headers: headerList([]), client: null, server: null, state: {}, extensions: {}, ...given,
  }
}

/** An environ as a server makes it. */
export function environOf(given: Partial<Environ> = {}): Environ {
  return {
    REQUEST_METHOD: 'GET', SCRIPT_NAME: '', PATH_INFO: '/', QUERY_STRING: '', SERVER_NAME: 'localhost', SERVER_PORT: '80', SERVER_PROTOCOL: 'HTTP/1.1',
    'wsgi.version': [1, 0], 'wsgi.url_scheme': 'http', 'wsgi.input': { read: () => Buffer.alloc(0) } as unknown as Environ['wsgi.input'],
    'wsgi.errors': { write() {}, writelines() {}, flush() {} }, 'wsgi.multithread': false, 'wsgi.multiprocess': false, 'wsgi.run_once': false,
    'wsgi.file_wrapper': () => { throw new Error('not here') }, 'tsgi.path': '/', ...given,
  }
}

function bytesOf(part: string | Uint8Array): Buffer {
  return typeof part === 'string' ? Buffer.from(part) : Buffer.from(part)
}

function overReceive({ method = 'POST', headers = [], body = [], cut = false, limits }: Sent): { request: HttpRequest; taken: () => number } {
  const parts = body.map(bytesOf)
  let taken = 0
  const receive = async (): Promise<HttpReceiveEvent> => {
    await Promise.resolve()
    const part = parts[taken]
    if (part === undefined && cut) return { type: 'http.disconnect' }
    taken++
    return { type: 'http.request', body: part ?? Buffer.alloc(0), moreBody: cut || taken < parts.length, trailers: null }
  }
  return { request: HttpRequest.from(scopeOf({ method, headers: headerList(headers) }), receive, limits), taken: () => taken }
}

function overEnviron({ method = 'POST', headers = [], body = [], cut = false, limits }: Sent): { request: HttpRequest; taken: () => number } {
  const parts = body.map(bytesOf)
  let taken = 0
  const read = (size: number): Buffer => {
    for (;;) {
      const part = parts[taken]
      if (part === undefined) {
        if (cut) throw new ClientDisconnected()
        return Buffer.alloc(0)
      }
      if (part.length > size) {
        parts[taken] = part.subarray(size)
        return part.subarray(0, size)
      }
      taken++
      if (part.length > 0) return part
    }
  }
  const variables: Record<string, string> = {}
  for (const [name, value] of headers) {
    const key = name.toUpperCase().replaceAll('-', '_')
    variables[key === 'CONTENT_TYPE' || key === 'CONTENT_LENGTH' ? key : `HTTP_${key}`] = value
  }
  const environ = environOf({ REQUEST_METHOD: method, ...variables, 'wsgi.input': { read } as unknown as Environ['wsgi.input'], 'wsgi.input_terminated': true })
  return { request: HttpRequest.fromEnviron(environ, limits), taken: () => taken }
}

type Run = <T>(code: () => Reading<T>) => Promise<T>

const awaiting: Run = (code) => runAsync(code())
const blocking: Run = async (code) => runSync(code())

async function all(run: Run, reader: ChunkReader): Promise<string[]> {
  const found: string[] = []
  for (let chunk = await run(() => reader.next()); chunk !== null; chunk = await run(() => reader.next())) found.push(Buffer.from(chunk).toString())
  return found
}

function neutrally(neutral: NeutralHttpRequest, taken: () => number, run: Run): Asked {
  return {
    request: neutral,
    taken,
    bytes: () => run(() => neutral.bytes()),
    text: () => run(() => neutral.text()),
    json: () => run(() => neutral.json()),
    form: () => run(() => neutral.form()),
    chunks: () => all(run, neutral.chunks()),
  }
}

/** The faces by which a test asks: each of the two ways in, by its own face and by the neutral one. */
export const faces: Readonly<Record<string, (sent: Sent) => Asked>> = {
  async(sent) {
    const { request, taken } = overReceive(sent)
    const face = request as ReturnType<typeof HttpRequest.from>
    return {
      request, taken,
      bytes: () => face.bytes(), text: () => face.text(), json: () => face.json(), form: () => face.form(),
      async chunks() {
        const found: string[] = []
        for await (const chunk of face.chunks()) found.push(Buffer.from(chunk).toString())
        return found
      },
    }
  },
  sync(sent) {
    const { request, taken } = overEnviron(sent)
    const face = request as ReturnType<typeof HttpRequest.fromEnviron>
    return {
      request, taken,
      bytes: async () => face.bytes(), text: async () => face.text(), json: async () => face.json(), form: async () => face.form(),
      chunks: async () => Array.from(face.chunks(), (chunk) => Buffer.from(chunk).toString()),
    }
  },
  'neutral, async'(sent) {
    const { request, taken } = overReceive(sent)
    return neutrally(neutralRequest(request.core), taken, awaiting)
  },
  'neutral, sync'(sent) {
    const { request, taken } = overEnviron(sent)
    return neutrally(neutralRequest(request.core), taken, blocking)
  },
}

/** A test of what all faces do. The requests that it makes are closed after it. */
export function onEachFace(test: TestSuite, rule: string, body: (ask: (sent: Sent) => Asked, t: TestContext) => Promise<void>, limit?: number): void {
  for (const [name, face] of Object.entries(faces)) {
    test(`${rule} [${name}]`, (t) => body((sent) => {
      const asked = face(sent)
      t.after(() => asked.request.core.closeAsync())
      return asked
    }, t), limit)
  }
}
