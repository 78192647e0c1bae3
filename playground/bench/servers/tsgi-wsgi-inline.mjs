import { serve } from 'tsgi'
import { fromWsgi } from 'tsgi/adapters/wsgi'
import hello from './hello-wsgi.mjs'
import { serving } from './serving.mjs'

const server = await serve(fromWsgi(hello), { port: 0, host: '127.0.0.1', accessLog: false })
serving(new URL('/', server.url).href)
