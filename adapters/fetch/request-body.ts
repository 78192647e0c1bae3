import type { Receive } from '../../lib/contract/application.ts'
import { bodyChunks } from '../../lib/contract/body.ts'
import { ClientDisconnected } from '../../lib/contract/errors.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'
import { isDisturbed } from './disturbed.ts'

/** Whether a request may have a body, as far as its scope tells. */
export function mayHaveBody({ method, httpVersion, headers }: HttpScope): boolean {
  // `Request` has no body with GET and HEAD; RFC 9110 9.3.8: nor has TRACE.
  if (method === 'GET' || method === 'HEAD' || method === 'TRACE') return false
  const length = headers.get('content-length')
  if (length !== undefined) return length !== '0'
  // RFC 9112 6.3: without both fields there is none. HTTP/2 tells only by its frames.
  return httpVersion === '2' || headers.has('transfer-encoding')
}

/** The body of a request: a stream made on first use, or its bytes with no stream in between. */
export class RequestBody {
  readonly #receive: Receive
  #stream: ReadableStream<Uint8Array> | null = null
  #taken = false

  constructor(receive: Receive) {
    this.#receive = receive
  }

  /**
   * Asks for the next part only when somebody reads, so that `100 Continue` goes out no earlier and the client is held
   * back. Not a byte stream: that one would detach the memory of the parts, which others share.
   */
  get stream(): ReadableStream<Uint8Array> {
    return this.#stream ??= new ReadableStream<Uint8Array>({ pull: (controller) => this.#pull(controller) }, { highWaterMark: 0 })
  }

  /** Whether somebody has read of it. */
  get used(): boolean {
    return this.#taken || (this.#stream !== null && isDisturbed(this.#stream))
  }

  /** Whether nobody has read of it, or is about to. */
  get fresh(): boolean {
    return !this.used && this.#stream?.locked !== true
  }

  /** All bytes. Only for a fresh body. */
  async whole(): Promise<Buffer> {
    this.#taken = true
    const chunks: Uint8Array[] = []
    for await (const chunk of bodyChunks(this.#receive)) chunks.push(chunk)
    const [first] = chunks
    if (chunks.length === 1 && first !== undefined) return Buffer.from(first.buffer, first.byteOffset, first.byteLength)
    return Buffer.concat(chunks)
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    for (;;) {
      const event = await this.#receive()
      if (event.type !== 'http.request') throw new ClientDisconnected('the client disconnected before its body was complete')
      if (event.body.length > 0) controller.enqueue(event.body)
      if (!event.moreBody) return controller.close()
      if (event.body.length > 0) return
    }
  }
}
