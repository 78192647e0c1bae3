import { serve } from 'srvx'
import { app } from './hono-app.mjs'
import { serving } from './serving.mjs'

const server = serve({ port: 0, hostname: '127.0.0.1', silent: true, fetch: app.fetch })
await server.ready()
serving(server.url)
