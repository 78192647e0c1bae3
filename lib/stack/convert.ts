import type { ActiveRequest } from './active.ts'
import { checked, sendable } from './checked.ts'
import { isLogged, levelOf, markLogged, reasonOf, shown } from './log.ts'
import { HttpResponse, TemplateResponse } from './response.ts'

/**
 * The response that an error turns into: that of an HTTP error (404, 403, 400, 413, …) has its status, any other is a 500,
 * which is told to who listens for `gotRequestException`.
 */
export function responseTo(active: ActiveRequest, error: unknown): HttpResponse {
  const { stack, core } = active
  // Nobody is left to be answered.
  if (isOfClient(error)) return markLogged(new HttpResponse(null, { status: 400 }))
  const status = statusOf(error)
  if (status === 500) {
    stack.emit('gotRequestException', active.async, error)
    stack.log('error', `Internal Server Error: ${shown(core.path)}`, error)
    return markLogged(page(active, 500, error))
  }
  const response = page(active, status, error)
  if (status === 404 || isLogged(response)) return response
  stack.log(levelOf(status), `${reasonOf(status)}: ${shown(core.path)}: ${shown((error as Error).message)}`)
  return markLogged(response)
}

/** The page of the stack's own for a status, else a short text; with the header fields that the error has. */
function page(active: ActiveRequest, status: number, error: unknown): HttpResponse {
  const { stack, core } = active
  const own = stack.errorPages[status]
  try {
    const response = own === undefined ? plain(active, status, error) : sendable(checked(`the error page for ${status}`, own(active.async, error)), active.plan.home)
    if (response instanceof TemplateResponse) response.renderSync()
    for (const [name, value] of headersOf(error)) response.headers.set(name, value)
    return response
  } catch (failure) {
    stack.emit('gotRequestException', active.async, failure)
    stack.log('error', `the error page for ${status} failed: ${shown(core.path)}`, failure)
    return markLogged(plain(active, 500, failure))
  }
}

function plain({ stack }: ActiveRequest, status: number, error: unknown): HttpResponse {
  const reason = `${status} ${reasonOf(status)}`
  const told = status < 500 ? (error as Error).message : stack.debug && error instanceof Error ? error.stack ?? error.message : ''
  const text = told === '' ? `${reason}\n` : `${reason}: ${told}\n`
  return new HttpResponse(text, { status, contentType: 'text/plain; charset=utf-8' })
}

/** The status of an HTTP error, wherever it was thrown: those of a thread have lost their class. */
function statusOf(error: unknown): number {
  const { status } = Object(error) as { readonly status?: unknown }
  return typeof status === 'number' && status >= 400 && status < 600 && codeOf(error).startsWith('ERR_TSGI_') ? status : 500
}

/** The header fields of an HTTP error; those of any other error mean something else. */
function headersOf(error: unknown): readonly (readonly [string, string])[] {
  const { headers } = Object(error) as { readonly headers?: Readonly<Record<string, string>> | null }
  return headers !== undefined && headers !== null && codeOf(error).startsWith('ERR_TSGI_') ? Object.entries(headers) : []
}

function codeOf(error: unknown): string {
  const { code } = Object(error) as { readonly code?: unknown }
  return typeof code === 'string' ? code : ''
}

/** Whether an error says that the client has left: that itself, or what the signal of the request has ended. */
function isOfClient(error: unknown): boolean {
  let found = error
  for (let depth = 0; depth < 5 && typeof found === 'object' && found !== null; depth++) {
    if (codeOf(found) === 'ERR_TSGI_CLIENT_DISCONNECTED') return true
    found = (found as { readonly cause?: unknown }).cause
  }
  return false
}
