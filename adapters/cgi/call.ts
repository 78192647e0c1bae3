import type { Receive, Send } from '../../lib/contract/application.ts'
import { disconnectSignal } from '../../lib/contract/disconnect.ts'
import { CgiError, ClientDisconnected, InvalidEvent } from '../../lib/contract/errors.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'
import { isClientDisconnected } from '../../lib/exchange/settle.ts'
import { programBody, type ProgramBody } from './body.ts'
import type { Gate } from './gate.ts'
import { HeadParser, type CgiHead } from './head-parser.ts'
import { redirected } from './local-redirect.ts'
import type { CgiSettings } from './options.ts'
import type { Exit, Program, StartProgram } from './process.ts'
import { printable } from './stderr-log.ts'
import { cgiVariables, type ProgramEnv } from './variables.ts'
import { Violation } from './violation.ts'
import { Watch } from './watch.ts'

const EMPTY = Buffer.alloc(0)

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request', 411: 'Length Required', 413: 'Content Too Large', 431: 'Request Header Fields Too Large',
  502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout',
}

/** No program can be started now, but one may be later. */
const scarce: ReadonlySet<string | undefined> = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM'])

/** One request, and the program that answers it. */
export class CgiCall {
  readonly #settings: CgiSettings
  readonly #start: StartProgram
  readonly #gate: Gate
  readonly #scope: HttpScope
  readonly #receive: Receive
  readonly #send: Send
  readonly #parser: HeadParser
  #program: Program | null = null
  #watch: Watch | null = null
  /** Why the program is given up. */
  #failure: unknown = undefined
  #started = false
  #complete = false
  #length = 0

  constructor(settings: CgiSettings, start: StartProgram, gate: Gate, scope: HttpScope, receive: Receive, send: Send) {
    this.#settings = settings
    this.#start = start
    this.#gate = gate
    this.#scope = scope
    this.#receive = receive
    this.#send = send
    this.#parser = new HeadParser(settings.headLimit, settings.nph)
  }

  async run(): Promise<void> {
    const env = cgiVariables(this.#scope, this.#settings)
    if (typeof env === 'string') return this.#answer(400)
    if (this.#gate.full) return this.#busy()
    const body = await programBody(this.#settings, this.#scope, this.#receive)
    if (typeof body === 'number') return this.#answer(body)
    let redirect: string | null = null
    try {
      if (body.length !== null) env['CONTENT_LENGTH'] = String(body.length)
      const signal = disconnectSignal(this.#scope)
      const entry = await this.#gate.enter(signal, this.#settings.timeout)
      if (entry === 'gone') throw new ClientDisconnected()
      if (entry !== 'in') return await this.#busy()
      try {
        redirect = await this.#call(env, body, signal)
      } finally {
        this.#gate.leave()
      }
    } finally {
      await body.file?.close()
    }
    if (redirect !== null) await this.#redirect(redirect)
  }

  /** Runs the program. Returns the path of a local redirect, else null: it has been answered for. */
  async #call(env: ProgramEnv, body: ProgramBody, signal: AbortSignal): Promise<string | null> {
    let program: Program
    try {
      program = this.#start(env, body.file?.fd ?? (body.length === null ? 'ignore' : 'pipe'))
    } catch (error) {
      await this.#refuse(notStarted(error as NodeJS.ErrnoException))
      return null
    }
    this.#program = program
    // What it has started may hold its output, which would have to be waited for.
    void program.exited.then((exit) => this.#died(exit) && program.stop())
    const { timeout } = this.#settings
    this.#watch = new Watch(timeout, () => this.#giveUp(new Violation(`nothing has come or gone for ${timeout} seconds`, 504)))
    const left = (): void => this.#giveUp(new ClientDisconnected())
    signal.addEventListener('abort', left, { once: true })
    if (signal.aborted) left()
    try {
      if (program.stdin !== null) void this.#pump(program.stdin, body)
      await this.#read(program)
      return await this.#conclude(this.#failure === undefined ? await program.exited : null)
    } catch (error) {
      this.#giveUp(error)
      throw error
    } finally {
      signal.removeEventListener('abort', left)
      await program.close()
      this.#watch.stop()
    }
  }

  /** Ends the program, for a reason of which only the first counts. */
  #giveUp(reason: unknown): void {
    this.#failure ??= reason
    this.#program?.stop()
    this.#program?.stdout.destroy()
  }

  /** Gives the program its input, as fast as it takes it. */
  async #pump(stdin: NodeJS.WritableStream & { readonly destroyed: boolean }, { bytes, length }: ProgramBody): Promise<void> {
    try {
      if (bytes !== null) {
        stdin.end(bytes)
        return
      }
      for (let left = length ?? 0; left > 0;) {
        const event = await this.#during(this.#receive())
        if (event.type !== 'http.request') throw new ClientDisconnected('the client disconnected before its body was complete')
        // It need not read what it has no use for.
        if (stdin.destroyed || !stdin.writable) return
        if (!stdin.write(event.body.subarray(0, left))) await room(stdin)
        this.#watch?.touch()
        left = event.moreBody ? left - event.body.length : 0
      }
      stdin.end()
    } catch (error) {
      if (!this.#complete) this.#giveUp(error)
    }
  }

  /** Reads the program's output to its end, and passes it on. */
  async #read({ stdout }: Program): Promise<void> {
    try {
      for await (const chunk of stdout.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        // After its response it may go on for a while, whatever it writes.
        if (!this.#complete) this.#watch?.touch()
        await this.#output(chunk)
        if (this.#failure !== undefined) return
      }
    } catch (error) {
      // Also the output of a program that is given up, which is destroyed.
      this.#giveUp(error)
    }
  }

  async #output(chunk: Buffer): Promise<void> {
    const known = this.#parser.head
    if (known !== null) return this.#body(known, chunk)
    const rest = this.#parser.push(chunk)
    const head = this.#parser.head as CgiHead | null
    if (rest === null || head === null || head.localRedirect !== null) return
    if (this.#bodyless(head)) return this.#respond(head, EMPTY, false)
    if (rest.length > 0) return this.#body(head, rest)
    // The client may wait for the head alone; without a type, there is nothing to wait for.
    if (head.typed) await this.#respond(head, EMPTY, head.contentLength !== 0)
  }

  async #body(head: CgiHead, chunk: Buffer): Promise<void> {
    if (head.localRedirect !== null || this.#bodyless(head)) return
    if (!head.typed) throw new Violation('its response has a body, but no Content-Type (RFC 3875 6.3.1)')
    const left = head.contentLength === null ? Infinity : head.contentLength - this.#length
    this.#length += Math.min(chunk.length, left)
    if (!this.#complete) await this.#respond(head, chunk.length > left ? chunk.subarray(0, left) : chunk, chunk.length < left)
    if (chunk.length > left) throw new Violation(`its response has more than the ${head.contentLength} bytes of its Content-Length, which are all that was sent`)
  }

  /** Sends a part of the body, and the head before the first one. */
  async #respond(head: CgiHead, body: Buffer, moreBody: boolean): Promise<void> {
    if (!this.#started) {
      try {
        await this.#send({ type: 'http.response.start', status: head.status, headers: head.headers })
      } catch (error) {
        throw error instanceof InvalidEvent ? new Violation(`its head cannot be sent: ${error.message}`) : error
      }
      this.#started = true
    }
    this.#complete = !moreBody
    await this.#during(this.#send({ type: 'http.response.body', body, moreBody }))
  }

  /** The program has ended, or is given up: so does the response, well or not. */
  async #conclude(exit: Exit | null): Promise<string | null> {
    const failure = this.#failure ?? (exit === null ? undefined : this.#faultOf(exit))
    if (failure !== undefined) this.#program?.stop()
    if (this.#complete) {
      if (failure !== undefined && !isClientDisconnected(failure)) this.#log(messageOf(failure))
      return null
    }
    if (failure !== undefined) {
      if (!this.#started && failure instanceof Violation) await this.#refuse(failure)
      else throw failure instanceof Violation ? new CgiError(`${this.#settings.name}: ${failure.message}`, { cause: failure.cause }) : failure
      return null
    }
    const head = this.#parser.head as CgiHead // else there were a fault
    if (head.localRedirect !== null) return head.localRedirect
    await this.#respond(head, EMPTY, false)
    return null
  }

  /** What is wrong with the way a program ended. */
  #faultOf(exit: Exit): Violation | undefined {
    const { code, signal, error } = exit
    if (error !== null) return notStarted(error)
    if (signal !== null) return new Violation(`it was ended by ${signal}`)
    const head = this.#parser.head
    if (head === null) return new Violation(`it ended with code ${code} ${this.#parser.empty ? 'without a response' : 'within its head'}`)
    if (this.#died(exit)) return new Violation(`it ended with code ${code}`)
    if (head.contentLength !== null && this.#length < head.contentLength && !this.#bodyless(head)) {
      return new Violation(`its response has ${this.#length} of the ${head.contentLength} bytes of its Content-Length`)
    }
    return undefined
  }

  /** Whether a program has not ended as one should. */
  #died({ code, signal, error }: Exit): boolean {
    return error !== null || signal !== null || (code !== 0 && !this.#settings.ignoreExitCode)
  }

  #bodyless({ status }: CgiHead): boolean {
    return this.#scope.method === 'HEAD' || status === 204 || status === 205 || status === 304
  }

  async #redirect(location: string): Promise<void> {
    const { localRedirect } = this.#settings
    if (localRedirect !== null) {
      const next = redirected(this.#scope, location, this.#receive)
      if (next === null) return this.#refuse(new Violation('its local redirects go on and on'))
      return localRedirect(next.scope, next.receive, this.#send)
    }
    await this.#send({ type: 'http.response.start', status: 302, headers: [['location', location]] })
    await this.#send({ type: 'http.response.body' })
  }

  #during<T>(promise: Promise<T>): Promise<T> {
    return this.#watch === null ? promise : this.#watch.during(promise)
  }

  #busy(): Promise<void> {
    return this.#refuse(new Violation(`${this.#settings.concurrency} are running already`, 503))
  }

  /** Answers in place of the program. */
  async #refuse(violation: Violation): Promise<void> {
    this.#log(messageOf(violation))
    await this.#answer(violation.status)
  }

  async #answer(status: number): Promise<void> {
    const headers = [['content-type', 'text/plain; charset=utf-8'], ...(status === 503 ? [['retry-after', '1']] : [])] as [string, string][]
    await this.#send({ type: 'http.response.start', status, headers })
    await this.#send({ type: 'http.response.body', body: `${reasons[status] ?? 'Error'}\n` })
  }

  #log(reason: string): void {
    const { method, rawPath } = this.#scope
    this.#settings.log(printable(`${this.#settings.name}: ${method} ${rawPath}: ${reason}`))
  }
}

function notStarted(error: NodeJS.ErrnoException): Violation {
  const status = scarce.has(error.code) ? 503 : error.code === 'E2BIG' ? 431 : 502
  return new Violation(`it cannot be started: ${error.message}`, status, { cause: error })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Resolves once a stream has room again, or is over. */
function room(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done).off('error', done)
      resolve()
    }
    stream.on('drain', done).on('close', done).on('error', done)
  })
}
