/** What views answer with. */
import type { WsgiResult } from 'tsgi/adapters/wsgi'
import type { Html } from './html.ts'

/** A name and a value. */
export type Header = readonly [name: string, value: string]

export interface Response {
  readonly status: number
  readonly headers: readonly Header[]
  readonly body: WsgiResult
}

/** Thrown where a request cannot be served; the message is for the visitor. */
export class HttpError extends Error {
  readonly status: number
  readonly headers: readonly Header[]

  constructor(status: number, message: string, headers: readonly Header[] = []) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

/** A page, which is never stored: it may show what is meant for one visitor. */
export function page({ text }: Html, status = 200, headers: readonly Header[] = []): Response {
  return document('text/html; charset=utf-8', text, status, [['cache-control', 'no-store'], ...headers])
}

/** A whole document, with its length. */
export function document(type: string, text: string, status = 200, headers: readonly Header[] = []): Response {
  const body = Buffer.from(text)
  return { status, headers: [['content-type', type], ['content-length', String(body.length)], ...headers], body: [body] }
}

/** Sends the browser elsewhere: by default with a GET, as after a form. */
export function redirect(to: string, status = 303): Response {
  return { status, headers: [['location', to], ['content-length', '0']], body: [] }
}
