import { application, serve } from 'tsgi'
import { bodyOf, certificate, serving, variant } from './serving.mjs'

const headers = [['content-type', 'text/plain']]
const body = bodyOf()

const app = application({
  async http(scope, receive, send) {
    await send({ type: 'http.response.start', status: 200, headers })
    await send({ type: 'http.response.body', body })
  },
})
const tls = variant === 'h2' ? {} : { tlsCert: certificate.cert, tlsKey: certificate.key }
const server = await serve(app, { port: 0, host: '127.0.0.1', accessLog: false, ...tls })
serving(new URL('/', server.url).href)
