/** What the site is made of. `SITE_DEBUG=1` has responses tell how long they took, and where each layer ran. */
import type { LayerFactory, RequestLimits } from 'tsgi/stack'
import { compression, conditional, requestId, serverTiming } from 'tsgi/stack/middleware'
import { PICTURE_LIMIT } from './forms.ts'

export { errorPages } from './errors.ts'

export const debug: boolean = process.env['SITE_DEBUG'] === '1'

export const limits: Partial<RequestLimits> = { bodySize: 64 * 1024, fileSize: PICTURE_LIMIT, formFields: 20, formFiles: 1 }

/** From the outermost to the innermost. */
export const middleware: readonly (string | LayerFactory)[] = [
  requestId,
  serverTiming,
  './middleware.js#security',
  './middleware.js#hosts',
  compression,
  conditional,
  './middleware.js#cors',
  './middleware.js#bodyLimit',
  './middleware.js#slashes',
  './middleware.js#loginRate',
  './middleware.js#closing',
  './middleware.js#sessions',
  './middleware.js#visitor',
  './middleware.js#csrf',
  './middleware.js#account',
]

export const routes = './urls.js#routes'
