/** Whether something is a `Response`: by its parts, since it may come from another copy of undici or another realm. */
export function isResponse(found: unknown): found is Response {
  const { status, headers, body } = Object(found) as Partial<Response>
  return typeof status === 'number' && typeof headers?.get === 'function' && Symbol.iterator in headers && (body === null || typeof body?.getReader === 'function')
}
