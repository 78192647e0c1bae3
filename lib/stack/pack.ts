import type { FormParts } from './form.ts'
import { formData } from './form.ts'
import type { LiveRequest } from './live.ts'
import { isLogged, markLogged } from './log.ts'
import type { PackedAnswer, PackedCall, PackedResponse, PackedState, PackedTarget } from './packed.ts'
import { HttpResponse, TemplateResponse, type ResponseStream, type Template } from './response.ts'
import type { ActiveRequest } from './active.ts'
import type { Answer, Target } from './target.ts'

/** What stands here for parts of a response that are on the other side. */
export interface RemoteParts {
  stream(live: LiveRequest, number: number): ResponseStream
  template(live: LiveRequest, number: number): Template<unknown>
}

/** Responses that stand for one on the other side, and what they were made with. */
const stands = new WeakMap<HttpResponse, { readonly number: number; readonly part: unknown }>()

// ---- the request ----

/** Makes a call of a target. */
export function packCall(live: LiveRequest, target: Target): PackedCall {
  const { active } = live
  const { name, layers } = active.stack
  if (name === null) throw new Error('a stack without a module does not cross')
  const { cachedForm, head } = active.core
  return { id: live.id, name, home: active.plan.home, layers: layers.length, head, said: packState(active, cachedForm === null ? null : formData(cachedForm), null), target: packTarget(live, target) }
}

export function packState({ core, routeIndex }: ActiveRequest, form: FormParts | null, bytes: Uint8Array | null): PackedState {
  return { state: core.state, params: core.params, route: routeIndex, form, bytes }
}

/** Takes what layers of the other side have said. */
export function takeState(active: ActiveRequest, { state, params, route, form, bytes }: PackedState, owned: boolean): void {
  const { core } = active
  // Layers may hold the object.
  const own = core.state
  for (const key of Object.keys(own)) if (!(key in state)) delete own[key]
  Object.assign(own, state)
  if (route >= 0) active.found(route, params)
  if (form !== null && core.cachedForm === null) core.adoptForm(form, owned)
  if (bytes !== null && core.cachedBytes === null) core.adoptBytes(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
}

function packTarget(live: LiveRequest, target: Target): PackedTarget {
  return target.type === 'processTemplateResponse' ? { ...target, response: packResponse(live, target.response) } : target
}

export function unpackTarget(live: LiveRequest, target: PackedTarget, remote: RemoteParts): Target {
  if (target.type !== 'processTemplateResponse') return target
  return { ...target, response: unpackResponse(live, target.response, remote) as TemplateResponse }
}

// ---- the answer ----

/** Makes the answer to a call; a request that was opened for it gives what it has read of the body. */
export function packAnswer(live: LiveRequest, answer: Answer, guest: boolean): PackedAnswer {
  const { core } = live.active
  const said = packState(live.active, guest ? core.releaseForm() : null, guest ? core.cachedBytes : null)
  return { said, response: answer === undefined ? null : packResponse(live, answer) }
}

export function unpackAnswer(live: LiveRequest, { said, response }: PackedAnswer, remote: RemoteParts): Answer {
  takeState(live.active, said, true)
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
  return {
    status: response.status,
    headers: response.headers.flat(),
    content: kind === 'content' ? response.content : null,
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

function replaceHeaders({ headers }: HttpResponse, flat: readonly string[]): void {
  for (const [name] of [...headers]) headers.delete(name)
  for (let i = 0; i < flat.length; i += 2) headers.append(flat[i] ?? '', flat[i + 1] ?? '')
}
