import { application, serve } from 'tsgi'
import { reads, serving, sink } from './serving.mjs'

const headers = [['content-type', 'text/plain']]

const app = application({
  async http(scope, receive, send) {
    if (reads) for (const [name, value] of scope.headers) sink.length += name.length + value.length
    await send({ type: 'http.response.start', status: 200, headers })
    await send({ type: 'http.response.body', body: 'Hello world!' })
  },
})
const server = await serve(app, { port: 0, host: '127.0.0.1', accessLog: false })
serving(new URL('/', server.url).href)
