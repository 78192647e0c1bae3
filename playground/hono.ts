/** A Hono application as people have it, unchanged: `fromFetch` runs it here. */
import { Hono } from 'hono'

const app: Hono = new Hono()

app.get('/', (context) => context.json({ framework: 'Hono', method: context.req.method, path: context.req.path }))

app.post('/', async (context) => context.json({ framework: 'Hono', received: await context.req.json<unknown>() }, 201))

export default app
