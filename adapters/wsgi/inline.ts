import type { Receive, Send } from '../../lib/contract/application.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'
import type { WsgiApplication } from '../../lib/contract/wsgi.ts'
import { mayHaveBody, readBody } from './body.ts'
import { WsgiCall, type Block, type WsgiOutput } from './call.ts'
import { inlineEnviron } from './environ.ts'
import { ErrorsStream } from './errors-stream.ts'
import { Input, WholeBody } from './input.ts'
import type { WsgiHead } from './start-response.ts'

/** Calls an application on the event loop: the body is read before, up to `bodyLimit` bytes. */
export async function serveInline(app: WsgiApplication, bodyLimit: number, scope: HttpScope, receive: Receive, send: Send): Promise<void> {
  let input = new Input(null)
  const errors = new ErrorsStream()
  const environ = inlineEnviron(scope, input, errors)
  if (mayHaveBody(scope, environ.CONTENT_LENGTH, environ['HTTP_TRANSFER_ENCODING'])) {
    const body = await readBody(scope, receive, bodyLimit)
    if (body === null) return tooLarge(send)
    environ['wsgi.input'] = input = new Input(new WholeBody(body))
  }
  const output = new InlineOutput(send)
  const call = new WsgiCall(output)
  try {
    call.begin(app, environ)
    const whole = call.whole(Infinity)
    if (whole === null) {
      await stream(call, output)
    } else {
      const { status, headers } = call.requireHead()
      await send({ type: 'http.response.start', status, headers })
      await send({ type: 'http.response.body', body: whole })
    }
    call.close()
  } catch (error) {
    call.closeAfter(error)
    await output.settled()
    throw error
  } finally {
    input.close()
    errors.flush()
  }
}

async function stream(call: WsgiCall, output: InlineOutput): Promise<void> {
  for (let block = call.next(); block !== null; block = call.next()) await output.block(call.requireHead(), block)
  await output.end(call.requireHead())
}

async function tooLarge(send: Send): Promise<void> {
  await send({ type: 'http.response.start', status: 413, headers: [['content-type', 'text/plain; charset=utf-8']] })
  await send({ type: 'http.response.body', body: 'Content Too Large\n' })
}

/** Turns blocks into events. */
class InlineOutput implements WsgiOutput {
  readonly #send: Send
  #started = false
  /** What `write()` has handed over: nothing can wait for it there. */
  #written: Promise<void> | null = null

  constructor(send: Send) {
    this.#send = send
  }

  write(head: WsgiHead, block: Block): void {
    // The application may use its memory again as soon as this returns.
    const kept = typeof block === 'string' ? block : Uint8Array.from(block)
    this.#written = this.#next(head, kept)
    this.#written.catch(() => {})
  }

  async block(head: WsgiHead, block: Block): Promise<void> {
    if (this.#written !== null) await this.#written
    await this.#start(head)
    await this.#send({ type: 'http.response.body', body: block, moreBody: true })
  }

  async end(head: WsgiHead): Promise<void> {
    if (this.#written !== null) await this.#written
    await this.#start(head)
    await this.#send({ type: 'http.response.body' })
  }

  /** Resolves when all that was written is sent, or has failed. */
  async settled(): Promise<void> {
    await this.#written?.catch(() => {})
  }

  /** Sends a block after those before it. */
  async #next(head: WsgiHead, block: Block): Promise<void> {
    await this.block(head, block)
  }

  async #start({ status, headers }: WsgiHead): Promise<void> {
    if (this.#started) return
    this.#started = true
    await this.#send({ type: 'http.response.start', status, headers })
  }
}
