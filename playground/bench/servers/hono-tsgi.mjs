import { serve } from 'tsgi'
import { fromFetch } from 'tsgi/adapters/fetch'
import { app } from './hono-app.mjs'
import { serving } from './serving.mjs'

const server = await serve(fromFetch(app), { port: 0, host: '127.0.0.1', accessLog: false })
serving(new URL('/', server.url).href)
