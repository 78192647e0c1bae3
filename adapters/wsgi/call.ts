import { WsgiError } from '../../lib/contract/errors.ts'
import type { Environ, StartResponse, WsgiApplication, Write } from '../../lib/contract/wsgi.ts'
import { checkHead, shown, type WsgiHead } from './start-response.ts'

/** A part of a body; a string is UTF-8. */
export type Block = Uint8Array | string

/** Where a call puts the blocks that its application writes. */
export interface WsgiOutput {
  /** Takes a block of `write()`, and the head before the first one. */
  write(head: WsgiHead, block: Block): void
}

/** Most bytes of a body of several blocks that goes out in one piece. */
export const SMALL: number = 64 * 1024

/**
 * One call of an application: what PEP 3333 has to say of it, whoever takes the response. Calls come in the order:
 * `begin`; `whole`; if that gave nothing, `next` until it gives null; `close`, in any case.
 */
export class WsgiCall {
  /** What the application is given. */
  readonly startResponse: StartResponse

  readonly #output: WsgiOutput
  #head: WsgiHead | null = null
  #headOut = false
  /** Bytes of the body so far. */
  #sent = 0
  #result: unknown = undefined
  /** The blocks, where all of them are there. */
  #blocks: readonly unknown[] | null = null
  #iterator: Iterator<unknown> | null = null
  /** The error that a response which had begun could not tell of. */
  #failure: { readonly error: unknown } | null = null
  #over = false

  constructor(output: WsgiOutput) {
    this.#output = output
    this.startResponse = this.#startResponse.bind(this)
  }

  /** The head, final once the first block is there. Throws `WsgiError` where there is none. */
  requireHead(): WsgiHead {
    if (this.#head === null) throw new WsgiError('the application must call startResponse before its first block of the body, and before it ends')
    return this.#head
  }

  /** Calls the application. */
  begin(app: WsgiApplication, environ: Environ): void {
    const result: unknown = app(environ, this.startResponse)
    this.#result = result
    if (Array.isArray(result)) this.#blocks = result
    else if (typeof result === 'string' || result instanceof Uint8Array) this.#blocks = [result]
    else if (typeof (result as Iterable<unknown> | null | undefined)?.[Symbol.iterator] !== 'function') throw notIterable(result)
  }

  /**
   * The whole body, if all of it is there and nothing has gone out yet: one block, or several that have `SMALL` bytes
   * together. Null if there is more to it.
   */
  whole(mostOfOne: number): Block | null {
    const blocks = this.#blocks
    if (blocks === null || this.#headOut || this.#close !== null) return null
    let total = 0
    for (let i = 0; i < blocks.length; i++) total += sizeOf(blocks[i], 'a block of the body')
    const { contentLength } = this.requireHead()
    if (total > (blocks.length === 1 ? mostOfOne : SMALL)) return null
    this.#headOut = true
    const body = blocks.length === 1 ? blocks[0] as Block : joined(blocks as readonly Block[])
    return contentLength !== null && total > contentLength ? cut(body, contentLength) : body
  }

  /** The next block that is not empty, up to the length that the head announces; null at the end. Throws what the application throws. */
  next(): Block | null {
    const iterator = this.#iterator ??= (this.#blocks ?? this.#result as Iterable<unknown>)[Symbol.iterator]()
    for (;;) {
      const left = this.#left
      if (left <= 0) return this.#ended()
      // What fails is not asked to return: it has ended.
      this.#iterator = null
      const step = iterator.next()
      if (step.done === true) return this.#ended()
      this.#iterator = iterator
      const size = sizeOf(step.value, 'a block of the body')
      if (size === 0) continue
      this.#measure(size)
      this.#headOut = true
      // Looked at anew: the application may have called startResponse just now.
      const room = this.#left
      this.#sent += Math.min(size, room)
      return size > room ? cut(step.value as Block, room) : step.value as Block
    }
  }

  /** Ends the call: what the iterable holds is let go of, once, and `write` works no more. Throws what that throws; a second time it does nothing. */
  close(): void {
    if (this.#over) return
    this.#over = true
    const close = this.#close
    const iterator = this.#iterator
    this.#iterator = null
    try {
      iterator?.return?.()
    } finally {
      close?.call(this.#result)
    }
  }

  /** Ends the call after an error, which counts more than those of closing. */
  closeAfter(error: unknown): void {
    try {
      this.close()
    } catch (other) {
      if (other !== error) console.error('closing the response after an error failed too:', other)
    }
  }

  /** Bytes that may still be sent. */
  get #left(): number {
    const { contentLength } = this.#head ?? {}
    return contentLength === null || contentLength === undefined ? Infinity : contentLength - this.#sent
  }

  get #close(): Function | null {
    const close = (this.#result as { readonly close?: unknown } | null | undefined)?.close
    return typeof close === 'function' ? close : null
  }

  #ended(): null {
    if (this.#failure !== null) throw this.#failure.error
    this.requireHead()
    return null
  }

  /** A body of one block has the length of that block. */
  #measure(size: number): void {
    const head = this.requireHead()
    if (this.#headOut || this.#blocks?.length !== 1 || head.contentLength !== null || head.status === 204 || head.status === 304) return
    this.#head = { ...head, headers: [...head.headers, ['content-length', String(size)]], contentLength: size }
  }

  #startResponse(status: string, headers: readonly (readonly [string, string])[], excInfo?: unknown): Write {
    if (this.#over) throw new WsgiError('startResponse was called after its request was over')
    const fails = excInfo !== undefined && excInfo !== null
    if (fails && this.#headOut) {
      this.#failure = { error: excInfo }
      throw excInfo
    }
    if (!fails && this.#head !== null) throw new WsgiError('startResponse was called a second time without excInfo')
    this.#head = checkHead(status, headers)
    return this.#write.bind(this)
  }

  #write(data: Block): void {
    if (this.#over) throw new WsgiError('write() was called after its request was over')
    const size = sizeOf(data, 'the argument of write()')
    // PEP 3333: the first call of write() sends the head, whatever it writes.
    if (size === 0 && this.#headOut) return
    const head = this.requireHead()
    if (size > this.#left) throw new WsgiError(`write(): ${this.#sent + size} bytes are more than the content-length, ${head.contentLength}`)
    this.#headOut = true
    this.#sent += size
    this.#output.write(head, data)
  }
}

function sizeOf(block: unknown, what: string): number {
  if (typeof block === 'string') return Buffer.byteLength(block)
  if (block instanceof Uint8Array) return block.byteLength
  throw new WsgiError(`${what} must be a Uint8Array or a string, found ${shown(block)}`)
}

function cut(block: Block, length: number): Uint8Array {
  return (typeof block === 'string' ? Buffer.from(block) : block).subarray(0, length)
}

function joined(blocks: readonly Block[]): Block {
  if (blocks.every((block) => typeof block === 'string')) return blocks.join('')
  return Buffer.concat(blocks.map((block) => typeof block === 'string' ? Buffer.from(block) : block))
}

function notIterable(result: unknown): WsgiError {
  const { then, [Symbol.asyncIterator]: iterate } = Object(result) as { readonly then?: unknown; readonly [Symbol.asyncIterator]?: unknown }
  if (typeof then === 'function') {
    // It is not waited for; that it fails must not end the process.
    void Promise.resolve(result).catch(() => {})
    return new WsgiError('the application must return an iterable, found a promise: it is an async function, and WSGI is for sync ones')
  }
  const found = typeof iterate === 'function' ? 'an async iterable, and WSGI is for sync ones' : shown(result)
  return new WsgiError(`the application must return an iterable of blocks, a string or a Uint8Array, found ${found}`)
}
