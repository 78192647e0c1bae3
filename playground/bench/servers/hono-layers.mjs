import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { layers, serving } from './serving.mjs'

const app = new Hono()
for (let layer = 0; layer < layers; layer++) {
  app.use(async (_context, next) => {
    await next()
  })
}
app.get('/', (context) => context.text('Hello world!'))
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => serving(`http://127.0.0.1:${port}/`))
