import type { Send } from '../../lib/contract/application.ts'
import { disconnectSignal } from '../../lib/contract/disconnect.ts'
import { InvalidResponse } from '../../lib/contract/errors.ts'
import type { HeaderPair, HeadersInput } from '../../lib/contract/headers.ts'
import type { HttpScope } from '../../lib/contract/scope.ts'
import { isDisturbed } from './disturbed.ts'
import { isResponse } from './is-response.ts'

type Reader = ReadableStreamDefaultReader<Uint8Array>
type Read = Awaited<ReturnType<Reader['read']>>

const NO_BYTES = new Uint8Array(0)

/** Sends a response as events: in one piece where its body is there already, else part by part as it comes. */
export async function sendResponse(answer: unknown, scope: HttpScope, send: Send): Promise<void> {
  if (!isResponse(answer) || answer.bodyUsed) throw new InvalidResponse('what a fetch handler answers', 'a Response whose body is unread', isResponse(answer) ? 'one whose body has been read' : answer)
  const whole = scope.method === 'HEAD' ? undefined : bodySource(answer)
  const stream = whole === undefined ? answer.body : null
  const reader = scope.method === 'HEAD' ? null : stream?.getReader() ?? null
  try {
    await send({ type: 'http.response.start', status: answer.status, headers: headersOf(answer) })
    if (reader === null) await send({ type: 'http.response.body', body: whole })
    else await sendStream(reader, scope, send)
    if (reader === null) void stream?.cancel().catch(ignore)
  } catch (error) {
    // The producer must hear of it, or it would go on for ever.
    void (reader ?? stream)?.cancel(error).catch(ignore)
    throw error
  }
}

function headersOf({ headers, url }: Response): HeadersInput {
  // What `fetch` gives has a url, and its body is decoded, though its fields are those of the encoded one.
  if (url === '' || !headers.has('content-encoding')) return headers
  return [...headers].filter(([name]: HeaderPair) => name !== 'content-encoding' && name !== 'content-length')
}

async function sendStream(reader: Reader, scope: HttpScope, send: Send): Promise<void> {
  let next = reader.read()
  const first = await atOnce(next)
  if (first?.done === true) return send({ type: 'http.response.body' })
  if (first !== null) {
    next = reader.read()
    const second = await atOnce(next)
    if (second?.done === true) return send({ type: 'http.response.body', body: first.value })
  }
  const signal = disconnectSignal(scope)
  const leave = (): void => void reader.cancel(signal.reason).catch(ignore)
  signal.addEventListener('abort', leave)
  try {
    // With no part yet this lets the head go.
    await send({ type: 'http.response.body', body: first?.value ?? NO_BYTES, moreBody: true })
    for (;;) {
      const { done, value } = await next
      if (done) break
      await send({ type: 'http.response.body', body: value, moreBody: true })
      next = reader.read()
    }
    // A body that was cancelled ends like any other.
    signal.throwIfAborted()
    await send({ type: 'http.response.body' })
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** The result of a read if it needs no more than what is to be done anyway; null if it needs time. */
async function atOnce(read: Promise<Read>): Promise<Read | null> {
  let result: Read | null = null
  let failed = false
  read.then((found) => {
    result = found
  }, () => {
    failed = true
  })
  for (let turn = 0; turn < 8 && result === null; turn++) {
    if (failed) return read
    await undefined
  }
  return result
}

// Up to Node 22 undici keeps what a Response was made of under a symbol: to read that through its stream takes longer
// than all the rest of a small response.
const state = Object.getOwnPropertySymbols(new Response()).find(({ description }) => description === 'state')

/** The string or the bytes that a response was made of; undefined where that is not known. */
function bodySource(response: Response): string | Uint8Array | undefined {
  if (state === undefined) return undefined
  const { body } = (response as unknown as Partial<Record<symbol, { readonly body?: unknown }>>)[state] ?? {}
  const { source, stream } = Object(body) as { readonly source?: unknown; readonly stream?: unknown }
  if (!(stream instanceof ReadableStream) || stream.locked || isDisturbed(stream)) return undefined
  return typeof source === 'string' || source instanceof Uint8Array ? source : undefined
}

function ignore(): void {}
