import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { reads, serving, sink } from './serving.mjs'

const app = new Hono()
app.get('/', (context) => {
  if (reads) for (const [name, value] of context.req.raw.headers) sink.length += name.length + value.length
  return context.text('Hello world!')
})
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => serving(`http://127.0.0.1:${port}/`))
