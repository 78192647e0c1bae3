/** What runs on a thread: one call of an application, served by the event loop that owns the thread. */
import { fileURLToPath } from 'node:url'
import { ClientDisconnected, LoadFailed } from '../../lib/contract/errors.ts'
import type { WsgiApplication } from '../../lib/contract/wsgi.ts'
import { asyncToSync } from '../../lib/threads/async-to-sync.ts'
import { loadedFunction, loadFunctionNow } from '../../lib/threads/module.ts'
import { RingReader, RingWriter } from '../../lib/threads/ring.ts'
import { SMALL, WsgiCall, type Block, type WsgiOutput } from './call.ts'
import { loopCallKey, threadEnviron, type EnvironParts } from './environ.ts'
import { ErrorsStream } from './errors-stream.ts'
import { Input, type ByteSource } from './input.ts'
import type * as OnLoop from './on-loop.ts'
import type { WsgiHead } from './start-response.ts'

const startBody = asyncToSync<typeof OnLoop.startBody>(new URL('./on-loop.js#startBody', import.meta.url))
const startResponse = asyncToSync<typeof OnLoop.startResponse>(new URL('./on-loop.js#startResponse', import.meta.url))
const nextPart = asyncToSync<typeof OnLoop.nextPart>(new URL('./on-loop.js#nextPart', import.meta.url))
const sendStart = asyncToSync<typeof OnLoop.sendStart>(new URL('./on-loop.js#sendStart', import.meta.url))
const sendBlock = asyncToSync<typeof OnLoop.sendBlock>(new URL('./on-loop.js#sendBlock', import.meta.url))
const whyBroken = asyncToSync<typeof OnLoop.whyBroken>(new URL('./on-loop.js#whyBroken', import.meta.url))

/** A response in one piece: its headers are names and values in turn. */
export type WholeResponse = readonly [status: number, headers: readonly string[], body: Block]

/**
 * Calls the application that a module exports. Gives the response if it is small; null where its blocks went out one by
 * one. With `nested` the thread is parked for the code that calls: it must not wait for anything but the loop's answers.
 */
export function handle(href: string, name: string, id: number, nested: boolean, body: boolean, parts: EnvironParts, tls: readonly string[] | null): WholeResponse | null {
  const found = { href, name }
  const app = (loadedFunction(found) ?? loadFunctionNow(found)) as WsgiApplication
  const input = new Input(!body ? null : nested ? new AskedBody(id) : new RingBody(id))
  const errors = new ErrorsStream()
  const output = nested ? new AskedOutput(id) : new RingOutput(id)
  const call = new WsgiCall(output)
  try {
    call.begin(app, Object.assign(threadEnviron(parts, tls, input, errors), { [loopCallKey]: id }))
    const whole = wholeOf(call) ?? stream(call, output)
    call.close()
    return whole
  } catch (error) {
    output.cut()
    call.closeAfter(error)
    throw error
  } finally {
    input.close()
    errors.flush()
  }
}

/** Fails as a call would where the module cannot be loaded, has no such export, or that is async. Throws `LoadFailed`. */
export function check(href: string, name: string): void {
  const found = { href, name }
  const app = loadedFunction(found) ?? loadFunctionNow(found)
  if (/^Async/.test(app.constructor.name)) throw new LoadFailed(`${fileURLToPath(href)}: export ${JSON.stringify(name)} is an async function, expected a sync one (environ, startResponse)`)
}

function wholeOf(call: WsgiCall): WholeResponse | null {
  const body = call.whole(SMALL)
  if (body === null) return null
  const { status, headers } = call.requireHead()
  return [status, headers.flat(), typeof body === 'string' ? body : copyOf(body)]
}

function stream(call: WsgiCall, output: ThreadOutput): WholeResponse | null {
  for (let block = call.next(); block !== null; block = call.next()) output.write(call.requireHead(), block)
  if (output.end()) return null
  const { status, headers } = call.requireHead()
  return [status, headers.flat(), '']
}

interface ThreadOutput extends WsgiOutput {
  /** The body is complete; false if nothing of it was written. */
  end(): boolean
  /** The body will not be complete, unless it is already. */
  cut(): void
}

/** A body that comes part by part, each when it is asked for. */
class AskedBody implements ByteSource {
  readonly #id: number

  constructor(id: number) {
    this.#id = id
  }

  next(): Uint8Array | null {
    return nextPart(this.#id)
  }
}

/** Hands each block to the loop, and waits until it is sent. */
class AskedOutput implements ThreadOutput {
  readonly #id: number
  #begun = false

  constructor(id: number) {
    this.#id = id
  }

  write({ status, headers }: WsgiHead, block: Block): void {
    if (!this.#begun) sendStart(this.#id, status, headers.flat())
    this.#begun = true
    sendBlock(this.#id, typeof block === 'string' ? block : copyOf(block))
  }

  end(): boolean {
    return this.#begun
  }

  cut(): void {}
}

/** A body that the loop sends once it is read. */
class RingBody implements ByteSource {
  readonly #id: number
  #reader: RingReader | null = null

  constructor(id: number) {
    this.#id = id
  }

  next(most: number): Uint8Array | null {
    this.#reader ??= new RingReader(startBody(this.#id))
    try {
      return this.#reader.readSync(most)
    } catch (error) {
      throw reasonFor(error, this.#id, 'body')
    }
  }
}

/** Hands the head and the first block to the loop, and the others to its ring, where they block while it is full. */
class RingOutput implements ThreadOutput {
  readonly #id: number
  #writer: RingWriter | null = null
  #ended = false

  constructor(id: number) {
    this.#id = id
  }

  write({ status, headers }: WsgiHead, block: Block): void {
    let bytes = typeof block === 'string' ? Buffer.from(block) : block
    if (this.#writer === null) {
      this.#writer = new RingWriter(startResponse(this.#id, status, headers.flat(), copyOf(bytes.subarray(0, SMALL))))
      bytes = bytes.subarray(SMALL)
      if (bytes.length === 0) return
    }
    try {
      this.#writer.writeSync(bytes)
    } catch (error) {
      throw reasonFor(error, this.#id, 'response')
    }
  }

  end(): boolean {
    this.#ended = true
    this.#writer?.end()
    return this.#writer !== null
  }

  cut(): void {
    if (!this.#ended) this.#writer?.cut()
  }
}

/** What broke a ring off, which only the loop knows. */
function reasonFor(error: unknown, id: number, side: 'body' | 'response'): unknown {
  if (!(error instanceof ClientDisconnected)) return error
  try {
    return whyBroken(id, side)
  } catch (reason) {
    return reason
  }
}

/** The bytes in memory of their own: to clone a part of a larger one would clone all of it. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength === bytes.byteLength && bytes.buffer instanceof ArrayBuffer ? bytes : Uint8Array.from(bytes)
}
