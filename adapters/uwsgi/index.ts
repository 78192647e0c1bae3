export { fromUwsgi, type FromUwsgiOptions } from './from-uwsgi.ts'
