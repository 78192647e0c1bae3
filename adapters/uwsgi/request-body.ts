import { randomUUID } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Receive } from '../../lib/contract/application.ts'
import { hasBody } from '../../lib/contract/disconnect.ts'
import { ClientDisconnected, TooLarge } from '../../lib/contract/errors.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'

/** Bytes of a body of unknown length that are kept in memory; what is longer goes to a file. */
const MEMORY = 65536

/** A request's body whose length is known. */
export interface RequestBody {
  /** In bytes; null for no body. */
  readonly length: number | null
  readonly parts: AsyncIterable<Uint8Array>
  /** Lets go of the file, if there is one. */
  close(): Promise<void>
}

const nothing: RequestBody = { length: null, parts: (async function* () {})(), close: async () => {} }

/** The request's body. One that does not say its length is read whole first; throws `TooLarge` if it is over `limit` bytes. */
export async function requestBody(scope: HttpScope, receive: Receive, limit: number): Promise<RequestBody> {
  const length = scope.headers.get('content-length')
  if (length !== undefined && /^[0-9]+$/.test(length) && !scope.headers.has('transfer-encoding')) {
    return { length: Number(length), parts: parts(receive, Number(length)), close: async () => {} }
  }
  if (hasBody(scope) === false) return nothing
  const spool = new Spool(limit)
  try {
    for (;;) {
      const event = await receive()
      if (event.type !== 'http.request') throw new ClientDisconnected('the client disconnected before its body was complete')
      await spool.add(event.body)
      if (!event.moreBody) return spool.size === 0 ? nothing : spool
    }
  } catch (error) {
    await spool.close()
    throw error
  }
}

async function* parts(receive: Receive, length: number): AsyncGenerator<Uint8Array, void, void> {
  let left = length
  for (;;) {
    const event = await receive()
    if (event.type !== 'http.request') throw new ClientDisconnected('the client disconnected before its body was complete')
    left -= event.body.length
    // No server of ours lets such a body through.
    if (left < 0 || (left > 0 && !event.moreBody)) throw new ClientDisconnected('the client\'s body does not have its content-length')
    if (event.body.length > 0) yield event.body
    if (!event.moreBody) return
  }
}

/** A body that is kept: in memory while it is small, then in a file that has no name. */
class Spool implements RequestBody {
  size = 0
  readonly #limit: number
  #kept: Uint8Array[] = []
  #keptSize = 0
  #file: FileHandle | null = null
  #path = ''

  constructor(limit: number) {
    this.#limit = limit
  }

  get length(): number {
    return this.size
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.size += bytes.length
    if (this.size > this.#limit) throw new TooLarge(`a body of unknown length, of more than ${this.#limit} bytes`)
    if (bytes.length === 0) return
    this.#kept.push(bytes)
    this.#keptSize += bytes.length
    if (this.#keptSize >= MEMORY) await this.#flush()
  }

  get parts(): AsyncIterable<Uint8Array> {
    return this.#read()
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    this.#kept = []
    await file?.close()
    if (file !== null) await rm(this.#path, { force: true })
  }

  async* #read(): AsyncGenerator<Uint8Array, void, void> {
    const file = this.#file
    for (let at = 0; file !== null && at < this.size - this.#keptSize;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(MEMORY), 0, Math.min(MEMORY, this.size - this.#keptSize - at), at)
      if (bytesRead === 0) throw new Error('the file of a request\'s body has become shorter')
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
    yield* this.#kept
  }

  async #flush(): Promise<void> {
    if (this.#file === null) {
      this.#path = join(tmpdir(), `tsgi-${randomUUID()}`)
      this.#file = await open(this.#path, 'wx+', 0o600)
      // Gone with the process, however that ends. Not every system can do that.
      await rm(this.#path, { force: true }).catch(() => {})
    }
    await this.#file.appendFile(Buffer.concat(this.#kept))
    this.#kept = []
    this.#keptSize = 0
  }
}
