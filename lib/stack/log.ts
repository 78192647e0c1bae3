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
  log(levelOf(status), `${reasonOf(status)}: ${shown(path)}`)
}

/** How bad a status is, of 400 or more. */
export function levelOf(status: number): 'warn' | 'error' {
  return status >= 500 ? 'error' : 'warn'
}

export function reasonOf(status: number): string {
  return STATUS_CODES[status] ?? 'Unknown Status'
}

/** What a client may have chosen, on one line: it must not forge lines of a log, nor steer a terminal. */
export function shown(text: string): string {
  return text.replace(/[\0-\x1f\x7f-\x9f\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Where messages go if the stack has no log of its own. */
export function consoleLog(level: 'debug' | 'warn' | 'error', message: string, error?: unknown): void {
  if (error === undefined) console[level](message)
  else console[level](message, error)
}
