/** WSGI applications that `fromWsgi` runs. */
import { threadId } from 'node:worker_threads'
import type { WsgiApplication } from '../../../lib/contract/wsgi.ts'

/** Sends back each part of the body as it comes. */
export const echo: WsgiApplication = function* (environ, startResponse) {
  startResponse('200 OK', [['content-type', 'application/octet-stream']])
  const input = environ['wsgi.input']
  for (let part = input.read(4096); part.length > 0; part = input.read(4096)) yield part
}

/** Tells its thread and its path. */
export const where: WsgiApplication = ({ PATH_INFO }, startResponse) => {
  startResponse('200 OK', [['content-type', 'text/plain']])
  return [`${threadId} ${PATH_INFO}`]
}

/** Answers without a look at the body: a megabyte in blocks. */
export const long: WsgiApplication = function* (_environ, startResponse) {
  startResponse('200 OK', [])
  for (let i = 0; i < 256; i++) yield Buffer.alloc(4096, i)
}
