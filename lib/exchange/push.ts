import { InvalidEvent } from '../contract/errors.ts'
import type { HttpResponsePushEvent } from '../contract/events.ts'
import { checkHeaders } from './headers.ts'

/** Fields of a request that a promised one cannot have: it has no body, and its authority is that of the request before. */
const notPromised: ReadonlySet<string> = new Set(['host', 'expect', 'trailer'])

/** Checks `http.response.push`; throws `InvalidEvent`. Gives the target, and names and values of fields in turn. */
export function checkPush({ type, path, headers }: HttpResponsePushEvent): { readonly path: string; readonly headers: readonly string[] } {
  if (typeof path !== 'string' || !path.startsWith('/')) throw new InvalidEvent(type, 'path', 'a path that begins with /', path)
  const { flat } = checkHeaders(type, headers)
  const kept: string[] = []
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] ?? ''
    if (!notPromised.has(name)) kept.push(name, flat[i + 1] ?? '')
  }
  return { path: targetOf(path), headers: kept }
}

/** Escapes what a target cannot have; an escape that is there stays, and so does a query. */
function targetOf(path: string): string {
  return Buffer.from(path).toString('latin1').replace(/[^!"$-~]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}
