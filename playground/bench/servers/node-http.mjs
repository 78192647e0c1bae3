/** The control: bare `node:http`, with the flat header list that it writes fastest. */
import { createServer } from 'node:http'
import { reads, serving, sink } from './serving.mjs'

const body = 'Hello world!'
const fields = ['content-type', 'text/plain', 'content-length', '12']

const server = createServer((request, response) => {
  if (reads) {
    const { headers } = request
    for (const name in headers) sink.length += name.length + headers[name].length
  }
  response.writeHead(200, fields)
  response.end(body)
})
// As long as tsgi's, so that no connection closes while its memory is measured.
server.keepAliveTimeout = 65_000
server.listen(0, '127.0.0.1', 2048, () => serving(`http://127.0.0.1:${server.address().port}/`))
