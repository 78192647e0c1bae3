/** A WSGI application that is loaded on a thread. */
import type { WsgiApplication } from '../../lib/contract/wsgi.ts'

/** Tells where it is. */
export const wsgi: WsgiApplication = ({ SCRIPT_NAME, PATH_INFO, QUERY_STRING, REQUEST_URI, 'tsgi.path': path }, startResponse) => {
  startResponse('200 OK', [['content-type', 'application/json']])
  return [JSON.stringify({ SCRIPT_NAME, PATH_INFO, QUERY_STRING, REQUEST_URI, path })]
}
