export type * from '../../lib/contract/wsgi.ts'
export { fromWsgi, type FromWsgiOptions } from './from-wsgi.ts'
export { toWsgi } from './to-wsgi.ts'
