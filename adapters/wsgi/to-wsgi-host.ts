/** The thread of the host: calls of the callable that are under way, and what the loop does to them, beneath the one that is parked. */
import { randomUUID } from 'node:crypto'
import { ClientDisconnected } from '../../lib/contract/errors.ts'
import type { Environ, StartResponse, WsgiInput, Write } from '../../lib/contract/wsgi.ts'
import { loopCallKey } from './environ.ts'

/** What `startResponse` is called with. */
export type WsgiHead = readonly [status: string, headers: readonly (readonly [name: string, value: string])[]]

/** A thread may hold two copies of this module, one imported and one required. They share the calls. */
const callsKey: unique symbol = Symbol.for('tsgi.toWsgi.calls')
const calls = (globalThis as { [callsKey]?: Map<string, HostCall> })[callsKey] ??= new Map()

/** One call of the callable. */
export class HostCall {
  /** No other call of any thread has it. */
  readonly id: string = randomUUID()
  /** Its first word is 0 until the call is over. */
  readonly over: Int32Array = new Int32Array(new SharedArrayBuffer(4))
  /** The number of the call of `fromWsgi` that this one is beneath; null for another host's. */
  readonly under: number | null
  /** What the host threw as it was given a part of the response. */
  writeFailure: { readonly error: unknown } | null = null
  /** What the host threw as it was asked for the body. */
  readFailure: { readonly error: unknown } | null = null

  readonly #input: WsgiInput
  readonly #startResponse: StartResponse
  #write: Write | null = null

  constructor(environ: Environ, startResponse: StartResponse) {
    this.under = (environ as { readonly [loopCallKey]?: number })[loopCallKey] ?? null
    this.#input = environ['wsgi.input']
    this.#startResponse = startResponse
    calls.set(this.id, this)
  }

  start([status, headers]: WsgiHead): void {
    this.#write = this.#startResponse(status, headers)
  }

  respond(head: WsgiHead | null, block: Uint8Array): void {
    if (this.writeFailure !== null) throw this.writeFailure.error
    try {
      if (head !== null) this.start(head)
      if (typeof this.#write !== 'function') throw new TypeError('startResponse must return a function that writes (PEP 3333), and has not')
      this.#write(block)
    } catch (error) {
      this.writeFailure = { error }
      throw error
    }
  }

  /** `read1`, where a host has it, waits for no more than some bytes; `read` waits for all. */
  read(size: number): Uint8Array {
    try {
      const input = this.#input
      const bytes: unknown = typeof input.read1 === 'function' ? input.read1(size) : input.read(size)
      if (bytes instanceof Uint8Array) return alone(bytes)
      throw new TypeError(`wsgi.input must give a Uint8Array, found ${typeof bytes}`)
    } catch (error) {
      this.readFailure = { error }
      throw error
    }
  }

  /** The callable returns or throws: nothing can be done to the call any more. */
  end(): void {
    calls.delete(this.id)
    Atomics.store(this.over, 0, 1)
    Atomics.notify(this.over, 0)
  }
}

/** Bytes in memory that holds nothing else: all of it would be cloned with them. */
export function alone(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength ? bytes : new Uint8Array(bytes)
}

/** For the loop: at most `size` bytes of the request's body, none at its end. */
export function readInput(id: string, size: number): Uint8Array {
  return hostCall(id).read(size)
}

/** For the loop: begins the response, where there is a head, and writes a block of its body. */
export function respond(id: string, head: WsgiHead | null, block: Uint8Array): void {
  hostCall(id).respond(head, block)
}

function hostCall(id: string): HostCall {
  const call = calls.get(id)
  if (call === undefined) throw new ClientDisconnected('the host has given the request up')
  return call
}
