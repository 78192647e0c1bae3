export type { FromCgiOptions } from './options.ts'
export { fromCgi } from './from-cgi.ts'
