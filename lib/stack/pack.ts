import { notCloneable, packError, unpackError } from '../threads/crossing.ts'
import { formData, type FormParts } from './form.ts'
import type { LiveRequest } from './live.ts'
import { isLogged, markLogged } from './log.ts'
import type { PackedAnswer, PackedCall, PackedResponse, PackedState, PackedTarget } from './packed.ts'
import { HttpResponse, TemplateResponse, type ResponseStream, type Template } from './response.ts'
import type { Answer, Target } from './target.ts'

/** What stands here for parts of a response that are on the other side. */
export interface RemoteParts {
  stream(live: LiveRequest, number: number): ResponseStream
  template(live: LiveRequest, number: number): Template<unknown>
}

/** Responses that stand for one on the other side, and what they were made with. */
const stands = new WeakMap<HttpResponse, { readonly number: number; readonly part: unknown }>()

// ---- the request ----

/** Makes a call of a target. Throws `NotCloneable`. */
export function packCall(live: LiveRequest, target: Target): PackedCall {
  const { active } = live
  const { name, layers } = active.stack
  if (name === null) throw new Error('a stack without a module does not cross')
  const packed = packTarget(live, target)
  return { id: live.id, name, home: active.plan.home, layers: layers.length, head: active.core.head, said: packState(live), target: packed }
}

function packState(live: LiveRequest): PackedState {
  const { core, routeIndex } = live.active
  const state = live.spoilt ? cloneable(core.state) : core.state
  const hasBytes = core.cachedBytes !== null
  let bytes: Uint8Array | null = null
  let form: FormParts | null = null
  if (!live.guest) {
    if (core.cachedForm !== null) form = formData(core.cachedForm)
  } else {
    if (hasBytes && !live.bytesThere) bytes = inOwnMemory(core.cachedBytes)
    if (core.cachedForm !== null && !live.formThere) {
      // Files that are given away, and do not arrive, would stay on the disk for ever.
      requireCloneable(state)
      form = core.releaseForm()
    }
    live.bytesThere ||= hasBytes
    live.formThere ||= form !== null
  }
  return { state, params: core.params, route: routeIndex, ranOn: live.active.ranOn, form, bytes, hasBytes, bodyTaken: core.bodyTaken, bodyLimit: core.bodyLimit }
}

/** Takes what layers of the other side have said. */
export function takeState(live: LiveRequest, { state, params, route, ranOn, form, bytes, hasBytes, bodyTaken, bodyLimit }: PackedState): void {
  const { active } = live
  const { core } = active
  // Layers may hold the object.
  const own = core.state
  for (const key of Object.keys(own)) if (!(key in state)) delete own[key]
  Object.assign(own, state)
  if (route >= 0) active.found(route, params)
  active.ranOn = ranOn === null ? null : [...ranOn]
  if (form !== null) {
    live.formThere = true
    // The request is at home here: its files go with it.
    if (core.cachedForm === null) core.adoptForm(form, !live.guest)
  }
  core.bodyTakenThere = bodyTaken
  core.limitBody(bodyLimit)
  if (hasBytes) live.bytesThere = true
  if (bytes !== null && core.cachedBytes === null) core.adoptBytes(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
}

function requireCloneable(state: Record<string, unknown>): void {
  try {
    structuredClone(state)
  } catch (error) {
    throw notCloneable(error, 'request.state', state)
  }
}

function cloneable(state: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(state).filter(([, value]) => {
    try {
      structuredClone(value)
      return true
    } catch {
      return false
    }
  }))
}

function packTarget(live: LiveRequest, target: Target): PackedTarget {
  if (target.type === 'processTemplateResponse') return { ...target, response: packResponse(live, target.response) }
  return target.type === 'processException' ? { ...target, error: packError(target.error) } : target
}

export function unpackTarget(live: LiveRequest, target: PackedTarget, remote: RemoteParts): Target {
  if (target.type === 'processTemplateResponse') return { ...target, response: unpackResponse(live, target.response, remote) as TemplateResponse }
  return target.type === 'processException' ? { ...target, error: unpackError(target.error) } : target
}

// ---- the answer ----

/** Makes the answer to a call. */
export function packAnswer(live: LiveRequest, answer: Answer): PackedAnswer {
  const response = answer === undefined ? null : packResponse(live, answer)
  return { said: packState(live), response, thrown: null, holds: live.responses.size > 0 }
}

/** Makes the answer of a call that has failed. */
export function packFailure(live: LiveRequest, error: unknown): PackedAnswer {
  return { said: packState(live), response: null, thrown: { error: packError(error) }, holds: live.responses.size > 0 }
}

/** Throws what was thrown there. */
export function unpackAnswer(live: LiveRequest, { said, response, thrown }: PackedAnswer, remote: RemoteParts): Answer {
  takeState(live, said)
  if (thrown !== null) throw unpackError(thrown.error)
  return response === null ? undefined : unpackResponse(live, response, remote)
}

// ---- responses ----

function packResponse(live: LiveRequest, response: HttpResponse): PackedResponse {
  const template = response instanceof TemplateResponse && !response.isRendered ? response : null
  const kind = template !== null ? 'template' : response.streaming ? 'stream' : 'content'
  const stand = stands.get(response)
  const part = template !== null ? template.template : response.stream
  let kept: PackedResponse['kept'] = null
  if (stand !== undefined && (kind === 'content' || stand.part === part)) kept = { side: 'there', number: stand.number }
  else if (kind !== 'content' || response.hasClosers) kept = { side: 'here', number: live.keep(response) }
  // A stand may have closers of its own.
  if (kept?.side === 'there' && response.hasClosers) live.keep(response)
  return {
    status: response.status,
    headers: response.headers.flat(),
    content: kind === 'content' ? inOwnMemory(response.content) : null,
    kept,
    context: template?.context,
    kind,
    logged: isLogged(response),
  }
}

function unpackResponse(live: LiveRequest, packed: PackedResponse, remote: RemoteParts): HttpResponse {
  const { kept } = packed
  const response = kept?.side === 'there' ? own(live, packed, kept.number) : made(live, packed, kept?.number ?? 0, remote)
  response.status = packed.status
  replaceHeaders(response, packed.headers)
  if (packed.logged) markLogged(response)
  return response
}

/** One of this side's own, which has been to the other side. */
function own(live: LiveRequest, { kind, content, context }: PackedResponse, number: number): HttpResponse {
  const response = live.responses.get(number)
  if (response === undefined) throw new Error(`response ${number} is over`)
  if (kind === 'content') response.content = content
  else if (kind === 'template') (response as TemplateResponse).context = context
  return response
}

function made(live: LiveRequest, { kind, content, context }: PackedResponse, number: number, remote: RemoteParts): HttpResponse {
  if (kind === 'template') {
    const template = remote.template(live, number)
    const response = new TemplateResponse(template, context)
    stands.set(response, { number, part: template })
    return response
  }
  const stream = kind === 'stream' ? remote.stream(live, number) : null
  const response = new HttpResponse(stream ?? content)
  if (number > 0) stands.set(response, { number, part: stream })
  return response
}

/** Bytes in memory of their own: cloning takes all of the memory that a view shows a part of. */
export function inOwnMemory<B extends Uint8Array | null>(bytes: B): B | Uint8Array {
  return bytes === null || (bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength) ? bytes : Uint8Array.from(bytes)
}

function replaceHeaders({ headers }: HttpResponse, flat: readonly string[]): void {
  for (const [name] of [...headers]) headers.delete(name)
  for (let i = 0; i < flat.length; i += 2) headers.append(flat[i] ?? '', flat[i + 1] ?? '')
}
