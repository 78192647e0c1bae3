import type { Readable, Writable } from 'node:stream'
import type { Application } from '../../contract/application.ts'
import { IncompleteResponse } from '../../contract/errors.ts'
import type { State } from '../../contract/scope.ts'
import { fileExtensions } from '../../exchange/extensions.ts'
import { HttpExchange } from '../../exchange/http.ts'
import { LifespanExchange } from '../../exchange/lifespan.ts'
import type { ExchangeOutcome } from '../../exchange/observer.ts'
import { httpScope } from '../../exchange/scope.ts'
import { readRequest, type GatewayRequest } from '../gateway-request.ts'
import { Refusal } from '../refusal.ts'
import { CgiTransport, headText } from './transport.ts'
import { requestVariables, type CgiEnv } from './variables.ts'

/** Where a CGI program finds its request, and puts its response. */
export interface ServeCgiOptions {
  /** The variables of the request. Default: those of the process. */
  readonly env?: CgiEnv | undefined
  /** The request's body. No more than CONTENT_LENGTH bytes are read of it. Default: standard input. */
  readonly stdin?: Readable | undefined
  /** Takes the response; it is not ended. Default: standard output. */
  readonly stdout?: Writable | undefined
  /** The client has left when it aborts. Default: never. */
  readonly signal?: AbortSignal | undefined
}

const limits = { target: Infinity, fields: Infinity }
/** Seconds for start-up and for shutdown. */
const LIFESPAN = 60

/**
 * Answers the one request that a CGI program (RFC 3875) is started for, with the lifespan of the application around it.
 * Resolves when that is done, also when the client has left. Rejects with what the application threw: with the head
 * not yet written, a 500 is; after that the response is not whole, which only an exit code can tell.
 */
export async function serveCgi(app: Application, options: ServeCgiOptions = {}): Promise<void> {
  const { env = process.env, stdin = process.stdin, stdout = process.stdout, signal } = options
  const request = readRequest({ modifier1: 0, variables: requestVariables(env) }, null, limits)
  if (request instanceof Refusal) return writeText(stdout, request.status, request.reason)
  let failure: { readonly error: unknown } | null = null
  const lifespan = new LifespanExchange({
    mode: 'auto',
    startup: LIFESPAN,
    shutdown: LIFESPAN,
    unsupported: () => {},
    failed: (error) => (failure ??= { error }),
  })
  try {
    await lifespan.startup(app)
  } catch (error) {
    await writeText(stdout, 500, 'Internal Server Error')
    throw error
  }
  try {
    const { outcome, broken } = await respond(app, request, lifespan.state, stdin, stdout, signal)
    if (outcome.error !== undefined) failure = { error: outcome.error }
    else if (broken) failure = { error: new IncompleteResponse(['http.response.body']) }
  } finally {
    await lifespan.shutdown()
  }
  if (failure !== null) throw (failure as { readonly error: unknown }).error
}

async function respond(
  app: Application, { head, rootPath, contentLength }: GatewayRequest, state: State, stdin: Readable, stdout: Writable, signal: AbortSignal | undefined,
): Promise<{ readonly outcome: ExchangeOutcome; readonly broken: boolean }> {
  const transport = new CgiTransport(stdin, stdout, contentLength)
  let finished!: (outcome: ExchangeOutcome) => void
  const outcome = new Promise<ExchangeOutcome>((resolve) => (finished = resolve))
  const scope = httpScope({ ...head, extensions: fileExtensions }, rootPath ?? '', state)
  const exchange = new HttpExchange(
    transport,
    { observer: { untimed: true, finished }, defaultHeaders: [], debug: false, messageQueue: 1 },
    scope,
    { body: contentLength > 0, expectContinue: false, trailers: false },
  )
  transport.begin(exchange)
  signal?.addEventListener('abort', transport.left)
  if (signal?.aborted === true) transport.left()
  try {
    exchange.run(app)
    return { broken: await transport.done === 'broken', outcome: await outcome }
  } finally {
    signal?.removeEventListener('abort', transport.left)
  }
}

function writeText(stdout: Writable, status: number, text: string): Promise<void> {
  const headers = ['content-type', 'text/plain; charset=utf-8']
  const head = headText({ status, headers, contentLength: Buffer.byteLength(text) + 1, bodyless: false, trailers: false, close: false, dated: false })
  return new Promise((resolve) => stdout.write(`${head}${text}\n`, () => resolve()))
}
