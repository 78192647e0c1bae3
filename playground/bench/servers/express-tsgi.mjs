import { serve } from 'tsgi'
import { fromNode } from 'tsgi/adapters/node'
import { app } from './express-app.mjs'
import { serving } from './serving.mjs'

const server = await serve(fromNode(app), { port: 0, host: '127.0.0.1', accessLog: false })
serving(new URL('/', server.url).href)
