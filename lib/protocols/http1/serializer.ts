import { STATUS_CODES } from 'node:http'
import type { ResponseHead } from '../../exchange/transport.ts'
import { currentDate } from '../date.ts'

/** How a response ends on the wire (RFC 9112 6.3). */
export type Framing = 'length' | 'chunked' | 'close'

const statusLines = new Map<number, string>()

function statusLine(status: number): string {
  let line = statusLines.get(status)
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
    statusLines.set(status, line)
  }
  return line
}

/** Writes a final head, as Latin-1 text. `connection` is the value of that field, or null for none. */
export function headText(head: ResponseHead, framing: Framing, connection: 'close' | 'keep-alive' | null, date: boolean): string {
  let text = statusLine(head.status) + fieldLines(head.headers)
  if (date && !head.dated) text += dateLine()
  if (head.contentLength !== null) text += `content-length: ${head.contentLength}\r\n`
  else if (framing === 'chunked') text += 'transfer-encoding: chunked\r\n'
  if (connection !== null) text += `connection: ${connection}\r\n`
  return text + '\r\n'
}

/** Writes an interim head (RFC 9110 15.2). Headers are names and values in turn. */
export function interimText(status: 100 | 103, headers: readonly string[]): string {
  return statusLine(status) + fieldLines(headers) + '\r\n'
}

/** The last chunk and the trailer section (RFC 9112 7.1). */
export function lastChunkText(trailers: readonly string[] | null): string {
  return trailers === null ? '0\r\n\r\n' : `0\r\n${fieldLines(trailers)}\r\n`
}

/** A whole response that says why a request was refused. */
export function refusalText(status: number, reason: string, date: boolean): string {
  const body = `${status} ${STATUS_CODES[status] ?? ''}: ${reason}\n`
  // RFC 9110 15.5.22, RFC 6455 4.4: what the client should upgrade to.
  const upgrade = status === 426 ? ', upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13' : ''
  return statusLine(status)
    + 'content-type: text/plain; charset=utf-8\r\n'
    + (date ? dateLine() : '')
    + `content-length: ${body.length}\r\nconnection: close${upgrade}\r\n\r\n${body}`
}

/** The answer to a WebSocket handshake. Fields are names and values in turn; `accept` is `sec-websocket-accept`. */
export function upgradeText(fields: readonly string[], accept: string, date: boolean): string {
  return statusLine(101)
    + `upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n`
    + fieldLines(fields)
    + (date ? dateLine() : '')
    + '\r\n'
}

function fieldLines(headers: readonly string[]): string {
  let text = ''
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
  return text
}

function dateLine(): string {
  return `date: ${currentDate()}\r\n`
}
