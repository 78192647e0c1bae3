import type { Application, HttpPart, Receive, Send } from '../../lib/contract/application.ts'
import { disconnectSignal } from '../../lib/contract/disconnect.ts'
import { InvalidEvent, InvalidOption, TooLarge, UnsupportedScope, UpstreamFailed } from '../../lib/contract/errors.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'
import { writePacket } from '../../lib/protocols/uwsgi/packet.ts'
import { UpstreamLine } from './line.ts'
import { requestBody, type RequestBody } from './request-body.ts'
import { responseBody } from './response-body.ts'
import { forwardedFields, framingOf, ResponseHeadParser, type UpstreamHead } from './response-head.ts'
import { Upstreams, type Connected } from './upstreams.ts'
import { variablesOf } from './variables.ts'

/** The options of `fromUwsgi`. Durations are in seconds, sizes in bytes; 0 turns a limit off. */
export interface FromUwsgiOptions {
  /** What the server is to do with a request: 0 for WSGI, 5 for PSGI, 7 for Rack, 9 for CGI. Default: 0. */
  readonly modifier1?: number
  /** Time to connect to a server; then the next one is tried, and 502 if there is none. Default: 5. */
  readonly connectTimeout?: number
  /** Time in which a server may send and take nothing; then 504, or a response that is torn down. Default: 60. */
  readonly readTimeout?: number
  /** Time for which a server that could not be reached, or answered nonsense or nothing, is left alone, if there are others. Default: 10. */
  readonly failTimeout?: number
  /** Size of a request's body that does not say its length: it is kept in a file first. More is answered 413. Default: 1073741824. */
  readonly spoolLimit?: number
}

const defaults: Required<FromUwsgiOptions> = { modifier1: 0, connectTimeout: 5, readTimeout: 60, failTimeout: 10, spoolLimit: 2 ** 30 }
const EMPTY = new Uint8Array(0)
/** Interim responses before the one that counts. */
const INTERIM = 100

/**
 * Forwards requests to uWSGI servers: `uwsgi://HOST:PORT`, `HOST:PORT`, `uwsgi:/PATH`, `unix:/PATH`. It sees HTTP only,
 * and has no lifespan. Throws `InvalidOption`.
 *
 * - Of several servers the least busy one gets a request. Another one is tried only where nothing was sent yet.
 * - A server that cannot be reached, or answers nonsense, is a 502; one that is too slow a 504; a response that ends too
 *   early is torn down. The reason, an `UpstreamFailed`, goes to the log.
 * - Bodies stream both ways, no faster than the slower side takes them. When the client leaves, the server's connection
 *   is closed.
 */
export function fromUwsgi(upstream: string | readonly string[], options?: FromUwsgiOptions): HttpPart
export function fromUwsgi(upstream: string | readonly string[], options: FromUwsgiOptions = {}): Application {
  const settings = complete(options)
  const upstreams = new Upstreams(upstream, settings.connectTimeout, settings.failTimeout)
  return async (scope, receive, send) => {
    if (scope.type !== 'http') throw new UnsupportedScope(scope.type)
    const exchange = new Forwarding(scope, receive, send, settings)
    try {
      await exchange.run(upstreams)
    } catch (error) {
      if (error instanceof TooLarge && !exchange.answered) return answer(send, 413, error.message)
      if (error instanceof UpstreamFailed && !exchange.answered) await answer(send, error.status, error.status === 504 ? 'Gateway Timeout' : 'Bad Gateway')
      throw error
    }
  }
}

/** One request on its way. */
class Forwarding {
  /** Whether a response has begun. */
  answered = false
  readonly #scope: HttpScope
  readonly #receive: Receive
  readonly #send: Send
  readonly #settings: Required<FromUwsgiOptions>

  constructor(scope: HttpScope, receive: Receive, send: Send, settings: Required<FromUwsgiOptions>) {
    this.#scope = scope
    this.#receive = receive
    this.#send = send
    this.#settings = settings
  }

  async run(upstreams: Upstreams): Promise<void> {
    const { modifier1, spoolLimit } = this.#settings
    const variables = variablesOf(this.#scope, modifier1)
    const packetFor = (length: string): Uint8Array | null => writePacket(modifier1, ['CONTENT_LENGTH', length, ...variables])
    // Before the body is asked for: a head that cannot be forwarded needs none.
    if (packetFor(String(Number.MAX_SAFE_INTEGER)) === null) {
      return answer(this.#send, 431, 'the header fields are more than the uwsgi protocol can carry')
    }
    const body = await requestBody(this.#scope, this.#receive, spoolLimit === 0 ? Infinity : spoolLimit)
    try {
      const packet = packetFor(body.length === null ? '' : String(body.length)) ?? EMPTY
      const connected = await upstreams.connect(disconnectSignal(this.#scope))
      try {
        await this.#forward(connected, packet, body)
      } catch (error) {
        // A server that fails at once is the least busy one, and would get every request.
        if (error instanceof UpstreamFailed && error.status === 502 && !this.answered) connected.failed()
        throw error
      } finally {
        connected.release()
      }
    } finally {
      await body.close()
    }
  }

  async #forward({ upstream, socket }: Connected, packet: Uint8Array, body: RequestBody): Promise<void> {
    const line = new UpstreamLine(socket, upstream, this.#settings.readTimeout)
    const signal = disconnectSignal(this.#scope)
    const left = (): void => line.abort(signal.reason)
    signal.addEventListener('abort', left)
    try {
      signal.throwIfAborted()
      upload(line, packet, body).catch((error: unknown) => line.abort(error))
      await this.#respond(line, upstream.name)
    } finally {
      signal.removeEventListener('abort', left)
      line.close()
    }
  }

  async #respond(line: UpstreamLine, name: string): Promise<void> {
    const { head, rest } = await this.#readHead(line, name)
    const framing = framingOf(head, this.#scope.method)
    if (typeof framing === 'string') throw new UpstreamFailed(name, `has answered with ${framing}`)
    const parts = responseBody(line, name, rest, framing.framing)
    // What came with the head is looked at before it is passed on: it may be nonsense.
    let part = framing.framing === 0 || rest.length > 0 ? await parts.next() : null
    try {
      await this.#send({ type: 'http.response.start', status: head.status, headers: forwardedFields(head) })
    } catch (error) {
      if (error instanceof InvalidEvent) throw new UpstreamFailed(name, 'has answered with fields that no response can have', 502, { cause: error })
      throw error
    }
    this.answered = true
    // An event stream may have nothing to say for a while.
    if (part === null) await this.#send({ type: 'http.response.body', body: EMPTY, moreBody: true })
    for (part ??= await parts.next(); part.done !== true; part = await parts.next()) {
      await this.#send({ type: 'http.response.body', body: part.value.bytes, moreBody: !part.value.last })
    }
  }

  /** The final head; interim ones before it are skipped, but for early hints. */
  async #readHead(line: UpstreamLine, name: string): Promise<{ readonly head: UpstreamHead; readonly rest: Buffer }> {
    let parser = new ResponseHeadParser()
    let bytes: Buffer | null = null
    for (let interim = 0; interim <= INTERIM;) {
      if (bytes === null || bytes.length === 0) bytes = await line.read()
      if (bytes === null) throw new UpstreamFailed(name, 'has closed the connection without an answer')
      const head = parser.read(bytes)
      bytes = null
      if (head === null) continue
      if (typeof head === 'string') throw new UpstreamFailed(name, `has answered with ${head}`)
      if (head.status >= 200) return { head, rest: parser.rest }
      if (head.status === 101) throw new UpstreamFailed(name, 'has answered with a status of 101, which nobody has asked for')
      if (head.status === 103 && 'http.response.early_hint' in this.#scope.extensions) {
        const links = head.fields.filter(([field]) => field === 'link').map(([, value]) => value)
        if (links.length > 0) await this.#send({ type: 'http.response.early_hint', links })
      }
      bytes = parser.rest
      parser = new ResponseHeadParser()
      interim++
    }
    throw new UpstreamFailed(name, `has answered with more than ${INTERIM} interim responses`)
  }
}

/** Sends the request. An upstream that takes no more of it may have answered already: that is not for here. */
async function upload(line: UpstreamLine, packet: Uint8Array, body: RequestBody): Promise<void> {
  if (!await line.write(packet)) return
  for await (const part of body.parts) if (!await line.write(part)) return
  line.sent()
}

async function answer(send: Send, status: number, text: string): Promise<void> {
  await send({ type: 'http.response.start', status, headers: [['content-type', 'text/plain; charset=utf-8']] })
  await send({ type: 'http.response.body', body: `${text}\n` })
}

function complete(options: FromUwsgiOptions): Required<FromUwsgiOptions> {
  const settings = { ...defaults }
  for (const [key, value] of Object.entries(options) as [keyof FromUwsgiOptions, unknown][]) {
    if (value === undefined) continue
    if (!Object.hasOwn(defaults, key)) throw new InvalidOption(key, 'an option of fromUwsgi()', value)
    if (typeof value !== 'number' || !(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) throw new InvalidOption(key, 'a number, 0 or more', value)
    settings[key] = value
  }
  const { modifier1 } = settings
  if (!Number.isInteger(modifier1) || modifier1 > 255) throw new InvalidOption('modifier1', 'a whole number from 0 to 255', modifier1)
  return settings
}
