/** What a front server sends to a uwsgi port: packets, and requests as nginx makes them. */
import { writePacket } from '../../lib/protocols/uwsgi/packet.ts'

/** Variables by name, or names and values in turn where some are repeated. */
export type Variables = Readonly<Record<string, string>> | readonly string[]

/** A packet; `variables` one character per byte. */
export function packet(variables: Variables, modifier1 = 0): Buffer {
  const flat = Array.isArray(variables) ? variables as readonly string[] : Object.entries(variables).flat()
  const bytes = writePacket(modifier1, flat)
  if (bytes === null) throw new Error('more than a packet can hold')
  return bytes
}

/** The header of a packet, whatever it says. */
export function packetHeader(modifier1: number, size: number, modifier2 = 0): Buffer {
  return Buffer.from([modifier1, size & 0xff, size >> 8, modifier2])
}

/** What the variables of a request are made of. */
export interface UwsgiRequestLine {
  readonly method?: string
  readonly path?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly contentLength?: number
}

/** The variables of a request, as nginx's uwsgi_params have them. */
export function requestVariables({ method = 'GET', path = '/', headers = [], contentLength }: UwsgiRequestLine): readonly string[] {
  const [written = '', ...query] = path.split('?')
  const decoded = written.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  const variables = [
    'QUERY_STRING', query.join('?'), 'REQUEST_METHOD', method, 'CONTENT_TYPE', '', 'CONTENT_LENGTH', contentLength === undefined ? '' : String(contentLength),
    'REQUEST_URI', path, 'PATH_INFO', decoded, 'DOCUMENT_ROOT', '/usr/share/nginx/html', 'SERVER_PROTOCOL', 'HTTP/1.1',
    'REQUEST_SCHEME', 'http', 'REMOTE_ADDR', '127.0.0.1', 'REMOTE_PORT', '40000', 'SERVER_PORT', '80', 'SERVER_NAME', 'localhost',
    'HTTP_HOST', 'localhost',
  ]
  for (const [name, value] of headers) variables.push(`HTTP_${name.toUpperCase().replaceAll('-', '_')}`, value)
  return variables
}
