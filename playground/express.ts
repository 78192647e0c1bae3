/** An Express application as people have it, unchanged: `fromNode` runs it here, over HTTP/1.1, HTTP/2 and TLS alike. */
import express from 'express'

const app: express.Express = express()
app.use(express.json())

app.get('/', (request, response) => {
  response.json({ framework: 'Express', method: request.method, path: request.originalUrl, httpVersion: request.httpVersion, secure: request.secure })
})

app.post('/', (request, response) => {
  response.status(201).json({ framework: 'Express', received: request.body as unknown })
})

export default app
