/** A small WSGI host for one request. It runs on a thread, and reads and writes by blocking. */
import type { Environ, StartResponse, WsgiInput } from '../../../lib/contract/wsgi.ts'
import { asyncToSync } from '../../../lib/threads/index.ts'
import { RingReader, RingWriter, type RingMemory } from '../../../lib/threads/ring.ts'
import { toWsgi } from '../../../adapters/wsgi/to-wsgi.ts'
// A Worker of the user's own cannot load TypeScript while it is blocked.
import './sync-work.ts'

export interface HostRequest {
  /** The application: an export of `module`, which is async-apps.ts unless it is given. */
  readonly app: string
  readonly module?: string
  readonly environ?: Readonly<Record<string, unknown>>
  /** The request's body: blocks that `read` gives one by one, or a ring for `read1`. */
  readonly body?: readonly string[] | RingMemory
  /** Where blocks of the response go at once. */
  readonly output?: RingMemory
  /** A word that `write` waits for: one is taken off it each time. */
  readonly permits?: Int32Array
  /** The block, counted from 0, at which the client turns out to have left. */
  readonly leaves?: number
  /** The block at which the thread of the host ends. */
  readonly dies?: number
  /** What fails: the input's first read, or the head. */
  readonly failing?: 'read' | 'head'
  /** Whether a read waits, parked, for ever. */
  readonly parksReading?: boolean
}

export interface HostResponse {
  readonly status: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** What each `write` was given. */
  readonly written: readonly string[]
  /** What the callable returned. */
  readonly returned: readonly string[]
  readonly reads: number
  readonly heads: number
  readonly errors: string
  /** What the callable threw, and whether it is the very object that this host threw. */
  readonly thrown: { readonly name: string; readonly message: string } | null
  readonly own: boolean
}

/** An error with what cannot be cloned. */
class HostError extends Error {
  readonly answer = (): string => 'of the host'
}

const never = asyncToSync<typeof import('./async-apps.ts').never>(new URL('./async-apps.ts#never', import.meta.url))

/** Calls the callable and collects what it does. */
export function host(request: HostRequest): HostResponse {
  const { body = [], output, permits, leaves, dies, failing, parksReading = false } = request
  const writer = output === undefined ? null : new RingWriter(output)
  const seen = { status: '', headers: [] as HostResponse['headers'], written: [] as string[], returned: [] as string[], reads: 0, heads: 0, errors: '', thrown: null as HostResponse['thrown'], own: false }
  let failure: unknown
  let blocks = 0

  const fail = (error: unknown): never => {
    failure = error
    throw error
  }
  const give = (data: Uint8Array | string, to: string[]): void => {
    if (blocks === dies) process.exit(3)
    if (blocks++ === leaves) fail(new HostError('the client has left'))
    if (permits !== undefined) {
      while (Atomics.load(permits, 0) === 0) Atomics.wait(permits, 0, 0)
      Atomics.sub(permits, 0, 1)
    }
    if (writer === null) to.push(Buffer.from(data).toString('latin1'))
    else writer.writeSync(Buffer.from(data))
  }
  const reader = Array.isArray(body) ? null : new RingReader(body as RingMemory)
  const input = {
    read(): Buffer {
      seen.reads++
      if (failing === 'read') fail(new HostError('the body is too large'))
      if (parksReading) never()
      return Buffer.from((body as readonly string[])[seen.reads - 1] ?? '')
    },
    // Of a stream: what is there.
    ...(reader !== null && { read1: (size: number): Buffer => reader.readSync(size) ?? Buffer.alloc(0) }),
  }
  const startResponse: StartResponse = (status, headers) => {
    if (failing === 'head') fail(new HostError('no such head'))
    seen.heads++
    seen.status = status
    seen.headers = headers
    return (data) => give(data, seen.written)
  }
  const errors = (text: string): void => {
    seen.errors += text
  }
  const environ: Environ = {
    REQUEST_METHOD: 'GET',
    SCRIPT_NAME: '',
    PATH_INFO: '/',
    QUERY_STRING: '',
    SERVER_NAME: 'localhost',
    SERVER_PORT: '80',
    SERVER_PROTOCOL: 'HTTP/1.1',
    'wsgi.version': [1, 0],
    'wsgi.url_scheme': 'http',
    'wsgi.input': input as unknown as WsgiInput,
    'wsgi.input_terminated': true,
    'wsgi.errors': { write: errors, writelines: () => {}, flush: () => {} },
    'wsgi.multithread': true,
    'wsgi.multiprocess': false,
    'wsgi.run_once': false,
    'wsgi.file_wrapper': () => [] as never,
    'tsgi.path': '/',
    ...request.environ,
  }
  try {
    const app = toWsgi(new URL(`${request.module ?? './async-apps.ts'}#${request.app}`, import.meta.url))
    const result = app(environ, startResponse)
    for (const block of typeof result === 'string' || result instanceof Uint8Array ? [result] : result) give(block, seen.returned)
    writer?.end()
  } catch (error) {
    const { name, message } = error as Error
    seen.thrown = { name, message }
    seen.own = error === failure
    writer?.cut()
  }
  return seen
}

