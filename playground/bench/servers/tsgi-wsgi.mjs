import { serve } from 'tsgi'
import { fromWsgi } from 'tsgi/adapters/wsgi'
import { serving } from './serving.mjs'

const app = fromWsgi(new URL('./hello-wsgi.mjs', import.meta.url))
const server = await serve(app, { port: 0, host: '127.0.0.1', accessLog: false })
serving(new URL('/', server.url).href)
