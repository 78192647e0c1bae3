import { createServer } from 'node:http'
import Koa from 'koa'
import { layers, serving } from './serving.mjs'

const app = new Koa()
for (let layer = 0; layer < layers; layer++) {
  app.use(async (context, next) => {
    await next()
  })
}
app.use((context) => {
  context.body = 'Hello world!'
})
const server = createServer(app.callback())
server.keepAliveTimeout = 65_000
server.listen(0, '127.0.0.1', 2048, () => serving(`http://127.0.0.1:${server.address().port}/`))
