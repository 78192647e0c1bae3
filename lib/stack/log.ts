import { STATUS_CODES } from 'node:http'
import type { HttpResponse } from './response.ts'

export type StackLog = (level: 'debug' | 'warn' | 'error', message: string, error?: unknown) => void

const logged = new WeakSet<HttpResponse>()

/** Says that a response has been logged: each is, once. */
export function markLogged(response: HttpResponse): HttpResponse {
  logged.add(response)
  return response
}

export function isLogged(response: HttpResponse): boolean {
  return logged.has(response)
}

/** Logs a response of 400 or more, unless that has been done. */
export function logResponse(log: StackLog, response: HttpResponse, path: string): void {
  const { status } = response
  if (status < 400 || logged.has(response)) return
  markLogged(response)
  log(status >= 500 ? 'error' : 'warn', `${STATUS_CODES[status] ?? status}: ${path}`)
}

/** Where messages go if the stack has no log of its own. */
export function consoleLog(level: 'debug' | 'warn' | 'error', message: string, error?: unknown): void {
  if (error === undefined) console[level](message)
  else console[level](message, error)
}
