/** What serves, on the event loop, an application that runs on a thread. The functions are called from there. */
import { AsyncResource } from 'node:async_hooks'
import type { Receive, Send } from '../../lib/contract/application.ts'
import { disconnectSignal } from '../../lib/contract/disconnect.ts'
import { ClientDisconnected, ThreadDied } from '../../lib/contract/errors.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'
import { parkedThread } from '../../lib/threads/loop-end.ts'
import type { FunctionName } from '../../lib/threads/protocol.ts'
import { RingReader, RingWriter, type RingMemory } from '../../lib/threads/ring.ts'
import type { AsyncForm } from '../../lib/threads/sync-to-async.ts'
import { TransientMap } from '../../lib/threads/transient-map.ts'
import { mayHaveBody } from './body.ts'
import type { Block } from './call.ts'
import { environParts, environTls } from './environ.ts'
import type { handle } from './on-thread.ts'
import { giveRing, takeRing } from './rings.ts'

const resourceOptions = { requireManualDestroy: true } as const
const LAST_ID = 2 ** 31 - 1

const calls = new TransientMap<number, LoopCall>()
let lastId = 0

/** A stream between the loop and the thread. */
interface Stream {
  readonly memory: RingMemory
  /** Settles, without an error, when this end does not touch the ring any more. */
  readonly pumped: Promise<void>
  /** Why it did not come to its end. */
  failure: { readonly error: unknown } | null
}

/** One request. It is an asynchronous resource, because what its thread asks for comes in outside of it. */
class LoopCall extends AsyncResource {
  readonly id: number = lastId = lastId % LAST_ID + 1
  readonly #scope: HttpScope
  readonly #receive: Receive
  readonly #send: Send
  #bodyRead = false
  #body: (Stream & { readonly writer: RingWriter }) | null = null
  #response: (Stream & { readonly reader: RingReader }) | null = null

  constructor(scope: HttpScope, receive: Receive, send: Send) {
    super('TSGI_WSGI', resourceOptions)
    this.#scope = scope
    this.#receive = receive
    this.#send = send
  }

  async run(call: AsyncForm<typeof handle>, { href, name }: FunctionName): Promise<void> {
    const scope = this.#scope
    const { headers } = scope
    calls.set(this.id, this)
    let died = false
    try {
      // A thread that is parked runs this call; what it does here may in turn need that thread, which must not wait for a ring.
      const whole = await call(href, name, this.id, parkedThread() !== null, mayHaveBody(scope, headers.get('content-length'), headers.get('transfer-encoding')), environParts(scope), environTls(scope))
      if (whole !== null) {
        await this.#sendStart(whole[0], whole[1])
        await this.#send({ type: 'http.response.body', body: whole[2] })
      } else if (this.#response === null) {
        await this.#send({ type: 'http.response.body' })
      } else {
        await this.#response.pumped
        if (this.#response.failure !== null) throw this.#response.failure.error
      }
    } catch (error) {
      died = error instanceof ThreadDied
      // A thread that lives has said how its stream ends. What was written before goes out first.
      if (died) this.#response?.reader.cancel()
      await this.#response?.pumped
      throw error
    } finally {
      this.#over(died)
    }
  }

  /** Calls `listener` when the client leaves, or has left. */
  onGone(listener: () => void): void {
    const signal = disconnectSignal(this.#scope)
    if (signal.aborted) listener()
    else signal.addEventListener('abort', listener, { once: true })
  }

  /** Gives the next part of the request's body; null at its end. */
  async nextPart(): Promise<Uint8Array | null> {
    while (!this.#bodyRead) {
      const event = await this.runInAsyncScope(this.#receive, null)
      if (event.type !== 'http.request') throw cutShort()
      this.#bodyRead = !event.moreBody
      if (event.body.length > 0) return event.body
    }
    return null
  }

  sendStart(status: number, headers: readonly string[]): Promise<void> {
    return this.runInAsyncScope(this.#sendStart, this, status, headers)
  }

  sendBlock(body: Block): Promise<void> {
    return this.runInAsyncScope(this.#send, null, { type: 'http.response.body', body, moreBody: true })
  }

  /** Begins to fill a ring with the request's body. */
  startBody(): RingMemory {
    const memory = takeRing()
    const writer = new RingWriter(memory)
    const pumped = this.runInAsyncScope(this.#pumpBody, this, writer).catch((error: unknown) => {
      body.failure = { error }
      writer.cut()
    })
    const body = this.#body = { memory, writer, pumped, failure: null as Stream['failure'] }
    return memory
  }

  /** Sends the head and the first block, and begins to send what comes through a ring. */
  async startResponse(status: number, headers: readonly string[], block: Block): Promise<RingMemory> {
    await this.sendStart(status, headers)
    await this.sendBlock(block)
    const memory = takeRing()
    const reader = new RingReader(memory)
    const gone = (): void => reader.cancel()
    const signal = disconnectSignal(this.#scope)
    signal.addEventListener('abort', gone, { once: true })
    const pumped = this.runInAsyncScope(this.#pumpResponse, this, reader).catch((error: unknown) => {
      response.failure = { error }
      reader.cancel()
    }).finally(() => signal.removeEventListener('abort', gone))
    const response = this.#response = { memory, reader, pumped, failure: null as Stream['failure'] }
    return memory
  }

  /** Why a ring has broken off. */
  failure(side: 'body' | 'response'): unknown {
    const error = (side === 'body' ? this.#body : this.#response)?.failure?.error
    // Of the client, the ring itself only knows that it was left.
    return error === undefined || (side === 'response' && error instanceof ClientDisconnected) ? new ClientDisconnected() : error
  }

  async #pumpBody(writer: RingWriter): Promise<void> {
    for (;;) {
      const event = await this.#receive()
      if (event.type !== 'http.request') throw cutShort()
      if (event.body.length > 0) await writer.write(event.body)
      if (!event.moreBody) return writer.end()
    }
  }

  async #pumpResponse(reader: RingReader): Promise<void> {
    for (let body = await reader.read(); body !== null; body = await reader.read()) await this.#send({ type: 'http.response.body', body, moreBody: true })
    await this.#send({ type: 'http.response.body' })
  }

  #sendStart(status: number, flat: readonly string[]): Promise<void> {
    const headers: [string, string][] = []
    for (let i = 0; i < flat.length; i += 2) headers.push([flat[i] ?? '', flat[i + 1] ?? ''])
    return this.#send({ type: 'http.response.start', status, headers })
  }

  /** The thread has left the call. Rings that it may have left in the midst of something are not used again. */
  #over(died: boolean): void {
    calls.delete(this.id)
    this.#body?.writer.cut()
    if (died) return
    for (const stream of [this.#body, this.#response]) if (stream !== null) void stream.pumped.then(() => giveRing(stream.memory))
  }
}

/** Makes an Application of what runs the calls on threads, and of the function that they call there. */
export function serveOnThreads(call: AsyncForm<typeof handle>, app: FunctionName, scope: HttpScope, receive: Receive, send: Send): Promise<void> {
  return new LoopCall(scope, receive, send).run(call, app)
}

/** From a thread: it wants the body of its request. Gives the ring through which it comes. */
export async function startBody(id: number): Promise<RingMemory> {
  return callOf(id).startBody()
}

/** From a thread: the head of its response, names and values in turn, and the first block. Gives the ring for the others. */
export async function startResponse(id: number, status: number, headers: readonly string[], block: Block): Promise<RingMemory> {
  return callOf(id).startResponse(status, headers, block)
}

/** From a thread that cannot wait for a ring: it wants the next part of the body; null at its end. */
export async function nextPart(id: number): Promise<Uint8Array | null> {
  return callOf(id).nextPart()
}

/** From such a thread: the head of its response. */
export async function sendStart(id: number, status: number, headers: readonly string[]): Promise<void> {
  return callOf(id).sendStart(status, headers)
}

/** From such a thread: a block. */
export async function sendBlock(id: number, block: Block): Promise<void> {
  return callOf(id).sendBlock(block)
}

/** From a thread whose ring has broken off: rejects with the reason. */
export async function whyBroken(id: number, side: 'body' | 'response'): Promise<never> {
  throw callOf(id).failure(side)
}

/** On the loop: calls `listener` when the client of a call leaves. */
export function onClientGone(id: number, listener: () => void): void {
  calls.get(id)?.onGone(listener)
}

function cutShort(): ClientDisconnected {
  return new ClientDisconnected('the client disconnected before its body was complete')
}

function callOf(id: number): LoopCall {
  const call = calls.get(id)
  if (call === undefined) throw new ClientDisconnected('the request is over')
  return call
}
