export { serveCgi, type ServeCgiOptions } from './serve-cgi.ts'
