import { FastResponse, serve } from 'srvx'
import { reads, serving, sink } from './serving.mjs'

const server = serve({
  port: 0,
  hostname: '127.0.0.1',
  silent: true,
  fetch(request) {
    if (reads) for (const [name, value] of request.headers) sink.length += name.length + value.length
    return new FastResponse('Hello world!', { headers: { 'content-type': 'text/plain' } })
  },
})
await server.ready()
serving(server.url)
