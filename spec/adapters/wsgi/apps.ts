/** Small WSGI applications, one for each rule. Tests call them inline, and on threads by their names. */
import { createHash } from 'node:crypto'
import type { Environ, StartResponse, WsgiFile, WsgiResult } from '../../../adapters/wsgi/index.ts'
import { closed, note, noteThrown, pass, step } from './probe.ts'

type Blocks = Generator<Uint8Array | string, void, void>

const plain = [['content-type', 'text/plain']] as const

/** What the query of a test's request says, as JSON. */
function argument<T>(environ: Environ): T {
  return JSON.parse(decodeURIComponent(environ.QUERY_STRING)) as T
}

export function environ(environ: Environ, startResponse: StartResponse): WsgiResult {
  environ['added'] = environ.REQUEST_METHOD
  delete environ['REMOTE_ADDR']
  startResponse('200 OK', plain)
  return [JSON.stringify(environ, (_, value: unknown) => typeof value === 'function' ? 'a function' : value)]
}

export function everyType(environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', plain)
  const input = environ['wsgi.input']
  const errors = environ['wsgi.errors']
  return JSON.stringify([
    [input.read, input.readline, input.readlines, input[Symbol.iterator]].map((each) => typeof each),
    [errors.write, errors.writelines, errors.flush].map((each) => typeof each),
    Object.getPrototypeOf(environ) === Object.prototype,
    Object.entries(environ).filter(([key]) => /^[A-Z]/.test(key)).every(([, value]) => typeof value === 'string' && /^[\0-\xff]*$/.test(value)),
  ])
}

/** Calls methods of the input, one after the other: the query is a list of calls. */
export function reads(environ: Environ, startResponse: StartResponse): WsgiResult {
  const input = environ['wsgi.input']
  const results = argument<readonly (readonly [string, ...number[]])[]>(environ).map(([method, ...args]) => {
    if (method === 'iterate') return Array.from(input, String)
    const result = (input as unknown as Record<string, (...args: number[]) => Buffer | Buffer[]>)[method]?.(...args)
    return Array.isArray(result) ? result.map(String) : String(result)
  })
  startResponse('200 OK', plain)
  return [JSON.stringify(results)]
}

/** Leaves a note of what startResponse throws for each head of the query, then answers. */
export function heads(environ: Environ, startResponse: StartResponse): WsgiResult {
  for (const [status, headers] of argument<readonly (readonly [string, [string, string][]])[]>(environ)) noteThrown(() => startResponse(status, headers))
  startResponse('200 OK', plain)
  return ['refused']
}

export function headsOfOtherTypes(_environ: Environ, startResponse: StartResponse): WsgiResult {
  const headers: readonly unknown[] = [null, undefined, 'a: b', new Map([['a', 'b']]), { a: 'b' }, [['a']], [['a', 'b', 'c']], ['ab'], [['a', 1]], [[1, 'a']], [null]]
  for (const each of headers) noteThrown(() => startResponse('200 OK', each as []))
  for (const status of [200, null, undefined, ['200 OK']]) noteThrown(() => startResponse(status as unknown as string, []))
  startResponse('200 OK', plain)
  return ['refused']
}

/** Answers with the head of the query and no body. */
export function head(environ: Environ, startResponse: StartResponse): WsgiResult {
  const [status, headers] = argument<readonly [string, [string, string][]]>(environ)
  startResponse(status, headers)
  return []
}

export function startsTwice(_environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', [])
  startResponse('201 Created', [])
  return ['x']
}

export function* replacesHead(_environ: Environ, startResponse: StartResponse): Blocks {
  startResponse('200 OK', [['x-first', '1'], ['content-length', '3']])
  yield ''
  yield new Uint8Array(0)
  startResponse('500 Oops', [['x-second', '2']], new Error('went wrong'))
  yield 'an error page'
}

export function* failsLate(_environ: Environ, startResponse: StartResponse): Blocks {
  startResponse('200 OK', plain)
  yield 'begun'
  startResponse('500 Oops', plain, new RangeError('went wrong'))
}

export function* trapsLate(_environ: Environ, startResponse: StartResponse): Blocks {
  startResponse('200 OK', plain)
  yield 'begun'
  noteThrown(() => startResponse('500 Oops', plain, new RangeError('went wrong')))
}

export function writesThenFails(_environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', plain)('begun')
  noteThrown(() => startResponse('500 Oops', plain, new RangeError('went wrong')))
  throw new RangeError('went wrong')
}

export function* startsInFirstStep(_environ: Environ, startResponse: StartResponse): Blocks {
  yield ''
  startResponse('202 Accepted', [])
  yield 'a'
  yield 'b'
}

export function* startsAfterBlock(_environ: Environ, startResponse: StartResponse): Blocks {
  yield 'too early'
  startResponse('200 OK', [])
}

export function neverStarts(): WsgiResult {
  return ['x']
}

export function neverStartsEmpty(): WsgiResult {
  return []
}

export function* neverStartsGenerator(): Blocks {
  yield ''
}

/** The head must wait for the gate, the block behind it for the next. */
export function* holdsHead(_environ: Environ, startResponse: StartResponse): Blocks {
  startResponse('200 OK', plain)
  yield ''
  pass()
  yield 'block'
}

export function writes(_environ: Environ, startResponse: StartResponse): WsgiResult {
  const write = startResponse('200 OK', plain)
  write('')
  const buffer = Buffer.from('one ')
  write(buffer)
  buffer.fill(0)
  write('two ')
  return ['three ', 'four']
}

export function writesOnly(_environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', plain)('written')
  return []
}

/** Has its head sent, then waits. */
export function writesNothing(_environ: Environ, startResponse: StartResponse): WsgiResult {
  const write = startResponse('200 OK', plain)
  write('')
  pass()
  write(new Uint8Array(0))
  noteThrown(() => startResponse('500 Oops', plain, new Error('too late')))
  return ['block']
}

export function writesTooMuch(_environ: Environ, startResponse: StartResponse): WsgiResult {
  const write = startResponse('200 OK', [['content-length', '5']])
  write('1234')
  noteThrown(() => write('56'))
  write('5')
  return ['more']
}

export function writesOther(_environ: Environ, startResponse: StartResponse): WsgiResult {
  const write = startResponse('200 OK', plain)
  for (const each of [null, undefined, 1, ['x'], {}, new ArrayBuffer(1)]) noteThrown(() => write(each as unknown as string))
  return ['x']
}

let kept: (() => void) | null = null

/** Keeps what belongs to its request; the next request uses it. */
export function usesLate(environ: Environ, startResponse: StartResponse): WsgiResult {
  if (kept !== null) {
    kept()
    kept = null
  }
  const write = startResponse('200 OK', plain)
  const input = environ['wsgi.input']
  kept = () => {
    noteThrown(() => write('late'))
    noteThrown(() => startResponse('200 OK', []))
    noteThrown(() => input.read())
  }
  return ['x']
}

/** A body that counts how often it is closed. */
class Closing implements Iterable<Uint8Array | string> {
  readonly #blocks: Iterable<Uint8Array | string>

  constructor(blocks: Iterable<Uint8Array | string>) {
    this.#blocks = blocks
  }

  [Symbol.iterator](): Iterator<Uint8Array | string> {
    return this.#blocks[Symbol.iterator]()
  }

  close(): void {
    closed()
  }
}

export function closes(environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', environ.QUERY_STRING === '' ? plain : [['content-length', environ.QUERY_STRING]])
  return new Closing(['one ', 'two ', 'three'])
}

export function closesEmpty(_environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', plain)
  return new Closing([])
}

export function closesArray(_environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', plain)
  return Object.assign(['all of it'], { close: closed })
}

export function closesAfterError(_environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', plain)
  return new Closing((function* () {
    yield 'one'
    throw new RangeError('in the midst')
  })())
}

export function closesUnstarted(): WsgiResult {
  return new Closing(['x'])
}

export function closesUniterable(_environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', plain)
  return { close: closed } as unknown as WsgiResult
}

export function closesBadly(_environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', plain)
  return Object.assign(['all of it'], {
    close() {
      closed()
      throw new RangeError('in close')
    },
  })
}

/** An endless body that counts its steps, with a generator's own way of closing. */
export function* endless(environ: Environ, startResponse: StartResponse): Blocks {
  startResponse('200 OK', environ.QUERY_STRING === '' ? plain : [['content-length', environ.QUERY_STRING]])
  try {
    for (;;) {
      step()
      yield 'abcde'
    }
  } finally {
    closed()
  }
}

/** A body of the blocks that the query says, as an array or as a generator. */
export function blocks(environ: Environ, startResponse: StartResponse): WsgiResult {
  const { array, headers = [], status = '200 OK', form } = argument<{ array: string[]; headers?: [string, string][]; status?: string; form: string }>(environ)
  startResponse(status, headers)
  if (form === 'array') return array
  if (form === 'bytes') return array.map((each) => Buffer.from(each))
  if (form === 'generator') return array.values()
  return form === 'bare' ? array.join('') : Buffer.from(array.join(''))
}

/** One block of so many bytes. */
export function large(environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', [])
  return [Buffer.alloc(Number(environ.QUERY_STRING), 'x')]
}

const others: readonly unknown[] = [null, undefined, 1, {}, [1], [null], ['a', undefined], [['a']], new Set([1]), [new ArrayBuffer(1)], Symbol.iterator]

/** Returns what is no body: the query is an index. */
export function returnsOther(environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', [])
  return others[Number(environ.QUERY_STRING)] as WsgiResult
}

export function countOfOthers(): number {
  return others.length
}

export function returnsPromise(_environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', [])
  return Promise.reject(new Error('unseen')) as unknown as WsgiResult
}

export function returnsAsyncGenerator(_environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', [])
  return (async function* () {
    yield 'x'
  })() as unknown as WsgiResult
}

export function throwsAtOnce(): WsgiResult {
  throw Object.assign(new RangeError('at once'), { code: 'E_APP' })
}

export function* throwsLater(_environ: Environ, startResponse: StartResponse): Blocks {
  startResponse('200 OK', plain)
  yield 'one'
  throw new RangeError('later')
}

/** A file in memory that counts what was read of it. */
class MemoryFile implements WsgiFile {
  #at: number
  readonly #text: string

  constructor(text: string, at: number) {
    this.#text = text
    this.#at = at
  }

  read(size: number): string {
    note(size)
    const part = this.#text.slice(this.#at, this.#at + size)
    this.#at += part.length
    return part
  }

  close(): void {
    closed()
  }
}

export function file(environ: Environ, startResponse: StartResponse): WsgiResult {
  const [blockSize, headers] = argument<readonly [number | null, [string, string][]]>(environ)
  const body = environ['wsgi.file_wrapper'](new MemoryFile('skipped 0123456789', 8), ...(blockSize === null ? [] : [blockSize]))
  note('wrapped')
  startResponse('200 OK', headers)
  return body
}

export function fileUnused(environ: Environ, startResponse: StartResponse): WsgiResult {
  environ['wsgi.file_wrapper'](new MemoryFile('unused', 0))
  noteThrown(() => environ['wsgi.file_wrapper']({} as WsgiFile))
  noteThrown(() => environ['wsgi.file_wrapper'](new MemoryFile('unused', 0), 0))
  startResponse('200 OK', plain)
  return ['something else']
}

/** Hashes the body, read in parts of the size that the query says. */
export function hashes(environ: Environ, startResponse: StartResponse): WsgiResult {
  const hash = createHash('sha256')
  let total = 0
  for (let part = environ['wsgi.input'].read(Number(environ.QUERY_STRING)); part.length > 0; part = environ['wsgi.input'].read(Number(environ.QUERY_STRING))) {
    hash.update(part)
    total += part.length
  }
  startResponse('200 OK', plain)
  return [`${total} ${hash.digest('hex')}`]
}

/** Lines, each when the gate lets it pass. */
export function* gated(_environ: Environ, startResponse: StartResponse): Blocks {
  startResponse('200 OK', plain)
  try {
    for (let i = 0; i < 5; i++) {
      yield `line ${i}\n`
      pass()
    }
  } finally {
    closed()
  }
}

/** So many bytes, in blocks of 64 KiB; counts the blocks. */
export function* big(environ: Environ, startResponse: StartResponse): Blocks {
  const total = Number(environ.QUERY_STRING)
  startResponse('200 OK', [['content-length', String(total)]])
  try {
    for (let at = 0; at < total; at += 65536) {
      step()
      yield Buffer.alloc(Math.min(65536, total - at), at / 65536 % 251)
    }
  } catch (error) {
    note(String(error))
    throw error
  } finally {
    closed()
  }
}

/** Passes the gate, then answers with the body that it reads, or without it. */
export function readsWhenTold(environ: Environ, startResponse: StartResponse): WsgiResult {
  pass()
  const body = environ.QUERY_STRING === 'unread' ? 'unread' : environ['wsgi.input'].read()
  startResponse('200 OK', plain)
  return [body]
}

/** Reads all of the body, with notes of what happens; what reading throws passes on. */
export function readsAll(environ: Environ, startResponse: StartResponse): WsgiResult {
  startResponse('200 OK', plain)
  return new Closing((function* () {
    try {
      step()
      for (;;) {
        const part = environ['wsgi.input'].read(1000)
        if (part.length === 0) break
        step()
      }
      yield 'read'
    } catch (error) {
      const { name, message } = error as Error
      note([name, message])
      throw error
    }
  })())
}

/** Begins to answer, and goes on writing until that throws. */
export function writesOn(_environ: Environ, startResponse: StartResponse): WsgiResult {
  const write = startResponse('200 OK', plain)
  try {
    for (;;) {
      write(Buffer.alloc(65536))
      step()
    }
  } catch (error) {
    const { name, message } = error as Error
    note([name, message])
    throw error
  }
}

/** Ends its thread: at once, or in the midst of its response. */
export function* exits(environ: Environ, startResponse: StartResponse): Blocks {
  startResponse('200 OK', plain)
  if (environ.QUERY_STRING === 'later') yield 'begun'
  process.exit(3)
}

export function speaks(environ: Environ, startResponse: StartResponse): WsgiResult {
  const errors = environ['wsgi.errors']
  errors.write('first line\nsecond ')
  errors.write('line\n')
  errors.writelines(['third ', 'line\n', 'fourth line, flushed'])
  errors.flush()
  errors.write('\nthe rest')
  startResponse('200 OK', plain)
  return ['spoken']
}
