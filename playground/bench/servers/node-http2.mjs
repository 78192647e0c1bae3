/** The control: Node's own servers; HTTP/2 by the `stream` event, HTTP/1.1 over TLS by `node:https`. */
import { readFileSync } from 'node:fs'
import { createServer as createHttp2 } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { bodyOf, certificate, serving, variant } from './serving.mjs'

const body = bodyOf()
const fields = ['content-type', 'text/plain', 'content-length', String(Buffer.byteLength(body))]

if (variant === 'h2') {
  const server = createHttp2()
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'text/plain', 'content-length': fields[3] })
    stream.end(body)
  })
  server.listen(0, '127.0.0.1', 2048, () => serving(`http://127.0.0.1:${server.address().port}/`))
} else {
  const server = createHttps({ cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) }, (request, response) => {
    response.writeHead(200, fields)
    response.end(body)
  })
  server.keepAliveTimeout = 65_000
  server.listen(0, '127.0.0.1', 2048, () => serving(`https://127.0.0.1:${server.address().port}/`))
}
