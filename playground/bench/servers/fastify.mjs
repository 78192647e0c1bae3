import { fastify } from 'fastify'
import { reads, serving, sink } from './serving.mjs'

const app = fastify()
app.get('/', (request, reply) => {
  if (reads) {
    const { headers } = request
    for (const name in headers) sink.length += name.length + headers[name].length
  }
  reply.type('text/plain').send('Hello world!')
})
serving(`${await app.listen({ port: 0, host: '127.0.0.1', backlog: 2048 })}/`)
