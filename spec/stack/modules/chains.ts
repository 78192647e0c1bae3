/**
 * Stacks of every mixture of five layers: `nsans` is one of a neutral layer, a sync one, an async one, and so on. What
 * happens is said by the query: `do=THING` or `do=THINGn`, at layer n; all that happens is noted.
 */
import { createHash } from 'node:crypto'
import type { WsgiApplication } from '../../../lib/contract/wsgi.ts'
import type { Application } from '../../../lib/index.ts'
import { HttpError, NotFound, PermissionDenied, SuspiciousOperation, TooLarge } from '../../../lib/contract/errors.ts'
import {
  async, HttpResponse, neutral, pass, route, Stack, sync, TemplateResponse,
  type AsyncHttpRequest, type HttpRequest, type Layer, type NeutralHttpRequest, type SyncHttpRequest,
} from '../../../lib/stack/index.ts'
import { ThreadPool } from '../../../lib/threads/index.ts'
import { note } from './trace.ts'

export type Kind = 'n' | 's' | 'a'

export const DEPTH = 5
/** One thread: whatever would wait for a second one would wait for ever. */
export const pool: ThreadPool = new ThreadPool({ threads: 1 })

/** All of them. */
export const codes: readonly string[] = Array.from({ length: 3 ** DEPTH }, (_, number) => number.toString(3).padStart(DEPTH, '0').replace(/[012]/g, (digit) => 'nsa'[Number(digit)] ?? ''))

/** A template that says which hooks it has met. */
function templateOf(template: (by: readonly string[]) => string, by: readonly string[]): TemplateResponse {
  return new TemplateResponse<unknown>((context) => template(context as string[]), by)
}

function asked(request: HttpRequest): string {
  return request.query.get('do') ?? ''
}

/** What a layer does before those beneath. */
function before(request: HttpRequest, index: number): HttpResponse | null {
  note(`>${index}`)
  request.state[`seen${index}`] = Object.keys(request.state).length
  switch (asked(request)) {
    case `answer${index}`:
      return HttpResponse.text(`layer ${index}`)
    case `throw${index}`:
      throw new Error(`layer ${index}`)
    case `nothing${index}`:
      return undefined as unknown as HttpResponse
    default:
      return null
  }
}

/** What it does after them. */
function after(request: HttpRequest, response: HttpResponse, index: number, state: object): HttpResponse {
  note(`<${index} ${response.status}${state === request.state ? '' : ' another state'}`)
  response.headers.append('x-layer', String(index))
  if (asked(request) === `late${index}`) throw new Error(`layer ${index}, late`)
  if (index === 0) response.headers.set('x-state', JSON.stringify(request.state))
  return response
}

function viewHook(request: HttpRequest, index: number, params: Readonly<Record<string, string>>): HttpResponse | undefined {
  note(`view${index} ${params['id']}`)
  if (asked(request) === `viewThrow${index}`) throw new Error(`the hook of layer ${index}`)
  if (asked(request) === `view${index}`) return HttpResponse.text(`in place of the view: ${index}`)
  if (asked(request) === `viewTemplate${index}`) return templateOf((by) => `template by ${by.join()}`, [])
  return undefined
}

function templateHook(request: HttpRequest, response: TemplateResponse, index: number): TemplateResponse {
  note(`template${index}`)
  if (asked(request) === `otherTemplate${index}`) return templateOf((by) => `another by ${by.join()}`, [])
  ;(response.context as string[]).push(String(index))
  return response
}

function exceptionHook(request: HttpRequest, error: unknown, index: number): HttpResponse | undefined {
  const { message, code } = error as Error & { code?: string }
  note(`exception${index} ${code ?? message}`)
  if (asked(request) === `exception${index}`) return HttpResponse.text(`handled by ${index}`, { status: 418 })
  if (asked(request) === `exceptionTemplate${index}`) return templateOf((by) => `handled by a template by ${by.join()}`, [])
  return undefined
}

const layers: Readonly<Record<Kind, (index: number) => Layer>> = {
  n: (index) => neutral({
    *process(request) {
      const { state } = request
      const response = before(request, index)
      if (response !== null) return response
      yield* read(request, index)
      return after(request, yield* pass(request), index, state)
    },
    *processView(request, _view, params) { return viewHook(request, index, params) },
    *processTemplateResponse(request, response) { return templateHook(request, response, index) },
    *processException(request, error) { return exceptionHook(request, error, index) },
  }, `n${index}`),
  s: (index) => sync({
    process(request, next) {
      const { state } = request
      const response = before(request, index)
      if (response !== null) return response
      readSync(request, index)
      return after(request, next(request), index, state)
    },
    processView: (request, _view, params) => viewHook(request, index, params),
    processTemplateResponse: (request, response) => templateHook(request, response, index),
    processException: (request, error) => exceptionHook(request, error, index),
  }, `s${index}`),
  a: (index) => async({
    async process(request, next) {
      const { state } = request
      const response = before(request, index)
      if (response !== null) return response
      await readAsync(request, index)
      return after(request, await next(request), index, state)
    },
    processView: async (request, _view, params) => viewHook(request, index, params),
    processTemplateResponse: async (request, response) => templateHook(request, response, index),
    processException: async (request, error) => exceptionHook(request, error, index),
  }, `a${index}`),
}

/** Whether layer `index`, or the view, is to read the body, and how. */
function how(request: HttpRequest, index: number | 'v'): string | null {
  const [, wanted = '', method = ''] = /^([0-9v]+)-(\w+)$/.exec(request.query.get('read') ?? '') ?? []
  return wanted.includes(String(index)) ? method : null
}

function told(index: number | 'v', bytes: Uint8Array): void {
  note(`body${index} ${createHash('sha1').update(bytes).digest('hex').slice(0, 8)}`)
}

function* read(request: NeutralHttpRequest, index: number | 'v') {
  const method = how(request, index)
  if (method === 'bytes') told(index, yield* request.bytes())
  if (method === 'json') told(index, Buffer.from(JSON.stringify(yield* request.json())))
  if (method === 'form') {
    const form = yield* request.form()
    const [file] = form.files
    told(index, Buffer.concat([Buffer.from(JSON.stringify(form.entries())), file?.bytesSync() ?? Buffer.alloc(0)]))
  }
  if (method === 'chunks') {
    const chunks = request.chunks()
    const all: Uint8Array[] = []
    for (let chunk = yield* chunks.next(); chunk !== null; chunk = yield* chunks.next()) all.push(chunk)
    told(index, Buffer.concat(all))
  }
}

function readSync(request: SyncHttpRequest, index: number | 'v'): void {
  const method = how(request, index)
  if (method === 'bytes') told(index, request.bytes())
  if (method === 'json') told(index, Buffer.from(JSON.stringify(request.json())))
  if (method === 'form') {
    const form = request.form()
    const [file] = form.files
    told(index, Buffer.concat([Buffer.from(JSON.stringify(form.entries())), file?.bytesSync() ?? Buffer.alloc(0)]))
  }
  if (method === 'chunks') told(index, Buffer.concat([...request.chunks()]))
}

async function readAsync(request: AsyncHttpRequest, index: number | 'v'): Promise<void> {
  const method = how(request, index)
  if (method === 'bytes') told(index, await request.bytes())
  if (method === 'json') told(index, Buffer.from(JSON.stringify(await request.json())))
  if (method === 'form') {
    const form = await request.form()
    const [file] = form.files
    told(index, Buffer.concat([Buffer.from(JSON.stringify(form.entries())), await file?.bytes() ?? Buffer.alloc(0)]))
  }
  if (method === 'chunks') {
    const all: Uint8Array[] = []
    for await (const chunk of request.chunks()) all.push(chunk)
    told(index, Buffer.concat(all))
  }
}

const errors: Readonly<Record<string, () => Error>> = {
  fail: () => new Error('the view'),
  missing: () => new NotFound('no such thing'),
  denied: () => new PermissionDenied('not you'),
  suspicious: () => new SuspiciousOperation('what is this'),
  large: () => new TooLarge('too much'),
  busy: () => new HttpError(503, 'come back later'),
}

function answer(request: HttpRequest): HttpResponse {
  note('view')
  request.state['view'] = true
  const what = asked(request).replace(/^exception(?:Template)?\d$/, 'fail')
  const error = errors[what]
  if (error !== undefined) throw error()
  if (/^(?:template|render|otherTemplate\d)$/.test(what)) {
    return templateOf((by) => {
      note('render')
      if (what === 'render') throw new Error('rendering')
      return `by ${by.join()}`
    }, [])
  }
  if (what === 'nothing') return undefined as unknown as HttpResponse
  if (what === 'text') return 'a text' as unknown as HttpResponse
  const response = HttpResponse.text('the view', { headers: { 'x-view': 'yes' } })
  response.setCookie('a', '1')
  response.setCookie('b', '2')
  if (what === 'closes') response.onClose(() => note('closed'))
  return response
}

const routes = [
  route('/s/:id', (request: SyncHttpRequest) => {
    readSync(request, 'v')
    return answer(request)
  }),
  route('/a/:id', async (request: AsyncHttpRequest) => {
    await readAsync(request, 'v')
    return answer(request)
  }),
  route('/n/:id', function* (request: NeutralHttpRequest) {
    yield* read(request, 'v')
    return answer(request)
  }),
]

function stackOf(code: string): Stack {
  return new Stack({
    module: import.meta.url,
    export: code,
    pool,
    middleware: Array.from(code, (kind, index) => layers[kind as Kind](index)),
    routes,
    limits: { bodySize: 10_000, fileMemory: 1000 },
    log: (level, message) => note(`log ${level} ${message}`),
  })
    .on('requestStarted', () => note('started'))
    .on('requestFinished', () => note('finished'))
    .on('gotRequestException', (_request, error) => note(`failed ${(error as Error).message}`))
}

export const stacks: ReadonlyMap<string, Stack> = new Map(codes.map((code) => [code, stackOf(code)]))

/** The stack that a request asks for. */
function chosen<T>(make: (stack: Stack) => T): (code: string) => T {
  const made = new Map<string, T>()
  return (code) => {
    const found = made.get(code) ?? make(stacks.get(code) as Stack)
    made.set(code, found)
    return found
  }
}

const asyncOf = chosen((stack) => stack.toAsync())
const syncOf = chosen((stack) => stack.toSync())

export const app: Application = async (scope, receive, send) => {
  if (scope.type === 'http') await asyncOf(scope.headers.get('x-chain') ?? '')(scope, receive, send)
}

export const wsgi: WsgiApplication = (environ, startResponse) => syncOf(String(environ['HTTP_X_CHAIN']))(environ, startResponse)
