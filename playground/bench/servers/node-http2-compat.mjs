/** HTTP/2 by the compatibility API of `node:http2`, which looks like `node:http`. */
import { createServer } from 'node:http2'
import { bodyOf, serving } from './serving.mjs'

const body = bodyOf()
const fields = { 'content-type': 'text/plain', 'content-length': String(Buffer.byteLength(body)) }

const server = createServer((request, response) => {
  response.writeHead(200, fields)
  response.end(body)
})
server.listen(0, '127.0.0.1', 2048, () => serving(`http://127.0.0.1:${server.address().port}/`))
